//! What rules of one set share: processing pipelines, values of placeholders, filters.

use std::collections::BTreeMap;

use masthead_ir::eval::glob::Glob;
use masthead_ir::{Expr, FieldPath};
use masthead_rulefile::{Content, Node, RuleFile};

use crate::ast::{Detection, Item, LogSource};
use crate::condition;
use crate::pipeline::{Draft, Pipeline};
use crate::problem::Problem;
use crate::rule::{Header, detections, first_key, identifiers, refused};
use crate::text::SigmaText;

/// What rules share.
pub(crate) struct Shared {
    /// In the order in which they are applied.
    pub(crate) pipelines: Vec<Pipeline>,
    placeholders: BTreeMap<String, Vec<String>>,
    pub(crate) filters: Filters,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    Rule,
    Correlation,
    Filter,
    Pipeline,
    Placeholders,
    /// Older collections: keys for the documents behind it.
    Global,
}

/// What a document is; none if it is not Sigma's.
pub(crate) fn classify(node: &Node) -> Option<Document> {
    let mapping = |key: &str| node.get(key).is_some_and(|value| !value.entries().is_empty());
    if node.get("action").and_then(Node::text) == Some("global") {
        return Some(Document::Global);
    }
    if mapping("detection") && mapping("logsource") {
        return Some(Document::Rule);
    }
    if mapping("correlation") && node.get("title").is_some() {
        return Some(Document::Correlation);
    }
    if mapping("filter") && mapping("logsource") {
        return Some(Document::Filter);
    }
    if mapping("placeholders") {
        return Some(Document::Placeholders);
    }
    Pipeline::is_one(node).then_some(Document::Pipeline)
}

/// The documents of a file.
pub(crate) fn documents(file: &RuleFile) -> &[Node] {
    match &file.content {
        Content::Yaml(documents) => documents,
        _ => &[],
    }
}

impl Shared {
    /// Reads what the files share. What is wrong comes with its file.
    pub(crate) fn read<'f>(
        files: impl Iterator<Item = &'f RuleFile> + Clone,
        builtin: &RuleFile,
    ) -> (Shared, Vec<(&'f RuleFile, Problem)>) {
        let mut problems = Vec::new();
        let mut shared = Shared { pipelines: Vec::new(), placeholders: BTreeMap::new(), filters: Filters::default() };
        for file in files.clone() {
            for node in documents(file) {
                match classify(node) {
                    Some(Document::Pipeline) => {
                        let (pipeline, wrong) = Pipeline::read(node, file, false);
                        problems.extend(wrong.into_iter().map(|problem| (file, problem)));
                        shared.pipelines.push(pipeline);
                    }
                    Some(Document::Placeholders) => shared.read_placeholders(node),
                    _ => {}
                }
            }
        }
        for node in documents(builtin) {
            shared.pipelines.push(Pipeline::read(node, builtin, true).0);
        }
        shared.pipelines.sort_by_key(|pipeline| (pipeline.builtin, pipeline.priority));
        let vars = shared.pipelines.iter().flat_map(|pipeline| pipeline.vars.clone());
        for (name, values) in vars.collect::<Vec<_>>() {
            shared.placeholders.entry(name).or_default().extend(values);
        }
        for file in files {
            for node in documents(file).iter().filter(|node| classify(node) == Some(Document::Filter)) {
                let (filter, wrong) = Filter::read(node, &shared);
                problems.extend(wrong.into_iter().map(|problem| (file, problem)));
                shared.filters.all.extend(filter);
            }
        }
        (shared, problems)
    }

    /// `placeholders`: names with a list of values, or with a mapping that holds one under `values`.
    fn read_placeholders(&mut self, node: &Node) {
        for (name, value) in node.get("placeholders").map(Node::entries).unwrap_or_default() {
            let values = value.get("values").unwrap_or(value).texts().into_iter().map(str::to_owned);
            self.placeholders.entry(name.text().unwrap_or_default().to_owned()).or_default().extend(values);
        }
    }

    /// The field that a name of a rule means once processing pipelines had it. A name that they read as several fields, or
    /// as none, stays.
    pub(crate) fn field(&self, name: &str, log_source: &LogSource) -> FieldPath {
        let item = Item { field: Some(name.to_owned()), modifiers: Vec::new(), values: Vec::new(), span: 0..0 };
        let mut draft = Draft::new(log_source, vec![(String::new(), Detection::Item(item))]);
        let read = self.pipelines.iter().try_for_each(|pipeline| pipeline.apply(&mut draft).map(|_| ()));
        match draft.detections.first() {
            Some((_, Detection::Item(Item { field: Some(renamed), .. }))) if read.is_ok() => {
                masthead_schema::field(renamed)
            }
            _ => masthead_schema::field(name),
        }
    }

    /// The values of a placeholder.
    pub(crate) fn placeholder(&self, name: &str) -> Option<Vec<SigmaText>> {
        let values = self.placeholders.get(name)?;
        Some(values.iter().map(|value| SigmaText::parse(value)).collect())
    }
}

