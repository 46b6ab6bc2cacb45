//! Random orders of writing, rotating, looking and ending.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Action {
    /// Whole lines.
    Write(u8),
    /// A part of a line; the next write ends it.
    Begin(u8),
    /// The file gets another name; the writer goes on in it.
    Rename,
    /// The writer opens the file anew, as after a renaming.
    Reopen,
    /// The file is emptied after all was read, and copied to where no glob finds it.
    Truncate,
    /// One look, in which the intake refuses so often.
    Look(u8),
    /// The process ends in the midst of a look, after so many deliveries.
    Kill(u8),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => (1u8..40).prop_map(Action::Write),
        2 => (1u8..6).prop_map(Action::Begin),
        2 => Just(Action::Rename),
        2 => Just(Action::Reopen),
        1 => Just(Action::Truncate),
        3 => (0u8..2).prop_map(Action::Look),
        3 => (0u8..6).prop_map(Action::Kill),
    ]
}

struct Writer {
    path: PathBuf,
    file: File,
    written: u64,
    /// How much of the next line is written.
    begun: usize,
    rotations: u64,
}

impl Writer {
    fn new(path: PathBuf) -> Writer {
        let file = File::options().create(true).append(true).open(&path).unwrap();
        Writer { path, file, written: 0, begun: 0, rotations: 0 }
    }

    fn write(&mut self, count: u8) {
        for _ in 0..count {
            let line = line(self.written);
            self.file.write_all(&line.as_bytes()[self.begun..]).unwrap();
            self.written += 1;
            self.begun = 0;
        }
    }

    fn begin(&mut self, length: u8) {
        if self.begun == 0 {
            self.begun = usize::from(length);
            self.file.write_all(&line(self.written).as_bytes()[..self.begun]).unwrap();
        }
    }

    fn end_line(&mut self) {
        if self.begun > 0 {
            self.write(1);
        }
    }

    fn rename(&mut self) {
        if self.path.exists() {
            self.rotations += 1;
            std::fs::rename(&self.path, self.path.with_file_name(format!("audit-{}.log", self.rotations))).unwrap();
        }
    }

    fn reopen(&mut self) {
        self.end_line();
        self.file = File::options().create(true).append(true).open(&self.path).unwrap();
    }
}

fn act(bench: &mut Bench, writer: &mut Writer, action: Action) {
    match action {
        Action::Write(count) => writer.write(count),
        Action::Begin(length) => writer.begin(length),
        Action::Rename => writer.rename(),
        Action::Reopen => writer.reopen(),
        Action::Truncate => {
            writer.end_line();
            bench.step();
            writer.file.set_len(0).unwrap();
        }
        Action::Look(refusals) => {
            bench.intake.refuse(usize::from(refusals));
            bench.step();
        }
        Action::Kill(deliveries) => {
            bench.intake.stop_after(Some(usize::from(deliveries)));
            bench.step();
            bench.kill();
            bench.intake.stop_after(None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_accepted_is_what_was_written(actions in prop::collection::vec(action(), 1..40), batch in 16usize..400) {
        let mut bench = Bench::with(|options| {
            options.settle = Duration::from_secs(3600);
            options.max_batch_bytes = batch;
        });
        let mut writer = Writer::new(bench.path("audit.log"));
        for action in actions {
            act(&mut bench, &mut writer, action);
        }
        writer.end_line();
        bench.step();
        prop_assert_eq!(bench.intake.sorted(), (0..writer.written).collect::<Vec<_>>());
        prop_assert_eq!(bench.intake.all_lost(), 0);
    }
}
