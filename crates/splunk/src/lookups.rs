//! Lookup definitions: `lookups/*.yml` and the CSV files beside them.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::Arc;

use masthead_ir::Diagnostic;
use masthead_ir::table::{DEFAULT_MAX_MATCHES, KeyMatch, Table};
use masthead_rulefile::{Content, Corpus, Node, RuleFile};

use crate::fields::Reader;

/// A lookup as its file defines it.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    /// What fills it.
    pub(crate) rows: Rows,
    matching: BTreeMap<String, KeyMatch>,
    case_sensitive: bool,
    max_matches: usize,
    min_matches: usize,
    default: Option<String>,
}

/// What a lookup is filled from.
#[derive(Debug)]
pub(crate) enum Rows {
    /// A file that is there.
    Csv(Arc<RuleFile>),
    /// A file that is not there, by name.
    MissingCsv(String),
    /// A collection of the key-value store: nothing is in it here.
    Collection,
    /// A model of the machine learning toolkit.
    Model,
}

impl Lookup {
    /// Reads a definition.
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>, corpus: &Corpus) -> Option<Lookup> {
        let name = reader.required(node, "name", "the lookup")?.to_owned();
        let rows = rows(node, reader, corpus);
        let mut columns = field_names(node);
        if let (Rows::Csv(file), true) = (&rows, columns.is_empty()) {
            let header = file.text.lines().next().unwrap_or_default();
            columns = Table::from_csv(&*name, header.as_bytes()).map(|table| table.columns).unwrap_or_default();
        }
        Some(Lookup {
            name,
            columns,
            rows,
            matching: matching(node, reader),
            // Splunk, transforms.conf: the default is true.
            case_sensitive: truth(node, "case_sensitive_match").unwrap_or(true),
            max_matches: count(node, reader, "max_matches").unwrap_or(DEFAULT_MAX_MATCHES),
            min_matches: count(node, reader, "min_matches").unwrap_or(0),
            default: reader.text(node, "default_match").map(str::to_owned),
        })
    }

    /// The table. A file that cannot be read is an error at its own place, and an empty table.
    pub(crate) fn table(&self) -> (Table, Option<Diagnostic>) {
        let (table, fault) = match &self.rows {
            Rows::Csv(file) => match csv(&self.name, file) {
                Ok(table) => (table, None),
                Err(fault) => (self.empty(), Some(*fault)),
            },
            _ => (self.empty(), None),
        };
        let table = Table {
            matching: self.matching.clone(),
            case_sensitive: self.case_sensitive,
            max_matches: self.max_matches,
            // Splunk, transforms.conf: without `min_matches` a `default_match` has no effect.
            min_matches: self.min_matches,
            default: self.default.clone(),
            ..table
        };
        (table, fault)
    }

    fn empty(&self) -> Table {
        Table { name: self.name.clone(), columns: self.columns.clone(), ..Table::default() }
    }
}

fn csv(name: &str, file: &RuleFile) -> Result<Table, Box<Diagnostic>> {
    let place = |diagnostic: Diagnostic| {
        diagnostic.at(masthead_ir::Span { path: file.path.clone(), text: file.text.clone(), start: 0, end: 0 })
    };
    if let Content::Invalid(fault) = &file.content {
        return Err(Box::new(fault.clone()));
    }
    Table::from_csv(name, file.text.as_bytes())
        .map_err(|error| Box::new(place(Diagnostic::error("bad-lookup", format!("the lookup `{name}`: {error}")))))
}

/// Where the rows come from. ESCU 4 says it by the key that is there, ESCU 5 by `lookup_type`; the file is then named
/// like the definition.
fn rows(node: &Node, reader: &mut Reader<'_>, corpus: &Corpus) -> Rows {
    let kind = reader.text(node, "lookup_type").map(str::to_owned);
    let filename = reader.text(node, "filename").map(str::to_owned);
    match (kind.as_deref(), filename) {
        (Some("kvstore"), _) => Rows::Collection,
        (Some("mlmodel"), _) => Rows::Model,
        (None, None) if node.get("collection").is_some() => Rows::Collection,
        (None, Some(name)) if name.ends_with(".mlmodel") => Rows::Model,
        (_, filename) => {
            let name = filename.unwrap_or_else(|| format!("{}.csv", reader.file.stem()));
            // A definition reaches no file outside its folder.
            let beside = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
            match beside.then(|| corpus.sibling(reader.file, &name)).flatten() {
                Some(file) => Rows::Csv(file),
                None => Rows::MissingCsv(name),
            }
        }
    }
}

/// `fields_list` (text with commas, ESCU 4) or `fields` (a list, ESCU 5).
fn field_names(node: &Node) -> Vec<String> {
    let listed = ["fields", "fields_list"].into_iter().find_map(|key| node.get(key)).map(Node::texts);
    listed
        .into_iter()
        .flatten()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// `WILDCARD(a),CIDR(b)` as one text or a list of texts.
fn matching(node: &Node, reader: &mut Reader<'_>) -> BTreeMap<String, KeyMatch> {
    let mut found = BTreeMap::new();
    let Some(value) = node.get("match_type") else { return found };
    for part in value.texts().into_iter().flat_map(|text| text.split(',')) {
        let part = part.trim();
        let Some((kind, column)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) else {
            if !part.is_empty() && !part.eq_ignore_ascii_case("exact") {
                unknown_match(reader, value, part);
            }
            continue;
        };
        let kind = match kind.trim().to_ascii_uppercase().as_str() {
            "WILDCARD" => KeyMatch::Wildcard,
            "CIDR" => KeyMatch::Cidr,
            "EXACT" => continue,
            _ => {
                unknown_match(reader, value, part);
                continue;
            }
        };
        found.insert(column.trim().to_owned(), kind);
    }
    found
}

fn unknown_match(reader: &mut Reader<'_>, place: &Node, part: &str) {
    let fault = Diagnostic::warning("unknown-match-type", format!("`{part}` is no way for a lookup to match"));
    reader.report(place, fault.help("use WILDCARD(column), CIDR(column) or EXACT(column)"));
}

/// A truth value; ESCU 4 quotes them.
fn truth(node: &Node, key: &str) -> Option<bool> {
    let value = node.get(key)?;
    value.as_bool().or_else(|| match value.text()?.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    })
}

fn count(node: &Node, reader: &mut Reader<'_>, key: &str) -> Option<usize> {
    usize::try_from(reader.integer(node, key)?).ok()
}
