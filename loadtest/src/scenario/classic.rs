//! Scenario `classic`: connect, send one batch as a bare array, read the server's whole sorted
//! array, check it, close, and again.
//!
//! A reply is judged as it streams by. Once its newline has come the client closes its own side and
//! waits for the server to do the same, so that a stray byte after the reply is always seen,
//! however late it comes.

use super::{Next, Scenario};
use crate::args::{Args, Goal};
use crate::audit::Audit;
use crate::error::RequestError;
use crate::event_loop::EventLoop;
use crate::input::BatchSource;
use crate::progress::ProgressLine;
use crate::report::Report;
use crate::stats::Stats;
use crate::verify::{ArrayChecks, Ledger, Progress, ReplyParser, Shape};
use std::time::Instant;

/// Runs the scenario against a server. An error is one line that says why nothing could be
/// measured.
pub(crate) fn run(args: &Args) -> Result<Report, String> {
    let rng_seed = args.rng_seed.unwrap_or_else(rand::random);
    let batches = BatchSource::new(rng_seed, &args.batch, &args.values);
    let (audit, ledger) = Audit::begin(&args.socket, args.timeout, args.shared)?;

    let progress = ProgressLine::new(args.goal());
    let started = Instant::now();
    let mut classic = Classic::new(args.goal(), started, batches, ledger, args.shared);
    EventLoop::new(audit.server, args.connections, args.timeout)
        .and_then(|event_loop| {
            event_loop.run(&mut classic, |Classic { stats, .. }| {
                progress.update(stats.requests, stats.errors_total(), stats.checks_failed_total());
            })
        })
        .map_err(|error| format!("the event loop failed: {error}"))?;
    let elapsed = started.elapsed();
    drop(progress);

    let Classic { mut stats, mut ledger, .. } = classic;
    audit.finish(&mut ledger, &mut stats);
    Ok(Report {
        scenario: args.scenario,
        server: audit.server,
        connections: args.connections,
        rng_seed,
        elapsed,
        values_added: ledger.values_acknowledged(),
        stats,
    })
}

/// The scenario's state over all connections.
#[derive(Debug)]
struct Classic {
    goal: Goal,
    started: Instant,
    batches: BatchSource,
    ledger: Ledger,
    /// Others change the array: what it holds proves nothing.
    shared: bool,
    opened: u64,
    stats: Stats,
}

/// One request on a connection of its own.
#[derive(Debug)]
struct Session {
    /// From 1, in the order of opening.
    number: u64,
    opened_at: Instant,
    /// Its text, until it is sent.
    request: Vec<u8>,
    reply: ReplyParser,
    checks: ArrayChecks,
    /// Bytes received.
    received: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// The request is sent, or about to be.
    Waiting {
        /// The least length of the reply.
        least: u64,
    },
    Answered,
}

impl Classic {
    fn new(
        goal: Goal,
        started: Instant,
        batches: BatchSource,
        ledger: Ledger,
        shared: bool,
    ) -> Self {
        Self { goal, started, batches, ledger, shared, opened: 0, stats: Stats::new() }
    }

    /// The reply is complete, and the batch thereby acknowledged, whatever the checks say.
    fn answered(&mut self, session: &mut Session, least: u64, now: Instant) {
        session.stage = Stage::Answered;
        self.stats.latency.record(now.duration_since(session.opened_at));
        let checks = &session.checks;
        let context = || format!("request {}", session.number);

        let order = checks.order();
        let ordered = order.is_ok();
        self.stats.check(order, context);
        if !self.shared {
            // The batch is looked for along the order: without one the search would say nothing.
            if ordered {
                self.stats.check(checks.contains_batch(), context);
            }
            self.stats.check(checks.length(&(least..=self.ledger.most())), context);
        }
        self.ledger.acknowledged(checks.batch());
    }
}

impl Scenario for Classic {
    type Session = Session;

    fn open(&mut self, now: Instant) -> Option<Session> {
        let more = match self.goal {
            Goal::Requests(requests) => self.opened < requests,
            Goal::Duration(duration) => now < self.started + duration,
        };
        more.then(|| {
            self.opened += 1;
            let batch = self.batches.next_batch();
            Session {
                number: self.opened,
                opened_at: now,
                request: batch_line(&batch),
                checks: ArrayChecks::new(batch),
                reply: ReplyParser::new(Shape::Bare),
                received: 0,
                stage: Stage::Connecting,
            }
        })
    }

    fn connected(&mut self, session: &mut Session, outgoing: &mut Vec<u8>, now: Instant) {
        self.stats.connect.record(now.duration_since(session.opened_at));
        session.stage = Stage::Waiting { least: self.ledger.sending(session.checks.batch().len()) };
        outgoing.append(&mut session.request);
    }

    fn received(
        &mut self,
        session: &mut Session,
        bytes: &[u8],
        now: Instant,
    ) -> Result<Next, RequestError> {
        session.received += bytes.len() as u64;
        let Session { reply, checks, .. } = session;
        let Progress::Complete { consumed } = reply.push(bytes, |value| checks.value(value))?
        else {
            return Ok(Next::Read);
        };
        if let Stage::Waiting { least } = session.stage {
            self.answered(session, least, now);
        }
        // The parser refuses what follows in the same read just as what comes in a later one.
        let Session { reply, .. } = session;
        reply.push(&bytes[consumed..], |_| {})?;
        Ok(Next::Close)
    }

