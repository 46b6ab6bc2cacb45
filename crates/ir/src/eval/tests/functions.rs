use super::*;
use Func as F;

#[test]
fn choice() {
    let c = check_call;
    c(F::If, vec![lit(true), lit("a"), lit("b")], s("a"));
    c(F::If, vec![lit(NULL), lit("a"), lit("b")], s("b"));
    c(F::Case, vec![lit(NULL), lit(1), lit(false), lit(2), lit(true), lit(3)], i(3));
    c(F::Case, vec![lit(false), lit(1)], NULL);
    c(F::Validate, vec![lit(true), lit("x"), lit(NULL), lit("y"), lit(false), lit("z")], s("z"));
    c(F::Coalesce, vec![lit(NULL), lit(""), lit("x")], s(""));
    c(F::Coalesce, vec![lit(NULL)], NULL);
    c(F::Null, vec![], NULL);
    c(F::NullIf, vec![lit("1"), lit(1.0)], NULL);
    c(F::NullIf, vec![lit("a"), lit("b")], s("a"));
    c(F::NullIf, vec![lit("a"), lit(NULL)], s("a"));
    c(F::True, vec![], TRUE);
    c(F::False, vec![], FALSE);
    c(F::IsNull, vec![lit(NULL)], TRUE);
    c(F::IsNull, vec![lit("")], FALSE);
    c(F::IsNotNull, vec![lit(NULL)], FALSE);
    c(F::IsNum, vec![lit("4.5")], TRUE);
    c(F::IsNum, vec![lit("x")], FALSE);
    c(F::IsNum, vec![lit(NULL)], FALSE);
    c(F::IsInt, vec![lit("4")], TRUE);
    c(F::IsInt, vec![lit("4.5")], FALSE);
    c(F::IsStr, vec![lit("x")], TRUE);
    c(F::IsStr, vec![lit("4")], FALSE);
    c(F::IsStr, vec![lit(true)], FALSE);
    c(F::In, vec![lit("b"), lit("a"), lit("b")], TRUE);
    c(F::In, vec![lit("B"), lit("a"), lit("b")], FALSE);
    c(F::In, vec![lit(1), lit("1.0")], TRUE);
    c(F::In, vec![lit(NULL), lit("a")], NULL);
    for (value, name) in [
        (NULL, "Invalid"),
        (TRUE, "Boolean"),
        (s("1"), "Number"),
        (s("x"), "String"),
        (list(&["1", "2"]), "Multivalue"),
    ] {
        c(F::TypeOf, vec![lit(value)], s(name));
    }
}

#[test]
fn tests_of_text() {
    let c = check_call;
    for (text, pattern, expect) in [
        ("abc", "a%", true),
        ("abc", "A%", false),
        ("abc", "%c", true),
        ("abc", "b", false),
        ("abc", "a_c", true),
        ("abc", "a_", false),
        ("abc", "%b%", true),
        ("abc", "%%%", true),
        ("", "%", true),
        ("", "_", false),
        ("aXbXc", "%X_", true),
        ("a.c", "a.c", true),
        ("abc", "a.c", false),
        ("aab", "%ab", true),
        ("äöü", "_ö_", true),
    ] {
        c(F::Like, vec![lit(text), lit(pattern)], Value::Bool(expect));
        check(call(F::Like, vec![lit(text), field("p")]), &row(&[("p", s(pattern))]), Value::Bool(expect));
    }
    c(F::Like, vec![lit(NULL), lit("%")], NULL);
    c(F::Match, vec![lit("system:node:x"), lit("node:")], TRUE);
    c(F::Match, vec![lit("abc"), lit("^b")], FALSE);
    c(F::Match, vec![lit("foobar"), lit("foo(?!baz)")], TRUE);
    c(F::Match, vec![lit(list(&["a", "b"])), lit("^b$")], TRUE);
    c(F::Match, vec![lit(NULL), lit("b")], NULL);
    check(call(F::Match, vec![lit("abc"), field("r")]), &row(&[("r", s("(?i)B"))]), TRUE);
    check(call(F::Match, vec![lit("abc"), field("r")]), &row(&[("r", s("("))]), NULL);
    c(F::CidrMatch, vec![lit("10.0.0.0/8"), lit("10.1.2.3")], TRUE);
    c(F::CidrMatch, vec![lit("10.0.0.0/8"), lit("11.1.2.3")], FALSE);
    c(F::CidrMatch, vec![lit("10.0.0.0/8"), lit("host")], FALSE);
    c(F::CidrMatch, vec![lit("2001:db8::/32"), lit("2001:db8::1")], TRUE);
    c(F::CidrMatch, vec![lit("10.0.0.1"), lit("10.0.0.1")], TRUE);
    check(call(F::CidrMatch, vec![field("n"), lit("10.0.0.1")]), &row(&[("n", s("10.0.0.0/24"))]), TRUE);
}

