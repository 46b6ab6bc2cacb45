//! All patterns about one field: which of them does a value pass?

use aho_corasick::{AhoCorasick, BuildError};
use masthead_ir::Value;
use masthead_ir::eval::CompiledPattern;
use masthead_ir::eval::fold::{fold, fold_into};
use masthead_ir::eval::number::Number;
use masthead_ir::pattern::{Case, Pattern};
use rustc_hash::FxHashMap;

use crate::row::SourceValue;

type ByText = FxHashMap<Box<str>, Vec<u32>>;

/// The patterns of one field, arranged by how they are found.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// Equality of text, case counts.
    exact: ByText,
    /// Equality of text, case does not count.
    folded: ByText,
    /// Equality of type and text.
    same_text: ByText,
    /// Equality by number: candidates by the bits of the number as a float.
    numbers: FxHashMap<u64, Vec<u32>>,
    /// Patterns that hold a literal part, by that part without case.
    needles: ByText,
    automaton: Option<Needles>,
    /// Tried one by one.
    rest: Vec<u32>,
    /// Whether a pattern is about text without case.
    needs_fold: bool,
}

#[derive(Debug)]
struct Needles {
    automaton: AhoCorasick,
    /// The patterns of each needle.
    patterns: Vec<Vec<u32>>,
}

/// Memory that is used anew for each value.
#[derive(Debug, Default)]
pub(crate) struct ColumnScratch {
    /// The patterns that the value passes.
    pub(crate) passed: Vec<u32>,
    lower: String,
    seen: Vec<bool>,
    /// How often each pattern was tried since the test began.
    #[cfg(test)]
    pub(crate) tried: Vec<u32>,
}

fn number_key(number: Number) -> u64 {
    // Zero has two signs and one value.
    (number.as_f64() + 0.0).to_bits()
}

/// The longest literal part that a text must hold to match, without case.
fn needle(pattern: &Pattern) -> Option<String> {
    let longest = |text: &str| text.split('*').max_by_key(|part| part.len()).map(str::to_owned);
    let part = match pattern {
        Pattern::Prefix { text, .. } | Pattern::Suffix { text, .. } | Pattern::Contains { text, .. } => text.clone(),
        Pattern::Wildcard { glob, .. } => longest(glob)?,
        Pattern::Phrase { text, .. } => longest(text)?,
        _ => return None,
    };
    if part.is_empty() { None } else { Some(fold(&part).into_owned()) }
}

impl Column {
    /// Adds a pattern under its number. The automaton is made by [`Column::finish`].
    pub(crate) fn add(&mut self, number: u32, pattern: &Pattern, compiled: &CompiledPattern) {
        self.needs_fold |= compiled.needs_fold();
        let into = |map: &mut ByText, text: &str| map.entry(text.into()).or_default().push(number);
        match pattern {
            Pattern::Text { text, numeric: true, .. } if Number::parse(text).is_some() => {
                if let Some(parsed) = Number::parse(text) {
                    self.numbers.entry(number_key(parsed)).or_default().push(number);
                }
            }
            Pattern::Text { text, case: Case::Sensitive, .. } => into(&mut self.exact, text),
            Pattern::Text { text, case: Case::Folded, .. } => into(&mut self.folded, &fold(text)),
            Pattern::Same(Value::Text(text)) => into(&mut self.same_text, text),
            other => match needle(other) {
                Some(part) => {
                    into(&mut self.needles, &part);
                    self.needs_fold = true;
                }
                None => self.rest.push(number),
            },
        }
    }

    /// Makes the automaton.
    ///
    /// # Errors
    /// If it grows too large.
    pub(crate) fn finish(&mut self) -> Result<(), BuildError> {
        let needles = std::mem::take(&mut self.needles);
        if needles.is_empty() {
            return Ok(());
        }
        let (parts, patterns): (Vec<Box<str>>, Vec<Vec<u32>>) = needles.into_iter().unzip();
        let automaton = AhoCorasick::new(parts.iter().map(|part| part.as_bytes()))?;
        self.automaton = Some(Needles { automaton, patterns });
        Ok(())
    }

    /// Leaves in `scratch.passed` the patterns that a value passes, each once.
    pub(crate) fn passing(&self, value: &SourceValue<'_>, patterns: &[CompiledPattern], scratch: &mut ColumnScratch) {
        let mut lower = std::mem::take(&mut scratch.lower);
        let folded = if self.needs_fold {
            fold_into(value.text, &mut lower);
            lower.as_str()
        } else {
            value.text
        };
        let mut seen = std::mem::take(&mut scratch.seen);
        let mut trial = Trial { value, folded, patterns, scratch };
        trial.scratch.passed.clear();
        trial.take_all(self.exact.get(value.text));
        trial.take_all(self.folded.get(folded));
        if value.typed.is_none() {
            trial.take_all(self.same_text.get(value.text));
        }
        if !self.numbers.is_empty() {
            let number = value.typed.map_or_else(|| Number::parse(value.text), Number::of);
            trial.try_all(number.and_then(|number| self.numbers.get(&number_key(number))));
        }
        if let Some(needles) = &self.automaton {
            needles.find(folded, &mut seen, |found| trial.try_all(Some(found)));
        }
        trial.try_all(Some(&self.rest));
        scratch.lower = lower;
        scratch.seen = seen;
    }
}

impl Needles {
    /// Calls `f` with the patterns of each needle that the text holds, once a needle.
    fn find(&self, text: &str, seen: &mut Vec<bool>, mut f: impl FnMut(&Vec<u32>)) {
        seen.clear();
        seen.resize(self.patterns.len(), false);
        let mut left = self.patterns.len();
        for found in self.automaton.find_overlapping_iter(text.as_bytes()) {
            let needle = found.pattern().as_usize();
            if let (Some(seen @ false), Some(patterns)) = (seen.get_mut(needle), self.patterns.get(needle)) {
                *seen = true;
                f(patterns);
                left -= 1;
                if left == 0 {
                    return;
                }
            }
        }
    }
}

struct Trial<'a> {
    value: &'a SourceValue<'a>,
    folded: &'a str,
    patterns: &'a [CompiledPattern],
    scratch: &'a mut ColumnScratch,
}

impl Trial<'_> {
    /// Patterns that were found by what they ask for.
    fn take_all(&mut self, found: Option<&Vec<u32>>) {
        self.scratch.passed.extend(found.into_iter().flatten());
    }

    /// Patterns that may pass.
    fn try_all(&mut self, candidates: Option<&Vec<u32>>) {
        for &number in candidates.into_iter().flatten() {
            let Some(pattern) = self.patterns.get(number as usize) else { continue };
            #[cfg(test)]
            self.scratch.count_trial(number);
            let passes = match self.value.typed {
                Some(typed) => pattern.matches_single(typed),
                None => pattern.matches_folded(self.value.text, self.folded),
            };
            if passes {
                self.scratch.passed.push(number);
            }
        }
    }
}

#[cfg(test)]
impl ColumnScratch {
    fn count_trial(&mut self, number: u32) {
        let at = number as usize;
        if self.tried.len() <= at {
            self.tried.resize(at + 1, 0);
        }
        self.tried[at] += 1;
    }
}
