//! The queue against a model, and against what happens to files.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may stop where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use masthead_spool::{Spool, SpoolError, SpoolOptions};
use proptest::prelude::*;

fn open(folder: &std::path::Path) -> Spool {
    Spool::open(folder, SpoolOptions::default()).unwrap().0
}

fn numbers(spool: &Spool) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        let batches = spool.read(found.last().map_or(0, |last| last + 1), 64).unwrap();
        if batches.is_empty() {
            return found;
        }
        found.extend(batches.into_iter().map(|(number, _)| number));
    }
}

#[test]
fn batches_come_back_in_order_and_go_when_they_are_trimmed() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    for number in 1..=5_u8 {
        assert_eq!(spool.append(vec![number; 10], vec![("m".into(), vec![number])]).unwrap(), u64::from(number));
    }
    // At least one, and then as many as fit.
    assert_eq!(spool.read(2, 1).unwrap(), [(2, vec![2; 10])]);
    assert_eq!(spool.read(2, 20).unwrap().len(), 2);
    spool.trim(4).unwrap();
    assert_eq!(numbers(&spool), [4, 5]);
    assert_eq!((spool.pending().batches, spool.pending().bytes, spool.pending().first), (2, 20, 4));
    assert_eq!(spool.mark("m").unwrap(), Some(vec![5]));
    spool.trim(6).unwrap();
    drop(spool);
    let spool = open(folder.path());
    assert_eq!((numbers(&spool), spool.append(vec![1], Vec::new()).unwrap()), (Vec::new(), 6));
    assert_eq!(spool.mark("m").unwrap(), Some(vec![5]));
    spool.continue_after(100);
    assert_eq!(spool.append(vec![1], Vec::new()).unwrap(), 101);
}

#[test]
fn too_much_is_refused_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let options = SpoolOptions { max_bytes: 100, ..SpoolOptions::default() };
    let (spool, _) = Spool::open(folder.path(), options).unwrap();
    assert_eq!(spool.append(vec![0; 80], Vec::new()).unwrap(), 1);
    assert!(matches!(spool.append(vec![0; 30], Vec::new()), Err(SpoolError::Full { bytes: 80, max: 100 })));
    spool.trim(2).unwrap();
    // One batch that is too large by itself is taken all the same, or it could never be.
    assert_eq!(spool.append(vec![0; 300], Vec::new()).unwrap(), 2);
}

#[test]
fn many_threads_get_numbers_of_their_own_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Arc::new(open(folder.path()));
    let threads: Vec<_> = (0..16_u8)
        .map(|thread| {
            let spool = spool.clone();
            std::thread::spawn(move || {
                (0..20).map(|_| spool.append(vec![thread; 100], Vec::new()).unwrap()).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut given = BTreeMap::new();
    for (thread, handle) in threads.into_iter().enumerate() {
        let own = handle.join().unwrap();
        assert!(own.is_sorted());
        given.extend(own.into_iter().map(|number| (number, thread as u8)));
    }
    assert_eq!(given.keys().copied().collect::<Vec<_>>(), (1..=320).collect::<Vec<_>>());
    drop(spool);
    for (number, payload) in open(folder.path()).read(1, usize::MAX).unwrap() {
        assert_eq!(payload, vec![given[&number]; 100]);
    }
}

#[test]
fn who_waits_is_woken() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Arc::new(open(folder.path()));
    assert!(!spool.wait(0, Duration::from_millis(10)));
    let own = spool.clone();
    let waiting = std::thread::spawn(move || own.wait(0, Duration::from_secs(20)));
    spool.append(vec![1], Vec::new()).unwrap();
    assert!(waiting.join().unwrap());
}

#[test]
fn a_folder_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let _spool = open(folder.path());
    assert!(matches!(Spool::open(folder.path(), SpoolOptions::default()), Err(SpoolError::Locked { .. })));
}

/// The last write before a loss of power may be there in part.
#[test]
fn a_torn_end_costs_what_was_torn_and_nothing_before() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    for number in 1..=20_u8 {
        spool.append(vec![number; 1_000], Vec::new()).unwrap();
    }
    drop(spool);
    let journal = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .unwrap();
    let bytes = std::fs::read(&journal).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&journal).unwrap();
    file.set_len(end as u64 - 50).unwrap();
    drop(file);
    let spool = open(folder.path());
    let left = numbers(&spool);
    assert!(left.len() >= 18 && left.iter().copied().eq(1..=left.len() as u64), "{left:?}");
    let next = spool.append(vec![9], Vec::new()).unwrap();
    assert_eq!(next, left.len() as u64 + 1);
}

#[derive(Debug, Clone)]
enum Step {
    Append(u8, bool),
    Trim(u8),
    Reopen,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_order_of_steps_is_as_the_model_says(steps in proptest::collection::vec(prop_oneof![
        4 => (any::<u8>(), any::<bool>()).prop_map(|(length, mark)| Step::Append(length, mark)),
        2 => any::<u8>().prop_map(Step::Trim),
        1 => Just(Step::Reopen),
    ], 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        let (mut model, mut last, mut mark) = (BTreeMap::new(), 0, None);
        for step in steps {
            match step {
                Step::Append(length, marks) => {
                    last += 1;
                    let payload = vec![length; usize::from(length)];
                    let marks = if marks { vec![("k".to_owned(), vec![length])] } else { Vec::new() };
                    mark = marks.first().map(|(_, value)| value.clone()).or(mark);
                    prop_assert_eq!(spool.append(payload.clone(), marks).unwrap(), last);
                    model.insert(last, payload);
                }
                Step::Trim(before) => {
                    spool.trim(u64::from(before)).unwrap();
                    model = model.split_off(&u64::from(before));
                }
                Step::Reopen => {
                    drop(spool);
                    spool = open(folder.path());
                }
            }
            let found: BTreeMap<u64, Vec<u8>> = spool.read(0, usize::MAX).unwrap().into_iter().collect();
            prop_assert_eq!(&found, &model);
            prop_assert_eq!(spool.mark("k").unwrap(), mark.clone());
            let pending = spool.pending();
            let bytes: usize = model.values().map(Vec::len).sum();
            prop_assert_eq!((pending.batches, pending.bytes), (model.len() as u64, bytes as u64));
        }
        let once: BTreeSet<u64> = numbers(&spool).into_iter().collect();
        prop_assert_eq!(once, model.keys().copied().collect());
    }
}
