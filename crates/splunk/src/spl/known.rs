//! Commands by name: those that run, those that cannot, and why.

use super::Problem;
use super::lex::Token;

/// Commands that are known, and why they cannot run here.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("tstats", "it reads an accelerated data model, and there is no mapping of one"),
    ("from", "it reads a data model, and there is no mapping of one"),
    ("datamodel", "it reads a data model, and there is no mapping of one"),
    ("pivot", "it reads a data model, and there is no mapping of one"),
    ("apply", "it needs a trained model"),
    ("fit", "it trains a model"),
    ("summary", "it needs a trained model"),
    ("transaction", "transactions are not built"),
    ("map", "it runs a search for every row"),
    ("xmlkv", "XML is not read"),
    ("multikv", "tables in text are not read"),
    ("collect", "there are no summary indexes"),
    ("sendalert", "alerts are sent by their rules"),
    ("sendemail", "alerts are sent by their rules"),
    ("anomalydetection", "it needs a statistical model"),
    ("outlier", "it needs a statistical model"),
    ("predict", "it needs a statistical model"),
    ("cluster", "it needs a statistical model"),
    ("kmeans", "it needs a statistical model"),
    ("cyberchef", "it is an app of its own"),
    ("dnstwist", "it is an app of its own"),
    ("rest", "it asks a server about itself"),
    ("metadata", "it asks a server about itself"),
    ("dbinspect", "it asks a server about itself"),
    ("eventcount", "it asks a server about itself"),
    ("savedsearch", "it runs a search that a server keeps"),
    ("loadjob", "it reads the results of an earlier search"),
];

/// Commands of the manual that nothing published for audit logs uses.
const UNBUILT: [&str; 27] = [
    "accum",
    "addcoltotals",
    "addinfo",
    "addtotals",
    "appendcols",
    "autoregress",
    "concurrency",
    "contingency",
    "correlate",
    "delta",
    "filldown",
    "format",
    "fromjson",
    "gauge",
    "geostats",
    "makecontinuous",
    "multisearch",
    "mvcombine",
    "rangemap",
    "replace",
    "return",
    "set",
    "transpose",
    "trendline",
    "union",
    "untable",
    "xyseries",
];

/// Names of the commands that run.
const COMMANDS: [&str; 40] = [
    "append",
    "appendpipe",
    "bin",
    "bucket",
    "chart",
    "convert",
    "dedup",
    "eval",
    "eventstats",
    "extract",
    "fields",
    "fillnull",
    "foreach",
    "head",
    "iplocation",
    "join",
    "kv",
    "lookup",
    "makemv",
    "mvexpand",
    "nomv",
    "outputlookup",
    "rare",
    "regex",
    "rename",
    "reverse",
    "rex",
    "search",
    "sort",
    "spath",
    "stats",
    "streamstats",
    "table",
    "tail",
    "timechart",
    "top",
    "where",
    "inputlookup",
    "makeresults",
    "mstats",
];

/// Whether there is a command of this name.
pub(super) fn is_known(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    COMMANDS.contains(&lower.as_str())
        || UNBUILT.contains(&lower.as_str())
        || UNSUPPORTED.iter().any(|(known, _)| *known == lower)
}

/// Why a command does not run.
pub(super) fn refusal(name: &Token) -> Problem {
    let lower = name.text.to_ascii_lowercase();
    let why = UNSUPPORTED.iter().find(|(known, _)| *known == lower).map(|(_, why)| *why);
    if let Some(why) = why.or_else(|| UNBUILT.contains(&lower.as_str()).then_some("it is not built")) {
        return Problem::unsupported(format!("`{lower}` is not supported: {why}"), name.range.clone());
    }
    let known = COMMANDS.into_iter().chain(UNSUPPORTED.iter().map(|(known, _)| *known));
    let hint = masthead_rulefile::suggest(&lower, known);
    let hint = hint.map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default();
    let problem = Problem::syntax(format!("there is no command `{}`{hint}", name.text), name.range.clone());
    Problem { code: "spl-unknown-command", ..problem }
}
