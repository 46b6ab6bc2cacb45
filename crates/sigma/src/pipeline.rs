//! Processing pipelines in pySigma's YAML form: they change rules before these are compiled (pySigma documentation,
//! "Processing Pipelines").

use std::collections::BTreeMap;

use masthead_ir::eval::regex::CompiledRegex;
use masthead_rulefile::{Node, RuleFile};

use crate::ast::{Detection, Item, LogSource, SigmaValue};
use crate::problem::Problem;
use crate::text::SigmaText;

/// A pipeline.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) name: String,
    pub(crate) priority: i64,
    /// Values of placeholders.
    pub(crate) vars: BTreeMap<String, Vec<String>>,
    steps: Vec<Step>,
    /// Whether it came with the program.
    pub(crate) builtin: bool,
}

#[derive(Debug)]
struct Step {
    id: String,
    change: Change,
    rule: Conditions<RuleCondition>,
    item: Conditions<ItemCondition>,
    field: Conditions<FieldCondition>,
}

#[derive(Debug)]
enum Change {
    MapFields(BTreeMap<String, Vec<String>>),
    Prefix(String),
    MapPrefixes(BTreeMap<String, String>),
    Suffix(String),
    DropItem,
    AddCondition(Vec<(String, Vec<String>)>, bool),
    LogSource(LogSource),
    Replace(CompiledRegex, String),
    MapTexts(BTreeMap<String, Vec<String>>),
    SetValue(String),
    Fail(String),
    FailItem(String),
    Nothing,
}

#[derive(Debug)]
struct Conditions<C> {
    all: Vec<(C, bool)>,
    any: bool,
    negated: bool,
}

#[derive(Debug)]
enum RuleCondition {
    LogSource(LogSource),
    HasField(String),
    HasItem(String, Option<String>),
    Applied(String),
    Correlation(bool),
    Tag(String),
}

#[derive(Debug)]
enum ItemCondition {
    Matches(CompiledRegex, bool),
    IsNull,
}

#[derive(Debug)]
enum FieldCondition {
    Include(Vec<FieldTest>),
    Exclude(Vec<FieldTest>),
}

#[derive(Debug)]
enum FieldTest {
    Name(String),
    Regex(CompiledRegex),
}

/// A rule on its way through pipelines.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) log_source: LogSource,
    pub(crate) tags: Vec<String>,
    pub(crate) detections: Vec<(String, Detection)>,
    /// Conditions that pipelines added: names of search identifiers that must hold, or must not.
    pub(crate) added: Vec<(String, bool)>,
    pub(crate) is_correlation: bool,
}

impl Draft {
    /// A rule without tags.
    pub(crate) fn new(log_source: &LogSource, detections: Vec<(String, Detection)>) -> Draft {
        let log_source = log_source.clone();
        Draft { log_source, tags: Vec::new(), detections, added: Vec::new(), is_correlation: false }
    }
}

/// A field that a built-in alias was read for, with what it was read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Renamed {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) span: std::ops::Range<usize>,
}

/// The aliases for Kubernetes that come with the program, as YAML.
pub const KUBERNETES_ALIASES: &str = include_str!("../pipelines/kubernetes.yml");

impl Pipeline {
    /// Whether a document is a pipeline.
    pub(crate) fn is_one(node: &Node) -> bool {
        node.get("transformations").is_some_and(|list| !list.items().is_empty()) && node.get("detection").is_none()
    }

    /// Reads a pipeline; what it cannot do is told and left out.
    pub(crate) fn read(node: &Node, file: &RuleFile, builtin: bool) -> (Pipeline, Vec<Problem>) {
        let mut problems = Vec::new();
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default().to_owned();
        let vars = node.get("vars").map(|vars| {
            let entry = |(key, value): &(Node, Node)| {
                (key.text().unwrap_or_default().to_owned(), value.texts().into_iter().map(str::to_owned).collect())
            };
            vars.entries().iter().map(entry).collect()
        });
        let steps = node.get("transformations").map(Node::items).unwrap_or_default();
        let steps = steps.iter().enumerate().filter_map(|(at, step)| match Step::read(step, at) {
            Ok(step) => Some(step),
            Err(problem) => {
                problems.push(problem);
                None
            }
        });
        let name = Some(text("name")).filter(|name| !name.is_empty()).unwrap_or_else(|| file.stem().to_owned());
        let pipeline = Pipeline {
            name,
            priority: node.get("priority").and_then(Node::as_i64).unwrap_or(0),
            vars: vars.unwrap_or_default(),
            steps: steps.collect(),
            builtin,
        };
        (pipeline, problems)
    }

