//! The books of one run: what was there, what was sent, what the server acknowledged; and so what
//! its array must hold.

use super::checks::{Check, CheckFailure};
use std::collections::HashMap;

/// Every value that the server should hold, and the bounds that follow for a reply under way.
///
/// Its memory grows with the number of distinct values, not with the number of requests.
#[derive(Debug)]
pub(crate) struct Ledger {
    start_count: u64,
    sent: u64,
    acknowledged: u64,
    /// Requests that were sent and neither acknowledged nor refused: nobody knows whether they took
    /// effect.
    unresolved: u64,
    /// For each value how often the server should hold it, less how often it was found.
    balance: HashMap<i64, i64>,
}

impl Ledger {
    /// The books of a server that held `start_count` values.
    pub(crate) fn new(start_count: u64) -> Self {
        Self { start_count, sent: 0, acknowledged: 0, unresolved: 0, balance: HashMap::new() }
    }

    /// Enters a value that was there at the start.
    pub(crate) fn there_at_start(&mut self, value: i64) {
        *self.balance.entry(value).or_default() += 1;
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

    /// Enters a batch that the server has acknowledged.
    pub(crate) fn acknowledged(&mut self, batch: &[i64]) {
        self.acknowledged += batch.len() as u64;
        for &value in batch {
            *self.balance.entry(value).or_default() += 1;
        }
    }

    /// Enters a batch of which nobody knows whether it took effect.
    pub(crate) fn unresolved(&mut self) {
        self.unresolved += 1;
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

    /// Enters a value of the server's last array.
    pub(crate) fn found(&mut self, value: i64) {
        *self.balance.entry(value).or_default() -= 1;
    }

    /// Whether the values found are exactly those that should be there.
    pub(crate) fn check_found(&self) -> Result<(), CheckFailure> {
        let differing = || self.balance.iter().filter(|(_, balance)| **balance != 0);
        let Some((value, balance)) = differing().min() else {
            return Ok(());
        };
        let (times, direction) =
            (balance.unsigned_abs(), if *balance > 0 { "too few" } else { "too many" });
        let detail = format!(
            "the last array holds {value} {times} time(s) {direction}; {} distinct value(s) differ",
            differing().count()
        );
        Err(CheckFailure { check: Check::FinalArray, detail })
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
    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(2);
        [7, 7].into_iter().for_each(|value| ledger.there_at_start(value));
        ledger.sending(2);
        ledger.acknowledged(&[7, 9]);
        ledger.sending(3);
        ledger.acknowledged(&[i64::MIN, 0, i64::MAX]);
        ledger
    }

    fn found(values: &[i64]) -> Result<(), String> {
        let mut ledger = ledger();
        values.iter().for_each(|&value| ledger.found(value));
        ledger.check_found().map_err(|failure| failure.detail)
    }

    #[test]
    fn bounds_follow_what_is_known() {
        let mut ledger = Ledger::new(100);
        assert_eq!((ledger.sending(10), ledger.most()), (110, 110));
        assert_eq!((ledger.sending(5), ledger.most()), (105, 115));
        ledger.acknowledged(&[0; 10]);
        assert_eq!((ledger.sending(1), ledger.most()), (111, 116));
    }

    #[test]
    fn count_must_be_exact() {
        assert_eq!(ledger().check_count(7), Ok(()));
        assert!(ledger().check_count(6).is_err());
        let failure = ledger().check_count(8).expect_err("one too many");
        assert_eq!(
            failure.detail,
            "the server counts 8 values, and should count 7: 2 at the start and 5 added"
        );
    }

    #[test]
    fn array_must_be_exact() {
        let (least, most) = (i64::MIN, i64::MAX);
        assert_eq!(found(&[least, 0, 7, 7, 7, 9, most]), Ok(()));
        assert_eq!(
            found(&[least, 0, 7, 9, most]),
            Err("the last array holds 7 2 time(s) too few; 1 distinct value(s) differ".into())
        );
        assert_eq!(
            found(&[least, 0, 1, 7, 7, 7, most]),
            Err("the last array holds 1 1 time(s) too many; 2 distinct value(s) differ".into())
        );
    }

    #[test]
    fn announcement_must_be_exact() {
        assert_eq!(check_announced(3, 3), Ok(()));
        assert!(check_announced(3, 2).is_err());
    }
}
