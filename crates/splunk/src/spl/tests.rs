use masthead_ir::Value;
use masthead_ir::eval::Row;
use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::Source;
use proptest::strategy::Strategy;

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

/// A condition as it is meant.
#[derive(Debug, Clone)]
enum Meant {
    Test(char),
    Not(Box<Meant>),
    And(Vec<Meant>),
    Or(Vec<Meant>),
}

/// How the operators of a language bind.
#[derive(Clone, Copy)]
struct Language {
    /// Whether OR binds tighter than AND.
    or_first: bool,
    /// Written between conditions that must both hold.
    and: &'static str,
}

impl Meant {
    /// How tight it binds; what binds less needs parentheses.
    fn strength(&self, language: Language) -> u8 {
        match (self, language.or_first) {
            (Meant::Test(_), _) => 3,
            (Meant::Not(_), _) => 2,
            (Meant::Or(_), true) | (Meant::And(_), false) => 1,
            (Meant::And(_), true) | (Meant::Or(_), false) => 0,
        }
    }

    /// Its text with no more parentheses than are needed.
    fn text(&self, language: Language) -> String {
        let inside = |part: &Meant, least: u8| {
            let text = part.text(language);
            if part.strength(language) < least { format!("({text})") } else { text }
        };
        let joined = |parts: &[Meant], sign: &str| {
            let least = self.strength(language) + 1;
            parts.iter().map(|part| inside(part, least)).collect::<Vec<_>>().join(sign)
        };
        match self {
            Meant::Test(name) => format!("{name}=1"),
            Meant::Not(part) => format!("NOT {}", inside(part, 2)),
            Meant::And(parts) => joined(parts, language.and),
            Meant::Or(parts) => joined(parts, " OR "),
        }
    }

    fn holds(&self, true_ones: &str) -> bool {
        match self {
            Meant::Test(name) => true_ones.contains(*name),
            Meant::Not(part) => !part.holds(true_ones),
            Meant::And(parts) => parts.iter().all(|part| part.holds(true_ones)),
            Meant::Or(parts) => parts.iter().any(|part| part.holds(true_ones)),
        }
    }
}

fn meant() -> impl Strategy<Value = Meant> {
    let test = proptest::sample::select(vec!['a', 'b', 'c', 'd']).prop_map(Meant::Test);
    test.prop_recursive(5, 40, 3, |part| {
        let several = || proptest::collection::vec(part.clone(), 2..4);
        proptest::prop_oneof![
            part.clone().prop_map(|part| Meant::Not(Box::new(part))),
            several().prop_map(Meant::And),
            several().prop_map(Meant::Or),
        ]
    })
}

/// A row in which each letter is a field: `1` if it is among the true ones, else `0`.
struct Letters<'t>(&'t str);

impl Row for Letters<'_> {
    fn get(&self, field: &FieldPath) -> Value {
        Value::text(if self.0.contains(&field.to_string()) { "1" } else { "0" })
    }
}

fn holds(expr: &Expr, row: &dyn Row) -> bool {
    masthead_ir::eval::truth(expr, row, &masthead_ir::eval::Context { now: 0 }) == Some(true)
}

fn compiled(search: &str) -> Pipeline {
    let compiled = compile(search, &environment());
    compiled.pipeline.unwrap_or_else(|| panic!("{search}: {:?}", compiled.problems))
}

const SUBSETS: [&str; 16] =
    ["", "a", "b", "c", "d", "ab", "ac", "ad", "bc", "bd", "cd", "abc", "abd", "acd", "bcd", "abcd"];

/// One value of the field `f`.
struct Field<'t>(&'t str);

impl Row for Field<'_> {
    fn get(&self, field: &FieldPath) -> Value {
        if field.to_string() == "f" { Value::text(self.0) } else { Value::Absent }
    }
}

/// What the manual says of `*`, slowly: any run of characters, letter case ignored.
fn matches_slowly(glob: &[char], text: &[char]) -> bool {
    match glob.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skip| matches_slowly(rest, &text[skip..])),
        Some((letter, rest)) => text
            .split_first()
            .is_some_and(|(first, left)| letter.eq_ignore_ascii_case(first) && matches_slowly(rest, left)),
    }
}

proptest::proptest! {
    /// Searches: parentheses, NOT, OR, AND; beside each other is AND (Splunk Search Manual, "Boolean expressions").
    #[test]
    fn searches_mean_what_their_precedence_says(meant in meant(), spelled in proptest::bool::ANY) {
        let and = if spelled { " AND " } else { " " };
        let text = meant.text(Language { or_first: true, and });
        let Source::Events { filter, .. } = compiled(&text).source else { panic!("{text} reads events") };
        for subset in SUBSETS {
            proptest::prop_assert_eq!(holds(&filter, &Letters(subset)), meant.holds(subset), "{} of {}", text, subset);
        }
    }

    /// Expressions: NOT, AND, OR (Splunk Search Reference, "where").
    #[test]
    fn expressions_mean_what_their_precedence_says(meant in meant()) {
        let text = meant.text(Language { or_first: false, and: " AND " });
        let pipeline = compiled(&format!("a=1 | where {text}"));
        let Some(Stage::Filter(filter)) = pipeline.stages.first() else { panic!("{text} is a filter") };
        for subset in SUBSETS {
            proptest::prop_assert_eq!(holds(filter, &Letters(subset)), meant.holds(subset), "{} of {}", text, subset);
        }
    }

    /// `*` stands for any run of characters, wherever it is, in quotes or not, in a list or not.
    #[test]
    fn wildcards_match_any_run(glob in "[aAb1*]{1,6}", text in "[aAb1]{0,6}") {
        let plain = glob.chars().collect::<Vec<_>>();
        // `*` alone asks for a value, and the empty text is one.
        let expected = matches_slowly(&plain, &text.chars().collect::<Vec<_>>());
        for search in [format!("f={glob}"), format!("f=\"{glob}\""), format!("f IN (zz, {glob})")] {
            // Numbers are equal by value, which is told elsewhere.
            proptest::prop_assume!(glob.contains('*') || glob.parse::<f64>().is_err());
            let Source::Events { filter, .. } = compiled(&search).source else { panic!("{search} reads events") };
            proptest::prop_assert_eq!(holds(&filter, &Field(&text)), expected, "{} of {:?}", search, text);
        }
    }
}
