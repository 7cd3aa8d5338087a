//! The program `sortd`: settings, log and signals around a [`Server`].

use std::error::Error;
use std::fs::File;
use std::io::{self, LineWriter, Write};
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use rustix::process::{Resource, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use simplelog::{ConfigBuilder, WriteLogger};
use sortd::{Config, Server};

fn main() -> ExitCode {
    match run(Config::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sortd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> Result<(), Box<dyn Error>> {
    start_logging(&config)?;
    allow_descriptors(config.max_connections);
    // Before anybody can know that we run: a signal after that must find its handler.
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let server = Server::start(config)?;
    writeln!(io::stdout(), "ready socket={} http={}", server.socket_addr(), server.http_addr())?;
    log::info!("listening on {} (socket) and {} (HTTP)", server.socket_addr(), server.http_addr());
    let handle = server.handle();
    thread::Builder::new().name("sortd-signals".into()).spawn(move || {
        for signal in signals.forever() {
            log::info!("signal {signal}: shutting down");
            handle.shutdown();
        }
    })?;
    server.wait()?;
    log::info!("stopped");
    Ok(())
}

fn start_logging(config: &Config) -> Result<(), Box<dyn Error>> {
    let format = ConfigBuilder::new().set_time_format_rfc3339().build();
    match &config.log_file {
        None => WriteLogger::init(config.log_level, format, io::stderr())?,
        Some(path) => {
            let file = File::options().create(true).append(true).open(path).map_err(|error| {
                format!("cannot open the log file {} (--log-file): {error}", path.display())
            })?;
            WriteLogger::init(config.log_level, format, LineWriter::new(file))?;
        }
    }
    Ok(())
}

/// Raises the soft limit of descriptors to the hard one.
fn allow_descriptors(max_connections: usize) {
    /// Listeners, polls, wakers, the log, standard streams, spares.
    const OTHERS: u64 = 64;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::warn!("the limit of descriptors cannot be raised: {error}");
    }
    let wanted = max_connections as u64 + OTHERS;
    if let Some(allowed) = getrlimit(Resource::Nofile).current.filter(|&allowed| allowed < wanted) {
        log::warn!(
            "--max-connections {max_connections} needs {wanted} descriptors, {allowed} are allowed"
        );
    }
}
