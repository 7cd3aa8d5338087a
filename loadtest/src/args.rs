//! The command line, parsed and validated once.

use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use std::fmt::{self, Display};
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The most values in one batch: each connection may hold one batch and its text.
const MAX_BATCH_LEN: usize = 1_000_000;
/// The most requests in flight on one connection: each takes 40 bytes, besides its text.
const MAX_PIPELINE: usize = 10_000;
/// The most values in flight on one connection: their text, of up to 21 bytes each, may have to
/// wait for the server.
const MAX_VALUES_IN_FLIGHT: usize = 10_000_000;
/// Each value's range in scenario `classic`: duplicates are many, and arrays easy to read.
const CLASSIC_VALUES: RangeInclusive<i64> = 0..=100;
/// Each value's range in other scenarios.
const ALL_VALUES: RangeInclusive<i64> = i64::MIN..=i64::MAX;
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

    /// The server's REST listener, as host:port, for scenario rest. What the server holds before
    /// and after is asked for over --socket in any case.
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:8080",
        value_parser = Address::from_str
    )]
    pub(crate) http: Address,

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

    /// Each value, at random from A to B, both included; any 64-bit signed integers. Default:
    /// 0..100 in scenario classic, else all of them.
    #[arg(
        long,
        value_name = "A..B",
        allow_hyphen_values = true,
        value_parser = parse_range::<i64>
    )]
    values: Option<RangeInclusive<i64>>,

    /// Requests in flight on each connection: a new one is sent for each reply. Scenario classic
    /// has one, and then closes the connection.
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=MAX_PIPELINE as u64)
    )]
    pub(crate) pipeline: usize,

    /// What is spoken on the socket. Over RESP, the protocol of Redis, the reply to an add is the
    /// array's new length.
    #[arg(long, value_name = "NAME", default_value = "json")]
    pub(crate) protocol: Protocol,

    /// What the server is asked to reply to an add. Default: count. In scenario ingest only, and
    /// only as JSON: the replies of scenario classic are the whole array.
    #[arg(long, value_name = "WHAT")]
    reply: Option<ReplyKind>,

    /// Seed of the random input: the same seed gives the same batches. Default: a random one, which
    /// the report names.
    #[arg(long, value_name = "S")]
    pub(crate) rng_seed: Option<u64>,

    /// Write the report to this file, too, as JSON: docs/loadtest-report.md explains its fields.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Others change the array meanwhile: check that every array is sorted, but not what it holds,
    /// nor the counts.
    #[arg(long)]
    pub(crate) shared: bool,

    /// The longest wait for a connection, from a request's sending to its complete reply, and after
    /// the last reply for the server to close its side: each longer one is an error. Once
    /// connections that stay open have failed for as long without one reply, the run is over.
    #[arg(long, value_name = "DUR", default_value = "30s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
}

impl Args {
    /// Reads the command line. If that is wrong, or asks for help, it ends the process.
    pub(crate) fn from_command_line() -> Self {
        Self::try_parse().and_then(Self::validated).unwrap_or_else(|error| error.exit())
    }

    /// Refuses flags that do not go together.
    fn validated(self) -> Result<Self, clap::Error> {
        let refused = |why| Err(Self::command().error(ErrorKind::ArgumentConflict, why));
        let scenario = self.scenario;
        if self.reply.is_some() && !matches!(scenario, ScenarioName::Ingest) {
            return refused(format!(
                "--reply: scenario {scenario} leaves no choice of the reply to an add"
            ));
        }
        if self.reply.is_some() && self.protocol == Protocol::Resp {
            return refused(
                "--reply: over RESP the reply to an add is the array's new length".to_owned(),
            );
        }
        if self.protocol == Protocol::Resp && matches!(scenario, ScenarioName::Rest) {
            return refused("--protocol resp: scenario rest speaks HTTP".to_owned());
        }
        if self.pipeline > 1 && matches!(scenario, ScenarioName::Classic) {
            return refused(
                "--pipeline: scenario classic closes each connection after one request".to_owned(),
            );
        }
        if self.pipeline.saturating_mul(*self.batch.end()) > MAX_VALUES_IN_FLIGHT {
            return refused(format!(
                "--pipeline {} with batches of up to {} values: at most {MAX_VALUES_IN_FLIGHT} \
                 values may be in flight on one connection",
                self.pipeline,
                self.batch.end()
            ));
        }
        Ok(self)
    }

