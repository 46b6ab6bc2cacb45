//! The masthead command line.

mod args;
mod catalog;
mod check;
#[cfg(test)]
mod documents;
mod explain;
mod findings;
mod output;
mod policy;
mod render;
mod run;
mod scan;
mod status;
mod test;
mod tokens;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Args, Command, DocsCommand, PolicyCommand};

/// The first argument with which the binary starts itself as a worker for scripts. No command line for people has it.
const SCRIPT_WORKER: &str = "script-worker";

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == SCRIPT_WORKER) {
        return masthead_engine::script_worker();
    }
    match Args::parse().command {
        Command::Scan(scan) => scan::run(*scan),
        Command::Test(test) => test::run(&test),
        Command::Check(check) => check::run(&check),
        Command::Explain(explain) => explain::run(&explain),
        Command::Coverage(coverage) => catalog::coverage(&coverage),
        Command::Rules(rules) => catalog::rules(&rules),
        Command::Policy { what: PolicyCommand::Suggest { rules, log } } => policy::suggest(&rules, &log),
        Command::Docs { what: DocsCommand::Rules { rules } } => catalog::docs(&rules),
        Command::Run(arguments) => run::run(*arguments),
        Command::Status(status) => status::run(&status),
        Command::Findings(findings) => findings::run(findings),
        Command::Config { what } => run::config(&what),
        Command::Token(tokens) => tokens::run(tokens),
        Command::Kube { what } => run::kube(&what),
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), env!("CARGO_PKG_NAME"), &mut script);
    match std::io::stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::trouble(&error),
    }
}
