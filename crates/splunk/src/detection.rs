//! One rule: a detection, baseline or investigation.

use std::collections::BTreeSet;
use std::sync::Arc;

use masthead_ir::rule::{Body, Compiled, Drilldown, FindingTemplate, Guide, Kind, Rule, Status};
use masthead_ir::{Diagnostic, Level};
use masthead_rulefile::{Node, RuleFile, suggest};

use crate::carried_tests;
use crate::content::{SharedContent, TYPES};
use crate::dialect::NAME;
use crate::entities::{Telling, telling};
use crate::fields::Reader;
use crate::lookups::Rows;
use crate::schedule::{schedule, throttle};
use crate::spl::{Compilation, Problem, compile};
use crate::tokens::tokens;

/// Codes of warnings that say that a part of the rule has no effect.
const WITHOUT_EFFECT: [&str; 2] = ["empty-kvstore", "empty-test"];

/// A rule, and the lookups that it reads or writes.
pub(crate) struct Detection {
    pub(crate) compiled: Compiled,
    pub(crate) lookups: BTreeSet<String>,
}

/// Compiles a rule's document.
pub(crate) fn detection(file: &RuleFile, node: &Node, shared: &SharedContent) -> Detection {
    let mut reader = Reader::new(file);
    let name = reader.required(node, "name", "the rule").unwrap_or(file.stem()).trim().to_owned();
    let id = reader.text(node, "id").map(str::trim).filter(|id| !id.is_empty()).unwrap_or(file.stem()).to_owned();
    let type_name = rule_type(node, &mut reader);
    // ESCU 6 has no `tags`: what they held stands beside the other keys.
    let tags = node.get("tags").filter(|tags| !tags.entries().is_empty()).unwrap_or(node);
    let search = reader.required(node, "search", "the rule").unwrap_or_default();
    let told = telling(node, tags, &mut reader);
    let mut fate = Fate::default();
    let compilation = fate.compile(search, node, &type_name, shared, &mut reader);
    if let Some(output) = &compilation.output {
        unknown_tokens(&told, output, &mut reader);
    }
    let finding = finding(told, &name, kind(&type_name), tags, &mut reader);
    let schedule = schedule(node, &type_name, shared, &mut reader);
    let tests = carried_tests::tests(node, tags, &mut reader);
    let drilldowns = drilldowns(node, search, &mut reader);
    let attack = reader.texts(tags, "mitre_attack_id");
    let description = reader.text(node, "description").unwrap_or_default().trim().to_owned();
    let status = fate.status(&reader, &compilation);
    let lookups = compilation.lookups_used.iter().chain(&compilation.lookups_written).cloned().collect();
    let runs = matches!(status, Status::Runs | Status::Partial);
    let rule = compilation.pipeline.filter(|_| runs).map(|pipeline| Rule {
        id: id.clone(),
        name,
        dialect: NAME,
        path: file.path.clone(),
        description,
        enabled: enabled(file, node, &type_name),
        attack,
        tags: report_tags(node, tags),
        finding,
        schedule: Some(schedule),
        body: Body::Pipeline(pipeline),
        tests,
        drilldowns,
        guide: guide(node),
    });
    let rule = rule.map(Arc::new);
    let diagnostics = reader.diagnostics;
    let compiled = Compiled { path: file.path.clone(), rule_id: id, dialect: NAME, status, diagnostics, rule };
    Detection { compiled, lookups }
}

/// How a match is told.
fn finding(told: Telling<'_>, name: &str, kind: Kind, tags: &Node, reader: &mut Reader<'_>) -> FindingTemplate {
    let title = told.title.and_then(Node::text).unwrap_or(name).to_owned();
    FindingTemplate {
        kind,
        severity: told.severity(kind, tags),
        message: told.message.and_then(Node::text).unwrap_or(&title).to_owned(),
        title,
        entities: told.entities,
        throttle: throttle(tags, reader),
    }
}

/// The type, spelled as ESCU spells it.
fn rule_type(node: &Node, reader: &mut Reader<'_>) -> String {
    let Some(given) = reader.required(node, "type", "the rule") else { return String::new() };
    if let Some(known) = TYPES.iter().find(|known| known.eq_ignore_ascii_case(given)) {
        return (*known).to_owned();
    }
    let mut fault = Diagnostic::error("unknown-type", format!("`{given}` is no type of rule"));
    fault = match suggest(given, TYPES) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help(format!("the types are {}", TYPES.join(", "))),
    };
    if let Some(place) = node.get("type") {
        reader.report(place, fault);
    }
    String::new()
}

