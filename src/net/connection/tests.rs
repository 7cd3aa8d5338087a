mod bodies;
mod bounds;
mod broken;
mod closing;
mod deadlines;
mod resp;
mod stopping;
mod work;

use super::*;

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use rouille::{Response, ResponseBody};

use crate::command::Show;
use crate::store::SortedMultiset;
use crate::wire::http;

const IDLE: Duration = Duration::from_secs(300);
const REQUEST: Duration = Duration::from_secs(10);

/// Room for the head of a response and the frames of chunks, beyond what budgets count exactly.
const OVERHEAD: usize = 1024;

const DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

const PING: &[u8] = b"{\"op\":\"ping\"}\n";
const PONG: &str = "{\"pong\":true}\n";
const GET_ARRAY: &[u8] = b"GET /array HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LIVEZ: &[u8] = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

// --- What is answered

#[test]
fn lines_are_answered_the_same_however_they_are_split() {
    let session = concat!(
        "[5,3,9]\n",
        "\r\n",
        "{\"op\":\"add\",\"values\":[7,1],\"reply\":\"batch\"}\r\n",
        "{\"op\":\"add\",\"values\":[4],\"reply\":\"array\"}\n",
        "{\"op\":\"sort\"}\n",
        "{\"op\":\"count\"}\n",
        "{\"op\":\"array\"}\n",
        "{\"op\":\"clear\"}\n",
        "[]",
    );
    let expected = concat!(
        "[3,5,9]\n",
        "{\"added\":2,\"count\":5,\"values\":[1,7]}\n",
        "{\"added\":1,\"count\":6,\"values\":[1,3,4,5,7,9]}\n",
        r#"{"error":{"code":"unknown_op","message":"there is no operation \"sort\""}}"#,
        "\n",
        "{\"count\":6}\n",
        "{\"count\":6,\"values\":[1,3,4,5,7,9]}\n",
        "{\"removed\":6}\n",
        "[]\n",
    );
    for_every_split(FaceKind::Socket, session.as_bytes(), expected);
}

