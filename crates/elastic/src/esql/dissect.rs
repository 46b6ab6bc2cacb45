//! Patterns of `DISSECT`: names between literal texts.

use super::grok::Extraction;

/// A pattern as a regular expression over the whole text. `separator` stands between the parts of a name that is appended
/// to; `group` gives names for groups.
pub(super) fn translate(
    pattern: &str,
    separator: &str,
    group: &mut dyn FnMut() -> String,
) -> Result<Extraction, String> {
    let mut out = Extraction { regex: String::from("^(?s:"), targets: Vec::new() };
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once("%{") {
        let Some((key, after)) = behind.split_once('}') else { return Err("a `%{` has no `}`".to_owned()) };
        out.regex.push_str(&regex::escape(before));
        let (key, padded) = key.strip_suffix("->").map_or((key, false), |key| (key, true));
        // A part ends where the next literal begins for the first time; the last goes to the end.
        let value = if after.is_empty() { ".*" } else { ".*?" };
        rest = after;
        match key.strip_prefix('+').unwrap_or(key) {
            "" => out.regex.push_str(&format!("(?:{value})")),
            skipped if skipped.starts_with('?') => out.regex.push_str(&format!("(?:{value})")),
            name if name.starts_with(['&', '*']) => {
                return Err(format!("`%{{{name}}}`, a key that names another, cannot run here"));
            }
            name => {
                let group = group();
                out.regex.push_str(&format!("(?<{group}>{value})"));
                let name = name.split_once('/').map_or(name, |(name, _)| name);
                out.add(name, group, false, key.starts_with('+').then_some(separator));
            }
        }
        if padded {
            let literal = rest.split_once("%{").map_or(rest, |(literal, _)| literal);
            if literal.is_empty() {
                out.regex.push_str(r"\s*");
            } else {
                out.regex.push_str(&format!("(?:{})+", regex::escape(literal)));
                rest = rest.get(literal.len()..).unwrap_or("");
            }
        }
    }
    out.regex.push_str(&regex::escape(rest));
    out.regex.push_str(")$");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(pattern: &str) -> Result<Extraction, String> {
        let mut count = 0;
        translate(pattern, "-", &mut || {
            count += 1;
            format!("g{count}")
        })
    }

    #[test]
    fn keys_stand_between_literals() {
        let found = translated("%{a.b} [%{+c}] %{?skip->}  %{+c} %{}").unwrap();
        assert_eq!(found.regex, r"^(?s:(?<g1>.*?) \[(?<g2>.*?)\] (?:.*?)(?:  )+(?<g3>.*?) (?:.*))$");
        assert_eq!(found.targets.len(), 2);
        assert_eq!(found.targets[1].groups, ["g2", "g3"]);
        assert_eq!(found.targets[1].separator.as_deref(), Some("-"));
    }

    #[test]
    fn faults_are_named() {
        assert!(translated("%{a").is_err());
        assert!(translated("%{*a} %{&a}").is_err());
    }
}
