//! The masthead command line.

mod args;
mod check;
mod output;
mod render;
mod scan;
mod test;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Args, Command};

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Scan(scan) => scan::run(*scan),
        Command::Test(test) => test::run(&test),
        Command::Check(check) => check::run(&check),
        Command::Completions { shell } => completions(shell),
        Command::ScriptWorker => masthead_engine::script_worker(),
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
