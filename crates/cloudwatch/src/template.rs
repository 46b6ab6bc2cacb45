//! CloudFormation templates: resources, their properties, and values that only CloudFormation knows.

use std::collections::BTreeMap;

use masthead_ir::Diagnostic;
use masthead_ir::rule::Severity;
use masthead_rulefile::{Node, NodeValue, RuleFile, suggest};

use crate::codes;
use crate::report::Report;

pub(crate) const METRIC_FILTER: &str = "AWS::Logs::MetricFilter";
pub(crate) const ALARM: &str = "AWS::CloudWatch::Alarm";
pub(crate) const COMPOSITE_ALARM: &str = "AWS::CloudWatch::CompositeAlarm";

/// A template that holds resources of this front-end.
pub(crate) struct Template<'f> {
    pub(crate) file: &'f RuleFile,
    pub(crate) resources: Vec<Resource<'f>>,
    /// Defaults of its parameters.
    defaults: BTreeMap<&'f str, &'f str>,
}

/// A resource of a template.
pub(crate) struct Resource<'f> {
    /// Its logical id.
    pub(crate) id: &'f str,
    /// Its type.
    pub(crate) kind: &'f str,
    /// The key that names it, where faults of the whole are shown.
    pub(crate) key: &'f Node,
    node: &'f Node,
}

/// A scalar of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// The text. What is not known in it is written `${Name}`, however the template says it, so that two places that mean
    /// the same have the same text.
    pub(crate) text: String,
    /// Whether it is known.
    pub(crate) known: bool,
}

impl<'f> Template<'f> {
    /// The template in a file, if it has a metric filter or an alarm.
    pub(crate) fn of(file: &'f RuleFile) -> Option<Template<'f>> {
        let root = file.mapping()?;
        let resources: Vec<Resource<'f>> = root.get("Resources")?.entries().iter().filter_map(resource).collect();
        if !resources.iter().any(|resource| [METRIC_FILTER, ALARM].contains(&resource.kind)) {
            return None;
        }
        let parameters = root.get("Parameters").map(Node::entries).unwrap_or_default();
        let default = |(key, node): &'f (Node, Node)| Some((key.text()?, node.get("Default")?.text()?));
        Some(Template { file, resources, defaults: parameters.iter().filter_map(default).collect() })
    }

    /// A scalar, with intrinsic functions filled in as far as parameters have defaults; none for lists and mappings.
    pub(crate) fn text(&self, node: &Node) -> Option<Text> {
        let tag = self.tag(node);
        match (&node.value, tag) {
            (NodeValue::Mapping(entries), None) => {
                let [(key, value)] = entries.as_slice() else { return None };
                match key.text()? {
                    "Ref" => Some(self.fill(&format!("${{{}}}", value.text()?))),
                    "Fn::Sub" if value.text().is_some() => Some(self.fill(value.text()?)),
                    name if name.starts_with("Fn::") => Some(unknown(node.to_json().to_string())),
                    _ => None,
                }
            }
            (NodeValue::Scalar(..), None) => Some(Text { text: node.text()?.to_owned(), known: true }),
            (NodeValue::Scalar(text, _), Some("!Ref")) => Some(self.fill(&format!("${{{text}}}"))),
            (NodeValue::Scalar(text, _), Some("!Sub")) => Some(self.fill(text)),
            (NodeValue::Sequence(_), None) => None,
            (_, Some(tag)) => Some(unknown(format!("{tag} {}", node.to_json()))),
        }
    }

    /// The tag before a node. The tree does not keep tags, so it is read off the text.
    fn tag(&self, node: &Node) -> Option<&'f str> {
        let text: &'f str = &self.file.text;
        let before = text.get(..node.span.start)?;
        let inside = text.get(node.span.start..)?.split(char::is_whitespace).next()?;
        let words = before.trim_end().rsplit(|c: char| c.is_whitespace() || c == '[' || c == '{');
        // The mark of a block scalar stands between a tag and its text.
        let last = words.into_iter().find(|word| !word.starts_with(['|', '>']))?;
        [inside, last].into_iter().find(|word| word.len() > 1 && word.starts_with('!') && !word.starts_with("!!"))
    }

