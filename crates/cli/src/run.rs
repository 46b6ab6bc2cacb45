//! `masthead run`, `masthead config`, `masthead kube`.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use masthead_ir::finding::Finding;
use masthead_serve::{Config, RunOptions};

use crate::args::{ConfigCommand, Kube, Run, ScanFormat, StateArgs};
use crate::output::{TROUBLE, out, tell, tell_error};
use crate::render::table;
use masthead_sinks::ocsf;

/// The configuration: from a file if one is named, else the defaults.
pub(crate) fn configuration(path: Option<&Path>) -> Result<Config, String> {
    match path {
        Some(path) => Config::read(path).map_err(|error| error.to_string()),
        None => Ok(Config::default()),
    }
}

/// The configuration that tells where the state is.
pub(crate) fn of_state(arguments: &StateArgs) -> Result<Config, String> {
    let mut config = configuration(arguments.config.as_deref())?;
    if let Some(folder) = &arguments.data {
        config.data.folder.clone_from(folder);
    }
    Ok(config)
}

pub(crate) fn run(arguments: Run) -> ExitCode {
    let config = match configuration(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return trouble(&error),
    };
    let format = arguments.format;
    let options = RunOptions {
        worker: crate::scan::worker(),
        stdin: arguments.stdin,
        print: Some(Box::new(move |finding| print(format, finding))),
        path: arguments.config.clone(),
        colours: std::io::stderr().is_terminal(),
    };
    let started = changed(config, arguments)
        .and_then(|config| masthead_serve::run(config, options).map_err(|error| error.to_string()));
    match started {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => trouble(&error),
    }
}

/// The configuration with what the command line says instead.
fn changed(mut config: Config, arguments: Run) -> Result<Config, String> {
    if !arguments.rules.is_empty() {
        config.rules.paths = arguments.rules;
    }
    if let Some(listen) = arguments.listen {
        config.server.listen = listen;
    }
    if let Some(folder) = arguments.data {
        config.data.folder = folder;
    }
    config.server.insecure |= arguments.insecure;
    config.check()?;
    Ok(config)
}

/// One finding at a time, at once: whoever reads it may wait for it.
fn print(format: ScanFormat, finding: &Finding) -> std::io::Result<()> {
    let mut out = out();
    match format {
        ScanFormat::Table => writeln!(out, "{}", table::text(finding))?,
        ScanFormat::Jsonl => writeln!(out, "{}", serde_json::to_string(finding)?)?,
        ScanFormat::Ocsf => writeln!(out, "{}", ocsf::detection_finding(finding))?,
    }
    out.flush()
}

pub(crate) fn config(what: &ConfigCommand) -> ExitCode {
    match what {
        ConfigCommand::PrintDefault => match out().write_all(masthead_serve::config::DEFAULT.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => crate::output::trouble(&error),
        },
        ConfigCommand::Check { file } => {
            let checked = Config::read(file)
                .map_err(|error| error.to_string())
                .and_then(|config| masthead_serve::check(&config, &crate::scan::worker()));
            match checked {
                Ok(told) => {
                    tell(&told);
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    tell_error(&error);
                    ExitCode::from(1)
                }
            }
        }
    }
}

pub(crate) fn kube(what: &Kube) -> ExitCode {
    let Kube::WebhookConfig { server, cluster, ca, token } = what;
    let text = masthead_serve::webhook_config(server, cluster, ca.as_deref(), token.as_deref());
    match out().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::output::trouble(&error),
    }
}

pub(crate) fn trouble(error: &str) -> ExitCode {
    tell_error(error);
    ExitCode::from(TROUBLE)
}
