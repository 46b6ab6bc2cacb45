//! Which findings go to which sinks.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use globset::{Glob, GlobSet, GlobSetBuilder};
use masthead_ir::finding::Finding;
use masthead_ir::rule::{Kind, Severity};

use crate::config::{GroupKey, RouteConfig};
use crate::error::SinkError;

/// The wait of a route that groups and does not say how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT_SECONDS: u32 = 3600;

/// How findings are gathered on their way to a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grouping {
    /// What the findings of one message have in common; an empty list: nothing, so that all that are due are one message;
    /// none: every finding is a message of its own.
    pub keys: Option<Vec<GroupKey>>,
    /// How long to wait for more findings of a group.
    pub wait: Duration,
    /// How many messages a minute. After a quiet time so many may come at once. What is over the limit waits, and then comes
    /// as one message.
    pub rate_per_minute: Option<NonZeroU32>,
}

/// One route, ready to be asked.
#[derive(Debug)]
struct Route {
    sinks: Vec<String>,
    severity: Option<Severity>,
    rules: Patterns,
    tags: Patterns,
    clusters: Patterns,
    kinds: Vec<Kind>,
    continues: bool,
}

/// Patterns of which one must match; none: everything does.
#[derive(Debug)]
struct Patterns(Option<GlobSet>);

impl Patterns {
    fn new(patterns: &[String]) -> Result<Patterns, String> {
        if patterns.is_empty() {
            return Ok(Patterns(None));
        }
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            set.add(Glob::new(pattern).map_err(|error| error.to_string())?);
        }
        Ok(Patterns(Some(set.build().map_err(|error| error.to_string())?)))
    }

    fn match_any<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> bool {
        self.0.as_ref().is_none_or(|set| texts.into_iter().any(|text| set.is_match(text)))
    }
}

impl Route {
    fn new(config: &RouteConfig) -> Result<Route, String> {
        let kinds = if config.kinds.is_empty() { vec![Kind::Finding] } else { config.kinds.clone() };
        Ok(Route {
            sinks: config.sinks.clone(),
            severity: config.severity,
            rules: Patterns::new(&config.rules)?,
            tags: Patterns::new(&config.tags)?,
            clusters: Patterns::new(&config.clusters)?,
            kinds,
            continues: config.continues,
        })
    }

    fn matches(&self, finding: &Finding, tags: &[String]) -> bool {
        self.kinds.contains(&finding.kind)
            && self.severity.is_none_or(|lowest| finding.severity >= lowest)
            && self.rules.match_any([finding.rule.id.as_str(), finding.rule.name.as_str()])
            && self.tags.match_any(tags.iter().map(String::as_str))
            && self.clusters.match_any(finding.cluster.as_deref())
    }
}

/// All routes.
#[derive(Debug)]
pub(crate) struct Routes {
    routes: Vec<Route>,
    /// All sinks, for the case that there are no routes.
    all: Vec<String>,
}

impl Routes {
    pub(crate) fn new(configs: &[RouteConfig], names: &[String]) -> Result<Routes, SinkError> {
        let mut routes = Vec::new();
        for (index, config) in configs.iter().enumerate() {
            let wrong = |message: String| SinkError::Route { number: index + 1, message };
            if let Some(unknown) = config.sinks.iter().find(|sink| !names.contains(sink)) {
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(wrong(format!("there is no sink `{unknown}`; the sinks are: {known}")));
            }
            if config.group_wait_seconds.is_some_and(|wait| wait > LONGEST_WAIT_SECONDS) {
                return Err(wrong(format!("group_wait_seconds is more than {LONGEST_WAIT_SECONDS}")));
            }
            routes.push(Route::new(config).map_err(wrong)?);
        }
        for name in names {
            if !routes.is_empty() && !routes.iter().any(|route| route.sinks.contains(name)) {
                tracing::warn!(sink = name, "no route leads to this sink, so nothing is sent to it");
            }
        }
        Ok(Routes { routes, all: names.to_vec() })
    }

