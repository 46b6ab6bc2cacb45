//! Aggregate functions over values (Splunk Search Reference, "Statistical and charting functions").

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use masthead_ir::Value;
use masthead_ir::eval::number::{self, Number};
use masthead_ir::pipeline::AggregateFunc;
use serde::{Deserialize, Serialize};

use crate::kind::{Kind, text_of};

/// How many values `List` keeps.
const MAX_LIST: usize = 100;

/// The state of one aggregate of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Accumulator {
    Count(i64),
    Distinct(BTreeSet<String>),
    /// Count, mean, sum of squared differences from the mean: Welford's method does not lose what is small beside what is
    /// large.
    Moments { count: f64, mean: f64, squares: f64, sum: f64, sum_squares: f64 },
    Extreme { numeric: Option<f64>, text: Option<String>, all_numeric: bool },
    Range { min: Option<f64>, max: Option<f64> },
    /// Numbers in the order of arrival.
    Numbers(Vec<f64>),
    /// How often each value was seen.
    Frequencies(BTreeMap<String, u64>),
    List(Vec<String>),
    /// The value of the row that counts, and the time of that row.
    Held { value: Option<Value>, time: f64 },
    /// Times and values of the first and the last row.
    Ends { first: Option<(f64, f64)>, last: Option<(f64, f64)> },
}

/// The kind of an aggregate's result over a column of this kind.
pub(crate) fn result_kind(func: AggregateFunc, input: Kind) -> Kind {
    use AggregateFunc as F;
    match func {
        F::Count | F::DistinctCount => Kind::Int,
        F::Values | F::List => Kind::List,
        F::Min | F::Max | F::Mode => match input {
            Kind::Int | Kind::Float => Kind::Float,
            Kind::Text | Kind::List => Kind::Text,
        },
        F::First | F::Last | F::Earliest | F::Latest => input,
        _ => Kind::Float,
    }
}

/// Whether the result depends on the order of rows.
pub(crate) fn is_ordered(func: AggregateFunc) -> bool {
    use AggregateFunc as F;
    matches!(func, F::First | F::Last | F::List | F::Earliest | F::Latest | F::Rate)
}

/// Whether the result depends on the time of rows.
pub(crate) fn needs_time(func: AggregateFunc) -> bool {
    use AggregateFunc as F;
    matches!(func, F::Earliest | F::Latest | F::EarliestTime | F::LatestTime | F::Rate)
}

impl Accumulator {
    pub(crate) fn new(func: AggregateFunc) -> Accumulator {
        use AggregateFunc as F;
        match func {
            F::Count => Accumulator::Count(0),
            F::DistinctCount | F::Values => Accumulator::Distinct(BTreeSet::new()),
            F::Sum | F::SumSq | F::Avg | F::Stdev | F::StdevP | F::Var | F::VarP => {
                Accumulator::Moments { count: 0.0, mean: 0.0, squares: 0.0, sum: 0.0, sum_squares: 0.0 }
            }
            F::Min | F::Max => Accumulator::Extreme { numeric: None, text: None, all_numeric: true },
            F::Range => Accumulator::Range { min: None, max: None },
            F::Median | F::Percentile(_) => Accumulator::Numbers(Vec::new()),
            F::Mode => Accumulator::Frequencies(BTreeMap::new()),
            F::List => Accumulator::List(Vec::new()),
            F::First | F::Last | F::Earliest | F::Latest | F::EarliestTime | F::LatestTime => {
                Accumulator::Held { value: None, time: 0.0 }
            }
            F::Rate => Accumulator::Ends { first: None, last: None },
        }
    }

    /// Takes in one row's value; each member of a list counts.
    pub(crate) fn add(&mut self, func: AggregateFunc, value: &Value, time: Option<f64>) {
        if value.is_absent() {
            return;
        }
        if let Accumulator::Held { .. } = self {
            return self.hold(func, value, time);
        }
        for member in value.members() {
            self.add_member(func, member, time);
        }
    }

    fn add_member(&mut self, func: AggregateFunc, member: &Value, time: Option<f64>) {
        let read = || Number::of(member).map(Number::as_f64);
        match self {
            Accumulator::Count(count) => *count += 1,
            Accumulator::Distinct(values) => values.extend(text_of(member)),
            Accumulator::Moments { count, mean, squares, sum, sum_squares } => {
                let Some(number) = read() else { return };
                *count += 1.0;
                let away = number - *mean;
                *mean += away / *count;
                *squares += away * (number - *mean);
                *sum += number;
                *sum_squares += number * number;
            }
            Accumulator::Extreme { numeric, text, all_numeric } => {
                let smaller = func == AggregateFunc::Min;
                match read() {
                    Some(number) if numeric.is_none_or(|best| (number < best) == smaller && number != best) => {
                        *numeric = Some(number);
                    }
                    Some(_) => {}
                    None => *all_numeric = false,
                }
                let Some(candidate) = text_of(member) else { return };
                let better = |best: &String| match candidate.as_bytes().cmp(best.as_bytes()) {
                    Ordering::Less => smaller,
                    Ordering::Greater => !smaller,
                    Ordering::Equal => false,
                };
                if text.as_ref().is_none_or(better) {
                    *text = Some(candidate);
                }
            }
            Accumulator::Range { min, max } => {
                let Some(number) = read() else { return };
                *min = Some(min.map_or(number, |best| best.min(number)));
                *max = Some(max.map_or(number, |best| best.max(number)));
            }
            Accumulator::Numbers(numbers) => numbers.extend(read()),
            Accumulator::Frequencies(counts) => {
                if let Some(text) = text_of(member) {
                    *counts.entry(text).or_default() += 1;
                }
            }
            Accumulator::List(values) => {
                if values.len() < MAX_LIST {
                    values.extend(text_of(member));
                }
            }
            Accumulator::Ends { first, last } => {
                let (Some(number), Some(time)) = (read(), time) else { return };
                if first.is_none_or(|(at, _)| time < at) {
                    *first = Some((time, number));
                }
                if last.is_none_or(|(at, _)| time >= at) {
                    *last = Some((time, number));
                }
            }
            Accumulator::Held { .. } => {}
        }
    }

