//! Files that are copied and truncated.

use super::*;

/// Enough lines for a full fingerprint.
const MANY: u64 = 200;

#[test]
fn a_truncated_file_is_read_from_its_start() {
    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    append(&path, &text(0..MANY));
    bench.step();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    bench.step();
    append(&path, &text(MANY..MANY + 3));
    bench.step();
    assert_eq!(bench.intake.numbers(), (0..MANY + 3).collect::<Vec<_>>());
    assert_eq!(bench.report.restarts(), 1);
    assert_eq!(bench.intake.marks().len(), 2);
    bench.kill();
    bench.step();
    assert_eq!(bench.intake.numbers().len() as u64, MANY + 3);
}

#[test]
fn a_file_that_has_grown_beyond_the_old_place_is_found_to_be_another() {
    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    append(&path, &text(0..3));
    bench.step();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    append(&path, &text(3..50));
    bench.step();
    assert_eq!(bench.intake.numbers(), (0..50).collect::<Vec<_>>());
    assert_eq!(bench.report.restarts(), 1);
}

#[test]
fn the_hole_that_a_writer_leaves_after_a_truncation_is_passed_over() {
    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    let mut writer = File::create(&path).unwrap();
    writer.write_all(text(0..MANY).as_bytes()).unwrap();
    bench.step();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    bench.step();
    writer.write_all(text(MANY..MANY + 3).as_bytes()).unwrap();
    bench.step();
    bench.kill();
    writer.write_all(line(MANY + 3).as_bytes()).unwrap();
    bench.step();
    assert_eq!(bench.intake.numbers(), (0..MANY + 4).collect::<Vec<_>>());
    assert_eq!(bench.intake.all_lost(), 0);
}

#[test]
fn of_a_copy_only_what_was_not_yet_read_is_taken() {
    let mut bench = Bench::new();
    let path = bench.path("audit.log");
    append(&path, &text(0..MANY));
    bench.step();
    // Written after the last look, and then only in the copy.
    append(&path, &text(MANY..MANY + 5));
    std::fs::copy(&path, bench.path("audit.1.log")).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    append(&path, &text(MANY + 5..MANY + 7));
    bench.step();
    assert_eq!(bench.intake.sorted(), (0..MANY + 7).collect::<Vec<_>>());
    bench.kill();
    bench.step();
    assert_eq!(bench.intake.numbers().len() as u64, MANY + 7);
}

#[test]
fn a_copy_that_is_seen_before_the_truncation_is_not_read_again() {
    let mut bench = Bench::with(|options| options.settle = Duration::from_millis(300));
    let path = bench.path("audit.log");
    append(&path, &text(0..MANY));
    std::fs::copy(&path, bench.path("audit.1.log")).unwrap();
    append(&path, &text(MANY..MANY + 5));
    // The copy is older, but it is the copy that is found out when the file is read first.
    std::fs::rename(bench.path("audit.1.log"), bench.path("later")).unwrap();
    bench.step();
    std::fs::rename(bench.path("later"), bench.path("audit.1.log")).unwrap();
    bench.step();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    append(&path, &text(MANY + 5..MANY + 7));
    bench.step();
    std::thread::sleep(Duration::from_millis(400));
    bench.step();
    bench.step();
    assert_eq!(bench.intake.sorted(), (0..MANY + 7).collect::<Vec<_>>());
    assert_eq!(bench.report("audit.1.log").offset, std::fs::metadata(bench.path("audit.1.log")).unwrap().len());
}

#[test]
fn files_that_only_begin_alike_are_both_read() {
    let mut bench = Bench::with(|options| options.settle = Duration::ZERO);
    let header = text(0..MANY);
    append(&bench.path("a.log"), &(header.clone() + &text(1000..1010)));
    bench.step();
    append(&bench.path("b.log"), &(header.clone() + &text(2000..2010)));
    append(&bench.path("c.log"), &(header + &text(3000..3005)));
    bench.step();
    let mut expected: Vec<u64> = (0..3).flat_map(|_| 0..MANY).collect();
    expected.extend((1000..1010).chain(2000..2010).chain(3000..3005));
    expected.sort_unstable();
    assert_eq!(bench.intake.sorted(), expected);
}
