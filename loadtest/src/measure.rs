//! One run of a scenario, from the server's state before it to the report.

use crate::args::{Address, Args, ScenarioName};
use crate::audit::Audit;
use crate::event_loop::EventLoop;
use crate::input::BatchSource;
use crate::progress::ProgressLine;
use crate::report::Report;
use crate::scenario::{Quota, Run, Scenario};
use crate::stats::Stats;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime};

/// Runs a scenario against a server. An error is one line that says why nothing could be measured.
pub(crate) fn run<S: Scenario>(
    args: &Args,
    begin: impl FnOnce(Run, SocketAddr) -> S,
) -> Result<Report, String> {
    let rng_seed = args.rng_seed.unwrap_or_else(rand::random);
    let batches = BatchSource::new(rng_seed, &args.batch, &args.values());
    let (audit, ledger) =
        Audit::begin(&args.socket, args.timeout, args.shared, S::MAX_VALUES_COMPARED)?;

    let server = match args.scenario {
        ScenarioName::Rest => find(&args.http, args.timeout)?,
        _ => audit.server,
    };
    let progress = ProgressLine::new(args.goal());
    let (started_at, started) = (SystemTime::now(), Instant::now());
    let quota = Quota::new(args.goal(), started);
    let run = Run { quota, batches, ledger, shared: args.shared, stats: Stats::new() };
    let mut scenario = begin(run, server);
    EventLoop::new(server, args.connections, args.timeout)
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
        protocol: args.protocol_name(),
        server,
        connections: args.connections,
        pipeline: args.pipeline,
        rng_seed,
        elapsed,
        started_at,
        values_added: ledger.values_acknowledged(),
        values_removed: ledger.values_removed(),
        server_version: audit.server_version,
        stats,
    })
}

/// The first address of several that takes connections. An error is one line that names it.
fn find(address: &Address, timeout: Duration) -> Result<SocketAddr, String> {
    let mut outcome = Err("it has no address".to_owned());
    for candidate in &address.candidates {
        match TcpStream::connect_timeout(candidate, timeout) {
            Ok(_) => return Ok(*candidate),
            Err(error) => outcome = Err(error.to_string()),
        }
    }
    outcome.map_err(|error| format!("cannot connect to {}: {error}", address.text))
}
