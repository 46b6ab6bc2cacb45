//! The projection gives what the flattened event holds under a name, and what a walk over the tree finds under keys.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod real;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use masthead_event::decode::Decoder;
use masthead_event::flatten::flatten;
use masthead_event::projection::{Projection, ProjectionBuffer};
use masthead_event::{FieldPath, JsonError, JsonErrorKind, Kind, Ledger, MAX_DEPTH};
use proptest::prelude::*;
use serde_json::Value;

type Values = Vec<(Kind, String)>;

fn flattened(raw: &[u8]) -> Result<BTreeMap<String, Values>, JsonError> {
    let mut fields: BTreeMap<String, Values> = BTreeMap::new();
    flatten(raw, &mut |name, value| {
        fields.entry(name.to_owned()).or_default().push((value.kind, value.text.to_owned()));
    })?;
    Ok(fields)
}

fn projected(projection: &Projection, raw: &[u8], buffer: &mut ProjectionBuffer) -> Result<Vec<Values>, JsonError> {
    let row = projection.project(raw, buffer)?;
    Ok((0..projection.paths().len())
        .map(|slot| {
            let values: Values = row.values(slot).map(|value| (value.kind, value.text.to_owned())).collect();
            assert_eq!(row.is_empty(slot), values.is_empty());
            assert_eq!(
                row.first(slot).map(|value| value.text.to_owned()),
                values.first().map(|(_, text)| text.clone())
            );
            values
        })
        .collect())
}

/// What a walk by keys finds, by the definition; duplicated keys are not in a `Value`.
fn walked(value: &Value, keys: &[String], out: &mut Vec<Value>) {
    let Some((key, rest)) = keys.split_first() else {
        match value {
            Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
                out.extend(items.iter().cloned());
            }
            other => out.push(other.clone()),
        }
        return;
    };
    if let Value::Object(members) = value {
        for (_, member) in members.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key)) {
            walked(member, rest, out);
        }
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]",
        2 => "[aAb.{}/]{0,4}",
        1 => Just("authorization.k8s.io/reason".to_owned()),
        1 => "[a\"\\\\é😀\n]{1,3}",
        1 => "[ab]{30,70}",
    ]
}

fn json() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Leaf("null".into())),
        Just(Tree::Leaf("true".into())),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9])?".prop_map(Tree::Leaf),
        "[ a-c\"\\\\{}\\[\\]:,é😀\n]{0,80}".prop_map(|text| Tree::Leaf(Value::from(text).to_string())),
        Just(Tree::Leaf(r#""\ud83d\u0041\/\ud83d\ude00""#.into())),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Tree::Array),
            proptest::collection::vec((key(), inner), 0..5).prop_map(Tree::Object),
        ]
    })
}

