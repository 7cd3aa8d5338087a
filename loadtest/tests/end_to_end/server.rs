//! A small server for tests that keeps one sorted array, honestly or not: one thread a connection,
//! on a free port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// One batch in so many gets the faulty treatment.
const FAULT_EVERY: u64 = 10;
/// Connections after which [`Fault::StopsListening`] stops.
const LAST_CONNECTION: u64 = 30;
/// Connections from which on [`Fault::TurnsAway`] turns away every tenth. The first one asks for
/// the count.
const FIRST_TURNED_AWAY: u64 = 2;

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Loses a value that another batch added.
    DropsValue,
    /// Adds a value that nobody sent.
    InventsValue,
    /// Replies in descending order.
    Unsorted,
    /// Leaves a value of the batch out of the reply, though not out of the array.
    OmitsFromReply,
    /// Refuses the batch.
    Refuses,
    /// Refuses the connection before it has read a byte.
    TurnsAway,
    /// Closes the connection in the middle of the reply.
    HangsUp,
    /// Closes the connection instead of a reply.
    ClosesWithoutReply,
    /// Closes the connection with the request unread, which resets it.
    Resets,
    /// Replies nothing and leaves the connection open.
    NeverReplies,
    /// Replies with something else than JSON.
    RepliesNonsense,
    /// Replies twice.
    RepliesTwice,
    /// Sends one more byte after the client has closed its side.
    StrayByteAtClose,
    /// Replies and leaves the connection open when the client has closed its side.
    NeverCloses,
    /// Counts one value too many unless there is none.
    WrongCount,
    /// Announces one value too many before the array.
    WrongAnnouncement,
    /// Changes one value in the array asked for at the end.
    WrongFinalArray,
    /// Answers no question for the count.
    NeverCounts,
    /// Stops listening after a while.
    StopsListening,
    /// Not at fault: others clear the array and add to it meanwhile.
    SharedWithOthers,
    /// The same, and replies in descending order.
    SharedAndUnsorted,
}

/// A running server. Dropping it ends its threads, once all clients have closed their connections.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<State>,
    acceptor: Option<JoinHandle<()>>,
}

struct State {
    fault: Fault,
    array: Mutex<Vec<i64>>,
    left_open: Mutex<Vec<TcpStream>>,
    batches: AtomicU64,
    stopping: AtomicBool,
}

enum Answer {
    /// These bytes, and on to the next request.
    Reply(Vec<u8>),
    /// These bytes, and then the connection is closed.
    Last(Vec<u8>),
    /// These bytes, and when the client has closed its side those.
    ReplyThenAtClose(Vec<u8>, Vec<u8>),
    /// These bytes, and then silence: the connection stays open as long as the server runs.
    Silence(Vec<u8>),
}

impl Server {
    /// Starts an empty server.
    pub(crate) fn start(fault: Fault) -> Self {
        Self::start_with(fault, Vec::new())
    }

