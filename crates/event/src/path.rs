//! Names of fields inside an event.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a field inside a JSON event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FieldPath {
    /// A whole flattened name: keys joined by `.`, `{}` after a key for each array level (`user.groups{}`,
    /// `spec.containers{}.image`). Keys keep their own dots and slashes, so several walks can spell one name; all of
    /// them count, in document order. Case-sensitive. Numbers give their source text, truth values `true` and `false`,
    /// JSON null the text `null`, empty objects and arrays nothing.
    Flat(Arc<str>),
    /// One walk by keys from the root; ASCII case of keys does not count. Scalars keep their JSON type. An array of
    /// scalars gives a list; what holds more gives its JSON text.
    Keys(Arc<[Arc<str>]>),
}

impl FieldPath {
    /// A whole flattened name.
    pub fn flat(name: impl AsRef<str>) -> FieldPath {
        FieldPath::Flat(Arc::from(name.as_ref()))
    }

    /// A walk by keys.
    pub fn keys<S: AsRef<str>>(keys: impl IntoIterator<Item = S>) -> FieldPath {
        FieldPath::Keys(keys.into_iter().map(|k| Arc::from(k.as_ref())).collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldPath::Flat(name) => f.write_str(name),
            FieldPath::Keys(keys) => f.write_str(&keys.join(".")),
        }
    }
}
