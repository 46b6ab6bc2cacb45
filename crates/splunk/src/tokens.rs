//! `$field$` tokens in messages, titles and searches.

use std::ops::Range;

/// The tokens of a text: the field, and where the token with its signs stands. A token is what stands between two `$`
/// without blanks; `$$` is none.
pub(crate) fn tokens(text: &str) -> Vec<(&str, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find('$').map(|offset| at + offset) {
        let inner = start + 1;
        let Some(end) = text[inner..].find('$').map(|offset| inner + offset) else { break };
        let name = &text[inner..end];
        if name.is_empty() || name.contains(char::is_whitespace) {
            // The second sign may open a token of its own.
            at = end;
            continue;
        }
        found.push((name, start..end + 1));
        at = end + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn tokens_have_no_blanks() {
        let cases: [(&str, &[&str]); 6] = [
            ("from ip $src_ip$", &["src_ip"]),
            ("$user.groups{}$ and $a$", &["user.groups{}", "a"]),
            ("costs $5 for $user$", &["user"]),
            ("$$", &[]),
            ("only $one", &[]),
            ("ärger $ü$", &["ü"]),
        ];
        for (text, expected) in cases {
            let names: Vec<&str> = tokens(text).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, expected, "{text}");
        }
    }
}