#[test]
fn http_is_answered_the_same_however_it_is_split() {
    let session = concat!(
        "POST /array HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n[5,3,9]",
        "GET /array HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\n",
        "HEAD /array/count HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /array/count HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "DELETE /array HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    let chunked = |data: &str| format!("{:x}\r\n{data}\r\n0\r\n\r\n", data.len());
    let nothing = "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\
                   \"detail\":\"there is nothing at /nothing; GET / lists what there is\"}\n";
    let json = "Content-Type: application/json\r\n";
    let streamed = format!("{json}Transfer-Encoding: chunked\r\n");
    let array = format!(
        "{json}Sortd-Count: 3\r\nVary: Accept\r\nETag: (some)\r\nTransfer-Encoding: chunked\r\n"
    );
    let expected = [
        head("201 Created", &streamed),
        chunked("{\"added\":3,\"count\":3,\"values\":[3,5,9]}\n"),
        head("200 OK", &array),
        chunked("[3,5,9]\n"),
        head("200 OK", &format!("{json}Content-Length: 12\r\n")),
        head(
            "404 Not Found",
            &format!(
                "Content-Type: application/problem+json\r\nContent-Length: {}\r\n",
                nothing.len()
            ),
        ),
        nothing.to_owned(),
        head("200 OK", &format!("{json}Content-Length: 12\r\nConnection: keep-alive\r\n")),
        "{\"count\":3}\n".to_owned(),
        head("200 OK", &format!("{json}Content-Length: 14\r\nConnection: close\r\n")),
        "{\"removed\":3}\n".to_owned(),
    ];
    for_every_split(FaceKind::Http, session.as_bytes(), &expected.concat());
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let mut peer = Peer::new(FaceKind::Socket);
    let requests = "{\"op\":\"add\",\"values\":[1]}\n".repeat(2000);
    assert_eq!(peer.send(requests.as_bytes()), Next::Wait);
    let expected: String = (1..=2000).map(|n| format!("{{\"added\":1,\"count\":{n}}}\n")).collect();
    assert_eq!(peer.received(), expected);

    let mut peer = Peer::new(FaceKind::Http);
    let request =
        "POST /array?reply=count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n5";
    assert_eq!(peer.send(request.repeat(500).as_bytes()), Next::Wait);
    let received = peer.received();
    let counts: Vec<&str> = received.lines().filter(|line| line.starts_with('{')).collect();
    let expected: Vec<String> =
        (1..=500).map(|n| format!("{{\"added\":1,\"count\":{n}}}")).collect();
    assert_eq!(counts, expected);
}

#[test]
fn http_is_kept_open_or_closed_as_the_client_says() {
    let get = |version: &str, connection: &str| {
        format!("GET /livez HTTP/{version}\r\nHost: localhost\r\n{connection}\r\n")
    };
    let cases = [
        (get("1.1", ""), true),
        (get("1.1", "Connection: keep-alive\r\n"), true),
        (get("1.1", "Connection: close\r\n"), false),
        (get("1.0", ""), false),
        (get("1.0", "Connection: keep-alive\r\n"), true),
    ];
    for (request, is_kept) in cases {
        let mut peer = Peer::new(FaceKind::Http);
        assert_eq!(peer.send(request.as_bytes()), Next::Wait);
        assert_eq!(peer.send(LIVEZ), Next::Wait);
        let answers = peer.received().matches("200 OK").count();
        assert_eq!(answers, if is_kept { 2 } else { 1 }, "{request}");
        assert_eq!(peer.is_shut(), !is_kept, "{request}");
        assert_eq!(peer.received().contains("Connection: close"), !is_kept, "{request}");
        assert_eq!(peer.end(), Next::Close, "{request}");
    }
}

#[test]
fn only_readiness_changes_while_the_server_drains() {
    let mut peer = Peer::new(FaceKind::Http);
    let readyz = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    peer.send(readyz);
    assert_eq!(peer.take_received().lines().next(), Some("HTTP/1.1 200 OK"));
    peer.cx.draining = true;
    let cases = [
        (&readyz[..], "HTTP/1.1 503 Service Unavailable"),
        (LIVEZ, "HTTP/1.1 200 OK"),
        (GET_ARRAY, "HTTP/1.1 200 OK"),
        (b"POST /array HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 201 Created"),
        (readyz, "HTTP/1.1 503 Service Unavailable"),
    ];
    for (request, status) in cases {
        assert_eq!(peer.send(request), Next::Wait);
        assert_eq!(peer.take_received().lines().next(), Some(status));
    }
    assert!(!peer.is_shut());
}

// --- The other side

/// A stream that does what it is told: no bytes but those that came in, no room but what was given.
struct FakeStream {
    incoming: VecDeque<Incoming>,
    /// Bytes read so far.
    taken: usize,
    written: Vec<u8>,
    /// How many more bytes can be written until somebody makes room.
    room: usize,
    most_a_write: usize,
    /// The next write fails so, once.
    write_error: Option<io::ErrorKind>,
    shutdown_fails: bool,
    is_shut: Cell<bool>,
}

enum Incoming {
    Bytes(Bytes),
    /// The other side has sent its last byte.
    End,
    /// A read fails so, once.
    Fails(io::ErrorKind),
}

impl Read for FakeStream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        assert!(!out.is_empty(), "a read of nothing looks like the end");
        match self.incoming.front_mut() {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(Incoming::End) => Ok(0),
            Some(Incoming::Fails(kind)) => {
                let error = (*kind).into();
                self.incoming.pop_front();
                Err(error)
            }
            Some(Incoming::Bytes(bytes)) => {
                let n = bytes.len().min(out.len());
                out[..n].copy_from_slice(&bytes[..n]);
                bytes.advance(n);
                if bytes.is_empty() {
                    self.incoming.pop_front();
                }
                self.taken += n;
                if n == 0 { self.read(out) } else { Ok(n) }
            }
        }
    }
}

