//! Policies as YAML, in a stable order and with comments.

use std::collections::BTreeSet;

use crate::level::{Level, Stage};
use crate::plan::Who;
use crate::reasons::few;

/// A rule of a policy that is made.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) level: Level,
    pub(crate) who: Who,
    /// Verbs; none: all.
    pub(crate) verbs: Vec<&'static str>,
    /// API groups and their resources.
    pub(crate) resources: Vec<(String, Vec<String>)>,
    pub(crate) paths: Vec<String>,
    /// The rules that need it.
    pub(crate) rules: BTreeSet<String>,
    pub(crate) remark: Option<&'static str>,
}

impl Entry {
    pub(crate) fn new(level: Level, verbs: Vec<&'static str>) -> Entry {
        Entry {
            level,
            who: Who::default(),
            verbs,
            resources: Vec::new(),
            paths: Vec::new(),
            rules: BTreeSet::new(),
            remark: None,
        }
    }

    pub(crate) fn add_resource(&mut self, group: &str, form: &str) {
        match self.resources.iter_mut().find(|(known, _)| known == group) {
            Some((_, forms)) => forms.push(form.to_owned()),
            None => self.resources.push((group.to_owned(), vec![form.to_owned()])),
        }
    }
}

/// What is said of rules beside the policy.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) impossible: Vec<(String, String)>,
    pub(crate) unknown: Vec<String>,
    pub(crate) elsewhere: Vec<(String, String)>,
}

impl Notes {
    pub(crate) fn add_unknown(&mut self, rule: &str) {
        if !self.unknown.iter().any(|known| known == rule) {
            self.unknown.push(rule.to_owned());
        }
    }
}

/// The policy as YAML.
pub(crate) fn render(entries: &[Entry], omitted: &[Stage], notes: &Notes) -> String {
    let mut yaml = Yaml(String::new());
    yaml.comment("", "The least that the API server must log so that the rules named below can fire.");
    for (rule, reason) in &notes.impossible {
        yaml.comment("", &format!("{rule} can fire under no policy: {reason}."));
    }
    for rule in &notes.unknown {
        yaml.comment("", &format!("{rule} is too intricate to say what it needs; it may need more."));
    }
    if !notes.elsewhere.is_empty() {
        let mut rules: Vec<&str> = notes.elsewhere.iter().map(|(rule, _)| rule.as_str()).collect();
        rules.dedup();
        yaml.comment("", &format!("Nothing here is for {}: audit events do not have what is read there.", few(&rules)));
    }
    yaml.line("apiVersion: audit.k8s.io/v1");
    yaml.line("kind: Policy");
    if !omitted.is_empty() {
        yaml.line("omitStages:");
        omitted.iter().for_each(|stage| yaml.line(&format!("  - {}", stage.name())));
    }
    yaml.line("rules:");
    let mut remark = None;
    for entry in entries {
        yaml.entry(entry, remark == entry.remark);
        remark = entry.remark;
    }
    if entries.is_empty() {
        // A policy must have a rule.
        yaml.line("  - level: None");
    }
    yaml.0
}

struct Yaml(String);

impl Yaml {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn comment(&mut self, indent: &str, text: &str) {
        let plain: String = text.chars().map(|c| if c.is_control() || is_break(c) { ' ' } else { c }).collect();
        self.line(&format!("{indent}# {plain}"));
    }

    fn list<T: AsRef<str>>(&mut self, before: &str, key: &str, texts: &[T]) {
        if texts.is_empty() {
            return;
        }
        let quoted: Vec<String> = texts.iter().map(|text| quoted(text.as_ref())).collect();
        self.line(&format!("{before}{key}: [{}]", quoted.join(", ")));
    }

    fn entry(&mut self, entry: &Entry, remarked: bool) {
        if let Some(remark) = entry.remark.filter(|_| !remarked) {
            self.comment("  ", remark);
        }
        if !entry.rules.is_empty() {
            let rules: Vec<&str> = entry.rules.iter().map(String::as_str).collect();
            self.comment("  ", &format!("Needed by {}.", few(&rules)));
        }
        self.line(&format!("  - level: {}", entry.level.name()));
        self.list("    ", "users", &entry.who.users);
        self.list("    ", "userGroups", &entry.who.groups);
        self.list("    ", "verbs", &entry.verbs);
        if !entry.resources.is_empty() {
            self.line("    resources:");
        }
        for (group, forms) in &entry.resources {
            self.line(&format!("      - group: {}", quoted(group)));
            self.list("        ", "resources", forms);
        }
        self.list("    ", "nonResourceURLs", &entry.paths);
    }
}

/// JSON's texts are YAML's, but for characters that YAML does not print.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || is_break(c) => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Characters that YAML 1.1 takes for line breaks, and the byte order mark.
fn is_break(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}
