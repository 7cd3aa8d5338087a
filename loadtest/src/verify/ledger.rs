//! The books of one run: what was there, what was sent, what the server acknowledged; and so what
//! its array must hold.

use super::checks::{Check, CheckFailure};
use super::comparison::Comparison;
use super::stock::Stock;
use std::ops::RangeInclusive;

/// How many values the server should hold, and as long as they are not too many, which; and the
/// bounds that follow for a reply under way.
///
/// Its memory is 8 bytes for each value kept, and some 24 where values are removed too.
#[derive(Debug)]
pub(crate) struct Ledger {
    start_count: u64,
    sent: u64,
    acknowledged: u64,
    removed: u64,
    /// The most that removals without an answer may remove, those of which there will never be one
    /// included. Wide enough for any number of clears, of which each may remove everything.
    may_be_removed: u128,
    /// Requests that were sent and neither acknowledged nor refused: nobody knows whether they took
    /// effect.
    unresolved: u64,
    /// The most values kept.
    max_kept: u64,
    /// `None` once they were more than the most kept.
    kept: Option<Kept>,
}

/// The values that the server should hold.
#[derive(Debug)]
enum Kept {
    /// All of them, where none are removed.
    All(Vec<i64>),
    /// These at the most, where some are removed, and it is not always known which.
    AtMost(Stock),
}

/// What is known of the array when a request is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Its length, and that of the request's own batch, if nothing more is removed.
    least: u64,
    /// Removals acknowledged.
    removed: u64,
}

impl Ledger {
    /// The books of a server that held `start_count` values. If it holds more than `max_kept`, now
    /// or later, they are counted only.
    pub(crate) fn new(start_count: u64, max_kept: u64) -> Self {
        Self {
            start_count,
            sent: 0,
            acknowledged: 0,
            removed: 0,
            may_be_removed: 0,
            unresolved: 0,
            max_kept,
            kept: (start_count <= max_kept).then(|| Kept::All(Vec::new())),
        }
    }

    /// Whether the values are kept so far. Those there at the start must be entered then.
    pub(crate) fn keeps_values(&self) -> bool {
        self.kept.is_some()
    }

    /// Enters a value that was there at the start.
    pub(crate) fn there_at_start(&mut self, value: i64) {
        match &mut self.kept {
            Some(Kept::All(kept)) => kept.push(value),
            Some(Kept::AtMost(stock)) => stock.put(value),
            None => {}
        }
    }

    /// Values will be removed, too: from here on each batch must be entered by [`Self::may_hold`]
    /// before it is sent.
    pub(crate) fn expect_removals(&mut self) {
        if let Some(Kept::All(values)) = &self.kept {
            let mut stock = Stock::default();
            values.iter().for_each(|&value| stock.put(value));
            self.kept = Some(Kept::AtMost(stock));
        }
    }

    /// Enters a batch that is about to be sent, or with 0 any other request. Returns what its reply
    /// is to be checked against: all that was there, all that was acknowledged by now, and the
    /// batch.
    pub(crate) fn sending(&mut self, batch_len: usize) -> Bounds {
        self.sent += batch_len as u64;
        Bounds {
            least: self.start_count + self.acknowledged + batch_len as u64,
            removed: self.removed,
        }
    }

    /// Enters the values of a batch that is about to be sent, where values are removed.
    pub(crate) fn may_hold(&mut self, batch: impl Iterator<Item = i64>) {
        if self.start_count + self.sent > self.max_kept {
            self.kept = None;
        }
        if let Some(Kept::AtMost(stock)) = &mut self.kept {
            batch.for_each(|value| stock.put(value));
        }
    }

    /// Enters a removal of at most so many values that is about to be sent.
    pub(crate) fn removing(&mut self, most: u64) {
        self.may_be_removed += u128::from(most);
    }

    /// The removal of at most so many values was refused, or removed so many.
    pub(crate) fn removed(&mut self, most: u64, removed: u64) {
        self.may_be_removed -= u128::from(most);
        // A server that lies about the number must not make this overflow.
        self.removed = self.removed.saturating_add(removed);
    }

