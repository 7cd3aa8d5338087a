//! The one vocabulary of every face: what can be asked of the array, and what it answers.
//!
//! A face (JSON lines, REST) turns bytes into a [`Command`] and a [`Reply`] into bytes;
//! [`execute`](crate::execute) gives each command its one meaning. Nothing here knows a protocol.

use std::fmt;
use std::time::Duration;

/// The most quantiles that one command asks for: a bound on its work and on its reply.
pub const MAX_QUANTILES: usize = 1000;

/// The most buckets of a histogram: a bound on the work and on the reply.
pub const MAX_BUCKETS: usize = 10_000;

/// What can be asked of the array.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Is anybody there?
    Ping,
    /// Is the server taking new work? Refused with [`ErrorCode::ShuttingDown`] once it is not.
    Ready,
    /// Adds all of `values` at one instant, or none.
    Add {
        /// The batch, in the order in which it was sent.
        values: Vec<i64>,
        /// What the reply shows besides the two counts.
        show: Show,
    },
    /// The array, or a part of it.
    Array(Selection),
    /// The elements from one index to another, both included. Negative indexes count from the end,
    /// -1 being the last element; those outside the array stand for its ends. None where `start`
    /// lies behind `stop`.
    Slice {
        /// The index of the first element, in this order.
        start: i64,
        /// The index of the last element, in this order.
        stop: i64,
        /// The order, which comes before the indexes: descending, index 0 is the largest element.
        order: Order,
    },
    /// How many elements there are within bounds.
    Count(Bounds),
    /// Where a value stands, or would stand.
    Rank {
        /// The value, which need not be there.
        value: i64,
    },
    /// The element at an index.
    At {
        /// The index; a negative one counts from the end, -1 being the last element.
        index: i64,
    },
    /// Elements by how much of the array is not above them (nearest rank): for q = 0 the first, else
    /// of n elements the one at index `ceil(q * n) - 1`.
    Quantiles {
        /// Each from 0 to 1; at least one and at most [`MAX_QUANTILES`].
        q: Vec<f64>,
    },
    /// The smallest or the largest element.
    Extreme(End),
    /// How the elements are distributed.
    Histogram {
        /// The most buckets, from 1 to [`MAX_BUCKETS`].
        buckets: usize,
    },
    /// Removes, at one instant, one instance of each of `values`, as often as it is given, or every
    /// instance of each. What is not there is passed over.
    Remove {
        /// What to remove, in any order.
        values: Vec<i64>,
        /// Whether every instance goes.
        all: bool,
    },
    /// Removes every element within bounds at one instant.
    RemoveRange(Bounds),
    /// Removes up to `n` elements from one end at one instant and shows them. No element is ever shown
    /// by two pops.
    Pop {
        /// The end from which they are taken.
        end: End,
        /// How many at the most.
        n: usize,
    },
    /// Removes every element.
    Clear,
    /// How the server is doing.
    Stats,
    /// The same, with what takes longer to find out.
    Metrics,
}

/// The kind of a request: its command, without what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// No command: the request was refused before it meant one, or is answered without one.
    None,
    /// [`Command::Ping`].
    Ping,
    /// [`Command::Ready`].
    Ready,
    /// [`Command::Add`].
    Add,
    /// [`Command::Array`].
    Array,
    /// [`Command::Slice`].
    Slice,
    /// [`Command::Count`].
    Count,
    /// [`Command::Rank`].
    Rank,
    /// [`Command::At`].
    At,
    /// [`Command::Quantiles`].
    Quantiles,
    /// [`Command::Extreme`].
    Extreme,
    /// [`Command::Histogram`].
    Histogram,
    /// [`Command::Remove`].
    Remove,
    /// [`Command::RemoveRange`].
    RemoveRange,
    /// [`Command::Pop`].
    Pop,
    /// [`Command::Clear`].
    Clear,
    /// [`Command::Stats`].
    Stats,
    /// [`Command::Metrics`].
    Metrics,
}

