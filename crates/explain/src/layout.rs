//! Pages and traces as blocks: one order of things for the terminal and for Markdown.

use masthead_ir::rule::{EntityRole, Kind, Severity};

use crate::page::{FieldLevel, FieldRole, Indicator, Page, Script};
use crate::render::Block;
use crate::words::condition::{Condition, ConditionKind, Role};
use crate::words::predicate::{Group, Operator};
use crate::words::stage::{KEEPS_ALL, PLAIN_NAMES, StageWords};
use crate::words::wording::{SHOWN_VALUES, capital, counted, quote, quoted};

/// The blocks of a page.
pub(crate) fn page(page: &Page) -> Vec<Block> {
    let mut out = Vec::new();
    head(page, &mut out);
    match &page.script {
        Some(script) => program(page, script, &mut out),
        None => conditions(page, &mut out),
    }
    exclusions(page, &mut out);
    if !page.stages.is_empty() {
        out.push(Block::Heading("What it does with them".to_owned()));
        page.stages.iter().for_each(|stage| stage_items(stage, 0, &mut out));
    }
    indicators(page, &mut out);
    fields(page, &mut out);
    running(page, &mut out);
    risk(page, &mut out);
    guide(page, &mut out);
    tests(page, &mut out);
    drilldowns(page, &mut out);
    out
}

