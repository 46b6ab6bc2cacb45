//! Arguments, help texts.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use masthead_ir::rule::Severity;

/// Runs published Kubernetes detections (Splunk ESCU, Panther) over audit logs, as they are published.
#[derive(Debug, Parser)]
#[command(name = "masthead", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs rules over audit logs and prints what they find.
    Scan(Box<Scan>),
    /// Runs the tests that rules carry.
    Test(Test),
    /// Compiles rules without running them, and says what is wrong with them.
    Check(Check),
    /// Prints shell completions.
    Completions {
        /// For which shell.
        shell: Shell,
    },
}

const SCAN_EXAMPLES: &str = "\
Examples:
  masthead scan audit.log                          the built-in rules over one log
  masthead scan -r detections/ -f jsonl logs/ | jq .title
  zcat audit.log.gz | masthead scan -              compressed input works as it is, too
  masthead scan --fail-on high --geoip city.mmdb logs/

Exit status: 0 done, 1 a finding reached --fail-on, 2 usage or nothing readable.";

#[derive(Debug, clap::Args)]
#[command(after_help = SCAN_EXAMPLES)]
pub(crate) struct Scan {
    /// Rule files and folders; the built-in rules if none are given.
    #[arg(short, long = "rules", value_name = "RULES")]
    pub(crate) rules: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(short, long, value_enum, default_value_t = ScanFormat::Table)]
    pub(crate) format: ScanFormat,
    /// What a scheduled search sees: the whole input, or the windows of its schedule by event time.
    #[arg(long, value_enum, default_value_t = WindowMode::Whole)]
    pub(crate) windows: WindowMode,
    /// Ends with status 1 if a finding is at least this severe.
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    pub(crate) fail_on: Option<Severity>,
    /// A MaxMind-format database with the places of IP addresses.
    #[arg(long, value_name = "FILE")]
    pub(crate) geoip: Option<PathBuf>,
    /// Metrics as JSON lines, for searches over a metrics table.
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,
    /// Runs rules that their authors switched off, too.
    #[arg(long)]
    pub(crate) include_disabled: bool,
    /// Only rules whose id, name or file name matches (`*` stands for anything).
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Vec<String>,
    /// An option of a rule language, as NAME=VALUE.
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) options: Vec<(String, String)>,
    /// The log type of raw audit events, such as Amazon.EKS.Audit.
    #[arg(long, value_name = "TYPE")]
    pub(crate) log_type: Option<String>,
    /// The source of raw audit events instead of `kubernetes`.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// The sourcetype of raw audit events instead of `_json`.
    #[arg(long)]
    pub(crate) sourcetype: Option<String>,
    /// The cluster of raw audit events.
    #[arg(long)]
    pub(crate) cluster: Option<String>,
    /// Takes lines that are no JSON as events, too.
    #[arg(long)]
    pub(crate) text_lines: bool,
    /// The moment that `now` stands for (RFC 3339); by default just after the last event.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) now: Option<i64>,
    /// How many threads look at events; by default one for each processor, up to 16. The findings are the same.
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
    /// How the summary on standard error is printed.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub(crate) summary: SummaryFormat,
    /// Files and folders of logs; `-` is the standard input.
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
}

const TEST_EXAMPLES: &str = "\
Examples:
  masthead test rules/
  masthead test -f junit rules/ > report.xml

Exit status: 0 all passed, 1 some did not, 2 usage or nothing readable.";

#[derive(Debug, clap::Args)]
#[command(after_help = TEST_EXAMPLES)]
pub(crate) struct Test {
    /// How results are printed.
    #[arg(short, long, value_enum, default_value_t = TestFormat::Text)]
    pub(crate) format: TestFormat,
    /// Rule files and folders.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  masthead check detections/
  masthead check -f sarif detections/ > check.sarif

Exit status: 0 all rules can run, 1 some are invalid or unsupported, 2 usage or nothing readable.";

#[derive(Debug, clap::Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct Check {
    /// How results are printed.
    #[arg(short, long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,
    /// An option of a rule language, as NAME=VALUE.
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) options: Vec<(String, String)>,
    /// Rule files and folders.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScanFormat {
    Table,
    Jsonl,
    Ocsf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    Text,
    Jsonl,
    Junit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    Text,
    Jsonl,
    Sarif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SummaryFormat {
    Text,
    Json,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WindowMode {
    Whole,
    AsScheduled,
}

fn severity(text: &str) -> Result<Severity, String> {
    let name = serde_json::Value::from(text.to_ascii_lowercase());
    serde_json::from_value(name).map_err(|_| "one of informational, low, medium, high, critical".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn moment(text: &str) -> Result<i64, String> {
    let time: jiff::Timestamp = text.parse().map_err(|error| format!("{error}"))?;
    Ok(time.as_microsecond())
}