impl Operation {
    /// All there are, each at the place of its number.
    pub const ALL: [Operation; 18] = [
        Operation::None,
        Operation::Ping,
        Operation::Ready,
        Operation::Add,
        Operation::Array,
        Operation::Slice,
        Operation::Count,
        Operation::Rank,
        Operation::At,
        Operation::Quantiles,
        Operation::Extreme,
        Operation::Histogram,
        Operation::Remove,
        Operation::RemoveRange,
        Operation::Pop,
        Operation::Clear,
        Operation::Stats,
        Operation::Metrics,
    ];

    /// The name by which it is counted, whatever a face calls it.
    pub fn name(self) -> &'static str {
        match self {
            Operation::None => "none",
            Operation::Ping => "ping",
            Operation::Ready => "ready",
            Operation::Add => "add",
            Operation::Array => "array",
            Operation::Slice => "slice",
            Operation::Count => "count",
            Operation::Rank => "rank",
            Operation::At => "at",
            Operation::Quantiles => "quantiles",
            Operation::Extreme => "extreme",
            Operation::Histogram => "histogram",
            Operation::Remove => "remove",
            Operation::RemoveRange => "remove_range",
            Operation::Pop => "pop",
            Operation::Clear => "clear",
            Operation::Stats => "stats",
            Operation::Metrics => "metrics",
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It was refused and changed nothing.
    Refused(ErrorCode),
    /// It met a defect of the server.
    Failed,
}

impl Outcome {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Outcome> {
        let refusals = ErrorCode::ALL.into_iter().map(Outcome::Refused);
        [Outcome::Done, Outcome::Failed].into_iter().chain(refusals)
    }

    /// Its place among all.
    pub fn number(self) -> usize {
        match self {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Refused(code) => 2 + code as usize,
        }
    }

    /// The name by which it is counted: the error's, or `ok`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Done => "ok",
            Outcome::Failed => "failed",
            Outcome::Refused(code) => code.name(),
        }
    }
}

impl Command {
    /// What kind of command this is.
    pub fn operation(&self) -> Operation {
        match self {
            Command::Ping => Operation::Ping,
            Command::Ready => Operation::Ready,
            Command::Add { .. } => Operation::Add,
            Command::Array(_) => Operation::Array,
            Command::Slice { .. } => Operation::Slice,
            Command::Count(_) => Operation::Count,
            Command::Rank { .. } => Operation::Rank,
            Command::At { .. } => Operation::At,
            Command::Quantiles { .. } => Operation::Quantiles,
            Command::Extreme(_) => Operation::Extreme,
            Command::Histogram { .. } => Operation::Histogram,
            Command::Remove { .. } => Operation::Remove,
            Command::RemoveRange(_) => Operation::RemoveRange,
            Command::Pop { .. } => Operation::Pop,
            Command::Clear => Operation::Clear,
            Command::Stats => Operation::Stats,
            Command::Metrics => Operation::Metrics,
        }
    }
}

/// The values from one to another, both included; none where `min` is above `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// The smallest value within.
    pub min: i64,
    /// The largest value within.
    pub max: i64,
}

impl Bounds {
    /// Every value.
    pub const ALL: Bounds = Bounds { min: i64::MIN, max: i64::MAX };
}

/// A part of the array: the elements within bounds, in an order, and of those a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Selection {
    /// The values that match.
    pub bounds: Bounds,
    /// The order, which comes before the window.
    pub order: Order,
    /// How many elements are left out at the beginning.
    pub offset: usize,
    /// How many elements are shown at the most.
    pub limit: usize,
}

impl Selection {
    /// Everything, ascending.
    pub const ALL: Selection =
        Selection { bounds: Bounds::ALL, order: Order::Ascending, offset: 0, limit: usize::MAX };
}

/// The order in which elements are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// From the smallest on.
    Ascending,
    /// From the largest on.
    Descending,
}

