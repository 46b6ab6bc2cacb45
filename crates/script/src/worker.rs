//! The worker process: reads requests from standard input, runs programs, answers on standard output.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use masthead_ir::rule::ScriptError;

use crate::interpreter::Interpreter;
use crate::limits;
use crate::protocol::{CallRecord, Reply, Request, read_frame, write_frame};

/// The interpreter recurses on the native stack: a thousand Python frames must fit in it with room to spare.
const STACK: usize = 256 << 20;

/// How often the worker looks whether its parent lives.
const PARENT_CHECK: Duration = Duration::from_millis(500);

/// Runs the worker process until its standard input ends.
///
/// The program that starts a [`Host`](crate::Host) calls this, and nothing before it, when it finds itself started with
/// the arguments of the host's [`WorkerCommand`](crate::WorkerCommand). The exit code is 0 at the end of the input and
/// 1 when it is no valid request or the limits cannot be set.
pub fn worker_main() -> ExitCode {
    let Ok(Some(Request::Start { memory_limit, parent })) = read_frame(&mut io::stdin().lock()) else {
        return ExitCode::FAILURE;
    };
    let main = thread::current();
    let serving = thread::Builder::new().name("script".into()).stack_size(STACK).spawn(move || {
        let served = serve(memory_limit);
        main.unpark();
        served
    });
    let Ok(serving) = serving else { return ExitCode::FAILURE };
    // A parent that is killed cannot stop a program that loops. The kernel's parent-death signal would not do: it is
    // sent as soon as the thread ends that started the process.
    while !serving.is_finished() {
        thread::park_timeout(PARENT_CHECK);
        let orphaned = rustix::process::getppid().is_none_or(|pid| pid.as_raw_pid() as u32 != parent);
        if orphaned {
            return ExitCode::FAILURE;
        }
    }
    match serving.join() {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::from(101),
    }
}

fn serve(memory_limit: u64) -> io::Result<()> {
    limits::apply(memory_limit)?;
    let mut interpreter = Interpreter::new();
    let mut input = io::stdin().lock();
    let mut out = io::stdout().lock();
    write_frame(&mut out, &Reply::Ready)?;
    while let Some(request) = read_frame(&mut input)? {
        match request {
            Request::Start { .. } => return Err(io::Error::new(io::ErrorKind::InvalidData, "started twice")),
            Request::Load { modules, entry, programs } => {
                let library = interpreter.load_library(modules, &entry);
                let failed = library.is_err();
                write_frame(&mut out, &Reply::Library(library.err()))?;
                for (module, source) in programs.iter().filter(|_| !failed) {
                    let loaded = interpreter.load_program(module, source);
                    write_frame(&mut out, &Reply::Program(loaded.err()))?;
                }
            }
            Request::Evaluate { texts, calls } => {
                for call in &calls {
                    let reply = evaluate(&mut interpreter, &texts, call);
                    answer(&mut out, &reply)?;
                }
            }
        }
    }
    Ok(())
}

fn evaluate(interpreter: &mut Interpreter, texts: &[std::sync::Arc<str>], call: &CallRecord) -> Reply {
    let text = |index: usize| texts.get(index).map_or("null", |text| text);
    let verdict = interpreter.call(&call.module, text(call.event), text(call.envelope), text(call.config));
    verdict.map_or_else(Reply::Failed, |verdict| Reply::Verdict(Box::new(verdict)))
}

/// Sends the answer to a call; one that is too long becomes an error of that call.
fn answer(out: &mut impl Write, reply: &Reply) -> io::Result<()> {
    match write_frame(out, reply) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            write_frame(out, &Reply::Failed(ScriptError { message: error.to_string(), ..Default::default() }))
        }
        written => written,
    }
}
