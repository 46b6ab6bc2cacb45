//! Commands to stages.

use super::lex::{Kind, Token};
use super::words::Words;
use super::{Compiler, Problem, aggregates, eval, generate, known, nested, search, series};
use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::{LookupJoin, MultiSplit, SortKey, SortOrder, Span, Stage};

/// The stages of one command whose arguments lie in `range` of `text`.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    text: &str,
    name: &Token,
    range: std::ops::Range<usize>,
) -> Result<Vec<Stage>, Problem> {
    let lower = name.text.to_ascii_lowercase();
    let words = |signs: &str| Words::new(text, range.clone(), signs);
    let aggregation = || aggregates::parse(text, &words(aggregates::SIGNS)?.words, range.end);
    Ok(match lower.as_str() {
        "search" => filter(compiler, text, range)?,
        "where" => vec![Stage::Filter(eval::parse_all(&words(eval::SIGNS)?.words, range.end)?)],
        "eval" => assignments(&words(eval::SIGNS)?)?,
        "stats" => vec![Stage::Aggregate(aggregation()?)],
        "eventstats" => vec![Stage::Annotate(aggregation()?)],
        "streamstats" => series::streamstats(&mut words(aggregates::SIGNS)?)?,
        "chart" | "timechart" => series::table(&mut words(aggregates::SIGNS)?, lower == "timechart")?,
        "rename" => vec![Stage::Rename(pairs(&mut words(",")?)?)],
        "fillnull" => fill(&mut words(",=")?),
        "fields" | "table" => keep(&mut words(",")?, lower == "table"),
        "sort" => sort(&mut words(",()")?)?,
        "head" | "tail" => limit(&mut words("=")?, lower == "head")?,
        "reverse" => vec![Stage::Reverse],
        "dedup" => dedup(&mut words(",=")?)?,
        "top" | "rare" => frequent(&mut words(",=")?, lower == "rare")?,
        "bin" | "bucket" => bin(&mut words("=,")?)?,
        "rex" => rex(&mut words("=")?)?,
        "regex" => regex(&mut words("=!")?)?,
        "convert" => convert(&mut words("=(),")?)?,
        "iplocation" => iplocation(&mut words("=")?)?,
        "lookup" => lookup(compiler, &mut words(",=")?)?,
        "spath" => spath(&mut words("=")?),
        "mvexpand" => mvexpand(&mut words("=")?)?,
        "makemv" => makemv(&mut words("=")?)?,
        "nomv" => nomv(&mut words("")?)?,
        "extract" | "kv" => extract(&mut words("=")?)?,
        "join" => nested::join(compiler, text, range)?,
        "append" => nested::append(compiler, text, range)?,
        "appendpipe" => nested::append_pipe(compiler, text, range)?,
        "foreach" => nested::for_each(text, range)?,
        "outputlookup" => nested::output_lookup(compiler, &mut words("=,")?)?,
        "inputlookup" => match generate::input_lookup(compiler, text, range)? {
            (true, rows) => vec![Stage::Append(Box::new(rows))],
            (false, _) => {
                let message = "`inputlookup` stands first, or has `append=t`";
                return Err(Problem::syntax(message, name.range.clone()));
            }
        },
        "makeresults" | "mstats" => {
            let message = format!("`{lower}` makes rows: it can stand first only");
            return Err(Problem::syntax(message, name.range.clone()));
        }
        _ => return Err(known::refusal(name)),
    })
}

fn filter(compiler: &mut Compiler<'_>, text: &str, range: std::ops::Range<usize>) -> Result<Vec<Stage>, Problem> {
    let words = Words::new(text, range.clone(), search::SIGNS)?;
    let parsed = search::parse(&words.words, range.end, &compiler.options)?;
    let inner = nested::filters(compiler, text, &parsed)?;
    Ok(parsed.filter.into_iter().map(Stage::Filter).chain(inner).collect())
}

fn fill(words: &mut Words<'_>) -> Vec<Stage> {
    let value = words.options(&["value"]).text("value").unwrap_or_else(|| "0".to_owned());
    vec![Stage::Fill { fields: words.names(), value }]
}

fn keep(words: &mut Words<'_>, table: bool) -> Vec<Stage> {
    let drop = !table && words.peek("-");
    if drop || words.peek("+") {
        words.at += 1;
    }
    let fields = words.names();
    vec![if drop { Stage::Drop(fields) } else { Stage::Keep { fields, ordered: table } }]
}

fn limit(words: &mut Words<'_>, first: bool) -> Result<Vec<Stage>, Problem> {
    let limit = words.option("limit").or_else(|| words.next().map(|token| token.text));
    let count = limit.map_or(Ok(10), |text| words.number(&text))?;
    Ok(vec![if first { Stage::Head { count } } else { Stage::Tail { count } }])
}