impl Order {
    /// The value that this name stands for in requests on every face.
    pub fn from_name(name: &str) -> Option<Order> {
        match name {
            "asc" => Some(Order::Ascending),
            "desc" => Some(Order::Descending),
            _ => None,
        }
    }
}

/// An end of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// That of the smallest elements.
    Min,
    /// That of the largest elements.
    Max,
}

impl End {
    /// The value that this name stands for in requests on every face.
    pub fn from_name(name: &str) -> Option<End> {
        match name {
            "min" => Some(End::Min),
            "max" => Some(End::Max),
            _ => None,
        }
    }
}

/// What the reply to an add shows besides how many were added and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Nothing more.
    Count,
    /// The batch, sorted.
    Batch,
    /// The whole array, sorted, the batch included.
    Array,
}

impl Show {
    /// The value that this name stands for in requests on every face.
    pub fn from_name(name: &str) -> Option<Show> {
        match name {
            "count" => Some(Show::Count),
            "batch" => Some(Show::Batch),
            "array" => Some(Show::Array),
            _ => None,
        }
    }
}

/// What a command answers.
#[derive(Debug)]
pub enum Reply {
    /// To [`Command::Ping`].
    Pong,
    /// To [`Command::Ready`].
    Ready,
    /// To [`Command::Add`].
    Added {
        /// The length of the batch.
        added: usize,
        /// The length of the array in a snapshot that includes the batch.
        count: usize,
        /// What was asked for by [`Show`]; none for [`Show::Count`].
        values: Option<ValueStream>,
    },
    /// To [`Command::Array`] and [`Command::Slice`].
    Array {
        /// How many elements lie within the bounds, window or not; all there are for a slice.
        count: usize,
        /// How many values the stream yields.
        shown: usize,
        /// The selected part of the array at one instant.
        values: ValueStream,
        /// What the whole array was at that instant.
        version: Version,
    },
    /// To [`Command::Count`].
    Count(usize),
    /// To [`Command::Rank`].
    Rank {
        /// The value that was asked for.
        value: i64,
        /// How many elements are less than it.
        rank: usize,
        /// How many elements are equal to it.
        equal: usize,
    },
    /// To [`Command::At`].
    At {
        /// The index that was asked for, as given.
        index: i64,
        /// The element; none where there is no such index.
        value: Option<i64>,
    },
    /// To [`Command::Quantiles`].
    Quantiles {
        /// The length of the array.
        count: usize,
        /// Each q with its element, as they were asked for; none where the array is empty.
        quantiles: Vec<(f64, Option<i64>)>,
    },
    /// To [`Command::Extreme`]: none where the array is empty.
    Value(Option<i64>),
    /// To [`Command::Histogram`].
    Histogram {
        /// The length of the array.
        count: usize,
        /// The smallest element; none where the array is empty.
        min: Option<i64>,
        /// The largest element; none where the array is empty.
        max: Option<i64>,
        /// Ascending, and every element in exactly one; none where the array is empty.
        buckets: Vec<Bucket>,
    },
    /// To [`Command::Clear`], [`Command::Remove`] and [`Command::RemoveRange`]: the exact number of
    /// elements removed.
    Removed(u64),
    /// To [`Command::Pop`].
    Popped {
        /// How many elements have been removed, which the stream yields.
        popped: usize,
        /// In the order of popping: ascending from the smallest, or descending from the largest.
        values: ValueStream,
    },
    /// To [`Command::Stats`] and [`Command::Metrics`].
    Stats(Box<Stats>),
    /// The command was refused and changed nothing.
    Error(Error),
}

impl Reply {
    /// What became of the request.
    pub fn outcome(&self) -> Outcome {
        match self {
            Reply::Error(error) => Outcome::Refused(error.code),
            Reply::At { value: None, .. } => Outcome::Refused(ErrorCode::OutOfRange),
            _ => Outcome::Done,
        }
    }
}

