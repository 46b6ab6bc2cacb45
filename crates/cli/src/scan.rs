//! `masthead scan`.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use masthead_engine::{EngineError, OriginOverride, Progress, RuleOptions, ScanOptions, Windows};
use masthead_ir::rule::{RuleSet, Status};

use crate::args::{Scan, ScanFormat, SummaryFormat, WindowMode};
use crate::output::{line, tell, trouble};
use crate::render::{diagnostics, ocsf, summary, table};

struct Bar(ProgressBar);

impl Progress for Bar {
    fn bytes(&self, read: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(read);
    }
}

impl Bar {
    /// Shown only where standard error is a terminal.
    fn new() -> Bar {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
            bar.set_style(style);
        }
        Bar(bar)
    }
}

/// How the binary starts itself as a worker for scripts.
pub(crate) fn worker() -> (PathBuf, Vec<OsString>) {
    let exe = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("masthead"));
    (exe, vec![OsString::from("script-worker")])
}

pub(crate) fn run(scan: Scan) -> ExitCode {
    match try_run(scan) {
        Ok(code) => code,
        Err(error) => trouble(&error),
    }
}

fn try_run(scan: Scan) -> Result<ExitCode, EngineError> {
    let rules = masthead_engine::load_rules(&RuleOptions {
        paths: scan.rules,
        options: scan.options.into_iter().collect(),
        only: scan.only,
    })?;
    tell_refused(&rules);
    let options = ScanOptions {
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
        ..ScanOptions::default()
    };
    let bar = Bar::new();
    let (format, fail_on) = (scan.format, scan.fail_on);
    let mut failed = false;
    let summary = masthead_engine::scan(&rules, &scan.inputs, &options, &bar, &mut |finding| {
        failed |= fail_on.is_some_and(|limit| finding.severity >= limit);
        bar.0.finish_and_clear();
        match format {
            ScanFormat::Table => {
                use std::io::Write as _;
                writeln!(anstream::stdout(), "{}", table::text(&finding))
            }
            ScanFormat::Jsonl => line(&serde_json::to_string(&finding)?),
            ScanFormat::Ocsf => line(&ocsf::detection_finding(&finding).to_string()),
        }
    })?;
    bar.0.finish_and_clear();
    match scan.summary {
        SummaryFormat::Text => tell(summary::text(&summary).trim_end()),
        SummaryFormat::Json => tell(&serde_json::to_string(&summary).unwrap_or_default()),
        SummaryFormat::None => {}
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Tells why rules were refused; what is only worth a warning is for `check`.
fn tell_refused(rules: &RuleSet) {
    let colour = std::io::stderr().is_terminal();
    let refused = rules.rules.iter().filter(|rule| matches!(rule.status, Status::Invalid | Status::Unsupported));
    for diagnostic in refused.filter_map(|rule| rule.diagnostics.first()) {
        tell(&diagnostics::text(diagnostic, colour));
    }
}