/// JSON whose objects may have a key twice.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn write(&self, space: &str, out: &mut String) {
        let (open, close) = if matches!(self, Tree::Array(_)) { ('[', ']') } else { ('{', '}') };
        if let Tree::Leaf(text) = self {
            return out.push_str(text);
        }
        out.push(open);
        out.push_str(space);
        match self {
            Tree::Leaf(_) => {}
            Tree::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.write(space, out);
                }
            }
            Tree::Object(members) => {
                for (index, (key, member)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    // Every other key with an escape that it does not need.
                    let text = Value::from(key.as_str()).to_string();
                    if index % 2 == 1 {
                        out.push_str(&text.replace('a', "\\u0061"));
                    } else {
                        out.push_str(&text);
                    }
                    out.push_str(space);
                    out.push(':');
                    out.push_str(space);
                    member.write(space, out);
                }
            }
        }
        out.push_str(space);
        out.push(close);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn flat_paths_agree_with_flatten(
        tree in json(),
        space in prop_oneof![Just(""), Just(" \n\t")],
        others in proptest::collection::vec("[ab.{}]{0,6}", 0..6),
        every in any::<bool>(),
    ) {
        let mut text = String::new();
        tree.write(space, &mut text);
        let fields = flattened(text.as_bytes()).unwrap();
        let names: BTreeSet<String> = fields.keys().enumerate()
            .filter(|(index, _)| every || index % 3 == 0)
            .map(|(_, name)| name.clone()).chain(others).collect();
        let projection = Projection::new(names.iter().map(FieldPath::flat).collect());
        let mut buffer = ProjectionBuffer::default();
        // Twice: the second time the buffer has held an event.
        for _ in 0..2 {
            let rows = projected(&projection, text.as_bytes(), &mut buffer).unwrap();
            for (name, values) in names.iter().zip(rows) {
                prop_assert_eq!(values, fields.get(name).cloned().unwrap_or_default(), "{} in {}", name, text);
            }
        }
    }

    #[test]
    fn flatten_accepts_what_serde_accepts(tree in json(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = String::new();
        tree.write("", &mut text);
        let mut bytes = text.into_bytes();
        let at = cut.index(bytes.len());
        bytes[at] = byte;
        let serde: Result<&serde_json::value::RawValue, _> = serde_json::from_slice(&bytes);
        prop_assert_eq!(flattened(&bytes).is_ok(), serde.is_ok(), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn walks_by_keys_agree_with_the_tree(
        tree in json(),
        walks in proptest::collection::vec(proptest::collection::vec("[abAB]", 1..4), 1..6),
    ) {
        let mut text = String::new();
        tree.write(" ", &mut text);
        let Ok(value) = serde_json::from_str::<Value>(&text) else { return Ok(()) };
        // A tree holds a duplicated key once.
        let text = value.to_string();
        let mut paths: Vec<FieldPath> = walks.iter().map(FieldPath::keys).collect();
        // Flat paths beside them share the states.
        paths.extend(walks.iter().map(|walk| FieldPath::flat(walk.join("."))));
        let projection = Projection::new(paths);
        let mut buffer = ProjectionBuffer::default();
        let rows = projected(&projection, text.as_bytes(), &mut buffer).unwrap();
        let fields = flattened(text.as_bytes()).unwrap();
        for walk in &walks {
            let mut expected = Vec::new();
            walked(&value, walk, &mut expected);
            let slot = projection.slot(&FieldPath::keys(walk)).unwrap();
            let found: Vec<Value> = rows[slot].iter().map(|(kind, text)| match kind {
                Kind::String => Value::from(text.as_str()),
                _ => serde_json::from_str(text).unwrap(),
            }).collect();
            prop_assert_eq!(found, expected, "{:?} in {}", walk, text);
            let flat = projection.slot(&FieldPath::flat(walk.join("."))).unwrap();
            prop_assert_eq!(rows[flat].clone(), fields.get(&walk.join(".")).cloned().unwrap_or_default());
        }
    }
}

#[test]
fn names_are_ambiguous_and_every_walk_counts() {
    let raw = br#"{"a.b":{"c":1},"a":{"b.c":2,"b":{"c":3}},"a.b.c":4,"a.b.C":5,"a":{"b":[{"c":6}]}}"#;
    let projection =
        Projection::new(vec![FieldPath::flat("a.b.c"), FieldPath::flat("a.b{}.c"), FieldPath::keys(["A", "B", "C"])]);
    let rows = projected(&projection, raw, &mut ProjectionBuffer::default()).unwrap();
    let texts: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(|(_, text)| text.as_str()).collect()).collect();
    assert_eq!(texts, [vec!["1", "2", "3", "4"], vec!["6"], vec!["3"]]);
}

#[test]
fn keys_give_types_lists_and_json() {
    let raw = br#"{"A":{"s":"x\n","n":1.0,"b":true,"z":null,"l":["p",2,"q\u0022"],"o":{"k":[1]},"m":[1,{"x":2}],"e":[],"f":{}},"a":{"s":"y"}}"#;
    for (key, expected) in [
        ("s", vec![(Kind::String, "x\n"), (Kind::String, "y")]),
        ("N", vec![(Kind::Number, "1.0")]),
        ("b", vec![(Kind::Bool, "true")]),
        ("z", vec![(Kind::Null, "null")]),
        ("l", vec![(Kind::String, "p"), (Kind::Number, "2"), (Kind::String, "q\"")]),
        ("o", vec![(Kind::Json, r#"{"k":[1]}"#)]),
        ("m", vec![(Kind::Json, r#"[1,{"x":2}]"#)]),
        ("e", vec![]),
        ("f", vec![(Kind::Json, "{}")]),
    ] {
        let projection = Projection::new(vec![FieldPath::keys(["a", key]), FieldPath::keys(["a", "o", "k"])]);
        let rows = projected(&projection, raw, &mut ProjectionBuffer::default()).unwrap();
        let found: Vec<_> = rows[0].iter().map(|(kind, text)| (*kind, text.as_str())).collect();
        assert_eq!(found, expected, "{key}");
        assert_eq!(rows[1], [(Kind::Number, "1".to_owned())], "beside {key}");
    }
}

#[test]
fn errors_have_their_kind_and_place() {
    let projection = Projection::new(vec![FieldPath::flat("a.b"), FieldPath::flat("l{}")]);
    let nested = |depth: usize, key: &str| format!("{{\"{key}\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let (fits, deep, skipped) = (nested(MAX_DEPTH - 1, "l"), nested(MAX_DEPTH, "l"), nested(MAX_DEPTH, "x"));
    let far = nested(10_000, "x");
    for (raw, kind, offset) in [
        (&b"{\"a\":{\"b\":1}"[..], JsonErrorKind::UnexpectedEnd, 12),
        (b"{\"a\":{\"b\":tru}}", JsonErrorKind::UnexpectedByte, 13),
        (b"{\"x\":{\"b\":", JsonErrorKind::UnexpectedEnd, 10),
        (b"{\"x\":\"b", JsonErrorKind::UnexpectedEnd, 7),
        (b"{} {}", JsonErrorKind::TrailingBytes, 3),
        (b"{\"x\":1]", JsonErrorKind::UnexpectedByte, 6),
        (b"{\"x\"=1}", JsonErrorKind::UnexpectedByte, 4),
        (b"{\"a\":{\"b\":\"\\x\"}}", JsonErrorKind::BadEscape, 11),
        (b"{\"x\":\"\0\"}", JsonErrorKind::NulByte, 6),
        (b"{\"x\":\"\xc3\"}", JsonErrorKind::InvalidUtf8, 6),
        (b"", JsonErrorKind::UnexpectedEnd, 0),
        (deep.as_bytes(), JsonErrorKind::TooDeep, 4 + MAX_DEPTH),
        (skipped.as_bytes(), JsonErrorKind::TooDeep, 4 + MAX_DEPTH),
        (far.as_bytes(), JsonErrorKind::TooDeep, 4 + MAX_DEPTH),
    ] {
        let error =
            projection.project(raw, &mut ProjectionBuffer::default()).err().map(|error| (error.kind, error.offset));
        assert_eq!(error, Some((kind, offset)), "{:.60}", String::from_utf8_lossy(raw));
    }
    assert!(projection.project(fits.as_bytes(), &mut ProjectionBuffer::default()).is_ok());
    assert!(flattened(fits.as_bytes()).is_ok());
    assert_eq!(flattened(deep.as_bytes()).err().map(|error| error.kind), Some(JsonErrorKind::TooDeep));
}

#[test]
fn real_events_agree() {
    let Some(path) = real::data("audit.jsonl.gz") else { return };
    let mut names = BTreeSet::new();
    let read = |each: &mut dyn FnMut(&[u8])| {
        let mut ledger = Ledger::default();
        let _ = Decoder::default()
            .read_path(&path, &mut ledger, &mut |event, _| {
                each(event.raw);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(ledger.events, 13_382);
    };
    read(&mut |raw| {
        flatten(raw, &mut |name, _| {
            if !names.contains(name) {
                names.insert(name.to_owned());
            }
        })
        .unwrap()
    });
    assert!(names.len() > 500, "{}", names.len());
    let all: Vec<&String> = names.iter().collect();
    let few: Vec<&String> = names.iter().step_by(7).collect();
    for chosen in [all, few] {
        let projection = Projection::new(chosen.iter().map(FieldPath::flat).collect());
        let mut buffer = ProjectionBuffer::default();
        let mut count = 0usize;
        read(&mut |raw| {
            count += 1;
            if !count.is_multiple_of(4) {
                return;
            }
            let fields = flattened(raw).unwrap();
            let row = projection.project(raw, &mut buffer).unwrap();
            for (slot, name) in chosen.iter().enumerate() {
                let values: Values = row.values(slot).map(|value| (value.kind, value.text.to_owned())).collect();
                assert_eq!(Some(&values), fields.get(*name).or(Some(&Vec::new())), "{name}");
            }
        });
    }
}
