//! Arguments, help texts.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use masthead_ir::rule::Severity;

const EXAMPLES: &str = "\
Examples:
  masthead run                               take events as they come, and find at once
  masthead scan audit.log                    run the built-in rules over a log
  masthead scan -r detections/ -f jsonl logs/
  masthead check detections/                 what can run, what cannot, and why
  masthead test detections/                  the tests that rules carry
  masthead explain exec_into_pod             what a rule looks for, in plain words
  masthead coverage                          what the rules cover, and what they do not

`masthead help COMMAND` tells more.";

/// Runs published Kubernetes detections (Splunk ESCU, Panther, Sigma, Falco, Elastic, CloudWatch) over audit logs, as they are
/// published.
#[derive(Debug, Parser)]
#[command(name = "masthead", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run rules over audit logs and print what they find.
    Scan(Box<Scan>),
    /// Run the tests that rules carry.
    Test(Test),
    /// Compile rules without running them, and say what is wrong with them.
    Check(Check),
    /// Tell what a rule looks for, in plain words, and why it did or did not fire on an event.
    Explain(Explain),
    /// Tell what rules cover of ATT&CK, the Microsoft threat matrix and Stratus Red Team.
    Coverage(Coverage),
    /// List rules, search them, and find those that look for the same.
    Rules(Rules),
    /// Find the audit policy that rules need.
    Policy {
        #[command(subcommand)]
        what: PolicyCommand,
    },
    /// Make documentation from rules.
    Docs {
        #[command(subcommand)]
        what: DocsCommand,
    },
    /// Take events as they come, and find at once.
    Run(Box<Run>),
    /// Show what a running masthead sees, on one screen.
    Status(Status),
    /// List findings of a running or stopped masthead, and say what became of them.
    Findings(Findings),
    /// Check or print the configuration of `run`.
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
    /// Make, list and revoke tokens of the HTTP API.
    Token(Tokens),
    /// Print what Kubernetes must be told.
    Kube {
        #[command(subcommand)]
        what: Kube,
    },
    /// Print shell completions.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// For which shell.
        shell: Shell,
    },
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(masthead completions bash)
  masthead completions fish > ~/.config/fish/completions/masthead.fish";

const RUN_EXAMPLES: &str = "\
Examples:
  masthead run
      Listens on 127.0.0.1:8470 with the built-in rules; findings go to standard output.
  curl --data-binary @audit.log http://127.0.0.1:8470/k8s/audit/prod
      Events of the cluster prod, by hand.
  masthead run -c masthead.toml
      As the file says; `masthead config print-default` prints one.
  kubectl logs -f -n kube-system kube-apiserver-0 | masthead run --stdin
      Events from standard input, too.

