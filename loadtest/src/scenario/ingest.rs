//! Scenario `ingest`: connections stay open, and each adds batch after batch, pipelined.

use super::Run;
use super::pipelined::{Pipelined, Request, Work};
use super::text::{append_array, append_command};
use crate::args::{Protocol, ReplyKind};
use crate::input::Batch;
use crate::verify::{ArrayChecks, Bounds, Malformed, Progress, ReplyParser, Shape};
use std::time::Duration;

/// The most values compared one by one at the end: 16 MB here, and some 40 MB on the wire.
const MAX_VALUES_COMPARED: u64 = 2_000_000;

/// The scenario.
pub(crate) type Ingest = Pipelined<Adds>;

/// What is added, and how.
#[derive(Debug)]
pub(crate) struct Adds {
    protocol: Protocol,
    reply: ReplyKind,
}

/// A connection's place in the reply under way.
#[derive(Debug)]
pub(crate) struct Reading {
    parser: ReplyParser,
    /// Of the values in the reply, if it has any.
    values: ArrayChecks,
    /// In the reply before.
    last_count: u64,
}

impl Ingest {
    /// The scenario for a run that begins.
    pub(crate) fn new(
        mut run: Run,
        pipeline: usize,
        (protocol, reply): (Protocol, ReplyKind),
        patience: Duration,
    ) -> Self {
        if run.shared {
            let reason = "count, count_decreased, and batch_missing in whole arrays: \
                          others may change the array (--shared)";
            run.stats.checks_skipped.push(reason.to_owned());
        }
        Pipelined::of(run, Adds { protocol, reply }, pipeline, patience)
    }
}

impl Work for Adds {
    const MAX_VALUES_COMPARED: u64 = MAX_VALUES_COMPARED;

    type Reading = Reading;

    fn reading(&self) -> Reading {
        let shape = match (self.protocol, self.reply) {
            (Protocol::Resp, _) => Shape::Integer,
            (Protocol::Json, ReplyKind::Count) => Shape::Receipt,
            (Protocol::Json, ReplyKind::Batch | ReplyKind::Array) => Shape::ReceiptWithValues,
        };
        Reading {
            parser: ReplyParser::new(shape),
            values: ArrayChecks::new(Vec::new()),
            last_count: 0,
        }
    }

    fn send(&mut self, run: &mut Run, number: u64, outgoing: &mut Vec<u8>) -> Bounds {
        let batch = run.batches.batch(number);
        let bounds = run.ledger.sending(batch.len());
        match self.protocol {
            Protocol::Json => append_request(outgoing, batch, self.reply),
            Protocol::Resp => append_command(outgoing, "ADD", batch),
        }
        bounds
    }

    fn begin(&self, run: &Run, reading: &mut Reading, number: u64) {
        reading.parser.restart();
        if self.reply != ReplyKind::Count {
            reading.values.restart(run.batches.batch(number));
        }
    }

    fn push(&self, reading: &mut Reading, bytes: &[u8]) -> Result<Progress, Malformed> {
        let Reading { parser, values, .. } = reading;
        parser.push(bytes, |value| values.value(value))
    }

    fn answered(&mut self, run: &mut Run, reading: &mut Reading, request: &Request) {
        let Run { batches, ledger, shared, stats, .. } = run;
        let batch = batches.batch(request.number);
        let (receipt, values, sent) = (reading.parser.receipt(), &reading.values, batch.len());
        let context = || format!("request {}", request.number);

        if self.protocol == Protocol::Json {
            stats.check(receipt.check_added(sent), context);
        }
        if !*shared {
            stats.check(receipt.check_count(&ledger.counts(&request.bounds)), context);
            stats.check(receipt.check_follows(reading.last_count), context);
        }
        reading.last_count = receipt.count;
        ledger.acknowledged(batch);

        let expected_len = match self.reply {
            ReplyKind::Count => return,
            ReplyKind::Batch => sent as u64,
            ReplyKind::Array => receipt.count,
        };
        let order = values.order();
        let ordered = order.is_ok();
        stats.check(order, context);
        stats.check(values.length(&(expected_len..=expected_len)), context);
        // The batch is looked for along the order: without one the search would say nothing. Others
        // may have taken it out of the array by then, but not out of itself.
        if ordered && (self.reply == ReplyKind::Batch || !*shared) {
            stats.check(values.contains_batch(), context);
        }
    }

