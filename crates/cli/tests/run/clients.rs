//! Clients that others wrote. They are fetched from PyPI; where that is not possible the test says so.

use std::process::Command;

use crate::server::{Folder, Server, event, ids_of};

/// Installs packages into a folder; false if that is not possible here.
fn python(folder: &Folder, packages: &[&str]) -> bool {
    let target = folder.path().join("python");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(&target)
        .args(packages);
    let done = pip.output().is_ok_and(|output| output.status.success());
    if !done {
        eprintln!("not run: {} cannot be installed here", packages.join(", "));
    }
    done
}

fn run(folder: &Folder, script: &str, arguments: &[&str]) {
    let output = Command::new("python3")
        .args(["-c", script])
        .args(arguments)
        .env("PYTHONPATH", folder.path().join("python"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_opentelemetry_sdk_delivers_logs() {
    let folder = Folder::new();
    if !python(&folder, &["opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"]) {
        return;
    }
    folder.rule("deletes", "verb=delete | table user.username objectRef.name");
    let server = Server::start(&folder, &["-r", "rules"]);
    let script = r#"
import logging, sys
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
provider = LoggerProvider(resource=Resource.create({"k8s.cluster.name": "otel"}))
provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint=sys.argv[1] + "/v1/logs")))
logger = logging.getLogger("audit")
logger.setLevel(logging.INFO)
logger.addHandler(LoggingHandler(logger_provider=provider))
logger.info(sys.argv[2])
provider.shutdown()
"#;
    run(&folder, script, &[&server.address, &event("sdk", "delete")]);
    server.until("it is found", |_| ids_of(&folder.findings(), "deletes") == ["sdk"]);
    let found = folder.findings();
    assert!(found.iter().any(|finding| finding["cluster"] == "otel"), "{found:?}");
}

#[test]
fn curl_posts_as_the_quick_start_says() {
    let folder = Folder::new();
    folder.rule("deletes", "verb=delete | table user.username objectRef.name");
    let server = Server::start(&folder, &["-r", "rules"]);
    let log = folder.write("audit.log", event("curl", "delete"));
    let data = format!("@{}", log.display());
    let url = server.url("/k8s/audit/prod");
    let Ok(output) = Command::new("curl").args(["--silent", "--fail", "--data-binary", &data, &url]).output() else {
        return eprintln!("not run: there is no curl here");
    };
    assert!(output.status.success());
    server.until("it is found", |_| ids_of(&folder.findings(), "deletes") == ["curl"]);
}
