//! The windows of a schedule over event time.

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions};
use jiff::Timestamp;
use masthead_ir::rule::Schedule;
use masthead_ir::time::{Micros, TimeRange};

/// One run of a scheduled search: when it runs, and what it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Window {
    /// When the search runs; what `now` stands for in it.
    pub(crate) run_at: Micros,
    /// First moment that it sees.
    pub(crate) earliest: Micros,
    /// Moment after the last that it sees.
    pub(crate) latest: Micros,
}

/// How many windows one event may fall into. A search over thirty days that runs every minute would put each event into
/// 43,200; such a search is better run over the whole input.
const MAX_WINDOWS_PER_EVENT: usize = 2_000;

/// The windows of one schedule.
#[derive(Debug)]
pub(crate) struct Windows {
    cron: Crontab,
    range: TimeRange,
}

impl Windows {
    /// Reads a schedule. The error says what is wrong with its cron expression.
    pub(crate) fn new(schedule: &Schedule) -> Result<Windows, String> {
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let cron = cronexpr::parse_crontab_with(&schedule.cron, options)
            .map_err(|error| format!("cron expression `{}`: {error}", schedule.cron))?;
        Ok(Windows { cron, range: schedule.range.clone() })
    }

    /// Every window that holds this moment, in order.
    pub(crate) fn holding(&self, time: Micros) -> Vec<Window> {
        let mut windows = Vec::new();
        let mut run_at = time;
        for _ in 0..MAX_WINDOWS_PER_EVENT {
            let Some(next) = self.next_run(run_at) else { break };
            run_at = next;
            let window = self.window(run_at);
            if window.earliest > time {
                break;
            }
            if time < window.latest {
                windows.push(window);
            }
        }
        windows
    }

    /// Whether some window holds this moment.
    pub(crate) fn hold(&self, time: Micros) -> bool {
        !self.holding(time).is_empty()
    }

    /// How long a window is, in microseconds; none if it has no beginning. Calendar units make windows differ: then it is that
    /// of the first run after 2000.
    pub(crate) fn span(&self) -> Option<Micros> {
        const YEAR_2000: Micros = 946_684_800_000_000;
        self.range.earliest.as_ref()?;
        let window = self.window(self.next_run(YEAR_2000)?);
        Some(window.latest.saturating_sub(window.earliest)).filter(|span| *span > 0)
    }

    fn window(&self, run_at: Micros) -> Window {
        let earliest = self.range.earliest.as_ref().map_or(Micros::MIN, |spec| spec.resolve(run_at));
        let latest = self.range.latest.as_ref().map_or(run_at, |spec| spec.resolve(run_at));
        Window { run_at, earliest, latest }
    }

    fn next_run(&self, after: Micros) -> Option<Micros> {
        let after = Timestamp::from_microsecond(after).ok()?;
        let next = self.cron.find_next(after).ok()?;
        Some(next.timestamp().as_microsecond())
    }
}

#[cfg(test)]
mod tests {
    use masthead_ir::time::{TimeSpec, TimeStep, TimeUnit};

    use super::*;

    fn at(text: &str) -> Micros {
        text.parse::<Timestamp>().expect("a time").as_microsecond()
    }

    fn minutes_ago(minutes: i64) -> Option<TimeSpec> {
        Some(TimeSpec::Relative(vec![TimeStep::Add(-minutes, TimeUnit::Minute), TimeStep::Snap(TimeUnit::Minute)]))
    }

    fn hourly(earliest: i64, latest: i64) -> Windows {
        let range = TimeRange { earliest: minutes_ago(earliest), latest: minutes_ago(latest) };
        Windows::new(&Schedule { cron: "0 * * * *".into(), range }).expect("a schedule")
    }

    #[test]
    fn an_hourly_search_over_one_hour_sees_each_event_once() {
        let windows = hourly(70, 10);
        for (event, run) in [
            ("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"),
            ("2026-11-20T09:50:00Z", "2026-11-20T11:00:00Z"),
            ("2026-11-20T09:49:59.999Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20T10:49:59Z", "2026-11-20T11:00:00Z"),
            ("2026-11-20T10:50:00Z", "2026-11-20T12:00:00Z"),
        ] {
            let found: Vec<_> = windows.holding(at(event)).iter().map(|w| w.run_at).collect();
            assert_eq!(found, [at(run)], "{event}");
        }
    }

    #[test]
    fn overlapping_windows_all_see_an_event() {
        let found = hourly(180, 0).holding(at("2026-11-20T09:30:00Z"));
        let runs: Vec<_> = found.iter().map(|w| w.run_at).collect();
        assert_eq!(runs, [at("2026-11-20T10:00:00Z"), at("2026-11-20T11:00:00Z"), at("2026-11-20T12:00:00Z")]);
    }

    #[test]
    fn a_faulty_cron_expression_is_an_error_that_quotes_it() {
        let range = TimeRange { earliest: None, latest: None };
        let error = Windows::new(&Schedule { cron: "61 * * * *".into(), range }).expect_err("no such minute");
        assert!(error.contains("61 * * * *"), "{error}");
    }
}
