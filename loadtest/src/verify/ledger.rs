//! The books of one run: what was there, what was sent, what the server acknowledged; and so what
//! its array must hold.

use super::checks::{Check, CheckFailure};
use super::comparison::Comparison;

/// How many values the server should hold, and as long as they are not too many, which; and the
/// bounds that follow for a reply under way.
///
/// Its memory is 8 bytes for each value kept.
#[derive(Debug)]
pub(crate) struct Ledger {
    start_count: u64,
    sent: u64,
    acknowledged: u64,
    /// Requests that were sent and neither acknowledged nor refused: nobody knows whether they took
    /// effect.
    unresolved: u64,
    /// The most values kept.
    max_kept: u64,
    /// Every value that the server should hold; `None` once they were more than the most kept.
    kept: Option<Vec<i64>>,
}

impl Ledger {
    /// The books of a server that held `start_count` values. If it holds more than `max_kept`, now
    /// or later, they are counted only.
    pub(crate) fn new(start_count: u64, max_kept: u64) -> Self {
        let kept = (start_count <= max_kept).then(Vec::new);
        Self { start_count, sent: 0, acknowledged: 0, unresolved: 0, max_kept, kept }
    }

    /// Whether the values are kept so far. Those there at the start must be entered then.
    pub(crate) fn keeps_values(&self) -> bool {
        self.kept.is_some()
    }

    /// Enters a value that was there at the start.
    pub(crate) fn there_at_start(&mut self, value: i64) {
        if let Some(kept) = &mut self.kept {
            kept.push(value);
        }
    }

    /// Enters a batch that is about to be sent. Returns the least length of its reply: all that was
    /// there, all that was acknowledged by now, and the batch.
    pub(crate) fn sending(&mut self, batch_len: usize) -> u64 {
        self.sent += batch_len as u64;
        self.start_count + self.acknowledged + batch_len as u64
    }

    /// The greatest length of any reply by now: all that was there and all that was ever sent.
    pub(crate) fn most(&self) -> u64 {
        self.start_count + self.sent
    }

    /// Enters a batch that the server has acknowledged. O(1) where values are not kept.
    pub(crate) fn acknowledged(&mut self, batch: impl ExactSizeIterator<Item = i64>) {
        self.acknowledged += batch.len() as u64;
        if self.start_count + self.acknowledged > self.max_kept {
            self.kept = None;
        }
        if let Some(kept) = &mut self.kept {
            kept.extend(batch);
        }
    }

    /// Enters requests of which nobody knows whether they took effect.
    pub(crate) fn unresolved(&mut self, requests: usize) {
        self.unresolved += requests as u64;
    }

    /// Values that the server has acknowledged.
    pub(crate) fn values_acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Requests of which nobody knows whether they took effect. Unless there are none, the checks
    /// below prove nothing.
    pub(crate) fn requests_unresolved(&self) -> u64 {
        self.unresolved
    }

    /// Whether the server's last count is the right one.
    pub(crate) fn check_count(&self, count: u64) -> Result<(), CheckFailure> {
        let expected = self.start_count + self.acknowledged;
        if count == expected {
            return Ok(());
        }
        let detail = format!(
            "the server counts {count} values, and should count {expected}: \
             {} at the start and {} added",
            self.start_count, self.acknowledged
        );
        Err(CheckFailure { check: Check::FinalCount, detail })
    }

    /// The comparison of the server's last array with the values kept; `None` if they are not. They
    /// are given away: afterwards none are kept.
    pub(crate) fn comparison(&mut self) -> Option<Comparison> {
        self.kept.take().map(Comparison::new)
    }
}

/// Whether an array that announces `announced` values holds so many.
pub(crate) fn check_announced(announced: u64, held: u64) -> Result<(), CheckFailure> {
    if announced == held {
        return Ok(());
    }
    let detail = format!("the last array announces {announced} values and holds {held}");
    Err(CheckFailure { check: Check::FinalArray, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two values at the start, five added.
    fn ledger(max_kept: u64) -> Ledger {
        let mut ledger = Ledger::new(2, max_kept);
        [7, 7].into_iter().for_each(|value| ledger.there_at_start(value));
        ledger.sending(2);
        ledger.acknowledged([7, 9].into_iter());
        ledger.sending(3);
        ledger.acknowledged([i64::MIN, 0, i64::MAX].into_iter());
        ledger
    }

    #[test]
    fn bounds_follow_what_is_known() {
        let mut ledger = Ledger::new(100, u64::MAX);
        assert_eq!((ledger.sending(10), ledger.most()), (110, 110));
        assert_eq!((ledger.sending(5), ledger.most()), (105, 115));
        ledger.acknowledged([0; 10].into_iter());
        assert_eq!((ledger.sending(1), ledger.most()), (111, 116));
    }

    #[test]
    fn count_must_be_exact() {
        assert_eq!(ledger(7).check_count(7), Ok(()));
        assert!(ledger(7).check_count(6).is_err());
        let failure = ledger(7).check_count(8).expect_err("one too many");
        assert_eq!(
            failure.detail,
            "the server counts 8 values, and should count 7: 2 at the start and 5 added"
        );
    }

    #[test]
    fn everything_is_compared() {
        let mut comparison = ledger(7).comparison().expect("all are kept");
        [i64::MIN, 0, 7, 7, 7, 9, i64::MAX].into_iter().for_each(|value| comparison.found(value));
        assert_eq!(comparison.finish(), Ok(()));
    }

    #[test]
    fn more_than_the_most_is_counted_only() {
        let mut counted = ledger(6);
        assert!(!counted.keeps_values() && counted.comparison().is_none());
        assert_eq!((counted.values_acknowledged(), counted.check_count(7)), (5, Ok(())));
        assert!(!Ledger::new(3, 2).keeps_values());
    }

    #[test]
    fn announcement_must_be_exact() {
        assert_eq!(check_announced(3, 3), Ok(()));
        assert!(check_announced(3, 2).is_err());
    }
}
