use super::*;
use crate::pattern::Case::{Folded, Sensitive};

fn compiled(pattern: Pattern) -> CompiledPattern {
    CompiledPattern::new(&pattern).expect("the pattern compiles")
}

#[track_caller]
fn check_texts(pattern: Pattern, yes: &[&str], no: &[&str]) {
    let compiled = compiled(pattern.clone());
    for (texts, expect) in [(yes, true), (no, false)] {
        for text in texts {
            assert_eq!(compiled.matches(&s(text)), expect, "{pattern:?} on {text:?}");
            assert_eq!(compiled.matches_str(text), expect, "{pattern:?} on {text:?}");
            assert_eq!(compiled.matches_bytes(text.as_bytes()), expect, "{pattern:?} on {text:?}");
            assert_eq!(compiled.matches_folded(text, &fold::fold(text)), expect, "{pattern:?} on {text:?}");
        }
    }
}

fn text(text: &str, case: Case, numeric: bool) -> Pattern {
    Pattern::Text { text: text.into(), case, numeric }
}

fn glob(glob: &str, case: Case) -> Pattern {
    Pattern::Wildcard { glob: glob.into(), case }
}

#[test]
fn equality() {
    check_texts(text("Get", Sensitive, false), &["Get"], &["get", "Get ", ""]);
    check_texts(text("Get", Folded, false), &["get", "GET"], &["gets"]);
    check_texts(text("403", Folded, true), &["403", "403.0", "4.03e2", "+403"], &["404", "403 ", "x", ""]);
    check_texts(text("403", Folded, false), &["403"], &["403.0"]);
    check_texts(text("ΣİK", Folded, false), &["σik", "σiK", "ΣiK"], &["ςik", "σi\u{307}k"]);
    check_texts(text("true", Folded, true), &["True"], &["1"]);
    let pattern = compiled(text("403", Sensitive, true));
    assert!(pattern.matches(&i(403)) && pattern.matches(&f(403.0)) && !pattern.matches(&f(403.5)));
    assert!(compiled(text("true", Sensitive, false)).matches(&TRUE));
    assert!(compiled(text("{}", Sensitive, false)).matches(&Value::Json("{}".into())));
}

#[test]
fn typed_equality() {
    let cases = [
        (s("1"), s("1"), true),
        (s("1"), i(1), false),
        (i(1), f(1.0), true),
        (i(1), s("1"), false),
        (i(1), TRUE, false),
        (TRUE, TRUE, true),
        (TRUE, s("true"), false),
        (s("a"), s("A"), false),
        (s("b"), list(&["a", "b"]), true),
        (Value::Json("[{}]".into()), Value::Json("[{}]".into()), true),
        (Value::Json("[{}]".into()), s("[{}]"), false),
        (s("a"), NULL, false),
    ];
    for (wanted, value, expect) in cases {
        assert_eq!(compiled(Pattern::Same(wanted.clone())).matches(&value), expect, "{wanted:?} {value:?}");
    }
    for refused in [NULL, list(&["a", "b"])] {
        assert_eq!(CompiledPattern::new(&Pattern::Same(refused)).unwrap_err(), PatternError::NotSingle);
    }
}

#[test]
fn wildcards() {
    check_texts(glob("*", Folded), &["", "x"], &[]);
    check_texts(glob("a*", Folded), &["a", "ABC"], &["ba", ""]);
    check_texts(glob("*\"privileged\":true*", Folded), &["{\"privileged\":true}"], &["privileged:true"]);
    check_texts(glob("a*b*c", Sensitive), &["abc", "a-b-c", "abbcc"], &["acb", "aBc", "ab", "abcd"]);
    check_texts(glob("aba*ba", Sensitive), &["ababa", "abaxba"], &["aba"]);
    check_texts(glob("a**b", Sensitive), &["ab", "axb"], &["a"]);
    check_texts(glob("a?c", Sensitive), &["a?c"], &["abc"]);
    check_texts(glob("*Ä*", Folded), &["xäy", "Ä"], &["a"]);
}

#[test]
fn parts_of_text() {
    let of = |kind: fn(String, Case) -> Pattern, literal: &str, case| kind(literal.into(), case);
    let prefix = |text, case| Pattern::Prefix { text, case };
    let suffix = |text, case| Pattern::Suffix { text, case };
    let contains = |text, case| Pattern::Contains { text, case };
    check_texts(of(prefix, "System:", Folded), &["system:node", "SYSTEM:"], &["xsystem:"]);
    check_texts(of(prefix, "System:", Sensitive), &["System:node"], &["system:node"]);
    check_texts(of(suffix, ".Exe", Folded), &["a.EXE"], &["a.exe "]);
    check_texts(of(suffix, ".exe", Sensitive), &["a.exe"], &["a.EXE"]);
    check_texts(of(contains, "NODE", Folded), &["my-node-1"], &["nod", ""]);
    check_texts(of(contains, "node", Sensitive), &["my-node-1"], &["my-Node-1"]);
    check_texts(of(contains, "", Folded), &["", "x"], &[]);
}

