//! Files that are renamed, moved and deleted.

use super::super::tail;
use super::*;
use std::os::unix::fs::MetadataExt;

#[test]
fn a_renamed_file_is_read_to_its_end_before_the_next_one() {
    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    append(&path, &text(0..5));
    bench.step();
    append(&path, &text(5..8));
    std::fs::rename(&path, bench.path("audit-2026-11-20T10-00-00.000.log")).unwrap();
    append(&path, &text(8..10));
    bench.step();
    assert_eq!(bench.intake.numbers(), (0..10).collect::<Vec<_>>());
    assert!(bench.report("audit-2026-11-20T10-00-00.000.log").rotated);
    assert!(!bench.report("audit.log").rotated);
    bench.kill();
    append(&path, &text(10..12));
    bench.step();
    assert_eq!(bench.intake.numbers(), (0..12).collect::<Vec<_>>());
}

#[test]
fn a_writer_may_go_on_in_the_renamed_file() {
    let mut bench = Bench::with(|options| options.settle = Duration::from_secs(3600));
    let path = bench.path("audit.log");
    append(&path, &text(0..5));
    bench.step();
    let mut writer = File::options().append(true).open(&path).unwrap();
    std::fs::rename(&path, bench.path("audit.1")).unwrap();
    append(&path, &text(10..12));
    bench.step();
    for n in 5..8 {
        writer.write_all(line(n).as_bytes()).unwrap();
        bench.step();
    }
    std::fs::remove_file(bench.path("audit.1")).unwrap();
    writer.write_all(line(8).as_bytes()).unwrap();
    bench.step();
    assert_eq!(bench.intake.numbers(), [0, 1, 2, 3, 4, 10, 11, 5, 6, 7, 8]);
}

#[test]
fn the_last_line_of_a_rotated_file_needs_no_end() {
    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    append(&path, &(line(0) + "{\"n\":1}"));
    bench.step();
    assert_eq!(bench.intake.numbers(), [0]);
    std::fs::rename(&path, bench.path("audit.1.log")).unwrap();
    append(&path, &line(2));
    bench.step();
    assert_eq!(bench.intake.sorted(), [0, 1, 2]);
    // The same of a file that leaves the globs, and of one that never had a whole line.
    append(&path, "{\"n\":3}");
    append(&bench.path("short.log"), "{\"n\":4}");
    bench.step();
    assert_eq!(bench.intake.sorted(), [0, 1, 2]);
    std::fs::rename(&path, bench.path("audit.2")).unwrap();
    std::fs::rename(bench.path("short.log"), bench.path("short.1.log")).unwrap();
    bench.step();
    bench.step();
    assert_eq!(bench.intake.sorted(), [0, 1, 2, 3, 4]);
    bench.kill();
    bench.step();
    assert_eq!(bench.intake.sorted(), [0, 1, 2, 3, 4]);
    assert_eq!(bench.intake.all_lost(), 0);
}

#[test]
fn a_file_that_was_renamed_while_nothing_ran_goes_on_where_it_was() {
    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    append(&path, &text(0..5));
    bench.step();
    bench.kill();
    append(&path, &(text(5..7) + "{\"n\":7}"));
    std::fs::rename(&path, bench.path("audit-old.log")).unwrap();
    append(&path, &text(8..10));
    bench.step();
    bench.step();
    assert_eq!(bench.intake.sorted(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_its_mark_taken_back() {
    let mut bench = Bench::with(|options| options.settle = Duration::from_secs(3600));
    let path = bench.path("audit.log");
    append(&path, &text(0..5));
    bench.step();
    assert_eq!(bench.intake.marks().len(), 2);
    append(&path, &text(5..6));
    std::fs::remove_file(&path).unwrap();
    bench.step();
    assert_eq!(bench.intake.numbers(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(bench.report.snapshot().len(), 1);
    bench.kill();

    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    append(&path, &text(0..5));
    bench.step();
    std::fs::remove_file(&path).unwrap();
    bench.step();
    assert!(bench.report.snapshot().is_empty());
    assert_eq!(bench.intake.marks(), ["tail/audit"]);
}

#[test]
fn a_file_that_leaves_and_comes_back_is_not_read_again() {
    let mut bench = Bench::new();
    let (path, away) = (bench.path("audit.log"), bench.path("away"));
    append(&path, &text(0..5));
    bench.step();
    std::fs::rename(&path, &away).unwrap();
    bench.step();
    assert!(bench.report.snapshot().is_empty());
    append(&away, &text(5..6));
    std::fs::rename(&away, &path).unwrap();
    bench.step();
    assert_eq!(bench.intake.numbers(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn another_content_under_the_same_inode_is_a_new_file() {
    // With another first line, and with the same one.
    for first in [100, 0] {
        let mut bench = Bench::new();
        let path = bench.path("audit.log");
        append(&path, &text(0..50));
        bench.step();
        bench.kill();
        let inode = std::fs::metadata(&path).unwrap().ino();
        std::fs::write(&path, line(first) + &text(101..200)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode);
        bench.step();
        let expected: Vec<u64> = (0..50).chain([first]).chain(101..200).collect();
        assert_eq!(bench.intake.numbers(), expected);
        bench.kill();
        append(&path, &line(200));
        bench.step();
        assert_eq!(bench.intake.numbers().len(), expected.len() + 1);
    }
}

#[test]
fn nothing_is_lost_while_a_writer_writes_and_rotates() {
    const FILES: u64 = 12;
    const LINES: u64 = 2_000;
    let bench = Bench::with(|options| {
        options.poll = Duration::from_millis(1);
        options.rescan = Duration::from_millis(20);
        options.settle = Duration::from_millis(500);
        options.max_batch_bytes = 4096;
    });
    let folder = bench.folder.path().to_path_buf();
    let writer = std::thread::spawn(move || {
        let path = folder.join("audit.log");
        for file in 0..FILES {
            let mut open = File::options().create(true).append(true).open(&path).unwrap();
            for n in 0..LINES {
                let line = line(file * LINES + n);
                let (left, right) = line.split_at(4);
                open.write_all(left.as_bytes()).unwrap();
                open.write_all(right.as_bytes()).unwrap();
            }
            // Every other one leaves the globs: it can only be read through the open file.
            std::thread::sleep(Duration::from_millis(30));
            let name = if file % 2 == 0 { format!("audit-{file}.log") } else { format!("audit.{file}") };
            std::fs::rename(&path, folder.join(name)).unwrap();
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let stop = CancellationToken::new();
    let following =
        runtime.spawn(tail(bench.options.clone(), bench.intake.clone(), stop.clone(), bench.report.clone()));
    runtime.block_on(bench.intake.wait_for((FILES * LINES) as usize));
    writer.join().unwrap();
    stop.cancel();
    runtime.block_on(following).unwrap().unwrap();
    assert_eq!(bench.intake.sorted(), (0..FILES * LINES).collect::<Vec<_>>());
    assert_eq!(bench.intake.all_lost(), 0);
}
