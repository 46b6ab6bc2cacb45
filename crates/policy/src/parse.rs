//! Reading policies.
//!
//! What the API server refuses is an error: unknown keys (it decodes strictly), levels, stages, API groups and paths that
//! its validation turns away, a policy without rules (package `apis/audit/validation`, `audit/policy/reader.go`). What it
//! takes but what cannot mean anything, such as a verb that no request has, is a warning.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use masthead_ir::{Diagnostic, Span};
use masthead_rulefile::{Node, NodeValue, parse, suggest};

use crate::known::{self, HTTP_VERBS, VERBS};
use crate::level::{Level, Stage};
use crate::policy::{GroupResources, Policy, PolicyRule};

const POLICY_KEYS: &[&str] = &["apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields"];
const RULE_KEYS: &[&str] = &[
    "level",
    "users",
    "userGroups",
    "verbs",
    "resources",
    "namespaces",
    "nonResourceURLs",
    "omitStages",
    "omitManagedFields",
];
const GROUP_KEYS: &[&str] = &["group", "resources", "resourceNames"];

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// Everything for which the API server would refuse the policy, with places. Warnings come with them.
    pub fn parse(path: impl AsRef<Path>, text: &str) -> Result<Policy, Vec<Diagnostic>> {
        let mut reader = Reader { path: path.as_ref().to_owned(), text: Arc::from(text), found: Vec::new() };
        let policy = reader.policy();
        reader.found.sort_by_key(|found| found.span.as_ref().map(|span| span.start));
        let faulty = reader.found.iter().any(|found| found.level == masthead_ir::Level::Error);
        match policy {
            Some(policy) if !faulty => Ok(Policy { warnings: reader.found, ..policy }),
            _ => Err(reader.found),
        }
    }
}

struct Reader {
    path: PathBuf,
    text: Arc<str>,
    found: Vec<Diagnostic>,
}

