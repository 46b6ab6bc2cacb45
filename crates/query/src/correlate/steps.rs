//! Sequences of steps, and steps in any order.

use std::collections::HashMap;

use masthead_ir::Value;
use masthead_ir::eval::{Context, Program};
use masthead_ir::expr::Expr;
use masthead_ir::pipeline::{Correlation, Step};
use masthead_ir::time::Micros;

use super::{Found, time};
use crate::row_stages::{distinct_combinations, texts};
use crate::rows::{Record, RecordRow, Rows};

/// Steps ready to be looked for.
pub(super) struct Search {
    steps: Vec<(Program, Vec<Option<usize>>)>,
    until: Option<(Program, Vec<Option<usize>>)>,
    within: Micros,
    context: Context,
}

/// Events of one group: for each, which step it is; none for one that ends what has begun.
type Events = Vec<(usize, Option<usize>)>;

impl Search {
    pub(super) fn new(
        rows: &Rows,
        correlation: &Correlation,
        steps: &[Step],
        until: Option<&Expr>,
        context: Context,
    ) -> Result<Search, String> {
        let compile = |expr: &Expr| Program::compile(expr).map_err(|error| error.to_string());
        let at = |by: &[String]| -> Vec<Option<usize>> {
            let by = if by.is_empty() { &correlation.by } else { by };
            by.iter().map(|field| rows.index(field)).collect()
        };
        Ok(Search {
            steps: steps
                .iter()
                .map(|step| Ok((compile(&step.filter)?, at(&step.by))))
                .collect::<Result<_, String>>()?,
            until: until.map(|until| Ok::<_, String>((compile(until)?, at(&[])))).transpose()?,
            within: correlation.within,
            context,
        })
    }

    /// What is found, by group.
    pub(super) fn find(&self, rows: &Rows, ordered: bool) -> Vec<(Vec<Value>, Vec<Found>)> {
        let groups = self.groups(rows);
        let find = |(key, events): (Vec<Value>, Events)| {
            let found = if ordered { self.in_order(rows, &events) } else { self.in_any_order(rows, &events) };
            (key, found)
        };
        groups.into_iter().map(find).filter(|(_, found)| !found.is_empty()).collect()
    }

    fn groups(&self, rows: &Rows) -> Vec<(Vec<Value>, Events)> {
        let mut numbers: HashMap<Vec<String>, usize> = HashMap::new();
        let mut groups: Vec<(Vec<Value>, Events)> = Vec::new();
        let mut add = |record: &Record, at: &[Option<usize>], event: (usize, Option<usize>)| {
            let Some(key) = rows.key(record, at) else { return };
            for combination in distinct_combinations(&key, true) {
                let number = *numbers.entry(texts(&combination)).or_insert_with(|| {
                    groups.push((combination, Vec::new()));
                    groups.len() - 1
                });
                if let Some((_, events)) = groups.get_mut(number) {
                    events.push(event);
                }
            }
        };
        for (index, record) in rows.records.iter().enumerate() {
            let row = RecordRow { columns: &rows.columns, values: &record.values };
            let holds = |program: &Program| program.truth(&row, &self.context) == Some(true);
            if let Some((until, at)) = &self.until
                && holds(until)
            {
                add(record, at, (index, None));
            }
            // The last step first: an event that is two steps does not follow itself.
            for (number, (step, at)) in self.steps.iter().enumerate().rev() {
                if holds(step) {
                    add(record, at, (index, Some(number)));
                }
            }
        }
        groups
    }

    /// Of each prefix of the sequence the newest is kept: a later first step begins anew, as EQL has it.
    fn in_order(&self, rows: &Rows, events: &Events) -> Vec<Found> {
        let last = self.steps.len().saturating_sub(1);
        let mut begun: Vec<Option<Vec<usize>>> = vec![None; last];
        let mut found = Vec::new();
        for &(index, step) in events {
            let now = time(rows, index);
            let Some(step) = step else {
                begun.iter_mut().for_each(|prefix| *prefix = None);
                continue;
            };
            let path = match step {
                0 => vec![index],
                _ => {
                    let Some(prefix) = begun.get_mut(step - 1) else { continue };
                    let in_time = prefix
                        .as_ref()
                        .and_then(|p| p.first())
                        .is_some_and(|first| now - time(rows, *first) <= self.within);
                    let Some(mut path) = prefix.take().filter(|_| in_time) else { continue };
                    path.push(index);
                    path
                }
            };
            match begun.get_mut(step) {
                Some(place) => *place = Some(path),
                None => {
                    let first = path.first().map_or(now, |first| time(rows, *first));
                    found.push(Found { weight: path.len(), rows: path, results: Vec::new(), last: now, first });
                }
            }
        }
        found
    }

    fn in_any_order(&self, rows: &Rows, events: &Events) -> Vec<Found> {
        let mut seen: Vec<Vec<usize>> = vec![Vec::new(); self.steps.len()];
        let mut found = Vec::new();
        for &(index, step) in events {
            let now = time(rows, index);
            let Some(step) = step else {
                seen.iter_mut().for_each(Vec::clear);
                continue;
            };
            for of in &mut seen {
                let gone = of.partition_point(|row| now - time(rows, *row) > self.within);
                of.drain(..gone);
            }
            if let Some(of) = seen.get_mut(step) {
                of.push(index);
            }
            if seen.iter().all(|of| !of.is_empty()) {
                let mut all: Vec<usize> = seen.iter().flatten().copied().collect();
                all.sort_unstable();
                all.dedup();
                let first = all.first().map_or(now, |first| time(rows, *first));
                found.push(Found { weight: all.len(), rows: all, results: Vec::new(), last: now, first });
            }
        }
        found
    }
}
