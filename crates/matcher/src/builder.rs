//! Compiling conditions.

use std::sync::atomic::{AtomicUsize, Ordering};

use masthead_ir::eval::{CompiledPattern, ExprError, PatternError, Program, truth_of};
use masthead_ir::pattern::Pattern;
use masthead_ir::{Expr, FieldPath};
use rustc_hash::FxHashMap;

use crate::access::{Access, access, weight};
use crate::column::Column;
use crate::formula::Formula;
use crate::row::Sources;
use crate::{Condition, ConditionId, ConditionKind, Matcher};

/// Why a matcher cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The literals of the patterns make an automaton that is too large.
    #[error("the patterns of a field make too large an automaton: {0}")]
    Automaton(#[from] aho_corasick::BuildError),
}

/// Collects the conditions of a [`Matcher`].
#[derive(Debug, Default)]
pub struct MatcherBuilder {
    conditions: Vec<(ConditionKind, Vec<String>, Formula)>,
    sources: Sources,
    patterns: Vec<Interned>,
    /// By source and by the pattern's own text, which tells different patterns apart.
    pattern_numbers: FxHashMap<(usize, String), u32>,
    residuals: Vec<Program>,
    residual_numbers: FxHashMap<String, u32>,
}

#[derive(Debug)]
struct Interned {
    source: usize,
    pattern: Pattern,
    compiled: CompiledPattern,
    /// How often the conditions name it.
    uses: u32,
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl MatcherBuilder {
    /// A builder without conditions.
    pub fn new() -> MatcherBuilder {
        MatcherBuilder::default()
    }

    /// Adds a condition. It holds only for events of one of these log types, unless there are none.
    ///
    /// # Errors
    /// As [`Program::compile`]; the builder is then as it was, but for fields.
    pub fn add(
        &mut self,
        kind: ConditionKind,
        log_types: &[String],
        condition: &Expr,
    ) -> Result<ConditionId, ExprError> {
        // Bounds the depth of the formula too.
        Program::compile(condition)?;
        let formula = self.formula(condition)?;
        self.conditions.push((kind, log_types.to_vec(), formula));
        Ok(ConditionId(number(self.conditions.len() - 1)))
    }

    /// Builds the matcher.
    ///
    /// # Errors
    /// If the patterns of a field together are too large.
    pub fn build(self) -> Result<Matcher, BuildError> {
        static NEXT_IDENTITY: AtomicUsize = AtomicUsize::new(1);
        let mut columns: Vec<Column> = std::iter::repeat_with(Column::default).take(self.sources.len()).collect();
        for (at, interned) in self.patterns.iter().enumerate() {
            if let Some(column) = columns.get_mut(interned.source) {
                column.add(number(at), &interned.pattern, &interned.compiled);
            }
        }
        columns.iter_mut().try_for_each(Column::finish)?;
        let commonness = self.sources.commonness();
        let weights: Vec<Option<u32>> = self
            .patterns
            .iter()
            .map(|interned| {
                let own = weight(&interned.pattern, interned.uses)
                    .saturating_add(commonness.get(interned.source).copied().unwrap_or(0));
                (!self.sources.is_shared(interned.source)).then_some(own)
            })
            .collect();
        let weight_of = |pattern: u32| weights.get(pattern as usize).copied().flatten();
        let mut wakes = vec![Vec::new(); self.patterns.len()];
        let mut conditions = Vec::with_capacity(self.conditions.len());
        for (at, (kind, log_types, formula)) in self.conditions.into_iter().enumerate() {
            let access = access(kind, &formula, &weight_of);
            if let Access::AnyOf(patterns) = &access {
                for &pattern in patterns {
                    if let Some(woken) = wakes.get_mut(pattern as usize) {
                        woken.push(number(at));
                    }
                }
            }
            let mut sources = Vec::new();
            formula_sources(&formula, &mut sources);
            sources.sort_unstable();
            sources.dedup();
            conditions.push(Condition { kind, log_types, formula, access, sources });
        }
        let waking = waking(&self.patterns, &wakes, self.sources.len());
        Ok(Matcher {
            conditions,
            sources: self.sources,
            columns,
            patterns: self.patterns.into_iter().map(|interned| interned.compiled).collect(),
            waking,
            wakes,
            residuals: self.residuals,
            identity: NEXT_IDENTITY.fetch_add(1, Ordering::Relaxed),
        })
    }

    fn formula(&mut self, expr: &Expr) -> Result<Formula, ExprError> {
        Ok(match expr {
            Expr::Literal(value) => Formula::Constant(truth_of(value)),
            Expr::Test { field, pattern } => self.test(field, pattern)?,
            Expr::Differs { field, pattern, rule } => {
                let (pattern, source) = self.intern(field, pattern)?;
                Formula::Differs { pattern, source, rule: *rule }
            }
            Expr::And(parts) => Formula::And(self.parts(parts)?),
            Expr::Or(parts) => Formula::Or(self.parts(parts)?),
            Expr::Xor(left, right) => Formula::Xor(Box::new((self.formula(left)?, self.formula(right)?))),
            Expr::Not(inner) => Formula::Not(Box::new(self.formula(inner)?)),
            Expr::Field(_) | Expr::Compare { .. } | Expr::Arith { .. } | Expr::Call { .. } => self.residual(expr)?,
        })
    }

    /// The parts, the small ones first and those that only the evaluator can tell last: order does not change what "and"
    /// and "or" give, and a long list of exceptions need not be gone through where one test says enough.
    fn parts(&mut self, parts: &[Expr]) -> Result<Vec<Formula>, ExprError> {
        let mut formulas = parts.iter().map(|part| self.formula(part)).collect::<Result<Vec<_>, _>>()?;
        formulas.sort_by_cached_key(|formula| (formula.has_residual(), formula.size()));
        Ok(formulas)
    }

    /// A test. Alternatives become tests of their own, so that other conditions share them.
    fn test(&mut self, field: &FieldPath, pattern: &Pattern) -> Result<Formula, ExprError> {
        if let Pattern::AnyOf(patterns) = pattern {
            let tests = patterns.iter().map(|pattern| self.test(field, pattern));
            return Ok(Formula::Or(tests.collect::<Result<_, _>>()?));
        }
        let (pattern, source) = self.intern(field, pattern)?;
        Ok(Formula::Test { pattern, source })
    }

    fn intern(&mut self, field: &FieldPath, pattern: &Pattern) -> Result<(u32, u32), PatternError> {
        let source = self.sources.intern(field);
        let key = (source, format!("{pattern:?}"));
        if let Some(&known) = self.pattern_numbers.get(&key) {
            if let Some(interned) = self.patterns.get_mut(known as usize) {
                interned.uses = interned.uses.saturating_add(1);
            }
            return Ok((known, number(source)));
        }
        let compiled = CompiledPattern::new(pattern)?;
        let new = number(self.patterns.len());
        self.patterns.push(Interned { source, pattern: pattern.clone(), compiled, uses: 1 });
        self.pattern_numbers.insert(key, new);
        Ok((new, number(source)))
    }

    fn residual(&mut self, expr: &Expr) -> Result<Formula, ExprError> {
        let key = format!("{expr:?}");
        if let Some(&known) = self.residual_numbers.get(&key) {
            return Ok(Formula::Residual(known));
        }
        let new = number(self.residuals.len());
        self.residuals.push(Program::compile(expr)?);
        for field in expr.fields() {
            self.sources.intern(&field);
        }
        self.residual_numbers.insert(key, new);
        Ok(Formula::Residual(new))
    }
}

/// For each source whether a pattern of it wakes a condition.
fn waking(patterns: &[Interned], wakes: &[Vec<u32>], sources: usize) -> Vec<bool> {
    let mut waking = vec![false; sources];
    for (interned, woken) in patterns.iter().zip(wakes) {
        if let Some(waking) = waking.get_mut(interned.source) {
            *waking |= !woken.is_empty();
        }
    }
    waking
}

/// The sources that a formula's predicates read.
fn formula_sources(formula: &Formula, sources: &mut Vec<usize>) {
    match formula {
        // The evaluator reads what it needs itself.
        Formula::Constant(_) | Formula::Residual(_) => {}
        Formula::Test { source, .. } | Formula::Differs { source, .. } => sources.push(*source as usize),
        Formula::And(parts) | Formula::Or(parts) => {
            parts.iter().for_each(|part| formula_sources(part, sources));
        }
        Formula::Xor(sides) => {
            formula_sources(&sides.0, sources);
            formula_sources(&sides.1, sources);
        }
        Formula::Not(inner) => formula_sources(inner, sources),
    }
}