impl Reader {
    fn policy(&mut self) -> Option<Policy> {
        let (documents, duplicates) = match parse::parse(&self.text) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.error("yaml-syntax", error.message, error.offset..error.offset);
                return None;
            }
        };
        for twice in duplicates {
            self.error("yaml-duplicate-key", format!("the key `{}` is given twice", twice.key), twice.span);
        }
        let Some(root) = documents.into_iter().next().filter(|root| !root.is_null()) else {
            self.error("policy-syntax", "the file holds no policy", 0..0);
            return None;
        };
        self.known_keys(&root, POLICY_KEYS, "a policy")?;
        self.header(&root);
        let rules: Vec<PolicyRule> = match root.get("rules") {
            Some(rules) => self.list(rules, "rules").iter().filter_map(|rule| self.rule(rule)).collect(),
            None => Vec::new(),
        };
        if root.get("rules").is_none_or(|rules| rules.is_null() || rules.items().is_empty()) {
            let place = root.key("rules").unwrap_or(&root).span.clone();
            self.error("policy-empty", "the policy has no rules", place.start..place.start);
        }
        Some(Policy {
            path: self.path.clone(),
            omit_stages: self.stages(&root),
            omit_managed_fields: self.truth(&root, "omitManagedFields").unwrap_or_default(),
            rules,
            warnings: Vec::new(),
        })
    }

    fn header(&mut self, root: &Node) {
        for (key, expected) in [("apiVersion", "audit.k8s.io/v1"), ("kind", "Policy")] {
            match root.get(key) {
                Some(value) if value.text() == Some(expected) => {}
                Some(value) => {
                    let message = format!("`{key}` is `{expected}` for an audit policy");
                    self.error("policy-kind", message, value.span.clone());
                }
                None => self.error(
                    "policy-kind",
                    format!("`{key}: {expected}` is missing"),
                    root.span.start..root.span.start,
                ),
            }
        }
    }

    fn rule(&mut self, node: &Node) -> Option<PolicyRule> {
        self.known_keys(node, RULE_KEYS, "a rule of a policy")?;
        let rule = PolicyRule {
            level: self.level(node)?,
            users: self.texts(node, "users"),
            user_groups: self.texts(node, "userGroups"),
            verbs: self.texts(node, "verbs"),
            resources: match node.get("resources") {
                Some(groups) => self.list(groups, "resources").iter().filter_map(|group| self.group(group)).collect(),
                None => Vec::new(),
            },
            namespaces: self.texts(node, "namespaces"),
            non_resource_urls: self.texts(node, "nonResourceURLs"),
            omit_stages: self.stages(node),
            omit_managed_fields: self.truth(node, "omitManagedFields"),
            line: self.text[..node.span.start.min(self.text.len())].bytes().filter(|&byte| byte == b'\n').count() + 1,
        };
        self.verbs(node);
        self.paths(node);
        if !rule.non_resource_urls.is_empty() && (!rule.resources.is_empty() || !rule.namespaces.is_empty()) {
            let place = node.key("nonResourceURLs").unwrap_or(node).span.clone();
            self.error("policy-mixed-rule", "a rule is either about resources or about `nonResourceURLs`", place);
        }
        self.stars(node);
        Some(rule)
    }

    fn level(&mut self, node: &Node) -> Option<Level> {
        let Some(given) = node.get("level") else {
            self.error("policy-level", "the rule has no `level`", node.span.start..node.span.start);
            return None;
        };
        let level = given.text().and_then(Level::of_name);
        if level.is_none() {
            self.no_such("policy-level", "a level", given, &Level::ALL.map(Level::name));
        }
        level
    }

    fn stages(&mut self, node: &Node) -> Vec<Stage> {
        let Some(list) = node.get("omitStages") else { return Vec::new() };
        let mut stages = Vec::new();
        for given in self.list(list, "omitStages") {
            match given.text().and_then(Stage::of_name) {
                Some(stage) => stages.push(stage),
                None => self.no_such("policy-stage", "a stage", given, &Stage::ALL.map(Stage::name)),
            }
        }
        stages
    }

    fn verbs(&mut self, node: &Node) {
        let known: Vec<&str> = VERBS.iter().chain(HTTP_VERBS).copied().collect();
        for given in node.get("verbs").map(Node::items).unwrap_or_default() {
            let Some(verb) = given.text() else { continue };
            if verb == "*" || known.contains(&verb) {
                continue;
            }
            let mut warning = Diagnostic::warning("policy-verb", format!("no request has the verb `{verb}`"));
            if let Some(near) = suggest(verb, known.iter().copied()) {
                warning = warning.help(format!("did you mean `{near}`?"));
            }
            self.push(warning, given.span.clone());
        }
    }

    /// The API server compares these lists as they stand: a star in them is a plain character.
    fn stars(&mut self, node: &Node) {
        for key in ["users", "userGroups", "verbs", "namespaces"] {
            for given in node.get(key).map(Node::items).unwrap_or_default() {
                if given.text().is_some_and(|text| text.contains('*')) {
                    let message = format!("a `*` in `{key}` stands for nothing but itself");
                    let warning = Diagnostic::warning("policy-star", message);
                    self.push(warning.help(format!("leave `{key}` out to match all")), given.span.clone());
                }
            }
        }
    }

    fn paths(&mut self, node: &Node) {
        for given in node.get("nonResourceURLs").map(Node::items).unwrap_or_default() {
            let Some(path) = given.text().filter(|path| *path != "*") else { continue };
            if !path.starts_with('/') {
                self.error("policy-path", format!("the path `{path}` does not begin with `/`"), given.span.clone());
            }
            if path.strip_suffix('*').unwrap_or(path).contains('*') {
                let message = format!("the path `{path}` has a `*` before its end");
                self.error("policy-path", message, given.span.clone());
            }
        }
    }

    fn group(&mut self, node: &Node) -> Option<GroupResources> {
        self.known_keys(node, GROUP_KEYS, "an entry of `resources`")?;
        let group = GroupResources {
            group: node.get("group").and_then(Node::text).unwrap_or_default().to_owned(),
            resources: self.texts(node, "resources"),
            resource_names: self.texts(node, "resourceNames"),
        };
        if let Some(given) = node.get("group") {
            self.group_name(given, &group.group);
        }
        if group.resources.is_empty() && !group.resource_names.is_empty() {
            let place = node.key("resourceNames").unwrap_or(node).span.clone();
            self.error("policy-resource-names", "`resourceNames` needs `resources` beside it", place);
        }
        self.group_of_resources(node, &group);
        Some(group)
    }

    fn group_name(&mut self, given: &Node, group: &str) {
        if known::is_group_name(group) && !matches!(given.value, NodeValue::Sequence(_) | NodeValue::Mapping(_)) {
            return;
        }
        let mut error = Diagnostic::error("policy-group", format!("`{group}` is no API group"));
        if let Some((name, _version)) = group.split_once('/') {
            error = error.help(format!("a group has no version here: `{name}`"));
        } else if group == "*" {
            error = error.help("there is no wildcard for groups: leave `resources` out to match all");
        }
        self.push(error, given.span.clone());
    }

    /// A well-known resource under a group that it is not in is most often a slip.
    fn group_of_resources(&mut self, node: &Node, group: &GroupResources) {
        for given in node.get("resources").map(Node::items).unwrap_or_default() {
            let name = given.text().unwrap_or_default().split('/').next().unwrap_or_default();
            let groups: Vec<&str> = known::groups_of(name).collect();
            if groups.is_empty() || groups.contains(&group.group.as_str()) || !known::is_group(&group.group) {
                continue;
            }
            let shown = |at: &str| if at.is_empty() { "the core group".to_owned() } else { format!("`{at}`") };
            let message = format!("`{name}` is not in {}", shown(&group.group));
            let help = format!("it is in {}", groups.iter().map(|at| shown(at)).collect::<Vec<_>>().join(", "));
            self.push(Diagnostic::warning("policy-resource-group", message).help(help), given.span.clone());
        }
    }

    fn known_keys(&mut self, node: &Node, keys: &[&str], what: &str) -> Option<()> {
        if !matches!(node.value, NodeValue::Mapping(_)) {
            let message = format!("{what} is a mapping, and this is {}", node.kind());
            self.error("policy-syntax", message, node.span.clone());
            return None;
        }
        for (key, _) in node.entries() {
            let name = key.text().unwrap_or_default();
            if keys.contains(&name) {
                continue;
            }
            let mut error = Diagnostic::error("policy-key", format!("`{name}` is no key of {what}"));
            if let Some(near) = suggest(name, keys.iter().copied()) {
                error = error.help(format!("did you mean `{near}`?"));
            }
            self.push(error, key.span.clone());
        }
        Some(())
    }

    fn list<'n>(&mut self, node: &'n Node, key: &str) -> &'n [Node] {
        if !node.is_null() && !matches!(node.value, NodeValue::Sequence(_)) {
            let message = format!("`{key}` is a list, and this is {}", node.kind());
            self.error("policy-syntax", message, node.span.clone());
        }
        node.items()
    }

    fn texts(&mut self, node: &Node, key: &str) -> Vec<String> {
        let Some(list) = node.get(key) else { return Vec::new() };
        let mut texts = Vec::new();
        for item in self.list(list, key) {
            match item.as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => {
                    let message = format!("`{key}` is a list of texts, and this is {}", item.kind());
                    self.error("policy-syntax", message, item.span.clone());
                }
            }
        }
        texts
    }

    fn truth(&mut self, node: &Node, key: &str) -> Option<bool> {
        let given = node.get(key).filter(|given| !given.is_null())?;
        let truth = given.as_bool();
        if truth.is_none() {
            let message = format!("`{key}` is `true` or `false`, and this is {}", given.kind());
            self.error("policy-syntax", message, given.span.clone());
        }
        truth
    }

    fn no_such(&mut self, code: &'static str, what: &str, given: &Node, names: &[&'static str]) {
        let text = given.text().unwrap_or_default();
        let near = names.iter().copied().find(|name| name.eq_ignore_ascii_case(text));
        let error = Diagnostic::error(code, format!("`{text}` is not {what}"));
        let error = match near.or_else(|| suggest(text, names.iter().copied())) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help(format!("one of {}", names.join(", "))),
        };
        self.push(error, given.span.clone());
    }

    fn error(&mut self, code: &'static str, message: impl Into<String>, place: Range<usize>) {
        self.push(Diagnostic::error(code, message), place);
    }

    fn push(&mut self, found: Diagnostic, place: Range<usize>) {
        let span = Span { path: self.path.clone(), text: self.text.clone(), start: place.start, end: place.end };
        self.found.push(found.at(span));
    }
}
