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
    young: FxHashMap<Box<str>, Box<[u32]>>,
    old: FxHashMap<Box<str>, Box<[u32]>>,
}

impl Memo {
    /// What is remembered of a text.
    pub(crate) fn get(&mut self, text: &str) -> Option<&[u32]> {
        if !self.young.contains_key(text) {
            let passed = self.old.remove(text)?;
            self.insert_owned(text, passed);
        }
        self.young.get(text).map(|passed| &**passed)
    }

    /// Remembers which patterns a text passes.
    pub(crate) fn insert(&mut self, text: &str, passed: &[u32]) {
        self.insert_owned(text, passed.into());
    }

    fn insert_owned(&mut self, text: &str, passed: Box<[u32]>) {
        if self.young.len() >= CAPACITY {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(text.into(), passed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_use_outlive_a_flood() {
        let mut memo = Memo::default();
        memo.insert("get", &[1, 2]);
        memo.insert("stale", &[3]);
        for n in 0..CAPACITY * 3 {
            memo.insert(&n.to_string(), &[]);
            if n % 100 == 0 {
                assert_eq!(memo.get("get"), Some(&[1, 2][..]));
            }
        }
        assert_eq!(memo.get("stale"), None);
        assert!(memo.young.len() <= CAPACITY && memo.old.len() <= CAPACITY);
    }
}
