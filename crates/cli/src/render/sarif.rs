//! Diagnostics as SARIF 2.1.0.

use std::collections::BTreeSet;
use std::path::Path;

use masthead_ir::diagnostic::{Diagnostic, Level};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value as Json, json};

/// What a path may not have as it is where a URI is expected (RFC 3986, section 3.3).
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A whole log of diagnostics, with the meaning of each code in it.
pub(crate) fn log(diagnostics: &[&Diagnostic]) -> Json {
    let used: BTreeSet<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    let codes = masthead_engine::codes();
    let meaning = |name: &str| codes.iter().find(|code| code.name == name).map(|code| code.meaning);
    let rules: Vec<Json> = used
        .iter()
        .map(|name| match meaning(name) {
            Some(meaning) => json!({"id": name, "shortDescription": {"text": meaning}}),
            None => json!({"id": name}),
        })
        .collect();
    let index = |name: &str| used.iter().position(|used| *used == name);
    let results: Vec<Json> = diagnostics.iter().map(|diagnostic| result(diagnostic, index(diagnostic.code))).collect();
    json!({
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [{
            "tool": {"driver": {
                "name": env!("CARGO_PKG_NAME"),
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(diagnostic: &Diagnostic, rule: Option<usize>) -> Json {
    let level = match diagnostic.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let text = match &diagnostic.help {
        Some(help) => format!("{} ({help})", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let mut result = json!({"ruleId": diagnostic.code, "ruleIndex": rule, "level": level, "message": {"text": text}});
    if let Some(span) = &diagnostic.span {
        let (line, column) = span.line_column();
        let (end_line, end_column) = span.end_line_column();
        result["locations"] = json!([{"physicalLocation": {
            "artifactLocation": {"uri": uri(&span.path)},
            "region": {
                "startLine": line,
                "startColumn": column,
                "endLine": end_line,
                "endColumn": end_column,
            },
        }}]);
    }
    result
}

/// A path as a reference: relative as it is, absolute with a scheme.
fn uri(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = if cfg!(windows) { text.replace('\\', "/") } else { text.into_owned() };
    let scheme = if path.is_absolute() { "file://" } else { "" };
    format!("{scheme}{}", utf8_percent_encode(&text, NOT_IN_PATHS))
}
