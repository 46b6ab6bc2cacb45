//! Following files, step by step.

mod copying;
mod interleaved;
mod rotation;
mod simple;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::run::{Round, Tailer};
use super::{TailFile, TailOptions, TailReport};
use crate::collector::Collector;

/// A folder, an intake, and a tail that goes on when told.
struct Bench {
    folder: tempfile::TempDir,
    intake: Arc<Collector>,
    report: Arc<TailReport>,
    options: TailOptions,
    tailer: Option<Tailer>,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// Follows `*.log`, looks for new files at each step, and expects nothing more of a rotated file at once.
    fn new() -> Bench {
        Bench::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut TailOptions)) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let mut options = TailOptions::new("audit", [format!("{}/*.log", folder.path().display())]);
        (options.rescan, options.settle) = (Duration::ZERO, Duration::ZERO);
        change(&mut options);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (intake, report) = (Collector::new(), Arc::default());
        Bench { folder, intake, report, options, tailer: None, runtime }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Rounds until there is nothing to read. Tells whether the intake stopped.
    fn step(&mut self) -> bool {
        if self.tailer.is_none() {
            let stop = CancellationToken::new();
            let tailer = Tailer::new(self.options.clone(), self.intake.clone(), stop, self.report.clone());
            self.tailer = Some(tailer.unwrap());
        }
        let tailer = self.tailer.as_mut().unwrap();
        for _ in 0..1000 {
            match self.runtime.block_on(tailer.round()).unwrap() {
                Round::More => {}
                Round::Idle => return false,
                Round::Stopping => return true,
            }
        }
        panic!("there is always more to read");
    }

    /// The process ends; the next step is one of a new process.
    fn kill(&mut self) {
        self.tailer = None;
    }

    fn report(&self, name: &str) -> TailFile {
        let path = self.path(name);
        let found: Vec<_> = self.report.snapshot().into_iter().filter(|file| file.path == path).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }
}

fn line(n: u64) -> String {
    format!("{{\"n\":{n}}}\n")
}

fn text(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(line).collect()
}

fn append(path: &Path, text: &str) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