/// Filters: conditions that are added to rules (Sigma specification, "Filters").
#[derive(Default)]
pub(crate) struct Filters {
    all: Vec<Filter>,
}

struct Filter {
    log_source: LogSource,
    /// Ids or names of rules, with wildcards; empty: any.
    rules: Vec<Glob>,
    condition: Expr,
}

impl Filters {
    /// The condition of a rule with those of its filters.
    pub(crate) fn restrict(&self, header: &Header, condition: Expr) -> Expr {
        let of = |filter: &&Filter| {
            let named = [Some(header.id.as_str()), header.name.as_deref(), Some(header.title.as_str())];
            filter.log_source.covers(&header.log_source)
                && (filter.rules.is_empty()
                    || filter.rules.iter().any(|glob| named.iter().flatten().any(|name| glob.matches(name))))
        };
        let mut all: Vec<Expr> = self.all.iter().filter(of).map(|filter| filter.condition.clone()).collect();
        if all.is_empty() {
            return condition;
        }
        all.insert(0, condition);
        Expr::And(all)
    }
}

impl Filter {
    fn read(node: &Node, shared: &Shared) -> (Option<Filter>, Vec<Problem>) {
        let mut problems = Vec::new();
        let Some(body) = node.get("filter") else { return (None, problems) };
        let keys = ["rules", "condition"];
        let log_source = node.get("logsource").map(LogSource::read).unwrap_or_default();
        let Some(written) = detections(body, &keys, &mut problems) else { return (None, problems) };
        let mut draft = Draft::new(&log_source, written);
        for pipeline in &shared.pipelines {
            if let Err(message) = pipeline.apply(&mut draft) {
                problems.push(refused(pipeline, &message, body));
            }
        }
        let identifiers = identifiers(&draft.detections, shared, &mut problems);
        let Some(text) = body.get("condition").and_then(Node::text) else {
            problems.push(Problem::invalid("sigma-missing", "the filter has no `condition`", &first_key(body)));
            return (None, problems);
        };
        let rules = body.get("rules").map(Node::texts).unwrap_or_default();
        let any = rules.is_empty() || rules.iter().any(|rule| rule.eq_ignore_ascii_case("any"));
        match condition::compile(text, &identifiers) {
            Ok(condition) if problems.is_empty() => {
                let filter = Filter {
                    log_source,
                    rules: if any { Vec::new() } else { rules.into_iter().map(Glob::new).collect() },
                    condition: condition.expr,
                };
                (Some(filter), problems)
            }
            Ok(_) => (None, problems),
            Err(problem) => {
                let span = body.get("condition").map_or(problem.span.clone(), |node| node.span.clone());
                problems.push(Problem { span, ..problem });
                (None, problems)
            }
        }
    }
}
