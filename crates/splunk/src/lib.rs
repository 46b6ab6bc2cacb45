//! Front-end for Splunk ESCU detections: YAML and SPL to IR.