    /// The lengths that the array may have had at any instant between the request's sending and
    /// now.
    pub(crate) fn counts(&self, bounds: &Bounds) -> RangeInclusive<u64> {
        let may_be_removed = u64::try_from(self.may_be_removed).unwrap_or(u64::MAX);
        let removed = self.removed.saturating_add(may_be_removed);
        let most = (self.start_count + self.sent).saturating_sub(bounds.removed);
        bounds.least.saturating_sub(removed)..=most
    }

    /// Enters a batch that the server has acknowledged. O(1) where values are not kept.
    pub(crate) fn acknowledged(&mut self, batch: impl ExactSizeIterator<Item = i64>) {
        self.acknowledged += batch.len() as u64;
        if self.start_count + self.acknowledged > self.max_kept {
            self.kept = None;
        }
        if let Some(Kept::All(kept)) = &mut self.kept {
            kept.extend(batch);
        }
    }

    /// The values that may be there, where values are removed and those are not too many.
    pub(crate) fn stock(&mut self) -> Option<&mut Stock> {
        match &mut self.kept {
            Some(Kept::AtMost(stock)) => Some(stock),
            Some(Kept::All(_)) | None => None,
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

    /// Values that the server says it removed.
    pub(crate) fn values_removed(&self) -> u64 {
        self.removed
    }

    /// Requests of which nobody knows whether they took effect. Unless there are none, the checks
    /// below prove nothing.
    pub(crate) fn requests_unresolved(&self) -> u64 {
        self.unresolved
    }

    /// Whether the server's last count is the right one.
    pub(crate) fn check_count(&self, count: u64) -> Result<(), CheckFailure> {
        // The server may have lied about what it removed.
        let expected = (self.start_count + self.acknowledged).checked_sub(self.removed);
        if expected == Some(count) {
            return Ok(());
        }
        let mut detail = format!(
            "the server counts {count} values, and should count {}: {} at the start and {} added",
            expected.map_or("less than none".to_owned(), |expected| expected.to_string()),
            self.start_count,
            self.acknowledged
        );
        if self.removed > 0 {
            detail.push_str(&format!(", less {} removed", self.removed));
        }
        Err(CheckFailure { check: Check::FinalCount, detail })
    }

    /// The comparison of the server's last array with the values kept; `None` if they are not. They
    /// are given away: afterwards none are kept.
    pub(crate) fn comparison(&mut self) -> Option<Comparison> {
        Some(match self.kept.take()? {
            Kept::All(values) => Comparison::new(values),
            Kept::AtMost(stock) => Comparison::at_most(stock.remaining()),
        })
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
        let mut sending = |len, acknowledged: usize| {
            ledger.acknowledged(vec![0; acknowledged].into_iter());
            let bounds = ledger.sending(len);
            ledger.counts(&bounds)
        };
        assert_eq!(sending(10, 0), 110..=110);
        assert_eq!(sending(5, 0), 105..=115);
        assert_eq!(sending(1, 10), 111..=116);
    }

    #[test]
    fn removals_widen_the_bounds_while_they_are_under_way() {
        let mut ledger = Ledger::new(100, u64::MAX);
        let before = ledger.sending(0);
        ledger.removing(30);
        assert_eq!(ledger.counts(&before), 70..=100);
        ledger.removed(30, 10);
        assert_eq!(ledger.counts(&before), 90..=100, "it may have been seen before or after");
        let after = ledger.sending(0);
        assert_eq!(ledger.counts(&after), 90..=90);
        ledger.removing(u64::MAX);
        ledger.removing(3);
        assert_eq!(ledger.counts(&after), 0..=90);
        assert_eq!(ledger.check_count(90), Ok(()));
        assert!(ledger.check_count(100).is_err());
    }

    #[test]
    fn what_remains_is_compared_where_values_are_removed() {
        let compare = |array: &[i64]| {
            let mut ledger = Ledger::new(1, 10);
            ledger.there_at_start(7);
            ledger.expect_removals();
            ledger.sending(2);
            ledger.may_hold([7, 9].into_iter());
            let taken = ledger.stock().map(|stock| stock.take(7, Check::Popped));
            assert_eq!(taken, Some(Ok(())));
            let mut comparison = ledger.comparison().expect("all are kept");
            array.iter().for_each(|&value| comparison.found(value));
            comparison.finish().is_ok()
        };
        assert!(compare(&[7, 9]) && compare(&[9]) && compare(&[]));
        assert!(!compare(&[7, 7, 9]) && !compare(&[8]));
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
