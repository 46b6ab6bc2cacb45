//! Commands to stages.

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::{LookupJoin, MultiSplit, SortKey, SortOrder, Span, Stage};
use masthead_ir::time::span_seconds;

use super::lex::{Kind, Token, tokens};
use super::{Compiler, Problem, aggregates, eval, search};

/// Commands that are known, and why they cannot run here.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("tstats", "it reads an accelerated data model, and there is no mapping of one"),
    ("from", "it reads a data model, and there is no mapping of one"),
    ("datamodel", "it reads a data model, and there is no mapping of one"),
    ("apply", "it needs a trained model"),
    ("fit", "it trains a model"),
    ("summary", "it needs a trained model"),
    ("transaction", "transactions are not built"),
    ("map", "it runs a search for every row"),
    ("mstats", "searches over a metrics table cannot be read yet"),
    ("join", "joins cannot be read yet"),
    ("append", "appended searches cannot be read yet"),
    ("appendpipe", "appended stages cannot be read yet"),
    ("foreach", "templates cannot be read yet"),
    ("streamstats", "running aggregates cannot be read yet"),
    ("chart", "tables of two fields cannot be read yet"),
    ("timechart", "tables over time cannot be read yet"),
    ("inputlookup", "searches over a lookup table cannot be read yet"),
    ("outputlookup", "lookup tables cannot be written yet"),
    ("xmlkv", "XML is not read"),
    ("multikv", "tables in text are not read"),
    ("collect", "there are no summary indexes"),
    ("sendalert", "alerts are sent by their rules"),
    ("anomalydetection", "it needs a statistical model"),
    ("outlier", "it needs a statistical model"),
    ("cyberchef", "it is an app of its own"),
    ("addtotals", "totals are not computed"),
    ("replace", "the command cannot be read yet"),
    ("fromjson", "the command cannot be read yet"),
    ("extract", "automatic extraction cannot be asked for yet"),
    ("makeresults", "searches without events cannot be read yet"),
];

/// Names of the commands that run.
const COMMANDS: [&str; 27] = [
    "search",
    "where",
    "eval",
    "stats",
    "eventstats",
    "rename",
    "fillnull",
    "fields",
    "table",
    "sort",
    "head",
    "tail",
    "reverse",
    "dedup",
    "top",
    "rare",
    "bin",
    "bucket",
    "rex",
    "regex",
    "convert",
    "iplocation",
    "lookup",
    "spath",
    "mvexpand",
    "makemv",
    "nomv",
];

/// Words of a command's arguments, read one after another.
struct Words<'t> {
    words: Vec<Token>,
    at: usize,
    end: usize,
    text: &'t str,
}

impl Words<'_> {
    fn next(&mut self) -> Option<Token> {
        let token = self.words.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn peek(&self, text: &str) -> bool {
        self.words.get(self.at).is_some_and(|token| token.kind != Kind::Quoted && token.text.eq_ignore_ascii_case(text))
    }

    /// The value of `name=value` if that stands here.
    fn option(&mut self, name: &str) -> Option<String> {
        let [key, sign, value] = self.words.get(self.at..self.at + 3)? else { return None };
        let found = key.text.eq_ignore_ascii_case(name) && sign.text == "=" && sign.kind == Kind::Sign;
        let value = value.text.clone();
        found.then(|| {
            self.at += 3;
            value
        })
    }

    /// Every `name=value` of these names, wherever it stands.
    fn options(&mut self, names: &[&str]) -> Vec<(String, String)> {
        let (mut found, mut rest, start) = (Vec::new(), Vec::new(), self.at);
        while self.at < self.words.len() {
            match names.iter().find_map(|name| Some(((*name).to_owned(), self.option(name)?))) {
                Some(option) => found.push(option),
                None => rest.extend(self.next()),
            }
        }
        self.words.truncate(start);
        self.words.extend(rest);
        self.at = start;
        found
    }

    fn required(&mut self, what: &str) -> Result<String, Problem> {
        let end = self.end;
        let token = self.next().filter(|token| token.kind != Kind::Sign);
        token.map(|t| t.text).ok_or_else(|| Problem::syntax(format!("expected {what}"), end..end))
    }

    /// All that is left but commas.
    fn names(&mut self) -> Vec<String> {
        let rest = self.words.get(self.at..).unwrap_or_default();
        let names = rest.iter().filter(|t| t.kind != Kind::Sign || t.text != ",").map(|t| t.text.clone()).collect();
        self.at = self.words.len();
        names
    }
}

