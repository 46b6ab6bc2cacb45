//! A worker process as its host sees it.

use std::ffi::OsString;
use std::io::{self, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::host::{HostError, KillReason};
use crate::patience::{Next, Patience};
use crate::protocol::{Reply, Request, read_frame, write_frame};

/// How much of the end of a worker's standard error is kept, in bytes.
const STDERR_TAIL: usize = 4096;

/// What to start as a worker: a program that calls [`worker_main`](crate::worker_main) when it is given these arguments.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The program, usually the running one.
    pub exe: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// How a worker ended that did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Death {
    pub(crate) reason: KillReason,
    pub(crate) message: String,
}

/// A running worker. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    child: Child,
    input: ChildStdin,
    replies: Receiver<io::Result<Reply>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    memory_limit: u64,
}

impl WorkerProcess {
    /// Starts a worker and waits until it has limited itself.
    pub(crate) fn start(command: &WorkerCommand, memory_limit: u64, timeout: Duration) -> Result<Self, HostError> {
        let mut child = Command::new(&command.exe)
            .args(&command.args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| HostError::Start(format!("{}: {error}", command.exe.display())))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(HostError::Start("the worker has no pipes".to_owned()));
        };
        let (sender, replies) = channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(reply) = read_frame(&mut output).transpose() {
                let broken = reply.is_err();
                if sender.send(reply).is_err() || broken {
                    break;
                }
            }
        });
        let stderr = Some(thread::spawn(move || tail(errors)));
        let mut worker = Self { child, input, replies, stderr, memory_limit };
        // Small enough for the pipe: this cannot block, whatever was started.
        worker.send(&Request::Start { memory_limit, parent: std::process::id() }).map_err(HostError::lost)?;
        match worker.receive(timeout) {
            Ok(Reply::Ready) => Ok(worker),
            Ok(_) => Err(HostError::Start("the program that was started is no worker".to_owned())),
            Err(death) => Err(HostError::Start(death.message)),
        }
    }

    /// Sends a request. The worker reads it as a whole before it runs a program, so that this does not wait for one.
    pub(crate) fn send(&mut self, request: &Request) -> io::Result<()> {
        write_frame(&mut self.input, request)
    }

    /// The next reply, or how the worker died: after `timeout` on a processor it is killed.
    pub(crate) fn receive(&mut self, timeout: Duration) -> Result<Reply, Death> {
        let mut patience = Patience::new(self.child.id(), timeout);
        let mut wait = patience.first();
        let mut received = self.replies.recv_timeout(wait);
        while matches!(received, Err(RecvTimeoutError::Timeout)) {
            match patience.over(wait) {
                Next::Wait(more) => wait = more,
                Next::Kill => break,
            }
            received = self.replies.recv_timeout(wait);
        }
        match received {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                self.end();
                Err(Death { reason: KillReason::Crashed, message: format!("the worker's answer is broken: {error}") })
            }
            Err(RecvTimeoutError::Timeout) => {
                self.end();
                let message = format!("took longer than {} ms", timeout.as_millis());
                Err(Death { reason: KillReason::Timeout, message })
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.post_mortem()),
        }
    }

    /// Kills the process and reaps it.
    fn end(&mut self) -> Option<ExitStatus> {
        // It may have ended by itself, which is what was wanted.
        let _ = self.child.kill();
        self.child.wait().ok()
    }

    /// Says of what a worker died that closed its output.
    fn post_mortem(&mut self) -> Death {
        // The output is closed when the process is gone, or as good as gone: it ends with its streams.
        let status = self.child.wait().ok();
        let stderr = self.stderr.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        let stderr = String::from_utf8_lossy(&stderr);
        // What the allocation error handler of Rust's standard library prints before it aborts.
        if stderr.contains("memory allocation of") {
            let limit = self.memory_limit >> 20;
            return Death { reason: KillReason::Memory, message: format!("used more memory than {limit} MiB") };
        }
        let how = match status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => format!("exit code {code}"),
            Some((_, Some(signal))) => format!("signal {signal}"),
            _ => "unknown cause".to_owned(),
        };
        let said = stderr.lines().rfind(|line| !line.trim().is_empty());
        let said = said.map_or_else(String::new, |line| format!(": {}", line.trim()));
        Death { reason: KillReason::Crashed, message: format!("the worker process ended ({how}){said}") }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.end();
    }
}

/// The end of a stream.
fn tail(mut stream: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = [0; 1024];
    while let Ok(count) = stream.read(&mut chunk) {
        if count == 0 {
            break;
        }
        kept.extend_from_slice(&chunk[..count]);
        let surplus = kept.len().saturating_sub(STDERR_TAIL);
        kept.drain(..surplus);
    }
    kept
}
