//! Correlation in time: what is found, what goes on as one, and what lies too far apart.

use std::sync::Arc;

use masthead_ir::Value;
use masthead_ir::expr::{CompareOp, Expr, FieldPath};
use masthead_ir::pattern::{Case, Pattern};
use masthead_ir::pipeline::{
    Aggregate, AggregateFunc, AggregateInput, Correlation, CorrelationKind, MissingPeriod, Pipeline, Source, Stage,
    Step,
};
use masthead_ir::time::TimeRange;
use masthead_query::{EventRow, InputBuilder, Resources, ResultRow, RunContext, run, sources};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000;

/// An event: its second, its user, what it does.
type Event<'e> = (i64, &'e str, &'e str);

fn correlate(correlation: Correlation, events: &[Event<'_>]) -> Vec<ResultRow> {
    let keep = Stage::Keep { fields: ["user", "verb", "n"].map(str::to_owned).to_vec(), ordered: true };
    let pipeline = Pipeline {
        source: Source::Events { filter: Expr::And(Vec::new()), range: None },
        stages: vec![Stage::Correlate(correlation), keep],
    };
    let source = sources(&pipeline).remove(0);
    let mut builder = InputBuilder::new(&source.demand, usize::MAX);
    for (index, (second, user, verb)) in events.iter().enumerate() {
        let mut values: Vec<(Arc<str>, Value)> = vec![("verb".into(), Value::text(verb))];
        if !user.is_empty() {
            values.push(("user".into(), Value::text(user)));
        }
        let id = format!("a{index}");
        let row = EventRow { time: Some(second * SECOND), audit_id: &id, values: &values };
        builder.push(&row).expect("it can be kept");
    }
    let input = builder.finish().expect("it is complete");
    let context = RunContext { now: 0, range: TimeRange { earliest: None, latest: None } };
    run(&pipeline, vec![input], &Resources::default(), &context).expect("it runs").rows
}

/// Each row: the user, the result, and the numbers of the events behind it.
fn shown(rows: &[ResultRow]) -> Vec<(String, String, Vec<usize>)> {
    let text = |row: &ResultRow, name: &str| {
        let value = row.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
        value
            .and_then(|value| masthead_ir::eval::number::text(&value).map(|text| text.into_owned()))
            .unwrap_or_default()
    };
    let mut shown: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut ids: Vec<usize> = row.audit_ids.iter().map(|id| id[1..].parse().expect("a number")).collect();
            ids.sort_unstable();
            (text(row, "user"), text(row, "n"), ids)
        })
        .collect();
    shown.sort();
    shown
}

fn is(verb: &str) -> Expr {
    let pattern = Pattern::Text { text: verb.to_owned(), case: Case::Sensitive, numeric: false };
    Expr::Test { field: FieldPath::flat("verb"), pattern }
}

fn at_least(number: i64) -> Expr {
    Expr::Compare {
        op: CompareOp::Ge,
        left: Box::new(Expr::Field(FieldPath::flat("n"))),
        right: Box::new(Expr::Literal(Value::Int(number))),
    }
}

fn aggregate(func: AggregateFunc, field: Option<&str>) -> Aggregate {
    let input = field.map_or(AggregateInput::Rows, |field| AggregateInput::Field(field.to_owned()));
    Aggregate { func, input, name: "n".to_owned() }
}

fn threshold(func: AggregateFunc, field: Option<&str>, number: i64, by: &[&str], seconds: i64) -> Correlation {
    Correlation {
        kind: CorrelationKind::Threshold { aggregates: vec![aggregate(func, field)], condition: at_least(number) },
        by: by.iter().map(|name| (*name).to_owned()).collect(),
        within: seconds * SECOND,
    }
}

fn steps(verbs: &[&str], ordered: bool, until: Option<&str>, by: &[&str], seconds: i64) -> Correlation {
    let step = |verb: &&str| Step { filter: is(verb), by: Vec::new() };
    Correlation {
        kind: CorrelationKind::Steps { steps: verbs.iter().map(step).collect(), ordered, until: until.map(is) },
        by: by.iter().map(|name| (*name).to_owned()).collect(),
        within: seconds * SECOND,
    }
}

fn one(user: &str, n: &str, ids: &[usize]) -> (String, String, Vec<usize>) {
    (user.to_owned(), n.to_owned(), ids.to_vec())
}

