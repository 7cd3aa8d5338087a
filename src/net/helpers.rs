//! Helper threads: where slow work goes, so that no event loop is held up by it.
//!
//! A bounded pool for all loops and faces alike. Each helper has an executor, and so a writer, of
//! its own. Work that the pool has no room for comes back at once, to be refused.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crossbeam_channel::{Sender, TrySendError, bounded};
use mio::Token;

use crate::execute::Executor;

use super::face::Answer;
use super::mailbox::Mailbox;

/// Work that waits for a helper. Each piece holds at most one request.
const WAITING_WORK: usize = 64;

/// The most work that is under way or waiting, and so the most answers that can be on their way to a
/// loop.
pub(super) const fn most_work(helpers: usize) -> usize {
    WAITING_WORK + helpers
}

/// How far below the loops helpers stand when they compete for a core: a large request can wait a
/// little, hundreds of small ones cannot.
const NICENESS: i32 = 5;

/// A request carried out off the loop. Made by a face, which knows what it means.
pub(super) type Work = Box<dyn FnOnce(&mut Executor) -> Answer + Send>;

/// What a loop gets back: for which connection, and its answer.
pub(super) type Done = (Token, Answer);

/// A handle to the pool, whose threads end when the last handle is gone.
#[derive(Clone)]
pub(crate) struct Helpers {
    queue: Sender<Errand>,
}

struct Errand {
    work: Work,
    token: Token,
    reply_to: Mailbox<Done>,
}

impl Helpers {
    /// Starts one thread for each executor. They are not waited for at the end: one may be busy for long
    /// with a request whose client is gone.
    pub(crate) fn start(executors: Vec<Executor>) -> io::Result<Helpers> {
        let (queue, waiting) = bounded::<Errand>(WAITING_WORK);
        for (index, mut executor) in executors.into_iter().enumerate() {
            let waiting = waiting.clone();
            thread::Builder::new().name(format!("sortd-helper-{index}")).spawn(move || {
                if let Err(error) = rustix::process::nice(NICENESS) {
                    log::debug!("a helper keeps its priority: {error}");
                }
                waiting.into_iter().for_each(|errand| errand.run(&mut executor));
            })?;
        }
        Ok(Helpers { queue })
    }

    /// Has `work` done and its answer sent to `reply_to`, or gives it up if there is no room.
    pub(super) fn submit(
        &self,
        work: Work,
        token: Token,
        reply_to: Mailbox<Done>,
    ) -> Result<(), Full> {
        match self.queue.try_send(Errand { work, token, reply_to }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Full),
        }
    }
}

/// The pool has no room for more work.
#[derive(Debug)]
pub(super) struct Full;

impl Errand {
    fn run(self, executor: &mut Executor) {
        let Errand { work, token, reply_to } = self;
        // Work answers for its own panics; whatever slips through ends the connection and not the helper.
        let answer = catch_unwind(AssertUnwindSafe(|| work(executor)));
        let answer = answer.unwrap_or_else(|_| {
            log::error!("a helper panicked; the connection is closed");
            Answer::Nothing
        });
        // The mailbox has room for all the work there can be. Without an owner nobody waits any more.
        let _ = reply_to.send((token, answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use mio::{Poll, Waker};

    use crate::command::Reply;
    use crate::store::SortedMultiset;
    use crate::wire::lines::Shape;

    use super::super::mailbox::mailbox;

    /// Longer than anything here takes unless it is stuck.
    const STUCK: Duration = Duration::from_secs(60);

    fn pong(_: &mut Executor) -> Answer {
        Answer::Line(Shape::PLAIN, Reply::Pong)
    }

    /// A pool, and a mailbox for its answers; the poll keeps the waker alive.
    fn pool(helpers: usize) -> (Helpers, Mailbox<Done>, Receiver<Done>, Poll) {
        let set = SortedMultiset::new();
        let pool = Helpers::start((0..helpers).map(|_| Executor::new(set.writer())).collect());
        let poll = Poll::new().expect("the system has a poll");
        let waker = Waker::new(poll.registry(), Token(0)).expect("and a waker");
        let (reply_to, answers) = mailbox(most_work(helpers), Arc::new(waker));
        (pool.expect("threads can be started"), reply_to, answers, poll)
    }

    #[test]
    fn work_beyond_the_bound_comes_back_and_all_other_work_is_answered() {
        let (pool, reply_to, answers, _poll) = pool(2);
        let (started, starts) = channel();
        let gates: Vec<_> = (0..2)
            .map(|n| {
                let (open, gate) = channel::<()>();
                let started = started.clone();
                let work = move |executor: &mut Executor| {
                    started.send(()).expect("the test waits for it");
                    // Opened when the other side is dropped.
                    let _ = gate.recv();
                    pong(executor)
                };
                pool.submit(Box::new(work), Token(n), reply_to.clone()).expect("there is room");
                open
            })
            .collect();
        for _ in &gates {
            starts.recv_timeout(STUCK).expect("each helper takes one");
        }
        for n in 0..WAITING_WORK {
            pool.submit(Box::new(pong), Token(2 + n), reply_to.clone()).expect("it may wait");
        }
        assert!(pool.submit(Box::new(pong), Token(0), reply_to).is_err(), "there is a bound");
        drop(gates);
        let mut tokens: Vec<usize> = (0..most_work(2))
            .map(|_| answers.recv_timeout(STUCK).expect("each is answered").0.0)
            .collect();
        tokens.sort_unstable();
        assert!(tokens.into_iter().eq(0..most_work(2)));
    }

    #[test]
    fn work_that_panics_is_told_and_the_helper_goes_on() {
        let (pool, reply_to, answers, _poll) = pool(1);
        let panics: Work = Box::new(|_| panic!("on purpose"));
        pool.submit(panics, Token(1), reply_to.clone()).expect("there is room");
        pool.submit(Box::new(pong), Token(2), reply_to).expect("there is room");
        assert!(matches!(answers.recv_timeout(STUCK), Ok((Token(1), Answer::Nothing))));
        assert!(matches!(answers.recv_timeout(STUCK), Ok((Token(2), Answer::Line(..)))));
    }
}
