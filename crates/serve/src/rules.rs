//! Loading of rules, exceptions and overrides, at the start and when they change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use masthead_engine::exceptions::{Exceptions, RuleOverride, apply_overrides};
use masthead_engine::{LiveOptions, RuleOptions, ScanOptions, WindowChoice, load_rules};
use masthead_ir::diagnostic::{Diagnostic, Level};
use masthead_ir::rule::{RuleSet, Status};

use crate::config::{Config, WindowMode};
use crate::service::Refused;

/// How the binary starts itself as a worker for scripts.
pub type Worker = (PathBuf, Vec<std::ffi::OsString>);

/// A set of rules, ready to run.
pub(crate) struct RuleLoad {
    pub(crate) rules: RuleSet,
    pub(crate) options: LiveOptions,
    pub(crate) exceptions: Arc<Exceptions>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) running: usize,
    /// What an operator should know: faults of overrides and exceptions.
    pub(crate) warnings: Vec<String>,
}

/// Loads everything.
///
/// # Errors
/// When a path cannot be read, or no rule can run.
pub(crate) fn load(config: &Config, worker: &Worker) -> Result<RuleLoad, String> {
    let told = |error: masthead_engine::EngineError| error.to_string();
    let mut paths = config.rules.paths.clone();
    if !paths.is_empty() {
        for folder in &config.rules.macros {
            paths.extend(files_of(folder).map_err(|error| format!("{}: {error}", folder.display()))?);
        }
    }
    let rule_options = RuleOptions { paths, options: config.rules.options.clone(), only: config.rules.only.clone() };
    let mut rules = load_rules(&rule_options).map_err(told)?;
    let mut warnings = Vec::new();
    let overrides: BTreeMap<String, RuleOverride> = (config.rules.overrides.iter())
        .map(|(name, own)| {
            let change = RuleOverride {
                enabled: own.enabled,
                severity: own.severity,
                cron: own.cron.clone(),
                threshold: own.threshold,
            };
            (name.clone(), change)
        })
        .collect();
    warnings.extend(apply_overrides(&mut rules, &overrides).into_iter().map(|fault| format!("override: {fault}")));
    let now = jiff::Timestamp::now().as_microsecond();
    let exceptions = Arc::new(Exceptions::read(&config.rules.exceptions, now).map_err(told)?);
    warnings.extend(exceptions.diagnostics.iter().map(placed));
    let refused: Vec<Refused> = rules.rules.iter().filter_map(refused).collect();
    let enabled = |rule: &Arc<masthead_ir::rule::Rule>| config.rules.include_disabled || rule.enabled;
    let running = rules.rules.iter().filter(|rule| rule.rule.as_ref().is_some_and(enabled)).count();
    if running == 0 {
        return Err("no rule can run; `masthead check` tells why".to_owned());
    }
    let options = options(config, worker, exceptions.clone());
    Ok(RuleLoad { rules, options, exceptions, refused, running, warnings })
}

fn options(config: &Config, worker: &Worker, exceptions: Arc<Exceptions>) -> LiveOptions {
    let micros = |duration: std::time::Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let choice = |mode: WindowMode| match mode {
        WindowMode::Live => WindowChoice::Live,
        WindowMode::AsScheduled => WindowChoice::AsScheduled,
    };
    let windows = &config.windows;
    let own = config.rules.overrides.iter().filter_map(|(name, own)| Some((name.clone(), choice(own.windows?))));
    LiveOptions {
        scan: ScanOptions {
            include_disabled: config.rules.include_disabled,
            geoip: config.rules.geoip.clone(),
            worker: worker.clone(),
            exceptions,
            ..ScanOptions::default()
        },
        windows: choice(windows.mode),
        windows_of: own.collect(),
        default_window: micros(windows.default),
        lateness: micros(windows.lateness),
        ahead: micros(windows.ahead),
        window_memory: usize::try_from(windows.memory).unwrap_or(usize::MAX),
        doubles: windows.doubles,
    }
}

fn refused(compiled: &masthead_ir::rule::Compiled) -> Option<Refused> {
    if !matches!(compiled.status, Status::Invalid | Status::Unsupported) {
        return None;
    }
    let first = compiled.diagnostics.iter().find(|diagnostic| diagnostic.level == Level::Error);
    Some(Refused {
        path: compiled.path.display().to_string(),
        rule_id: compiled.rule_id.clone(),
        status: compiled.status,
        message: first.or(compiled.diagnostics.first()).map(placed).unwrap_or_default(),
    })
}

/// A diagnostic as one line.
fn placed(diagnostic: &Diagnostic) -> String {
    match &diagnostic.span {
        Some(span) => {
            let (line, column) = span.line_column();
            format!("{}:{line}:{column}: {}", span.path.display(), diagnostic.message)
        }
        None => diagnostic.message.clone(),
    }
}

/// The files under a path, sorted.
fn files_of(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}

/// What the files look like from outside: a change of it means that they are worth loading again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Look(BTreeMap<PathBuf, (Option<SystemTime>, u64)>);

impl Look {
    /// Looks at everything that is loaded from files.
    pub(crate) fn at(config: &Config) -> Look {
        let rules = &config.rules;
        let server = &config.server;
        let single = [&rules.geoip, &server.tls_cert, &server.tls_key, &server.client_ca].into_iter().flatten();
        let paths = rules.paths.iter().chain(&rules.exceptions).chain(&rules.macros).chain(single);
        let mut seen = BTreeMap::new();
        for path in paths {
            for file in files_of(path).unwrap_or_default() {
                let metadata = std::fs::metadata(&file).ok();
                let length = metadata.as_ref().map_or(0, std::fs::Metadata::len);
                seen.insert(file, (metadata.and_then(|metadata| metadata.modified().ok()), length));
            }
        }
        Look(seen)
    }
}

/// Checks a configuration as far as that is possible without starting: rules, exceptions, overrides, sinks, certificates.
/// Gives what was found in words.
///
/// # Errors
/// What keeps it from starting.
pub fn check(config: &Config, worker: &Worker) -> Result<String, String> {
    let loaded = load(config, worker)?;
    masthead_sinks::Sinks::new(&config.sinks()).map_err(|error| error.to_string())?;
    crate::server::tls(&config.server)?;
    config.state_url()?;
    for token in &config.ingest.token {
        token.secret.resolve().map_err(|error| format!("ingest token `{}`: {error}", token.name))?;
    }
    let mut told = format!("{} rules run, {} are refused\n", loaded.running, loaded.refused.len());
    for warning in &loaded.warnings {
        told.push_str(warning);
        told.push('\n');
    }
    Ok(told)
}
