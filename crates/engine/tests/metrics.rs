//! The published searches over metrics, with the baselines that they compare against, over measurements of our making.
//!
//! The searches are read from `../shared` beside the workspace, or `MASTHEAD_SHARED`; without them there is nothing to run.

#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use masthead_engine::{Progress, RuleOptions, ScanOptions, load_rules, scan};
use serde_json::{Value, json};

struct Quiet;
impl Progress for Quiet {
    fn bytes(&self, _: u64, _: u64) {}
}

const NOW: i64 = 1_760_000_000;

/// One record as collectors send it: metrics in front, then dimensions.
fn record(time: i64, metrics: &[(&str, f64)], dimensions: &[(&str, &str)]) -> String {
    let mut fields = serde_json::Map::new();
    for (name, value) in metrics {
        fields.insert(format!("metric_name:{name}"), json!(value));
    }
    let common = [("k8s.cluster.name", "c1"), ("host.name", "n1"), ("k8s.node.name", "n1")];
    for (name, value) in common.iter().chain(dimensions) {
        fields.insert((*name).to_owned(), json!(value));
    }
    json!({"time": time, "event": "metric", "index": "kubernetes_metrics", "fields": fields}).to_string()
}

/// Twenty quiet days, then five minutes in which a shell runs, a workload talks to a new one, and what was known is busy.
fn measurements() -> String {
    let mut lines = Vec::new();
    let mut add = |time, known: bool, factor: f64| {
        // A little unrest, so that there is a deviation to compare with.
        let noise = (time % 7) as f64 / 100.0;
        let (name, path, pid) = if known { ("nginx", "/usr/sbin/nginx", "7") } else { ("bash", "/tmp/bash", "99") };
        let process = [
            ("process.cpu.utilization", 0.1 * factor + noise),
            ("process.memory.utilization", 0.2),
            ("process.threads", 4.0),
            ("process.disk.operations", 10.0 + noise),
        ];
        let of_process = [("process.executable.name", name), ("process.executable.path", path), ("process.pid", pid)];
        lines.push(record(time, &process, &of_process));
        let (to, process_there) = if known { ("db", "postgres") } else { ("elsewhere", "nc") };
        let edge = [
            ("source.workload.name", "web"),
            ("dest.workload.name", to),
            ("source.process.name", name),
            ("dest.process.name", process_there),
        ];
        let traffic = [("tcp.packets", 100.0 * factor + noise), ("udp.packets", 3.0)];
        lines.push(record(time, &traffic, &edge));
        let image = [("container.image.name", if known { "nginx" } else { "miner" })];
        lines.push(record(time, &[("k8s.container.ready", 1.0)], &image));
        for (direction, bytes) in [("transmit", 1_000.0 * factor), ("receive", 500.0)] {
            let pod = [("k8s.pod.name", "web-7f9c6d5b4-abcde"), ("direction", direction)];
            lines.push(record(time, &[("k8s.pod.network.io", bytes + noise)], &pod));
        }
    };
    for hour in 0..480 {
        add(NOW - 1_728_000 + hour * 3_600, true, 1.0);
    }
    for step in 0..20 {
        add(NOW - 300 + step * 10, true, 9.0);
        add(NOW - 300 + step * 10, false, 9.0);
    }
    lines.join("\n")
}

#[test]
fn published_searches_over_metrics_find_what_was_put_there() {
    let shared = std::env::var_os("MASTHEAD_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let rules = shared.join("rules/escu");
    if !rules.exists() {
        eprintln!("skipped: no {}", rules.display());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (metrics, empty) = (folder.path().join("metrics.jsonl"), folder.path().join("empty.jsonl"));
    std::fs::write(&metrics, measurements()).expect("written");
    std::fs::write(&empty, "").expect("written");
    let rules = load_rules(&RuleOptions { paths: vec![rules], ..RuleOptions::default() }).expect("rules");
    let options = ScanOptions { metrics: Some(metrics), ..ScanOptions::default() };
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let summary = scan(&rules, &[empty], &options, &Quiet, &mut |finding| {
        found.entry(finding.rule.name.clone()).or_default().push(json!(finding.fields));
        Ok(())
    });
    let broken: Vec<_> = summary.expect("a scan").rules.into_iter().flat_map(|rule| rule.problems).collect();
    assert!(!broken.iter().any(|problem| problem.contains("stage")), "{broken:?}");
    for (rule, field, value) in [
        ("Kubernetes Anomalous Inbound Network Activity from Process", "dest.process.name", "postgres"),
        ("Kubernetes Anomalous Inbound Outbound Network IO", "k8s.service", "web"),
        ("Kubernetes Anomalous Outbound Network Activity from Process", "source.process.name", "nginx"),
        ("Kubernetes Anomalous Traffic on Network Edge", "dest.workload.name", "db"),
        ("Kubernetes newly seen TCP edge", "dest.workload.name", "elsewhere"),
        ("Kubernetes newly seen UDP edge", "dest.workload.name", "elsewhere"),
        ("Kubernetes Previously Unseen Container Image Name", "container.image.name", "miner"),
        ("Kubernetes Previously Unseen Process", "process.executable.name", "bash"),
        ("Kubernetes Process Running From New Path", "process.executable.path", "/tmp/bash"),
        ("Kubernetes Process with Anomalous Resource Utilisation", "process.executable.name", "nginx"),
        ("Kubernetes Process with Resource Ratio Anomalies", "process.executable.name", "nginx"),
        ("Kubernetes Shell Running on Worker Node", "process.executable.name", "bash"),
        ("Kubernetes Shell Running on Worker Node with CPU Activity", "process.executable.name", "bash"),
    ] {
        let rows = found.get(rule).cloned().unwrap_or_default();
        assert!(rows.iter().any(|row| row[field] == json!(value)), "{rule}: {rows:?}");
    }
    assert!(!found.keys().any(|rule| rule.starts_with("Baseline")), "the rows of a baseline are no findings");
}