    fn refused(&mut self, _run: &mut Run, _number: u64) {}

    fn unresolved(&mut self, run: &mut Run, _number: u64) {
        run.ledger.unresolved(1);
    }
}

/// Appends `{"op":"add","values":[5,3,9]}` and a newline.
fn append_request(text: &mut Vec<u8>, batch: Batch<'_>, reply: ReplyKind) {
    text.extend_from_slice(b"{\"op\":\"add\",\"values\":");
    append_array(text, batch);
    text.extend_from_slice(match reply {
        ReplyKind::Count => b"}\n",
        ReplyKind::Batch => b",\"reply\":\"batch\"}\n",
        ReplyKind::Array => b",\"reply\":\"array\"}\n",
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Goal;
    use crate::error::RequestError;
    use crate::scenario::pipelined::Session;
    use crate::scenario::tests::run_of_fives;
    use crate::scenario::{Next, Scenario};
    use std::time::Instant;

    const TIMEOUT: Duration = Duration::from_secs(10);
    const REFUSAL: &str = "{\"error\":{\"code\":\"full\",\"message\":\"no room\"}}\n";
    const SENT_AWAY: &str =
        "{\"error\":{\"code\":\"too_many_connections\",\"message\":\"full house\"}}\n";

    /// One connection of a run of one-value batches, all 5, and what it has to send.
    struct Driver {
        ingest: Ingest,
        session: Session<Reading>,
        outgoing: Vec<u8>,
        now: Instant,
    }

    impl Driver {
        fn start(requests: u64, pipeline: usize, reply: ReplyKind, shared: bool) -> Self {
            let now = Instant::now();
            let run = run_of_fives(Goal::Requests(requests), now, shared);
            let mut ingest = Ingest::new(run, pipeline, (Protocol::Json, reply), TIMEOUT);
            let mut session = ingest.open(now).expect("requests are left");
            let mut outgoing = Vec::new();
            ingest.connected(&mut session, &mut outgoing, now);
            Self { ingest, session, outgoing, now }
        }

        /// A second later these bytes come.
        fn receive(&mut self, text: &str) -> Result<Next, RequestError> {
            self.now += Duration::from_secs(1);
            let Self { ingest, session, outgoing, now } = self;
            ingest.received(session, text.as_bytes(), outgoing, *now)
        }

        /// The connection ends by itself.
        fn end(self) -> Run {
            let Self { mut ingest, session, now, .. } = self;
            ingest.ended(session, Ok(()), now);
            ingest.into_run()
        }

        fn requests_sent(&self) -> usize {
            self.outgoing.iter().filter(|&&byte| byte == b'\n').count()
        }
    }

    /// The names of what is wrong with the reply to a single request.
    fn outcome_of(reply: ReplyKind, shared: bool, text: &str) -> Vec<String> {
        let mut driver = Driver::start(1, 1, reply, shared);
        let result = driver.receive(text);
        let Driver { mut ingest, session, now, .. } = driver;
        ingest.ended(session, result.map(|_| ()), now);
        ingest.into_run().stats.kinds()
    }

    #[test]
    fn request_says_which_reply_it_wants() {
        let sent = |reply| Driver::start(1, 1, reply, false).outgoing;
        assert_eq!(sent(ReplyKind::Count), b"{\"op\":\"add\",\"values\":[5]}\n");
        assert_eq!(
            sent(ReplyKind::Batch),
            b"{\"op\":\"add\",\"values\":[5],\"reply\":\"batch\"}\n"
        );
        assert_eq!(
            sent(ReplyKind::Array),
            b"{\"op\":\"add\",\"values\":[5],\"reply\":\"array\"}\n"
        );
    }

    #[test]
    fn pipeline_is_kept_full() {
        let mut driver = Driver::start(6, 3, ReplyKind::Count, false);
        assert_eq!(driver.requests_sent(), 3);
        let read = driver.receive("{\"added\":1,\"count\":1}\n{\"added\":1,\"count\":3}\n{\"add");
        assert_eq!((read.ok(), driver.requests_sent()), (Some(Next::Read), 5));
        assert_eq!(driver.session.in_flight(), 3);
        let read = driver.receive("ed\":1,\"count\":3}\n{\"added\":1,\"count\":4}\n");
        assert_eq!((read.ok(), driver.requests_sent()), (Some(Next::Read), 6), "the goal");
        let read = driver.receive("{\"added\":1,\"count\":5}\n{\"added\":1,\"count\":6}\n");
        assert_eq!((read.ok(), driver.requests_sent()), (Some(Next::Close), 6));
        let Run { stats, ledger, .. } = driver.end();
        assert_eq!((stats.kinds(), stats.requests, stats.checks_passed), (vec![], 6, 18));
        assert_eq!((ledger.values_acknowledged(), stats.latency.len()), (6, 6));
        assert!(stats.latency.max() >= Duration::from_secs(2), "from the request's own sending");
    }

    #[test]
    fn wrong_numbers_are_named() {
        let outcome = |text| outcome_of(ReplyKind::Count, false, text);
        assert_eq!(outcome("{\"added\":1,\"count\":1}\n"), [""; 0]);
        assert_eq!(outcome("{\"added\":2,\"count\":1}\n"), ["added"]);
        assert_eq!(outcome("{\"added\":1,\"count\":0}\n"), ["count"]);
        assert_eq!(outcome("{\"added\":1,\"count\":2}\n"), ["count"]);
        assert_eq!(outcome("{\"added\":1,\"count\":1}\n\n"), ["protocol"]);
        assert_eq!(outcome("{\"added\":1,\"count\":1}"), ["closed_early"]);
        assert_eq!(outcome(""), ["closed_early"]);
        assert_eq!(outcome("nonsense\n"), ["protocol"]);
        assert_eq!(outcome(REFUSAL), ["server_error:full"]);
        assert_eq!(outcome(SENT_AWAY), ["server_error:too_many_connections"]);
    }

    #[test]
    fn wrong_batches_are_named() {
        let outcome = |values: &str| {
            let text = format!("{{\"added\":1,\"count\":1,\"values\":{values}}}\n");
            outcome_of(ReplyKind::Batch, true, &text)
        };
        assert_eq!(outcome("[5]"), [""; 0]);
        assert_eq!(outcome("[]"), ["batch_missing", "length"]);
        assert_eq!(outcome("[4]"), ["batch_missing"]);
        assert_eq!(outcome("[5,5]"), ["length"]);
        assert_eq!(outcome("[5,4]"), ["length", "unsorted"]);
    }

    #[test]
    fn wrong_arrays_are_named() {
        let outcome = |shared, count: u64, values: &str| {
            let text = format!("{{\"added\":1,\"count\":{count},\"values\":{values}}}\n");
            outcome_of(ReplyKind::Array, shared, &text)
        };
        assert_eq!(outcome(false, 1, "[5]"), [""; 0]);
        assert_eq!(outcome(false, 1, "[4]"), ["batch_missing"]);
        assert_eq!(outcome(false, 1, "[4,5]"), ["length"]);
        assert_eq!(outcome(false, 2, "[4,5]"), ["count"]);
        assert_eq!(outcome(true, 0, "[]"), [""; 0]);
        assert_eq!(outcome(true, 3, "[1,2,3]"), [""; 0]);
        assert_eq!(outcome(true, 2, "[1,2,3]"), ["length"]);
        assert_eq!(outcome(true, 2, "[2,1]"), ["unsorted"]);
    }

    #[test]
    fn counts_never_decrease() {
        let mut driver = Driver::start(3, 3, ReplyKind::Count, false);
        for count in [2, 1, 3] {
            let read = driver.receive(&format!("{{\"added\":1,\"count\":{count}}}\n"));
            assert!(read.is_ok());
        }
        assert_eq!(driver.end().stats.kinds(), ["count_decreased"]);
    }

    #[test]
    fn refused_request_is_one_error() {
        let mut driver = Driver::start(3, 2, ReplyKind::Count, false);
        let text = format!("{REFUSAL}{{\"added\":1,\"count\":1}}\n");
        assert_eq!(driver.receive(&text).ok(), Some(Next::Read));
        assert_eq!(driver.receive(REFUSAL).ok(), Some(Next::Close));
        let Run { stats, ledger, .. } = driver.end();
        assert_eq!((stats.requests, stats.errors_total(), stats.latency.len()), (3, 2, 1));
        assert_eq!((ledger.requests_unresolved(), ledger.values_acknowledged()), (0, 1));
    }

    #[test]
    fn requests_in_flight_are_unresolved() {
        let mut driver = Driver::start(5, 3, ReplyKind::Count, false);
        assert!(driver.receive("{\"added\":1,\"count\":1}\n{\"ad").is_ok());
        let Run { stats, ledger, .. } = driver.end();
        assert_eq!((stats.requests, stats.errors_total(), ledger.requests_unresolved()), (4, 1, 3));
        assert!(
            stats.errors["closed_early"]
                .example
                .starts_with("request 2, after 4 bytes of reply, with 3 in flight:")
        );
    }

    #[test]
    fn refusal_that_closes_ends_the_connection() {
        let mut driver = Driver::start(5, 3, ReplyKind::Count, false);
        let error = driver.receive(SENT_AWAY).expect_err("the server closes");
        let Driver { mut ingest, session, now, .. } = driver;
        ingest.ended(session, Err(error), now);
        let Run { stats, ledger, .. } = ingest.into_run();
        // The refused request changed nothing.
        assert_eq!((stats.requests, stats.errors_total(), ledger.requests_unresolved()), (3, 1, 2));
    }

    #[test]
    fn waiting_is_for_the_oldest_request() {
        let mut driver = Driver::start(3, 2, ReplyKind::Count, false);
        let start = driver.now;
        let seconds = |driver: &Driver| {
            driver.ingest.waiting_since(&driver.session).duration_since(start).as_secs()
        };
        assert_eq!(seconds(&driver), 0);
        for (count, since) in [(1, 0), (2, 1), (3, 3)] {
            assert!(driver.receive(&format!("{{\"added\":1,\"count\":{count}}}\n")).is_ok());
            assert_eq!(seconds(&driver), since, "after reply {count}");
        }
    }

    #[test]
    fn failing_connections_are_given_up() {
        let start = Instant::now();
        let run = run_of_fives(Goal::Requests(1000), start, false);
        let mut ingest = Ingest::new(run, 4, (Protocol::Json, ReplyKind::Count), TIMEOUT);
        let refused = || RequestError::Connect(std::io::ErrorKind::ConnectionRefused.into());
        let mut now = start;
        while let Some(session) = ingest.open(now) {
            ingest.ended(session, Err(refused()), now);
            now += Duration::from_secs(1);
        }
        let Run { stats, ledger, .. } = ingest.into_run();
        assert_eq!((now - start, stats.requests), (TIMEOUT, 10));
        assert_eq!(
            (stats.kinds(), ledger.requests_unresolved()),
            (vec!["connect".into(), "gave_up".into()], 0)
        );
    }

    #[test]
    fn reply_restores_the_patience() {
        let mut driver = Driver::start(1000, 1, ReplyKind::Count, false);
        let start = driver.now;
        let session = driver.ingest.open(start).expect("requests are left");
        driver.ingest.ended(session, Err(RequestError::Timeout), start);
        assert!(driver.receive("{\"added\":1,\"count\":1}\n").is_ok());
        assert!(driver.ingest.open(start + 2 * TIMEOUT).is_some());
    }
}
