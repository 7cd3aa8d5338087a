//! The server's settings: flags and environment, parsed and validated once.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use log::LevelFilter;

/// The most event loops: each has a writer of its own, and the store takes 255 of them.
const MAX_WORKERS: u64 = 128;

/// Settings of a [`Server`](crate::Server): the flags of the program `sortd`.
///
/// ```
/// let config = sortd::Config { workers: 1, ..sortd::Config::default() };
/// assert_eq!(config.listen.port(), 7878);
/// ```
#[derive(Clone, Debug, Parser)]
#[command(name = "sortd", version, about, long_about = None, after_help = "A restart empties the array.")]
pub struct Config {
    /// Where the socket listener (JSON lines and the Redis protocol) listens
    #[arg(long, env = "SORTD_LISTEN", value_name = "ADDR", value_parser = parse_addr, default_value = "127.0.0.1:7878")]
    pub listen: SocketAddr,

    /// Where the REST listener listens
    #[arg(long, env = "SORTD_HTTP", value_name = "ADDR", value_parser = parse_addr, default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,

    /// Event-loop threads, 1 to 128 [default: number of cores]
    #[arg(
        long, env = "SORTD_WORKERS", value_name = "N", default_value_t = default_workers(), hide_default_value = true,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=MAX_WORKERS),
    )]
    pub workers: usize,

    /// Connections held at once over both listeners; one more is told so and closed
    #[arg(
        long, env = "SORTD_MAX_CONNECTIONS", value_name = "N", default_value_t = 16384,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000_000),
    )]
    pub max_connections: usize,

    /// Bytes of one socket request or one HTTP body
    #[arg(
        long, env = "SORTD_MAX_REQUEST_BYTES", value_name = "N", default_value_t = 64 * 1024 * 1024,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 40),
    )]
    pub max_request_bytes: usize,

    /// Bytes of requests and replies buffered over all connections; past it no more is read until some
    /// drain
    #[arg(
        long, env = "SORTD_MAX_BUFFERED_BYTES", value_name = "N", default_value_t = 256 * 1024 * 1024,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 40),
    )]
    pub max_buffered_bytes: usize,

    /// Elements held; an add that would pass it is refused whole; 0: no cap
    #[arg(long, env = "SORTD_MAX_VALUES", value_name = "N", default_value_t = 0)]
    pub max_values: u64,

    /// How long a connection may stay without a request under way
    #[arg(long, env = "SORTD_IDLE_TIMEOUT", value_name = "DURATION", value_parser = parse_timeout, default_value = "300s")]
    pub idle_timeout: Duration,

    /// How long a request's head, line or Redis command may take from its first byte; a body and a reply may take as
    /// long again, plus a second for each 64 KiB
    #[arg(long, env = "SORTD_REQUEST_TIMEOUT", value_name = "DURATION", value_parser = parse_timeout, default_value = "10s")]
    pub request_timeout: Duration,

    /// How long to keep serving, with /readyz at 503, after SIGINT or SIGTERM; a second signal ends it
    #[arg(long, env = "SORTD_DRAIN", value_name = "DURATION", value_parser = parse_duration, default_value = "0s")]
    pub drain: Duration,

    /// What is logged: off, error, warn, info, debug or trace
    #[arg(long, env = "SORTD_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: LevelFilter,

    /// Where the log goes, appended [default: stderr]
    #[arg(long, env = "SORTD_LOG_FILE", value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

impl Default for Config {
    /// The defaults of the flags, whatever the environment says.
    fn default() -> Config {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7878)),
            http: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: default_workers(),
            max_connections: 16384,
            max_request_bytes: 64 * 1024 * 1024,
            max_buffered_bytes: 256 * 1024 * 1024,
            max_values: 0,
            idle_timeout: Duration::from_secs(300),
            request_timeout: Duration::from_secs(10),
            drain: Duration::ZERO,
            log_level: LevelFilter::Info,
            log_file: None,
        }
    }
}

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).min(128)
}

fn parse_addr(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    addresses.next().ok_or_else(|| "the name has no address".to_owned())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    // A century: sums with the clock cannot overflow.
    const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration > LONGEST {
        return Err("at most a century".to_owned());
    }
    Ok(duration)
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("a time-out is longer than zero".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(arguments: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from([&["sortd"], arguments].concat())
    }

    #[test]
    fn flags_and_defaults_agree() {
        Config::command().debug_assert();
        let parsed = parse(&[]).expect("no flag is required");
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn each_value_is_checked() {
        let refused = [
            ["--workers", "0"],
            ["--workers", "129"],
            ["--max-connections", "0"],
            ["--max-request-bytes", "-1"],
            ["--max-values", "-1"],
            ["--max-values", "many"],
            ["--idle-timeout", "0s"],
            ["--request-timeout", "soon"],
            ["--drain", "18446744073709551615s"],
            ["--log-level", "loud"],
            ["--listen", "7878"],
        ];
        for arguments in refused {
            assert!(parse(&arguments).is_err(), "{arguments:?}");
        }
        let config =
            parse(&["--listen", "localhost:0", "--drain", "1500ms"]).expect("both are fine");
        assert_eq!((config.listen.port(), config.drain), (0, Duration::from_millis(1500)));
    }
}