    /// Replaces `${Name}` by the default of the parameter; `${!Name}` is the text `${Name}`.
    fn fill(&self, text: &str) -> Text {
        let (mut filled, mut known, mut rest) = (String::new(), true, text);
        while let Some((before, after)) = rest.split_once("${") {
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                filled.push_str("${");
                rest = after;
                continue;
            };
            match (name.strip_prefix('!'), self.defaults.get(name)) {
                (Some(literal), _) => filled.push_str(&format!("${{{literal}}}")),
                (None, Some(default)) => filled.push_str(default),
                (None, None) => {
                    known = false;
                    filled.push_str(&format!("${{{name}}}"));
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        Text { text: filled, known }
    }
}

fn unknown(text: String) -> Text {
    Text { text, known: false }
}

fn resource((key, node): &(Node, Node)) -> Option<Resource<'_>> {
    Some(Resource { id: key.text()?, kind: node.get("Type")?.text()?, key, node })
}

/// The properties of a resource, or of a mapping inside it, and where to complain about them.
pub(crate) struct Properties<'r, 'f> {
    template: &'r Template<'f>,
    node: Option<&'f Node>,
    /// What a missing property is missed at.
    place: &'f Node,
}

impl<'f> Resource<'f> {
    /// Its properties; what is none of `known` is told.
    pub(crate) fn properties<'r>(
        &self,
        template: &'r Template<'f>,
        known: &[&str],
        report: &mut Report<'_>,
    ) -> Properties<'r, 'f> {
        Properties::new(template, self.node.get("Properties"), self.key, known, report)
    }

    /// What the metadata or, for the severity, the tags say to masthead.
    pub(crate) fn marks(&self, report: &mut Report<'_>) -> Marks {
        let mut marks = Marks::default();
        let metadata = self.node.get("Metadata").and_then(|metadata| metadata.get("masthead"));
        let mut severity = metadata.and_then(|own| own.get("severity"));
        let tags = self.node.get("Properties").and_then(|properties| properties.get("Tags"));
        for tag in tags.map(Node::items).unwrap_or_default() {
            let (Some(key), Some(value)) = (tag.get("Key").and_then(Node::text), tag.get("Value")) else { continue };
            if key.eq_ignore_ascii_case("severity") {
                severity = severity.or(Some(value));
            } else if let Some(value) = value.text() {
                marks.tags.push(format!("{key}:{value}"));
            }
        }
        marks.severity = severity.and_then(|node| read_severity(node, report));
        for node in metadata.and_then(|own| own.get("attack")).into_iter().flat_map(list) {
            match node.text().filter(|text| is_technique(text)) {
                Some(id) => marks.attack.push(id.to_owned()),
                None => {
                    let message = format!("`{}` is no technique of ATT&CK", node.text().unwrap_or(node.kind()));
                    let fault = Diagnostic::warning(codes::ATTACK, message);
                    report.say(fault.help("write ids such as `T1613` or `T1552.007`"), node);
                }
            }
        }
        marks
    }
}

/// What a resource says of its rule beside what CloudWatch knows.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) severity: Option<Severity>,
    pub(crate) attack: Vec<String>,
    pub(crate) tags: Vec<String>,
}

/// The members of a list, or a single value as a list of one.
fn list(node: &Node) -> Vec<&Node> {
    if matches!(node.value, NodeValue::Sequence(_)) { node.items().iter().collect() } else { vec![node] }
}

const SEVERITIES: &[(&str, Severity)] = &[
    ("informational", Severity::Informational),
    ("info", Severity::Informational),
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];

fn read_severity(node: &Node, report: &mut Report<'_>) -> Option<Severity> {
    let written = node.text().unwrap_or_default().to_ascii_lowercase();
    let found = SEVERITIES.iter().find(|(name, _)| *name == written).map(|(_, severity)| *severity);
    if found.is_none() {
        let fault = Diagnostic::warning(codes::PROPERTY_VALUE, format!("there is no severity `{written}`"));
        let names = SEVERITIES.iter().map(|(name, _)| *name);
        report.say(fault.help(one_of(&written, names)), node);
    }
    found
}

fn is_technique(text: &str) -> bool {
    let digits = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(number) = text.strip_prefix('T') else { return false };
    match number.split_once('.') {
        Some((number, sub)) => digits(number, 4) && digits(sub, 3),
        None => digits(number, 4),
    }
}

/// The way out for a value that is none of a few: the nearest, or all.
pub(crate) fn one_of<'n>(written: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    match suggest(written, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

impl<'r, 'f> Properties<'r, 'f> {
    pub(crate) fn new(
        template: &'r Template<'f>,
        node: Option<&'f Node>,
        place: &'f Node,
        known: &[&str],
        report: &mut Report<'_>,
    ) -> Properties<'r, 'f> {
        for (key, _) in node.map(Node::entries).unwrap_or_default() {
            let Some(name) = key.text().filter(|name| !known.contains(name)) else { continue };
            let fault = Diagnostic::warning(codes::UNKNOWN_PROPERTY, format!("there is no property `{name}` here"));
            report.say(fault.help(one_of(name, known.iter().copied())), key);
        }
        Properties { template, node, place }
    }

