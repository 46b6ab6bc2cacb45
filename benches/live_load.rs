//! Events at a steady rate into a running masthead, and what it does with them.
//!
//! `live-load --binary target/release/masthead --rate 20000 --seconds 300 LOG RULES...` starts the service with these rules and a
//! fresh data folder, posts the events of the log as `EventList`s of 400, each under an audit id of its own and with the
//! time of now, and prints what was refused, how long findings took, and how much memory the service had. The
//! generator runs on the same machine.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is what it is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Events of one post: the default of kube-apiserver.
const BATCH: u64 = 400;
/// How many connections post at once.
const SENDERS: u64 = 4;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

struct Arguments {
    binary: PathBuf,
    rate: u64,
    seconds: u64,
    log: PathBuf,
    rules: Vec<PathBuf>,
}

fn arguments() -> Result<Arguments> {
    let mut found =
        Arguments { binary: "masthead".into(), rate: 20_000, seconds: 300, log: PathBuf::new(), rules: Vec::new() };
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--binary" => found.binary = value()?.into(),
            "--rate" => found.rate = value()?.parse()?,
            "--seconds" => found.seconds = value()?.parse()?,
            path if found.log.as_os_str().is_empty() => found.log = path.into(),
            path => found.rules.push(path.into()),
        }
    }
    if found.log.as_os_str().is_empty() {
        return Err("usage: live-load [--binary FILE] [--rate N] [--seconds N] LOG RULES...".into());
    }
    Ok(found)
}

/// An event cut at what changes: pieces between audit id and times.
struct Template(Vec<Piece>);

enum Piece {
    Text(String),
    Id,
    Time,
}

impl Template {
    fn new(line: &str) -> Template {
        let mut pieces = Vec::new();
        let mut rest = line;
        let keys =
            [("\"auditID\":\"", true), ("\"requestReceivedTimestamp\":\"", false), ("\"stageTimestamp\":\"", false)];
        while let Some((at, id)) =
            keys.iter().filter_map(|(key, id)| Some((rest.find(key)? + key.len(), *id))).min_by_key(|(at, _)| *at)
        {
            let (before, after) = rest.split_at(at);
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(if id { Piece::Id } else { Piece::Time });
            rest = after.find('"').map_or("", |end| &after[end..]);
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Template(pieces)
    }

    fn write(&self, number: u64, now: &str, out: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Id => out.push_str(&format!("{number:08x}-0000-4000-8000-000000000000")),
                Piece::Time => out.push_str(now),
            }
        }
    }
}

fn templates(path: &PathBuf) -> Result<Vec<Template>> {
    let file = File::open(path)?;
    let reader: Box<dyn Read> = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut templates = Vec::new();
    for line in BufReader::new(reader).lines() {
        templates.push(Template::new(&line?));
    }
    if templates.is_empty() { Err("the log is empty".into()) } else { Ok(templates) }
}

/// Reads one answer and gives its status and body.
fn answer(stream: &mut BufReader<TcpStream>) -> Result<(u16, String)> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).ok_or("no status")?.parse()?;
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status, String::from_utf8(body)?))
}

fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    Ok(answer(&mut BufReader::new(stream))?.1)
}

/// What was sent.
#[derive(Default)]
struct Sent {
    statuses: Mutex<BTreeMap<u16, u64>>,
    events: AtomicU64,
    slowest: AtomicU64,
}

