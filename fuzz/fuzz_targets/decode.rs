//! Any bytes through the decoder; the events that flatten are projected alike, and what is salvaged parses.
#![no_main]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use masthead_event::decode::{DecodeOptions, Decoder};
use masthead_event::flatten::flatten;
use masthead_event::projection::{Projection, ProjectionBuffer};
use masthead_event::salvage::salvage;
use masthead_event::{FieldPath, Kind, Ledger, time};

type Fields = BTreeMap<String, Vec<(Kind, String)>>;

fn fields(raw: &[u8]) -> Option<Fields> {
    let mut fields = Fields::new();
    let flat = flatten(raw, &mut |name, value| {
        fields.entry(name.to_owned()).or_default().push((value.kind, value.text.to_owned()));
        let _ = time::parse(value.text);
    });
    flat.ok().map(|()| fields)
}

fn check(raw: &[u8], buffer: &mut ProjectionBuffer) {
    let Some(fields) = fields(raw) else {
        // What does not parse may still be projected; it must only not panic.
        let fixed = ["auditID", "user.groups{}", "a", "{}"].map(FieldPath::flat);
        let walks = [FieldPath::keys(["user"]), FieldPath::keys(["a", "b"])];
        let projection = Projection::new(fixed.into_iter().chain(walks).collect());
        if let Ok(row) = projection.project(raw, buffer) {
            for slot in 0..projection.paths().len() {
                assert_eq!(row.values(slot).count() == 0, row.is_empty(slot));
            }
        }
        return;
    };
    // Beyond 64 ends of keys a name is not followed.
    let short = |name: &&String| name.bytes().filter(|byte| matches!(byte, b'.' | b'{')).count() < 64;
    let names: Vec<&String> = fields.keys().filter(short).take(50).collect();
    let projection = Projection::new(names.iter().map(FieldPath::flat).collect());
    let row = projection.project(raw, buffer).expect("what flattens is projected");
    for (slot, name) in names.iter().enumerate() {
        let values: Vec<_> = row.values(slot).map(|value| (value.kind, value.text.to_owned())).collect();
        assert_eq!(Some(&values), fields.get(*name), "{name}");
    }
}

fuzz_target!(|data: &[u8]| {
    let mut buffer = ProjectionBuffer::default();
    check(data, &mut buffer);
    let mut saved = Vec::new();
    if salvage(data, &mut saved) && std::str::from_utf8(&saved).is_ok() {
        check(&saved, &mut buffer);
    }
    for text_lines in [false, true] {
        let options =
            DecodeOptions { max_record: 4_096, max_embedded: 1 << 20, text_lines, ..DecodeOptions::default() };
        let mut ledger = Ledger::default();
        let read = Decoder::new(options).read_stream(Path::new("-"), &mut &*data, &mut ledger, &mut |event, place| {
            assert!(place.line >= 1);
            assert!(!event.raw.is_empty() || event.text);
            if !event.text {
                check(event.raw, &mut buffer);
            }
            ControlFlow::Continue(())
        });
        read.expect("bytes in memory cannot fail").is_continue().then_some(()).expect("nobody stopped");
    }
});
