//! The event loop: opens connections, gives each its turns, and ends those that wait too long. One
//! thread, one poll.
//!
//! Events are edge-triggered, so that a turn goes on until the socket blocks or its budget is
//! spent; in the latter case the connection is queued for another turn. A turn takes an event, or a
//! place in the queue, as a hint only and asks the socket itself: one meant for an earlier
//! connection in the same slot does no harm.
//!
//! The client closes first, so each connection's local port rests for a while afterwards
//! (TIME_WAIT). Linux lends such ports out again after a second on loopback; elsewhere some tens of
//! thousands of requests a minute use all of them up, and the rest count as
//! `connect:no_local_port`. Closing by reset would avoid that, and could not tell whether stray
//! bytes follow a reply.

use crate::connection::{Connection, Turn};
use crate::error::RequestError;
use crate::scenario::Scenario;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Bytes read at once, into one buffer for all connections.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// Events taken from the poll at once.
const EVENTS_PER_POLL: usize = 1024;
/// Connections opened between two polls: a burst of thousands would delay the replies to the first.
const OPENS_PER_TURN: usize = 64;
/// The pause in opening after a connection failed, so that a server which is gone, or sends
/// everybody away, costs neither of the two a busy loop.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(1);
/// Time between two looks for overdue connections, and two ticks for the caller.
const TICK: Duration = Duration::from_millis(100);

/// Drives the connections of one scenario.
#[derive(Debug)]
pub(crate) struct EventLoop<S: Scenario> {
    poll: Poll,
    server: SocketAddr,
    /// The most connections open at once.
    capacity: usize,
    /// How long a connection may wait for what comes next.
    timeout: Duration,
    connections: Slab<Connection<S::Session>>,
    /// Slots of connections that were stopped by their budget. A slot may be empty or reused by
    /// now.
    unfinished: VecDeque<usize>,
    buffer: Box<[u8]>,
    /// The scenario opens no more.
    exhausted: bool,
    /// When a connection failed last.
    failed_at: Option<Instant>,
}

impl<S: Scenario> EventLoop<S> {
    /// A loop for up to `capacity` connections at once, each of which may wait up to `timeout` for
    /// what comes next.
    pub(crate) fn new(server: SocketAddr, capacity: usize, timeout: Duration) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            server,
            capacity,
            timeout,
            connections: Slab::new(),
            unfinished: VecDeque::new(),
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            exhausted: false,
            failed_at: None,
        })
    }

    /// Runs until the scenario opens no more connections and all have ended; calls `tick` about ten
    /// times a second.
    ///
    /// It ends if the scenario does: each wait has its end. An error is one of the poll itself.
    pub(crate) fn run(mut self, scenario: &mut S, mut tick: impl FnMut(&S)) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_PER_POLL);
        let mut next_tick = Instant::now() + TICK;
        loop {
            let more_to_open = self.open_some(scenario);
            if self.exhausted && self.connections.is_empty() {
                return Ok(());
            }
            let until_tick = next_tick.saturating_duration_since(Instant::now());
            let wait = if self.unfinished.is_empty() {
                more_to_open.unwrap_or(until_tick)
            } else {
                Duration::ZERO
            };
            match self.poll.poll(&mut events, Some(wait.min(until_tick))) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                // Interrupted: the events are those of no poll, that is none.
                Err(_) => events.clear(),
                Ok(()) => {}
            }
            for event in &events {
                self.turn(event.token().0, scenario);
            }
            for _ in 0..self.unfinished.len() {
                self.resume(scenario);
            }
            let now = Instant::now();
            if now >= next_tick {
                self.end_overdue(now, scenario);
                tick(scenario);
                next_tick = now + TICK;
            }
        }
    }

    /// Opens connections into free slots. `Some` is the longest that the loop may wait before it
    /// tries to open more.
    fn open_some(&mut self, scenario: &mut S) -> Option<Duration> {
        for _ in 0..OPENS_PER_TURN {
            if self.exhausted || self.connections.len() == self.capacity {
                return None;
            }
            let now = Instant::now();
            if let Some(failed_at) = self.failed_at {
                let left = PAUSE_AFTER_FAILURE.saturating_sub(now.duration_since(failed_at));
                if !left.is_zero() {
                    return Some(left);
                }
            }
            let alone = self.failed_at.take().is_some();
            let Some(session) = scenario.open(now) else {
                self.exhausted = true;
                return None;
            };
            if let Err((session, error)) = self.open(session) {
                self.failed_at = Some(now);
                scenario.ended(session, Err(error), now);
            }
            // After a failure one goes ahead, to show whether the next would fail too.
            if alone {
                return Some(PAUSE_AFTER_FAILURE);
            }
        }
        Some(Duration::ZERO)
    }

    fn open(&mut self, session: S::Session) -> Result<(), (S::Session, RequestError)> {
        let mut connection = Connection::start(self.server, session)?;
        let slot = self.connections.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self.poll.registry().register(&mut connection.stream, Token(slot.key()), interest) {
            Ok(()) => {
                slot.insert(connection);
                Ok(())
            }
            Err(error) => Err((connection.session, RequestError::Io(error))),
        }
    }

    /// Gives the connection in a slot, if there is one, its turn.
    fn turn(&mut self, slot: usize, scenario: &mut S) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        match connection.turn(scenario, &mut self.buffer) {
            Turn::Blocked => {}
            Turn::Unfinished => {
                if !connection.queued {
                    connection.queued = true;
                    self.unfinished.push_back(slot);
                }
            }
            Turn::Ended(ending) => self.end(slot, ending, scenario),
        }
    }

    /// Gives the first connection in the queue its turn.
    fn resume(&mut self, scenario: &mut S) {
        let Some(slot) = self.unfinished.pop_front() else {
            return;
        };
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.queued = false;
            self.turn(slot, scenario);
        }
    }

    fn end_overdue(&mut self, now: Instant, scenario: &mut S) {
        let overdue: Vec<usize> = self
            .connections
            .iter()
            .filter(|(_, open)| {
                now.duration_since(scenario.waiting_since(&open.session)) >= self.timeout
            })
            .map(|(slot, _)| slot)
            .collect();
        for slot in overdue {
            self.end(slot, Err(RequestError::Timeout), scenario);
        }
    }

    fn end(&mut self, slot: usize, ending: Result<(), RequestError>, scenario: &mut S) {
        let mut connection = self.connections.remove(slot);
        // Closing the socket, at the end of this function, removes it from the poll in any case.
        let _ = self.poll.registry().deregister(&mut connection.stream);
        let now = Instant::now();
        if ending.is_err() {
            self.failed_at = Some(now);
        }
        scenario.ended(connection.session, ending, now);
    }
}
