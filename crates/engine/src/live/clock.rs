//! Event time as a stream tells it.

use masthead_ir::time::Micros;
use serde::{Deserialize, Serialize};

/// How far time has come, by the events themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(crate) struct Clock {
    /// The time of the newest event that was not ahead of its receipt.
    newest: Option<Micros>,
    /// What was said about time beside events (nothing has come for long).
    told: Option<Micros>,
}

/// Where an event stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Windows may still see it.
    InTime,
    /// Older than the lateness that is allowed: some of its windows may be closed.
    Late,
    /// Further ahead of its receipt than clocks differ: no window sees it, and it moves no clock.
    Ahead,
}

impl Clock {
    /// Takes in the time of an event that was received at `received`.
    pub(crate) fn see(&mut self, time: Micros, received: Micros, lateness: Micros, ahead: Micros) -> Standing {
        if time > received.saturating_add(ahead) {
            return Standing::Ahead;
        }
        let late = self.watermark(lateness).is_some_and(|watermark| time < watermark);
        self.newest = self.newest.max(Some(time));
        if late { Standing::Late } else { Standing::InTime }
    }

    /// Everything before this moment is taken to be complete.
    pub(crate) fn watermark(&self, lateness: Micros) -> Option<Micros> {
        let by_events = self.newest.map(|newest| newest.saturating_sub(lateness));
        by_events.max(self.told)
    }

    /// Says that everything before a moment is complete.
    pub(crate) fn tell(&mut self, moment: Micros) {
        self.told = self.told.max(Some(moment));
    }

    pub(crate) fn newest(&self) -> Option<Micros> {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENESS: Micros = 100;
    const AHEAD: Micros = 50;

    #[test]
    fn an_event_from_the_future_closes_no_window() {
        let mut clock = Clock::default();
        for (time, received, standing, watermark) in [
            (1_000, 1_000, Standing::InTime, 900),
            (900, 1_000, Standing::InTime, 900),
            (899, 1_000, Standing::Late, 900),
            (1_051, 1_000, Standing::Ahead, 900),
            (1_050, 1_000, Standing::InTime, 950),
            // A clock that is set back changes nothing.
            (940, 500, Standing::Ahead, 950),
        ] {
            assert_eq!(clock.see(time, received, LATENESS, AHEAD), standing, "{time}");
            assert_eq!(clock.watermark(LATENESS), Some(watermark), "{time}");
        }
        clock.tell(2_000);
        assert_eq!(clock.watermark(LATENESS), Some(2_000));
        assert_eq!(clock.see(1_999, 3_000, LATENESS, AHEAD), Standing::Late);
    }
}