Endpoints for events: /k8s/audit[/CLUSTER] (kube-apiserver's webhook), /services/collector (Splunk HEC), /firehose
(Amazon Data Firehose), /v1/logs (OTLP/HTTP), /gcp/pubsub (GKE), /azure/eventhub (AKS).
SIGHUP loads rules, exceptions and certificates anew, which also happens by itself when they change.

Exit status:
  0  stopped
  2  wrong usage, or something that it needs is not there";

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct Run {
    /// The configuration; without it every setting has its default.
    #[arg(short, long, value_name = "FILE", env = "MASTHEAD_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Rule files and folders, instead of those of the configuration.
    #[arg(short, long = "rules", value_name = "RULES")]
    pub(crate) rules: Vec<PathBuf>,
    /// Where to listen, instead of what the configuration says.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// The folder of the queue and the findings, instead of that of the configuration.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// Listen beyond loopback without TLS.
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Read events from standard input, too.
    #[arg(long)]
    pub(crate) stdin: bool,
    /// How findings are written to standard output where there is no sink.
    #[arg(short, long, value_enum, default_value_t = ScanFormat::Table)]
    pub(crate) format: ScanFormat,
}

/// Where the state is.
#[derive(Debug, clap::Args)]
pub(crate) struct StateArgs {
    /// The configuration that `run` was given.
    #[arg(short, long, value_name = "FILE", env = "MASTHEAD_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// The data folder, instead of that of the configuration.
    #[arg(long, value_name = "FOLDER", global = true)]
    pub(crate) data: Option<PathBuf>,
}

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// The address of the service.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8470", env = "MASTHEAD_SERVER")]
    pub(crate) server: String,
    /// A token with the scope `read`.
    #[arg(long, value_name = "TOKEN", env = "MASTHEAD_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Who signed the service's certificate, PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

const FINDINGS_EXAMPLES: &str = "\
Examples:
  masthead findings list --severity high
  masthead findings show 05246259-aeab-5f11-815b-af26285c2a7b
  masthead findings close 05246259-aeab-5f11-815b-af26285c2a7b --verdict false-positive --reason 'backup job'";

/// Arguments of `findings`.
#[derive(Debug, clap::Args)]
#[command(after_help = FINDINGS_EXAMPLES)]
pub(crate) struct Findings {
    #[command(subcommand)]
    pub(crate) what: FindingsCommand,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FindingsCommand {
    /// List findings, the newest first.
    List {
        /// Only those with this status: new, acknowledged, closed.
        #[arg(long)]
        status: Option<String>,
        /// Only those at least this severe.
        #[arg(long, value_parser = PossibleValuesParser::new(SEVERITIES).try_map(severity), ignore_case = true)]
        severity: Option<Severity>,
        /// Only those of this rule.
        #[arg(long)]
        rule: Option<String>,
        /// Only those about this entity.
        #[arg(long)]
        entity: Option<String>,
        /// Only those of this cluster.
        #[arg(long)]
        cluster: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// How they are written.
        #[arg(short, long, value_enum, default_value_t = ScanFormat::Table)]
        format: ScanFormat,
    },
    /// Show one finding with its history, as JSON.
    Show {
        /// Its id.
        id: String,
    },
    /// Say that somebody looks at a finding.
    Ack {
        /// Its id.
        id: String,
        /// Who; by default you.
        #[arg(long)]
        assignee: Option<String>,
        /// A note.
        #[arg(long)]
        note: Option<String>,
    },
    /// Say what a finding was.
    Close {
        /// Its id.
        id: String,
        /// What it was.
        #[arg(long, value_parser = ["true-positive", "false-positive", "benign"])]
        verdict: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Make a finding new again.
    Reopen {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long)]
        note: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a configuration: keys, values, what does not go together, rules, secrets.
    Check {
        /// The file.
        #[arg(value_name = "FILE", default_value = "masthead.toml")]
        file: PathBuf,
    },
    /// Print every key with its default and what it does.
    PrintDefault,
}

const TOKEN_EXAMPLES: &str = "\
Examples:
  masthead token create dashboards --scope read
  masthead token create prod-apiserver --scope ingest";

/// Arguments of `token`.
#[derive(Debug, clap::Args)]
#[command(after_help = TOKEN_EXAMPLES)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    pub(crate) what: TokenCommand,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token. Its secret is shown once.
    Create {
        /// What it is for.
        name: String,
        /// What it allows; may be given several times.
        #[arg(long = "scope", required = true, value_parser = ["ingest", "read", "write"])]
        scopes: Vec<String>,
        /// For how many days it holds; without it, until it is revoked.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: Option<u32>,
    },
    /// List tokens, without their secrets.
    List,
    /// Make a token hold no longer.
    Revoke {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Kube {
    /// Print the kubeconfig for kube-apiserver's `--audit-webhook-config-file`, and its flags.
    WebhookConfig {
        /// The address of the service, as the API server reaches it.
        #[arg(long, value_name = "URL", default_value = "https://masthead.example:8470")]
        server: String,
        /// The cluster's name.
        #[arg(long, default_value = "prod")]
        cluster: String,
        /// The path of a PEM file on the API server's machine that it trusts the service by.
        #[arg(long, value_name = "FILE")]
        ca: Option<String>,
        /// The token that the API server comes with.
        #[arg(long, env = "MASTHEAD_TOKEN", hide_env_values = true)]
        token: Option<String>,
    },
}

const SCAN_EXAMPLES: &str = "\
Examples:
  masthead scan audit.log
      The built-in rules over one log.
  masthead scan -r detections/ -f jsonl logs/ | jq -r .message
      Rules of your own over all files of a folder. Compressed files are read as they are.
  ssh control-plane sudo cat /var/log/kubernetes/audit.log | masthead scan -
      Events from standard input.
  masthead scan -r detections/ --log-type Amazon.EKS.Audit --cluster prod audit.log
      Raw events for Panther rules, which run over events of their log types.
  masthead scan --fail-on high --geoip city.mmdb logs/
      For a pipeline: ends with 1 if something is high or critical.

Findings go to standard output, everything else to standard error.

Exit status:
  0  done
  1  a finding is as severe as --fail-on says
  2  wrong usage, or nothing readable: a path that is not there, no rule that can run, no event";

#[derive(Debug, clap::Args)]
#[command(after_help = SCAN_EXAMPLES)]
pub(crate) struct Scan {
    /// Files and folders of logs; `-` is standard input.
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,

    /// Rule files and folders; the built-in rules if none are given.
    #[arg(short, long = "rules", value_name = "RULES", help_heading = RULES)]
    pub(crate) rules: Vec<PathBuf>,
    /// Take only rules whose id, name or file name matches; `*` stands for anything.
    #[arg(long, value_name = "GLOB", help_heading = RULES)]
    pub(crate) only: Vec<String>,
    /// Run rules that their authors switched off, too.
    #[arg(long, help_heading = RULES)]
    pub(crate) include_disabled: bool,
    /// Decide a point on which a rule language's manual is silent; a wrong name lists them.
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = pair, help_heading = RULES)]
    pub(crate) options: Vec<(String, String)>,
    /// What a scheduled search sees.
    #[arg(long, value_enum, default_value_t = WindowMode::Whole, help_heading = RULES)]
    pub(crate) windows: WindowMode,
    /// The moment that `now` stands for (RFC 3339); by default just after the last event.
    #[arg(long, value_name = "TIME", value_parser = moment, help_heading = RULES)]
    pub(crate) now: Option<i64>,

    /// The source of raw events instead of `kubernetes`.
    #[arg(long, help_heading = EVENTS)]
    pub(crate) source: Option<String>,
    /// The sourcetype of raw events instead of `_json`.
    #[arg(long, help_heading = EVENTS)]
    pub(crate) sourcetype: Option<String>,
    /// The log type of raw events, such as Amazon.EKS.Audit.
    #[arg(long, value_name = "TYPE", help_heading = EVENTS)]
    pub(crate) log_type: Option<String>,
    /// The cluster of raw events.
    #[arg(long, help_heading = EVENTS)]
    pub(crate) cluster: Option<String>,
    /// Take lines that are no JSON as events, too.
    #[arg(long, help_heading = EVENTS)]
    pub(crate) text_lines: bool,
    /// A database in MaxMind's format with the places of IP addresses.
    #[arg(long, value_name = "FILE", help_heading = EVENTS)]
    pub(crate) geoip: Option<PathBuf>,
    /// Metrics as JSON lines, for searches over a metrics table.
    #[arg(long, value_name = "FILE", help_heading = EVENTS)]
    pub(crate) metrics: Option<PathBuf>,

    /// How findings are written.
    #[arg(short, long, value_enum, default_value_t = ScanFormat::Table, help_heading = OUTPUT)]
    pub(crate) format: ScanFormat,
    /// How the summary on standard error is written.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text, help_heading = OUTPUT)]
    pub(crate) summary: SummaryFormat,
    /// End with status 1 if a finding is at least this severe.
    #[arg(
        long,
        value_name = "SEVERITY",
        value_parser = PossibleValuesParser::new(SEVERITIES).try_map(severity),
        ignore_case = true,
        help_heading = OUTPUT
    )]
    pub(crate) fail_on: Option<Severity>,

    /// How many threads look at events; by default one for each processor, up to 16. The findings are the same.
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
}