#[test]
fn numbers() {
    let c = check_call;
    c(F::Abs, vec![lit("-3")], i(3));
    c(F::Abs, vec![lit(i64::MIN)], f(9_223_372_036_854_775_808.0));
    c(F::Ceiling, vec![lit(1.2)], i(2));
    c(F::Floor, vec![lit(-1.2)], i(-2));
    c(F::Exact, vec![lit("1.5")], f(1.5));
    c(F::Exp, vec![lit(0)], i(1));
    c(F::Ln, vec![lit(1)], i(0));
    c(F::Ln, vec![lit(0)], NULL);
    c(F::Log, vec![lit(1000)], i(3));
    c(F::Log, vec![lit(8), lit(2)], i(3));
    c(F::Log, vec![lit(-1)], NULL);
    c(F::Min, vec![lit("10"), lit(9), lit("a"), lit(NULL)], i(9));
    c(F::Max, vec![lit("10"), lit(9), lit("a")], s("a"));
    c(F::Max, vec![lit(list(&["3", "20"])), lit(7)], i(20));
    c(F::Max, vec![lit(NULL)], NULL);
    c(F::Pi, vec![], f(std::f64::consts::PI));
    c(F::Pow, vec![lit(2), lit(10)], i(1024));
    c(F::Pow, vec![lit(2), lit(-1)], f(0.5));
    c(F::Pow, vec![lit(-8), lit(0.5)], NULL);
    c(F::Sqrt, vec![lit(9)], i(3));
    c(F::Sqrt, vec![lit(-9)], NULL);
    c(F::Sqrt, vec![lit("x")], NULL);
    for (value, places, expect) in [
        (2.5, 0, i(3)),
        (-2.5, 0, i(-3)),
        (0.5, 0, i(1)),
        (2.4, 0, i(2)),
        (2.555, 2, f(2.56)),
        (1.005, 2, f(1.01)),
        (9.995, 2, i(10)),
        (-0.04, 1, i(0)),
        (1234.5, -2, i(1200)),
        (0.1, 300, f(0.1)),
    ] {
        c(F::Round, vec![lit(value), lit(places)], expect);
    }
    c(F::Round, vec![lit(7), lit(2)], i(7));
    c(F::Round, vec![lit(1250), lit(-2)], i(1300));
    c(F::ToNumber, vec![lit(" 42 ")], i(42));
    c(F::ToNumber, vec![lit("0x1f"), lit(16)], i(31));
    c(F::ToNumber, vec![lit("z"), lit(36)], i(35));
    c(F::ToNumber, vec![lit("9"), lit(8)], NULL);
    c(F::ToNumber, vec![lit("1"), lit(99)], NULL);
    c(F::ToNumber, vec![lit("abc")], NULL);
}