    /// Each value's range.
    pub(crate) fn values(&self) -> RangeInclusive<i64> {
        self.values.clone().unwrap_or(match self.scenario {
            ScenarioName::Classic => CLASSIC_VALUES,
            _ => ALL_VALUES,
        })
    }

    /// What the server is asked to reply to an add.
    pub(crate) fn reply(&self) -> ReplyKind {
        self.reply.unwrap_or(ReplyKind::Count)
    }

    /// The same, where there is a choice of it.
    pub(crate) fn chosen_reply(&self) -> Option<ReplyKind> {
        let choice = matches!(self.scenario, ScenarioName::Ingest);
        (choice && self.protocol == Protocol::Json).then(|| self.reply())
    }

    /// What the connections speak.
    pub(crate) fn protocol_name(&self) -> &'static str {
        match (self.scenario, self.protocol) {
            (ScenarioName::Rest, _) => "http",
            (_, Protocol::Json) => "json",
            (_, Protocol::Resp) => "resp",
        }
    }

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
    /// Connections stay open, and each adds batch after batch, --pipeline of them in flight.
    Ingest,
    /// Connections stay open, and each adds, reads, counts, ranks, removes, pops and clears.
    Mixed,
    /// The same over HTTP.
    Rest,
}

impl Display for ScenarioName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ScenarioName::Classic => "classic",
            ScenarioName::Ingest => "ingest",
            ScenarioName::Mixed => "mixed",
            ScenarioName::Rest => "rest",
        })
    }
}

/// What is spoken on the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// A line of JSON for each request and reply.
    Json,
    /// The protocol of Redis.
    Resp,
}

/// What the server replies to an add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplyKind {
    /// How many values were added, and how many there are.
    Count,
    /// The same, and the batch, sorted.
    Batch,
    /// The same, and the whole array.
    Array,
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

    fn parse(flags: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once(&"loadtest").chain(flags)).and_then(Args::validated)
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
        assert_eq!((args.batch.clone(), args.values()), (10..=20, 0..=100));
        assert_eq!((args.pipeline, args.reply()), (1, ReplyKind::Count));
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
        assert_eq!(args.values(), -20..=-10);
    }

    #[test]
    fn values_follow_the_scenario() {
        let args = parse(&["--scenario", "ingest"]).expect("a scenario");
        assert_eq!(args.values(), i64::MIN..=i64::MAX);
        let args = parse(&["--scenario", "ingest", "--values", "1..2"]).expect("a range");
        assert_eq!(args.values(), 1..=2);
    }

    #[test]
    fn flags_of_another_scenario_are_usage_errors() {
        for flags in [["--reply", "array"], ["--pipeline", "2"]] {
            let error = parse(&flags).expect_err("not in classic");
            assert_eq!(error.exit_code(), 2);
            let text = error.to_string();
            assert!(text.contains(flags[0]) && text.contains("classic"), "{text}");
            assert!(parse(&[&["--scenario", "ingest"], &flags[..]].concat()).is_ok());
        }
        assert!(parse(&["--pipeline", "1"]).is_ok());
    }

    #[test]
    fn values_in_flight_are_bounded() {
        let flags = ["--scenario", "ingest", "--pipeline", "11", "--batch", "1..1000000"];
        let error = parse(&flags).expect_err("too many").to_string();
        assert!(error.contains("--pipeline 11"), "{error}");
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
            ["--pipeline", "0"],
            ["--pipeline", "10001"],
            ["--reply", "all"],
            ["--nonsense", "1"],
        ] {
            let error = parse(&flags).expect_err("a wrong value");
            assert_eq!(error.exit_code(), 2, "{flags:?}");
        }
    }
}