fn send(
    own: u64,
    address: &str,
    arguments: &Arguments,
    templates: &[Template],
    start: Instant,
    sent: &Sent,
) -> Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    let batches = arguments.rate * arguments.seconds / BATCH;
    let pause = Duration::from_secs_f64(BATCH as f64 / arguments.rate as f64);
    let mut body = String::new();
    for batch in (own..batches).step_by(SENDERS as usize) {
        let due = start + pause * u32::try_from(batch)?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = jiff::Timestamp::now().to_string();
        body.clear();
        body.push_str(r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#);
        for event in 0..BATCH {
            let number = batch * BATCH + event;
            if event > 0 {
                body.push(',');
            }
            templates[number as usize % templates.len()].write(number, &now, &mut body);
        }
        body.push_str("]}");
        let posted = Instant::now();
        let head = format!(
            "POST /k8s/audit/load HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.get_mut().write_all(head.as_bytes())?;
        stream.get_mut().write_all(body.as_bytes())?;
        let (status, _) = answer(&mut stream)?;
        sent.slowest.fetch_max(posted.elapsed().as_millis() as u64, Ordering::Relaxed);
        *sent.statuses.lock().map_err(|_| "poisoned")?.entry(status).or_default() += 1;
        if status == 200 {
            sent.events.fetch_add(BATCH, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Resident memory in MiB, its children's too: scripts run in a process of their own.
fn memory(child: &Child) -> u64 {
    let resident = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0)
    };
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(resident).sum::<u64>();
    (resident(child.id()) + children) >> 10
}

/// The upper bound of the bucket that holds this share of a histogram's observations.
fn quantile(metrics: &str, kind: &str, share: f64) -> Option<(f64, u64)> {
    let start = "masthead_latency_from_receipt_seconds_bucket{le=\"";
    let mut buckets: Vec<(f64, u64)> = metrics
        .lines()
        .filter(|line| line.starts_with(start) && line.contains(&format!("kind=\"{kind}\"")))
        .filter_map(|line| {
            let bound = line[start.len()..].split('"').next()?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, line.rsplit(' ').next()?.parse().ok()?))
        })
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total = buckets.last()?.1;
    let wanted = (total as f64 * share).ceil() as u64;
    buckets.iter().find(|(_, count)| *count >= wanted).map(|(bound, _)| (*bound, total))
}

fn main() -> Result<()> {
    let arguments = arguments()?;
    let templates = templates(&arguments.log)?;
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(&arguments.binary);
    command.args(["run", "--listen", "127.0.0.1:0", "-f", "jsonl", "--data"]).arg(folder.path());
    for rules in &arguments.rules {
        command.arg("-r").arg(rules);
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut log = BufReader::new(child.stderr.take().ok_or("no standard error")?);
    let mut address = String::new();
    while address.is_empty() {
        let mut line = String::new();
        if log.read_line(&mut line)? == 0 {
            return Err("the service did not start".into());
        }
        if let Some((_, rest)) = line.split_once("listening on http://") {
            address = rest.split_whitespace().next().unwrap_or_default().to_owned();
        }
    }
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::stderr()));
    let result = measure(&arguments, &templates, &address, &child);
    child.kill()?;
    child.wait()?;
    result
}

fn measure(arguments: &Arguments, templates: &[Template], address: &str, child: &Child) -> Result<()> {
    let sent = Sent::default();
    let start = Instant::now();
    let mut resident = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let senders: Vec<_> = (0..SENDERS)
            .map(|own| {
                let (sent, address) = (&sent, address);
                scope.spawn(move || send(own, address, arguments, templates, start, sent))
            })
            .collect();
        while senders.iter().any(|sender| !sender.is_finished()) {
            std::thread::sleep(Duration::from_secs(1));
            resident.push(memory(child));
        }
        senders.into_iter().try_for_each(|sender| sender.join().map_err(|_| "a sender failed")?)
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let sent_events = sent.events.load(Ordering::Relaxed);
    let end = Instant::now();
    let mut metrics = String::new();
    while end.elapsed() < Duration::from_secs(60) {
        metrics = get(address, "/metrics")?;
        let evaluated = metrics.lines().find(|line| line.starts_with("masthead_events_total{source=\"webhook\"}"));
        if evaluated.and_then(|line| line.rsplit(' ').next()?.parse().ok()) == Some(sent_events) {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("sent        {sent_events} events in {seconds:.1} s: {:.0} a second", sent_events as f64 / seconds);
    println!(
        "answers     {:?}; the slowest after {} ms",
        sent.statuses.lock().map_err(|_| "poisoned")?,
        sent.slowest.load(Ordering::Relaxed)
    );
    println!("evaluated   all of them {:.1} s after the last post", end.elapsed().as_secs_f64());
    for (kind, name) in [("event", "single events"), ("window", "windows")] {
        match (quantile(&metrics, kind, 0.5), quantile(&metrics, kind, 0.99)) {
            (Some((half, count)), Some((most, _))) => {
                println!("latency     {name}: p50 within {half} s, p99 within {most} s, of {count} findings");
            }
            _ => println!("latency     {name}: no finding"),
        }
    }
    let quarter = resident.len() / 4;
    let mean = |part: &[u64]| part.iter().sum::<u64>() / part.len().max(1) as u64;
    println!(
        "memory      {} MiB at most; {} MiB on average in the second quarter, {} MiB in the last",
        resident.iter().max().copied().unwrap_or(0),
        mean(resident.get(quarter..2 * quarter).unwrap_or_default()),
        mean(resident.get(3 * quarter..).unwrap_or_default())
    );
    Ok(())
}