    fn hold(&mut self, func: AggregateFunc, new: &Value, at: Option<f64>) {
        use AggregateFunc as F;
        let Accumulator::Held { value, time } = self else { return };
        let at = match func {
            F::First | F::Last => 0.0,
            _ => match at {
                Some(at) => at,
                None => return,
            },
        };
        let replaces = match func {
            F::First => false,
            F::Last => true,
            F::Earliest | F::EarliestTime => at < *time,
            _ => at > *time,
        };
        if value.is_none() || replaces {
            *value = Some(new.clone());
            *time = at;
        }
    }

    /// Takes in the state of another accumulator of the same function, whose rows come after this one's.
    pub(crate) fn merge(&mut self, func: AggregateFunc, other: Accumulator) {
        match (&mut *self, other) {
            (Accumulator::Count(count), Accumulator::Count(more)) => *count += more,
            (Accumulator::Distinct(values), Accumulator::Distinct(more)) => values.extend(more),
            (
                Accumulator::Moments { count, mean, squares, sum, sum_squares },
                Accumulator::Moments { count: n, mean: m, squares: s, sum: su, sum_squares: sq },
            ) if n > 0.0 => {
                let total = *count + n;
                let away = m - *mean;
                *squares += s + away * away * *count * n / total;
                *mean += away * n / total;
                *count = total;
                *sum += su;
                *sum_squares += sq;
            }
            (Accumulator::Extreme { all_numeric, .. }, Accumulator::Extreme { numeric, text, all_numeric: other }) => {
                *all_numeric &= other;
                if let Some(number) = numeric {
                    self.add_member(func, &number::float(number), None);
                }
                if let Some(text) = text {
                    self.add_member(func, &Value::text(text), None);
                }
            }
            (Accumulator::Range { .. }, Accumulator::Range { min, max }) => {
                for number in [min, max].into_iter().flatten() {
                    self.add_member(func, &Value::Float(number), None);
                }
            }
            (Accumulator::Numbers(numbers), Accumulator::Numbers(more)) => numbers.extend(more),
            (Accumulator::Frequencies(counts), Accumulator::Frequencies(more)) => {
                for (value, count) in more {
                    *counts.entry(value).or_default() += count;
                }
            }
            (Accumulator::List(values), Accumulator::List(more)) => {
                values.extend(more);
                values.truncate(MAX_LIST);
            }
            (Accumulator::Held { .. }, Accumulator::Held { value: Some(value), time }) => {
                self.hold(func, &value, Some(time));
            }
            (Accumulator::Ends { first, last }, Accumulator::Ends { first: f, last: l }) => {
                *first = [*first, f].into_iter().flatten().min_by(|a, b| a.0.total_cmp(&b.0));
                *last = [*last, l].into_iter().flatten().max_by(|a, b| a.0.total_cmp(&b.0));
            }
            _ => {}
        }
    }

