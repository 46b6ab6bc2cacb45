//! One suite over SQLite and over PostgreSQL. PostgreSQL is started on a free port; where it is not installed its tests are
//! listed as ignored, unless `MASTHEAD_REQUIRE_POSTGRES` is set.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may stop where it stands")]

#[path = "state/cases.rs"]
mod cases;
#[path = "state/postgres.rs"]
mod postgres;
#[path = "state/sqlite.rs"]
mod sqlite;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let server = if arguments.list { None } else { postgres::Server::start().map(Arc::new) };
    let required = std::env::var_os("MASTHEAD_REQUIRE_POSTGRES").is_some();
    let mut trials = sqlite::trials();
    for &(name, case) in cases::CASES {
        trials.push(Trial::test(format!("sqlite::{name}"), move || {
            let folder = tempfile::tempdir()?;
            let url = format!("sqlite:{}", folder.path().join("data/masthead.db").display());
            case(&url);
            Ok(())
        }));
        let own = server.clone();
        let there = own.is_some() || arguments.list;
        let trial = Trial::test(format!("postgres::{name}"), move || {
            let server = own.ok_or("PostgreSQL is not installed")?;
            case(&server.database());
            Ok(())
        });
        trials.push(trial.with_ignored_flag(!there && !required));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit_code()
}
