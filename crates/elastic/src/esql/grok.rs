//! Patterns of `GROK`: regular expressions with named parts (Elastic documentation, "Process data with DISSECT and GROK").

/// What is read out of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extraction {
    /// With named groups.
    pub(super) regex: String,
    pub(super) targets: Vec<Target>,
}

/// A column that is made of groups.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) groups: Vec<String>,
    /// Whether it is a number.
    pub(super) number: bool,
    /// What stands between the groups when they are joined to one text; none: they are several values.
    pub(super) separator: Option<String>,
}

impl Extraction {
    pub(super) fn add(&mut self, name: &str, group: String, number: bool, separator: Option<&str>) {
        match self.targets.iter_mut().find(|target| target.name == name) {
            Some(target) => {
                target.groups.push(group);
                target.separator = target.separator.take().or(separator.map(str::to_owned));
            }
            None => {
                let separator = separator.map(str::to_owned);
                self.targets.push(Target { name: name.to_owned(), groups: vec![group], number, separator });
            }
        }
    }
}

/// Named patterns, by their meaning; those inside are written out in turn.
const PATTERNS: &[(&str, &str)] = &[
    ("BASE10NUM", r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"),
    ("BASE16NUM", r"[+-]?(?:0[xX])?[0-9A-Fa-f]+"),
    ("BOOL", r"(?:true|false)"),
    ("DATA", r".*?"),
    ("EMAILADDRESS", r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~.-]+@%{HOSTNAME}"),
    ("EMAILLOCALPART", r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~.-]+"),
    ("GREEDYDATA", r".*"),
    ("GREEDYMULTILINE", r"(?s:.*)"),
    ("HOSTNAME", r"\b[0-9A-Za-z](?:[0-9A-Za-z_-]{0,62})(?:\.[0-9A-Za-z](?:[0-9A-Za-z_-]{0,62}))*\.?"),
    ("HOSTPORT", r"%{IPORHOST}:%{POSINT}"),
    ("INT", r"[+-]?[0-9]+"),
    ("IP", r"(?:%{IPV6}|%{IPV4})"),
    ("IPORHOST", r"(?:%{IP}|%{HOSTNAME})"),
    ("IPV4", r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})"),
    (
        "IPV6",
        r"(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){7}|(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?::(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?(?:%{IPV4})?)",
    ),
    (
        "LOGLEVEL",
        r"(?i:alert|trace|debug|notice|info|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe|emerg(?:ency)?)",
    ),
    ("MAC", r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}"),
    ("NONNEGINT", r"\b[0-9]+\b"),
    ("NOTSPACE", r"\S+"),
    ("NUMBER", r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"),
    ("PATH", r"(?:%{UNIXPATH}|[A-Za-z]+:(?:\\[^\\?*]*)+)"),
    ("POSINT", r"\b[1-9][0-9]*\b"),
    ("QS", r#"(?:"(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*')"#),
    ("QUOTEDSTRING", r#"(?:"(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*')"#),
    ("SPACE", r"\s*"),
    (
        "TIMESTAMP_ISO8601",
        r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[T ][0-9]{1,2}:?[0-9]{2}(?::?[0-9]{2}(?:[.,:][0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?",
    ),
    ("UNIXPATH", r"(?:/[0-9A-Za-z_%!$@:.,+~-]*)+"),
    ("URI", r"%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?"),
    ("URIHOST", r"%{IPORHOST}(?::%{POSINT})?"),
    ("URIPARAM", r"\?[0-9A-Za-z$.+!*'|(){},~@#%&/=:;_?\-\[\]<>]*"),
    ("URIPATH", r"(?:/[0-9A-Za-z$.+!*'(){},~:;=@#%&_\-]*)+"),
    ("URIPATHPARAM", r"%{URIPATH}(?:%{URIPARAM})?"),
    ("URIPROTO", r"[A-Za-z](?:[0-9A-Za-z+.-]+)"),
    ("USER", r"[0-9A-Za-z._-]+"),
    ("USERNAME", r"[0-9A-Za-z._-]+"),
    ("UUID", r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"),
    ("WORD", r"\b\w+\b"),
    ("YEAR", r"[0-9]{4}"),
];

/// A pattern as a regular expression that finds the first place where it matches. `group` gives names for groups.
pub(super) fn translate(pattern: &str, group: &mut dyn FnMut() -> String) -> Result<Extraction, String> {
    let mut out = Extraction { regex: String::new(), targets: Vec::new() };
    let mut rest = pattern;
    loop {
        let reference = rest.find("%{");
        let named = find_named(rest);
        let Some(at) = [reference, named].into_iter().flatten().min() else {
            out.regex.push_str(rest);
            return Ok(out);
        };
        let (before, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.regex.push_str(before);
        rest = if reference == Some(at) { out.reference(behind, group)? } else { out.named(behind, group)? };
    }
}

/// Where a named group begins that is written as one.
fn find_named(text: &str) -> Option<usize> {
    let starts = text.match_indices("(?<").map(|(at, _)| at);
    starts.into_iter().find(|at| {
        let escapes = text.get(..*at).unwrap_or("").bytes().rev().take_while(|b| *b == b'\\').count();
        escapes % 2 == 0 && !text.get(at + 3..).unwrap_or("").starts_with(['=', '!'])
    })
}

impl Extraction {
    /// `%{PATTERN}`, `%{PATTERN:name}` or `%{PATTERN:name:type}`; gives what stands behind.
    fn reference<'t>(&mut self, text: &'t str, group: &mut dyn FnMut() -> String) -> Result<&'t str, String> {
        let inner = text.strip_prefix("%{").unwrap_or(text);
        let Some((inner, rest)) = inner.split_once('}') else { return Err("a `%{` has no `}`".to_owned()) };
        let mut parts = inner.splitn(3, ':');
        let pattern = expanded(parts.next().unwrap_or(""))?;
        let Some(name) = parts.next().filter(|name| !name.is_empty()) else {
            self.regex.push_str(&format!("(?:{pattern})"));
            return Ok(rest);
        };
        let number = matches!(parts.next(), Some("int" | "long" | "float" | "double"));
        let group = group();
        self.regex.push_str(&format!("(?<{group}>{pattern})"));
        self.add(name, group, number, None);
        Ok(rest)
    }

    /// `(?<name>…`; gives what stands behind the name.
    fn named<'t>(&mut self, text: &'t str, group: &mut dyn FnMut() -> String) -> Result<&'t str, String> {
        let inner = text.strip_prefix("(?<").unwrap_or(text);
        let Some((name, rest)) = inner.split_once('>') else { return Err("a `(?<` has no `>`".to_owned()) };
        let group = group();
        self.regex.push_str(&format!("(?<{group}>"));
        self.add(name, group, false, None);
        Ok(rest)
    }
}

fn expanded(name: &str) -> Result<String, String> {
    let Some((_, pattern)) = PATTERNS.iter().find(|(known, _)| *known == name) else {
        return Err(format!("there is no pattern `{name}`"));
    };
    let mut out = String::new();
    let mut rest = *pattern;
    while let Some((before, behind)) = rest.split_once("%{") {
        let (inner, after) = behind.split_once('}').unwrap_or((behind, ""));
        out.push_str(before);
        out.push_str(&format!("(?:{})", expanded(inner)?));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(pattern: &str) -> Result<Extraction, String> {
        let mut count = 0;
        translate(pattern, &mut || {
            count += 1;
            format!("g{count}")
        })
    }

    #[test]
    fn every_pattern_is_a_regular_expression() {
        for (name, _) in PATTERNS {
            let regex = expanded(name).unwrap();
            assert!(regex::Regex::new(&regex).is_ok(), "{name}: {regex}");
        }
        for (name, text) in [
            ("IP", "::1"),
            ("IP", "10.1.2.3"),
            ("IPV6", "fe80::a:b"),
            ("NUMBER", "-1.5"),
            ("TIMESTAMP_ISO8601", "2025-01-31T12:00:00.123Z"),
            ("URI", "https://u@example.org:443/a/b?c=d"),
            ("UUID", "0a1b2c3d-0000-1111-2222-333344445555"),
            ("QS", r#""a \" b""#),
        ] {
            let regex = regex::Regex::new(&format!("^(?:{})$", expanded(name).unwrap())).unwrap();
            assert!(regex.is_match(text), "{name} {text}");
        }
    }

    #[test]
    fn names_become_groups() {
        let found = translated(r"%{WORD:a.b} (?<c>x+)\(?<d %{INT:n:int} %{DATA}").unwrap();
        assert_eq!(found.regex, r"(?<g1>\b\w+\b) (?<g2>x+)\(?<d (?<g3>[+-]?[0-9]+) (?:.*?)");
        let names: Vec<_> = found.targets.iter().map(|t| (&*t.name, &*t.groups[0], t.number)).collect();
        assert_eq!(names, [("a.b", "g1", false), ("c", "g2", false), ("n", "g3", true)]);
    }

    #[test]
    fn a_name_that_stands_twice_has_several_values() {
        let found = translated("%{WORD:a} %{WORD:a}").unwrap();
        assert_eq!(found.targets.len(), 1);
        assert_eq!(found.targets[0].groups, ["g1", "g2"]);
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(translated("%{NOSUCH:a}"), Err("there is no pattern `NOSUCH`".to_owned()));
        assert_eq!(translated("%{WORD"), Err("a `%{` has no `}`".to_owned()));
    }
}
