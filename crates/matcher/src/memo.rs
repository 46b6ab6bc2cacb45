//! What is remembered of the values of a field.

use rustc_hash::FxHashMap;

/// How many values one generation holds. Two generations of values of the longest kind take 4 MiB a field at most.
const CAPACITY: usize = 4_096;

/// Longer values are not remembered: they seldom come again.
pub(crate) const MAX_TEXT: usize = 256;

/// A bounded memory from texts to the patterns that they pass. When the younger generation is full the older is
/// forgotten, so that values that keep coming stay, and no flood of new values can fill the memory for good.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    /// Places in `passed`, so that a hit costs one look-up.
    places: FxHashMap<Box<str>, usize>,
    passed: Vec<Box<[u32]>>,
}

impl Memo {
    /// What is remembered of a text.
    pub(crate) fn get(&mut self, text: &str) -> Option<&[u32]> {
        let place = match self.young.places.get(text) {
            Some(&place) => place,
            None => {
                let place = self.old.places.remove(text)?;
                let passed = std::mem::take(self.old.passed.get_mut(place)?);
                self.insert(text, passed)
            }
        };
        self.young.passed.get(place).map(|passed| &**passed)
    }

    /// Remembers which patterns a text passes.
    pub(crate) fn insert(&mut self, text: &str, passed: Box<[u32]>) -> usize {
        if self.young.passed.len() >= CAPACITY {
            self.old = std::mem::take(&mut self.young);
        }
        let place = self.young.passed.len();
        self.young.passed.push(passed);
        self.young.places.insert(text.into(), place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_use_outlive_a_flood() {
        let mut memo = Memo::default();
        memo.insert("get", [1, 2].into());
        memo.insert("stale", [3].into());
        for n in 0..CAPACITY * 3 {
            memo.insert(&n.to_string(), [].into());
            if n % 100 == 0 {
                assert_eq!(memo.get("get"), Some(&[1, 2][..]));
            }
        }
        assert_eq!(memo.get("stale"), None);
        assert!(memo.young.passed.len() <= CAPACITY && memo.old.passed.len() <= CAPACITY);
    }
}
