//! Findings on their way into order, in bounded memory: what is too much lies in sorted runs in temporary files.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use masthead_ir::finding::Finding;

/// How many findings are held in memory. One takes some kilobytes.
const MAX_HELD: usize = 2_048;

/// How many runs are open at once; more are merged into one.
const MAX_RUNS: usize = 64;

/// How large a stored finding may be; a run is our own file, so that this only guards against a damaged one.
const MAX_STORED: u32 = 1 << 30;

/// What findings are ordered by: time, then rule, then id.
type Key = (Option<String>, String, String, String);

fn key(finding: &Finding) -> Key {
    (finding.first_seen.clone(), finding.rule.path.clone(), finding.rule.id.clone(), finding.finding_id.clone())
}

/// Takes findings in any order and gives them back in theirs.
pub(crate) struct Store {
    held: Vec<Finding>,
    runs: Vec<File>,
    max_held: usize,
    max_runs: usize,
}

impl Default for Store {
    fn default() -> Store {
        Store::new(MAX_HELD, MAX_RUNS)
    }
}

impl Store {
    fn new(max_held: usize, max_runs: usize) -> Store {
        Store { held: Vec::new(), runs: Vec::new(), max_held, max_runs }
    }

    pub(crate) fn add(&mut self, finding: Finding) -> io::Result<()> {
        self.held.push(finding);
        if self.held.len() < self.max_held {
            return Ok(());
        }
        let run = self.write_held()?;
        self.runs.push(run);
        if self.runs.len() >= self.max_runs {
            let mut merged = Run::create()?;
            merge(std::mem::take(&mut self.runs), &mut |finding| merged.write(&finding))?;
            self.runs.push(merged.finish()?);
        }
        Ok(())
    }

    /// Gives every finding, in order.
    pub(crate) fn give(mut self, sink: &mut dyn FnMut(Finding) -> io::Result<()>) -> io::Result<()> {
        if self.runs.is_empty() {
            self.held.sort_by_cached_key(key);
            return self.held.into_iter().try_for_each(sink);
        }
        let last = self.write_held()?;
        self.runs.push(last);
        merge(self.runs, sink)
    }

    fn write_held(&mut self) -> io::Result<File> {
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_cached_key(key);
        let mut run = Run::create()?;
        held.iter().try_for_each(|finding| run.write(finding))?;
        run.finish()
    }
}

/// A run that is being written: findings one after another, each after its length. The file has no name, so that nothing
/// is left of it however the program ends.
struct Run(BufWriter<File>);

impl Run {
    fn create() -> io::Result<Run> {
        Ok(Run(BufWriter::new(tempfile::tempfile()?)))
    }

    fn write(&mut self, finding: &Finding) -> io::Result<()> {
        let bytes = rmp_serde::to_vec_named(finding).map_err(io::Error::other)?;
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.0.write_all(&length.to_le_bytes())?;
        self.0.write_all(&bytes)
    }

    fn finish(self) -> io::Result<File> {
        let mut file = self.0.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }
}

fn read(run: &mut BufReader<File>) -> io::Result<Option<Finding>> {
    let mut length = [0; 4];
    match run.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_le_bytes(length);
    if length > MAX_STORED {
        return Err(io::Error::other("a temporary file of findings is damaged"));
    }
    let mut bytes = vec![0; length as usize];
    run.read_exact(&mut bytes)?;
    rmp_serde::from_slice(&bytes).map(Some).map_err(io::Error::other)
}

/// Merges runs into one order.
fn merge(runs: Vec<File>, sink: &mut dyn FnMut(Finding) -> io::Result<()>) -> io::Result<()> {
    let mut runs: Vec<BufReader<File>> = runs.into_iter().map(BufReader::new).collect();
    let mut heads: Vec<Option<Finding>> = runs.iter_mut().map(read).collect::<io::Result<_>>()?;
    let first = heads.iter().enumerate();
    let mut order: BinaryHeap<Reverse<(Key, usize)>> =
        first.filter_map(|(at, head)| head.as_ref().map(|finding| Reverse((key(finding), at)))).collect();
    while let Some(Reverse((_, at))) = order.pop() {
        let next = read(&mut runs[at])?;
        if let Some(finding) = &next {
            order.push(Reverse((key(finding), at)));
        }
        if let Some(finding) = std::mem::replace(&mut heads[at], next) {
            sink(finding)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use masthead_ir::finding::RuleRef;
    use masthead_ir::rule::{Kind, Severity};
    use serde_json::json;

    use super::*;

    fn finding(number: u64) -> Finding {
        // A spread order, with equal times.
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let time = (!spread.is_multiple_of(7)).then(|| format!("2026-01-01T00:00:{:02}Z", spread % 60));
        let fields = [("ratio", json!(0.1 + number as f64 / 3.0)), ("names", json!(["a", "é", number, null]))];
        Finding {
            finding_id: format!("{spread:016x}"),
            kind: Kind::Finding,
            rule: RuleRef {
                id: "r".into(),
                name: "R".into(),
                dialect: "d".into(),
                path: format!("{}.yml", spread % 3),
            },
            severity: Severity::High,
            status: "new".into(),
            title: "t".into(),
            message: String::new(),
            first_seen: time,
            last_seen: None,
            count: number,
            entities: Vec::new(),
            attack: Vec::new(),
            audit_ids: vec!["a".into()],
            audit_id_count: 1,
            cluster: None,
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            details: serde_json::Map::new(),
        }
    }

    fn given(max_held: usize, max_runs: usize, count: u64) -> Vec<Finding> {
        let mut store = Store::new(max_held, max_runs);
        (0..count).try_for_each(|number| store.add(finding(number))).expect("stored");
        let mut found = Vec::new();
        let mut sink = |finding| {
            found.push(finding);
            Ok(())
        };
        store.give(&mut sink).expect("given");
        found
    }

    #[test]
    fn runs_in_files_give_what_memory_gives() {
        for count in [0, 1, 9, 10, 11, 500] {
            let whole = given(1_000, 9, count);
            assert_eq!(whole.len() as u64, count);
            assert!(whole.is_sorted_by_key(key));
            for (held, runs) in [(10, 9), (3, 2), (1, 4)] {
                assert_eq!(given(held, runs, count), whole, "{count} findings, {held} held, {runs} runs");
            }
        }
    }
}
