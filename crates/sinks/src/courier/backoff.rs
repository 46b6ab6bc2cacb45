//! How long to wait after a failure.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The wait after failure number `failures` (from 0): twice as long each time, up to `longest`. Up to its own length is added at
/// random, so that sinks that failed together do not come back together.
pub(super) fn wait(first: Duration, longest: Duration, failures: u32) -> Duration {
    // No backoff needs more steps to get from a millisecond to a day.
    let step = failures.min(40) as usize;
    let schedule = ExponentialBuilder::new()
        .with_factor(2.0)
        .with_min_delay(first.min(longest / 2))
        .with_max_delay(longest / 2)
        .without_max_times()
        .with_jitter();
    schedule.build().nth(step).unwrap_or(longest).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_cap() {
        let (first, longest) = (Duration::from_secs(5), Duration::from_secs(900));
        for (failures, base) in [(0, 5), (1, 10), (2, 20), (6, 320), (7, 450), (20, 450), (u32::MAX, 450)] {
            for _ in 0..20 {
                let found = wait(first, longest, failures).as_secs_f64();
                let base = f64::from(base);
                assert!((base..=2.0 * base + 0.001).contains(&found), "{failures}: {found}");
            }
        }
    }
}
