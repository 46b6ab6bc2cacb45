//! Scan speed against the parse-only floor: what `masthead scan` makes of a log, and what it takes to parse the same bytes.
//!
//! ```text
//! cargo run --release -p masthead-benches --bin scan-floor -- [--gib N] [--runs N] SEED.jsonl.gz RULES…
//! ```
//!
//! The seed is unpacked and repeated until the file is as long as asked for; every copy gets audit ids of its own, since
//! doubles would be dropped early. Both sides then read that file in turn, each in a process of its own, on one thread:
//! the floor splits lines and parses each into a `sonic_rs::Value`; the scan runs all the rules. Medians are compared.

use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;
use std::{env, hint};

use flate2::read::MultiGzDecoder;
use masthead_engine::{Progress, RuleOptions, ScanOptions};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let outcome = match args.first().map(String::as_str) {
        Some("script-worker") => return masthead_engine::script_worker(),
        Some("floor") => floor(Path::new(&args[1])),
        Some("scan") => scan(Path::new(&args[1]), &args[2..]),
        _ => compare(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("scan-floor: {error}"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is a program, and its output is its result")]
fn say(line: &str) {
    println!("{line}");
}

/// Parses every line to a value and prints the bytes and seconds that took.
fn floor(path: &Path) -> Outcome<()> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut bytes, mut line) = (0, Vec::new());
    let start = Instant::now();
    while reader.read_until(b'\n', &mut line)? > 0 {
        bytes += line.len();
        let value: sonic_rs::Value = sonic_rs::from_slice(line.trim_ascii_end())?;
        hint::black_box(&value);
        line.clear();
    }
    report(bytes as u64, start.elapsed().as_secs_f64(), "")
}

struct Silent;

impl Progress for Silent {
    fn bytes(&self, _read: u64, _total: u64) {}
}

/// Scans the file on one thread and prints the bytes and seconds that took.
fn scan(path: &Path, rules: &[String]) -> Outcome<()> {
    let rules = RuleOptions { paths: rules.iter().map(PathBuf::from).collect(), ..RuleOptions::default() };
    let start = Instant::now();
    let rules = masthead_engine::load_rules(&rules)?;
    let loading = start.elapsed().as_secs_f64();
    let worker = (env::current_exe()?, vec![OsString::from("script-worker")]);
    let options = ScanOptions { worker, ..ScanOptions::default() };
    let mut findings = 0_u64;
    let start = Instant::now();
    let summary = masthead_engine::scan(&rules, &[path.to_owned()], &options, &Silent, &mut |_| {
        findings += 1;
        Ok(())
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let more = format!(
        "{} events, {} rules, {findings} findings, rules loaded in {loading:.2} s",
        summary.events, summary.rules_loaded
    );
    report(fs::metadata(path)?.len(), seconds, &more)
}

fn report(bytes: u64, seconds: f64, more: &str) -> Outcome<()> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0 kB").trim().to_owned();
    let kib: u64 = peak.trim_end_matches(" kB").parse().unwrap_or(0);
    say(&format!("{bytes} {seconds} {kib} {more}"));
    Ok(())
}

/// What one process reported.
struct Measured {
    rate: f64,
    peak_mib: f64,
    more: String,
}

fn measure(args: &[&str]) -> Outcome<Measured> {
    let output = Command::new(env::current_exe()?).args(args).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut parts = text.trim().splitn(4, ' ');
    let mut number = || -> Outcome<f64> { Ok(parts.next().ok_or("a measured process said nothing")?.parse()?) };
    let (bytes, seconds, kib) = (number()?, number()?, number()?);
    Ok(Measured {
        rate: bytes / seconds / 1e6,
        peak_mib: kib / 1024.0,
        more: parts.next().unwrap_or_default().to_owned(),
    })
}

fn compare(args: &[String]) -> Outcome<()> {
    let (mut gib, mut runs, mut rest) = (1.0, 3, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--gib" => gib = args.next().ok_or("--gib needs a number")?.parse()?,
            "--runs" => runs = args.next().ok_or("--runs needs a number")?.parse()?,
            _ => rest.push(arg.as_str()),
        }
    }
    let Some((seed, rules)) = rest.split_first() else { return Err("usage: scan-floor SEED.jsonl.gz RULES…".into()) };
    let log = env::temp_dir().join(format!("masthead-floor-{}.jsonl", std::process::id()));
    unpack(Path::new(seed), &log, (gib * 1e9) as u64)?;
    let outcome = compare_on(&log, rules, runs);
    fs::remove_file(&log)?;
    outcome
}

fn compare_on(log: &Path, rules: &[&str], runs: usize) -> Outcome<()> {
    let path = log.to_str().ok_or("the temporary folder's name is no UTF-8")?;
    let (mut floors, mut scans, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..=runs {
        let floor = measure(&["floor", path])?;
        let scan = measure(&[&["scan", path], rules].concat())?;
        let ratio = scan.rate / floor.rate;
        let note = if run == 0 { " (warm-up, not counted)" } else { "" };
        say(&format!(
            "floor {:.0} MB/s, scan {:.0} MB/s, ratio {ratio:.2}, scan peak {:.0} MiB: {}{note}",
            floor.rate, scan.rate, scan.peak_mib, scan.more
        ));
        if run > 0 {
            floors.push(floor.rate);
            scans.push(scan.rate);
            ratios.push(ratio);
        }
    }
    say(&format!(
        "median: floor {:.0} MB/s, scan {:.0} MB/s, ratio {:.2}",
        median(floors),
        median(scans),
        median(ratios)
    ));
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Writes the unpacked seed again and again, with the first eight digits of every audit id replaced by the copy's number.
fn unpack(seed: &Path, log: &Path, length: u64) -> Outcome<()> {
    let mut text = Vec::new();
    MultiGzDecoder::new(File::open(seed)?).read_to_end(&mut text)?;
    let key = b"\"auditID\":\"";
    let mut out = BufWriter::with_capacity(1 << 20, File::create(log)?);
    let (mut written, mut copy) = (0_u64, 0_u32);
    while written < length {
        let number = format!("{copy:08x}");
        for line in text.split_inclusive(|&b| b == b'\n') {
            let id = line.windows(key.len()).position(|w| w == key).map(|at| at + key.len());
            match id.filter(|&at| line.len() > at + number.len()) {
                Some(at) => {
                    out.write_all(&line[..at])?;
                    out.write_all(number.as_bytes())?;
                    out.write_all(&line[at + number.len()..])?;
                }
                None => out.write_all(line)?,
            }
            written += line.len() as u64;
            if written >= length {
                break;
            }
        }
        copy += 1;
    }
    out.flush()?;
    Ok(())
}
