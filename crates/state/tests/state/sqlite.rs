//! What is only so with files.

use std::os::unix::fs::PermissionsExt as _;

use libtest_mimic::Trial;
use masthead_state::{State, StateError};

use crate::cases::block_on;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("sqlite::the_file_is_for_its_owner_alone", || {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("a/b/masthead.db");
            block_on(State::open(&format!("sqlite:{}", path.display()), "n")).unwrap();
            let mode = std::fs::metadata(&path)?.permissions().mode() & 0o777;
            if mode == 0o600 { Ok(()) } else { Err(format!("{mode:o}").into()) }
        }),
        Trial::test("sqlite::a_damaged_file_is_named", || {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("masthead.db");
            std::fs::write(&path, [7; 8192])?;
            match block_on(State::open(&format!("sqlite:{}", path.display()), "n")) {
                Err(StateError::Damaged { place, .. }) if place.ends_with("masthead.db") => Ok(()),
                other => Err(format!("{other:?}").into()),
            }
        }),
        Trial::test("sqlite::other_addresses_are_refused", || match block_on(State::open("mysql://x", "n")) {
            Err(StateError::Address) => Ok(()),
            other => Err(format!("{other:?}").into()),
        }),
        Trial::test("sqlite::a_password_is_in_no_error", || {
            let opened = block_on(State::open("postgres://me:hush@127.0.0.1:1/x", "n"));
            let told = format!("{:?}", opened.map(|_| ()));
            if told.contains("Unreachable") && !told.contains("hush") { Ok(()) } else { Err(told.into()) }
        }),
    ]
}