fn head(page: &Page, out: &mut Vec<Block>) {
    let rule = &page.rule;
    out.push(Block::Title(rule.name.clone()));
    let mut pair = |name: &str, value: String| {
        if !value.is_empty() {
            out.push(Block::Pair(name.to_owned(), value));
        }
    };
    let finding = format!("{}, {}", kind(rule.kind), severity(rule.severity));
    pair("finding", if rule.enabled { finding } else { format!("{finding}; its author has switched it off") });
    pair("dialect", rule.dialect.clone());
    pair("id", quote(&rule.id));
    pair("file", quote(&rule.path));
    pair("ATT&CK", page.attack.join(", "));
    let told_below = |tag: &&str| page.guide.references.iter().any(|reference| reference == tag);
    let tags: Vec<&str> = page.tags.iter().map(String::as_str).filter(|tag| !told_below(tag)).collect();
    pair("tags", tags.join(", "));
    if !rule.description.trim().is_empty() {
        out.push(Block::Heading("Description".to_owned()));
        out.push(Block::Text(rule.description.clone()));
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Finding => "finding",
        Kind::IntermediateFinding => "intermediate finding (adds risk)",
        Kind::Signal => "signal (no alert)",
        Kind::Hunt => "hunt",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "informational",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn conditions(page: &Page, out: &mut Vec<Block>) {
    out.push(Block::Heading("What it looks for".to_owned()));
    if let Some(source) = &page.source {
        out.push(Block::Text(source.short().to_owned()));
    }
    let told: Vec<_> = page.conditions.iter().filter(|sentence| sentence.role != Role::Excludes).collect();
    if asks_for_steps(page) {
        out.push(Block::Text("An event must be one of the steps below.".to_owned()));
        return;
    }
    match told.as_slice() {
        [] if page.conditions.is_empty() => {
            out.push(Block::Text("Nothing is asked of them: every one counts.".to_owned()))
        }
        [] => out.push(Block::Text("Every one counts but those below.".to_owned())),
        [one] if one.role == Role::OneOf => out.push(Block::Text("Any one of these must hold:".to_owned())),
        [_] => out.push(Block::Text("This must hold:".to_owned())),
        _ => out.push(Block::Text("All of these must hold:".to_owned())),
    }
    match told.as_slice() {
        [one] if one.role == Role::OneOf => {
            one.condition.children.iter().for_each(|child| condition_items(child, 0, out));
        }
        _ => told.iter().for_each(|sentence| condition_items(&sentence.condition, 0, out)),
    }
}

/// Whether the condition only says that an event is one of the steps that a later stage looks for.
fn asks_for_steps(page: &Page) -> bool {
    let [sentence] = page.conditions.as_slice() else { return false };
    let steps = page.stages.iter().filter(|stage| !stage.steps.is_empty()).flat_map(|stage| &stage.conditions);
    let steps: Vec<&str> = steps.map(|condition| condition.text.full()).collect();
    let asked = &sentence.condition.children;
    sentence.role == Role::OneOf && asked.iter().all(|one| steps.contains(&one.text.full()))
}

/// A condition as a list; the parts of a junction one level deeper.
fn condition_items(condition: &Condition, depth: usize, out: &mut Vec<Block>) {
    let (title, parts) = match (condition.kind, condition.children.as_slice()) {
        (ConditionKind::All, parts @ [_, ..]) => ("all of these:", parts),
        (ConditionKind::Any, parts @ [_, ..]) => ("any of these:", parts),
        (ConditionKind::Not, [inner]) => match (inner.kind, inner.children.as_slice()) {
            (ConditionKind::All, parts @ [_, ..]) => ("not all of these together:", parts),
            _ => ("not this:", std::slice::from_ref(inner)),
        },
        _ => {
            out.push(Block::Item(depth, condition.text.short().to_owned()));
            return;
        }
    };
    out.push(Block::Item(depth, title.to_owned()));
    parts.iter().for_each(|part| condition_items(part, depth + 1, out));
}

fn exclusions(page: &Page, out: &mut Vec<Block>) {
    if page.exclusions.is_empty() {
        return;
    }
    out.push(Block::Heading("What it lets pass".to_owned()));
    out.extend(page.exclusions.iter().map(|exclusion| Block::Item(0, exclusion.text.short().to_owned())));
}

fn program(page: &Page, script: &Script, out: &mut Vec<Block>) {
    out.push(Block::Heading("What it looks for".to_owned()));
    out.push(Block::Text(format!("A program decides: {}.", quote(&script.program))));
    if !script.log_types.is_empty() {
        out.push(Block::Text(format!(
            "It is asked about events of {}.",
            quoted(&script.log_types, "or", SHOWN_VALUES)
        )));
    }
    if !page.conditions.is_empty() {
        out.push(Block::Text("Read off the program, an event must meet all of these:".to_owned()));
        page.conditions.iter().for_each(|sentence| condition_items(&sentence.condition, 0, out));
    }
    let rest = match (script.not_read, page.conditions.is_empty()) {
        (true, false) => "The program decides the rest: part of it cannot be read off.",
        (true, true) => "Nothing can be read off the program: it is asked about every event.",
        (false, _) => "The program itself is asked about every such event.",
    };
    out.push(Block::Text(rest.to_owned()));
    let period = counted(script.dedup_period_minutes, "minute");
    let matches = counted(script.threshold, "match").replace("matchs", "matches");
    let what = if script.alert { "an alert" } else { "a signal" };
    out.push(Block::Text(format!("{matches} with one dedup string within {period} make {what}.")));
}

fn stage_items(stage: &StageWords, depth: usize, out: &mut Vec<Block>) {
    if stage.text.full() == PLAIN_NAMES || stage.text.full() == KEEPS_ALL {
        return;
    }
    let filter = stage.stage == "filter" || stage.stage == "events";
    let nested = stage.conditions.iter().any(|condition| !condition.children.is_empty());
    let text = if stage.stage == "filter" && nested { "Keeps rows where:" } else { stage.text.short() };
    out.push(Block::Item(depth, text.to_owned()));
    if !filter || nested || stage.stage == "events" {
        for (at, condition) in stage.conditions.iter().enumerate() {
            let parts = match condition.kind {
                ConditionKind::All => condition.children.as_slice(),
                _ => std::slice::from_ref(condition),
            };
            match stage.steps.get(at) {
                Some(step) => {
                    out.push(Block::Item(depth + 1, format!("{}:", step.short())));
                    parts.iter().for_each(|part| condition_items(part, depth + 2, out));
                }
                None => parts.iter().for_each(|part| condition_items(part, depth + 1, out)),
            }
        }
    }
    stage.stages.iter().for_each(|inner| stage_items(inner, depth + 1, out));
}

fn indicators(page: &Page, out: &mut Vec<Block>) {
    if !page.terms.is_empty() {
        let terms: Vec<&str> = page.terms.iter().filter(|term| !term.negated).map(|term| term.text.as_str()).collect();
        if !terms.is_empty() {
            out.push(Block::Heading("Words that it looks for in the text".to_owned()));
            out.push(Block::Text(quoted(&terms, "and", SHOWN_VALUES)));
        }
    }
    let shared: Vec<&Indicator> = page.indicators.iter().filter(|indicator| indicator.shared_with > 0).collect();
    if shared.is_empty() {
        return;
    }
    out.push(Block::Heading("Tests that other rules share".to_owned()));
    for indicator in shared {
        let group = Group { operator: indicator.operator, case_sensitive: false, values: indicator.values.clone() };
        let verb = group.verb(indicator.negated, SHOWN_VALUES);
        let rules = counted(indicator.shared_with as u64, "other rule");
        out.push(Block::Item(0, format!("{} {verb}: {rules}", subject(indicator))));
    }
}

fn subject(indicator: &Indicator) -> String {
    if indicator.operator == Operator::HoldsWords || indicator.field == "_raw" {
        "the event's text".to_owned()
    } else {
        quote(&indicator.field)
    }
}

fn fields(page: &Page, out: &mut Vec<Block>) {
    let deciding = page.fields.iter().filter(|field| field.role == FieldRole::Decides);
    let mut by_level: Vec<(FieldLevel, Vec<&str>)> = Vec::new();
    for field in deciding {
        match by_level.iter_mut().find(|(level, _)| *level == field.level) {
            Some((_, names)) => names.push(&field.field),
            None => by_level.push((field.level, vec![&field.field])),
        }
    }
    if by_level.is_empty() {
        return;
    }
    by_level.sort_by_key(|(level, _)| *level);
    out.push(Block::Heading("What it reads".to_owned()));
    for (level, names) in &by_level {
        let names = quoted(names, "and", usize::MAX);
        let level = match level {
            FieldLevel::Metadata => "at audit level Metadata",
            FieldLevel::Request => "at audit level Request, for the body of requests",
            FieldLevel::RequestResponse => "at audit level RequestResponse, for the body of answers",
        };
        out.push(Block::Item(0, format!("{level}: {names}")));
    }
    let shown: Vec<&str> =
        page.fields.iter().filter(|field| field.role == FieldRole::Shown).map(|field| field.field.as_str()).collect();
    if !shown.is_empty() {
        out.push(Block::Item(0, format!("only to show: {}", quoted(&shown, "and", SHOWN_VALUES))));
    }
}

fn running(page: &Page, out: &mut Vec<Block>) {
    out.push(Block::Heading("What it keeps and when it runs".to_owned()));
    out.extend(page.state.text.iter().map(|text| Block::Item(0, text.clone())));
    out.extend(page.schedule.iter().map(|schedule| Block::Item(0, schedule.text.clone())));
}

fn risk(page: &Page, out: &mut Vec<Block>) {
    let risk = &page.risk;
    out.push(Block::Heading("What a finding says".to_owned()));
    let mut pair = |name: &str, text: &str| {
        if !text.trim().is_empty() {
            out.push(Block::Item(0, format!("{name}: {text}")));
        }
    };
    pair("title", &risk.title);
    if risk.message != risk.title {
        pair("message", &risk.message);
    }
    for entity in &risk.entities {
        let role = match (entity.role, entity.score) {
            (EntityRole::Risk, Some(score)) => format!("gets a risk of {score}"),
            (EntityRole::Risk, None) => "is at risk".to_owned(),
            (EntityRole::Threat, _) => "points at the attacker".to_owned(),
        };
        let message = entity.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
        let field = quote(&entity.field);
        out.push(Block::Item(0, format!("{field} ({}) {role}{message}", entity.entity_type)));
    }
    out.extend(risk.throttle.iter().map(|throttle| Block::Item(0, throttle.clone())));
}

fn guide(page: &Page, out: &mut Vec<Block>) {
    let guide = &page.guide;
    let mut section = |heading: &str, texts: &[String]| {
        if !texts.is_empty() {
            out.push(Block::Heading(heading.to_owned()));
            out.extend(texts.iter().map(|text| Block::Item(0, text.clone())));
        }
    };
    section("What else may look like it", &guide.false_positives);
    section("What to do", &guide.next_steps);
    section("Read more", &guide.references);
    if let Some(level) = &guide.audit_level {
        out.push(Block::Heading("Audit level".to_owned()));
        out.push(Block::Text(format!("Its author says that it needs {}.", capital(level))));
    }
}

fn tests(page: &Page, out: &mut Vec<Block>) {
    if page.tests.is_empty() {
        return;
    }
    out.push(Block::Heading("Its tests".to_owned()));
    for test in &page.tests {
        let must = if test.fires { "fires" } else { "stays silent" };
        out.push(Block::Item(0, format!("{}: {must}", test.name)));
    }
}

fn drilldowns(page: &Page, out: &mut Vec<Block>) {
    if page.drilldowns.is_empty() {
        return;
    }
    out.push(Block::Heading("Searches to go on with".to_owned()));
    for drilldown in &page.drilldowns {
        let range = format!("from {} to {}", quote(&drilldown.earliest), quote(&drilldown.latest));
        out.push(Block::Text(format!("{} ({range})", drilldown.name)));
        out.push(Block::Verbatim(drilldown.search.clone()));
    }
}
