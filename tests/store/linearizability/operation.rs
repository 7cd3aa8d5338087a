//! What a thread can ask of a multiset, and what it can hear in answer.

use std::fmt;
use std::ops::RangeInclusive;

/// The end of the multiset at which a pop takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Min,
    Max,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// One batch.
    Add(Vec<i64>),
    /// One instance.
    Remove(i64),
    /// One instance of each, as often as it is given.
    RemoveMany(Vec<i64>),
    /// Every instance.
    RemoveAll(i64),
    /// Every instance of each.
    RemoveAllMany(Vec<i64>),
    RemoveRange(RangeInclusive<i64>),
    Pop(End),
    PopMany(End, usize),
    Clear,
    Len,
    /// The length and the contents, both of one snapshot.
    Snapshot,
    /// How many elements are less.
    Rank(i64),
    At(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Whether there was one to remove.
    Found(bool),
    /// How many were removed.
    Removed(u64),
    Count(usize),
    Value(Option<i64>),
    /// In the order of popping.
    Values(Vec<i64>),
    Snapshot {
        len: usize,
        values: Vec<i64>,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Min => "min",
            End::Max => "max",
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Add(values) => write!(f, "add {}", list(values)),
            Operation::Remove(value) => write!(f, "remove {}", name(*value)),
            Operation::RemoveMany(values) => write!(f, "remove_many {}", list(values)),
            Operation::RemoveAll(value) => write!(f, "remove_all {}", name(*value)),
            Operation::RemoveAllMany(values) => write!(f, "remove_all_many {}", list(values)),
            Operation::RemoveRange(range) => {
                write!(f, "remove_range {}..={}", name(*range.start()), name(*range.end()))
            }
            Operation::Pop(end) => write!(f, "pop_{end}"),
            Operation::PopMany(end, n) => write!(f, "pop_{end}_n {n}"),
            Operation::Clear => write!(f, "clear"),
            Operation::Len => write!(f, "len"),
            Operation::Snapshot => write!(f, "snapshot"),
            Operation::Rank(value) => write!(f, "rank {}", name(*value)),
            Operation::At(index) => write!(f, "at {index}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => write!(f, "done"),
            Outcome::Found(found) => write!(f, "{found}"),
            Outcome::Removed(removed) => write!(f, "{removed} removed"),
            Outcome::Count(count) => write!(f, "{count}"),
            Outcome::Value(Some(value)) => write!(f, "{}", name(*value)),
            Outcome::Value(None) => write!(f, "none"),
            Outcome::Values(values) => write!(f, "{}", list(values)),
            Outcome::Snapshot { len, values } => write!(f, "{} of len {len}", list(values)),
        }
    }
}

/// The values in brackets, equal neighbours as `value ×times`.
pub(crate) fn list(values: &[i64]) -> String {
    let heaps = values.chunk_by(|a, b| a == b).map(|heap| match heap.len() {
        1 => name(heap[0]),
        n => format!("{} ×{n}", name(heap[0])),
    });
    format!("[{}]", heaps.collect::<Vec<_>>().join(", "))
}

fn name(value: i64) -> String {
    match value {
        i64::MIN => "MIN".into(),
        i64::MAX => "MAX".into(),
        value => value.to_string(),
    }
}
