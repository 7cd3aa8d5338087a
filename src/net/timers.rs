//! When to look at which connection again.

use std::collections::BTreeSet;
use std::time::Instant;

use mio::Token;

/// Wake-up times, at most one for each token that its owner keeps track of.
///
/// A deadline that moves *later* is left where it is: when it comes, the owner looks and schedules
/// anew. So a busy connection costs nothing here.
#[derive(Default)]
pub(super) struct Timers {
    scheduled: BTreeSet<(Instant, Token)>,
}

impl Timers {
    /// Makes sure that `token` comes up at `deadline` or before. `scheduled` is where the owner keeps
    /// its present entry. O(log n) if the deadline is earlier than that, else O(1).
    pub(super) fn schedule(
        &mut self,
        token: Token,
        deadline: Instant,
        scheduled: &mut Option<Instant>,
    ) {
        if scheduled.is_some_and(|earlier| earlier <= deadline) {
            return;
        }
        self.cancel(token, scheduled);
        self.scheduled.insert((deadline, token));
        *scheduled = Some(deadline);
    }

    /// Forgets the entry that the owner keeps in `scheduled`.
    pub(super) fn cancel(&mut self, token: Token, scheduled: &mut Option<Instant>) {
        if let Some(instant) = scheduled.take() {
            self.scheduled.remove(&(instant, token));
        }
    }

    /// The time of the first entry.
    pub(super) fn first(&self) -> Option<Instant> {
        self.scheduled.first().map(|(instant, _)| *instant)
    }

    /// Takes an entry whose time has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Token> {
        if self.first()? > now {
            return None;
        }
        self.scheduled.pop_first().map(|(_, token)| token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn earlier_deadlines_replace_and_later_ones_wait_their_turn() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut timers, mut scheduled) = (Timers::default(), None);
        timers.schedule(Token(1), at(10), &mut scheduled);
        timers.schedule(Token(1), at(5), &mut scheduled);
        timers.schedule(Token(1), at(20), &mut scheduled);
        assert_eq!((timers.first(), scheduled), (Some(at(5)), Some(at(5))));
        assert_eq!(timers.pop_due(at(4)), None);
        assert_eq!(timers.pop_due(at(5)), Some(Token(1)));
        assert_eq!(timers.first(), None);

        scheduled = None;
        timers.schedule(Token(1), at(30), &mut scheduled);
        timers.cancel(Token(1), &mut scheduled);
        assert_eq!((timers.first(), scheduled), (None, None));
    }
}
