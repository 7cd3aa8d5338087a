//! Scenario `classic`: connect, send one batch as a bare array, read the server's whole sorted
//! array, check it, close, and again. Over RESP it is `ADD` and, in the same write, `RANGE 0 -1`.
//!
//! A reply is judged as it streams by. Once its newline has come the client closes its own side and
//! waits for the server to do the same, so that a stray byte after the reply is always seen,
//! however late it comes. Latency is counted from the start of connecting to that newline.

use super::text::{append_array, append_command};
use super::{Next, Run, Scenario};
use crate::args::Protocol;
use crate::error::RequestError;
use crate::verify::{ArrayChecks, Bounds, Progress, ReplyParser, Shape};
use std::time::Instant;

/// The scenario's state over all connections.
#[derive(Debug)]
pub(crate) struct Classic {
    run: Run,
    protocol: Protocol,
}

/// One request on a connection of its own.
#[derive(Debug)]
pub(crate) struct Session {
    /// From 1, in the order of opening.
    number: u64,
    opened_at: Instant,
    waiting_since: Instant,
    /// Its text, until it is sent.
    request: Vec<u8>,
    reply: ReplyParser,
    checks: ArrayChecks,
    /// Bytes received.
    received: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Connecting,
    /// The request is sent, or about to be.
    Waiting {
        /// Of the length of the reply.
        bounds: Bounds,
    },
    Answered,
}

impl Classic {
    /// The scenario for a run that begins.
    pub(crate) fn new(mut run: Run, protocol: Protocol) -> Self {
        if run.shared {
            let reason = "batch_missing, length: others may change the array (--shared)";
            run.stats.checks_skipped.push(reason.to_owned());
        }
        Self { run, protocol }
    }

    /// The reply is complete, and the batch thereby acknowledged, whatever the checks say.
    fn answered(&mut self, session: &mut Session, bounds: &Bounds, now: Instant) {
        session.stage = Stage::Answered;
        session.waiting_since = now;
        let Run { ledger, shared, stats, .. } = &mut self.run;
        stats.latency.record(now.duration_since(session.opened_at));
        let checks = &session.checks;
        let context = || format!("request {}", session.number);

        let order = checks.order();
        let ordered = order.is_ok();
        stats.check(order, context);
        if !*shared {
            // The batch is looked for along the order: without one the search would say nothing.
            if ordered {
                stats.check(checks.contains_batch(), context);
            }
            let counts = ledger.counts(bounds);
            stats.check(checks.length(&counts), context);
            if self.protocol == Protocol::Resp {
                stats.check(session.reply.receipt().check_count(&counts), context);
            }
        }
        ledger.acknowledged(checks.batch().iter().copied());
    }
}

impl Scenario for Classic {
    /// No limit: each reply is the whole array, which the server and the wire feel long before.
    const MAX_VALUES_COMPARED: u64 = u64::MAX;

    type Session = Session;

    fn open(&mut self, now: Instant) -> Option<Session> {
        let number = self.run.quota.begin(now)?;
        let batch: Vec<i64> = self.run.batches.batch(number).collect();
        let mut request = Vec::new();
        let shape = match self.protocol {
            Protocol::Json => {
                append_array(&mut request, batch.iter().copied());
                request.push(b'\n');
                Shape::Bare
            }
            Protocol::Resp => {
                append_command(&mut request, "ADD", batch.iter().copied());
                append_command(&mut request, "RANGE", [0, -1].into_iter());
                Shape::IntegerAndArray
            }
        };
        Some(Session {
            number,
            opened_at: now,
            waiting_since: now,
            request,
            checks: ArrayChecks::new(batch),
            reply: ReplyParser::new(shape),
            received: 0,
            stage: Stage::Connecting,
        })
    }