fn iplocation(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let given = words.options(&["prefix", "allfields", "lang"]);
    let field = words.required("the field with the address")?;
    let all = given.on("allfields", false);
    Ok(vec![Stage::GeoIp { field, prefix: given.text("prefix").unwrap_or_default(), all }])
}

fn spath(words: &mut Words<'_>) -> Vec<Stage> {
    let given = words.options(&["input", "output", "path"]);
    let path = given.text("path").or_else(|| words.next().map(|token| token.text));
    let field = given.text("input").unwrap_or_else(|| "_raw".to_owned());
    vec![Stage::ParseJson { field, path, output: given.text("output") }]
}

fn mvexpand(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let limit = words.options(&["limit"]).number("limit", 0, words)?;
    Ok(vec![Stage::Expand { field: words.required("a field")?, limit }])
}

fn nomv(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let field = words.required("a field")?;
    Ok(vec![Stage::JoinMulti { field, delimiter: "\n".to_owned(), combine: false }])
}

fn extract(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    if let Some(word) = words.next() {
        return Err(Problem::unsupported("`extract` with options is not built", word.range));
    }
    Ok(vec![Stage::ParsePairs { field: "_raw".to_owned() }])
}

/// `NAME = EXPRESSION, …`.
pub(super) fn assignments(words: &Words<'_>) -> Result<Vec<Stage>, Problem> {
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
            (Kind::Word, count) if first && count.bytes().all(|b| b.is_ascii_digit()) => limit = words.number(count)?,
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
    let given = words.options(&["keepevents", "keepempty", "consecutive"]);
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
    let (keep_empty, consecutive) = (given.on("keepempty", false), given.on("consecutive", false));
    Ok(vec![Stage::Dedup { fields, keep: count.unwrap_or(1), keep_empty, consecutive, sort }])
}

fn frequent(words: &mut Words<'_>, rare: bool) -> Result<Vec<Stage>, Problem> {
    let given = words.options(&["limit", "showcount", "showperc", "countfield", "percentfield", "useother"]);
    let mut fields = words.names();
    let mut limit = given.number("limit", 10, words)?;
    if let Some(count) = fields.first().and_then(|first| first.parse().ok()) {
        limit = count;
        fields.remove(0);
    }
    let mut by = Vec::new();
    if let Some(at) = fields.iter().position(|field| field.eq_ignore_ascii_case("by")) {
        by = fields.split_off(at).split_off(1);
    }
    let shown = |name: &str| given.on(name, true);
    let named = |name: &str, default: &str| Some(given.text(name).unwrap_or_else(|| default.to_owned()));
    let count_field = if shown("showcount") { named("countfield", "count") } else { None };
    let percent_field = if shown("showperc") { named("percentfield", "percent") } else { None };
    Ok(vec![Stage::Frequent { fields, by, limit, rare, count_field, percent_field }])
}

fn bin(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let given = words.options(&["span", "bins", "aligntime", "minspan"]);
    let field = words.required("a field")?;
    let target = if words.peek("as") {
        words.at += 1;
        words.required("a name after `as`")?
    } else {
        field.clone()
    };
    let span = match given.text("span") {
        None => Span::Auto(given.text("bins").and_then(|bins| bins.parse().ok()).unwrap_or(100)),
        Some(text) => series::span(&text, field == "_time", words.end..words.end)?,
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
    let given = words.options(&["field", "max_match", "mode", "offset_field"]);
    let field = given.text("field").unwrap_or_else(|| "_raw".to_owned());
    let regex = words.required("a regular expression")?;
    if given.text("mode").as_deref() == Some("sed") {
        return Ok(vec![Stage::Rewrite { field, sed: regex }]);
    }
    let max_match = given.number("max_match", 1, words)?;
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
    let format = words.options(&["timeformat"]).text("timeformat");
    let format = format.unwrap_or_else(|| "%m/%d/%Y %H:%M:%S".to_owned());
    let mut stages = Vec::new();
    while let Some(token) = words.next() {
        if token.kind == Kind::Sign {
            continue;
        }
        if !token.text.eq_ignore_ascii_case("ctime") || !words.peek("(") {
            let message = format!("`convert {}` is not supported: only `ctime` is", token.text);
            return Err(Problem::unsupported(message, token.range));
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
    let table = compiler.table(words)?;
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
    let given = words.options(&["delim", "tokenizer", "allowempty", "setsv"]);
    let split = match given.text("tokenizer") {
        Some(regex) => MultiSplit::Tokenizer(checked(regex, words)?),
        None => MultiSplit::Delimiter(given.text("delim").unwrap_or_else(|| " ".to_owned())),
    };
    let allow_empty = given.on("allowempty", false);
    Ok(vec![Stage::MakeMulti { field: words.required("a field")?, split, allow_empty }])
}
