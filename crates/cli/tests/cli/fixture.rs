//! A folder with rules and events, and the binary run in it.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value as Json;
use tempfile::TempDir;

/// A folder that goes away with the test. Commands run in it, so that no path in their output depends on the machine.
pub(crate) struct Folder(TempDir);

/// How a command ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Folder {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    /// A Splunk rule, whose search is on line 4 from column 10.
    pub(crate) fn splunk(&self, file: &str, search: &str) -> &Folder {
        let stem = Path::new(file).file_stem().unwrap().to_string_lossy().into_owned();
        self.write(file, splunk_rule(&stem, search))
    }

    /// A Panther rule with its Python beside it.
    pub(crate) fn panther(&self, stem: &str, python: &str) -> &Folder {
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let yaml = format!(
            "AnalysisType: rule\nRuleID: {name}\nFilename: {name}.py\nEnabled: true\nLogTypes: [Amazon.EKS.Audit]\nSeverity: High\n"
        );
        let python_file = Path::new(folder).join(format!("{name}.py"));
        self.write(&format!("{stem}.yml"), yaml).write(python_file.to_str().unwrap(), python)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, "")
    }

    pub(crate) fn run_with(&self, args: &[&str], stdin: impl Into<Vec<u8>>) -> Run {
        run(self.path(), args, stdin)
    }

    /// The same in a folder of this folder.
    pub(crate) fn run_inside(&self, folder: &str, args: &[&str]) -> Run {
        run(&self.path().join(folder), args, "")
    }
}

fn run(folder: &Path, args: &[&str], stdin: impl Into<Vec<u8>>) -> Run {
    let mut command = command(args);
    let output = command.current_dir(folder).write_stdin(stdin).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Run {
    /// Standard output as JSON lines.
    pub(crate) fn records(&self) -> Vec<Json> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The summary, which stands alone on standard error with `--summary json`.
    pub(crate) fn summary(&self) -> Json {
        serde_json::from_str(&self.err).unwrap_or_else(|error| panic!("{error}: {}", self.err))
    }

    /// How often each reason was counted, and its first places.
    pub(crate) fn losses(&self) -> Vec<(String, u64, Vec<String>)> {
        let summary = self.summary();
        let losses = summary["losses"].as_array().unwrap();
        losses
            .iter()
            .map(|loss| {
                let places = loss["places"].as_array().unwrap();
                let places = places.iter().map(|place| place.as_str().unwrap().to_owned()).collect();
                (loss["reason"].as_str().unwrap().to_owned(), loss["count"].as_u64().unwrap(), places)
            })
            .collect()
    }

    /// The names of the rules that found something, each once.
    pub(crate) fn fired(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.records().iter().map(|record| record["rule"]["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// The binary, with nothing of the caller's surroundings that changes its output.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_masthead"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    command.args(args);
    command
}

/// A rule in the form of ESCU 4 and 5; its search is on line 4 from column 10.
pub(crate) fn splunk_rule(name: &str, search: &str) -> String {
    format!(
        "name: {name}\ntype: TTP\nid: {name}-id\nsearch: '{search}'\nhow_to_implement: x\ntags:\n  mitre_attack_id: [T1613]\n\
         rba:\n  message: $user$ did it\n  risk_objects:\n  - {{field: user, type: user, score: 49}}\n  threat_objects: []\n"
    )
}

/// A search that every event of [`event`] with the verb `list` fires.
pub(crate) const LISTS: &str = "verb=list | rename user.username as user | stats count by user";

/// An audit event of one line; the number makes its audit id and time.
pub(crate) fn event(number: u32, verb: &str) -> String {
    let (minute, second) = (number / 60 % 60, number % 60);
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"00000000-0000-4000-8000-{number:012}","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"{verb}","user":{{"username":"eve","groups":["dev","system:authenticated"]}},"sourceIPs":["192.0.2.7"],"userAgent":"curl/8.5.0","objectRef":{{"resource":"pods","apiVersion":"v1"}},"responseStatus":{{"metadata":{{}},"code":200}},"requestReceivedTimestamp":"2026-01-02T03:{minute:02}:{second:02}.000000Z","stageTimestamp":"2026-01-02T03:{minute:02}:{second:02}.100000Z"}}"#
    )
}

/// Events of the verb `list`, one a line.
pub(crate) fn events(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| event(number, "list") + "\n").collect()
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
