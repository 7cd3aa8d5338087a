//! The server: binds, starts its threads, shuts down, joins. The one room that knows all others.

use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::panic;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::config::Config;
use crate::execute::{Capacity, Executor};
use crate::metrics::Metrics;
use crate::net::{self, EventLoop, Helpers, Lifecycle, Limits, Setup};
use crate::store::SortedMultiset;

/// A running server.
///
/// Dropping it shuts it down, as [`shutdown`](Server::shutdown) does, and waits.
///
/// ```
/// use std::io::{BufRead, BufReader, Write};
/// use std::net::TcpStream;
///
/// let any_port = "127.0.0.1:0".parse()?;
/// let config = sortd::Config { listen: any_port, http: any_port, ..Default::default() };
/// let server = sortd::Server::start(config)?;
///
/// let mut stream = TcpStream::connect(server.socket_addr())?;
/// stream.write_all(b"[5,3,9]\n")?;
/// let mut reply = String::new();
/// BufReader::new(stream).read_line(&mut reply)?;
/// assert_eq!(reply, "[3,5,9]\n");
///
/// server.shutdown();
/// server.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server {
    socket_addr: SocketAddr,
    http_addr: SocketAddr,
    lifecycle: Arc<Lifecycle>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

/// Threads for slow work. With more of them a few large requests would take all cores from hundreds
/// of small ones; with one, they would all wait for the first.
const HELPERS: usize = 2;

impl Server {
    /// Binds both listeners and starts to serve.
    ///
    /// The settings of the log are not looked at: logging is set up by whoever owns the process.
    ///
    /// # Errors
    /// When an address cannot be bound or the system refuses a thread or a descriptor. Nothing runs
    /// then.
    pub fn start(config: Config) -> Result<Server, StartError> {
        let bind = |flag, address| {
            net::bind(address).map_err(|source| StartError::Bind { flag, address, source })
        };
        let socket = bind("--listen", config.listen)?;
        let http = bind("--http", config.http)?;
        let (socket_addr, http_addr) = (socket.local_addr()?, http.local_addr()?);
        let set = SortedMultiset::new();
        let metrics = Metrics::new();
        let capacity = (config.max_values > 0).then(|| Capacity::new(config.max_values));
        let executor = |_| {
            let executor = Executor::new(set.writer()).with_metrics(metrics.shard());
            match &capacity {
                Some(capacity) => executor.with_capacity(capacity.clone()),
                None => executor,
            }
        };
        let executors = |n: usize| (0..n).map(executor).collect();
        let helpers = Helpers::start(executors(HELPERS))?;
        let setup = Setup {
            socket,
            http,
            max_connections: config.max_connections,
            limits: Limits {
                max_request_bytes: config.max_request_bytes,
                idle_timeout: config.idle_timeout,
                request_timeout: config.request_timeout,
                max_buffered_bytes: config.max_buffered_bytes,
            },
            drain: config.drain,
            helpers,
            helper_threads: HELPERS,
            metrics: metrics.clone(),
        };
        let (loops, lifecycle) = EventLoop::build(setup, executors(config.workers.max(1)))?;
        let mut server = Server { socket_addr, http_addr, lifecycle, threads: Vec::new() };
        for (index, event_loop) in loops.into_iter().enumerate() {
            // Where one cannot be started, dropping `server` ends those that were.
            let thread = spawn(index, event_loop, Arc::clone(&server.lifecycle))?;
            server.threads.push(thread);
        }
        Ok(server)
    }

    /// Where the socket listener listens; the real port if port 0 was asked for.
    pub fn socket_addr(&self) -> SocketAddr {
        self.socket_addr
    }

    /// Where the REST listener listens; the real port if port 0 was asked for.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Begins to shut down and returns at once.
    ///
    /// The server goes on for the drain time, if there is one; a second call ends that. Then it stops
    /// accepting, answers what it has received whole, and stops, after five seconds at the most.
    pub fn shutdown(&self) {
        self.lifecycle.shut_down();
    }

    /// A handle through which another thread can shut the server down.
    pub fn handle(&self) -> ShutdownHandle {
        ShutdownHandle { lifecycle: Arc::clone(&self.lifecycle) }
    }

    /// Waits until the server has shut down.
    ///
    /// # Errors
    /// When an event loop failed, after which the others shut down too.
    ///
    /// # Panics
    /// With the panic of an event loop.
    pub fn wait(mut self) -> io::Result<()> {
        let mut result = Ok(());
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(ended) => result = result.and(ended),
                Err(panicked) => panic::resume_unwind(panicked),
            }
        }
        result
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.lifecycle.shut_down_now();
        for thread in self.threads.drain(..) {
            // Said in the log when it happened.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server { socket_addr, http_addr, .. } = self;
        f.debug_struct("Server")
            .field("socket_addr", socket_addr)
            .field("http_addr", http_addr)
            .finish_non_exhaustive()
    }
}

/// A handle that shuts a [`Server`] down from another thread.
#[derive(Clone)]
pub struct ShutdownHandle {
    lifecycle: Arc<Lifecycle>,
}

impl ShutdownHandle {
    /// As [`Server::shutdown`].
    pub fn shutdown(&self) {
        self.lifecycle.shut_down();
    }
}

impl fmt::Debug for ShutdownHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownHandle").finish_non_exhaustive()
    }
}

/// Runs an event loop on a thread of its own. However it ends, the others end with it: half a server
/// that looks alive is worse than none.
fn spawn(
    index: usize,
    event_loop: EventLoop,
    lifecycle: Arc<Lifecycle>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    struct EndsAll(Arc<Lifecycle>);
    impl Drop for EndsAll {
        fn drop(&mut self) {
            self.0.abandon();
        }
    }
    thread::Builder::new().name(format!("sortd-loop-{index}")).spawn(move || {
        let ends_all = EndsAll(lifecycle);
        event_loop.run().inspect_err(|error| log::error!("an event loop failed: {error}"))?;
        // It has ended because it was told to, and so were the others.
        mem::forget(ends_all);
        Ok(())
    })
}

/// Why a server could not start.
#[derive(Debug)]
pub enum StartError {
    /// An address cannot be listened on.
    Bind {
        /// The flag that gave the address.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something else.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Bind { flag, address, source } => {
                write!(f, "cannot listen on {address} ({flag}): {source}")
            }
            StartError::System(source) => write!(f, "cannot start: {source}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Bind { source, .. } | StartError::System(source) => Some(source),
        }
    }
}

impl From<io::Error> for StartError {
    fn from(source: io::Error) -> StartError {
        StartError::System(source)
    }
}