    pub(crate) fn sinks(&self, finding: &Finding, tags: &[String]) -> Vec<String> {
        if self.routes.is_empty() {
            return if finding.kind == Kind::Finding { self.all.clone() } else { Vec::new() };
        }
        let mut sinks: Vec<String> = Vec::new();
        for route in self.routes.iter().filter(|route| route.matches(finding, tags)) {
            for sink in &route.sinks {
                if !sinks.contains(sink) {
                    sinks.push(sink.clone());
                }
            }
            if !route.continues {
                break;
            }
        }
        sinks
    }
}

/// What the routes say of gathering, by sink. Two routes may not say different things of one sink.
pub(crate) fn groupings(configs: &[RouteConfig]) -> Result<BTreeMap<String, Grouping>, SinkError> {
    #[derive(Default)]
    struct Said {
        group_by: Option<Vec<GroupKey>>,
        wait: Option<u32>,
        rate: Option<NonZeroU32>,
    }
    let mut said: BTreeMap<&str, Said> = BTreeMap::new();
    for (index, config) in configs.iter().enumerate() {
        for sink in &config.sinks {
            let said = said.entry(sink).or_default();
            let contradicted = contradicts("group_by", &mut said.group_by, config.group_by.as_ref())
                .or(contradicts("group_wait_seconds", &mut said.wait, config.group_wait_seconds.as_ref()))
                .or(contradicts("rate_per_minute", &mut said.rate, config.rate_per_minute.as_ref()));
            if let Some(key) = contradicted {
                let message = format!("`{key}` of sink `{sink}` is already given, differently, by a route before");
                return Err(SinkError::Route { number: index + 1, message });
            }
        }
    }
    let grouping = |said: Said| {
        let waits = said.wait.is_some_and(|wait| wait > 0);
        let all = [GroupKey::Rule, GroupKey::Severity, GroupKey::Cluster, GroupKey::Entity];
        let keys = said.group_by.or_else(|| waits.then(|| all.to_vec()));
        let wait = match (&keys, said.wait) {
            (_, Some(seconds)) => Duration::from_secs(seconds.into()),
            (Some(_), None) => DEFAULT_WAIT,
            (None, None) => Duration::ZERO,
        };
        Grouping { keys, wait, rate_per_minute: said.rate }
    };
    Ok(said.into_iter().map(|(sink, said)| (sink.to_owned(), grouping(said))).collect())
}

