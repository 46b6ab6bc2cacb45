//! TOML documents as the same trees with places as YAML's.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::node::{Node, NodeValue, Scalar, Style};
use crate::parse::YamlError;

/// How deep a document may be nested.
const MAX_DEPTH: usize = 128;

/// The document of a TOML text: a mapping.
///
/// # Errors
/// When the text is no TOML, or is nested too deep.
pub(crate) fn parse(text: &str) -> Result<Node, YamlError> {
    let document = DeTable::parse(text).map_err(|error| YamlError {
        message: error.message().to_owned(),
        offset: error.span().map_or(0, |span| span.start),
    })?;
    let entries = table(text, document.get_ref(), 0)?;
    Ok(Node { value: NodeValue::Mapping(entries), span: 0..text.len(), style: Style::Collection })
}

fn table(text: &str, table: &DeTable<'_>, depth: usize) -> Result<Vec<(Node, Node)>, YamlError> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        entries.push((key_node(text, key), node(text, value, depth + 1)?));
    }
    // The parser gives them by name; readers expect the order of the file.
    entries.sort_by_key(|(key, _)| key.span.start);
    Ok(entries)
}

fn key_node(text: &str, key: &Spanned<DeString<'_>>) -> Node {
    let span = key.span();
    let style = style(text, &span);
    Node { value: NodeValue::Scalar(key.get_ref().to_string(), Scalar::Text), span, style }
}

fn node(text: &str, value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Node, YamlError> {
    let span = value.span();
    if depth > MAX_DEPTH {
        return Err(YamlError { message: format!("nested deeper than {MAX_DEPTH}"), offset: span.start });
    }
    let written = || text.get(span.clone()).unwrap_or_default().to_owned();
    let plain = |scalar: Scalar| (NodeValue::Scalar(written(), scalar), Style::Plain);
    let (value, style) = match value.get_ref() {
        DeValue::String(found) => (NodeValue::Scalar(found.to_string(), Scalar::Text), style(text, &span)),
        DeValue::Integer(_) => plain(integer(&written()).map_or(Scalar::Text, Scalar::Int)),
        DeValue::Float(_) => plain(written().replace('_', "").parse().map_or(Scalar::Text, Scalar::Float)),
        DeValue::Boolean(truth) => plain(Scalar::Bool(*truth)),
        DeValue::Datetime(_) => plain(Scalar::Text),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| node(text, item, depth + 1)).collect::<Result<_, _>>()?;
            (NodeValue::Sequence(items), Style::Collection)
        }
        DeValue::Table(inner) => (NodeValue::Mapping(table(text, inner, depth)?), Style::Collection),
    };
    Ok(Node { value, span, style })
}

fn integer(written: &str) -> Option<i64> {
    let digits = written.replace('_', "");
    let radix =
        |prefix: &str, radix: u32| digits.strip_prefix(prefix).map(|rest| i64::from_str_radix(rest, radix).ok());
    let other = radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| radix("0b", 2));
    other.unwrap_or_else(|| digits.parse().ok())
}

fn style(text: &str, span: &std::ops::Range<usize>) -> Style {
    let source = text.get(span.clone()).unwrap_or_default();
    match source {
        _ if source.starts_with("\"\"\"") => Style::Long { escapes: true },
        _ if source.starts_with("'''") => Style::Long { escapes: false },
        _ if source.starts_with('"') => Style::DoubleQuoted,
        // TOML knows no doubled quote: what stands between single quotes is as it is.
        _ if source.starts_with('\'') => Style::SingleQuoted,
        _ => Style::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_types_and_places() {
        let text = "# note\n[rule]\nname = \"a\\tb\"\nscore = 1_000\non = true\nquery = '''\nany where x\n'''\nids = [\"p\", \"q\"]\n[[rule.threat]]\nid = \"T1\"\n[[rule.threat]]\nid = \"T2\"\n";
        let root = parse(text).unwrap();
        let rule = root.get("rule").unwrap();
        assert_eq!(rule.get("name").and_then(Node::text), Some("a\tb"));
        assert_eq!(rule.get("score").and_then(Node::as_i64), Some(1000));
        assert_eq!(rule.get("on").and_then(Node::as_bool), Some(true));
        let query = rule.get("query").unwrap();
        assert_eq!(query.text(), Some("any where x\n"));
        assert_eq!(&text[query.offset_of(text, 4)..][..5], "where");
        assert_eq!(rule.get("ids").unwrap().texts(), ["p", "q"]);
        assert_eq!(rule.get("threat").unwrap().items().len(), 2);
    }

    #[test]
    fn a_fault_has_a_place() {
        let error = parse("a = 1\nb = = 2\n").unwrap_err();
        assert_eq!(error.offset, 10);
    }
}
