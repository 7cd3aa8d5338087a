//! Load test client for sortd: opens hundreds to thousands of connections from one thread, sends
//! batches of random integers, and verifies every reply as it streams in.
//!
//! The rooms, from the outside in: [`args`] reads the command line; [`measure`] makes one run, from
//! the first question to the report; a [`scenario`] decides what each connection does; [`input`]
//! makes what it sends; the [`event_loop`] moves its bytes, one [`connection`] each; [`verify`]
//! judges them, without a socket or a clock; [`audit`] compares the server's state before and after
//! over a [`control`] connection; [`stats`] counts, [`report`] prints, and
//! [`output`] writes it to a file. Nothing here uses the
//! server's code: a client that shared it would share its bugs.

mod args;
mod audit;
mod connection;
mod control;
mod error;
mod event_loop;
mod input;
mod limits;
mod measure;
mod output;
mod progress;
mod report;
mod scenario;
mod stats;
mod verify;

use args::{Args, ScenarioName};
use output::Output;
use report::Report;
use scenario::classic::Classic;
use scenario::ingest::Ingest;
use scenario::mixed::Mixed;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::from_command_line();
    match run_and_report(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("loadtest: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the run was a good one. An error is one line that says what could not be done.
fn run_and_report(args: &Args) -> Result<bool, String> {
    // Before the run, so that none is made in vain.
    let output = args.output.as_deref().map(Output::create).transpose()?;
    let report = run(args)?;
    // Not print!, which panics when the reader of a pipe has gone.
    let printed = std::io::stdout().write_all(report.to_string().as_bytes());
    if let Some(output) = output {
        output.write(&report, args)?;
    }
    Ok(printed.is_ok() && report.passed())
}

/// Runs the scenario asked for. An error is one line that says why nothing could be measured.
fn run(args: &Args) -> Result<Report, String> {
    limits::admit(args.connections)?;
    let (protocol, pipeline, timeout) = (args.protocol, args.pipeline, args.timeout);
    match args.scenario {
        ScenarioName::Classic => measure::run(args, |run, _| Classic::new(run, protocol)),
        ScenarioName::Ingest => measure::run(args, |run, _| {
            Ingest::new(run, pipeline, (protocol, args.reply()), timeout)
        }),
        ScenarioName::Mixed => {
            measure::run(args, |run, _| Mixed::new(run, protocol, pipeline, timeout))
        }
        ScenarioName::Rest => {
            measure::run(args, |run, server| Mixed::over_rest(run, server, pipeline, timeout))
        }
    }
}