#[test]
fn a_count_is_found_within_its_window_and_goes_on_as_one() {
    let count = |by: &[&str]| threshold(AggregateFunc::Count, None, 3, by, 10);
    let burst = [(0, "a", "x"), (5, "a", "x"), (10, "a", "x"), (12, "b", "x"), (13, "a", "x")];
    assert_eq!(shown(&correlate(count(&["user"]), &burst)), [one("a", "3", &[0, 1, 2, 4])]);
    // The first of three lies a second too far back.
    assert_eq!(shown(&correlate(count(&["user"]), &[(0, "a", "x"), (5, "a", "x"), (11, "a", "x")])), []);
    // Two bursts that lie apart are two.
    let two = [(0, "a", "x"), (1, "a", "x"), (2, "a", "x"), (100, "a", "x"), (101, "a", "x"), (102, "a", "x")];
    assert_eq!(shown(&correlate(count(&["user"]), &two)), [one("a", "3", &[0, 1, 2]), one("a", "3", &[3, 4, 5])]);
    // Without groups everything counts; what lacks a group field does not.
    assert_eq!(shown(&correlate(count(&[]), &[(0, "a", "x"), (1, "b", "x"), (2, "", "x")])).len(), 1);
    assert_eq!(shown(&correlate(count(&["user"]), &[(0, "", "x"), (1, "", "x"), (2, "", "x")])), []);
}

#[test]
fn distinct_values_are_counted_while_they_are_in_the_window() {
    let distinct = threshold(AggregateFunc::DistinctCount, Some("verb"), 3, &["user"], 10);
    let same = [(0, "a", "x"), (1, "a", "x"), (2, "a", "y"), (3, "a", "y")];
    assert_eq!(shown(&correlate(distinct.clone(), &same)), []);
    let three = [(0, "a", "x"), (1, "a", "x"), (2, "a", "y"), (10, "a", "z")];
    assert_eq!(shown(&correlate(distinct.clone(), &three)), [one("a", "3", &[0, 1, 2, 3])]);
    let gone = [(0, "a", "x"), (2, "a", "y"), (11, "a", "z")];
    assert_eq!(shown(&correlate(distinct, &gone)), []);
}

#[test]
fn steps_in_order_are_a_sequence() {
    let sequence = |until| steps(&["x", "y", "z"], true, until, &["user"], 10);
    let right = [(0, "a", "x"), (1, "b", "y"), (2, "a", "y"), (3, "a", "z")];
    assert_eq!(shown(&correlate(sequence(None), &right)), [one("a", "", &[0, 2, 3])]);
    assert_eq!(shown(&correlate(sequence(None), &[(0, "a", "y"), (1, "a", "x"), (2, "a", "z")])), []);
    assert_eq!(shown(&correlate(sequence(None), &[(0, "a", "x"), (5, "a", "y"), (11, "a", "z")])), []);
    // A later first step begins anew.
    let anew = [(0, "a", "x"), (8, "a", "x"), (9, "a", "y"), (12, "a", "z")];
    assert_eq!(shown(&correlate(sequence(None), &anew)), [one("a", "", &[1, 2, 3])]);
    let ended = [(0, "a", "x"), (1, "a", "y"), (2, "a", "end"), (3, "a", "z")];
    assert_eq!(shown(&correlate(sequence(Some("end")), &ended)), []);
}

#[test]
fn an_event_does_not_follow_itself() {
    let twice = steps(&["x", "x"], true, None, &["user"], 10);
    assert_eq!(shown(&correlate(twice.clone(), &[(0, "a", "x")])), []);
    assert_eq!(shown(&correlate(twice, &[(0, "a", "x"), (1, "a", "x")])), [one("a", "", &[0, 1])]);
}

#[test]
fn steps_in_any_order_need_one_another() {
    let any = steps(&["x", "y"], false, None, &["user"], 10);
    assert_eq!(shown(&correlate(any.clone(), &[(0, "a", "y"), (4, "a", "x")])), [one("a", "", &[0, 1])]);
    assert_eq!(shown(&correlate(any.clone(), &[(0, "a", "y"), (11, "a", "x")])), []);
    assert_eq!(shown(&correlate(any, &[(0, "a", "y"), (4, "b", "x")])), []);
}

#[test]
fn a_combination_is_new_if_none_had_it_for_so_long() {
    let new = Correlation {
        kind: CorrelationKind::New { fields: vec!["user".to_owned(), "verb".to_owned()] },
        by: Vec::new(),
        within: 10 * SECOND,
    };
    let events = [(0, "a", "x"), (1, "a", "x"), (2, "a", "y"), (3, "b", "x"), (11, "a", "x"), (22, "a", "x")];
    let found = shown(&correlate(new, &events));
    assert_eq!(found, [one("a", "", &[0]), one("a", "", &[2]), one("a", "", &[5]), one("b", "", &[3])]);
}