const RULES: &str = "Rules";
const EVENTS: &str = "Events";
const OUTPUT: &str = "Output";
const SEVERITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

const TEST_EXAMPLES: &str = "\
Examples:
  masthead test detections/
  masthead test --only '*EKS*' detections/
  masthead test -f junit detections/ > report.xml

Data of tests is read from files beside the rules; nothing is fetched.

Exit status:
  0  every test passed
  1  a test did not pass, or a rule is invalid
  2  wrong usage, or nothing readable";

#[derive(Debug, clap::Args)]
#[command(after_help = TEST_EXAMPLES)]
pub(crate) struct Test {
    /// Rule files and folders.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How results are written.
    #[arg(short, long, value_enum, default_value_t = TestFormat::Text)]
    pub(crate) format: TestFormat,
    /// Take only rules whose id, name or file name matches; `*` stands for anything.
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Vec<String>,
    /// Decide a point on which a rule language's manual is silent; a wrong name lists them.
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) options: Vec<(String, String)>,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  masthead check detections/
  masthead check -f jsonl detections/ | jq -r 'select(.status != \"runs\") | .path'
  masthead check -f sarif detections/ > check.sarif
  masthead check --against audit.log detections/
      Which fields and values of each rule no event of a log has.
  masthead check --policy audit-policy.yaml detections/
      Which rules are blind under an audit policy, and why.

A rule runs, runs in part (some of it has no effect here), is unsupported (right, but cannot run here), or is invalid.

Exit status:
  0  every rule can run
  1  a rule is invalid or unsupported
  2  wrong usage, or nothing readable";

#[derive(Debug, clap::Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct Check {
    /// Rule files and folders.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How results are written.
    #[arg(short, long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,
    /// Take only rules whose id, name or file name matches; `*` stands for anything.
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Vec<String>,
    /// Decide a point on which a rule language's manual is silent; a wrong name lists them.
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) options: Vec<(String, String)>,
    /// Hold the rules against logs, files or folders: which fields and values no event has. May be given several times.
    #[arg(long, value_name = "LOG")]
    pub(crate) against: Vec<PathBuf>,
    /// Hold the rules against an audit policy: which can see nothing under it.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

