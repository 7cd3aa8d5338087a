//! The numbers in the reply to an add, and what must hold of them.

use super::checks::{Check, CheckFailure};
use std::ops::RangeInclusive;

/// What a reply says besides values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Values added by the request; 0 where the reply has no such field.
    pub(crate) added: u64,
    /// The array's length.
    pub(crate) count: u64,
}

impl Receipt {
    /// Whether the whole batch was added, and nothing else.
    pub(crate) fn check_added(&self, sent: usize) -> Result<(), CheckFailure> {
        let added = self.added;
        if added == sent as u64 {
            return Ok(());
        }
        let detail = format!("{sent} value(s) were sent, and the reply says {added} were added");
        Err(CheckFailure { check: Check::Added, detail })
    }

    /// Whether the array is as long as that.
    pub(crate) fn check_count(&self, expected: &RangeInclusive<u64>) -> Result<(), CheckFailure> {
        let count = self.count;
        if expected.contains(&count) {
            return Ok(());
        }
        let (least, most) = (expected.start(), expected.end());
        let direction = if count < *least { "small" } else { "large" };
        let detail = format!("the count {count} is too {direction}: expected {least} to {most}");
        Err(CheckFailure { check: Check::Count, detail })
    }

    /// Whether the array is at least as long as in the reply before on the same connection.
    pub(crate) fn check_follows(&self, previous: u64) -> Result<(), CheckFailure> {
        let count = self.count;
        if count >= previous {
            return Ok(());
        }
        let detail = format!("the count {count} follows {previous}, and nobody removes values");
        Err(CheckFailure { check: Check::CountDecreased, detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECEIPT: Receipt = Receipt { added: 3, count: 10 };

    #[test]
    fn added_must_be_exact() {
        assert_eq!(RECEIPT.check_added(3), Ok(()));
        let failure = RECEIPT.check_added(4).expect_err("one was lost");
        assert_eq!(failure.check.name(), "added");
        assert!(RECEIPT.check_added(2).is_err());
    }

    #[test]
    fn count_bounds_are_inclusive() {
        assert_eq!(RECEIPT.check_count(&(10..=10)), Ok(()));
        let detail = |range| RECEIPT.check_count(&range).map_err(|failure| failure.detail);
        assert_eq!(detail(11..=12), Err("the count 10 is too small: expected 11 to 12".into()));
        assert_eq!(detail(8..=9), Err("the count 10 is too large: expected 8 to 9".into()));
    }

    #[test]
    fn count_may_stay() {
        assert_eq!(RECEIPT.check_follows(10), Ok(()));
        let failure = RECEIPT.check_follows(11).expect_err("it decreases");
        assert_eq!(failure.check.name(), "count_decreased");
    }
}
