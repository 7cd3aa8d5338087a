//! What the server counts, as text for Prometheus (the exposition format 0.0.4).
//!
//! Written here and not by a crate: the format is three kinds of lines, and the counts are summed up
//! from shards anyway. (`prometheus-client` writes OpenMetrics, which names families of counters
//! without their `_total`; what reads the older format finds no help and no type for them.)

use std::fmt::{Display, Write};

use rouille::{Response, ResponseBody};

use crate::command::{Stats, Traffic};

use super::representation;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The response that shows these stats.
pub(super) fn respond(stats: &Stats) -> Response {
    representation::with_type(200, CONTENT_TYPE, ResponseBody::from_string(expose(stats)))
}

fn expose(stats: &Stats) -> String {
    let mut out = Exposition::default();
    out.gauge("sortd_build_info", "The version of the server; always 1.")
        .sample(&[("version", stats.version)], 1);
    out.gauge("sortd_uptime_seconds", "Time since the server started.")
        .sample(&[], stats.uptime_seconds);
    expose_array(stats, &mut out);
    expose_requests(stats, &mut out);
    expose_connections(stats, &mut out);
    out.counter("sortd_event_loop_turns_total", "Turns that the event loops have taken.")
        .sample(&[], stats.turns);
    if let Some(bytes) = stats.memory_bytes {
        out.gauge("process_resident_memory_bytes", "Resident memory size in bytes.")
            .sample(&[], bytes);
    }
    if let Some(descriptors) = stats.open_descriptors {
        out.gauge("process_open_fds", "Number of open file descriptors.").sample(&[], descriptors);
    }
    out.text
}

fn expose_array(stats: &Stats, out: &mut Exposition) {
    out.gauge("sortd_elements", "Elements in the array.").sample(&[], stats.count);
    out.counter("sortd_values_added_total", "Values added to the array.")
        .sample(&[], stats.values_added);
    out.counter("sortd_values_removed_total", "Values removed from the array, clears included.")
        .sample(&[], stats.values_removed);
    out.counter("sortd_clears_total", "Times that the array was cleared.").sample(&[], stats.epoch);
    let kinds = ["active", "sealed", "run"];
    let of = |kind| stats.tiers.iter().filter(move |tier| tier.kind == kind);
    let help = "Parts of the store: memtables being filled, memtables waiting to be merged, and sorted runs.";
    let mut tiers = out.gauge("sortd_store_tiers", help);
    for kind in kinds {
        tiers.sample(&[("kind", kind)], of(kind).count());
    }
    let help = "Entries in the parts of the store: elements, and removals not merged yet.";
    let mut entries = out.gauge("sortd_store_entries", help);
    for kind in kinds {
        entries.sample(&[("kind", kind)], of(kind).map(|tier| tier.entries).sum::<usize>());
    }
}

fn expose_requests(stats: &Stats, out: &mut Exposition) {
    let help = "Requests answered; those that meant no command are counted as the command none.";
    let mut requests = out.counter("sortd_requests_total", help);
    for request in &stats.requests_by_kind {
        let labels = [
            ("face", request.face),
            ("command", request.operation.name()),
            ("outcome", request.outcome.name()),
        ];
        requests.sample(&labels, request.count);
    }
    let help = "Time from the turn of the event loop that had the whole request to the beginning of its answer.";
    let mut latencies = out.family("sortd_request_duration_seconds", "histogram", help);
    for Traffic { face, latency, .. } in &stats.traffic {
        for (bound, count) in &latency.within {
            let bound = bound.as_secs_f64().to_string();
            latencies.sample_of("_bucket", &[("face", *face), ("le", &bound)], count);
        }
        latencies.sample_of("_bucket", &[("face", *face), ("le", "+Inf")], latency.count);
        latencies.sample_of("_sum", &[("face", *face)], latency.sum.as_secs_f64());
        latencies.sample_of("_count", &[("face", *face)], latency.count);
    }
}

fn expose_connections(stats: &Stats, out: &mut Exposition) {
    let by_face = |family: &mut Family<'_>, of: fn(&Traffic) -> u64| {
        for traffic in &stats.traffic {
            family.sample(&[("face", traffic.face)], of(traffic));
        }
    };
    let help =
        "Connections open now; undecided are those to the socket that have sent nothing yet.";
    by_face(&mut out.gauge("sortd_connections", help), |traffic| traffic.connections);
    out.counter("sortd_connections_accepted_total", "Connections let in.")
        .sample(&[], stats.connections_accepted);
    out.counter("sortd_connections_refused_total", "Connections turned away: there were too many.")
        .sample(&[], stats.connections_refused);
    let mut received = out.counter("sortd_received_bytes_total", "Bytes received from clients.");
    by_face(&mut received, |traffic| traffic.bytes_received);
    let mut sent = out.counter("sortd_sent_bytes_total", "Bytes sent to clients.");
    by_face(&mut sent, |traffic| traffic.bytes_sent);
}

/// Text that grows by families of samples.
#[derive(Default)]
struct Exposition {
    text: String,
}

/// A family whose head has been written.
struct Family<'e> {
    name: &'static str,
    text: &'e mut String,
}

impl Exposition {
    fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let written = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        written.expect("memory takes what is written to it");
        Family { name, text: &mut self.text }
    }
}

impl Family<'_> {
    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.sample_of("", labels, value);
    }

    /// A sample of a part of the family. The labels' values need no escapes: they are names of ours
    /// and numbers.
    fn sample_of(&mut self, part: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let (open, close) = if labels.is_empty() { ("", "") } else { ("{", "}") };
        let (name, labels) = (self.name, labels.join(","));
        let written = writeln!(self.text, "{name}{part}{open}{labels}{close} {value}");
        written.expect("memory takes what is written to it");
    }
}
