//! Comparisons with literals as patterns and as regular expressions.

use masthead_ir::pattern::{Case, OrderOp, Pattern};

use super::syntax::Operator;

/// The pattern of a comparison with one value; none for operators that are no test of a single value.
pub(super) fn pattern(operator: Operator, text: &str) -> Option<Pattern> {
    let own = || text.to_owned();
    let order = |op| Pattern::Order { op, literal: own() };
    Some(match operator {
        Operator::Eq | Operator::Ne | Operator::In | Operator::Intersects => {
            Pattern::Text { text: own(), case: Case::Sensitive, numeric: false }
        }
        Operator::Contains => Pattern::Contains { text: own(), case: Case::Sensitive },
        Operator::IContains => Pattern::Contains { text: own(), case: Case::Folded },
        Operator::StartsWith => Pattern::Prefix { text: own(), case: Case::Sensitive },
        Operator::EndsWith => Pattern::Suffix { text: own(), case: Case::Sensitive },
        Operator::Glob | Operator::IGlob if !text.contains(['?', '[', '\\']) => {
            let case = if operator == Operator::Glob { Case::Sensitive } else { Case::Folded };
            Pattern::Wildcard { glob: own(), case }
        }
        Operator::Glob | Operator::IGlob | Operator::Regex | Operator::PMatch => Pattern::Regex(regex(operator, text)?),
        Operator::Lt => order(OrderOp::Lt),
        Operator::Le => order(OrderOp::Le),
        Operator::Gt => order(OrderOp::Gt),
        Operator::Ge => order(OrderOp::Ge),
        Operator::BContains | Operator::BStartsWith | Operator::Exists => return None,
    })
}

/// The regular expression of the same comparison, for values that are computed; none for orders too.
pub(super) fn regex(operator: Operator, text: &str) -> Option<String> {
    let literal = regex::escape(text);
    Some(match operator {
        Operator::Eq | Operator::Ne | Operator::In | Operator::Intersects => format!(r"\A{literal}\z"),
        Operator::Contains => literal,
        Operator::IContains => format!("(?i){literal}"),
        Operator::StartsWith => format!(r"\A{literal}"),
        Operator::EndsWith => format!(r"{literal}\z"),
        Operator::Glob => format!(r"(?s)\A{}\z", glob(text)),
        Operator::IGlob => format!(r"(?is)\A{}\z", glob(text)),
        Operator::Regex => format!(r"\A(?:{text})\z"),
        Operator::PMatch => path_prefix(text),
        _ => return None,
    })
}

/// One expression for any of several.
pub(super) fn any_regex(expressions: &[String]) -> String {
    format!("(?:{})", expressions.join("|"))
}

/// A shell pattern (`fnmatch` without flags) as a regular expression: `*` and `?` also stand for slashes.
fn glob(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '\\' => {
                let escaped = rest.chars().next();
                rest = &rest[escaped.map_or(0, char::len_utf8)..];
                out.push_str(&regex::escape(escaped.unwrap_or('\\').encode_utf8(&mut [0; 4])));
            }
            '[' => match class(rest) {
                Some((class, behind)) => {
                    out.push_str(&class);
                    rest = behind;
                }
                None => out.push_str(r"\["),
            },
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out
}

/// The set of characters that begins behind a `[`, and what follows it; none if it does not end.
fn class(text: &str) -> Option<(String, &str)> {
    let (negated, body) = match text.strip_prefix(['!', '^']) {
        Some(body) => (true, body),
        None => (false, text),
    };
    // A bracket in the first place is a member.
    let first = body.chars().next()?.len_utf8();
    let end = first + body[first..].find(']')?;
    let mut out = String::from(if negated { "[^" } else { "[" });
    for char in body[..end].chars() {
        if r"[]\^&~".contains(char) {
            out.push('\\');
        }
        out.push(char);
    }
    out.push(']');
    Some((out, &body[end + 1..]))
}

/// Whether a path lies at or below another: whole components count, and slashes at the ends and doubled ones do not.
fn path_prefix(path: &str) -> String {
    let components: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(glob).collect();
    if components.is_empty() {
        return "(?s)".to_owned();
    }
    format!(r"(?s)\A/*{}(?:/.*)?\z", components.join("/+"))
}