impl Write for FakeStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.is_shut.get(), "it writes after it has said that it will not");
        if let Some(kind) = self.write_error.take() {
            return Err(kind.into());
        }
        if self.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = bytes.len().min(self.room).min(self.most_a_write);
        self.written.extend_from_slice(&bytes[..n]);
        self.room -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for FakeStream {
    fn shutdown_write(&self) -> io::Result<()> {
        if self.shutdown_fails {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.is_shut.set(true);
        Ok(())
    }
}

/// A connection, its client, and the loop between them. Tells of readiness at the edge only: when
/// bytes arrive, and when room is made where there was none.
struct Peer {
    connection: Connection<FakeStream>,
    cx: Context,
}

impl Peer {
    fn new(kind: FaceKind) -> Peer {
        Peer::with_limit(kind, 4 * STOP_BYTES)
    }

    fn with_limit(kind: FaceKind, max_request_bytes: usize) -> Peer {
        let limits = Limits {
            max_request_bytes,
            max_buffered_bytes: usize::MAX,
            idle_timeout: IDLE,
            request_timeout: REQUEST,
        };
        let now = Instant::now();
        let mut cx = Context::new(Executor::new(SortedMultiset::new().writer()), limits, now);
        cx.date = DATE.to_owned();
        let stream = FakeStream {
            incoming: VecDeque::new(),
            taken: 0,
            written: Vec::new(),
            room: usize::MAX,
            most_a_write: usize::MAX,
            write_error: None,
            shutdown_fails: false,
            is_shut: Cell::new(false),
        };
        let nobody = Caller { id: 1, address: SocketAddr::from(([127, 0, 0, 1], 1)) };
        Peer { connection: Connection::new(stream, kind, nobody, limits, now), cx }
    }

    fn stream(&mut self) -> &mut FakeStream {
        self.connection.stream_mut()
    }

    fn fill(&mut self, values: &[i64]) {
        let values = values.to_vec();
        self.cx.executor.execute(Command::Add { values, show: Show::Count });
    }

    /// Drives once; what would be done elsewhere is done at once.
    fn drive(&mut self) -> Next {
        match self.connection.drive(&mut self.cx) {
            Next::Work => {
                let work = self.connection.take_work().expect("there is work");
                let answer = work(&mut self.cx.executor);
                self.connection.on_answer(&mut self.cx, answer);
                Next::Again
            }
            next => next,
        }
    }

    /// Drives until it waits or closes.
    fn run(&mut self) -> Next {
        for _ in 0..100_000 {
            let next = self.drive();
            if next != Next::Again {
                return next;
            }
        }
        panic!("it goes on for ever");
    }

    /// Bytes arrive.
    fn arrive(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.stream().incoming.push_back(Incoming::Bytes(Bytes::copy_from_slice(bytes)));
            self.touch();
        }
    }

    /// Bytes arrive, and the connection makes of them what it can.
    fn send(&mut self, bytes: &[u8]) -> Next {
        self.arrive(bytes);
        self.run()
    }

    /// The client sends no more.
    fn end(&mut self) -> Next {
        self.stream().incoming.push_back(Incoming::End);
        self.touch();
        self.run()
    }

    /// The loop says that there may be something to read.
    fn touch(&mut self) {
        self.connection.on_ready(true, false);
    }

    /// From now on the client takes nothing.
    fn block(&mut self) {
        self.stream().room = 0;
    }

    /// The client takes so many bytes more.
    fn allow(&mut self, bytes: usize) -> Next {
        let was_blocked = self.stream().room == 0;
        self.stream().room = self.stream().room.saturating_add(bytes);
        if was_blocked {
            self.connection.on_ready(false, true);
        }
        self.run()
    }

    fn pass(&mut self, time: Duration) {
        self.cx.now += time;
    }

    fn time_left(&self) -> Duration {
        let deadline = self.connection.deadline(&self.cx.limits);
        deadline.saturating_duration_since(self.cx.now)
    }

    /// The deadline comes.
    fn expire(&mut self) -> Next {
        assert_eq!(self.time_left(), Duration::ZERO, "it is not yet time");
        match self.connection.on_deadline(&mut self.cx) {
            Next::Again => self.run(),
            next => next,
        }
    }

    fn is_shut(&self) -> bool {
        self.connection.stream.is_shut.get()
    }

    /// Whether there is something to write, or to be pulled and then written.
    fn has_unsent(&self) -> bool {
        self.connection.body.is_some() || !self.connection.output.is_empty()
    }

    fn received(&self) -> String {
        String::from_utf8(self.connection.stream.written.clone()).expect("answers are UTF-8")
    }

    fn take_received(&mut self) -> String {
        let received = self.received();
        self.stream().written.clear();
        received
    }

    /// The arrays in answers that show one each.
    fn received_arrays(&self, kind: FaceKind) -> Vec<String> {
        let received = self.received();
        let bodies = match kind {
            FaceKind::Socket => received.lines().map(str::to_owned).collect(),
            FaceKind::Http => http_bodies(&received),
        };
        let array = |body: &String| {
            let (start, end) = (body.find('[')?, body.rfind(']')?);
            Some(body[start..=end].to_owned())
        };
        bodies.iter().map(|body| array(body).expect("each answer shows an array")).collect()
    }

    fn assert_bounded(&self) {
        let Connection { input, output, .. } = &self.connection;
        let most = HIGH_WATER_BYTES + TURN_OUTPUT_BYTES + OVERHEAD;
        assert!(output.len() <= most, "{} bytes of output", output.len());
        assert!(output.capacity() <= 4 * most, "room for {} bytes of output", output.capacity());
        let most = 2 * TURN_INPUT_BYTES;
        assert!(input.len() <= most, "{} bytes of input", input.len());
        assert!(input.capacity() <= 4 * most, "room for {} bytes of input", input.capacity());
    }
}

