//! The masthead command line.

mod args;
mod check;
mod output;
mod render;
mod scan;
mod test;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Args, Command};

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Scan(scan) => scan::run(*scan),
        Command::Test(test) => test::run(&test),
        Command::Check(check) => check::run(&check),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "masthead", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::ScriptWorker => masthead_engine::script_worker(),
    }
}
