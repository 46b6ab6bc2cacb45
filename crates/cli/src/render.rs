//! Results as people and machines read them.

pub(crate) mod diagnostics;
pub(crate) mod junit;
pub(crate) mod ocsf;
pub(crate) mod sarif;
pub(crate) mod summary;
pub(crate) mod table;
