//! An event loop: one thread, its sockets, and whatever they ask for.
//!
//! Each connection belongs to one loop for its whole life, so no two threads ever share one. The first
//! loop also accepts, and deals connections out to all.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::execute::Executor;
use crate::metrics::{self, Metrics};

use super::connection::{Connection, Context, Limits, Next};
use super::face::{Caller, FaceKind};
use super::helpers::{Done, Helpers, most_work};
use super::listener::{Listener, too_many_connections, turn_away};
use super::mailbox::{Mailbox, mailbox};
use super::registry::{RESERVED_TOKENS, Registry};
use super::timers::Timers;

/// Events taken from the system at once.
const EVENTS: usize = 1024;

/// Connections accepted in one turn from one listener, so that a rush of new ones does not hold up
/// those who are in.
const ACCEPTED_IN_A_TURN: usize = 64;

/// Connections accepted from each listener before it is closed: as many as can be waiting there.
const ACCEPTED_AT_THE_END: usize = 4096;

/// Connections on their way from the accepting loop to another one. Where it is full the accepting
/// loop keeps them.
const INBOX_CONNECTIONS: usize = 1024;

/// Connections over the limit that are told so and waited for; any more are told so in passing.
const MAX_REFUSED: usize = 256;

/// How long the date of responses, which counts seconds, may be used for.
const DATE_LASTS: Duration = Duration::from_secs(1);

/// How long those who wait for memory wait at a time.
const PAUSE: Duration = Duration::from_millis(10);

/// How long replies may take to leave after the order to stop.
const STOP_TIME: Duration = Duration::from_secs(5);

const WAKER: Token = Token(RESERVED_TOKENS);
const LISTENERS: usize = RESERVED_TOKENS + 1;

/// What all event loops of a server share: its state and how to reach them.
pub(crate) struct Lifecycle {
    draining: AtomicBool,
    drain_is_over: AtomicBool,
    /// Set by the accepting loop once it has handed over its last connection.
    stopping: AtomicBool,
    metrics: Metrics,
    mailboxes: Vec<Mailbox<Incoming>>,
}

impl Lifecycle {
    /// Begins to shut down; said again, does not wait for the drain time to pass.
    pub(crate) fn shut_down(&self) {
        // Release: pairs with the Acquire load in `begin_turn`. Acquire: with the Release of an earlier
        // call, so that only a later one ends the drain time.
        if self.draining.swap(true, Ordering::AcqRel) {
            // Release: pairs with the Acquire load in `drain_is_over`.
            self.drain_is_over.store(true, Ordering::Release);
        }
        self.wake_all();
    }

    /// Shuts down without waiting for the drain time to pass.
    pub(crate) fn shut_down_now(&self) {
        self.shut_down();
        self.shut_down();
    }

    /// Stops all loops after one of them has failed, were it the one that would give the word.
    pub(crate) fn abandon(&self) {
        // Release: pairs with the Acquire load in `EventLoop::shut_down`.
        self.stopping.store(true, Ordering::Release);
        self.shut_down_now();
    }

    fn wake_all(&self) {
        self.mailboxes.iter().for_each(Mailbox::wake);
    }

    /// Takes one of `most` places for a connection, if one is free.
    fn admit(self: &Arc<Lifecycle>, most: usize) -> Option<Permit> {
        // One loop does all the admitting, so the number only falls meanwhile.
        let taken = self.metrics.connection_opened();
        let permit = Permit(Arc::clone(self));
        (taken < most).then_some(permit)
    }
}

/// A connection's place under the limit, given back when dropped.
struct Permit(Arc<Lifecycle>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.metrics.connection_closed();
    }
}

/// A connection on its way to the loop that will own it. Not registered anywhere yet: a socket belongs
/// to one poll for life.
struct Incoming {
    stream: TcpStream,
    caller: Caller,
    kind: FaceKind,
    permit: Permit,
}

