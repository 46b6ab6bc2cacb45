//! A sandboxed Python host: runs the scripts of rules in a worker process.
//!
//! A program that starts a [`Host`] must call [`worker_main`] when it finds itself started with the arguments of the
//! [`WorkerCommand`] that it gave the host: host and worker are the same binary, and no Python is needed on the machine.
//!
//! # What programs can do
//! The standard library is there as far as it computes; see `tests/sandbox.rs` for the modules that are sure to load. There
//! is no file, network, process, thread, environment or terminal: `open` raises `PermissionError`, `os` has only names,
//! `subprocess`, `socket` and their like cannot be imported, `print` goes nowhere. Modules of the
//! [`ScriptLibrary`](masthead_ir::rule::ScriptLibrary) take precedence over all others. `unittest.mock` is a small one.
//!
//! A program is run as a module with the name `module` and the file name `module.py`; it is not in `sys.modules`. A library
//! that catches a program's exception finds the program's lines in the traceback by that file name.
//!
//! The programs of a library share an interpreter, as they share its modules: what one changes in them, others see. An
//! event, envelope or config is a new object for each call.
//!
//! # What keeps them in
//! The interpreter is built without access to the host. Around it, the process gives up its right to open
//! files, write to files, make processes and threads, and to grow beyond a memory limit; it is killed when a call takes
//! too long, and ends when its parent does.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod host;
mod interpreter;
mod json;
mod limits;
mod patience;
mod process;
mod protocol;
mod sandbox;
mod worker;

pub use host::{Call, Host, HostError, HostOptions, KillReason, Outcome, Program};
pub use process::WorkerCommand;
pub use worker::worker_main;
