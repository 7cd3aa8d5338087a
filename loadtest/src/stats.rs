//! Counters and latencies of one run.

use crate::error::RequestError;
use crate::verify::CheckFailure;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Latencies are told apart to one part in a thousand.
const SIGNIFICANT_DIGITS: u8 = 3;
/// Longer latencies are recorded as this one. An hour bounds the histogram's memory to about 300
/// KB.
const MAX_LATENCY: Duration = Duration::from_secs(60 * 60);
/// Kinds of errors counted apart: the server chooses the codes, so their number needs a bound.
const MAX_ERROR_KINDS: usize = 32;
/// The kind of all errors beyond that.
const OTHER_KIND: &str = "other";

/// How often something happened, and what it looked like the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Occurrences {
    /// How often.
    pub(crate) count: u64,
    /// The first one, for people.
    pub(crate) example: String,
}

/// Occurrences by kind, in the kinds' order.
pub(crate) type ByKind = BTreeMap<String, Occurrences>;

/// Everything counted in a run.
#[derive(Debug)]
pub(crate) struct Stats {
    /// To the last byte of a complete reply, from where the scenario says that its request began.
    pub(crate) latency: LatencyHistogram,
    /// From the start of connecting to the connection.
    pub(crate) connect: LatencyHistogram,
    /// Requests done, failed ones included.
    pub(crate) requests: u64,
    /// Errors by kind.
    pub(crate) errors: ByKind,
    /// Checks that held.
    pub(crate) checks_passed: u64,
    /// Checks that did not, by kind.
    pub(crate) checks_failed: ByKind,
    /// Checks that could not be made, with the reason.
    pub(crate) checks_skipped: Vec<String>,
}

impl Stats {
    /// Nothing counted yet.
    pub(crate) fn new() -> Self {
        Self {
            latency: LatencyHistogram::new(),
            connect: LatencyHistogram::new(),
            requests: 0,
            errors: ByKind::new(),
            checks_passed: 0,
            checks_failed: ByKind::new(),
            checks_skipped: Vec::new(),
        }
    }

    /// Counts an error; `context` says what was being done.
    pub(crate) fn error(&mut self, error: &RequestError, context: &str) {
        let mut kind = error.kind().into_owned();
        if self.errors.len() >= MAX_ERROR_KINDS && !self.errors.contains_key(&kind) {
            kind = OTHER_KIND.to_owned();
        }
        count(&mut self.errors, kind, || format!("{context}: {error}"));
    }

    /// Counts a check; `context` says of what.
    #[inline]
    pub(crate) fn check(
        &mut self,
        result: Result<(), CheckFailure>,
        context: impl FnOnce() -> String,
    ) {
        match result {
            Ok(()) => self.checks_passed += 1,
            Err(failure) => {
                let kind = failure.check.name().to_owned();
                count(&mut self.checks_failed, kind, || {
                    format!("{}: {}", context(), failure.detail)
                });
            }
        }
    }

    /// Errors of all kinds.
    pub(crate) fn errors_total(&self) -> u64 {
        total(&self.errors)
    }

    /// Failed checks of all kinds.
    pub(crate) fn checks_failed_total(&self) -> u64 {
        total(&self.checks_failed)
    }
}

#[cfg(test)]
impl Stats {
    /// The kinds of errors and failed checks.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.errors.keys().chain(self.checks_failed.keys()).cloned().collect()
    }
}

fn count(kinds: &mut ByKind, kind: String, example: impl FnOnce() -> String) {
    kinds.entry(kind).or_insert_with(|| Occurrences { count: 0, example: example() }).count += 1;
}

fn total(kinds: &ByKind) -> u64 {
    kinds.values().map(|occurrences| occurrences.count).sum()
}

/// A histogram of durations, in nanoseconds.
#[derive(Debug)]
pub(crate) struct LatencyHistogram(Histogram<u64>);

impl LatencyHistogram {
    fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, nanoseconds(MAX_LATENCY), SIGNIFICANT_DIGITS);
        Self(histogram.expect("the bounds are constants in the documented range"))
    }

    /// Enters one duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.saturating_record(nanoseconds(duration));
    }

    /// Durations entered.
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// The duration that `quantile` (0 to 1) of all do not exceed.
    pub(crate) fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(quantile))
    }

    /// The mean, in nanoseconds.
    pub(crate) fn mean_ns(&self) -> f64 {
        self.0.mean()
    }

    /// The buckets that are not empty, ascending: the most nanoseconds that belong to each, and how
    /// many durations are in it.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let recorded = self.0.iter_recorded();
        recorded.map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
    }

    /// The longest.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{Check, ServerError};

    #[test]
    fn first_example_is_kept() {
        let mut stats = Stats::new();
        stats.error(&RequestError::Timeout, "request 1");
        stats.error(&RequestError::Timeout, "request 2");
        let expected = Occurrences { count: 2, example: "request 1: timed out".into() };
        assert_eq!(stats.errors.get("timeout"), Some(&expected));
        assert_eq!(stats.errors_total(), 2);
    }

    #[test]
    fn checks_are_counted() {
        let mut stats = Stats::new();
        stats.check(Ok(()), || unreachable!("no context is needed"));
        let failure = CheckFailure { check: Check::Length, detail: "too long".into() };
        stats.check(Err(failure), || "request 3".into());
        assert_eq!((stats.checks_passed, stats.checks_failed_total()), (1, 1));
        assert_eq!(stats.checks_failed["length"].example, "request 3: too long");
    }

    #[test]
    fn kinds_are_bounded() {
        let mut stats = Stats::new();
        for code in 0..1000 {
            let error = ServerError::new(&code.to_string(), "", false);
            stats.error(&RequestError::Server(error), "request");
        }
        assert_eq!(stats.errors.len(), MAX_ERROR_KINDS + 1);
        assert_eq!(stats.errors_total(), 1000);
    }

    #[test]
    fn quantiles_are_near() {
        let mut histogram = LatencyHistogram::new();
        (1..=1000).for_each(|n| histogram.record(Duration::from_micros(n)));
        histogram.record(Duration::MAX);
        let median = histogram.quantile(0.5);
        assert!(
            median.abs_diff(Duration::from_micros(500)) < Duration::from_micros(2),
            "{median:?}"
        );
        assert!(histogram.max() >= MAX_LATENCY);
        assert_eq!(histogram.len(), 1001);
    }
}
