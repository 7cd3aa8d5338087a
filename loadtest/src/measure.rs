//! One run of a scenario, from the server's state before it to the report.

use crate::args::Args;
use crate::audit::Audit;
use crate::event_loop::EventLoop;
use crate::input::BatchSource;
use crate::progress::ProgressLine;
use crate::report::Report;
use crate::scenario::{Quota, Run, Scenario};
use crate::stats::Stats;
use std::time::Instant;

/// Runs a scenario against a server. An error is one line that says why nothing could be measured.
pub(crate) fn run<S: Scenario>(
    args: &Args,
    begin: impl FnOnce(Run) -> S,
) -> Result<Report, String> {
    let rng_seed = args.rng_seed.unwrap_or_else(rand::random);
    let batches = BatchSource::new(rng_seed, &args.batch, &args.values());
    let (audit, ledger) =
        Audit::begin(&args.socket, args.timeout, args.shared, S::MAX_VALUES_COMPARED)?;

    let progress = ProgressLine::new(args.goal());
    let started = Instant::now();
    let quota = Quota::new(args.goal(), started);
    let mut scenario =
        begin(Run { quota, batches, ledger, shared: args.shared, stats: Stats::new() });
    EventLoop::new(audit.server, args.connections, args.timeout)
        .and_then(|event_loop| {
            event_loop.run(&mut scenario, |scenario| {
                let stats = &scenario.run().stats;
                progress.update(stats.requests, stats.errors_total(), stats.checks_failed_total());
            })
        })
        .map_err(|error| format!("the event loop failed: {error}"))?;
    let elapsed = started.elapsed();
    drop(progress);

    let Run { mut stats, mut ledger, .. } = scenario.into_run();
    audit.finish(&mut ledger, &mut stats);
    Ok(Report {
        scenario: args.scenario,
        server: audit.server,
        connections: args.connections,
        pipeline: args.pipeline,
        rng_seed,
        elapsed,
        values_added: ledger.values_acknowledged(),
        stats,
    })
}
