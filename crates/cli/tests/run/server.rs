//! A running masthead in a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

/// No step takes so long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with rules, and what the service leaves in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A rule whose rows are findings.
    pub(crate) fn rule(&self, name: &str, search: &str) {
        let text = format!(
            "name: {name}\ntype: TTP\nid: {name}\nsearch: '{search}'\nhow_to_implement: x\ntags:\n  mitre_attack_id: [T1613]\n\
             rba:\n  message: found\n  risk_objects:\n  - {{field: user.username, type: user, score: 60}}\n  threat_objects: []\n"
        );
        self.write(&format!("rules/{name}.yml"), text);
    }

    /// The binary in this folder, run to its end.
    pub(crate) fn masthead(&self, args: &[&str]) -> (i32, String, String) {
        let output = command(self.path(), args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    /// The findings that are kept.
    pub(crate) fn findings(&self) -> Vec<Json> {
        let (code, out, err) = self.masthead(&["findings", "list", "-f", "jsonl", "--limit", "1000"]);
        assert_eq!(code, 0, "{err}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_masthead"));
    for name in ["RUST_LOG", "MASTHEAD_CONFIG", "MASTHEAD_TOKEN", "MASTHEAD_SERVER"] {
        command.env_remove(name);
    }
    command.args(args).current_dir(folder);
    command
}

/// A service that listens.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) out: Receiver<String>,
    /// What it logs; kept, so that it can go on logging.
    _log: Receiver<String>,
}

impl Server {
    /// Starts it with these arguments behind `run`, and waits until it listens.
    pub(crate) fn start(folder: &Folder, args: &[&str]) -> Server {
        let all: Vec<&str> = ["run", "--listen", "127.0.0.1:0", "-f", "jsonl"].iter().chain(args).copied().collect();
        Server::of(command(folder.path(), &all))
    }

    pub(crate) fn of(mut command: Command) -> Server {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let (nothing, none) = (channel().1, channel().1);
        let mut server = Server { child, address: String::new(), out: nothing, _log: none };
        server.out = lines(server.child.stdout.take().unwrap());
        let log = lines(server.child.stderr.take().unwrap());
        let mut told = Vec::new();
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = log.recv_timeout(left) else { panic!("it does not listen: {told:?}") };
            if let Some((_, address)) = line.split_once("listening on ") {
                address.split_whitespace().next().unwrap().clone_into(&mut server.address);
                server._log = log;
                return server;
            }
            told.push(line);
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap().success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and gives its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        self.signal("-TERM");
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not stop");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Posts a body and gives the status and the answer; status 0: no answer.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> (u16, String) {
        request("POST", &self.url(path), headers, body.into())
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        request("GET", &self.url(path), &[], Vec::new())
    }

    pub(crate) fn json(&self, path: &str) -> Json {
        let (status, text) = self.get(path);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until something holds.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Server) -> bool) {
        wait(what, || holds(self));
    }

    /// How many events a source has brought.
    pub(crate) fn events(&self, source: &str) -> u64 {
        self.json("/api/v1/sources")["items"][source]["events"].as_u64().unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended_before = self.child.wait();
    }
}

pub(crate) fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

pub(crate) fn request(method: &str, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let mut request = client.request(method.parse().unwrap(), url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match request.send().await {
            Ok(response) => (response.status().as_u16(), response.text().await.unwrap_or_default()),
            Err(error) => (0, error.to_string()),
        }
    })
}

fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// An audit event of now.
pub(crate) fn event(id: &str, verb: &str) -> String {
    let now = jiff::Timestamp::now().to_string();
    event_at(id, verb, &now)
}

pub(crate) fn event_at(id: &str, verb: &str, time: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{id}","stage":"ResponseComplete","requestURI":"/api/v1/pods/{id}","verb":"{verb}","user":{{"username":"eve"}},"sourceIPs":["192.0.2.7"],"objectRef":{{"resource":"pods","name":"{id}"}},"responseStatus":{{"code":200}},"requestReceivedTimestamp":"{time}","stageTimestamp":"{time}"}}"#
    )
}

/// The audit ids of the findings of a rule.
pub(crate) fn ids_of(findings: &[Json], rule: &str) -> Vec<String> {
    let of = findings.iter().filter(|finding| finding["rule"]["id"] == rule);
    let mut ids: Vec<String> = of
        .flat_map(|finding| finding["audit_ids"].as_array().unwrap().iter())
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}