    /// Changes a rule. Gives the fields that were renamed; the error says why the pipeline refuses the rule.
    pub(crate) fn apply(&self, draft: &mut Draft) -> Result<Vec<Renamed>, String> {
        let mut applied: Vec<&str> = Vec::new();
        let mut renamed = Vec::new();
        for step in &self.steps {
            if step.rule.hold(|condition| condition.holds(draft, &applied)) {
                step.apply(draft, &mut renamed)?;
                applied.push(&step.id);
            }
        }
        Ok(renamed)
    }
}

impl Step {
    fn read(node: &Node, at: usize) -> Result<Step, Problem> {
        let id = node.get("id").and_then(Node::text).map_or_else(|| at.to_string(), str::to_owned);
        Ok(Step {
            id,
            change: Change::read(node)?,
            rule: Conditions::read(node, "rule", &RuleCondition::read)?,
            item: Conditions::read(node, "detection_item", &ItemCondition::read)?,
            field: Conditions::read(node, "field_name", &FieldCondition::read)?,
        })
    }

    fn applies_to(&self, item: &Item) -> bool {
        self.item.hold(|condition| condition.holds(item))
            && self.field.hold(|condition| item.field.as_ref().is_some_and(|field| condition.holds(field)))
    }

    fn apply(&self, draft: &mut Draft, renamed: &mut Vec<Renamed>) -> Result<(), String> {
        match &self.change {
            Change::Fail(message) => return Err(message.clone()),
            Change::LogSource(log_source) => draft.log_source = log_source.clone(),
            Change::AddCondition(fields, negated) => add_condition(draft, fields, *negated),
            Change::Nothing => {}
            Change::FailItem(message) => {
                if draft.detections.iter().any(|(_, detection)| detection.any_item(&|item| self.applies_to(item))) {
                    return Err(message.clone());
                }
            }
            _ => {
                let detections = std::mem::take(&mut draft.detections);
                let changed = detections.into_iter().map(|(name, detection)| {
                    let mut change = |item: Item| self.change_item(item, renamed);
                    let detection = detection.replace_items(&mut change);
                    (name, detection.unwrap_or_else(|| Detection::All(Vec::new())))
                });
                draft.detections = changed.collect();
            }
        }
        Ok(())
    }

    fn change_item(&self, mut item: Item, renamed: &mut Vec<Renamed>) -> Option<Detection> {
        if !self.applies_to(&item) {
            return Some(Detection::Item(item));
        }
        let rename = |field: &str| -> Option<Vec<String>> {
            match &self.change {
                Change::MapFields(mapping) => mapping.get(field).cloned(),
                Change::Prefix(prefix) => Some(vec![format!("{prefix}{field}")]),
                Change::Suffix(suffix) => Some(vec![format!("{field}{suffix}")]),
                Change::MapPrefixes(prefixes) => {
                    let found = prefixes.iter().find_map(|(from, to)| Some((to, field.strip_prefix(from.as_str())?)));
                    found.map(|(to, rest)| vec![format!("{to}{rest}")])
                }
                _ => None,
            }
        };
        if item.modifiers.iter().any(|name| name == "fieldref") {
            each_text(&mut item, &|text| match text.as_plain().and_then(rename).as_deref() {
                Some([target]) => vec![SigmaText::plain(target)],
                _ => vec![text],
            });
        }
        if let Some(field) = item.field.clone()
            && let Some(targets) = rename(&field)
        {
            renamed.push(Renamed { from: field, to: targets.clone(), span: item.span.clone() });
            let named = |target: String| Detection::Item(Item { field: Some(target), ..item.clone() });
            let mut parts: Vec<Detection> = targets.into_iter().map(named).collect();
            return Some(if parts.len() == 1 { parts.swap_remove(0) } else { Detection::Any(parts) });
        }
        match &self.change {
            Change::DropItem => return None,
            Change::Replace(regex, with) => each_text(&mut item, &|text| {
                vec![text.map_literals(&|literal| regex.replace_all(literal, with).into_owned())]
            }),
            Change::MapTexts(mapping) => {
                each_text(&mut item, &|text| match text.as_plain().and_then(|t| mapping.get(t)) {
                    Some(values) => values.iter().map(|value| SigmaText::parse(value)).collect(),
                    None => vec![text],
                })
            }
            Change::SetValue(value) => each_text(&mut item, &|_| vec![SigmaText::parse(value)]),
            _ => {}
        }
        Some(Detection::Item(item))
    }
}

fn each_text(item: &mut Item, change: &dyn Fn(SigmaText) -> Vec<SigmaText>) {
    let values = std::mem::take(&mut item.values);
    for valued in values {
        match &valued.value {
            SigmaValue::Text(text) => {
                let changed = change(text.clone()).into_iter();
                item.values
                    .extend(changed.map(|text| crate::ast::Valued { value: SigmaValue::Text(text), ..valued.clone() }));
            }
            _ => item.values.push(valued),
        }
    }
}