fn number(text: &str, words: &Words<'_>) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::syntax(format!("`{text}` is no number"), words.end..words.end))
}

fn yes(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "t" | "true" | "1" | "yes")
}

/// The stages of one command whose arguments lie in `range` of `text`.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    text: &str,
    name: &Token,
    range: std::ops::Range<usize>,
) -> Result<Vec<Stage>, Problem> {
    let lower = name.text.to_ascii_lowercase();
    if let Some((_, why)) = UNSUPPORTED.iter().find(|(known, _)| *known == lower) {
        let problem = Problem::syntax(format!("`{lower}` is not supported: {why}"), name.range.clone());
        return Err(Problem { code: "spl-unsupported", unsupported: true, ..problem });
    }
    let words = |signs: &str| -> Result<Words<'_>, Problem> {
        Ok(Words { words: tokens(text, range.clone(), signs)?, at: 0, end: range.end, text })
    };
    Ok(match lower.as_str() {
        "search" => {
            let parsed = search::parse(&words(search::SIGNS)?.words, range.end, &compiler.options)?;
            if let Some((at, _)) = parsed.subsearches.first() {
                return Err(subsearch(at.clone()));
            }
            parsed.filter.into_iter().map(Stage::Filter).collect()
        }
        "where" => vec![Stage::Filter(eval::parse_all(&words(eval::SIGNS)?.words, range.end)?)],
        "eval" => assignments(&words(eval::SIGNS)?)?,
        "stats" => vec![Stage::Aggregate(aggregates::parse(text, &words(aggregates::SIGNS)?.words, range.end)?)],
        "eventstats" => vec![Stage::Annotate(aggregates::parse(text, &words(aggregates::SIGNS)?.words, range.end)?)],
        "rename" => vec![Stage::Rename(pairs(&mut words(",")?)?)],
        "fillnull" => {
            let mut words = words(",=")?;
            let value = words.options(&["value"]).pop().map_or_else(|| "0".to_owned(), |(_, value)| value);
            vec![Stage::Fill { fields: words.names(), value }]
        }
        "fields" | "table" => {
            let mut words = words(",")?;
            let drop = lower == "fields" && words.peek("-");
            if drop || words.peek("+") {
                words.at += 1;
            }
            let fields = words.names();
            vec![if drop { Stage::Drop(fields) } else { Stage::Keep { fields, ordered: lower == "table" } }]
        }
        "sort" => sort(&mut words(",()")?)?,
        "head" | "tail" => {
            let mut words = words("=")?;
            let limit = words.option("limit").or_else(|| words.next().map(|token| token.text));
            let count = limit.map_or(Ok(10), |text| number(&text, &words))?;
            vec![if lower == "head" { Stage::Head { count } } else { Stage::Tail { count } }]
        }
        "reverse" => vec![Stage::Reverse],
        "dedup" => dedup(&mut words(",=")?)?,
        "top" | "rare" => frequent(&mut words(",=")?, lower == "rare")?,
        "bin" | "bucket" => bin(&mut words("=,")?)?,
        "rex" => rex(&mut words("=")?)?,
        "regex" => regex(&mut words("=!")?)?,
        "convert" => convert(&mut words("=(),")?)?,
        "iplocation" => {
            let mut words = words("=")?;
            let options = words.options(&["prefix", "allfields", "lang"]);
            let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            let field = words.required("the field with the address")?;
            let all = option("allfields").is_some_and(|value| yes(&value));
            vec![Stage::GeoIp { field, prefix: option("prefix").unwrap_or_default(), all }]
        }
        "lookup" => lookup(compiler, &mut words(",=")?)?,
        "spath" => {
            let mut words = words("=")?;
            let options = words.options(&["input", "output", "path"]);
            let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            let path = option("path").or_else(|| words.next().map(|token| token.text));
            let field = option("input").unwrap_or_else(|| "_raw".to_owned());
            vec![Stage::ParseJson { field, path, output: option("output") }]
        }
        "mvexpand" => {
            let mut words = words("=")?;
            let limit = words.options(&["limit"]).pop().map_or(Ok(0), |(_, text)| number(&text, &words))?;
            vec![Stage::Expand { field: words.required("a field")?, limit }]
        }
        "makemv" => makemv(&mut words("=")?)?,
        "nomv" => {
            let field = words("")?.required("a field")?;
            vec![Stage::JoinMulti { field, delimiter: "\n".to_owned(), combine: false }]
        }
        _ => {
            let known = COMMANDS.into_iter().chain(UNSUPPORTED.iter().map(|(known, _)| *known));
            let hint = masthead_rulefile::suggest(&lower, known);
            let hint = hint.map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default();
            let problem = Problem::syntax(format!("there is no command `{}`{hint}", name.text), name.range.clone());
            return Err(Problem { code: "spl-unknown-command", ..problem });
        }
    })
}

