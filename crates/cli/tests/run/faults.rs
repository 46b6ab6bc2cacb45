//! What goes wrong around it: rules, sinks, disks.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::server::{Folder, PATIENCE, Server, event, ids_of};

fn deletes(folder: &Folder) {
    folder.rule("deletes", "verb=delete | table user.username objectRef.name");
}

#[test]
fn a_rule_folder_that_breaks_keeps_the_old_rules_and_a_mended_one_is_taken() {
    let folder = Folder::new();
    deletes(&folder);
    let server = Server::start(&folder, &["-r", "rules"]);
    let good = std::fs::read(folder.path().join("rules/deletes.yml")).unwrap();
    folder.write("rules/deletes.yml", "name: [");
    let problem = |server: &Server| server.json("/api/v1/status")["rules"]["problem"].as_str().map(str::to_owned);
    server.until("the fault is told", |server| problem(server).is_some());
    server.post("/k8s/audit", &[], event("a", "delete"));
    server.until("the old rule still finds", |_| ids_of(&folder.findings(), "deletes") == ["a"]);
    folder.rule("lists", "verb=list | table user.username");
    folder.write("rules/deletes.yml", good);
    server.until("the mended ones are taken", |server| {
        problem(server).is_none() && server.json("/api/v1/status")["rules"]["loaded"] == 2
    });
    server.post("/k8s/audit", &[], format!("{}\n{}\n", event("b", "delete"), event("c", "list")));
    server.until("both find", |_| {
        let findings = folder.findings();
        ids_of(&findings, "deletes") == ["a", "b"] && ids_of(&findings, "lists") == ["c"]
    });
    assert_eq!(server.stop(), 0);
}

#[test]
fn exceptions_are_counted_and_taken_over_when_they_change() {
    let folder = Folder::new();
    deletes(&folder);
    folder.write("m.toml", "[rules]\npaths = [\"rules\"]\nexceptions = [\"exceptions\"]\n");
    let exception = |name: &str| {
        format!(
            "name: known\nrule: deletes\ncondition: objectRef.name=\"{name}*\"\nowner: ann\nreason: a job\nexpires: 2999-01-01\n"
        )
    };
    folder.write("exceptions/known.yaml", exception("job-"));
    let server = Server::start(&folder, &["-c", "m.toml"]);
    server.post("/k8s/audit", &[], format!("{}\n{}\n", event("job-1", "delete"), event("other", "delete")));
    let counted = |server: &Server| server.json("/api/v1/exceptions")["items"][0]["suppressed"].clone();
    server.until("it is counted", |server| counted(server) == 1);
    assert_eq!(ids_of(&folder.findings(), "deletes"), ["other"]);
    folder.write("exceptions/known.yaml", exception("nothing-"));
    server.until("it is taken over", |server| counted(server) == 0);
    server.post("/k8s/audit", &[], event("job-2", "delete"));
    server.until("it is found", |_| ids_of(&folder.findings(), "deletes") == ["job-2", "other"]);
}

/// A server of another party: it answers with these statuses in turn, the last again and again; 0: it never answers.
fn party(statuses: &'static [u16]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let served = Arc::new(AtomicUsize::new(0));
    let own = served.clone();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let status = statuses[number.min(statuses.len() - 1)];
            if status == 0 {
                silent.push(stream);
                continue;
            }
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let mut buffer = [0; 65_536];
            while matches!(stream.read(&mut buffer), Ok(count) if count > 0) {}
            let _gone = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            own.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, served)
}

#[test]
fn a_sink_that_fails_is_tried_again_and_one_that_hangs_holds_nobody_up() {
    let folder = Folder::new();
    deletes(&folder);
    let (failing, tries) = party(&[500, 503, 200]);
    let (hanging, _) = party(&[0]);
    let sink = |name: &str, url: &str| format!("[sinks.{name}]\ntype = \"webhook\"\nurl = \"{url}\"\n");
    let config = format!("[rules]\npaths = [\"rules\"]\n{}{}", sink("failing", &failing), sink("hanging", &hanging));
    folder.write("m.toml", config);
    let server = Server::start(&folder, &["-c", "m.toml"]);
    server.post("/k8s/audit", &[], event("a", "delete"));
    server.until("it is delivered at the third try", |server| {
        let sinks = server.json("/api/v1/status")["sinks"].clone();
        let failing = sinks.as_array().unwrap().iter().find(|sink| sink["name"] == "failing").unwrap().clone();
        failing["sent"] == 1 && failing["waiting"] == 0
    });
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    server.post("/k8s/audit", &[], event("b", "delete"));
    server.until("findings go on", |_| ids_of(&folder.findings_of("m.toml"), "deletes") == ["a", "b"]);
    assert_eq!(server.stop(), 0);
}

