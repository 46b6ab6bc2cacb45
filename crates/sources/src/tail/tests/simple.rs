//! Files that only grow, and what can be wrong with them.

use super::super::{Start, TailError, tail};
use super::*;
use crate::lines::LONGEST_LINE;
use masthead_event::Reason;

#[test]
fn what_is_appended_is_read_once() {
    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    append(&path, &text(0..3));
    bench.step();
    assert_eq!(bench.intake.numbers(), [0, 1, 2]);
    append(&path, &text(3..5));
    bench.step();
    bench.step();
    assert_eq!(bench.intake.numbers(), [0, 1, 2, 3, 4]);
    assert_eq!(bench.intake.lines(), [1, 2, 3, 4, 5]);
    assert!(bench.intake.paths().iter().all(|read| *read == path));
    let file = bench.report("audit.log");
    assert_eq!((file.offset, file.size, file.error, file.rotated), (40, 40, None, false));
    assert!(file.last_read.is_some());
    assert_eq!(serde_json::to_value(bench.report.snapshot()).unwrap()[0]["offset"], 40);
}

#[test]
fn a_line_without_its_end_waits() {
    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    append(&path, "{\"n\"");
    bench.step();
    assert!(bench.intake.numbers().is_empty());
    append(&path, ":1}\n{\"n\":2}");
    bench.step();
    assert_eq!(bench.intake.numbers(), [1]);
    assert_eq!((bench.report("audit.log").offset, bench.report("audit.log").size), (8, 15));
    bench.kill();
    bench.step();
    append(&path, "\n");
    bench.step();
    assert_eq!(bench.intake.numbers(), [1, 2]);
    assert_eq!(bench.intake.all_lost(), 0);
}

#[test]
fn lines_longer_than_a_batch_are_whole_and_too_long_ones_are_counted() {
    let mut bench = Bench::with(|options| options.max_batch_bytes = 64);
    let path = bench.path("audit.log");
    let long = |n: u64, length: usize| format!("{{\"n\":{n},\"x\":\"{}\"}}\n", "x".repeat(length));
    append(&path, &(line(1) + &long(2, 100_000) + &line(3)));
    bench.step();
    assert_eq!(bench.intake.numbers(), [1, 2, 3]);
    append(&path, "{\"n\":4,\"x\":\"");
    append(&path, &"x".repeat(LONGEST_LINE + 100));
    bench.step();
    assert_eq!(bench.intake.lost(Reason::TooLong), 1);
    // The count is kept with the place in the line, and so is not counted again.
    bench.kill();
    bench.options.max_batch_bytes = 1 << 20;
    append(&path, &"x".repeat(100_000));
    bench.step();
    append(&path, &("\n".to_owned() + &text(5..8)));
    bench.step();
    assert_eq!(bench.intake.numbers(), [1, 2, 3, 5, 6, 7]);
    assert_eq!(bench.intake.lines(), [1, 2, 3, 5, 6, 7]);
    assert_eq!(bench.intake.lost(Reason::TooLong), 1);
}

#[test]
fn what_is_no_event_is_counted_with_its_place() {
    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    append(&path, &(line(1) + "no event\n"));
    bench.step();
    append(&path, &("\x1f\u{8b}broken\n".to_owned() + &line(2)));
    bench.step();
    assert_eq!(bench.intake.numbers(), [1, 2]);
    assert_eq!(bench.intake.all_lost(), 2);
    assert_eq!(bench.intake.lines(), [1, 4]);
}

#[test]
fn new_files_are_found_and_read_from_their_beginning() {
    let mut bench = Bench::with(|options| options.start = Start::End);
    append(&bench.path("a.log"), &text(0..3));
    bench.step();
    append(&bench.path("b.log"), &text(3..5));
    append(&bench.path("b.txt"), &text(5..7));
    std::fs::File::create(bench.path("c.log")).unwrap();
    bench.step();
    assert_eq!(bench.intake.sorted(), [3, 4]);
    append(&bench.path("c.log"), &text(7..9));
    bench.step();
    assert_eq!(bench.intake.sorted(), [3, 4, 7, 8]);
}

#[test]
fn starting_at_the_end_holds_for_the_first_start_only() {
    let mut bench = Bench::with(|options| options.start = Start::End);
    let path = bench.path("a.log");
    append(&path, &(text(0..1000) + "{\"n\":1000"));
    bench.step();
    assert!(bench.intake.numbers().is_empty());
    bench.kill();
    // Written while nothing runs: lines of a known file, the end of a line that was begun, and a new file.
    append(&path, &("}\n".to_owned() + &text(1001..1003)));
    append(&bench.path("b.log"), &text(1003..1005));
    bench.step();
    assert_eq!(bench.intake.sorted(), (1000..1005).collect::<Vec<_>>());
    // A glob that is used for the first time starts at the end again.
    bench.kill();
    append(&bench.path("c.txt"), &text(0..1000));
    bench.options.globs.push(format!("{}/*.txt", bench.folder.path().display()));
    bench.step();
    append(&bench.path("c.txt"), &text(1005..1006));
    append(&path, &text(1006..1007));
    bench.step();
    assert_eq!(bench.intake.sorted(), (1000..1007).collect::<Vec<_>>());
}