fn add_condition(draft: &mut Draft, fields: &[(String, Vec<String>)], negated: bool) {
    let name = format!("_added_{}", draft.added.len());
    let item = |(field, values): &(String, Vec<String>)| {
        let valued =
            |value: &String| crate::ast::Valued { value: SigmaValue::Text(SigmaText::parse(value)), span: 0..0 };
        Detection::Item(Item {
            field: Some(field.clone()),
            modifiers: Vec::new(),
            values: values.iter().map(valued).collect(),
            span: 0..0,
        })
    };
    draft.detections.push((name.clone(), Detection::All(fields.iter().map(item).collect())));
    draft.added.push((name, negated));
}

fn mapping(node: &Node, key: &str) -> BTreeMap<String, Vec<String>> {
    let entries = node.get(key).map(Node::entries).unwrap_or_default();
    let entry = |(key, value): &(Node, Node)| {
        (key.text().unwrap_or_default().to_owned(), value.texts().into_iter().map(str::to_owned).collect())
    };
    entries.iter().map(entry).collect()
}

fn regex(node: &Node, text: &str) -> Result<CompiledRegex, Problem> {
    CompiledRegex::new(text).map_err(|error| Problem::invalid("sigma-pipeline", error.to_string(), &node.span))
}

impl Change {
    fn read(node: &Node) -> Result<Change, Problem> {
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
        let kind = text("type");
        Ok(match kind {
            "field_name_mapping" => Change::MapFields(mapping(node, "mapping")),
            "field_name_prefix_mapping" => {
                let first = |(from, to): (String, Vec<String>)| Some((from, to.into_iter().next()?));
                Change::MapPrefixes(mapping(node, "mapping").into_iter().filter_map(first).collect())
            }
            "field_name_prefix" | "add_field_name_prefix" => Change::Prefix(text("prefix").to_owned()),
            "field_name_suffix" | "add_field_name_suffix" => Change::Suffix(text("suffix").to_owned()),
            "drop_detection_item" => Change::DropItem,
            "add_condition" => {
                let negated = node.get("negated").and_then(Node::as_bool).unwrap_or(false);
                Change::AddCondition(mapping(node, "conditions").into_iter().collect(), negated)
            }
            "change_logsource" => Change::LogSource(LogSource::read(node)),
            "replace_string" => Change::Replace(regex(node, text("regex"))?, text("replacement").to_owned()),
            "map_string" => Change::MapTexts(mapping(node, "mapping")),
            "set_value" => Change::SetValue(text("value").to_owned()),
            "rule_failure" => Change::Fail(text("message").to_owned()),
            "detection_item_failure" => Change::FailItem(text("message").to_owned()),
            // Placeholders are filled by `expand` itself from `vars`; states and types have no meaning here.
            "value_placeholders" | "set_state" | "set_custom_attribute" | "convert_type" | "case" => Change::Nothing,
            other => {
                let message = format!("the transformation `{other}` has no effect here");
                return Err(Problem::warning("sigma-pipeline", message, &node.span));
            }
        })
    }
}

impl<C> Conditions<C> {
    /// Reads the conditions of a step: a list, or a mapping of them. `of` says what they are about, as their keys do.
    fn read(node: &Node, of: &str, read: &dyn Fn(&Node) -> Result<C, Problem>) -> Result<Conditions<C>, Problem> {
        if let Some(joined) = node.get(&format!("{of}_cond_expr")) {
            let message = "conditions joined by an expression are not known; their step has no effect";
            return Err(Problem::warning("sigma-pipeline", message, &joined.span)
                .help(format!("join them by `{of}_cond_op: and` or `or`")));
        }
        let conditions = node.get(&format!("{of}_conditions"));
        let listed = conditions.map(Node::items).unwrap_or_default().iter();
        let named = conditions.map(Node::entries).unwrap_or_default().iter().map(|(_, condition)| condition);
        let items = listed.chain(named);
        let negated =
            |item: &Node| item.get("negated").or_else(|| item.get("not")).and_then(Node::as_bool) == Some(true);
        let all = items.map(|item| Ok((read(item)?, negated(item)))).collect::<Result<_, Problem>>()?;
        let any = node.get(&format!("{of}_cond_op")).and_then(Node::text) == Some("or");
        let negated = node.get(&format!("{of}_cond_not")).and_then(Node::as_bool) == Some(true);
        Ok(Conditions { all, any, negated })
    }

