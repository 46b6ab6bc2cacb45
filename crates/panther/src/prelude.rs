//! The Python that runs around a rule: the event class, the runner, and stand-ins for packages that rules import. Mock
//! objects (`unittest.mock`) come from the script host.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The module and function that the script host calls for each candidate.
pub(crate) const ENTRY: (&str, &str) = ("masthead_panther", "judge");

/// Module names that helpers of a rule folder may not take.
pub(crate) const RESERVED: &[&str] = &["masthead_panther", "panther_core", "unittest"];

const UNAVAILABLE: &str = include_str!("../python/unavailable.py");

/// Packages that exist where these rules usually run, and not here.
const ABSENT: &[&str] = &[
    "boto3",
    "botocore",
    "jsonpath_ng",
    "policyuniverse",
    "policyuniverse.action_categories",
    "policyuniverse.arn",
    "policyuniverse.expander_minimizer",
    "policyuniverse.policy",
    "policyuniverse.statement",
    "pycountry",
    "requests",
];

/// The package of a module, if it is one that does not exist here.
pub(crate) fn absent_package(module: &str) -> Option<&str> {
    let package = module.split('.').next()?;
    ABSENT.contains(&package).then_some(package)
}

/// The modules of the prelude by name.
pub(crate) fn modules() -> BTreeMap<String, Arc<str>> {
    let own = [
        ("masthead_panther", include_str!("../python/masthead_panther.py")),
        ("panther_core", include_str!("../python/panther_core.py")),
        ("panther_core.enriched_event", include_str!("../python/enriched_event.py")),
        ("panther_core.immutable", include_str!("../python/immutable.py")),
        ("panther_detection_helpers", include_str!("../python/panther_detection_helpers.py")),
        ("panther_detection_helpers.caching", include_str!("../python/caching.py")),
        ("dateutil", include_str!("../python/dateutil.py")),
        ("dateutil.parser", include_str!("../python/dateutil_parser.py")),
    ];
    let absent = ABSENT.iter().map(|name| (*name, UNAVAILABLE));
    own.into_iter().chain(absent).map(|(name, text)| (name.to_owned(), Arc::from(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    #[test]
    fn every_module_is_python_and_has_its_package() {
        let modules = modules();
        for (name, text) in &modules {
            Source::parse(name.into(), text.clone()).unwrap();
            if let Some((package, _)) = name.rsplit_once('.') {
                assert!(modules.contains_key(package), "{package}");
            }
        }
        let entry = Source::parse("entry".into(), modules[ENTRY.0].clone()).unwrap();
        assert!(entry.binds(ENTRY.1));
    }
}