/// A subsearch, which cannot be read yet.
pub(super) fn subsearch(range: std::ops::Range<usize>) -> Problem {
    let problem = Problem::syntax("subsearches are not supported: they cannot be read yet", range);
    Problem { code: "spl-unsupported", unsupported: true, ..problem }
}

fn assignments(words: &Words<'_>) -> Result<Vec<Stage>, Problem> {
    let (mut stages, mut at) = (Vec::new(), 0);
    while at < words.words.len() {
        let equals = words.words[at..].iter().position(|token| token.kind == Kind::Sign && token.text == "=");
        let Some(equals) = equals.filter(|count| *count > 0).map(|count| at + count) else {
            return Err(Problem::syntax("expected `name = expression`", words.words[at].range.clone()));
        };
        let name = match &words.words[at..equals] {
            [one] => one.text.clone(),
            [first, .., last] => words.text[first.range.start..last.range.end].to_owned(),
            [] => String::new(),
        };
        let (expr, next) = eval::parse(&words.words, equals + 1, words.end)?;
        stages.push(Stage::Assign { field: name, expr });
        at = match words.words.get(next) {
            None => next,
            Some(token) if token.text == "," => next + 1,
            Some(token) => {
                return Err(Problem::syntax(format!("`{}` is not expected here", token.text), token.range.clone()));
            }
        };
    }
    if stages.is_empty() {
        return Err(Problem::syntax("expected `name = expression`", words.end..words.end));
    }
    Ok(stages)
}

fn pairs(words: &mut Words<'_>) -> Result<Vec<(String, String)>, Problem> {
    let mut pairs = Vec::new();
    while words.at < words.words.len() {
        if words.peek(",") {
            words.at += 1;
            continue;
        }
        let from = words.required("a field")?;
        if !words.peek("as") {
            return Err(Problem::syntax(format!("expected `as` after `{from}`"), words.end..words.end));
        }
        words.at += 1;
        pairs.push((from, words.required("a new name after `as`")?));
    }
    Ok(pairs)
}

fn sort(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let (mut keys, mut limit) = (Vec::new(), 10_000);
    let (mut descending, mut order, mut first) = (false, SortOrder::Auto, true);
    while let Some(token) = words.next() {
        let text = token.text.as_str();
        match (token.kind, text) {
            (Kind::Sign, _) => {}
            (Kind::Word, count) if first && count.bytes().all(|b| b.is_ascii_digit()) => limit = number(count, words)?,
            (Kind::Word, "-") => descending = true,
            (Kind::Word, "+") => descending = false,
            (Kind::Word, kind) if words.peek("(") => {
                let (sign, kind) = kind.strip_prefix('-').map_or((false, kind), |kind| (true, kind));
                descending |= sign;
                order = match kind.trim_start_matches('+') {
                    "num" => SortOrder::Number,
                    "str" => SortOrder::Text,
                    "ip" => SortOrder::Ip,
                    _ => SortOrder::Auto,
                };
            }
            (_, "d" | "desc") if !keys.is_empty() && words.at == words.words.len() => {
                keys.iter_mut().for_each(|key: &mut SortKey| key.descending = !key.descending);
            }
            _ => {
                let minus = text.strip_prefix('-');
                let field = minus.unwrap_or(text).trim_start_matches('+').to_owned();
                keys.push(SortKey { field, descending: descending || minus.is_some(), order });
                (descending, order) = (false, SortOrder::Auto);
            }
        }
        first = false;
    }
    Ok(vec![Stage::Sort { keys, limit }])
}