    fn ended(&mut self, session: Session, ending: Result<(), RequestError>) {
        self.stats.requests += 1;
        let error = match (ending, session.stage) {
            (Ok(()), Stage::Answered) => return,
            (Ok(()), _) => RequestError::ClosedEarly,
            (Err(error), _) => error,
        };
        // A refused request changes nothing; one without an answer may have taken effect.
        let refused = matches!(error, RequestError::Server(_));
        let state = match session.stage {
            Stage::Connecting => "before it was sent".to_owned(),
            Stage::Answered => "after its complete reply".to_owned(),
            Stage::Waiting { .. } => {
                if !refused {
                    self.ledger.unresolved();
                }
                format!("after {} bytes of reply", session.received)
            }
        };
        self.stats.error(&error, &format!("request {}, {state}", session.number));
    }
}

/// `[5,3,9]` and a newline.
fn batch_line(batch: &[i64]) -> Vec<u8> {
    let mut line = Vec::new();
    let mut digits = itoa::Buffer::new();
    for (index, value) in batch.iter().enumerate() {
        line.push(if index == 0 { b'[' } else { b',' });
        line.extend_from_slice(digits.format(*value).as_bytes());
    }
    line.extend_from_slice(b"]\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A run of one-value batches, all 5, against an empty server.
    fn classic(shared: bool) -> (Classic, Instant) {
        let now = Instant::now();
        let batches = BatchSource::new(1, &(1..=1), &(5..=5));
        (Classic::new(Goal::Requests(3), now, batches, Ledger::new(0), shared), now)
    }

    /// One request that gets `reply` and then `ending`; the names of what went wrong.
    fn request(
        run: &mut (Classic, Instant),
        reply: &[u8],
        ending: Result<(), RequestError>,
    ) -> Vec<String> {
        let (classic, now) = run;
        let mut session = classic.open(*now).expect("requests are left");
        let mut outgoing = Vec::new();
        classic.connected(&mut session, &mut outgoing, *now);
        assert_eq!(outgoing, b"[5]\n");
        let result = classic.received(&mut session, reply, *now + Duration::from_millis(3));
        classic.ended(session, result.and(ending));
        classic.stats.errors.keys().chain(classic.stats.checks_failed.keys()).cloned().collect()
    }

    fn outcome(reply: &[u8]) -> Vec<String> {
        request(&mut classic(false), reply, Ok(()))
    }

    #[test]
    fn right_reply_passes() {
        let mut run = classic(false);
        assert_eq!(request(&mut run, b"[5]\n", Ok(())), [""; 0]);
        assert_eq!(request(&mut run, b"[5,5]\n", Ok(())), [""; 0]);
        let Classic { stats, ledger, .. } = run.0;
        assert_eq!((stats.requests, stats.checks_passed, ledger.values_acknowledged()), (2, 6, 2));
        assert!(stats.latency.max() >= Duration::from_millis(3));
    }

    #[test]
    fn wrong_replies_are_named() {
        assert_eq!(outcome(b"[4]\n"), ["batch_missing"]);
        assert_eq!(outcome(b"[]\n"), ["batch_missing", "length"]);
        assert_eq!(outcome(b"[5,5]\n"), ["length"]);
        assert_eq!(outcome(b"[5,4]\n"), ["length", "unsorted"]);
        assert_eq!(outcome(b"[5]\n\n"), ["protocol"]);
        assert_eq!(outcome(b"[5]"), ["closed_early"]);
        assert_eq!(outcome(b""), ["closed_early"]);
        assert_eq!(outcome(b"[5;\n"), ["protocol"]);
        assert_eq!(
            outcome(b"{\"error\":{\"code\":\"full\",\"message\":\"no room\"}}\n"),
            ["server_error:full"]
        );
    }

    #[test]
    fn dropped_acknowledged_value_is_caught_by_length() {
        let mut run = classic(false);
        assert_eq!(request(&mut run, b"[5]\n", Ok(())), [""; 0]);
        assert_eq!(request(&mut run, b"[5]\n", Ok(())), ["length"]);
    }

    #[test]
    fn shared_checks_the_order_only() {
        let mut run = classic(true);
        assert_eq!(request(&mut run, b"[]\n", Ok(())), [""; 0]);
        assert_eq!(request(&mut run, b"[1,2,3]\n", Ok(())), [""; 0]);
        assert_eq!(request(&mut run, b"[2,1]\n", Ok(())), ["unsorted"]);
    }

    #[test]
    fn only_an_unanswered_request_is_unresolved() {
        let mut run = classic(false);
        request(&mut run, b"{\"error\":{\"code\":\"full\",\"message\":\"no room\"}}\n", Ok(()));
        request(&mut run, b"[5]\n", Err(RequestError::Timeout));
        assert_eq!(run.0.ledger.requests_unresolved(), 0);
        request(&mut run, b"[", Err(RequestError::Timeout));
        assert_eq!(run.0.ledger.requests_unresolved(), 1);
        let example = &run.0.stats.errors["timeout"].example;
        assert_eq!(example, "request 2, after its complete reply: timed out");
    }

    #[test]
    fn goals_end() {
        let (mut counted, now) = classic(false);
        assert_eq!(std::iter::from_fn(|| counted.open(now)).count(), 3);
        counted.goal = Goal::Duration(Duration::from_secs(1));
        assert!(counted.open(now + Duration::from_millis(999)).is_some());
        assert!(counted.open(now + Duration::from_secs(1)).is_none());
    }

    #[test]
    fn batch_text_reaches_the_edges() {
        let text = batch_line(&[i64::MIN, 0, i64::MAX]);
        assert_eq!(text, b"[-9223372036854775808,0,9223372036854775807]\n");
    }
}
