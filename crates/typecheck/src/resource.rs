//! Names of resources and subresources that are no names, or not of what is meant.

use masthead_ir::Level;
use masthead_ir::pattern::Pattern;
use masthead_schema::{audit, types};

use crate::env::Env;
use crate::field::Read;
use crate::literal;
use crate::walk::Problem;

/// Why a test of a resource or subresource never passes. Custom resources can have any name, so that a name counts as
/// wrong only if it is nearly one of Kubernetes itself.
pub(crate) fn problem(read: &Read, pattern: &Pattern, env: &Env) -> Option<Problem> {
    let text = literal::choices(pattern)?.into_iter().next()?;
    let custom = env.get("objectRef.apiGroup").is_some_and(|groups| !groups.iter().any(|group| is_group(group)));
    if custom || text.is_empty() {
        return None;
    }
    match read.name.as_str() {
        "objectRef.resource" => of_resource(&text, pattern),
        "objectRef.subresource" => of_subresource(&text, pattern, env),
        _ => None,
    }
}

fn is_group(name: &str) -> bool {
    types::resources().iter().any(|known| known.group == name)
}

fn warning(code: &'static str, message: String, help: String, subject: &str) -> Option<Problem> {
    let (help, subject) = (Some(help), subject.to_owned());
    Some(Problem { code, level: Level::Warning, message, help, subject, elsewhere: false })
}

fn of_resource(text: &str, pattern: &Pattern) -> Option<Problem> {
    if let Some((resource, subresource)) = text.split_once('/') {
        let help = format!(
            "test `objectRef.resource` for `{resource}` and `objectRef.subresource` for `{}`",
            subresource.trim_matches('*')
        );
        let message = format!("`objectRef.resource` is never `{text}`: it holds no subresource");
        return warning("wrong-subresource", message, help, text);
    }
    let known = types::resources();
    if known.iter().any(|known| literal::decide(pattern, known.resource) != Some(false)) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let by_name = || known.iter().find(|known| known.resource == lower);
    let by_kind = || {
        let kind = |known: &&types::Resource| known.types.iter().any(|name| name.eq_ignore_ascii_case(text));
        known.iter().filter(|known| known.subresource.is_empty()).find(kind)
    };
    let by_slip = || known.iter().find(|known| text.len() >= MIN_SLIP && one_edit(known.resource, &lower));
    let near = by_name().or_else(by_kind).or_else(by_slip)?.resource;
    let message = format!("no resource is called `{text}`");
    warning("unknown-resource", message, format!("the resource is called `{near}`"), text)
}

/// How long a name must be for one letter to be a slip.
const MIN_SLIP: usize = 6;

/// Whether one text becomes the other by one letter more, less or changed.
fn one_edit(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let start = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (left, right) = (&left[start..], &right[start..]);
    let behind = |all: &[u8]| all.get(1..).map(<[u8]>::to_vec);
    match left.len().cmp(&right.len()) {
        std::cmp::Ordering::Equal => !left.is_empty() && behind(left) == behind(right),
        std::cmp::Ordering::Less => behind(right).as_deref() == Some(left),
        std::cmp::Ordering::Greater => behind(left).as_deref() == Some(right),
    }
}

fn of_subresource(text: &str, pattern: &Pattern, env: &Env) -> Option<Problem> {
    let all = || audit::SUBRESOURCES.iter().flat_map(|(_, names)| names.iter().copied());
    let passes = |name: &str| literal::decide(pattern, name) != Some(false);
    let near = all().find(|name| bare(name) == bare(text)).filter(|name| !passes(name));
    let known: Option<Vec<&str>> = match env.get("objectRef.resource") {
        None | Some([]) => None,
        Some(resources) => {
            let of = |name: &String| audit::SUBRESOURCES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let found: Option<Vec<_>> = resources.iter().map(of).collect();
            found.map(|found| found.iter().flat_map(|(_, names)| names.iter().copied()).collect())
        }
    };
    let wrong = match &known {
        // Custom resources of the same name can have these.
        Some(names) => !names.iter().any(|name| passes(name)) && !passes("status") && !passes("scale"),
        None => near.is_some(),
    };
    if !wrong {
        return None;
    }
    let whose = match env.get("objectRef.resource") {
        Some(resources) if known.is_some() => format!("`{}` has", resources.join("` or `")),
        _ => "there is".to_owned(),
    };
    let help = match (near, known) {
        (Some(near), _) => format!("the subresource is called `{near}`"),
        (None, Some(names)) if !names.is_empty() => format!("there are `{}`", names.join("`, `")),
        _ => "there are no subresources of it".to_owned(),
    };
    warning("wrong-subresource", format!("{whose} no subresource `{text}`"), help, text)
}

/// A name as people may misspell it: no hyphens, no plural, small letters.
fn bare(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "").trim_end_matches('s').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_one_letter() {
        for (left, right, expected) in [
            ("secrets", "secretes", true),
            ("secrets", "secret", true),
            ("secrets", "sacrets", true),
            ("secrets", "secrets", false),
            ("roles", "routes", false),
        ] {
            assert_eq!(one_edit(left, right), expected, "{left} {right}");
        }
    }
}
