//! The report as a JSON file. Its fields are documented in `docs/loadtest-report.md`; a test holds
//! the two together.

use crate::args::{Args, Goal, ReplyKind};
use crate::report::{QUANTILES, Report, rate};
use crate::stats::{ByKind, LatencyHistogram};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

/// Counts up when a field goes or changes its meaning; new fields may come without.
const SCHEMA_VERSION: u32 = 1;

/// A file that awaits the report.
#[derive(Debug)]
pub(crate) struct Output<'p> {
    path: &'p Path,
    file: BufWriter<File>,
}

#[derive(Serialize)]
struct Document<'r> {
    schema_version: u32,
    passed: bool,
    started_at: String,
    run: RunSection,
    totals: Totals,
    rates: Rates,
    latency: Latency,
    errors: Errors<'r>,
    checks: Checks<'r>,
    environment: Environment<'r>,
}

#[derive(Serialize)]
struct RunSection {
    scenario: String,
    protocol: &'static str,
    server: String,
    connections: usize,
    pipeline: usize,
    requests: Option<u64>,
    duration_seconds: Option<f64>,
    batch: String,
    values: String,
    reply: Option<&'static str>,
    shared: bool,
    timeout_seconds: f64,
    /// Text: many readers of JSON lose integers beyond 2^53.
    rng_seed: String,
}

#[derive(Serialize)]
struct Totals {
    elapsed_seconds: f64,
    requests: u64,
    replies: u64,
    values_added: u64,
    values_removed: u64,
}

#[derive(Serialize)]
struct Rates {
    replies_per_second: f64,
    values_added_per_second: f64,
}

#[derive(Serialize)]
struct Latency {
    request: HistogramSection,
    connect: HistogramSection,
}

#[derive(Serialize)]
struct HistogramSection {
    count: u64,
    max_ns: Option<u64>,
    mean_ns: Option<f64>,
    percentiles_ns: BTreeMap<&'static str, Option<u64>>,
    buckets: Vec<Bucket>,
}

#[derive(Serialize)]
struct Bucket {
    up_to_ns: u64,
    count: u64,
}

#[derive(Serialize)]
struct Errors<'r> {
    total: u64,
    kinds: Vec<Kind<'r>>,
}

#[derive(Serialize)]
struct Checks<'r> {
    passed: u64,
    failed: u64,
    kinds: Vec<Kind<'r>>,
    skipped: &'r [String],
}

#[derive(Serialize)]
struct Kind<'r> {
    kind: &'r str,
    count: u64,
    example: &'r str,
}

#[derive(Serialize)]
struct Environment<'r> {
    loadtest_version: &'static str,
    server_version: Option<&'r str>,
    os: &'static str,
    architecture: &'static str,
    cores: Option<usize>,
    command_line: Vec<String>,
}

impl<'p> Output<'p> {
    /// Creates the file, or empties it. An error is one line that names it.
    pub(crate) fn create(path: &'p Path) -> Result<Self, String> {
        let file = File::create(path).map_err(|error| failed(path, error))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    /// Writes the report of a run with these flags. An error is one line that names the file.
    pub(crate) fn write(mut self, report: &Report, args: &Args) -> Result<(), String> {
        serde_json::to_writer_pretty(&mut self.file, &document(report, args))
            .map_err(io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"))
            .and_then(|()| self.file.flush())
            .map_err(|error| failed(self.path, error))
    }
}

fn failed(path: &Path, error: io::Error) -> String {
    format!("--output {}: {error}", path.display())
}

fn document<'r>(report: &'r Report, args: &Args) -> Document<'r> {
    let Report { stats, elapsed, values_added, values_removed, .. } = report;
    let seconds = elapsed.as_secs_f64();
    let replies = stats.latency.len();
    Document {
        schema_version: SCHEMA_VERSION,
        passed: report.passed(),
        started_at: humantime::format_rfc3339_millis(report.started_at).to_string(),
        run: run_section(report, args),
        totals: Totals {
            elapsed_seconds: seconds,
            requests: stats.requests,
            replies,
            values_added: *values_added,
            values_removed: *values_removed,
        },
        rates: Rates {
            replies_per_second: rate(replies, seconds),
            values_added_per_second: rate(*values_added, seconds),
        },
        latency: Latency { request: histogram(&stats.latency), connect: histogram(&stats.connect) },
        errors: Errors { total: stats.errors_total(), kinds: kinds(&stats.errors) },
        checks: Checks {
            passed: stats.checks_passed,
            failed: stats.checks_failed_total(),
            kinds: kinds(&stats.checks_failed),
            skipped: &stats.checks_skipped,
        },
        environment: Environment {
            loadtest_version: env!("CARGO_PKG_VERSION"),
            server_version: report.server_version.as_deref(),
            os: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            cores: std::thread::available_parallelism().ok().map(usize::from),
            command_line: std::env::args_os()
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect(),
        },
    }
}

fn run_section(report: &Report, args: &Args) -> RunSection {
    let (requests, duration_seconds) = match args.goal() {
        Goal::Requests(requests) => (Some(requests), None),
        Goal::Duration(duration) => (None, Some(duration.as_secs_f64())),
    };
    let values = args.values();
    RunSection {
        scenario: report.scenario.to_string(),
        protocol: report.protocol,
        server: report.server.to_string(),
        connections: report.connections,
        pipeline: report.pipeline,
        requests,
        duration_seconds,
        batch: format!("{}..{}", args.batch.start(), args.batch.end()),
        values: format!("{}..{}", values.start(), values.end()),
        reply: args.chosen_reply().map(|reply| match reply {
            ReplyKind::Count => "count",
            ReplyKind::Batch => "batch",
            ReplyKind::Array => "array",
        }),
        shared: args.shared,
        timeout_seconds: args.timeout.as_secs_f64(),
        rng_seed: report.rng_seed.to_string(),
    }
}

/// Of no duration there is no longest, no mean and no percentile.
fn histogram(histogram: &LatencyHistogram) -> HistogramSection {
    let some = histogram.len() > 0;
    let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).ok().filter(|_| some);
    let percentiles =
        QUANTILES.iter().map(|&(name, quantile)| (name, nanoseconds(histogram.quantile(quantile))));
    HistogramSection {
        count: histogram.len(),
        max_ns: nanoseconds(histogram.max()),
        mean_ns: some.then(|| histogram.mean_ns()),
        percentiles_ns: percentiles.collect(),
        buckets: histogram.buckets().map(|(up_to_ns, count)| Bucket { up_to_ns, count }).collect(),
    }
}

fn kinds(kinds: &ByKind) -> Vec<Kind<'_>> {
    kinds
        .iter()
        .map(|(kind, occurrences)| Kind {
            kind,
            count: occurrences.count,
            example: &occurrences.example,
        })
        .collect()
}