/// A request after which there is no other one.
struct Refused {
    name: &'static str,
    kind: FaceKind,
    request: Vec<u8>,
    expected: &'static str,
}

/// The longest line or body where something is refused.
const REFUSED_ABOVE: usize = 1000;

fn refusals() -> [Refused; 9] {
    let too_long = &[&b"["[..], &[b' '; REFUSED_ABOVE]].concat();
    let too_large = b"POST /array HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n";
    let beyond = b"POST /array HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999\r\n\r\n";
    let refused = |name, kind, request: &[u8], expected| {
        let request = request.to_vec();
        Refused { name, kind, request, expected }
    };
    [
        refused("an unknown dialect", FaceKind::Socket, b"5\n", "\"code\":\"bad_json\""),
        refused("no array", FaceKind::Socket, b"*x\r\n", "-ERR Protocol error: "),
        refused("an array too large", FaceKind::Socket, b"*1\r\n$992\r\n", "-ERR Protocol error: "),
        refused("a farewell", FaceKind::Socket, b"QUIT\r\nPING\r\n", "+OK\r\n"),
        refused("a line too long", FaceKind::Socket, too_long, "\"code\":\"too_large\""),
        refused("lines on HTTP", FaceKind::Http, PING, "HTTP/1.1 400 Bad Request"),
        refused("a line feed", FaceKind::Http, b"GET / HTTP/1.1\n\n", "HTTP/1.1 400 Bad Request"),
        refused("too large", FaceKind::Http, too_large, "HTTP/1.1 413 Content Too Large"),
        refused("way too large", FaceKind::Http, beyond, "HTTP/1.1 413 Content Too Large"),
    ]
}

impl Refused {
    /// The one that is going to be refused.
    fn unsent(&self) -> Peer {
        Peer::with_limit(self.kind, REFUSED_ABOVE)
    }

    /// The same after its answer has been sent.
    fn peer(&self) -> Peer {
        let mut peer = self.unsent();
        assert_eq!(peer.send(&self.request), Next::Wait, "{}", self.name);
        peer
    }
}

