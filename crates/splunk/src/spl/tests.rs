use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::Source;

use super::*;

fn environment() -> Environment {
    let macros = [
        ("kube_audit", &[][..], "source=\"kubernetes\""),
        ("ctime", &["f"], "convert timeformat=\"%Y\" ctime($f$)"),
        ("both", &[], "`kube_audit` verb=get"),
        ("loop", &[], "`loop`"),
    ];
    let made = macros.map(|(name, args, definition): (&str, &[&str], &str)| {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        ((name.to_owned(), args.len()), Macro { args, definition: definition.to_owned(), iseval: false })
    });
    Environment {
        macros: made.into(),
        tables: BTreeMap::from([("paths".to_owned(), vec!["path".to_owned(), "hit".to_owned()])]),
        options: BTreeMap::new(),
        missing_macro: |name| name.ends_with("_filter").then(|| "search *".to_owned()),
    }
}

/// The filter as text: `a:x` for a test, with the structure in parentheses.
fn shape(expr: &Expr) -> String {
    let all = |parts: &[Expr], sign: &str| format!("({})", parts.iter().map(shape).collect::<Vec<_>>().join(sign));
    match expr {
        Expr::And(parts) => all(parts, " & "),
        Expr::Or(parts) => all(parts, " | "),
        Expr::Not(part) => format!("!{}", shape(part)),
        Expr::Test { field, pattern } => format!("{field}:{}", value(pattern)),
        Expr::Differs { field, pattern, .. } => format!("{field}≠{}", value(pattern)),
        Expr::Field(FieldPath::Flat(name)) => name.to_string(),
        Expr::Literal(value) => masthead_ir::eval::number::text(value).unwrap_or_default().into_owned(),
        Expr::Compare { op, left, right } => format!("({} {op:?} {})", shape(left), shape(right)),
        Expr::Arith { op, left, right } => format!("({} {op:?} {})", shape(left), shape(right)),
        Expr::Call { func, args } => format!("{func:?}{}", all(args, ", ")),
        other => format!("{other:?}"),
    }
}

fn value(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Text { text, .. } | Pattern::Phrase { text, .. } => text.clone(),
        Pattern::Wildcard { glob, .. } => format!("~{glob}"),
        Pattern::Present => "*".to_owned(),
        Pattern::Cidr { literal, .. } => format!("net {literal}"),
        Pattern::Order { op, literal } => format!("{op:?} {literal}"),
        Pattern::AnyOf(patterns) => format!("[{}]", patterns.iter().map(value).collect::<Vec<_>>().join(",")),
        other => format!("{other:?}"),
    }
}

fn filter(search: &str) -> String {
    let compiled = compile(search, &environment());
    match compiled.pipeline.map(|pipeline| pipeline.source) {
        Some(Source::Events { filter, .. }) => shape(&filter),
        _ => format!("{:?}", compiled.problems),
    }
}

#[test]
fn in_searches_or_binds_tighter_than_and() {
    for (search, expected) in [
        ("a=1 b=2 OR c=3 d=4", "(a:1 & (b:2 | c:3) & d:4)"),
        ("a=1 AND b=2 OR c=3", "(a:1 & (b:2 | c:3))"),
        ("NOT a=1 b=2", "(!a:1 & b:2)"),
        ("NOT (a=1 OR b=2)", "!(a:1 | b:2)"),
        (
            "\"user.groups{}\"=\"system:unauthenticated\" \"code\"=403",
            "(user.groups{}:system:unauthenticated & code:403)",
        ),
        ("a!=1 b IN (x, \"y z\" w*)", "(a≠1 & b:[x,y z,~w*])"),
        ("a=* b=10.0.0.0/8 c>=5", "(a:* & b:net 10.0.0.0/8 & c:Ge 5)"),
        ("ann=*\\\"privileged\\\":true* x=1", "(ann:~*\"privileged\":true* & x:1)"),
        ("`kube_audit` verb=create", "(source:kubernetes & verb:create)"),
        ("NOT `both`", "(!source:kubernetes & verb:get)"),
        ("a=1 ```a comment``` b=2", "(a:1 & b:2)"),
        ("failed \"two words\"", "(_raw:failed & _raw:two words)"),
        ("search a=1", "a:1"),
        ("`x_filter`", "()"),
    ] {
        let expected = if search == "`x_filter`" { "()" } else { expected };
        assert_eq!(filter(search), expected, "{search}");
    }
}