    /// The node of a property.
    pub(crate) fn node(&self, name: &str) -> Option<&'f Node> {
        self.node?.get(name).filter(|node| !node.is_null())
    }

    /// The text of a property. One that is known only at deployment is told of and given as it is.
    pub(crate) fn text(&self, name: &str, report: &mut Report<'_>) -> Option<Text> {
        let text = self.scalar(name, report)?;
        if !text.known {
            let message = format!("`{name}` is known only to CloudFormation; here it is `{}`", text.text);
            let note = Diagnostic::note(codes::DEPLOY_VALUE, message);
            let help = "give the parameter a default, or write the value, to have it here too";
            report.say(note.help(help), self.node(name)?);
        }
        Some(text)
    }

    /// The text of a property that must be there.
    pub(crate) fn required(&self, name: &str, report: &mut Report<'_>) -> Option<Text> {
        self.demand(name, report);
        self.text(name, report)
    }

    /// The members of a property that is a list.
    pub(crate) fn items(&self, name: &str, report: &mut Report<'_>) -> &'f [Node] {
        let Some(node) = self.node(name) else { return &[] };
        let function = matches!(node.entries(), [(key, _)] if key.text().is_some_and(|key| key.starts_with("Fn::")));
        if function || self.template.tag(node).is_some() {
            let fault =
                Diagnostic::warning(codes::DEPLOY_VALUE, format!("the list `{name}` is known only to CloudFormation"));
            report.blocked(fault.help("write the list itself"), node);
            return &[];
        }
        if !matches!(node.value, NodeValue::Sequence(_)) {
            let message = format!("`{name}` is {}, not a list", node.kind());
            report.say(Diagnostic::error(codes::PROPERTY_TYPE, message).help("begin each member with `- `"), node);
        }
        node.items()
    }

    /// Says so if a property is missing.
    pub(crate) fn demand(&self, name: &str, report: &mut Report<'_>) {
        if self.node(name).is_none() {
            let fault = Diagnostic::error(codes::MISSING_PROPERTY, format!("the property `{name}` is missing"));
            report.say(fault.help(format!("add `{name}` to the properties")), self.place);
        }
    }

    /// A text without which nothing can run: one that is known only at deployment keeps the rule from running.
    pub(crate) fn known_text(&self, name: &str, report: &mut Report<'_>) -> Option<String> {
        let text = self.scalar(name, report)?;
        if text.known {
            return Some(text.text);
        }
        let message = format!("`{name}` is known only to CloudFormation, and nothing can run without it");
        let fault = Diagnostic::warning(codes::DEPLOY_VALUE, message);
        report.blocked(fault.help("give the parameter a default, or write the value"), self.node(name)?);
        None
    }

    /// A number.
    pub(crate) fn number(&self, name: &str, report: &mut Report<'_>) -> Option<f64> {
        let text = self.known_text(name, report)?;
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            let fault = Diagnostic::error(codes::PROPERTY_TYPE, format!("`{name}` is `{text}`, not a number"));
            report.say(fault.help("write a plain number"), self.node(name)?);
        }
        number
    }

    /// A whole number from 1 to a limit.
    pub(crate) fn count(&self, name: &str, limit: u32, report: &mut Report<'_>) -> Option<u32> {
        let number = self.number(name, report)?;
        if number.fract() == 0.0 && (1.0..=f64::from(limit)).contains(&number) {
            return Some(number as u32);
        }
        let fault = Diagnostic::error(codes::ALARM_VALUE, format!("`{name}` cannot be {number}"));
        report.say(fault.help(format!("it is a whole number from 1 to {limit}")), self.node(name)?);
        None
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&self, name: &str, words: &[(&str, T)], report: &mut Report<'_>) -> Option<T> {
        let text = self.known_text(name, report)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let fault = Diagnostic::error(codes::PROPERTY_VALUE, format!("`{name}` cannot be `{text}`"));
            let help = one_of(&text, words.iter().map(|(word, _)| *word));
            report.say(fault.help(help), self.node(name)?);
        }
        found
    }

    fn scalar(&self, name: &str, report: &mut Report<'_>) -> Option<Text> {
        let node = self.node(name)?;
        let text = self.template.text(node);
        if text.is_none() {
            let fault =
                Diagnostic::error(codes::PROPERTY_TYPE, format!("`{name}` is {}, not a single value", node.kind()));
            let help = match name {
                "FilterPattern" => "put the pattern in single quotes: YAML reads its brackets as its own",
                _ => "write one value",
            };
            report.say(fault.help(help), node);
        }
        text
    }
}