/// A TTP or Correlation makes a finding, an Anomaly counts towards the risk of its entities, the others are for
/// hunters.
fn kind(type_name: &str) -> Kind {
    match type_name {
        "TTP" | "Correlation" => Kind::Finding,
        "Anomaly" => Kind::IntermediateFinding,
        _ => Kind::Hunt,
    }
}

/// Deprecated rules are off, by their status or their folder; so is what fills lookups or waits for a person.
fn enabled(file: &RuleFile, node: &Node, type_name: &str) -> bool {
    let gone = |word: &str| ["deprecated", "removed"].iter().any(|gone| word.eq_ignore_ascii_case(gone));
    let status = node.get("status").and_then(Node::text).is_some_and(gone);
    let folder = file.path.ancestors().skip(1).take(2).filter_map(|path| path.file_name()?.to_str()).any(gone);
    !status && !folder && !matches!(type_name, "Baseline" | "Investigation")
}

/// Analytic stories, then references.
fn report_tags(node: &Node, tags: &Node) -> Vec<String> {
    let listed = [tags.get("analytic_story"), node.get("references")];
    listed.into_iter().flatten().flat_map(Node::texts).map(str::to_owned).collect()
}

fn drilldowns(node: &Node, search: &str, reader: &mut Reader<'_>) -> Vec<Drilldown> {
    let mut found = Vec::new();
    for item in reader.list(node, "drilldown_searches") {
        let Some(text) = reader.required(item, "search", "the drilldown") else { continue };
        let of = |key: &str| item.get(key).and_then(Node::text).unwrap_or_default().to_owned();
        found.push(Drilldown {
            name: of("name"),
            search: text.replace("%original_detection_search%", search),
            earliest: of("earliest_offset"),
            latest: of("latest_offset"),
        });
    }
    found
}

/// What the rule tells people: `references`, `known_false_positives`, `how_to_implement` is for whoever sets Splunk up.
fn guide(node: &Node) -> Guide {
    let texts = |key: &str| -> Vec<String> {
        let texts = node.get(key).map(Node::texts).unwrap_or_default();
        texts.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    };
    Guide { references: texts("references"), false_positives: texts("known_false_positives"), ..Guide::default() }
}

/// Messages and entities that name fields which the results do not have.
fn unknown_tokens(told: &Telling<'_>, output: &[String], reader: &mut Reader<'_>) {
    let unknown = |field: &str| !output.iter().any(|name| name == field);
    let fault = |field: &str, of: &str| {
        let message = format!("{of} names the field `{field}`, which the search's results do not have");
        let fault = Diagnostic::warning("unknown-token", message);
        match suggest(field, output.iter().map(String::as_str)) {
            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
            None => fault.help(format!("the results have {}", output.join(", "))),
        }
    };
    let mut messages: Vec<&Node> = told.title.into_iter().chain(told.message).chain(told.messages.clone()).collect();
    messages.dedup_by_key(|node| node.span.clone());
    messages.sort_by_key(|node| node.span.start);
    messages.dedup_by_key(|node| node.span.clone());
    for message in messages {
        for (field, range) in tokens(message.text().unwrap_or_default()) {
            if unknown(field) {
                let span = reader.file.span_within(message, range);
                reader.diagnostics.push(fault(field, "the message").at(span));
            }
        }
    }
    for (entity, place) in told.entities.iter().zip(&told.places) {
        if unknown(&entity.field) {
            reader.report(place, fault(&entity.field, "the entity"));
        }
    }
}

/// What decides how far a rule can run.
#[derive(Default)]
struct Fate {
    /// Whether anything is right but cannot run here.
    unsupported: bool,
    /// How many of the rule's errors say so.
    unsupported_errors: usize,
}

impl Fate {
    fn cannot_run(&mut self, level: Level) {
        self.unsupported = true;
        self.unsupported_errors += usize::from(level == Level::Error);
    }