#[test]
fn text() {
    let c = check_call;
    c(F::Len, vec![lit("äb")], i(2));
    c(F::Len, vec![lit(NULL)], NULL);
    c(F::Lower, vec![lit("ABC")], s("abc"));
    c(F::Lower, vec![lit(list(&["A", "B"]))], list(&["a", "b"]));
    c(F::Upper, vec![lit("straße")], s("STRASSE"));
    c(F::Trim, vec![lit(" \ta ")], s("a"));
    c(F::Ltrim, vec![lit("xxaxx"), lit("x")], s("axx"));
    c(F::Rtrim, vec![lit("xxaxx"), lit("x")], s("xxa"));
    c(F::Replace, vec![lit("2024-11-14"), lit(r"(\d+)-(\d+)-(\d+)"), lit(r"\3.\2.\1")], s("14.11.2024"));
    c(F::Replace, vec![lit("aaa"), lit("a"), lit("b$1")], s("b$1b$1b$1"));
    c(F::Replace, vec![lit("a1b2"), lit(r"(?<=[a-z])\d"), lit(r"<\0>")], s("a<1>b<2>"));
    c(F::Replace, vec![lit("a"), lit("a"), lit(r"\\x\q")], s(r"\x\q"));
    c(F::Replace, vec![lit("a"), lit("a|(b)"), lit(r"[\1]")], s("[]"));
    c(F::Substr, vec![lit("abcdef"), lit(2), lit(3)], s("bcd"));
    c(F::Substr, vec![lit("abcdef"), lit(-3)], s("def"));
    c(F::Substr, vec![lit("abcdef"), lit(-3), lit(2)], s("de"));
    c(F::Substr, vec![lit("abc"), lit(9)], s(""));
    c(F::UrlDecode, vec![lit("a%20b%2Fc+%zz")], s("a b/c+%zz"));
    c(F::Md5, vec![lit("abc")], s("900150983cd24fb0d6963f7d28e17f72"));
    c(F::Sha1, vec![lit("abc")], s("a9993e364706816aba3e25717850c26c9cd0d89d"));
    c(F::Sha256, vec![lit("abc")], s("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

#[test]
fn text_of_numbers() {
    let c = check_call;
    for (value, expect) in [
        (i(5), "5"),
        (f(5.0), "5"),
        (f(0.1), "0.1"),
        (f(1e21), "1000000000000000000000"),
        (f(1e-7), "0.0000001"),
        (s("007"), "007"),
        (TRUE, "True"),
        (FALSE, "False"),
    ] {
        c(F::ToString, vec![lit(value)], s(expect));
    }
    for (value, format, expect) in [
        (i(255), "hex", "0xFF"),
        (f(12345.6789), "commas", "12,345.68"),
        (i(1_234_567), "commas", "1,234,567"),
        (i(-123), "commas", "-123"),
        (i(615), "duration", "00:10:15"),
        (i(93_784), "duration", "1+02:03:04"),
        (f(1.5), "duration", "00:00:01.500000"),
        (s("text"), "hex", "text"),
    ] {
        c(F::ToString, vec![lit(value), lit(format)], s(expect));
    }
    c(F::ToString, vec![lit(5), lit("unknown")], NULL);
    c(F::ToString, vec![lit(NULL)], NULL);
}

#[test]
fn printf() {
    for (format, values, expect) in [
        ("%s=%d", vec![s("n"), s("42")], "n=42"),
        ("%5.1f|%-5d|%05d", vec![f(3.15), i(7), i(-42)], "  3.1|7    |-0042"),
        ("%x %X %#x %o", vec![i(255), i(255), i(255), i(8)], "ff FF 0xff 10"),
        ("%e %g %g %G", vec![f(12345.678), f(0.0001), f(1e10), f(1e-10)], "1.234568e+04 0.0001 1e+10 1E-10"),
        ("%+d % d %'d", vec![i(1), i(2), i(1234567)], "+1  2 1,234,567"),
        ("%.2s|%c|%%", vec![s("abc"), s("xyz")], "ab|x|%"),
        ("%*d|%.*f", vec![i(4), i(7), i(1), f(0.25)], "   7|0.2"),
        ("%.3d|%ld", vec![i(7), i(8)], "007|8"),
    ] {
        let args = std::iter::once(lit(format)).chain(values.into_iter().map(lit)).collect();
        check_call(F::Printf, args, s(expect));
    }
    check_call(F::Printf, vec![lit("%d")], NULL);
    check_call(F::Printf, vec![lit("%y"), lit(1)], NULL);
    let Value::Text(wide) = Program::compile(&call(F::Printf, vec![lit("%999999999d"), lit(1)]))
        .unwrap()
        .value(&Fields::default(), &Context::default())
    else {
        panic!("a text is expected")
    };
    assert_eq!(wide.len(), 1_000);
}

#[test]
fn several_values() {
    let c = check_call;
    let abc = || lit(list(&["a", "b", "c"]));
    c(F::Split, vec![lit("a,b,,c"), lit(",")], list(&["a", "b", "", "c"]));
    c(F::Split, vec![lit("abc"), lit("")], list(&["a", "b", "c"]));
    c(F::Split, vec![lit("abc"), lit("x")], s("abc"));
    c(F::Split, vec![lit(NULL), lit("x")], NULL);
    c(F::MvAppend, vec![abc(), lit(NULL), lit("d")], list(&["a", "b", "c", "d"]));
    c(F::MvCount, vec![abc()], i(3));
    c(F::MvCount, vec![lit("x")], i(1));
    c(F::MvCount, vec![lit(NULL)], NULL);
    c(F::MvDedup, vec![lit(list(&["b", "a", "b"]))], list(&["b", "a"]));
    c(F::MvFind, vec![abc(), lit("^[bc]$")], i(1));
    c(F::MvFind, vec![abc(), lit("x")], NULL);
    c(F::MvIndex, vec![abc(), lit(0)], s("a"));
    c(F::MvIndex, vec![abc(), lit(-1)], s("c"));
    c(F::MvIndex, vec![abc(), lit(3)], NULL);
    c(F::MvIndex, vec![abc(), lit(-4)], NULL);
    c(F::MvIndex, vec![abc(), lit(1), lit(-1)], list(&["b", "c"]));
    c(F::MvIndex, vec![abc(), lit(0), lit(9)], list(&["a", "b", "c"]));
    c(F::MvIndex, vec![abc(), lit(2), lit(1)], NULL);
    c(F::MvIndex, vec![lit("x"), lit(0)], s("x"));
    c(F::MvIndex, vec![lit(NULL), lit(0), lit(1)], NULL);
    c(F::MvJoin, vec![abc(), lit("; ")], s("a; b; c"));
    c(F::MvJoin, vec![lit(NULL), lit(";")], NULL);
    c(F::MvRange, vec![lit(1), lit(7), lit(2)], Value::list([i(1), i(3), i(5)]));
    c(F::MvRange, vec![lit(3), lit(0), lit(-1)], Value::list([i(3), i(2), i(1)]));
    c(F::MvRange, vec![lit(0), lit(180), lit("1m")], Value::list([i(0), i(60), i(120)]));
    c(F::MvRange, vec![lit(0), lit(1), lit(0)], NULL);
    c(F::MvSort, vec![lit(list(&["b", "10", "9", "A"]))], list(&["10", "9", "A", "b"]));
    c(F::MvZip, vec![abc(), lit(list(&["1", "2"]))], list(&["a,1", "b,2"]));
    c(F::MvZip, vec![lit("a"), lit("1"), lit("=")], s("a=1"));
    let row = row(&[("m", list(&["1", "20", "3"])), ("n", i(10))]);
    let over = |body| call(F::MvFilter, vec![body]);
    check(over(cmp(CompareOp::Gt, field("m"), lit(2))), &row, list(&["20", "3"]));
    check(over(call(F::Match, vec![field("m"), lit("^x")])), &row, NULL);
    check(
        call(F::MvMap, vec![field("m"), arith(ArithOp::Mul, field("m"), field("n"))]),
        &row,
        Value::list([i(10), i(200), i(30)]),
    );
    check(call(F::MvMap, vec![field("absent"), arith(ArithOp::Mul, field("absent"), lit(2))]), &row, NULL);
    check_error(over(cmp(CompareOp::Gt, field("m"), field("n"))), "exactly one field");
    check_error(over(lit(true)), "exactly one field");
}

#[test]
fn time() {
    let c = check_call;
    c(F::Now, vec![], i(1_731_587_696));
    c(F::Time, vec![], f(1_731_587_696.789));
    c(F::RelativeTime, vec![lit(1_731_587_696), lit("-1d@d")], i(1_731_456_000));
    check(call(F::RelativeTime, vec![lit(1_731_587_696), field("m")]), &row(&[("m", s("@h"))]), i(1_731_585_600));
    c(F::RelativeTime, vec![lit("x"), lit("@d")], NULL);
    check_error(call(F::RelativeTime, vec![lit(1), lit("-5x")]), "no such unit");
    for (format, expect) in [
        ("%Y-%m-%dT%H:%M:%S", "2024-11-14T12:34:56"),
        ("%Y-%m-%d %H:%M:%S.%3N %Z", "2024-11-14 12:34:56.789 UTC"),
        ("%Q|%6Q|%N|%f", "789|789000|789000000|789000"),
        ("%s %z %Ez %j %a %A %b %B", "1731587696 +0000 +00:00 319 Thu Thursday Nov November"),
        ("%I %p %e %k %l %y %F %T %R %D", "12 PM 14 12 12 24 2024-11-14 12:34:56 12:34 11/14/24"),
        ("%c|%x|%X|%+", "Thu Nov 14 12:34:56 2024|11/14/24|12:34:56|Thu Nov 14 12:34:56 UTC 2024"),
        ("100%%|%!|%", "100%|%!|%"),
    ] {
        c(F::StrfTime, vec![lit(1_731_587_696.789), lit(format)], s(expect));
    }
    c(F::StrfTime, vec![lit(1e300), lit("%Y")], NULL);
    c(F::StrfTime, vec![lit("no time"), lit("%Y")], NULL);
    for (text, format, expect) in [
        ("2024-11-14T12:34:56Z", "%Y-%m-%dT%H:%M:%SZ", i(1_731_587_696)),
        ("2024-11-14T12:34:56.789000Z", "%Y-%m-%dT%H:%M:%S.%6N", f(1_731_587_696.789)),
        ("2024-11-14 13:34:56 +0100", "%Y-%m-%d %H:%M:%S %z", i(1_731_587_696)),
        ("2024-11-14 12:34:56 UTC", "%Y-%m-%d %H:%M:%S %Z", i(1_731_587_696)),
        ("2024-11-14", "%Y-%m-%d", i(1_731_542_400)),
        ("12:34:56", "%H:%M:%S", i(1_731_587_696)),
        ("14/Nov/2024:12:34:56", "%d/%b/%Y:%H:%M:%S", i(1_731_587_696)),
        ("1731587696", "%s", i(1_731_587_696)),
        ("2024-11-14 12:34:56 EST", "%Y-%m-%d %H:%M:%S %Z", NULL),
        ("2024-13-14", "%Y-%m-%d", NULL),
        ("junk", "%Y-%m-%d", NULL),
        ("11-14", "%m-%d", NULL),
    ] {
        c(F::StrpTime, vec![lit(text), lit(format)], expect);
    }
}

#[test]
fn json() {
    let text =
        r#"{"a":{"b":[{"c":1},{"c":2.50},{"d":"x"}],"k.l/m":true,"n":null},"e":[1,[2]],"a.b":"dotted","s":"q\"\n"}"#;
    let object = || lit(text);
    for (path, expect) in [
        ("a.b{}.c", Value::list([i(1), f(2.5)])),
        ("a.b{1}.c", f(2.5)),
        ("a.b{}.d", s("x")),
        ("a.k.l/m", TRUE),
        ("a.n", s("null")),
        ("a.b", Value::list([s(r#"[{"c":1},{"c":2.50},{"d":"x"}]"#), s("dotted")])),
        ("e{}{}", i(2)),
        ("e{0}", i(1)),
        ("s", s("q\"\n")),
        ("a.b{}.x", NULL),
        ("", s(text)),
        ("a.", NULL),
        ("{}", NULL),
        ("e{x}", NULL),
    ] {
        check_call(F::Spath, vec![object(), lit(path)], expect.clone());
        check_call(F::JsonExtract, vec![object(), lit(path)], expect);
    }
    check_call(F::JsonExtract, vec![object(), lit("s"), lit("e{0}")], Value::list([s("q\"\n"), i(1)]));
    check_call(F::JsonExtract, vec![lit("[1]")], s("[1]"));
    check_call(F::JsonExtract, vec![lit("no json"), lit("a")], NULL);
    check_call(F::JsonValid, vec![lit("{}")], TRUE);
    check_call(F::JsonValid, vec![lit("{")], FALSE);
    check_call(F::JsonValid, vec![lit(NULL)], NULL);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    // Neither walks down by recursion over the whole depth of the text.
    check_call(F::JsonValid, vec![lit(deep.as_str())], TRUE);
    check_call(F::Spath, vec![lit(deep.as_str()), lit("x")], NULL);
}

#[test]
fn refused() {
    check_error(call(F::Random, vec![]), "not deterministic");
    check_error(call(F::SearchMatch, vec![lit("x")]), "not supported");
    check_error(call(F::Sigfig, vec![lit(1)]), "not supported");
    check_error(call(F::If, vec![lit(true)]), "takes 3 arguments, not 1");
    check_error(call(F::Case, vec![lit(true), lit(1), lit(2)]), "an even number of");
    check_error(call(F::Coalesce, vec![]), "at least 1");
    check_error(call(F::Round, vec![lit(1), lit(2), lit(3)]), "1 to 2");
    check_error(call(F::Match, vec![lit("x"), lit("(")]), "no regular expression");
    check_error(call(F::CidrMatch, vec![lit("10.0.0.0/99"), lit("x")]), "no network");
    assert_eq!(evaluate(&call(F::Random, vec![]), &Fields::default(), &Context::default()), NULL);
}
