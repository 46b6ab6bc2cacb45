//! How long a worker is waited for: by the time that it had a processor for, where that can be told.
//!
//! A limit by the clock alone would kill healthy programs on a busy machine, and findings would depend on how busy it is.

use std::time::Duration;

/// How often the limit a worker may take by the clock while it waits for a processor.
const PATIENCE: u32 = 25;

/// Decides at the end of a wait whether the worker gets more time.
pub(crate) struct Patience {
    process: u32,
    limit: Duration,
    waited: Duration,
    /// What the process had used when half of the limit had passed.
    baseline: Option<Duration>,
}

/// What to do when a wait is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait once more, for so long.
    Wait(Duration),
    /// The limit is reached.
    Kill,
}

impl Patience {
    pub(crate) fn new(process: u32, limit: Duration) -> Patience {
        Patience { process, limit, waited: Duration::ZERO, baseline: None }
    }

    /// The length of the first wait. Asking the system takes longer than most calls, so that it is put off.
    pub(crate) fn first(&self) -> Duration {
        self.limit / 2
    }

    /// A wait of this length is over.
    pub(crate) fn over(&mut self, wait: Duration) -> Next {
        self.waited += wait;
        let half = self.limit / 2;
        let used = used(self.process);
        let Some(baseline) = self.baseline else {
            self.baseline = Some(used.map_or(Duration::ZERO, |used| used.time));
            return Next::Wait(half);
        };
        let Some(used) = used else { return Next::Kill };
        let since = used.time.saturating_sub(baseline);
        // One that neither runs nor wants to run sleeps: it has had its time.
        if since >= half || !used.runnable || self.waited >= self.limit * PATIENCE {
            return Next::Kill;
        }
        Next::Wait((half - since).max(half / 8))
    }
}

/// What a process has used.
struct Used {
    /// Of processors' time.
    time: Duration,
    /// Whether a thread of it runs, waits for a processor, or for the disk.
    runnable: bool,
}

/// None where the system does not tell.
#[cfg(target_os = "linux")]
fn used(process: u32) -> Option<Used> {
    let mut sum = Used { time: Duration::ZERO, runnable: false };
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let path = thread.ok()?.path();
        // A thread that ends meanwhile tells nothing, and the others go on.
        let Ok(schedule) = std::fs::read_to_string(path.join("schedstat")) else { continue };
        let Ok(status) = std::fs::read_to_string(path.join("stat")) else { continue };
        sum.time += Duration::from_nanos(schedule.split(' ').next()?.parse().ok()?);
        // The name of the program, in parentheses, may hold anything.
        let state = status.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        sum.runnable |= matches!(state, Some('R' | 'D'));
    }
    Some(sum)
}

#[cfg(not(target_os = "linux"))]
fn used(_process: u32) -> Option<Used> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_sleeps_has_had_its_time() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("there is a sleep");
        // Until it has replaced the image of this process it may run.
        std::thread::sleep(Duration::from_millis(300));
        let mut patience = Patience::new(child.id(), Duration::from_millis(100));
        assert_eq!(patience.first(), Duration::from_millis(50));
        assert_eq!(patience.over(Duration::from_millis(50)), Next::Wait(Duration::from_millis(50)));
        assert_eq!(patience.over(Duration::from_millis(50)), Next::Kill);
        child.kill().and_then(|()| child.wait()).expect("it was running");
    }

    #[test]
    fn one_that_is_gone_is_not_waited_for() {
        let mut patience = Patience::new(u32::MAX, Duration::from_secs(1));
        assert_eq!(patience.over(Duration::from_millis(500)), Next::Wait(Duration::from_millis(500)));
        assert_eq!(patience.over(Duration::from_millis(500)), Next::Kill);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_that_had_no_processor_is_waited_for() {
        // This process has run for less than an hour since a moment ago, and runs now.
        let mut patience = Patience::new(std::process::id(), Duration::from_secs(3_600));
        assert!(matches!(patience.over(Duration::from_secs(1_800)), Next::Wait(_)));
        assert!(matches!(patience.over(Duration::from_secs(1_800)), Next::Wait(_)));
        assert_eq!(patience.over(Duration::from_secs(100_000)), Next::Kill, "but not for ever");
    }
}