#[test]
fn nothing_is_lost_or_doubled_when_the_process_ends_between_deliveries() {
    let mut bench = Bench::with(|options| options.max_batch_bytes = 50);
    append(&bench.path("a.log"), &text(0..100));
    append(&bench.path("b.log"), &text(100..200));
    for _ in 0..200 {
        bench.intake.stop_after(Some(3));
        let stopped = bench.step();
        bench.kill();
        if !stopped {
            assert_eq!(bench.intake.sorted(), (0..200).collect::<Vec<_>>());
            assert!(bench.intake.deliveries() > 30);
            return;
        }
    }
    panic!("it never came to the end");
}

#[test]
fn refused_deliveries_are_offered_again() {
    let mut bench = Bench::with(|options| options.max_batch_bytes = 50);
    append(&bench.path("a.log"), &text(0..20));
    bench.intake.refuse(5);
    bench.step();
    bench.intake.fail(2);
    append(&bench.path("a.log"), &text(20..40));
    bench.step();
    assert_eq!(bench.intake.numbers(), (0..40).collect::<Vec<_>>());
    assert_eq!(bench.intake.refused(), 7);
}

#[test]
fn a_busy_intake_does_not_keep_the_tail_from_stopping() {
    let bench = Bench::new();
    append(&bench.path("a.log"), &text(0..20));
    bench.intake.refuse(usize::MAX);
    let stop = CancellationToken::new();
    bench.runtime.block_on(async {
        let following = tail(bench.options.clone(), bench.intake.clone(), stop.clone(), bench.report.clone());
        let stopping = async {
            while bench.intake.refused() < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        let (followed, ()) = tokio::time::timeout(Duration::from_secs(60), futures::future::join(following, stopping))
            .await
            .expect("it stops");
        followed.unwrap();
    });
    assert!(bench.intake.numbers().is_empty());
}

#[test]
fn files_that_cannot_be_read_are_told_and_the_others_go_on() {
    let mut bench = Bench::new();
    std::os::unix::fs::symlink(bench.path("nowhere"), bench.path("a.log")).unwrap();
    // Nobody may read this one, not even root.
    let forbidden = Path::new("/proc/sys/net/ipv4/route/flush");
    let forbids = forbidden.exists() && File::open(forbidden).is_err();
    if forbids {
        std::os::unix::fs::symlink(forbidden, bench.path("b.log")).unwrap();
    }
    append(&bench.path("c.log"), &text(0..2));
    std::fs::write(bench.path("d.log"), b"\x1f\x8b\x08\x00packed").unwrap();
    bench.step();
    bench.step();
    assert_eq!(bench.intake.numbers(), [0, 1]);
    assert!(bench.report("a.log").error.is_some());
    assert!(bench.report("d.log").error.unwrap().contains("compressed"));
    assert!(!forbids || bench.report("b.log").error.is_some());
    assert_eq!(bench.report("c.log").error, None);
    // A file that can be read later is read then.
    append(&bench.path("nowhere"), &text(2..4));
    bench.step();
    assert_eq!(bench.intake.numbers(), [0, 1, 2, 3]);
    assert_eq!(bench.report("a.log").error, None);
}

#[test]
fn one_file_under_several_names_is_read_once() {
    let mut bench = Bench::new();
    append(&bench.path("b.log"), &text(0..2));
    std::fs::hard_link(bench.path("b.log"), bench.path("c.log")).unwrap();
    std::os::unix::fs::symlink(bench.path("b.log"), bench.path("a.log")).unwrap();
    bench.step();
    std::fs::remove_file(bench.path("a.log")).unwrap();
    append(&bench.path("c.log"), &text(2..4));
    bench.step();
    assert_eq!(bench.intake.numbers(), [0, 1, 2, 3]);
}

#[test]
fn many_files_are_followed_with_fewer_open() {
    let mut bench = Bench::new();
    for n in 0..600 {
        append(&bench.path(&format!("{n}.log")), &line(n));
    }
    bench.step();
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let root = bench.folder.path().to_path_buf();
    let open = open.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
    let open = open.filter(|path| path.starts_with(&root)).count();
    assert!((1..=256).contains(&open), "{open}");
    for n in 0..600 {
        append(&bench.path(&format!("{n}.log")), &line(600 + n));
    }
    bench.step();
    assert_eq!(bench.intake.sorted(), (0..1200).collect::<Vec<_>>());
}

#[tokio::test]
async fn globs_that_cannot_be_used_are_an_error() {
    let run = |globs: &[&str]| {
        let options = TailOptions::new("audit", globs.iter().copied());
        tail(options, Collector::new(), CancellationToken::new(), Arc::default())
    };
    assert!(matches!(run(&[]).await, Err(TailError::NoGlobs)));
    assert!(matches!(run(&["/var/log/[a.log"]).await, Err(TailError::Glob { .. })));
}
