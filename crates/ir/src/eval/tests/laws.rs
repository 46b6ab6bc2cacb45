use proptest::prelude::*;

use super::*;

/// What a star pattern means, said as plainly as can be.
fn glob_reference(glob: &[char], text: &[char]) -> bool {
    match (glob.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => (0..=text.len()).any(|skip| glob_reference(rest, &text[skip..])),
        (Some((g, glob)), Some((t, text))) => g == t && glob_reference(glob, text),
        _ => false,
    }
}

/// What a `%` pattern means.
fn like_reference(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('%', rest)), _) => (0..=text.len()).any(|skip| like_reference(rest, &text[skip..])),
        (Some(('_', pattern)), Some((_, text))) => like_reference(pattern, text),
        (Some((p, pattern)), Some((t, text))) => p == t && like_reference(pattern, text),
        _ => false,
    }
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn truth_value() -> impl Strategy<Value = Truth> {
    prop_oneof![Just(Some(true)), Just(Some(false)), Just(None)]
}

fn of_truth(truth: Truth) -> Expr {
    Expr::Literal(truth.map_or(Value::Absent, Value::Bool))
}

fn run(expr: &Expr) -> Truth {
    Program::compile(expr).unwrap().truth(&Fields::default(), &Context::default())
}

/// Truths as numbers, in which "and" is the smaller, "or" the larger, and "not" the mirror.
fn rank(truth: Truth) -> i8 {
    match truth {
        Some(false) => -1,
        None => 0,
        Some(true) => 1,
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-c]{0,2}".prop_map(Value::text),
        "-?[0-9]{1,3}(\\.[0-9]{1,2})?".prop_map(Value::text),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
    ]
}

proptest! {
    #[test]
    fn globs_agree_with_their_definition(glob in "[ab*]{0,8}", text in "[ab]{0,10}") {
        prop_assert_eq!(super::glob::Glob::new(&glob).matches(&text), glob_reference(&chars(&glob), &chars(&text)));
    }

    #[test]
    fn likes_agree_with_their_definition(pattern in "[abä%_]{0,8}", text in "[abä]{0,10}") {
        prop_assert_eq!(super::glob::Like::new(&pattern).matches(&text), like_reference(&chars(&pattern), &chars(&text)));
    }

    #[test]
    fn a_glob_matches_what_its_stars_are_filled_with(parts in prop::collection::vec("[a-c]{0,3}", 1..5), fill in "[a-c]{0,3}") {
        prop_assert!(super::glob::Glob::new(&parts.join("*")).matches(&parts.join(&fill)));
    }

    #[test]
    fn folding_is_idempotent_and_forgets_case(text in "\\PC{0,20}") {
        let folded = fold::fold(&text);
        prop_assert_eq!(&fold::fold(&folded), &folded);
        prop_assert_eq!(text.chars().count(), folded.chars().count());
        let mut buffer = String::from("before");
        fold::fold_into(&text, &mut buffer);
        prop_assert_eq!(buffer.as_str(), &*folded);
        let pattern = Pattern::Text { text: text.clone(), case: Case::Folded, numeric: false };
        prop_assert!(CompiledPattern::new(&pattern).unwrap().matches_str(&folded));
    }

    #[test]
    fn numeric_equality_is_symmetric(a in "[-+]?[0-9]{0,4}(\\.[0-9]{0,2})?(e[0-9])?", b in "[-+]?[0-9]{0,4}(\\.[0-9]{0,2})?(e[0-9])?") {
        let equal = |literal: &str, value: &str| {
            let pattern = Pattern::Text { text: literal.into(), case: Case::Sensitive, numeric: true };
            CompiledPattern::new(&pattern).unwrap().matches_str(value)
        };
        prop_assert_eq!(equal(&a, &b), equal(&b, &a));
        prop_assert_eq!(equal(&a, &b), compare(CompareOp::Eq, &s(&a), &s(&b)) == Some(true));
    }

    #[test]
    fn orders_agree_with_comparisons(literal in "[a0-9]{1,3}", value in scalar()) {
        for (op, other) in [(OrderOp::Lt, CompareOp::Lt), (OrderOp::Le, CompareOp::Le), (OrderOp::Gt, CompareOp::Gt), (OrderOp::Ge, CompareOp::Ge)] {
            let pattern = CompiledPattern::new(&Pattern::Order { op, literal: literal.clone() }).unwrap();
            prop_assert_eq!(pattern.matches(&value), compare(other, &value, &s(&literal)) == Some(true));
        }
    }

    #[test]
    fn decimal_numbers_read_back(number in any::<f64>().prop_filter("finite", |f| f.is_finite())) {
        let text = number::Number::from_f64(number).unwrap().decimal();
        prop_assert!(!text.contains(['e', 'E']) && !text.ends_with(".0"));
        prop_assert_eq!(number::Number::parse(&text).unwrap().as_f64(), number);
    }

    #[test]
    fn connectives_follow_kleene(a in truth_value(), b in truth_value(), c in truth_value()) {
        let all = Expr::And(vec![of_truth(a), of_truth(b), of_truth(c)]);
        let any = Expr::Or(vec![of_truth(a), of_truth(b), of_truth(c)]);
        let not = |e: Expr| Expr::Not(Box::new(e));
        let ranks = [rank(a), rank(b), rank(c)];
        prop_assert_eq!(rank(run(&all)), *ranks.iter().min().unwrap());
        prop_assert_eq!(rank(run(&any)), *ranks.iter().max().unwrap());
        prop_assert_eq!(rank(run(&not(of_truth(a)))), -rank(a));
        let mirrored = Expr::Or(vec![not(of_truth(a)), not(of_truth(b)), not(of_truth(c))]);
        prop_assert_eq!(run(&not(all)), run(&mirrored));
    }

    #[test]
    fn differing_everywhere_is_the_opposite_of_passing_somewhere(values in prop::collection::vec("[ab]", 0..4)) {
        let row = row(&[("x", Value::list(values.iter().map(Value::text)))]);
        let pattern = Pattern::Text { text: "a".into(), case: Case::Sensitive, numeric: false };
        let field = FieldPath::flat("x");
        let tested = run_on(&Expr::Test { field: field.clone(), pattern: pattern.clone() }, &row);
        let every = run_on(&Expr::Differs { field, pattern, rule: Differs::EveryValue }, &row);
        prop_assert_eq!(every, Some(!values.is_empty() && tested == Some(false)));
    }
}

fn run_on(expr: &Expr, row: &Fields) -> Truth {
    Program::compile(expr).unwrap().truth(row, &Context::default())
}
