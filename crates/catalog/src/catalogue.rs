//! A set of rules as a document.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use masthead_ir::rule::{EntityRole, Rule};

use crate::attack::{self, Tactic};
use crate::listing::severity;
use crate::table::{inline, rules as count};
use crate::{condition, microsoft};

/// What the paths of built-in rules begin with.
const BUILTIN: &str = "builtin:/";

/// The rules as Markdown, by the first tactic of each and then by name. The same rules give the same text.
pub fn catalogue(rules: &[Arc<Rule>]) -> String {
    let mut sections: BTreeMap<Section, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        sections.entry(section(rule)).or_default().push(rule);
    }
    for rules in sections.values_mut() {
        rules.sort_by(|a, b| (&a.name, &a.id, &a.path).cmp(&(&b.name, &b.id, &b.path)));
    }
    let mut anchors = Anchors::default();
    anchors.of("Catalogue of rules");
    let mut contents = String::new();
    let mut body = String::new();
    for (section, rules) in &sections {
        let _ = writeln!(contents, "- [{}](#{}) ({})", section.name(), anchors.of(section.name()), rules.len());
        let _ = write!(body, "\n## {}\n", section.name());
        for rule in rules {
            let name = inline(&rule.name);
            let _ = writeln!(contents, "  - [{}](#{})", name.replace(['[', ']'], ""), anchors.of(rule.name.trim()));
            let _ = write!(body, "\n### {name}\n\n{}", entry(rule));
        }
    }
    format!(
        "<!-- Generated from the rules; changes here are lost. -->\n\n# Catalogue of rules\n\n\
         {}. This page is generated from what the rules say: change them, not the page.\n\n{contents}{body}",
        count(rules.len())
    )
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Of(Tactic),
    Other,
}

impl Section {
    fn name(self) -> &'static str {
        match self {
            Section::Of(tactic) => tactic.name(),
            Section::Other => "Other",
        }
    }
}

/// The first tactic that a rule names, else the first of its first technique.
fn section(rule: &Rule) -> Section {
    let tag = |tag: &String| Tactic::of(tag.to_ascii_lowercase().strip_prefix("attack.")?);
    let of_technique = |id: &String| attack::technique(&id.to_ascii_uppercase())?.tactics.first().copied();
    let named = rule.tags.iter().find_map(tag);
    named.or_else(|| rule.attack.iter().find_map(of_technique)).map_or(Section::Other, Section::Of)
}

/// Anchors as GitHub makes them from headings: letters, digits, `-` and `_` are kept, spaces become `-`, and what is there
/// already gets a number.
#[derive(Default)]
struct Anchors(HashMap<String, u32>);

impl Anchors {
    fn of(&mut self, heading: &str) -> String {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
        let seen = self.0.entry(anchor.clone()).or_default();
        *seen += 1;
        match *seen {
            1 => anchor,
            more => format!("{anchor}-{}", more - 1),
        }
    }
}

/// What is told of one rule.
fn entry(rule: &Rule) -> String {
    let mut text = String::new();
    if !rule.description.trim().is_empty() {
        let _ = write!(text, "{}\n\n", inline(&rule.description));
    }
    let off = if rule.enabled { "" } else { ", switched off" };
    item(&mut text, "Severity", &format!("{}{off}", severity(rule.finding.severity)));
    item(&mut text, "Id", &code(&rule.id));
    item(&mut text, "Language", rule.dialect);
    item(&mut text, "File", &code(&file(rule)));
    item(&mut text, "ATT&amp;CK", &techniques(rule));
    item(&mut text, "Microsoft threat matrix", &matrix(rule));
    item(&mut text, "Audit level", &condition::audit_level(rule));
    let fields: Vec<String> = condition::fields(rule).iter().map(|field| code(field)).collect();
    item(&mut text, "Looks at", &fields.join(", "));
    item(&mut text, "Risk", &risk(rule));
    list(&mut text, "False positives", &rule.guide.false_positives);
    list(&mut text, "Next steps", &rule.guide.next_steps);
    item(&mut text, "Tests", &rule.tests.len().to_string());
    text
}

fn item(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(text, "- {name}: {value}");
    }
}

fn list(text: &mut String, name: &str, values: &[String]) {
    match values {
        [] => {}
        [value] => item(text, name, &inline(value)),
        values => {
            let _ = writeln!(text, "- {name}:");
            for value in values {
                let _ = writeln!(text, "  - {}", inline(value));
            }
        }
    }
}

/// Text as code. A backtick in it needs a longer fence.
fn code(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

fn file(rule: &Rule) -> String {
    let path = rule.path.display().to_string().replace('\\', "/");
    path.strip_prefix(BUILTIN).map(str::to_owned).unwrap_or(path)
}

fn techniques(rule: &Rule) -> String {
    let one = |id: &String| {
        let id = id.trim().to_ascii_uppercase();
        let name = attack::technique(&id).map(|technique| format!(" {}", technique.name)).unwrap_or_default();
        format!("[{id}]({}){name}", attack::link(&id))
    };
    rule.attack.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn matrix(rule: &Rule) -> String {
    let mut found = Vec::new();
    for number in rule.tags.iter().filter_map(|tag| microsoft::number(tag)) {
        let known = microsoft::MATRIX.iter().find(|technique| technique.number == number);
        found.extend(known.map(|technique| format!("{} {}", technique.id(), technique.name)));
    }
    found.join(", ")
}

fn risk(rule: &Rule) -> String {
    let one = |entity: &masthead_ir::rule::EntityTemplate| {
        let field = code(&entity.field);
        let kind = inline(&entity.entity_type);
        match (entity.role, entity.score) {
            (EntityRole::Threat, _) => format!("{field} ({kind}) points at the attacker"),
            (EntityRole::Risk, Some(score)) => format!("{score} for {field} ({kind})"),
            (EntityRole::Risk, None) => format!("{field} ({kind})"),
        }
    };
    rule.finding.entities.iter().map(one).collect::<Vec<_>>().join(", ")
}