#[test]
fn networks() {
    let cidr = |literal: &str| Pattern::Cidr { net: literal.parse().unwrap(), literal: literal.into() };
    check_texts(
        cidr("10.0.0.0/8"),
        &["10.1.2.3", "::ffff:10.1.2.3", "10.0.0.0/8"],
        &["11.0.0.1", "", "10.1.2", "2001:db8::1", "10.0.0.0/9"],
    );
    check_texts(cidr("2001:db8::/32"), &["2001:db8::1", "2001:DB8::/32"], &["2001:db9::1", "10.0.0.1"]);
    check_texts(cidr("::ffff:0:0/96"), &["::ffff:10.1.2.3"], &["10.1.2.3"]);
}

#[test]
fn regexes() {
    check_texts(Pattern::Regex("^sys.*r$".into()), &["systemr"], &["Systemr", "xsystemr"]);
    check_texts(Pattern::Regex("(?i)b(?!ar)".into()), &["Boo"], &["bar"]);
    check_texts(Pattern::Regex(r"(a)\1".into()), &["xaay"], &["axa"]);
    assert!(matches!(CompiledPattern::new(&Pattern::Regex("(".into())), Err(PatternError::Regex { .. })));
    // Without the limit this would take longer than a lifetime.
    let explosive = compiled(Pattern::Regex(r"^(a|a)*(?=b)\1$".into()));
    assert!(!explosive.matches_str(&"a".repeat(60)));
}

#[test]
fn orders() {
    let order = |op, literal: &str| Pattern::Order { op, literal: literal.into() };
    check_texts(order(OrderOp::Lt, "10"), &["9", "-1", "9.5"], &["10", "11", "abc"]);
    check_texts(order(OrderOp::Le, "10"), &["10.0", "9"], &["10.1"]);
    check_texts(order(OrderOp::Gt, "10"), &["11", "abc"], &["10", "9"]);
    check_texts(order(OrderOp::Ge, "b"), &["b", "ba", "c"], &["a", "B", "9"]);
    assert!(compiled(order(OrderOp::Gt, "5")).matches(&i(10)));
}

#[test]
fn phrases() {
    let phrase = |text: &str, case, minor| Pattern::Phrase { text: text.into(), case, minor };
    check_texts(
        phrase("shell", Folded, true),
        &["a Shell was", "shell", "x=shell;", "\"SHELL\"", "/shell/", "a_shell"],
        &["shells", "ashell", "", "shell9"],
    );
    check_texts(phrase("shell", Folded, false), &["a shell was", "(shell)"], &["/shell/", "a_shell", "x=shell "]);
    check_texts(
        phrase("a shell was", Folded, true),
        &["Notice A shell was spawned"],
        &["a shell  was", "a shell wast"],
    );
    check_texts(phrase("Shell", Sensitive, true), &["a Shell"], &["a shell"]);
    check_texts(phrase("*hell*", Folded, true), &["xshelly", "hell"], &["help"]);
    check_texts(phrase("she*", Folded, true), &["a shells", "she"], &["ashe"]);
    check_texts(phrase("*ell", Folded, true), &["shell x"], &["shells"]);
    check_texts(phrase("k*c*l", Folded, true), &["x kube/ctl y", "kcl"], &["xkcl", "kclx"]);
    check_texts(phrase("aa", Folded, true), &["aaa aa"], &["aaa"]);
    check_texts(phrase("a.b", Folded, true), &["x a.b y", "x.a.b"], &["a.bc"]);
    check_texts(phrase("\"verb\":\"get\"", Folded, true), &["{\"verb\":\"get\"}"], &["{\"verb\":\"gets\"}"]);
    check_texts(phrase("ä", Folded, true), &["x Ä y"], &["xäy", "äö"]);
    check_texts(phrase("", Folded, true), &["", "x"], &[]);
    assert!(compiled(phrase("shell", Folded, true)).matches_bytes(b"\xff shell \xfe"));
}

#[test]
fn alternatives() {
    check_texts(
        Pattern::AnyOf(vec![text("a", Folded, false), glob("b*", Sensitive), Pattern::AnyOf(vec![])]),
        &["A", "bx"],
        &["B", ""],
    );
    let mut nested = Pattern::Present;
    for _ in 0..40 {
        nested = Pattern::AnyOf(vec![nested]);
    }
    assert_eq!(CompiledPattern::new(&nested).unwrap_err(), PatternError::TooDeep);
}

#[test]
fn presence_and_lists() {
    let present = compiled(Pattern::Present);
    assert!(present.matches(&s("")) && present.matches(&list(&["a", "b"])) && present.matches(&FALSE));
    assert!(!present.matches(&NULL));
    let folded = compiled(text("b", Folded, false));
    assert!(folded.matches(&list(&["a", "B"])) && !folded.matches(&list(&["a", "c"])));
}
