//! Blocks of text, put on a terminal or into Markdown.

/// How wide text on a terminal is.
const WIDTH: usize = 96;

/// A piece of a page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    /// The title of the whole.
    Title(String),
    /// The title of a section.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// What is said of a name, on one line.
    Pair(String, String),
    /// A member of a list, and how deep it stands in it.
    Item(usize, String),
    /// Text to be left as it is.
    Verbatim(String),
}

/// For a terminal.
pub(crate) fn text(blocks: &[Block]) -> String {
    let mut out = String::new();
    let width =
        blocks.iter().filter_map(|block| if let Block::Pair(name, _) = block { Some(name.len()) } else { None });
    let width = width.max().unwrap_or(0);
    for block in blocks {
        match block {
            Block::Title(title) => {
                let title = visible(title);
                out.push_str(&format!("{title}\n{}\n\n", "=".repeat(title.chars().count().min(WIDTH))));
            }
            Block::Heading(heading) => {
                blank(&mut out);
                out.push_str(&format!("{}\n", visible(heading).to_uppercase()));
            }
            Block::Text(text) => {
                for paragraph in paragraphs(text) {
                    wrap(&paragraph, "  ", "  ", &mut out);
                }
            }
            Block::Pair(name, value) => {
                let first = format!("  {name:width$}  ");
                wrap(&visible(value), &first, &" ".repeat(width + 4), &mut out);
            }
            Block::Item(depth, text) => {
                let bullet = if depth % 2 == 0 { '*' } else { '-' };
                let indent = 2 + depth * 3;
                wrap(&visible(text), &format!("{:indent$}{bullet} ", ""), &" ".repeat(indent + 2), &mut out);
            }
            Block::Verbatim(text) => {
                for line in text.lines() {
                    out.push_str(&format!("      {}\n", visible(line)));
                }
            }
        }
    }
    out
}

/// As Markdown.
pub(crate) fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    let mut last_was_item = false;
    for block in blocks {
        let is_item = matches!(block, Block::Item(..) | Block::Pair(..));
        if !(is_item && last_was_item) {
            blank(&mut out);
        }
        last_was_item = is_item;
        match block {
            Block::Title(title) => out.push_str(&format!("# {}\n", escaped(title))),
            Block::Heading(heading) => out.push_str(&format!("## {}\n", escaped(heading))),
            Block::Text(text) => {
                let paragraphs: Vec<String> = paragraphs(text).iter().map(|text| escaped(text)).collect();
                out.push_str(&format!("{}\n", paragraphs.join("\n\n")));
            }
            Block::Pair(name, value) => out.push_str(&format!("- **{}**: {}\n", escaped(name), escaped(value))),
            Block::Item(depth, text) => out.push_str(&format!("{}- {}\n", "  ".repeat(*depth), escaped(text))),
            Block::Verbatim(text) => {
                let fence = fence(text);
                let lines: Vec<String> = text.lines().map(visible).collect();
                out.push_str(&format!("{fence}\n{}\n{fence}\n", lines.join("\n")));
            }
        }
    }
    out
}

/// A fence longer than any run of backticks in the text.
fn fence(text: &str) -> String {
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

fn blank(out: &mut String) {
    if !out.is_empty() && !out.ends_with("\n\n") {
        out.push('\n');
    }
}

/// Paragraphs of a text: parts between blank lines, each on one line.
fn paragraphs(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for line in text.lines() {
        let line = visible(line.trim());
        match found.last_mut() {
            _ if line.is_empty() => found.push(String::new()),
            Some(last) if !last.is_empty() => last.push_str(&format!(" {line}")),
            Some(last) => *last = line,
            None => {}
        }
    }
    found.retain(|paragraph| !paragraph.is_empty());
    found
}

/// The text without characters that steer a terminal.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\t' => out.push(' '),
            char if char.is_control() => out.extend(char.escape_default()),
            char => out.push(char),
        }
    }
    out
}

/// Adds words to lines of at most [`WIDTH`] characters; a longer word stands alone.
fn wrap(text: &str, first: &str, rest: &str, out: &mut String) {
    let mut line = first.to_owned();
    let mut used = first.chars().count();
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if !empty && used + 1 + length > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = rest.to_owned();
            used = rest.chars().count();
            empty = true;
        }
        if !empty {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// The text with what Markdown would read as marks escaped, outside of backticks. An address alone becomes a link.
fn escaped(text: &str) -> String {
    let text = visible(text);
    let is_address = (text.starts_with("https://") || text.starts_with("http://")) && !text.contains([' ', '<', '>']);
    if is_address {
        return format!("<{text}>");
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('`') {
        let (plain, ticked) = rest.split_at(at);
        escape(plain, &mut out);
        let run = ticked.len() - ticked.trim_start_matches('`').len();
        let (open, after) = ticked.split_at(run);
        match closing(after, run) {
            Some(end) => {
                out.push_str(open);
                out.push_str(after.get(..end).unwrap_or_default());
                rest = after.get(end..).unwrap_or_default();
            }
            None => {
                out.push_str(&"\\`".repeat(run));
                rest = after;
            }
        }
    }
    escape(rest, &mut out);
    out
}

/// The end of the run of backticks that closes one of the same length.
fn closing(text: &str, run: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('`') {
        let start = at + found;
        let rest = text.get(start..)?;
        let length = rest.len() - rest.trim_start_matches('`').len();
        if length == run {
            return Some(start + length);
        }
        at = start + length;
    }
    None
}

fn escape(text: &str, out: &mut String) {
    for char in text.chars() {
        if matches!(char, '\\' | '*' | '_' | '<' | '>' | '[' | ']' | '|' | '#') {
            out.push('\\');
        }
        out.push(char);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_escaped_outside_of_backticks_only() {
        for (text, shown) in [
            ("a_b `c_d` *e*", "a\\_b `c_d` \\*e\\*"),
            ("`` a`b_c `` _", "`` a`b_c `` \\_"),
            ("a ` b_c", "a \\` b\\_c"),
            ("https://a.b/c_d", "<https://a.b/c_d>"),
            ("\u{1b}[31m", "\\\\u{1b}\\[31m"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn long_text_is_wrapped_and_long_words_stay_whole() {
        let word = "x".repeat(120);
        let shown = text(&[Block::Item(0, format!("{} {word} end", "ab ".repeat(40)))]);
        assert!(shown.lines().all(|line| line.len() <= WIDTH || line.trim() == word), "{shown}");
    }
}
