//! Files.

use masthead_ir::finding::Finding;
use serde_json::Value as Json;

use crate::{finding, sinks};

#[tokio::test]
async fn files_get_a_line_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let (own, ocsf) = (folder.path().join("own.jsonl"), folder.path().join("ocsf.jsonl"));
    let toml = format!(
        "[sinks.own]\ntype = 'file'\npath = '{}'\n[sinks.ocsf]\ntype = 'file'\nformat = 'ocsf'\npath = '{}'",
        own.display(),
        ocsf.display()
    );
    let sinks = sinks(&toml);
    for sink in sinks.names() {
        sinks.deliver(&sink, &[finding("a"), finding("b")]).await.unwrap();
        sinks.deliver(&sink, &[finding("c")]).await.unwrap();
    }
    let text = std::fs::read_to_string(own).unwrap();
    let read: Vec<Finding> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, [finding("a"), finding("b"), finding("c")]);
    let text = std::fs::read_to_string(ocsf).unwrap();
    let read: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = ["a", "b", "c"].map(|id| masthead_sinks::ocsf::detection_finding(&finding(id)));
    assert_eq!(read, expected);
    assert_eq!(read[0]["class_uid"], 2004);
    assert_eq!(read[0]["finding_info"]["uid"], "a");
}

#[tokio::test]
async fn a_file_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let toml = format!("[sinks.it]\ntype = 'file'\npath = '{}'\nmax_bytes = 2000\nkeep = 1", path.display());
    let sinks = sinks(&toml);
    for n in 0..10 {
        sinks.deliver("it", &[finding(&n.to_string())]).await.unwrap();
    }
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|file| file.metadata().unwrap().len() <= 2000));
    let last = std::fs::read_to_string(&path).unwrap();
    assert!(last.lines().last().unwrap().contains("\"finding_id\":\"9\""));
}