fn condition(text: &str) -> String {
    let compiled = compile(&format!("a=1 | where {text}"), &environment());
    match compiled.pipeline.as_ref().and_then(|pipeline| pipeline.stages.first()) {
        Some(Stage::Filter(expr)) => shape(expr),
        _ => format!("{:?}", compiled.problems),
    }
}

#[test]
fn in_expressions_and_binds_tighter_than_or() {
    for (text, expected) in [
        ("a=1 OR b=2 AND c=3", "((a Eq 1) | ((b Eq 2) & (c Eq 3)))"),
        ("count > 5", "(count Gt 5)"),
        ("NOT a=1 AND b=2", "(!(a Eq 1) & (b Eq 2))"),
        ("a+b*2 >= 1.5", "((a Add (b Mul 2)) Ge 1.5)"),
        ("'user.name' = \"x\"", "(user.name Eq x)"),
        ("a . b = \"xy\"", "((a Concat b) Eq xy)"),
        ("if(match(a, \"x\"), 1, 0) = 1", "(If(Match(a, x), 1, 0) Eq 1)"),
        ("a LIKE \"x%\" OR b IN (\"1\", \"2\")", "(Like(a, x%) | In(b, 1, 2))"),
    ] {
        assert_eq!(condition(text), expected, "{text}");
    }
}

#[test]
fn problems_point_at_the_fault() {
    for (search, code, at) in [
        ("a=", "spl-syntax", ""),
        ("a=1 | stts count", "spl-unknown-command", "stts"),
        ("a=1 | where foo(b)", "spl-unknown-function", "foo"),
        ("a=1 `kube_adit`", "unknown-macro", "`kube_adit`"),
        ("a=1 `loop`", "unknown-macro", "`loop`"),
        ("a=1 | lookup path p OUTPUT hit", "missing-lookup", "path"),
        ("a=1 | tstats count", "spl-unsupported", "tstats"),
        ("a=\"x", "spl-syntax", "\""),
        ("(a=1", "spl-syntax", ""),
        ("a=1 | where (b=1", "spl-syntax", ""),
        ("a=1 ) b=2", "spl-syntax", ")"),
        ("a=1 | `ctime(x)` | bogus", "spl-unknown-command", "bogus"),
    ] {
        let compiled = compile(search, &environment());
        let problem = compiled.problems.first().unwrap_or_else(|| panic!("{search} has no problem"));
        assert_eq!((problem.code, &search[problem.range.clone()]), (code, at), "{search}: {problem:?}");
        assert!(compiled.pipeline.is_none());
    }
}

/// Macros that call each other twice, and grow or do not: what they come to is bounded.
#[test]
fn macros_that_multiply_are_stopped() {
    for (first, each, arguments) in [("", "`$$``$$`", 0), ("a=1", "`$$` `$$`", 0), ("$x$", "`$$($x$ $x$)`", 1)] {
        let mut env = environment();
        for level in 0..32 {
            let inner = format!("m{}", level - 1);
            let definition = if level == 0 { first.to_owned() } else { each.replace("$$", &inner) };
            let args = vec!["x".to_owned(); arguments];
            env.macros.insert((format!("m{level}"), arguments), Macro { args, definition, iseval: false });
        }
        let search = if arguments == 0 { "a=1 `m31`" } else { "a=1 `m31(b=2)`" };
        let problem = compile(search, &env).problems.into_iter().next().expect("it is refused");
        assert_eq!((problem.code, &search[problem.range]), ("unknown-macro", &search[4..]), "{each}");
    }
}

proptest::proptest! {
    /// Whatever the text, there is an answer.
    #[test]
    fn no_text_is_too_much(words in proptest::collection::vec(proptest::sample::select(vec![
        "a", "=", "\"x\"", "(", ")", "|", "OR", "NOT", "[", "]", "`kube_audit`", "`", "stats count by", "eval", "where", "é", "\\",
        "'", ",", "rex", "sort -", "*", "```", "IN", "rename a as", "lookup paths path AS", "-", ".", "if(", "bin span=1h _time",
    ]), 0..24), glue in proptest::sample::select(vec!["", " "])) {
        let _ = compile(&words.join(glue), &environment());
    }
}