fn dedup(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let options = words.options(&["keepevents", "keepempty", "consecutive"]);
    let on = |name: &str| options.iter().any(|(known, value)| known == name && yes(value));
    let mut fields = words.names();
    let count = fields.first().and_then(|first| first.parse().ok());
    if count.is_some() {
        fields.remove(0);
    }
    let mut sort = Vec::new();
    if let Some(at) = fields.iter().position(|field| field.eq_ignore_ascii_case("sortby")) {
        for field in fields.split_off(at).into_iter().skip(1) {
            let descending = field.starts_with('-');
            let field = field.trim_start_matches(['-', '+']).to_owned();
            sort.push(SortKey { field, descending, order: SortOrder::Auto });
        }
    }
    let (keep_empty, consecutive) = (on("keepempty"), on("consecutive"));
    Ok(vec![Stage::Dedup { fields, keep: count.unwrap_or(1), keep_empty, consecutive, sort }])
}

fn frequent(words: &mut Words<'_>, rare: bool) -> Result<Vec<Stage>, Problem> {
    let options = words.options(&["limit", "showcount", "showperc", "countfield", "percentfield", "useother"]);
    let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let mut fields = words.names();
    let mut limit = option("limit").map_or(Ok(10), |text| number(&text, words))?;
    if let Some(count) = fields.first().and_then(|first| first.parse().ok()) {
        limit = count;
        fields.remove(0);
    }
    let mut by = Vec::new();
    if let Some(at) = fields.iter().position(|field| field.eq_ignore_ascii_case("by")) {
        by = fields.split_off(at).split_off(1);
    }
    let shown = |name: &str| option(name).is_none_or(|value| yes(&value));
    let named = |name: &str, default: &str| Some(option(name).unwrap_or_else(|| default.to_owned()));
    let count_field = if shown("showcount") { named("countfield", "count") } else { None };
    let percent_field = if shown("showperc") { named("percentfield", "percent") } else { None };
    Ok(vec![Stage::Frequent { fields, by, limit, rare, count_field, percent_field }])
}

fn bin(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let options = words.options(&["span", "bins", "aligntime", "minspan"]);
    let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let field = words.required("a field")?;
    let target = if words.peek("as") {
        words.at += 1;
        words.required("a name after `as`")?
    } else {
        field.clone()
    };
    let span = match option("span") {
        None => Span::Auto(option("bins").and_then(|bins| bins.parse().ok()).unwrap_or(100)),
        Some(text) => match (text.parse::<f64>(), span_seconds(&text), text.strip_suffix("mon")) {
            (Ok(seconds), ..) if field == "_time" => Span::Seconds(seconds),
            (Ok(width), ..) => Span::Number(width),
            (_, Some(seconds), _) => Span::Seconds(seconds as f64),
            (_, _, Some(months)) => Span::Months(months.parse().unwrap_or(1)),
            _ => return Err(Problem::syntax(format!("`{text}` is no span"), words.end..words.end)),
        },
    };
    Ok(vec![Stage::Bin { field, span, target }])
}

fn checked(regex: String, words: &Words<'_>) -> Result<String, Problem> {
    match masthead_ir::eval::regex::CompiledRegex::new(&regex) {
        Ok(_) => Ok(regex),
        Err(error) => Err(Problem { code: "spl-regex", ..Problem::syntax(error.to_string(), words.end..words.end) }),
    }
}