/// Stands for the content of the array at one instant.
///
/// Two different contents never share it, not even before and after a restart of the server. Equal
/// contents may have different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// Tells servers, and the runs of one, apart.
    pub run: u64,
    /// Tells contents of one server's array apart.
    pub state: (u64, u64),
}

/// A part of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The smallest value that belongs to it.
    pub from: i64,
    /// The largest value that belongs to it.
    pub to: i64,
    /// How many elements are in it.
    pub count: usize,
}

/// How the server is doing.
///
/// The numbers are right each by itself. They are not of one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The version of this program.
    pub version: &'static str,
    /// How long it has been running.
    pub uptime_seconds: u64,
    /// How often the array has been cleared.
    pub epoch: u64,
    /// How many elements there are.
    pub count: usize,
    /// How many connections there are, over all faces.
    pub connections: usize,
    /// Commands carried out since the start, over all faces; this one is one of them. Health checks
    /// are not counted, nor is what was refused before it meant anything.
    pub requests: u64,
    /// Values added since the start.
    pub values_added: u64,
    /// Values removed since the start.
    pub values_removed: u64,
    /// The memory of the process that is resident; none where the system does not tell.
    pub memory_bytes: Option<u64>,
    /// The parts of the store.
    pub tiers: Vec<Tier>,
    /// Descriptors that the process has open; none where the system does not tell, and for
    /// [`Command::Stats`], which does not wait for that.
    pub open_descriptors: Option<u64>,
    /// Turns that the event loops have taken.
    pub turns: u64,
    /// Connections let in since the start.
    pub connections_accepted: u64,
    /// Connections turned away since the start because there were too many.
    pub connections_refused: u64,
    /// What came in and went out, by face.
    pub traffic: Vec<Traffic>,
    /// How many requests of each kind there were; only kinds that occurred.
    pub requests_by_kind: Vec<RequestCount>,
}

/// What came in and went out over one face.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The name of the face.
    pub face: &'static str,
    /// Connections that are there now.
    pub connections: u64,
    /// Bytes received since the start.
    pub bytes_received: u64,
    /// Bytes sent since the start.
    pub bytes_sent: u64,
    /// How long answers have taken.
    pub latency: Latency,
}

/// How long answers have taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    /// How many answers took no longer than a bound, for rising bounds.
    pub within: Vec<(Duration, u64)>,
    /// How many answers there were.
    pub count: u64,
    /// How long they took together.
    pub sum: Duration,
}

/// How many requests of one kind there were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestCount {
    /// The name of the face over which they came.
    pub face: &'static str,
    /// What they asked for.
    pub operation: Operation,
    /// What became of them.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
}

/// A part of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// What it is.
    pub kind: &'static str,
    /// How many entries it holds.
    pub entries: usize,
}

/// A stream of values, pulled by the chunk so that dynamic dispatch costs nothing a value.
pub trait Values {
    /// Writes the next values to the front of `out` and returns how many there were.
    ///
    /// Zero for a non-empty `out` says that the stream has ended; so does every later call.
    fn fill(&mut self, out: &mut [i64]) -> usize;
}

impl Values for std::vec::IntoIter<i64> {
    fn fill(&mut self, out: &mut [i64]) -> usize {
        let ready = self.as_slice();
        let n = ready.len().min(out.len());
        out[..n].copy_from_slice(&ready[..n]);
        if n > 0 {
            self.nth(n - 1);
        }
        n
    }
}

/// The values of a reply, not yet read.
pub struct ValueStream(Box<dyn Values + Send>);

impl ValueStream {
    /// Wraps a source of values.
    pub fn new(values: impl Values + Send + 'static) -> ValueStream {
        ValueStream(Box::new(values))
    }
}

impl Values for ValueStream {
    fn fill(&mut self, out: &mut [i64]) -> usize {
        self.0.fill(out)
    }
}

impl fmt::Debug for ValueStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValueStream")
    }
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The kind, for programs.
    pub code: ErrorCode,
    /// The reason, for people: one line.
    pub message: String,
}

