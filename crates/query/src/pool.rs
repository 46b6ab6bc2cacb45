//! How much memory the operators of a plan may take.

use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};

/// A limit for operators that can go to temporary files. One that holds nothing gets what it asks for, however much: it
/// has written everything to files already, and cannot work on less than one batch. DataFusion's own pools would end
/// the plan there. Operators that cannot go to files are not limited; what they hold is what a search shows.
#[derive(Debug)]
pub(crate) struct SoftPool {
    limit: usize,
    used: AtomicUsize,
}

impl SoftPool {
    pub(crate) fn new(limit: usize) -> SoftPool {
        SoftPool { limit, used: AtomicUsize::new(0) }
    }
}

impl std::fmt::Display for SoftPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes for operators that can go to files", self.limit)
    }
}

impl MemoryPool for SoftPool {
    fn name(&self) -> &str {
        "soft"
    }

    fn grow(&self, _reservation: &MemoryReservation, additional: usize) {
        self.used.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, _reservation: &MemoryReservation, shrink: usize) {
        self.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let used = self.used.load(Ordering::Relaxed);
        let must = reservation.size() == 0 || !reservation.consumer().can_spill();
        if must || used.saturating_add(additional) <= self.limit {
            self.grow(reservation, additional);
            return Ok(());
        }
        Err(DataFusionError::ResourcesExhausted(format!("{additional} bytes over {self}")))
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}
