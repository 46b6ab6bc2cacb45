//! `masthead status`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use serde_json::Value;

use crate::args::Status;
use crate::output::out;
use crate::run::trouble;

pub(crate) fn run(arguments: &Status) -> ExitCode {
    let asked =
        masthead_serve::ask(&arguments.server, "/api/v1/status", arguments.token.as_deref(), arguments.ca.as_deref());
    let status = match asked {
        Ok(status) => status,
        Err(error) => return trouble(&error),
    };
    let text = if arguments.json { format!("{status:#}\n") } else { text(&status) };
    match out().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::output::trouble(&error),
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn time(value: &Value) -> String {
    let micros = value.as_i64().and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
    micros.map_or_else(|| "never".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// One screen.
fn text(status: &Value) -> String {
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = write_head(&mut text, status);
    let _ = write_sources(&mut text, status);
    let _ = write_rules(&mut text, status);
    let _ = write_sinks(&mut text, status);
    text
}

fn write_head(text: &mut String, status: &Value) -> std::fmt::Result {
    let minutes = number(&status["seconds"]) / 60;
    writeln!(text, "masthead {}, up for {} h {} min", word(&status["version"]), minutes / 60, minutes % 60)?;
    let queue = &status["queue"];
    writeln!(
        text,
        "queue     {} batches, {} KiB wait; {} accepted, {} refused",
        number(&queue["batches"]),
        number(&queue["bytes"]) >> 10,
        number(&queue["accepted"]),
        number(&queue["refused"])
    )?;
    writeln!(
        text,
        "time      newest event {}, complete until {}; windows take {} KiB, {} groups were given up",
        time(&status["newest_event"]),
        time(&status["complete_until"]),
        number(&status["windows_bytes"]) >> 10,
        number(&status["windows_evicted"])
    )
}

fn write_sources(text: &mut String, status: &Value) -> std::fmt::Result {
    writeln!(text, "\nsources")?;
    if list(&status["sources"]).is_empty() {
        writeln!(text, "  none has sent anything yet")?;
    }
    for source in list(&status["sources"]) {
        writeln!(
            text,
            "  {:<16} {:>10} events {:>9.1}/s   last received {}, its events until {}",
            word(&source["name"]),
            number(&source["events"]),
            source["events_per_second"].as_f64().unwrap_or(0.0),
            time(&source["last_received"]),
            time(&source["last_event"])
        )?;
        let losses = source["losses"].as_object().into_iter().flatten();
        let late = [("late", &source["late"]), ("ahead", &source["ahead"])].into_iter();
        let told: Vec<String> = losses
            .map(|(reason, count)| (reason.as_str(), number(count)))
            .chain(late.map(|(reason, count)| (reason, number(count))))
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        if !told.is_empty() {
            writeln!(text, "  {:<16} {}", "", told.join(", "))?;
        }
    }
    for tail in list(&status["files"]) {
        for file in list(&tail["files"]) {
            let error = file["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
            writeln!(
                text,
                "  file {} {} of {} bytes{error}",
                word(&file["path"]),
                number(&file["offset"]),
                number(&file["size"])
            )?;
        }
    }
    Ok(())
}

fn write_rules(text: &mut String, status: &Value) -> std::fmt::Result {
    let rules = &status["rules"];
    let silent = list(&rules["silent"]);
    writeln!(
        text,
        "\nrules     {} run, {} refused, {} have seen nothing that concerns them",
        number(&rules["loaded"]),
        number(&rules["refused"]),
        silent.len()
    )?;
    if let Some(problem) = rules["problem"].as_str() {
        writeln!(text, "  newer rules were NOT loaded: {problem}")?;
    }
    for rule in list(&rules["broken"]) {
        writeln!(text, "  broken: {}: {}", word(&rule["name"]), word(&rule["problem"]))?;
    }
    for rule in list(&rules["slow"]).iter().take(5) {
        let seconds = rule["seconds"].as_f64().unwrap_or(0.0);
        writeln!(text, "  {seconds:>8.2} s  {} ({} candidates)", word(&rule["name"]), number(&rule["candidates"]))?;
    }
    for name in silent.iter().take(5) {
        writeln!(text, "  silent: {}", word(name))?;
    }
    for name in list(&status["exceptions"]["expired"]) {
        writeln!(text, "  expired exception: {}", word(name))?;
    }
    Ok(())
}

fn write_sinks(text: &mut String, status: &Value) -> std::fmt::Result {
    if list(&status["sinks"]).is_empty() {
        return Ok(());
    }
    writeln!(text, "\nsinks")?;
    for sink in list(&status["sinks"]) {
        let error = sink["last_error"].as_str().map(|error| format!("; last error: {error}")).unwrap_or_default();
        writeln!(
            text,
            "  {:<16} {} sent, {} wait, {} failed tries, {} given up{error}",
            word(&sink["name"]),
            number(&sink["sent"]),
            number(&sink["waiting"]),
            number(&sink["failed"]),
            number(&sink["dead"])
        )?;
    }
    Ok(())
}
