//! Kleene's logic: `None` is unknown.

use super::Truth;

/// True if any is true, false if all are false, else unknown. Stops at the first that is true.
pub(crate) fn any(truths: impl IntoIterator<Item = Truth>) -> Truth {
    let mut result = Some(false);
    for truth in truths {
        match truth {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}

/// True if all are true, false if any is false, else unknown. Stops at the first that is false.
pub(crate) fn all(truths: impl IntoIterator<Item = Truth>) -> Truth {
    let mut result = Some(true);
    for truth in truths {
        match truth {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}
