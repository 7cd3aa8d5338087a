//! Which values there may be where they come and go: how often each was put there, and how often it
//! was taken out.

use super::checks::{Check, CheckFailure};
use std::collections::HashMap;

/// Values by how often they may be there.
///
/// It is told of a value before the request that adds it is sent, and of its removal once that is
/// acknowledged. So at any time it holds all that an honest server can hold, and perhaps more. Its
/// memory is some 24 bytes for each distinct value.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    values: HashMap<i64, Times>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Times {
    put: u64,
    taken: u64,
}

impl Stock {
    /// Enters a value that may be there from now on.
    pub(crate) fn put(&mut self, value: i64) {
        self.values.entry(value).or_default().put += 1;
    }

    /// Whether a value that a reply shows was ever there.
    pub(crate) fn check_shown(&self, value: i64) -> Result<(), CheckFailure> {
        if self.values.contains_key(&value) {
            return Ok(());
        }
        let detail = format!("the reply holds {value}, which nobody added");
        Err(CheckFailure { check: Check::UnknownValue, detail })
    }

    /// Enters a value that a reply says was taken out, and checks that it can have been there.
    pub(crate) fn take(&mut self, value: i64, check: Check) -> Result<(), CheckFailure> {
        let times = self.values.get_mut(&value);
        let Times { put, taken } = times.as_deref().copied().unwrap_or_default();
        if let Some(times) = times
            && taken < put
        {
            times.taken += 1;
            return Ok(());
        }
        let detail =
            format!("{value} was taken out {} time(s), and was added {put} time(s)", taken + 1);
        Err(CheckFailure { check, detail })
    }

    /// All that may still be there, in no order.
    pub(crate) fn remaining(&self) -> Vec<i64> {
        let mut remaining = Vec::new();
        for (&value, times) in &self.values {
            remaining.extend((times.taken..times.put).map(|_| value));
        }
        remaining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(values: &[i64]) -> Stock {
        let mut stock = Stock::default();
        values.iter().for_each(|&value| stock.put(value));
        stock
    }

    #[test]
    fn nothing_is_taken_twice() {
        let mut stock = stock(&[7, 7, i64::MIN]);
        assert_eq!(stock.take(7, Check::Popped), Ok(()));
        assert_eq!(stock.take(7, Check::Popped), Ok(()));
        let failure = stock.take(7, Check::Popped).expect_err("there were two");
        assert_eq!(failure.detail, "7 was taken out 3 time(s), and was added 2 time(s)");
        assert_eq!(stock.take(8, Check::Removed).map_err(|f| f.check), Err(Check::Removed));
        assert_eq!(stock.remaining(), [i64::MIN]);
    }

    #[test]
    fn what_was_taken_was_there_once() {
        let mut stock = stock(&[7]);
        assert_eq!(stock.take(7, Check::Popped), Ok(()));
        assert_eq!(stock.check_shown(7), Ok(()));
        assert!(stock.check_shown(6).is_err());
    }
}
