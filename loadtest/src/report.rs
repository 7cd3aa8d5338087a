//! The report that a run prints at its end.

use crate::args::ScenarioName;
use crate::stats::{ByKind, LatencyHistogram, Stats};
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// Width of the column of names.
const NAME_WIDTH: usize = 15;
/// Width of a column of latencies.
const LATENCY_WIDTH: usize = 12;
/// Width of the column of kinds.
const KIND_WIDTH: usize = 24;

/// The quantiles reported, with their names.
pub(crate) const QUANTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// What a run was, and what came of it. Rates count what was answered, not what failed. Displayed
/// as lines of plain text, of which the last is `PASS` or `FAIL`.
#[derive(Debug)]
pub(crate) struct Report {
    /// What each connection did.
    pub(crate) scenario: ScenarioName,
    /// What it spoke.
    pub(crate) protocol: &'static str,
    /// Whom it did it to.
    pub(crate) server: SocketAddr,
    /// Connections open at once.
    pub(crate) connections: usize,
    /// Requests in flight on each.
    pub(crate) pipeline: usize,
    /// Repeats the input.
    pub(crate) rng_seed: u64,
    /// From the first connection's start to the last one's end.
    pub(crate) elapsed: Duration,
    /// When that was.
    pub(crate) started_at: SystemTime,
    /// Values that the server acknowledged.
    pub(crate) values_added: u64,
    /// Values that the server says it removed.
    pub(crate) values_removed: u64,
    /// What the server calls itself, if it does.
    pub(crate) server_version: Option<String>,
    /// Everything counted.
    pub(crate) stats: Stats,
}

impl Report {
    /// Whether there was no error and no failed check.
    pub(crate) fn passed(&self) -> bool {
        self.stats.errors_total() == 0 && self.stats.checks_failed_total() == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &self.stats;
        let seconds = self.elapsed.as_secs_f64();
        line(f, "scenario", self.scenario)?;
        line(f, "protocol", self.protocol)?;
        line(f, "server", self.server)?;
        line(f, "connections", self.connections)?;
        line(f, "pipeline", self.pipeline)?;
        line(f, "rng seed", self.rng_seed)?;
        line(f, "requests", stats.requests)?;
        line(f, "elapsed", format_args!("{seconds:.3} s"))?;
        line(f, "requests/s", format_args!("{:.1}", rate(stats.latency.len(), seconds)))?;
        line(f, "values/s", format_args!("{:.1}", rate(self.values_added, seconds)))?;
        latency_table(f, &[("latency", &stats.latency), ("connect", &stats.connect)])?;
        line(f, "errors", stats.errors_total())?;
        kinds(f, &stats.errors)?;
        line(f, "checks passed", stats.checks_passed)?;
        line(f, "checks failed", stats.checks_failed_total())?;
        kinds(f, &stats.checks_failed)?;
        for skipped in &stats.checks_skipped {
            line(f, "checks skipped", skipped)?;
        }
        writeln!(f, "{}", if self.passed() { "PASS" } else { "FAIL" })
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<NAME_WIDTH$} {value}")
}

fn kinds(f: &mut fmt::Formatter<'_>, kinds: &ByKind) -> fmt::Result {
    for (kind, occurrences) in kinds {
        writeln!(
            f,
            "  {kind:<KIND_WIDTH$} {:>8}  first: {}",
            occurrences.count, occurrences.example
        )?;
    }
    Ok(())
}

fn latency_table(f: &mut fmt::Formatter<'_>, rows: &[(&str, &LatencyHistogram)]) -> fmt::Result {
    write!(f, "{:<NAME_WIDTH$}", "milliseconds")?;
    for name in QUANTILES.iter().map(|(name, _)| *name).chain(["max"]) {
        write!(f, " {name:>LATENCY_WIDTH$}")?;
    }
    writeln!(f)?;
    for (name, histogram) in rows {
        write!(f, "{name:<NAME_WIDTH$}")?;
        let quantiles = QUANTILES.iter().map(|(_, quantile)| histogram.quantile(*quantile));
        for latency in quantiles.chain([histogram.max()]) {
            // Of no request there is no latency, not one of zero.
            if histogram.len() == 0 {
                write!(f, " {:>LATENCY_WIDTH$}", "-")?;
            } else {
                write!(f, " {:>LATENCY_WIDTH$.3}", latency.as_secs_f64() * 1000.0)?;
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

/// So many in so many seconds, for one second.
pub(crate) fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::RequestError;
    use crate::verify::{Check, CheckFailure};

    fn report() -> Report {
        let mut stats = Stats::new();
        stats.requests = 2;
        stats.latency.record(Duration::from_micros(1500));
        stats.check(Ok(()), String::new);
        Report {
            scenario: ScenarioName::Classic,
            protocol: "json",
            server: SocketAddr::from(([127, 0, 0, 1], 7878)),
            connections: 256,
            pipeline: 16,
            rng_seed: 42,
            elapsed: Duration::from_millis(500),
            started_at: SystemTime::UNIX_EPOCH,
            values_added: 30,
            values_removed: 0,
            server_version: None,
            stats,
        }
    }

    #[test]
    fn good_run_passes() {
        let text = report().to_string();
        let expected = [
            "scenario        classic",
            "pipeline        16",
            "rng seed        42",
            "elapsed         0.500 s",
            "requests/s      2.0",
            "values/s        60.0",
            "errors          0",
            "checks passed   1",
            "checks failed   0",
            "PASS",
        ];
        let lines: Vec<&str> = text.lines().collect();
        for line in expected {
            assert!(lines.contains(&line), "{line:?} is missing in:\n{text}");
        }
        assert_eq!(lines.last(), Some(&"PASS"));
        assert!(text.contains("latency                1.500"), "{text}");
        assert!(text.contains("connect                    -"), "{text}");
    }

    #[test]
    fn error_or_failed_check_fails() {
        let mut with_error = report();
        with_error.stats.error(&RequestError::ClosedEarly, "request 7");
        let text = with_error.to_string();
        assert!(
            text.contains(
                "  closed_early                    1  first: request 7: the server closed"
            ),
            "{text}"
        );
        assert!(text.ends_with("FAIL\n"), "{text}");

        let mut with_failure = report();
        let failure =
            CheckFailure { check: Check::Unsorted, detail: "4 at index 2 follows 5".into() };
        with_failure.stats.check(Err(failure), || "request 8".into());
        let text = with_failure.to_string();
        assert!(text.contains("first: request 8: 4 at index 2 follows 5"), "{text}");
        assert!(text.ends_with("FAIL\n"), "{text}");
    }
}
