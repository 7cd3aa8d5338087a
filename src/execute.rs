//! What each command means: the only place where meaning meets data.

use crate::command::{Command, Reply, Show, ValueStream, Values};
use crate::store::{Range, Writer};

/// How long a command may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Some tens of microseconds, whatever the array's size.
    Small,
    /// Perhaps more than a millisecond: not for a thread that others wait for.
    Large,
}

/// The most values that are added in passing: a millisecond in a large array.
const SMALL_BATCH: usize = 512;

/// What a command may cost, told without looking at the array. O(1).
pub fn cost(command: &Command) -> Cost {
    match command {
        Command::Add { values, .. } if values.len() > SMALL_BATCH => Cost::Large,
        // Its return waits for the batches in flight, which may be large.
        Command::Clear => Cost::Large,
        Command::Ping | Command::Ready | Command::Add { .. } | Command::Array | Command::Count => {
            Cost::Small
        }
    }
}

/// Carries out one command and returns its reply.
///
/// The array changes, if at all, before this returns; a reply that streams values shows a snapshot
/// taken before it returns.
///
/// ```
/// use sortd::command::{Command, Reply, Show};
///
/// let mut writer = sortd::store::SortedMultiset::new().writer();
/// let add = Command::Add { values: vec![5, 3], show: Show::Count };
/// let reply = sortd::execute::execute(&mut writer, add);
/// assert!(matches!(reply, Reply::Added { added: 2, count: 2, values: None }));
/// ```
pub fn execute(writer: &mut Writer, command: Command) -> Reply {
    match command {
        Command::Ping => Reply::Pong,
        Command::Ready => Reply::Ready,
        Command::Add { values, show } => add(writer, values, show),
        Command::Array => {
            let snapshot = writer.set().snapshot();
            Reply::Array { count: snapshot.len(), values: ValueStream::new(snapshot.iter()) }
        }
        Command::Count => Reply::Count(writer.set().len()),
        Command::Clear => Reply::Removed(writer.set().clear()),
    }
}

fn add(writer: &mut Writer, mut values: Vec<i64>, show: Show) -> Reply {
    writer.add(&values);
    let added = values.len();
    let snapshot = writer.set().snapshot();
    let values = match show {
        Show::Count => None,
        Show::Batch => {
            values.sort_unstable();
            Some(ValueStream::new(values.into_iter()))
        }
        Show::Array => Some(ValueStream::new(snapshot.iter())),
    };
    Reply::Added { added, count: snapshot.len(), values }
}

impl Values for Range {
    fn fill(&mut self, out: &mut [i64]) -> usize {
        Range::fill(self, out)
    }
}