/// The key, if this was said otherwise before.
fn contradicts<T: Clone + PartialEq>(key: &'static str, said: &mut Option<T>, now: Option<&T>) -> Option<&'static str> {
    let now = now?;
    match said {
        Some(before) if before != now => Some(key),
        _ => {
            *said = Some(now.clone());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample_finding;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn finding(kind: Kind, severity: Severity, rule: &str, cluster: Option<&str>) -> Finding {
        let mut finding = Finding { kind, severity, cluster: cluster.map(str::to_owned), ..sample_finding() };
        finding.rule.id = rule.to_owned();
        finding
    }

    fn routes(toml: &str) -> Vec<RouteConfig> {
        toml::from_str::<crate::SinksConfig>(toml).unwrap().route
    }

    const TABLE: &str = r#"
        [[route]]
        clusters = ["lab-*"]
        sinks = []
        [[route]]
        severity = "critical"
        sinks = ["pager"]
        continue = true
        [[route]]
        tags = ["team-{a,b}"]
        sinks = ["chat", "pager"]
        [[route]]
        rules = ["k8s.*", "Sample rule?"]
        kinds = ["finding", "intermediate_finding"]
        sinks = ["file"]
    "#;

    /// Kind, severity, rule, cluster and tags of a finding, and the sinks it goes to.
    type Case = (Kind, Severity, &'static str, Option<&'static str>, &'static [&'static str], &'static [&'static str]);

    #[test]
    fn the_first_route_that_matches_decides_unless_it_continues() {
        let routes = Routes::new(&routes(TABLE), &names(&["chat", "file", "pager"])).unwrap();
        use Kind::{Finding as Alert, Hunt, IntermediateFinding as Risk};
        use Severity::{Critical, High, Low};
        let table: [Case; 9] = [
            (Alert, Critical, "k8s.exec", Some("lab-1"), &["team-a"], &[]),
            (Alert, Critical, "k8s.exec", Some("prod"), &["team-a"], &["pager", "chat"]),
            (Alert, Critical, "k8s.exec", None, &[], &["pager", "file"]),
            (Alert, Critical, "other", None, &[], &["pager"]),
            (Alert, High, "other", None, &["x", "team-b"], &["chat", "pager"]),
            (Alert, Low, "k8s.exec", None, &["team-c"], &["file"]),
            (Alert, Low, "other", None, &[], &[]),
            (Risk, Critical, "k8s.exec", None, &["team-a"], &["file"]),
            (Hunt, Critical, "k8s.exec", None, &["team-a"], &[]),
        ];
        for (kind, severity, rule, cluster, tags, expected) in table {
            let found = routes.sinks(&finding(kind, severity, rule, cluster), &names(tags));
            assert_eq!(found, expected, "{kind:?} {severity:?} {rule} {cluster:?} {tags:?}");
        }
    }

    #[test]
    fn a_rule_is_known_by_its_name_too() {
        let routes = Routes::new(&routes("[[route]]\nrules = ['Sample *']\nsinks = ['a']"), &names(&["a"])).unwrap();
        assert_eq!(routes.sinks(&sample_finding(), &[]), ["a"]);
    }

    #[test]
    fn without_routes_every_sink_gets_findings_only() {
        let routes = Routes::new(&[], &names(&["a", "b"])).unwrap();
        assert_eq!(routes.sinks(&finding(Kind::Finding, Severity::Informational, "r", None), &[]), ["a", "b"]);
        for kind in [Kind::IntermediateFinding, Kind::Signal, Kind::Hunt] {
            assert!(routes.sinks(&finding(kind, Severity::Critical, "r", None), &[]).is_empty());
        }
    }

    #[test]
    fn faulty_routes_are_named() {
        let fault = |toml: &str| Routes::new(&routes(toml), &names(&["a"])).unwrap_err().to_string();
        assert_eq!(fault("[[route]]\n[[route]]\nsinks = ['b']"), "route 2: there is no sink `b`; the sinks are: a");
        assert!(fault("[[route]]\nrules = ['[a']").starts_with("route 1: "));
        assert!(fault("[[route]]\ngroup_wait_seconds = 4000").contains("group_wait_seconds"));
    }

    #[test]
    fn what_routes_say_of_gathering() {
        let toml = "[[route]]\nsinks = ['a', 'b']\ngroup_wait_seconds = 5\n[[route]]\nsinks = ['b', 'c', 'd']\nrate_per_minute = 3\n\
                    [[route]]\nsinks = ['c']\ngroup_by = ['rule']\n[[route]]\nsinks = ['d']\ngroup_by = []\ngroup_wait_seconds = 0";
        let all = groupings(&routes(toml)).unwrap();
        let every = Some(vec![GroupKey::Rule, GroupKey::Severity, GroupKey::Cluster, GroupKey::Entity]);
        let seconds = Duration::from_secs;
        assert_eq!(all["a"], Grouping { keys: every.clone(), wait: seconds(5), rate_per_minute: None });
        assert_eq!(all["b"], Grouping { keys: every, wait: seconds(5), rate_per_minute: NonZeroU32::new(3) });
        let by_rule = Some(vec![GroupKey::Rule]);
        assert_eq!(all["c"], Grouping { keys: by_rule, wait: seconds(30), rate_per_minute: NonZeroU32::new(3) });
        assert_eq!(all["d"], Grouping { keys: Some(vec![]), wait: seconds(0), rate_per_minute: NonZeroU32::new(3) });
        let toml = "[[route]]\nsinks = ['a']\nrate_per_minute = 3\n[[route]]\nsinks = ['a']\nrate_per_minute = 4";
        assert!(
            groupings(&routes(toml)).unwrap_err().to_string().starts_with("route 2: `rate_per_minute` of sink `a`")
        );
    }
}