    /// Compiles the rule's search. One that is missing has been told of.
    fn compile(
        &mut self,
        search: &str,
        node: &Node,
        type_name: &str,
        shared: &SharedContent,
        reader: &mut Reader<'_>,
    ) -> Compilation {
        let Some(place) = node.get("search").filter(|_| !search.is_empty()) else { return nothing() };
        let compilation = compile(search, &shared.environment);
        self.problems(&compilation.problems, place, reader);
        self.lookups(&compilation, search, place, shared, reader);
        if type_name == "Investigation" {
            self.open_tokens(search, place, reader);
        }
        compilation
    }

    /// Problems of the search.
    fn problems(&mut self, problems: &[Problem], place: &Node, reader: &mut Reader<'_>) {
        for problem in problems {
            if problem.unsupported {
                self.cannot_run(problem.level);
            }
            reader.diagnostics.push(Diagnostic {
                code: problem.code,
                level: problem.level,
                message: problem.message.clone(),
                span: Some(reader.file.span_within(place, problem.range.clone())),
                help: problem.help.clone(),
            });
        }
    }

    /// Lookups that are not there, or empty.
    fn lookups(
        &mut self,
        compilation: &Compilation,
        text: &str,
        place: &Node,
        shared: &SharedContent,
        reader: &mut Reader<'_>,
    ) {
        for name in &compilation.lookups_used {
            let fault = match shared.lookups.get(name).map(|lookup| &lookup.rows) {
                Some(Rows::Csv(_)) => continue,
                Some(Rows::Collection) => Diagnostic::note(
                    "empty-kvstore",
                    format!("the lookup `{name}` is a collection: it is empty until a search writes it"),
                ),
                Some(Rows::Model) => Diagnostic::error("unsupported-lookup", format!("the lookup `{name}` is a model")),
                Some(Rows::MissingCsv(file)) => Diagnostic::error(
                    "missing-lookup-file",
                    format!("the file `{file}` of the lookup `{name}` is not there"),
                )
                .help("put it beside the lookup's definition"),
                None if compilation.lookups_written.contains(name) => continue,
                None => missing_lookup(name, shared),
            };
            let range = word(text, name).unwrap_or(0..0);
            // The compiler of searches may have said that it does not know the lookup.
            let quoted = format!("`{name}`");
            let said = reader.diagnostics.iter().any(|d| d.code.contains("lookup") && d.message.contains(&quoted));
            if !said {
                if fault.code == "unsupported-lookup" {
                    self.cannot_run(fault.level);
                }
                reader.diagnostics.push(fault.at(reader.file.span_within(place, range)));
            }
        }
    }

    /// Tokens of a search that a person fills in.
    fn open_tokens(&mut self, text: &str, place: &Node, reader: &mut Reader<'_>) {
        if let Some((name, range)) = tokens(text).into_iter().next() {
            self.cannot_run(Level::Error);
            let fault = Diagnostic::error("open-token", format!("the search waits for a value of `${name}$`"));
            reader.diagnostics.push(fault.at(reader.file.span_within(place, range)));
        }
    }

    fn status(&self, reader: &Reader<'_>, compilation: &Compilation) -> Status {
        let errors = reader.diagnostics.iter().filter(|d| d.level == Level::Error).count();
        if errors > self.unsupported_errors {
            Status::Invalid
        } else if self.unsupported || compilation.pipeline.is_none() {
            Status::Unsupported
        } else if reader.diagnostics.iter().any(|d| WITHOUT_EFFECT.contains(&d.code)) {
            Status::Partial
        } else {
            Status::Runs
        }
    }
}

/// What becomes of no search.
fn nothing() -> Compilation {
    Compilation {
        pipeline: None,
        problems: Vec::new(),
        macros_used: BTreeSet::new(),
        lookups_used: BTreeSet::new(),
        lookups_written: BTreeSet::new(),
        output: None,
    }
}

fn missing_lookup(name: &str, shared: &SharedContent) -> Diagnostic {
    let fault = Diagnostic::error("missing-lookup", format!("there is no lookup `{name}`"));
    match suggest(name, shared.lookups.keys().map(String::as_str)) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help("define it in a file of the folder `lookups`"),
    }
}

/// Where a word stands in a text.
fn word(text: &str, wanted: &str) -> Option<std::ops::Range<usize>> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(wanted)
        .map(|(at, _)| at..at + wanted.len())
        .find(|range| !text[..range.start].ends_with(part) && !text[range.end..].starts_with(part))
}
