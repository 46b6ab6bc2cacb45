//! `masthead findings`.

use std::io::Write as _;
use std::process::ExitCode;

use masthead_sinks::ocsf;
use masthead_state::{FindingChange, FindingQuery, State, StoredFinding};

use crate::args::{Findings, FindingsCommand, ScanFormat, StateArgs};
use crate::output::{out, tell};
use crate::render::table;
use crate::run::{of_state, trouble};

/// Opens the state that a configuration names.
pub(crate) async fn open(arguments: &StateArgs) -> Result<State, String> {
    let config = of_state(arguments)?;
    let url = config.state_url()?;
    if let Some(path) = url.strip_prefix("sqlite:")
        && !std::path::Path::new(path).exists()
    {
        return Err(format!("there is no {path}: `masthead run` makes it; --data or -c tells where it is"));
    }
    State::open(&url, &config.node()).await.map_err(|error| error.to_string())
}

/// Runs something that waits.
pub(crate) fn wait<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(work)
}

pub(crate) fn run(arguments: Findings) -> ExitCode {
    match wait(work(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => trouble(&error),
    }
}

async fn work(arguments: Findings) -> Result<(), String> {
    let state = open(&arguments.state).await?;
    let told = |error: masthead_state::StateError| error.to_string();
    match arguments.what {
        FindingsCommand::List { status, severity, rule, entity, cluster, limit, format } => {
            let limit = Some(limit);
            let query = FindingQuery { status, severity, rule, entity, cluster, limit, ..FindingQuery::default() };
            let page = state.findings(&query).await.map_err(told)?;
            list(format, &page.items).map_err(|error| error.to_string())?;
            if page.next.is_some() {
                tell("there are more; --limit shows up to 1,000");
            }
            Ok(())
        }
        FindingsCommand::Show { id } => match state.finding(&id).await.map_err(told)? {
            Some(finding) => show(&finding).map_err(|error| error.to_string()),
            None => Err(format!("there is no finding {id}")),
        },
        FindingsCommand::Ack { id, assignee, note } => {
            let assignee = assignee.or_else(|| std::env::var("USER").ok());
            let status = Some("acknowledged".to_owned());
            change(&state, &id, FindingChange { status, assignee, note, ..FindingChange::default() }).await
        }
        FindingsCommand::Close { id, verdict, reason } => {
            let (status, verdict) = (Some("closed".to_owned()), Some(verdict.replace('-', "_")));
            change(&state, &id, FindingChange { status, verdict, reason, ..FindingChange::default() }).await
        }
        FindingsCommand::Reopen { id, note } => {
            let status = Some("new".to_owned());
            change(&state, &id, FindingChange { status, note, ..FindingChange::default() }).await
        }
    }
}

async fn change(state: &State, id: &str, change: FindingChange) -> Result<(), String> {
    let by = std::env::var("USER").unwrap_or_else(|_| "command line".to_owned());
    match state.change(id, &change, &by).await.map_err(|error| error.to_string())? {
        Some(finding) => {
            tell(&format!("{} is {}", finding.finding.finding_id, finding.finding.status));
            Ok(())
        }
        None => Err(format!("there is no finding {id}")),
    }
}

fn list(format: ScanFormat, findings: &[StoredFinding]) -> std::io::Result<()> {
    let mut out = out();
    for (index, stored) in findings.iter().enumerate() {
        match format {
            ScanFormat::Table => {
                if index > 0 {
                    writeln!(out)?;
                }
                write!(out, "{}", table::text(&stored.finding))?;
                writeln!(out, "  {} ({})", stored.finding.finding_id, stored.finding.status)?;
            }
            ScanFormat::Jsonl => writeln!(out, "{}", serde_json::to_string(stored)?)?,
            ScanFormat::Ocsf => writeln!(out, "{}", ocsf::detection_finding(&stored.finding))?,
        }
    }
    out.flush()
}

fn show(finding: &StoredFinding) -> std::io::Result<()> {
    writeln!(out(), "{}", serde_json::to_string_pretty(finding)?)
}
