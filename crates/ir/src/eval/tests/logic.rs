use super::*;

#[test]
fn comparisons() {
    use CompareOp as O;
    let cases: &[(O, Value, Value, Value)] = &[
        (O::Eq, s("403"), s("403.0"), TRUE),
        (O::Eq, i(403), s("403"), TRUE),
        (O::Eq, s("a"), s("A"), FALSE),
        (O::Lt, s("9"), s("10"), TRUE),
        (O::Lt, s("9a"), s("10a"), FALSE),
        (O::Gt, s("a"), i(5), TRUE),
        (O::Eq, NULL, s("x"), NULL),
        (O::Ne, s("x"), NULL, NULL),
        (O::Eq, list(&["a", "b"]), s("b"), TRUE),
        (O::Ne, list(&["a", "b"]), s("b"), TRUE),
        (O::Eq, list(&["a", "b"]), list(&["c", "d"]), FALSE),
        (O::Le, i(9_007_199_254_740_993), i(9_007_199_254_740_992), FALSE),
        (O::Ge, s("1e3"), i(1000), TRUE),
        (O::Eq, TRUE, s("true"), TRUE),
        (O::Eq, s(" 5"), i(5), FALSE),
        (O::Eq, s(""), s(""), TRUE),
    ];
    for (op, left, right, expect) in cases {
        check(cmp(*op, lit(left.clone()), lit(right.clone())), &Fields::default(), expect.clone());
    }
}

#[test]
fn arithmetic_values() {
    use ArithOp as O;
    let cases: &[(O, Value, Value, Value)] = &[
        (O::Add, s("2"), i(3), i(5)),
        (O::Add, s("a"), s("b"), s("ab")),
        (O::Add, s("a"), s("1"), s("a1")),
        (O::Add, s("a"), i(1), NULL),
        (O::Add, NULL, i(1), NULL),
        (O::Add, i(i64::MAX), i(1), f(9_223_372_036_854_775_808.0)),
        (O::Sub, i(2), s("0.5"), f(1.5)),
        (O::Mul, s("1.5"), i(2), i(3)),
        (O::Div, i(6), i(3), i(2)),
        (O::Div, i(1), i(4), f(0.25)),
        (O::Div, i(1), i(0), NULL),
        (O::Div, f(1.5), i(0), NULL),
        (O::Rem, i(7), i(4), i(3)),
        (O::Rem, i(7), i(0), NULL),
        (O::Rem, f(7.5), i(2), f(1.5)),
        (O::Div, i(i64::MIN), i(-1), f(9_223_372_036_854_775_808.0)),
        (O::Sub, s("x"), i(1), NULL),
        (O::Concat, i(1), s("b"), s("1b")),
        (O::Concat, f(0.5), TRUE, s("0.5true")),
        (O::Concat, NULL, s("b"), NULL),
        (O::Mul, list(&["1", "2"]), i(2), NULL),
    ];
    for (op, left, right, expect) in cases {
        check(arith(*op, lit(left.clone()), lit(right.clone())), &Fields::default(), expect.clone());
    }
}

#[test]
fn tests_of_fields_are_never_unknown() {
    let pattern = || Pattern::Text { text: "a".into(), case: Case::Folded, numeric: false };
    let test = Expr::Test { field: FieldPath::flat("x"), pattern: pattern() };
    let differs = |rule| Expr::Differs { field: FieldPath::flat("x"), pattern: pattern(), rule };
    let cases = [
        // value, test, some value differs, every value differs
        (NULL, FALSE, FALSE, FALSE),
        (s("A"), TRUE, FALSE, FALSE),
        (s("b"), FALSE, TRUE, TRUE),
        (list(&["a", "b"]), TRUE, TRUE, FALSE),
        (list(&["b", "c"]), FALSE, TRUE, TRUE),
        (s(""), FALSE, TRUE, TRUE),
    ];
    for (value, tested, some, every) in cases {
        let row = row(&[("x", value)]);
        check(test.clone(), &row, tested);
        check(differs(Differs::SomeValue), &row, some);
        check(differs(Differs::EveryValue), &row, every);
    }
}

#[test]
fn connectives_of_unknowns() {
    let unknown = || lit(NULL);
    let (yes, no) = (|| lit(true), || lit(false));
    let none = Fields::default();
    check(Expr::And(vec![]), &none, TRUE);
    check(Expr::Or(vec![]), &none, FALSE);
    check(Expr::And(vec![yes(), unknown()]), &none, NULL);
    check(Expr::And(vec![unknown(), no()]), &none, FALSE);
    check(Expr::Or(vec![unknown(), yes()]), &none, TRUE);
    check(Expr::Or(vec![unknown(), no()]), &none, NULL);
    check(Expr::Not(Box::new(unknown())), &none, NULL);
    check(Expr::Not(Box::new(yes())), &none, FALSE);
    check(Expr::Xor(Box::new(yes()), Box::new(no())), &none, TRUE);
    check(Expr::Xor(Box::new(yes()), Box::new(yes())), &none, FALSE);
    check(Expr::Xor(Box::new(yes()), Box::new(unknown())), &none, NULL);
}

#[test]
fn truth_of_values() {
    let cases = [
        (s("true"), Some(true)),
        (s("FALSE"), Some(false)),
        (s("yes"), None),
        (s("1"), None),
        (i(0), Some(false)),
        (i(-1), Some(true)),
        (f(0.0), Some(false)),
        (NULL, None),
        (list(&["x", "true"]), Some(true)),
        (list(&["false", "false"]), Some(false)),
        (list(&["false", "x"]), None),
    ];
    for (value, expect) in cases {
        assert_eq!(truth_of(&value), expect, "{value:?}");
        assert_eq!(truth(&Expr::Literal(value), &Fields::default(), &Context::default()), expect);
    }
}

#[test]
fn depth_is_limited() {
    let mut expr = lit(true);
    for _ in 0..MAX_DEPTH - 1 {
        expr = Expr::Not(Box::new(expr));
    }
    assert!(Program::compile(&expr).is_ok());
    check_error(Expr::Not(Box::new(expr)), "nested deeper");
}

#[test]
fn fields_are_listed_once_in_order() {
    let expr = Expr::And(vec![
        cmp(CompareOp::Eq, field("b"), arith(ArithOp::Add, field("a"), lit(1))),
        Expr::Not(Box::new(Expr::Test { field: FieldPath::keys(["x", "y"]), pattern: Pattern::Present })),
        Expr::Xor(
            Box::new(call(Func::IsNull, vec![field("a")])),
            Box::new(Expr::Differs {
                field: FieldPath::flat("c"),
                pattern: Pattern::Order { op: OrderOp::Lt, literal: "1".into() },
                rule: Differs::SomeValue,
            }),
        ),
    ]);
    let fields: Vec<String> = expr.fields().iter().map(ToString::to_string).collect();
    assert_eq!(fields, ["b", "a", "x.y", "c"]);
}