/// The whole session at once, split at every place, and byte by byte: always the same answer.
fn for_every_split(kind: FaceKind, session: &[u8], expected: &str) {
    let answer = |pieces: &[&[u8]]| {
        let mut peer = Peer::new(kind);
        for piece in pieces {
            assert_eq!(peer.send(piece), Next::Wait);
        }
        assert_eq!(peer.end(), Next::Close);
        without_tags(&peer.received())
    };
    assert_eq!(answer(&[session]), expected);
    for at in 0..=session.len() {
        let (first, second) = session.split_at(at);
        assert_eq!(answer(&[first, second]), expected, "split at {at}");
    }
    assert_eq!(answer(&session.chunks(1).collect::<Vec<_>>()), expected, "byte by byte");
}

/// The same with all entity tags alike: each peer has its own.
fn without_tags(text: &str) -> String {
    let lines = text.split_inclusive("\r\n");
    lines.map(|line| if line.starts_with("ETag: \"") { "ETag: (some)\r\n" } else { line }).collect()
}

fn head(status: &str, fields: &str) -> String {
    format!("HTTP/1.1 {status}\r\nDate: {DATE}\r\n{fields}\r\n")
}

/// Values with 19 digits and a comma or a bracket each.
fn many_values(n: i64) -> Vec<i64> {
    (0..n).map(|i| 5_000_000_000_000_000_000 + i).collect()
}

/// What asks for the whole array, on all ways to send it.
fn big_requests() -> [(&'static [u8], FaceKind); 4] {
    [
        (b"[]\n", FaceKind::Socket),
        (b"{\"op\":\"array\"}\n", FaceKind::Socket),
        (GET_ARRAY, FaceKind::Http),
        (b"GET /array HTTP/1.0\r\n\r\n", FaceKind::Http),
    ]
}

fn get_array(kind: FaceKind) -> Vec<u8> {
    match kind {
        FaceKind::Socket => b"[]\n".to_vec(),
        FaceKind::Http => GET_ARRAY.to_vec(),
    }
}

/// A request for the whole array that is `length` bytes long.
fn padded(kind: FaceKind, length: usize) -> Vec<u8> {
    match kind {
        FaceKind::Socket => {
            let mut line = vec![b' '; length];
            line[0] = b'[';
            line[length - 2..].copy_from_slice(b"]\n");
            line
        }
        FaceKind::Http => {
            let head = |body: usize| {
                format!(
                    "GET /array HTTP/1.1\r\nHost: localhost\r\nContent-Length: {body:08}\r\n\r\n"
                )
            };
            let body = length - head(0).len();
            [head(body).as_bytes(), &vec![b' '; body]].concat()
        }
    }
}

fn array_text(values: &[i64]) -> String {
    serde_json::to_string(values).expect("integers are JSON")
}

/// The bodies of responses that all announce a length, or are chunked, or go on to the end.
fn http_bodies(mut received: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    while !received.is_empty() {
        let (head, rest) = received.split_once("\r\n\r\n").expect("a head has an end");
        received = rest;
        let mut body = String::new();
        if head.contains("Transfer-Encoding: chunked") {
            loop {
                let (length, rest) = received.split_once("\r\n").expect("a chunk has a length");
                let length = usize::from_str_radix(length, 16).expect("it is hexadecimal");
                body += &rest[..length];
                received = rest[length..].strip_prefix("\r\n").expect("a chunk has an end");
                if length == 0 {
                    break;
                }
            }
        } else if let Some((_, length)) = head.split_once("Content-Length: ") {
            let length = length.lines().next().unwrap_or_default();
            let (start, rest) = received.split_at(length.parse().expect("it is a number"));
            body += start;
            received = rest;
        } else {
            body += std::mem::take(&mut received);
        }
        bodies.push(body);
    }
    bodies
}

/// A request that is carried out elsewhere, and one that is not.
fn clear_and_count(kind: FaceKind) -> Vec<u8> {
    match kind {
        FaceKind::Socket => b"{\"op\":\"clear\"}\n{\"op\":\"count\"}\n".to_vec(),
        FaceKind::Http => b"DELETE /array HTTP/1.1\r\nHost: h\r\n\r\n\
            GET /array/count HTTP/1.1\r\nHost: h\r\n\r\n"
            .to_vec(),
    }
}