    /// The result.
    pub(crate) fn finish(&self, func: AggregateFunc) -> Value {
        use AggregateFunc as F;
        match self {
            Accumulator::Count(count) => Value::Int(*count),
            Accumulator::Distinct(values) if func == F::DistinctCount => Value::Int(values.len() as i64),
            Accumulator::Distinct(values) => Value::list(values.iter().map(Value::text)),
            Accumulator::Moments { count, .. } if *count == 0.0 => Value::Absent,
            Accumulator::Moments { count, mean, squares, sum, sum_squares } => number::float(match func {
                F::Sum => *sum,
                F::SumSq => *sum_squares,
                F::Avg => *mean,
                F::VarP => squares / count,
                F::StdevP => (squares / count).sqrt(),
                F::Var => squares / (count - 1.0).max(1.0),
                _ => (squares / (count - 1.0).max(1.0)).sqrt(),
            }),
            Accumulator::Extreme { numeric: Some(number), all_numeric: true, .. } => number::float(*number),
            Accumulator::Extreme { text, .. } => text.as_ref().map_or(Value::Absent, Value::text),
            Accumulator::Range { min: Some(min), max: Some(max) } => number::float(max - min),
            Accumulator::Numbers(numbers) => percentile(numbers, func),
            Accumulator::Frequencies(counts) => {
                // The smallest of the most frequent.
                let best = counts.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)));
                best.map_or(Value::Absent, |(value, _)| Value::text(value))
            }
            Accumulator::List(values) => Value::list(values.iter().map(Value::text)),
            Accumulator::Held { value: Some(_), time } if matches!(func, F::EarliestTime | F::LatestTime) => {
                number::float(*time)
            }
            Accumulator::Held { value: Some(value), .. } => value.clone(),
            Accumulator::Ends { first: Some((from, a)), last: Some((to, b)) } if to > from => {
                number::float((b - a) / (to - from))
            }
            Accumulator::Range { .. } | Accumulator::Held { .. } | Accumulator::Ends { .. } => Value::Absent,
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        let texts = |lengths: usize, count: usize| lengths + count * 48;
        size_of::<Accumulator>()
            + match self {
                Accumulator::Distinct(values) => texts(values.iter().map(String::len).sum(), values.len()),
                Accumulator::Frequencies(counts) => texts(counts.keys().map(String::len).sum(), counts.len()),
                Accumulator::List(values) => texts(values.iter().map(String::len).sum(), values.len()),
                Accumulator::Numbers(numbers) => numbers.len() * 8,
                _ => 0,
            }
    }
}

/// Nearest rank; the median of an even number of values is the mean of the two in the middle.
fn percentile(numbers: &[f64], func: AggregateFunc) -> Value {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return Value::Absent };
    let at = |index: usize| sorted.get(index.min(last)).copied().unwrap_or(f64::NAN);
    number::float(match func {
        AggregateFunc::Percentile(share) => {
            let rank = (share / 100.0 * sorted.len() as f64).ceil().max(1.0);
            at(rank as usize - 1)
        }
        _ if sorted.len().is_multiple_of(2) => f64::midpoint(at(last / 2), at(last / 2 + 1)),
        _ => at(last / 2),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(func: AggregateFunc, values: &[Value]) -> Value {
        let mut whole = Accumulator::new(func);
        for (index, value) in values.iter().enumerate() {
            whole.add(func, value, Some(index as f64));
        }
        // However rows are split between threads, the result is the same.
        for split in 0..=values.len() {
            let mut parts = [Accumulator::new(func), Accumulator::new(func)];
            for (index, value) in values.iter().enumerate() {
                parts[usize::from(index >= split)].add(func, value, Some(index as f64));
            }
            let [mut left, right] = parts;
            left.merge(func, right);
            assert_eq!(left.finish(func), whole.finish(func), "{func:?} split at {split}");
        }
        whole.finish(func)
    }

    #[test]
    fn every_function_means_what_the_reference_says() {
        use AggregateFunc as F;
        let text = |t: &str| Value::text(t);
        let numbers = [text("10"), text("9"), Value::Absent, text("2")];
        let mixed = [text("10"), text("b"), text("9"), text("B")];
        let lists = [Value::list([text("b"), text("a")]), text("b")];
        for (func, values, expected) in [
            (F::Count, &numbers[..], Value::Int(3)),
            (F::Count, &lists, Value::Int(3)),
            (F::DistinctCount, &lists, Value::Int(2)),
            (F::DistinctCount, &[text("1"), text("1.0")], Value::Int(2)),
            (F::Values, &mixed, Value::list(["10", "9", "B", "b"].map(text))),
            (F::List, &mixed, Value::list(["10", "b", "9", "B"].map(text))),
            (F::Min, &numbers, Value::Int(2)),
            (F::Max, &numbers, Value::Int(10)),
            (F::Min, &mixed, text("10")),
            (F::Max, &mixed, text("b")),
            (F::Sum, &mixed, Value::Int(19)),
            (F::Avg, &numbers, Value::Int(7)),
            (F::Stdev, &[text("5")], Value::Int(0)),
            (F::Stdev, &[text("1"), text("3")], Value::Float(2.0_f64.sqrt())),
            (F::VarP, &[text("1"), text("3")], Value::Int(1)),
            (F::Range, &numbers, Value::Int(8)),
            (F::Median, &numbers, Value::Int(9)),
            (F::Median, &[text("1"), text("2")], Value::Float(1.5)),
            (F::Percentile(95.0), &numbers, Value::Int(10)),
            (F::Percentile(50.0), &numbers, Value::Int(9)),
            (F::Mode, &lists, text("b")),
            (F::First, &mixed, text("10")),
            (F::Last, &mixed, text("B")),
            (F::Earliest, &mixed, text("10")),
            (F::Latest, &mixed, text("B")),
            (F::EarliestTime, &[Value::Absent, text("x"), text("y")], Value::Int(1)),
            (F::LatestTime, &mixed, Value::Int(3)),
            (F::Rate, &[text("1"), text("x"), text("5")], Value::Int(2)),
            (F::Sum, &[text("x")], Value::Absent),
            (F::Min, &[], Value::Absent),
            (F::Count, &[], Value::Int(0)),
        ] {
            assert_eq!(of(func, values), expected, "{func:?} of {values:?}");
        }
    }
}
