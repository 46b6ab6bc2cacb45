//! Diagnostics as SARIF 2.1.0.

use masthead_ir::diagnostic::{Diagnostic, Level};
use serde_json::{Value as Json, json};

/// A whole log of diagnostics.
pub(crate) fn log<'d>(diagnostics: impl Iterator<Item = &'d Diagnostic>) -> Json {
    let results: Vec<Json> = diagnostics.map(result).collect();
    json!({
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [{
            "tool": {"driver": {"name": "masthead", "version": env!("CARGO_PKG_VERSION")}},
            "results": results,
        }],
    })
}

fn result(diagnostic: &Diagnostic) -> Json {
    let level = match diagnostic.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let mut result = json!({"ruleId": diagnostic.code, "level": level, "message": {"text": diagnostic.message}});
    if let Some(span) = &diagnostic.span {
        let (line, column) = span.line_column();
        result["locations"] = json!([{"physicalLocation": {
            "artifactLocation": {"uri": span.path.display().to_string()},
            "region": {"startLine": line, "startColumn": column},
        }}]);
    }
    result
}