/// One event loop, ready to run on a thread of its own.
pub(crate) struct EventLoop {
    poll: Poll,
    clients: Registry<Client>,
    /// Those to be driven, each once.
    queue: VecDeque<Token>,
    timers: Timers,
    /// Those who wait until less is buffered over all connections.
    paused: Vec<Token>,
    inbox: Receiver<Incoming>,
    helpers: Helpers,
    answers: Receiver<Done>,
    /// Where helpers send this loop's answers.
    reply_to: Mailbox<Done>,
    acceptor: Option<Acceptor>,
    cx: Context,
    lifecycle: Arc<Lifecycle>,
    /// When to ask for the date again.
    date_due: Instant,
    drain: Duration,
    drain_until: Option<Instant>,
    stop_at: Option<Instant>,
}

struct Client {
    connection: Connection<TcpStream>,
    queued: bool,
    paused: bool,
    /// Its share of what is buffered over all connections.
    buffered: usize,
    scheduled: Option<Instant>,
    /// None for one that is over the limit and there only to be told so.
    permit: Option<Permit>,
    /// What it was last counted as.
    label: metrics::Face,
}

/// What only the accepting loop has.
struct Acceptor {
    listeners: [Listener; 2],
    max_connections: usize,
    /// Whose turn it is to get a connection.
    next: usize,
    /// Connections here without a permit.
    refused: usize,
    /// The number of the next connection.
    next_id: u64,
}

/// How event loops are set up.
pub(crate) struct Setup {
    pub(crate) socket: TcpListener,
    pub(crate) http: TcpListener,
    pub(crate) max_connections: usize,
    pub(crate) limits: Limits,
    pub(crate) drain: Duration,
    pub(crate) helpers: Helpers,
    pub(crate) helper_threads: usize,
    pub(crate) metrics: Metrics,
}

impl EventLoop {
    /// One loop for each executor.
    pub(crate) fn build(
        setup: Setup,
        executors: Vec<Executor>,
    ) -> io::Result<(Vec<EventLoop>, Arc<Lifecycle>)> {
        let mut parts = Vec::new();
        let mut mailboxes = Vec::new();
        for executor in executors {
            let poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
            let (sender, inbox) = mailbox(INBOX_CONNECTIONS, Arc::clone(&waker));
            let answers = mailbox(most_work(setup.helper_threads), waker);
            mailboxes.push(sender);
            parts.push((poll, inbox, answers, executor));
        }
        let lifecycle = Arc::new(Lifecycle {
            draining: AtomicBool::new(false),
            drain_is_over: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            metrics: setup.metrics,
            mailboxes,
        });
        let now = Instant::now();
        let buffered = Arc::default();
        let build = |(poll, inbox, (reply_to, answers), executor)| EventLoop {
            poll,
            clients: Registry::new(),
            queue: VecDeque::new(),
            timers: Timers::default(),
            paused: Vec::new(),
            inbox,
            helpers: setup.helpers.clone(),
            answers,
            reply_to,
            acceptor: None,
            cx: Context {
                buffered: Arc::clone(&buffered),
                ..Context::new(executor, setup.limits, now)
            },
            lifecycle: Arc::clone(&lifecycle),
            date_due: now,
            drain: setup.drain,
            drain_until: None,
            stop_at: None,
        };
        let mut loops: Vec<EventLoop> = parts.into_iter().map(build).collect();
        loops[0].listen(setup.socket, setup.http, setup.max_connections)?;
        Ok((loops, lifecycle))
    }

    fn listen(
        &mut self,
        socket: TcpListener,
        http: TcpListener,
        max_connections: usize,
    ) -> io::Result<()> {
        let mut listeners =
            [Listener::new(FaceKind::Socket, socket), Listener::new(FaceKind::Http, http)];
        for (index, listener) in listeners.iter_mut().enumerate() {
            let token = Token(LISTENERS + index);
            self.poll.registry().register(&mut listener.socket, token, Interest::READABLE)?;
        }
        self.acceptor =
            Some(Acceptor { listeners, max_connections, next: 0, refused: 0, next_id: 1 });
        Ok(())
    }

