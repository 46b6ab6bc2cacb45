//! Front-end for Panther detections: YAML and Python to IR.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod guard;
mod source;