fn alarm(missing: MissingPeriod, breaches: u32, of: u32) -> Correlation {
    Correlation {
        kind: CorrelationKind::Periods {
            aggregate: aggregate(AggregateFunc::Count, None),
            condition: at_least(2),
            breaches,
            of,
            missing,
        },
        by: vec!["user".to_owned()],
        within: 60 * SECOND,
    }
}

#[test]
fn an_alarm_is_raised_by_enough_breaching_periods() {
    let busy = [(0, "a", "x"), (1, "a", "x"), (60, "a", "x"), (61, "a", "x"), (300, "a", "x"), (301, "a", "x")];
    let found = |missing, breaches, of| shown(&correlate(alarm(missing, breaches, of), &busy));
    assert_eq!(found(MissingPeriod::NotBreaching, 1, 1).len(), 2);
    assert_eq!(found(MissingPeriod::NotBreaching, 2, 2), [one("a", "2", &[0, 1, 2, 3])]);
    // What is missing is passed over: the periods before it count.
    assert_eq!(found(MissingPeriod::Missing, 2, 2), [one("a", "2", &[0, 1, 2, 3, 4, 5])]);
    assert_eq!(found(MissingPeriod::NotBreaching, 3, 3), []);
    assert_eq!(found(MissingPeriod::Breaching, 3, 3).len(), 1);
}

#[test]
fn what_completes_a_large_group_is_among_the_ids_that_are_shown() {
    let events: Vec<Event<'_>> = (0..300).map(|second| (second, "a", "x")).collect();
    let rows = correlate(threshold(AggregateFunc::Count, None, 300, &["user"], 1_000), &events);
    assert_eq!(rows.len(), 1);
    assert!(rows[0].audit_ids.contains(&"a299".to_owned()));
    assert_eq!((rows[0].count, rows[0].audit_id_count), (300, 300));
}

/// Whether some window of a group holds enough events: the definition, without haste.
fn naive(events: &[Event<'_>], number: usize, seconds: i64) -> Vec<String> {
    let mut users: Vec<String> = Vec::new();
    for (end, user, _) in events {
        let inside = events.iter().filter(|(at, other, _)| other == user && *at <= *end && end - at <= seconds);
        if inside.count() >= number && !users.iter().any(|known| known == user) {
            users.push((*user).to_owned());
        }
    }
    users.sort();
    users
}

proptest! {
    #[test]
    fn sliding_counts_are_what_the_definition_says(
        seconds in proptest::collection::vec((0_i64..60, 0_usize..3), 0..40),
        number in 1_usize..5,
        span in 1_i64..20,
    ) {
        let users = ["a", "b", "c"];
        let mut events: Vec<Event<'_>> = seconds.iter().map(|(at, user)| (*at, users[*user], "x")).collect();
        events.sort();
        let rows = correlate(threshold(AggregateFunc::Count, None, number as i64, &["user"], span), &events);
        let mut found: Vec<String> = shown(&rows).into_iter().map(|(user, ..)| user).collect();
        found.dedup();
        prop_assert_eq!(found, naive(&events, number, span));
    }

    #[test]
    fn the_order_of_arrival_does_not_show(
        events in proptest::collection::vec((0_i64..40, 0_usize..2, 0_usize..3), 0..25),
        seed in any::<u64>(),
    ) {
        let (users, verbs) = (["a", "b"], ["x", "y", "z"]);
        let mut times = std::collections::BTreeSet::new();
        // Of one moment the order of reading counts, which this leaves out.
        let events: Vec<Event<'_>> =
            events.iter().filter(|(at, ..)| times.insert(*at)).map(|(at, user, verb)| (*at, users[*user], verbs[*verb])).collect();
        let mut shuffled = events.clone();
        let length = shuffled.len().max(1);
        shuffled.rotate_left((seed as usize) % length);
        for correlation in [
            steps(&["x", "y"], true, None, &["user"], 15),
            steps(&["x", "y", "z"], false, None, &["user"], 15),
            threshold(AggregateFunc::DistinctCount, Some("verb"), 2, &["user"], 10),
        ] {
            let moments = |rows: Vec<ResultRow>| {
                let mut all: Vec<_> = rows.iter().map(|row| (row.first, row.last, row.count)).collect();
                all.sort();
                all
            };
            prop_assert_eq!(moments(correlate(correlation.clone(), &events)), moments(correlate(correlation, &shuffled)));
        }
    }
}
