//! `masthead scan`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use masthead_engine::{EngineError, OriginOverride, Progress, RuleOptions, ScanOptions, ScanSummary, Windows};
use masthead_ir::diagnostic::{Diagnostic, Level};
use masthead_ir::finding::Finding;
use masthead_ir::rule::{RuleSet, Status};
use masthead_sinks::ocsf;

use crate::args::{Scan, ScanFormat, SummaryFormat, WindowMode};
use crate::output::{TROUBLE, counted, out, tell, tell_error, trouble};
use crate::render::{diagnostics, summary, table};

/// One thread for each processor; more than 16 would wait for the one that takes their results.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(16)
}

/// How many invalid rules are shown in full.
const SHOWN: usize = 20;

/// A progress bar.
pub(crate) struct Bar(ProgressBar);

impl Progress for Bar {
    fn bytes(&self, read: u64, total: u64) {
        if total > 0 && self.0.length().is_none() {
            self.0.set_style(style("{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} to go"));
            self.0.set_length(total);
        }
        self.0.set_position(read);
    }
}

impl Bar {
    /// Shown only where standard error is a terminal. How much there is to read is not known at first, and never of
    /// standard input.
    pub(crate) fn new() -> Bar {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style("{spinner} {bytes}, {bytes_per_sec}"));
        Bar(bar)
    }

    /// Takes it away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// How the binary starts itself as a worker for scripts.
pub(crate) fn worker() -> (PathBuf, Vec<OsString>) {
    let exe = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("masthead"));
    (exe, vec![OsString::from(crate::SCRIPT_WORKER)])
}

pub(crate) fn run(scan: Scan) -> ExitCode {
    match try_run(scan) {
        Ok(code) => code,
        Err(error) => trouble(&error),
    }
}

fn try_run(mut scan: Scan) -> Result<ExitCode, EngineError> {
    let rules = masthead_engine::load_rules(&RuleOptions {
        paths: std::mem::take(&mut scan.rules),
        options: std::mem::take(&mut scan.options).into_iter().collect(),
        only: std::mem::take(&mut scan.only),
    })?;
    if scan.summary != SummaryFormat::Json {
        tell_refused(&rules);
    }
    if let Some(reason) = idle(&rules) {
        tell_error(reason);
        return Ok(ExitCode::from(TROUBLE));
    }
    let inputs = std::mem::take(&mut scan.inputs);
    let (format, fail_on, summary_format) = (scan.format, scan.fail_on, scan.summary);
    let options = options(scan);
    let bar = Bar::new();
    let mut failed = false;
    let mut printer = Printer { format, out: out(), first: true };
    let summary = masthead_engine::scan(&rules, &inputs, &options, &bar, &mut |finding| {
        failed |= fail_on.is_some_and(|limit| finding.severity >= limit);
        bar.0.finish_and_clear();
        printer.print(&finding)
    })?;
    printer.out.flush().map_err(EngineError::Output)?;
    bar.0.finish_and_clear();
    conclude(summary_format, &summary, &rules)?;
    if summary.nothing_readable() {
        tell_error("nothing in the input is an event");
        return Ok(ExitCode::from(TROUBLE));
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn options(scan: Scan) -> ScanOptions {
    ScanOptions {
        windows: match scan.windows {
            WindowMode::Whole => Windows::Whole,
            WindowMode::AsScheduled => Windows::AsScheduled,
        },
        include_disabled: scan.include_disabled,
        geoip: scan.geoip,
        metrics: scan.metrics,
        origin: OriginOverride {
            source: scan.source,
            sourcetype: scan.sourcetype,
            log_type: scan.log_type,
            cluster: scan.cluster,
        },
        text_lines: scan.text_lines,
        now: scan.now,
        worker: worker(),
        threads: scan.threads.map_or_else(processors, usize::from),
        ..ScanOptions::default()
    }
}

/// Writes findings.
struct Printer<W> {
    format: ScanFormat,
    out: W,
    first: bool,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, finding: &Finding) -> io::Result<()> {
        match self.format {
            ScanFormat::Table => {
                if !std::mem::replace(&mut self.first, false) {
                    writeln!(self.out)?;
                }
                write!(self.out, "{}", table::text(finding))
            }
            ScanFormat::Jsonl => writeln!(self.out, "{}", serde_json::to_string(finding)?),
            ScanFormat::Ocsf => writeln!(self.out, "{}", ocsf::detection_finding(finding)),
        }
    }
}

/// Tells what went wrong in rules while they ran, and the figures.
fn conclude(format: SummaryFormat, summary: &ScanSummary, rules: &RuleSet) -> Result<(), EngineError> {
    if format == SummaryFormat::Json {
        tell(&summary::json(summary, rules).map_err(|error| EngineError::Output(error.into()))?);
        return Ok(());
    }
    for diagnostic in summary.rules.iter().flat_map(|rule| &rule.diagnostics) {
        tell(&format!("{}\n", diagnostics::text(diagnostic, diagnostics::Stream::Err)));
    }
    if format == SummaryFormat::Text {
        tell(summary::text(summary).trim_end());
    }
    Ok(())
}

/// Why a scan with these rules would be for nothing.
fn idle(rules: &RuleSet) -> Option<&'static str> {
    if rules.rules.is_empty() {
        Some("there are no rules there")
    } else if rules.rules.iter().all(summary::refused) {
        Some("none of the rules can run; `masthead check` tells why")
    } else {
        None
    }
}

/// Tells what is wrong with rules that take no part. Those that are right but cannot run here are only counted: in
/// published collections they are many.
fn tell_refused(rules: &RuleSet) {
    let invalid: Vec<_> = rules.rules.iter().filter(|rule| rule.status == Status::Invalid).collect();
    for diagnostic in invalid.iter().take(SHOWN).filter_map(|rule| first(&rule.diagnostics)) {
        tell(&format!("{}\n", diagnostics::text(diagnostic, diagnostics::Stream::Err)));
    }
    if invalid.len() > SHOWN {
        let more = counted((invalid.len() - SHOWN) as u64, "more invalid rule");
        tell(&format!("and {more}; `masthead check` tells all\n"));
    }
    let unsupported = rules.rules.iter().filter(|rule| rule.status == Status::Unsupported).count() as u64;
    if unsupported > 0 {
        tell(&format!("{} cannot run here; `masthead check` tells why\n", counted(unsupported, "rule")));
    }
}

/// What makes a rule invalid: the first error, not a warning that came before it.
fn first(diagnostics: &[Diagnostic]) -> Option<&Diagnostic> {
    diagnostics.iter().find(|diagnostic| diagnostic.level == Level::Error).or(diagnostics.first())
}