impl Error {
    /// The longest message: it may quote a request, which may be large.
    pub const MAX_MESSAGE_BYTES: usize = 500;

    /// An error of this kind with this reason, which is cut where it is too long.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Error {
        let mut message = message.into();
        if message.len() > Error::MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(Error::MAX_MESSAGE_BYTES - 3));
            message.push_str("...");
        }
        Error { code, message }
    }

    /// There is no element at this index.
    pub fn out_of_range(index: i64) -> Error {
        Error::new(ErrorCode::OutOfRange, format!("there is no element at index {index}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for Error {}

/// The kinds of refusal that all faces share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request is no JSON at all.
    BadJson,
    /// The request is well-formed and does not mean anything.
    BadRequest,
    /// There is no such operation.
    UnknownOp,
    /// There is no element at that index.
    OutOfRange,
    /// The server has too much to do for a request of this size; it may be sent again.
    Busy,
    /// The array has no room for what was to be added.
    Full,
    /// The request is larger than the server takes.
    TooLarge,
    /// The request was not complete in time.
    Timeout,
    /// The server holds as many connections as it may.
    TooManyConnections,
    /// The server is going down.
    ShuttingDown,
}

impl ErrorCode {
    /// All there are, each at the place of its number.
    pub const ALL: [ErrorCode; 10] = [
        ErrorCode::BadJson,
        ErrorCode::BadRequest,
        ErrorCode::UnknownOp,
        ErrorCode::OutOfRange,
        ErrorCode::Busy,
        ErrorCode::Full,
        ErrorCode::TooLarge,
        ErrorCode::Timeout,
        ErrorCode::TooManyConnections,
        ErrorCode::ShuttingDown,
    ];

    /// The name by which programs know it.
    pub fn name(self) -> &'static str {
        match self {
            ErrorCode::BadJson => "bad_json",
            ErrorCode::BadRequest => "bad_request",
            ErrorCode::UnknownOp => "unknown_op",
            ErrorCode::OutOfRange => "out_of_range",
            ErrorCode::Busy => "busy",
            ErrorCode::Full => "full",
            ErrorCode::TooLarge => "too_large",
            ErrorCode::Timeout => "timeout",
            ErrorCode::TooManyConnections => "too_many_connections",
            ErrorCode::ShuttingDown => "shutting_down",
        }
    }

    /// Whether the connection ends after an error of this kind.
    pub fn closes(self) -> bool {
        matches!(
            self,
            ErrorCode::TooLarge
                | ErrorCode::Timeout
                | ErrorCode::TooManyConnections
                | ErrorCode::ShuttingDown
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters() {
        for message in ["x".repeat(501), "\u{20ac}".repeat(501)] {
            let cut = Error::new(ErrorCode::BadRequest, message).message;
            assert!(cut.ends_with("...") && cut.len() <= Error::MAX_MESSAGE_BYTES, "{cut}");
        }
        assert_eq!(Error::new(ErrorCode::BadRequest, "x".repeat(500)).message.len(), 500);
    }

    #[test]
    fn all_kinds_have_the_places_of_their_numbers() {
        assert!(Operation::ALL.iter().enumerate().all(|(n, operation)| *operation as usize == n));
        assert!(ErrorCode::ALL.iter().enumerate().all(|(n, code)| *code as usize == n));
        assert!(Outcome::all().enumerate().all(|(n, outcome)| outcome.number() == n));
    }

    #[test]
    fn a_vec_streams_in_pieces_and_stays_ended() {
        let mut stream = ValueStream::new(vec![1, 2, 3].into_iter());
        let mut out = [0; 2];
        assert_eq!((stream.fill(&mut out), out), (2, [1, 2]));
        assert_eq!((stream.fill(&mut out), out[0]), (1, 3));
        assert_eq!(stream.fill(&mut out), 0);
        assert_eq!(stream.fill(&mut out), 0);
    }
}
