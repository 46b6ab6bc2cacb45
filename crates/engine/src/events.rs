//! Events of inputs for whoever looks at them without rules.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use masthead_event::decode::{DecodeOptions, Decoder};
use masthead_event::{Envelope, EventRef, Ledger};

use crate::EngineError;
use crate::options::ScanOptions;
use crate::report::Progress;

/// Calls `each` with every event of inputs (files, folders, `-`), in their order, doubles too. Gives how many there were.
///
/// # Errors
/// When an input cannot be read.
pub fn each_event(
    inputs: &[PathBuf],
    options: &ScanOptions,
    progress: &dyn Progress,
    each: &mut dyn FnMut(&EventRef<'_>),
) -> Result<u64, EngineError> {
    let total = crate::scan::look_up(inputs)?;
    let read = Arc::new(AtomicU64::new(0));
    let mut decoder = decoder(options, read.clone());
    let mut ledger = Ledger::default();
    let mut count = 0_u64;
    for path in inputs {
        let outcome = decoder.read_path(path, &mut ledger, &mut |event, _| {
            each(&event);
            count += 1;
            if count.is_multiple_of(4096) {
                progress.bytes(read.load(Ordering::Relaxed), total);
            }
            ControlFlow::Continue(())
        });
        let _flow = outcome.map_err(|error| EngineError::Unreadable { path: error.path, source: error.source })?;
    }
    Ok(count)
}

/// A decoder that gives raw events the origin that the options say.
pub(crate) fn decoder(options: &ScanOptions, progress: Arc<AtomicU64>) -> Decoder {
    let origin = &options.origin;
    let mut raw = Envelope::raw();
    let text = |text: &Option<String>| text.as_deref().map(Arc::<str>::from);
    raw.source = text(&origin.source).unwrap_or(raw.source);
    raw.sourcetype = text(&origin.sourcetype).unwrap_or(raw.sourcetype);
    (raw.log_type, raw.cluster) = (text(&origin.log_type), text(&origin.cluster));
    Decoder::new(DecodeOptions {
        raw: Arc::new(raw),
        text_lines: options.text_lines,
        progress: Some(progress),
        ..DecodeOptions::default()
    })
}
