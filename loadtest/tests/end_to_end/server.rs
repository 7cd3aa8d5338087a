//! A small server for tests that keeps one sorted array, honestly or not: one thread a connection,
//! on a free port.

use serde::Deserialize;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::vocabulary::{Answer as Said, Lie, Request};
use crate::{http, lines, resp};

/// One batch in so many gets the faulty treatment.
const FAULT_EVERY: u64 = 10;
/// Batches after which [`Fault::Dies`] does.
const LAST_BATCH: u64 = 100;
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
    /// Stops listening after a while, and closes each connection at its next batch.
    Dies,
    /// Says that it added one value more than it did.
    WrongAdded,
    /// Replies with a count that leaves out one value of the batch, and all before it.
    CountTooSmall,
    /// Replies with a count of more values than were ever sent.
    CountTooLarge,
    /// Replies with a count that is one less than before the batch.
    CountDecreases,
    /// Replies nothing and goes on with the next request.
    SwallowsReply,
    /// Lies about something in the vocabulary beyond adds.
    Lies(Lie),
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

/// `{"op":"add","values":[...]}` with what the reply is to show.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    #[serde(rename = "op")]
    _op: AddOp,
    values: Vec<i64>,
    reply: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum AddOp {
    Add,
}

/// What a reply to an add may say.
pub(crate) struct Shown {
    pub(crate) added: usize,
    pub(crate) count: usize,
    /// Sorted.
    batch: Vec<i64>,
    array: Vec<i64>,
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
        let host = match fault {
            Fault::StopsListening | Fault::Dies => "127.0.0.2",
            _ => "127.0.0.1",
        };
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
    let face = Face::of(reader.fill_buf()?);
    loop {
        let answer = match face {
            Face::Lines => {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                state.answer(line.trim_end())
            }
            Face::Resp => match resp::read(&mut reader)? {
                Some(request) => state.carry_out(request, resp::length, resp::encode),
                None => return Ok(()),
            },
            Face::Http => match http::read(&mut reader)? {
                Some(request) => state.carry_out(request, http::receipt, http::encode),
                None => return Ok(()),
            },
        };
        if state.stopping.load(Ordering::SeqCst) {
            // Wakes the acceptor; one that has stopped listening needs no waking.
            let _ = TcpStream::connect(stream.local_addr()?);
            return Ok(());
        }
        match answer {
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

/// How a client speaks, known by the first byte of its connection.
#[derive(Clone, Copy)]
enum Face {
    Lines,
    Resp,
    Http,
}

impl Face {
    fn of(bytes: &[u8]) -> Self {
        match bytes.first() {
            Some(b'*') => Face::Resp,
            Some(byte) if byte.is_ascii_uppercase() => Face::Http,
            _ => Face::Lines,
        }
    }
}

impl State {
    /// What comes of a request that is no line; `write` writes the reply to an add but for its last
    /// byte, a newline, and `encode` any other.
    fn carry_out(
        &self,
        request: Request,
        write: fn(&Shown) -> String,
        encode: fn(&Request, Said) -> Vec<u8>,
    ) -> Answer {
        if let Request::Add(batch) = &request {
            return self.add(batch, write);
        }
        let mut array = self.array.lock().expect("no thread panicked");
        let said = request.carry_out(&mut array);
        Answer::Reply(encode(
            &request,
            match self.fault {
                Fault::Lies(lie) => lie.told(&request, said),
                _ => said,
            },
        ))
    }

    fn answer(&self, request: &str) -> Answer {
        if request.starts_with('[') {
            let batch: Vec<i64> = serde_json::from_str(request).expect("a batch");
            return self.add(&batch, bare_array);
        }
        if let Ok(Add { values, reply, .. }) = serde_json::from_str(request) {
            return self.add(
                &values,
                match reply.as_deref() {
                    None | Some("count") => receipt,
                    Some("batch") => receipt_with_batch,
                    Some("array") => receipt_with_array,
                    Some(other) => panic!("no client asks for {other}"),
                },
            );
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
            _ => {
                drop(array);
                match lines::read(request) {
                    Some(request) => self.carry_out(request, receipt, lines::encode),
                    None => Answer::Reply(refusal("unknown_op")),
                }
            }
        }
    }

    /// Adds the batch; `write` writes the reply.
    fn add(&self, batch: &[i64], write: fn(&Shown) -> String) -> Answer {
        let mut array = self.array.lock().expect("no thread panicked");
        let number = self.batches.fetch_add(1, Ordering::SeqCst) + 1;
        let faulty = number.is_multiple_of(FAULT_EVERY);
        if faulty && self.fault == Fault::Refuses {
            return Answer::Reply(refusal("full"));
        }
        if number == LAST_BATCH && self.fault == Fault::Dies {
            self.stopping.store(true, Ordering::SeqCst);
        }
        array.extend_from_slice(batch);
        if faulty {
            self.spoil(&mut array, batch);
        }
        // Not sort_unstable, which makes nothing of the order that is there already.
        array.sort();
        let shown = self.show(&array, batch, faulty);
        let reply = format!("{}\n", write(&shown)).into_bytes();
        if faulty { self.deliver(reply) } else { Answer::Reply(reply) }
    }

    /// What the reply says, lies included.
    fn show(&self, array: &[i64], batch: &[i64], faulty: bool) -> Shown {
        let mut shown = Shown {
            added: batch.len(),
            count: array.len(),
            batch: batch.to_vec(),
            array: array.to_vec(),
        };
        shown.batch.sort_unstable();
        match self.fault {
            _ if !faulty => {}
            Fault::Unsorted | Fault::SharedAndUnsorted => {
                shown.array.reverse();
                shown.batch.reverse();
            }
            Fault::OmitsFromReply => {
                shown.array.retain(|&value| value != batch[0]);
                shown.batch.retain(|&value| value != batch[0]);
            }
            Fault::WrongAdded => shown.added += 1,
            Fault::CountTooSmall => shown.count = batch.len() - 1,
            Fault::CountTooLarge => shown.count += 1_000_000,
            Fault::CountDecreases => shown.count -= batch.len() + 1,
            _ => {}
        }
        shown
    }

    /// What becomes of the reply to a batch that gets the faulty treatment.
    fn deliver(&self, mut reply: Vec<u8>) -> Answer {
        match self.fault {
            Fault::HangsUp => {
                reply.truncate(reply.len() / 2);
                Answer::Last(reply)
            }
            Fault::ClosesWithoutReply => Answer::Last(Vec::new()),
            Fault::NeverReplies => Answer::Silence(Vec::new()),
            Fault::SwallowsReply => Answer::Reply(Vec::new()),
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

fn bare_array(shown: &Shown) -> String {
    text(&shown.array)
}

/// What was added and how many there are, as JSON.
pub(crate) fn receipt(Shown { added, count, .. }: &Shown) -> String {
    format!("{{\"added\":{added},\"count\":{count}}}")
}

fn receipt_with_batch(Shown { added, count, batch, .. }: &Shown) -> String {
    format!("{{\"added\":{added},\"count\":{count},\"values\":{}}}", text(batch))
}

fn receipt_with_array(Shown { added, count, array, .. }: &Shown) -> String {
    format!("{{\"added\":{added},\"count\":{count},\"values\":{}}}", text(array))
}

/// A bare JSON array.
pub(crate) fn text(values: &[i64]) -> String {
    serde_json::to_string(values).expect("integers serialise")
}

fn count_line(count: usize) -> Vec<u8> {
    format!("{{\"count\":{count}}}\n").into_bytes()
}

/// A refusal as a line of JSON.
pub(crate) fn refusal(code: &str) -> Vec<u8> {
    format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"not now\"}}}}\n").into_bytes()
}