/// Which rules a command is about.
#[derive(Debug, clap::Args)]
pub(crate) struct RuleArgs {
    /// Rule files and folders; the built-in rules if none are given.
    #[arg(short, long = "rules", value_name = "RULES", global = true)]
    pub(crate) rules: Vec<PathBuf>,
    /// Take only rules whose id, name or file name matches; `*` stands for anything.
    #[arg(long, value_name = "GLOB", global = true)]
    pub(crate) only: Vec<String>,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  masthead explain exec_into_pod
      A built-in rule, by its file's name; its id or name do, too.
  masthead explain detections/my_rule.yml -f markdown
  masthead explain 'Exec into a pod' --event event.json
      Part by part, why the rule did or did not fire on each event of a file.";

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(crate) struct Explain {
    /// The rule: its id, name or file name, with `*` for anything, or its file.
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
    /// Rule files and folders; the built-in rules if none are given.
    #[arg(short, long = "rules", value_name = "RULES")]
    pub(crate) rules: Vec<PathBuf>,
    /// A file of events: tell why the rule did or did not fire on each.
    #[arg(long, value_name = "FILE")]
    pub(crate) event: Option<PathBuf>,
    /// How it is written.
    #[arg(short, long, value_enum, default_value_t = PageFormat::Text)]
    pub(crate) format: PageFormat,
}

const COVERAGE_EXAMPLES: &str = "\
Examples:
  masthead coverage
  masthead coverage -r detections/ -r sigma/rules -f markdown
  masthead coverage -f navigator > layer.json
      A layer for the ATT&CK Navigator.";

/// Arguments of `coverage`.
#[derive(Debug, clap::Args)]
#[command(after_help = COVERAGE_EXAMPLES)]
pub(crate) struct Coverage {
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// How it is written.
    #[arg(short, long, value_enum, default_value_t = CoverageFormat::Text)]
    pub(crate) format: CoverageFormat,
}

const RULES_EXAMPLES: &str = "\
Examples:
  masthead rules list
  masthead rules search secret kube-system
  masthead rules overlap -r detections/ -r falco/";

/// Arguments of `rules`.
#[derive(Debug, clap::Args)]
#[command(after_help = RULES_EXAMPLES)]
pub(crate) struct Rules {
    #[command(subcommand)]
    pub(crate) what: RulesCommand,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// How it is written.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, global = true)]
    pub(crate) format: ListFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List all rules that can run.
    List,
    /// Find rules by words: of names, descriptions, tags, techniques, fields and values. All must be found.
    Search {
        /// The words.
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Find rules that look for the same thing.
    Overlap,
}

const SUGGEST_EXAMPLES: &str = "\
Examples:
  masthead policy suggest > audit-policy.yaml
      The smallest policy under which all built-in rules can fire.
  masthead policy suggest -r detections/ --log audit.log
      The same with an estimate of its volume, on standard error.";

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print the smallest audit policy under which all rules can fire.
    #[command(after_help = SUGGEST_EXAMPLES)]
    Suggest {
        #[command(flatten)]
        rules: RuleArgs,
        /// A log to estimate the policy's volume from. May be given several times.
        #[arg(long, value_name = "LOG")]
        log: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DocsCommand {
    /// Print the catalogue of rules, as Markdown.
    Rules {
        #[command(flatten)]
        rules: RuleArgs,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PageFormat {
    /// For people at a terminal.
    Text,
    /// One JSON object.
    Json,
    /// For a page.
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CoverageFormat {
    /// For people at a terminal.
    Text,
    /// One JSON object.
    Json,
    /// For a page.
    Markdown,
    /// A layer of the ATT&CK Navigator.
    Navigator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people at a terminal.
    Text,
    /// One JSON object a line.
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScanFormat {
    /// For people.
    Table,
    /// One JSON object a line; docs/findings.md tells its fields.
    Jsonl,
    /// One OCSF Detection Finding a line.
    Ocsf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// What did not pass, and the figures.
    Text,
    /// One JSON object a test.
    Jsonl,
    /// A report in JUnit's XML.
    Junit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Diagnostics with the lines they are about, and the figures.
    Text,
    /// One JSON object a rule.
    Jsonl,
    /// A SARIF 2.1.0 log.
    Sarif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SummaryFormat {
    /// For people.
    Text,
    /// One JSON object, which then stands alone on standard error.
    Json,
    /// None; what is wrong with rules is told all the same.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WindowMode {
    /// The whole input at once.
    Whole,
    /// The windows of its schedule, one after another, by the times of the events.
    AsScheduled,
}

fn severity(name: String) -> serde_json::Result<Severity> {
    serde_json::from_value(name.to_ascii_lowercase().into())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn moment(text: &str) -> Result<i64, String> {
    let time: jiff::Timestamp = text.parse().map_err(|error| format!("{error}"))?;
    Ok(time.as_microsecond())
}