/// A small disk, and a file on it that makes room when it goes. Mounting needs a namespace of its own, which not every
/// machine allows.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=48m tmpfs masthead-data || exit 77
head -c 36000000 /dev/zero > masthead-data/ballast
(while [ ! -e room ]; do sleep 0.1; done; rm masthead-data/ballast) &
exec "$0" run --listen 127.0.0.1:0 -r rules
"#;

#[test]
fn a_full_disk_is_told_to_the_sender_and_passes() {
    let folder = Folder::new();
    deletes(&folder);
    std::fs::create_dir(folder.path().join("masthead-data")).unwrap();
    let able = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs"]).arg(folder.path()).status();
    if !able.is_ok_and(|status| status.success()) {
        return eprintln!("not run: no small disk can be mounted here");
    }
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", SMALL_DISK, env!("CARGO_BIN_EXE_masthead")]).current_dir(folder.path());
    let mut server = Server::of(command);
    // Bodies that do not shrink, so that the disk is full soon.
    let mut dice = 1_u64;
    let mut noise = || {
        let mut text = String::new();
        for _ in 0..40_000 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(&format!("{:016x}", dice ^ (dice >> 29)));
        }
        text
    };
    let mut refused = None;
    let mut sent = Vec::new();
    for number in 0..200 {
        let id = format!("n{number:03}");
        let body = event(&id, "delete").replace("\"level\":", &format!("\"x\":\"{}\",\"level\":", noise()));
        match server.post("/k8s/audit", &[], body) {
            (200, _) => sent.push(id),
            other => {
                refused = Some(other);
                break;
            }
        }
    }
    let (status, text) = refused.expect("the disk is never full");
    assert!(matches!(status, 429 | 503), "{status} {text}");
    assert!(server.is_running() && server.get("/healthz").0 == 200);
    folder.write("room", "");
    server.until("it accepts again", |server| server.post("/k8s/audit", &[], event("after", "delete")).0 == 200);
    sent.push("after".to_owned());
    let found = |server: &Server| {
        let page = server.json("/api/v1/findings?rule=deletes&limit=1000");
        ids_of(page["items"].as_array().unwrap(), "deletes")
    };
    server.until("all that was accepted is found", |server| {
        let found = found(server);
        sent.iter().all(|id| found.contains(id))
    });
}

#[test]
fn a_data_folder_in_use_or_damaged_is_told_at_the_start() {
    let folder = Folder::new();
    deletes(&folder);
    let server = Server::start(&folder, &["-r", "rules"]);
    let (code, _, err) = folder.masthead(&["run", "--listen", "127.0.0.1:0", "-r", "rules"]);
    assert_eq!((code, err.contains("in use by another process")), (2, true), "{err}");
    assert_eq!(server.stop(), 0);
    folder.write("masthead-data/masthead.db", vec![7; 8192]);
    for extension in ["-wal", "-shm"] {
        let _not_there = std::fs::remove_file(folder.path().join(format!("masthead-data/masthead.db{extension}")));
    }
    let (code, _, err) = folder.masthead(&["run", "--listen", "127.0.0.1:0", "-r", "rules"]);
    assert_eq!((code, err.contains("damaged or no database")), (2, true), "{err}");
}

/// The queue is only a queue: somebody may delete it to make room. What comes then must not be passed over.
#[test]
fn a_queue_that_was_deleted_begins_after_what_was_evaluated() {
    let folder = Folder::new();
    deletes(&folder);
    for id in ["a", "b"] {
        let server = Server::start(&folder, &["-r", "rules"]);
        assert_eq!(server.post("/k8s/audit", &[], event(id, "delete")).0, 200);
        server.until("it is found", |_| ids_of(&folder.findings(), "deletes").contains(&id.to_owned()));
        assert_eq!(server.stop(), 0);
        std::fs::remove_dir_all(folder.path().join("masthead-data/queue")).unwrap();
    }
}

/// A reader that sends and takes nothing must not hold up others.
#[test]
fn slow_clients_are_cut_off() {
    let folder = Folder::new();
    deletes(&folder);
    folder.write(
        "m.toml",
        "[rules]\npaths = [\"rules\"]\n[server]\nheader_timeout = \"1s\"\n[ingest]\nbody_timeout = \"1s\"\n",
    );
    let server = Server::start(&folder, &["-c", "m.toml"]);
    let address = server.address.trim_start_matches("http://");
    for start in [
        "POST /k8s/audit HTTP/1.1\r\nHost: x\r\n",
        "POST /k8s/audit HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    ] {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(start.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.is_empty() || answer.contains("408"), "{start}: {answer}");
    }
    assert_eq!(server.post("/k8s/audit", &[], event("a", "delete")).0, 200);
}