    /// Starts a server that holds `array`.
    pub(crate) fn start_with(fault: Fault, mut array: Vec<i64>) -> Self {
        array.sort_unstable();
        // A port that is free again must not become another test's while this one's client still
        // connects to it.
        let host = if fault == Fault::StopsListening { "127.0.0.2" } else { "127.0.0.1" };
        let listener = TcpListener::bind((host, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State {
            fault,
            array: Mutex::new(array),
            left_open: Mutex::new(Vec::new()),
            batches: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&state);
        let acceptor = Some(std::thread::spawn(move || accept(listener, &accepting)));
        Self { address, state, acceptor }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it holds.
    pub(crate) fn array(&self) -> Vec<i64> {
        self.state.array.lock().expect("no thread panicked").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor; one that has stopped listening needs no waking.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            // A panic there is told by the test's own assertions.
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: TcpListener, state: &Arc<State>) {
    let mut threads = Vec::new();
    for number in 1_u64.. {
        let stream = listener.accept().expect("the listener works").0;
        if state.stopping.load(Ordering::SeqCst) {
            break;
        }
        let serving = Arc::clone(state);
        threads.push(std::thread::spawn(move || {
            // An error is the client's going away, which is its right here.
            let _ = serve(stream, number, &serving);
        }));
        if state.fault == Fault::StopsListening && number == LAST_CONNECTION {
            break;
        }
    }
    drop(listener);
    for thread in threads {
        let _ = thread.join();
    }
}

fn serve(mut stream: TcpStream, number: u64, state: &State) -> std::io::Result<()> {
    if state.fault == Fault::TurnsAway && number % FAULT_EVERY == FIRST_TURNED_AWAY {
        return stream.write_all(&refusal("too_many_connections"));
    }
    if state.fault == Fault::Resets && number % FAULT_EVERY == FIRST_TURNED_AWAY {
        stream.peek(&mut [0])?;
        return Ok(());
    }
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        match state.answer(line.trim_end()) {
            Answer::Reply(bytes) => stream.write_all(&bytes)?,
            Answer::Last(bytes) => return stream.write_all(&bytes),
            Answer::ReplyThenAtClose(bytes, late) => {
                stream.write_all(&bytes)?;
                reader.read_to_end(&mut Vec::new())?;
                return stream.write_all(&late);
            }
            Answer::Silence(bytes) => {
                stream.write_all(&bytes)?;
                state.left_open.lock().expect("no thread panicked").push(stream);
                return Ok(());
            }
        }
    }
}

impl State {
    fn answer(&self, request: &str) -> Answer {
        if request.starts_with('[') {
            return self.add(&serde_json::from_str::<Vec<i64>>(request).expect("a batch"));
        }
        let array = self.array.lock().expect("no thread panicked");
        match request {
            r#"{"op":"count"}"# => match self.fault {
                Fault::NeverCounts => Answer::Silence(Vec::new()),
                Fault::WrongCount if !array.is_empty() => {
                    Answer::Reply(count_line(array.len() + 1))
                }
                _ => Answer::Reply(count_line(array.len())),
            },
            r#"{"op":"array"}"# => {
                let mut shown = array.clone();
                let mut announced = shown.len();
                match self.fault {
                    Fault::WrongFinalArray => shown[0] -= 1,
                    Fault::WrongAnnouncement => announced += 1,
                    _ => {}
                }
                let listing = format!("{{\"count\":{announced},\"values\":{}}}\n", text(&shown));
                Answer::Reply(listing.into_bytes())
            }
            _ => Answer::Reply(refusal("unknown_op")),
        }
    }

    fn add(&self, batch: &[i64]) -> Answer {
        let mut array = self.array.lock().expect("no thread panicked");
        let number = self.batches.fetch_add(1, Ordering::SeqCst) + 1;
        let faulty = number.is_multiple_of(FAULT_EVERY);
        if faulty && self.fault == Fault::Refuses {
            return Answer::Reply(refusal("full"));
        }
        array.extend_from_slice(batch);
        if faulty {
            self.spoil(&mut array, batch);
        }
        array.sort_unstable();
        let mut reply = format!("{}\n", text(&array)).into_bytes();
        if !faulty {
            return Answer::Reply(reply);
        }
        match self.fault {
            Fault::Unsorted | Fault::SharedAndUnsorted => {
                let descending: Vec<i64> = array.iter().rev().copied().collect();
                Answer::Reply(format!("{}\n", text(&descending)).into_bytes())
            }
            Fault::OmitsFromReply => {
                let without: Vec<i64> =
                    array.iter().copied().filter(|&value| value != batch[0]).collect();
                Answer::Reply(format!("{}\n", text(&without)).into_bytes())
            }
            Fault::HangsUp => {
                reply.truncate(reply.len() / 2);
                Answer::Last(reply)
            }
            Fault::ClosesWithoutReply => Answer::Last(Vec::new()),
            Fault::NeverReplies => Answer::Silence(Vec::new()),
            Fault::RepliesNonsense => Answer::Reply(b"nonsense\n".to_vec()),
            Fault::RepliesTwice => Answer::Reply(reply.repeat(2)),
            Fault::StrayByteAtClose => Answer::ReplyThenAtClose(reply, b"\n".to_vec()),
            Fault::NeverCloses => Answer::Silence(reply),
            _ => Answer::Reply(reply),
        }
    }

    /// Changes the array as no server may, or as others do.
    fn spoil(&self, array: &mut Vec<i64>, batch: &[i64]) {
        match self.fault {
            Fault::DropsValue => {
                if let Some(index) = array.iter().position(|value| !batch.contains(value)) {
                    array.swap_remove(index);
                }
            }
            Fault::InventsValue => array.push(1_000_000),
            Fault::SharedWithOthers | Fault::SharedAndUnsorted => {
                array.clear();
                array.extend([50, -1_000_000]);
            }
            _ => {}
        }
    }
}

fn text(values: &[i64]) -> String {
    serde_json::to_string(values).expect("integers serialise")
}

fn count_line(count: usize) -> Vec<u8> {
    format!("{{\"count\":{count}}}\n").into_bytes()
}

fn refusal(code: &str) -> Vec<u8> {
    format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"not now\"}}}}\n").into_bytes()
}
