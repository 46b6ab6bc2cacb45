//! Text for people: cleaned, and never longer than what the other side takes.

/// Text as a chat may show it: without control characters (but line ends) and without the characters that turn the direction of
/// writing around, and at most `max` characters long.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (taken, c) in text.chars().filter(|c| !turns(*c) && *c != '\r').enumerate() {
        if taken == max {
            // The mark takes the place of the last character, so that the bound holds.
            out.pop();
            out.push('…');
            break;
        }
        out.push(if c.is_control() && c != '\n' { ' ' } else { c });
    }
    out
}

/// The same in one line.
pub(crate) fn line(text: &str, max: usize) -> String {
    let text = clean(text, max.saturating_mul(4).max(max)).replace('\n', " ");
    clean(text.trim(), max)
}

fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// Replaces characters, stopping before the result is longer than `max` characters.
fn replaced(text: &str, max: usize, replacement: fn(char) -> Option<&'static str>) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let mut buffer = [0; 4];
        let piece = replacement(c).unwrap_or_else(|| c.encode_utf8(&mut buffer));
        length += piece.chars().count();
        if length >= max {
            out.push('…');
            break;
        }
        out.push_str(piece);
    }
    out
}

/// Text for Slack: `&`, `<` and `>` are its only marks that can do harm.
pub(crate) fn slack(text: &str, max: usize) -> String {
    replaced(text, max, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    })
}

/// Text for HTML, in an element or a quoted attribute.
pub(crate) fn html(text: &str) -> String {
    replaced(text, usize::MAX, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    })
}

/// Text for the facts of an Adaptive Card: a link in the text of an event must not become one.
pub(crate) fn unlinked(text: &str) -> String {
    text.replace("](", "]\u{200b}(")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_text_is_bounded_and_harmless() {
        assert_eq!(clean("a\u{7}b\r\nc", 10), "a b\nc");
        assert_eq!(clean("user\u{202e}gpj.exe", 20), "usergpj.exe");
        assert_eq!(clean("äöüß", 4), "äöüß");
        assert_eq!(clean("äöüßx", 4), "äöü…");
        assert_eq!(line(" a\nb ", 10), "a b");
    }

    #[test]
    fn escaping_keeps_the_bound_and_whole_escapes() {
        assert_eq!(slack("<!channel> & co", 100), "&lt;!channel&gt; &amp; co");
        assert_eq!(slack("<<<<", 9), "&lt;&lt;…");
        assert_eq!(html("<a href=\"x\" b='y'>"), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;");
    }
}