fn rex(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let options = words.options(&["field", "max_match", "mode", "offset_field"]);
    let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let field = option("field").unwrap_or_else(|| "_raw".to_owned());
    let regex = words.required("a regular expression")?;
    if option("mode").as_deref() == Some("sed") {
        return Ok(vec![Stage::Rewrite { field, sed: regex }]);
    }
    let max_match = option("max_match").map_or(Ok(1), |text| number(&text, words))?;
    Ok(vec![Stage::Extract { field, regex: checked(regex, words)?, max_match }])
}

fn regex(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let (mut field, mut negated) = ("_raw".to_owned(), false);
    if let [name, sign, ..] = words.words.as_slice()
        && sign.kind == Kind::Sign
    {
        negated = sign.text == "!=";
        field.clone_from(&name.text);
        words.at = 2;
    }
    let pattern = Pattern::Regex(checked(words.required("a regular expression")?, words)?);
    let test = Expr::Test { field: FieldPath::flat(field), pattern };
    Ok(vec![Stage::Filter(if negated { Expr::Not(Box::new(test)) } else { test })])
}

fn convert(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let format = words.options(&["timeformat"]).pop().map(|(_, format)| format);
    let format = format.unwrap_or_else(|| "%m/%d/%Y %H:%M:%S".to_owned());
    let mut stages = Vec::new();
    while let Some(token) = words.next() {
        if token.kind == Kind::Sign {
            continue;
        }
        if !token.text.eq_ignore_ascii_case("ctime") || !words.peek("(") {
            let message = format!("`convert {}` is not supported: only `ctime` is", token.text);
            return Err(Problem {
                code: "spl-unsupported",
                unsupported: true,
                ..Problem::syntax(message, token.range)
            });
        }
        words.at += 1;
        let field = words.required("a field")?;
        words.at += usize::from(words.peek(")"));
        let mut target = field.clone();
        if words.peek("as") {
            words.at += 1;
            target = words.required("a name after `as`")?;
        }
        if target != field {
            stages.push(Stage::Assign { field: target.clone(), expr: Expr::Field(FieldPath::flat(&field)) });
        }
        stages.push(Stage::FormatTime { fields: vec![target], format: format.clone() });
    }
    Ok(stages)
}

fn lookup(compiler: &mut Compiler<'_>, words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let _ = words.options(&["local", "update", "event_time_field"]);
    let start = words.words.first().map_or(words.end..words.end, |token| token.range.clone());
    let table = words.required("the name of a lookup")?;
    compiler.lookups_used.insert(table.clone());
    if !compiler.env.tables.contains_key(&table) {
        let hint = masthead_rulefile::suggest(&table, compiler.env.tables.keys().map(String::as_str));
        let hint = hint.map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default();
        let problem = Problem::syntax(format!("there is no lookup `{table}`{hint}"), start);
        return Err(Problem { code: "missing-lookup", ..problem });
    }
    let (mut keys, mut outputs, mut overwrite, mut behind) = (Vec::new(), Vec::new(), true, false);
    while let Some(token) = words.next() {
        if token.kind == Kind::Sign {
            continue;
        }
        if token.kind == Kind::Word && matches!(token.text.to_ascii_uppercase().as_str(), "OUTPUT" | "OUTPUTNEW") {
            overwrite = token.text.eq_ignore_ascii_case("OUTPUT");
            behind = true;
            continue;
        }
        let column = token.text;
        let mut field = column.clone();
        if words.peek("as") {
            words.at += 1;
            field = words.required("a name after `as`")?;
        }
        if behind { &mut outputs } else { &mut keys }.push((column, field));
    }
    Ok(vec![Stage::Lookup(LookupJoin { table, keys, outputs, overwrite })])
}

fn makemv(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let options = words.options(&["delim", "tokenizer", "allowempty", "setsv"]);
    let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let split = match option("tokenizer") {
        Some(regex) => MultiSplit::Tokenizer(checked(regex, words)?),
        None => MultiSplit::Delimiter(option("delim").unwrap_or_else(|| " ".to_owned())),
    };
    let allow_empty = option("allowempty").is_some_and(|value| yes(&value));
    Ok(vec![Stage::MakeMulti { field: words.required("a field")?, split, allow_empty }])
}
