//! Any text through the compiler of searches. What it says is wrong lies inside the search, and what it refuses has
//! a reason.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use masthead_ir::Level;
use masthead_splunk::spl::{Environment, Macro, compile};

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    let mut macros = BTreeMap::new();
    for (name, args, definition, iseval) in [
        ("audit", &[][..], "sourcetype=_json source=\"kubernetes\"", false),
        ("ctime", &["field"][..], "convert timeformat=\"%Y-%m-%d\" ctime($field$)", false),
        ("twice", &["a", "b"][..], "`ctime($a$)` | `ctime($b$)`", false),
        ("loop", &[][..], "a=1 `loop`", false),
        ("wide", &["x"][..], "$x$ $x$ $x$ $x$ `audit`", false),
        ("computed", &["x"][..], "if(isnull($x$), \"a=1\", \"a=\".$x$)", true),
    ] {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        macros.insert((name.to_owned(), args.len()), Macro { args, definition: definition.to_owned(), iseval });
    }
    let columns = ["user", "verb", "risk"].map(str::to_owned).to_vec();
    Environment {
        macros,
        tables: BTreeMap::from([("known_users".to_owned(), columns)]),
        options: BTreeMap::new(),
        missing_macro: |name| name.ends_with("_filter").then(|| "search *".to_owned()),
    }
});

fuzz_target!(|text: &str| {
    let compiled = compile(text, &ENVIRONMENT);
    for problem in &compiled.problems {
        assert!(problem.range.start <= problem.range.end && problem.range.end <= text.len(), "{problem:?}");
        assert!(!problem.message.is_empty() && !problem.code.is_empty());
    }
    let refused = compiled.problems.iter().any(|problem| problem.level == Level::Error);
    assert!(compiled.pipeline.is_some() || refused, "refused without a reason");
});
