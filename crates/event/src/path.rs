//! Names of fields inside an event.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What the column of a dotted name begins with.
pub const DOTTED_COLUMN: char = '~';

/// The name of a field inside a JSON event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FieldPath {
    /// A whole flattened name: keys joined by `.`, `{}` after a key for each array level (`user.groups{}`,
    /// `spec.containers{}.image`). Keys keep their own dots and slashes, so several walks can spell one name; all of
    /// them count, in document order. Case-sensitive. Numbers give their source text, truth values `true` and `false`,
    /// JSON null the text `null`, empty objects and arrays nothing.
    Flat(Arc<str>),
    /// A name whose keys are joined by `.` and which goes through arrays without saying so, at any level
    /// (`spec.containers.image`), as search engines and Sigma write fields. Keys keep their own dots and slashes. Values are
    /// those of [`FieldPath::Flat`], but JSON null gives nothing.
    Dotted(Arc<str>),
    /// One walk by keys from the root; ASCII case of keys does not count. Scalars keep their JSON type. An array of
    /// scalars gives a list; what holds more gives its JSON text.
    Keys(Arc<[Arc<str>]>),
}

impl FieldPath {
    /// A whole flattened name.
    pub fn flat(name: impl AsRef<str>) -> FieldPath {
        FieldPath::Flat(Arc::from(name.as_ref()))
    }

    /// A name that goes through arrays.
    pub fn dotted(name: impl AsRef<str>) -> FieldPath {
        FieldPath::Dotted(Arc::from(name.as_ref()))
    }

    /// The name of the column that holds this field in rows; none for a walk by keys, which only conditions on events know.
    /// The column of a dotted name begins with [`DOTTED_COLUMN`].
    pub fn column(&self) -> Option<Cow<'_, str>> {
        match self {
            FieldPath::Flat(name) => Some(Cow::Borrowed(name)),
            FieldPath::Dotted(name) => Some(Cow::Owned(format!("{DOTTED_COLUMN}{name}"))),
            FieldPath::Keys(_) => None,
        }
    }

    /// The field that a column holds: the opposite of [`FieldPath::column`].
    pub fn of_column(name: &str) -> FieldPath {
        match name.strip_prefix(DOTTED_COLUMN) {
            Some(name) => FieldPath::dotted(name),
            None => FieldPath::flat(name),
        }
    }

    /// Whether a column has this field's name.
    pub fn is_column(&self, column: &str) -> bool {
        match self {
            FieldPath::Flat(name) => **name == *column,
            FieldPath::Dotted(name) => column.strip_prefix(DOTTED_COLUMN) == Some(&**name),
            FieldPath::Keys(_) => false,
        }
    }

    /// A walk by keys.
    pub fn keys<S: AsRef<str>>(keys: impl IntoIterator<Item = S>) -> FieldPath {
        FieldPath::Keys(keys.into_iter().map(|k| Arc::from(k.as_ref())).collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldPath::Flat(name) | FieldPath::Dotted(name) => f.write_str(name),
            FieldPath::Keys(keys) => f.write_str(&keys.join(".")),
        }
    }
}
