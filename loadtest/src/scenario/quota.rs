//! The goal of a run, over all connections.

use crate::args::Goal;
use std::time::Instant;

/// Says which requests may still begin, and numbers them.
#[derive(Debug)]
pub(crate) struct Quota {
    goal: Goal,
    started: Instant,
    begun: u64,
    closed: bool,
}

impl Quota {
    /// Everything up to the goal of a run that started at `started`.
    pub(crate) fn new(goal: Goal, started: Instant) -> Self {
        Self { goal, started, begun: 0, closed: false }
    }

    /// Begins a request: its number, from 1 on. `None`, once and for all, when the goal is reached.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<u64> {
        let more = match self.goal {
            Goal::Requests(requests) => self.begun < requests,
            Goal::Duration(duration) => now.duration_since(self.started) < duration,
        };
        if !more || self.closed {
            self.closed = true;
            return None;
        }
        self.begun += 1;
        Some(self.begun)
    }

    /// No more requests begin, whatever the goal.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn requests_are_numbered_up_to_the_goal() {
        let now = Instant::now();
        let mut quota = Quota::new(Goal::Requests(3), now);
        let numbers: Vec<u64> = std::iter::from_fn(|| quota.begin(now)).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(quota.begin(now), None);
    }

    #[test]
    fn duration_ends() {
        let now = Instant::now();
        let mut quota = Quota::new(Goal::Duration(Duration::from_secs(1)), now);
        assert_eq!(quota.begin(now + Duration::from_millis(999)), Some(1));
        assert_eq!(quota.begin(now + Duration::from_secs(1)), None);
        assert_eq!(quota.begin(now), None, "once and for all");
    }

    #[test]
    fn closing_ends_it() {
        let now = Instant::now();
        let mut quota = Quota::new(Goal::Requests(3), now);
        assert_eq!(quota.begin(now), Some(1));
        quota.close();
        assert_eq!(quota.begin(now), None);
    }
}