    fn connected(&mut self, session: &mut Session, outgoing: &mut Vec<u8>, now: Instant) {
        self.run.stats.connect.record(now.duration_since(session.opened_at));
        session.waiting_since = now;
        let bounds = self.run.ledger.sending(session.checks.batch().len());
        session.stage = Stage::Waiting { bounds };
        outgoing.append(&mut session.request);
    }

    fn received(
        &mut self,
        session: &mut Session,
        bytes: &[u8],
        _outgoing: &mut Vec<u8>,
        now: Instant,
    ) -> Result<Next, RequestError> {
        session.received += bytes.len() as u64;
        let Session { reply, checks, .. } = session;
        let consumed = match reply.push(bytes, |value| checks.value(value))? {
            Progress::NeedMore => return Ok(Next::Read),
            Progress::Complete { consumed } => consumed,
            Progress::Refused { error, .. } => return Err(RequestError::Server(error)),
        };
        if let Stage::Waiting { bounds } = session.stage {
            self.answered(session, &bounds, now);
        }
        // The parser refuses what follows in the same read just as what comes in a later one.
        let Session { reply, .. } = session;
        reply.push(&bytes[consumed..], |_| {})?;
        Ok(Next::Close)
    }

    fn waiting_since(&self, session: &Session) -> Instant {
        session.waiting_since
    }

    fn ended(&mut self, session: Session, ending: Result<(), RequestError>, _now: Instant) {
        self.run.stats.requests += 1;
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
                    self.run.ledger.unresolved(1);
                }
                format!("after {} bytes of reply", session.received)
            }
        };
        self.run.stats.error(&error, &format!("request {}, {state}", session.number));
    }

    fn run(&self) -> &Run {
        &self.run
    }

    fn into_run(self) -> Run {
        self.run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Goal;
    use crate::scenario::tests::run_of_fives;
    use std::time::Duration;

    /// A run of one-value batches, all 5, against an empty server.
    fn classic(shared: bool) -> (Classic, Instant) {
        let now = Instant::now();
        (Classic::new(run_of_fives(Goal::Requests(3), now, shared), Protocol::Json), now)
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
        let later = *now + Duration::from_millis(3);
        let result = classic.received(&mut session, reply, &mut outgoing, later);
        classic.ended(session, result.and(ending), later);
        classic.run.stats.kinds()
    }

    fn outcome(reply: &[u8]) -> Vec<String> {
        request(&mut classic(false), reply, Ok(()))
    }

    #[test]
    fn right_reply_passes() {
        let mut run = classic(false);
        assert_eq!(request(&mut run, b"[5]\n", Ok(())), [""; 0]);
        assert_eq!(request(&mut run, b"[5,5]\n", Ok(())), [""; 0]);
        let Run { stats, ledger, .. } = run.0.into_run();
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
        assert_eq!(run.0.run.ledger.requests_unresolved(), 0);
        request(&mut run, b"[", Err(RequestError::Timeout));
        assert_eq!(run.0.run.ledger.requests_unresolved(), 1);
        let example = &run.0.run.stats.errors["timeout"].example;
        assert_eq!(example, "request 2, after its complete reply: timed out");
    }

    #[test]
    fn each_wait_counts_by_itself() {
        let (mut classic, opened) = classic(false);
        let after = |seconds| opened + Duration::from_secs(seconds);
        let (mut session, mut outgoing) =
            (classic.open(opened).expect("requests are left"), Vec::new());
        assert_eq!(classic.waiting_since(&session), opened);
        classic.connected(&mut session, &mut outgoing, after(1));
        assert_eq!(classic.waiting_since(&session), after(1));
        for (seconds, bytes, since) in [(2, b"[5", 1), (3, b"]\n", 3)] {
            let result = classic.received(&mut session, bytes, &mut outgoing, after(seconds));
            assert!(result.is_ok());
            assert_eq!(classic.waiting_since(&session), after(since));
        }
    }

    #[test]
    fn goal_ends_it() {
        let (mut classic, now) = classic(false);
        assert_eq!(std::iter::from_fn(|| classic.open(now)).count(), 3);
    }
}
