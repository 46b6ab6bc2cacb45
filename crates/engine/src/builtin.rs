//! The built-in pack, as files in memory.

use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// The folder that the paths of built-in rules begin with. It names no folder of the machine.
pub(crate) const ROOT: &str = "builtin:";

/// Path and text of every file of the pack.
pub(crate) fn files() -> Vec<(PathBuf, String)> {
    FILES.iter().map(|(path, text)| (Path::new(ROOT).join(path), (*text).to_owned())).collect()
}