    fn hold(&self, test: impl Fn(&C) -> bool) -> bool {
        let mut results = self.all.iter().map(|(condition, negated)| test(condition) != *negated);
        if self.all.is_empty() {
            return true;
        }
        let holds = if self.any { results.any(|holds| holds) } else { results.all(|holds| holds) };
        holds != self.negated
    }
}

impl RuleCondition {
    fn read(node: &Node) -> Result<RuleCondition, Problem> {
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let kind = text("type").unwrap_or_default();
        Ok(match kind.as_str() {
            "logsource" => RuleCondition::LogSource(LogSource::read(node)),
            "contains_field" => RuleCondition::HasField(text("field").unwrap_or_default()),
            "contains_detection_item" => RuleCondition::HasItem(text("field").unwrap_or_default(), text("value")),
            "processing_item_applied" => RuleCondition::Applied(text("processing_item_id").unwrap_or_default()),
            "is_sigma_rule" => RuleCondition::Correlation(false),
            "is_sigma_correlation_rule" => RuleCondition::Correlation(true),
            "tag" => RuleCondition::Tag(text("tag").unwrap_or_default()),
            other => return Err(unknown_condition(other, node)),
        })
    }

    fn holds(&self, draft: &Draft, applied: &[&str]) -> bool {
        let any = |test: &dyn Fn(&Item) -> bool| draft.detections.iter().any(|(_, d)| d.any_item(test));
        match self {
            RuleCondition::LogSource(wanted) => wanted.covers(&draft.log_source),
            RuleCondition::HasField(field) => any(&|item| item.field.as_ref() == Some(field)),
            RuleCondition::HasItem(field, value) => any(&|item| {
                item.field.as_ref() == Some(field) && value.as_ref().is_none_or(|value| has_text(item, value))
            }),
            RuleCondition::Applied(id) => applied.contains(&id.as_str()),
            RuleCondition::Correlation(correlation) => draft.is_correlation == *correlation,
            RuleCondition::Tag(tag) => draft.tags.contains(tag),
        }
    }
}

fn has_text(item: &Item, wanted: &str) -> bool {
    item.values.iter().any(|valued| match &valued.value {
        SigmaValue::Text(text) => text.shown() == wanted,
        SigmaValue::Number(number) => number == wanted,
        SigmaValue::Bool(truth) => truth.to_string() == wanted,
        SigmaValue::Null | SigmaValue::Collection => false,
    })
}

fn unknown_condition(kind: &str, node: &Node) -> Problem {
    Problem::warning(
        "sigma-pipeline",
        format!("the condition `{kind}` is not known; its step has no effect"),
        &node.span,
    )
}

impl ItemCondition {
    fn read(node: &Node) -> Result<ItemCondition, Problem> {
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
        match text("type") {
            "match_string" => Ok(ItemCondition::Matches(regex(node, text("pattern"))?, text("cond") == "all")),
            "is_null" => Ok(ItemCondition::IsNull),
            other => Err(unknown_condition(other, node)),
        }
    }

    fn holds(&self, item: &Item) -> bool {
        match self {
            ItemCondition::Matches(regex, all) => {
                let mut matches = item.values.iter().map(|valued| match &valued.value {
                    SigmaValue::Text(text) => regex.is_match(&text.shown()),
                    SigmaValue::Number(number) => regex.is_match(number),
                    _ => false,
                });
                if *all { matches.all(|yes| yes) } else { matches.any(|yes| yes) }
            }
            ItemCondition::IsNull => item.values.iter().all(|valued| valued.value == SigmaValue::Null),
        }
    }
}

impl FieldCondition {
    fn read(node: &Node) -> Result<FieldCondition, Problem> {
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
        let by_regex = matches!(text("mode"), "regex" | "re") || matches!(text("pattern_type"), "re" | "regex");
        let fields = node.get("fields").map(Node::texts).unwrap_or_default();
        let tests = fields.into_iter().map(|field| {
            Ok(if by_regex { FieldTest::Regex(regex(node, field)?) } else { FieldTest::Name(field.to_owned()) })
        });
        let tests = tests.collect::<Result<Vec<_>, Problem>>()?;
        match text("type") {
            "include_fields" => Ok(FieldCondition::Include(tests)),
            "exclude_fields" => Ok(FieldCondition::Exclude(tests)),
            other => Err(unknown_condition(other, node)),
        }
    }

    fn holds(&self, field: &str) -> bool {
        let is = |test: &FieldTest| match test {
            FieldTest::Name(name) => name == field,
            FieldTest::Regex(regex) => regex.is_match(field),
        };
        match self {
            FieldCondition::Include(tests) => tests.iter().any(is),
            FieldCondition::Exclude(tests) => !tests.iter().any(is),
        }
    }
}
