//! Names of fields with `*` in them.

/// Whether a name is a pattern.
pub(crate) fn has_star(name: &str) -> bool {
    name.contains('*')
}

/// What the stars of `pattern` stand for in `name`; none if it does not match. Each star takes as little as it can.
pub(crate) fn captures<'n>(pattern: &str, name: &'n str) -> Option<Vec<&'n str>> {
    let mut parts = pattern.split('*');
    let mut rest = name.strip_prefix(parts.next()?)?;
    let parts: Vec<&str> = parts.collect();
    let mut found = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        let at = if last { rest.strip_suffix(part).map(str::len) } else { rest.find(part) };
        let at = at?;
        found.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    rest.is_empty().then_some(found)
}

/// Whether a name matches a pattern (or is equal to it).
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    captures(pattern, name).is_some()
}

/// `to` with its stars replaced by what those of `from` stand for in `name`.
pub(crate) fn substitute(from: &str, to: &str, name: &str) -> Option<String> {
    let stars = captures(from, name)?;
    let mut out = String::new();
    for (index, part) in to.split('*').enumerate() {
        if index > 0 {
            out.push_str(stars.get(index - 1)?);
        }
        out.push_str(part);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_carried_over() {
        for (from, to, name, expected) in [
            ("object.*", "*", "object.a.b", Some("a.b")),
            ("*:*", "avg_*:*", "cpu:mem", Some("avg_cpu:mem")),
            ("stdev_*", "*", "stdev_", Some("")),
            ("a*b", "*", "ab", Some("")),
            ("a*b", "*", "a", None),
            ("x", "y", "x", Some("y")),
            ("x", "y", "xx", None),
        ] {
            assert_eq!(substitute(from, to, name).as_deref(), expected, "{from} {to} {name}");
        }
    }
}