    /// Runs until the server has shut down.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            match self.poll.poll(&mut events, self.time_to_wait()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                // An interrupted wait leaves no events.
                _ => self.begin_turn(),
            }
            for event in &events {
                self.on_event(event.token(), event);
            }
            self.take_in();
            self.take_answers();
            self.resume_paused();
            self.accept(ACCEPTED_IN_A_TURN);
            self.drive_queued();
            self.expire();
            if self.shut_down() {
                return Ok(());
            }
        }
    }

    /// How long nothing can happen unless the system says so.
    fn time_to_wait(&self) -> Option<Duration> {
        let acceptor = self.acceptor.as_ref();
        let accepts_now = acceptor.is_some_and(|acceptor| acceptor.is_due(self.cx.now));
        if !self.queue.is_empty() || accepts_now {
            return Some(Duration::ZERO);
        }
        let retry_at = acceptor.and_then(Acceptor::retry_at);
        let resume_at = (!self.paused.is_empty()).then(|| self.cx.now + PAUSE);
        let times = [self.timers.first(), retry_at, resume_at, self.drain_until, self.stop_at];
        let first = times.into_iter().flatten().min()?;
        // A turn takes so little that its beginning will do for its end.
        Some(first.saturating_duration_since(self.cx.now))
    }

    fn begin_turn(&mut self) {
        self.cx.executor.counts().count_turn();
        self.cx.now = Instant::now();
        if self.cx.now >= self.date_due {
            self.cx.date = httpdate::fmt_http_date(SystemTime::now());
            self.date_due = self.cx.now + DATE_LASTS;
        }
        // Acquire: pairs with the Release half of the swap in `shut_down`.
        self.cx.draining = self.lifecycle.draining.load(Ordering::Acquire);
    }

    fn on_event(&mut self, token: Token, event: &mio::event::Event) {
        if token == WAKER {
            return;
        }
        if let Some(index) = token.0.checked_sub(LISTENERS) {
            if let Some(acceptor) = &mut self.acceptor {
                acceptor.listeners[index].ready = true;
            }
            return;
        }
        if let Some(client) = self.clients.get_mut(token) {
            let failed = event.is_error();
            let readable = event.is_readable() || event.is_read_closed() || failed;
            let writable = event.is_writable() || event.is_write_closed() || failed;
            client.connection.on_ready(readable, writable);
            self.enqueue(token);
        }
    }

    fn enqueue(&mut self, token: Token) {
        if let Some(client) = self.clients.get_mut(token)
            && !client.queued
        {
            client.queued = true;
            self.queue.push_back(token);
        }
    }

    /// Takes in the connections that the accepting loop has sent.
    fn take_in(&mut self) {
        while let Ok(Incoming { stream, caller, kind, permit }) = self.inbox.try_recv() {
            self.own(stream, caller, kind, Some(permit));
        }
    }

    /// Takes the answers that helpers have sent.
    fn take_answers(&mut self) {
        while let Ok((token, answer)) = self.answers.try_recv() {
            self.with_client(token, |client, cx| {
                client.connection.on_answer(cx, answer);
                Next::Again
            });
        }
    }

    /// Lets those go on who have waited for memory, if there is some.
    fn resume_paused(&mut self) {
        if !self.cx.is_short_of_memory() {
            for token in mem::take(&mut self.paused) {
                if let Some(client) = self.clients.get_mut(token) {
                    client.paused = false;
                }
                self.enqueue(token);
            }
        }
    }

    /// Makes a connection this loop's own and has it driven.
    fn own(
        &mut self,
        stream: TcpStream,
        caller: Caller,
        kind: FaceKind,
        permit: Option<Permit>,
    ) -> Option<Token> {
        let EventLoop { poll, clients, cx, .. } = self;
        let inserted = clients.insert_with(|token| {
            let mut connection = Connection::new(stream, kind, caller, cx.limits, cx.now);
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(connection.stream_mut(), token, both)?;
            Ok::<_, io::Error>(Client::new(connection, permit))
        });
        match inserted {
            Ok(token) => {
                self.cx.executor.counts().count_begun(kind.label());
                self.enqueue(token);
                Some(token)
            }
            Err(error) => {
                log::warn!("{}: the connection cannot be watched: {error}", caller.address);
                None
            }
        }
    }

    /// Accepts up to `most` connections from each listener.
    fn accept(&mut self, most: usize) {
        // Taken out for the time, since what it accepts goes into the rest of the loop.
        let Some(mut acceptor) = self.acceptor.take() else { return };
        for index in 0..acceptor.listeners.len() {
            for _ in 0..most {
                let listener = &mut acceptor.listeners[index];
                if !listener.is_due(self.cx.now) {
                    break;
                }
                let counts = self.cx.executor.counts();
                let accepted = listener.accept(self.cx.now, &self.cx.date, counts);
                let Some((stream, address)) = accepted else { break };
                let caller = Caller { id: acceptor.next_id, address };
                acceptor.next_id += 1;
                let kind = listener.kind;
                self.admit(&mut acceptor, stream, caller, kind);
            }
        }
        self.acceptor = Some(acceptor);
    }

    /// Deals a connection out to a loop, or refuses it.
    fn admit(
        &mut self,
        acceptor: &mut Acceptor,
        mut stream: TcpStream,
        caller: Caller,
        kind: FaceKind,
    ) {
        // Replies are written whole, so waiting for more to send only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            log::debug!("{}: {error}", caller.address);
        }
        let Some(permit) = self.lifecycle.admit(acceptor.max_connections) else {
            self.cx.executor.counts().count_refused();
            if acceptor.refused == MAX_REFUSED {
                turn_away(&mut stream, kind, &self.cx.date);
            } else if let Some(client) = self.own(stream, caller, kind, None) {
                acceptor.refused += 1;
                let EventLoop { clients, cx, .. } = self;
                clients
                    .get_mut(client)
                    .expect("it has just come")
                    .connection
                    .refuse(cx, too_many_connections());
            }
            return;
        };
        self.cx.executor.counts().count_accepted();
        let mailboxes = &self.lifecycle.mailboxes;
        acceptor.next = (acceptor.next + 1) % mailboxes.len();
        let mut incoming = Incoming { stream, caller, kind, permit };
        // The accepting loop is the first.
        if acceptor.next != 0 {
            match mailboxes[acceptor.next].send(incoming) {
                Ok(()) => return,
                Err(back) => incoming = back,
            }
        }
        let Incoming { stream, caller, kind, permit } = incoming;
        self.own(stream, caller, kind, Some(permit));
    }

    /// Drives those who are queued now; those who want more come again in the next turn.
    fn drive_queued(&mut self) {
        for _ in 0..self.queue.len() {
            let Some(token) = self.queue.pop_front() else { break };
            self.with_client(token, |client, cx| {
                client.queued = false;
                client.connection.drive(cx)
            });
        }
    }

    /// Looks at those whose time has come.
    fn expire(&mut self) {
        let now = self.cx.now;
        while let Some(token) = self.timers.pop_due(now) {
            self.with_client(token, |client, cx| {
                client.scheduled = None;
                if client.connection.deadline(&cx.limits) <= now {
                    client.connection.on_deadline(cx)
                } else {
                    Next::Wait
                }
            });
        }
    }

    /// Lets `act` move a connection on, and does what it says comes next.
    fn with_client(&mut self, token: Token, act: impl FnOnce(&mut Client, &mut Context) -> Next) {
        let EventLoop { clients, cx, timers, .. } = self;
        let Some(client) = clients.get_mut(token) else { return };
        // A panic is a defect of ours; it ends the connection that met it and no other one. What it
        // leaves behind is dropped, but for the executor, which stays usable by its own promise.
        let next = catch_unwind(AssertUnwindSafe(|| act(client, cx))).unwrap_or(Next::Close);
        if next == Next::Close {
            self.drop_client(token);
            return;
        }
        let deadline = client.connection.deadline(&cx.limits);
        timers.schedule(token, deadline, &mut client.scheduled);
        client.charge(&cx.buffered);
        client.count(cx.executor.counts());
        match next {
            Next::Wait | Next::Close => {}
            Next::Again => self.enqueue(token),
            Next::Pause if client.paused => {}
            Next::Pause => {
                client.paused = true;
                self.paused.push(token);
            }
            Next::Work => self.send_work(token),
        }
    }

    /// Hands a connection's work to the helpers, or has it refused.
    fn send_work(&mut self, token: Token) {
        let Some(client) = self.clients.get_mut(token) else { return };
        let Some(work) = client.connection.take_work() else { return };
        if self.helpers.submit(work, token, self.reply_to.clone()).is_err() {
            client.connection.on_busy(&mut self.cx);
            self.enqueue(token);
        }
    }

    fn drop_client(&mut self, token: Token) {
        if let Some(mut client) = self.clients.remove(token) {
            // Relaxed: as in `Client::charge`.
            self.cx.buffered.fetch_sub(client.buffered, Ordering::Relaxed);
            self.timers.cancel(token, &mut client.scheduled);
            self.cx.executor.counts().count_ended(client.label);
            if let (None, Some(acceptor)) = (&client.permit, &mut self.acceptor) {
                acceptor.refused -= 1;
            }
        }
    }

    /// Goes through the steps of shutting down; true when there is nothing left to do.
    fn shut_down(&mut self) -> bool {
        if self.cx.draining && self.acceptor.is_some() && self.drain_is_over() {
            self.stop_accepting();
        }
        // Acquire: pairs with the Release store in `stop_accepting`, so that all that was handed over
        // before is found in the inbox.
        if self.stop_at.is_none() && self.lifecycle.stopping.load(Ordering::Acquire) {
            self.stop_at = Some(self.cx.now + STOP_TIME);
            self.take_in();
            let tokens: Vec<Token> = self.clients.tokens().collect();
            for token in tokens {
                if let Some(client) = self.clients.get_mut(token) {
                    client.connection.stop();
                }
                self.enqueue(token);
            }
        }
        match self.stop_at {
            None => false,
            Some(at) if at <= self.cx.now => {
                log::warn!("{} connections did not finish in time", self.clients.len());
                true
            }
            Some(_) => self.clients.len() == 0,
        }
    }

    fn drain_is_over(&mut self) -> bool {
        let until = *self.drain_until.get_or_insert(self.cx.now + self.drain);
        // Acquire: pairs with the Release store in `Lifecycle::shut_down`.
        until <= self.cx.now || self.lifecycle.drain_is_over.load(Ordering::Acquire)
    }

    /// Takes those who have already connected, closes the listeners, and has all loops stop.
    fn stop_accepting(&mut self) {
        let listeners = self.acceptor.iter_mut().flat_map(|acceptor| &mut acceptor.listeners);
        listeners.for_each(|listener| listener.ready = true);
        self.accept(ACCEPTED_AT_THE_END);
        self.acceptor = None;
        self.drain_until = None;
        // Release: pairs with the Acquire load in `shut_down`.
        self.lifecycle.stopping.store(true, Ordering::Release);
        self.lifecycle.wake_all();
    }
}

impl Client {
    fn new(connection: Connection<TcpStream>, permit: Option<Permit>) -> Client {
        let label = connection.label();
        Client {
            connection,
            queued: false,
            paused: false,
            buffered: 0,
            scheduled: None,
            permit,
            label,
        }
    }

    /// Counts it as what it has turned out to be.
    fn count(&mut self, counts: &mut metrics::Shard) {
        let label = self.connection.label();
        if label != self.label {
            counts.count_ended(self.label);
            counts.count_begun(label);
            self.label = label;
        }
    }

    /// Brings this client's share of what is buffered over all connections up to date.
    fn charge(&mut self, buffered: &AtomicUsize) {
        let bytes = self.connection.buffered_bytes();
        if bytes != self.buffered {
            // Relaxed: only the sum matters. Wrapping: a smaller share is a sum with its complement.
            buffered.fetch_add(bytes.wrapping_sub(self.buffered), Ordering::Relaxed);
            self.buffered = bytes;
        }
    }
}

impl Acceptor {
    fn is_due(&self, now: Instant) -> bool {
        self.listeners.iter().any(|listener| listener.is_due(now))
    }

    fn retry_at(&self) -> Option<Instant> {
        self.listeners.iter().filter_map(Listener::retry_at).min()
    }
}
