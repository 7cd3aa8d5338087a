//! The command line, parsed and validated once.

use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueEnum};
use std::fmt::{self, Display};
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// The most values in one batch: each connection holds one batch and its text.
const MAX_BATCH_LEN: usize = 1_000_000;
/// The longest duration accepted. It keeps clock arithmetic far from overflow.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Load test client for sortd: many connections from one thread, every reply verified.
///
/// Prints a report on standard output and shows progress on standard error if that is a terminal.
/// The exit status is 0 if there was no error and no failed check, 1 otherwise, 2 for a wrong
/// command line.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version)]
pub(crate) struct Args {
    /// The server's socket listener, as host:port.
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:7878",
        value_parser = Address::from_str
    )]
    pub(crate) socket: Address,

    /// What each connection does.
    #[arg(long, value_name = "NAME", default_value = "classic")]
    pub(crate) scenario: ScenarioName,

    /// Connections open at once.
    #[arg(
        long,
        value_name = "N",
        default_value = "256",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    pub(crate) connections: usize,

    /// Requests in all, failed ones included.
    #[arg(
        long,
        value_name = "N",
        default_value = "2000",
        value_parser = RangedU64ValueParser::<u64>::new().range(1..)
    )]
    requests: u64,

    /// Begin no request after this long, as 30s or 5m; those under way are finished. Instead of
    /// --requests.
    #[arg(long, value_name = "DUR", conflicts_with = "requests", value_parser = parse_duration)]
    duration: Option<Duration>,

    /// Values in one batch, at random from A to B, both included.
    #[arg(long, value_name = "A..B", default_value = "10..20", value_parser = parse_batch_range)]
    pub(crate) batch: RangeInclusive<usize>,

    /// Each value, at random from A to B, both included; any 64-bit signed integers.
    #[arg(
        long,
        value_name = "A..B",
        default_value = "0..100",
        allow_hyphen_values = true,
        value_parser = parse_range::<i64>
    )]
    pub(crate) values: RangeInclusive<i64>,

    /// Seed of the random input: the same seed gives the same batches. Default: a random one, which
    /// the report names.
    #[arg(long, value_name = "S")]
    pub(crate) rng_seed: Option<u64>,

    /// Others change the array meanwhile: check that every array is sorted, but not what it holds,
    /// nor the last count.
    #[arg(long)]
    pub(crate) shared: bool,

    /// A request without a complete reply after this long is an error; so is a server that has not
    /// closed a connection by then.
    #[arg(long, value_name = "DUR", default_value = "30s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
}

impl Args {
    /// How long the run goes on.
    pub(crate) fn goal(&self) -> Goal {
        self.duration.map_or(Goal::Requests(self.requests), Goal::Duration)
    }
}

/// What each connection does.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ScenarioName {
    /// Connect, send one batch, read the whole sorted array, check it, close, again.
    Classic,
}

impl Display for ScenarioName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ScenarioName::Classic => "classic",
        })
    }
}

/// How long a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// So many requests, failed ones included.
    Requests(u64),
    /// Requests begin for so long.
    Duration(Duration),
}

/// A server's address as it was given, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The text of the flag.
    pub(crate) text: String,
    /// One or more, in the resolver's order: `localhost` may be both IPv6 and IPv4.
    pub(crate) candidates: Vec<SocketAddr>,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let candidates: Vec<SocketAddr> = text
            .to_socket_addrs()
            .map_err(|error| format!("expected host:port: {error}"))?
            .collect();
        if candidates.is_empty() {
            return Err("the name has no address".into());
        }
        Ok(Self { text: text.to_owned(), candidates })
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() || duration > MAX_DURATION {
        return Err(format!(
            "expected more than 0s and at most {}",
            humantime::format_duration(MAX_DURATION)
        ));
    }
    Ok(duration)
}

fn parse_batch_range(text: &str) -> Result<RangeInclusive<usize>, String> {
    let range = parse_range::<usize>(text)?;
    if *range.start() == 0 || *range.end() > MAX_BATCH_LEN {
        return Err(format!("expected from 1 to {MAX_BATCH_LEN} values"));
    }
    Ok(range)
}

/// Reads `A..B`, both ends included.
fn parse_range<T>(text: &str) -> Result<RangeInclusive<T>, String>
where
    T: FromStr<Err: Display> + PartialOrd + Display,
{
    let (low, high) = text.split_once("..").ok_or("expected A..B, as 10..20")?;
    let bound = |text: &str| text.parse::<T>().map_err(|error| format!("'{text}': {error}"));
    let (low, high) = (bound(low)?, bound(high)?);
    if low > high {
        return Err(format!("{low} is greater than {high}"));
    }
    Ok(low..=high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(flags: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once(&"loadtest").chain(flags))
    }

    #[test]
    fn definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn defaults() {
        let args = parse(&[]).expect("no flag is needed");
        assert_eq!(
            args.socket.candidates,
            ["127.0.0.1:7878".parse::<SocketAddr>().expect("an address")]
        );
        assert_eq!((args.batch.clone(), args.values.clone()), (10..=20, 0..=100));
        assert_eq!((args.connections, args.goal()), (256, Goal::Requests(2000)));
        assert_eq!((args.timeout, args.shared), (Duration::from_secs(30), false));
    }

    #[test]
    fn ranges_reach_the_edges() {
        assert_eq!(
            parse_range("-9223372036854775808..9223372036854775807"),
            Ok(i64::MIN..=i64::MAX)
        );
        assert_eq!(parse_range("-5..-5"), Ok(-5_i64..=-5));
        let args = parse(&["--values", "-20..-10"]).expect("a negative range");
        assert_eq!(args.values, -20..=-10);
    }

    #[test]
    fn duration_replaces_requests() {
        let args = parse(&["--duration", "1m 30s"]).expect("a duration");
        assert_eq!(args.goal(), Goal::Duration(Duration::from_secs(90)));
        assert!(parse(&["--duration", "1s", "--requests", "5"]).is_err());
    }

    #[test]
    fn wrong_values_are_usage_errors() {
        for flags in [
            ["--values", "5..4"],
            ["--values", "5"],
            ["--values", ".."],
            ["--values", "1..x"],
            ["--values", "1..2.5"],
            ["--values", "0..9223372036854775808"],
            ["--batch", "0..3"],
            ["--batch", "-1..3"],
            ["--batch", "20..10"],
            ["--batch", "1..1000001"],
            ["--connections", "0"],
            ["--requests", "0"],
            ["--duration", "0s"],
            ["--duration", "10"],
            ["--timeout", "0s"],
            ["--timeout", "9999y"],
            ["--socket", "7878"],
            ["--scenario", "other"],
            ["--rng-seed", "-1"],
            ["--nonsense", "1"],
        ] {
            let error = parse(&flags).expect_err("a wrong value");
            assert_eq!(error.exit_code(), 2, "{flags:?}");
        }
    }
}
