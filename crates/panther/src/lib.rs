//! Front-end for Panther detections: YAML and Python to IR.
