//! Real logs, where they lie beside the checkout.

use std::path::{Path, PathBuf};

/// A file of the shared data; none, with a note, where the data is not there.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("MASTHEAD_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let path = shared.join("data").join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}
