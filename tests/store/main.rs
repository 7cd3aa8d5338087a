//! The store under real threads: every operation accounted for.

mod linearizability;
mod stress;

use std::collections::BTreeMap;
use std::env;
use std::str::FromStr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sortd::store::{Snapshot, SortedMultiset};

/// What the random input comes from: `SORTD_TEST_SEED`, or another one each time.
fn seed() -> u64 {
    let seed = from_environment("SORTD_TEST_SEED").unwrap_or_else(rand::random);
    println!("SORTD_TEST_SEED={seed}");
    seed
}

/// The number in an environment variable, if that is set.
fn from_environment<N: FromStr>(variable: &str) -> Option<N> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

const WRITERS: i64 = 4;
const BATCHES: i64 = 1500;

/// The batch number `batch` of a writer: one value, which names both, as often as `size` says.
fn batch(writer: i64, batch: i64) -> Vec<i64> {
    vec![writer * BATCHES + batch; size(batch)]
}

fn size(batch: i64) -> usize {
    usize::try_from(batch % 7 + 1).expect("it is small")
}

fn total_added() -> u64 {
    let one_writer: usize = (0..BATCHES).map(size).sum();
    one_writer as u64 * WRITERS as u64
}

/// Checks a snapshot by itself: sorted, as long as it says, every batch whole, and of each writer an
/// unbroken run of batches (a clear takes all there are). Returns each writer's newest batch.
fn check(snapshot: &Snapshot) -> BTreeMap<i64, i64> {
    let values: Vec<i64> = snapshot.iter().collect();
    assert!(values.is_sorted(), "sorted");
    assert_eq!(values.len(), snapshot.len(), "as long as it says");
    let mut newest = BTreeMap::new();
    for run in values.chunk_by(|a, b| a == b) {
        let (writer, batch) = (run[0] / BATCHES, run[0] % BATCHES);
        assert_eq!(run.len(), size(batch), "batch {batch} of writer {writer} is whole");
        if let Some(before) = newest.insert(writer, batch) {
            assert_eq!(before + 1, batch, "no batch of writer {writer} is missing");
        }
    }
    newest
}

#[test]
fn everything_added_is_there_or_has_been_cleared() {
    let set = SortedMultiset::new();
    let writing = AtomicU64::new(WRITERS as u64);
    let cleared = AtomicU64::new(0);
    // Four writers, two readers, two who clear.
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (set, start, writing) = (&set, &start, &writing);
            scope.spawn(move || {
                let mut handle = set.writer();
                start.wait();
                for number in 0..BATCHES {
                    handle.add(&batch(writer, number));
                }
                writing.fetch_sub(1, Ordering::Release);
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                while writing.load(Ordering::Acquire) > 0 {
                    check(&set.snapshot());
                }
            });
            scope.spawn(|| {
                start.wait();
                while writing.load(Ordering::Acquire) > 0 {
                    cleared.fetch_add(set.clear(), Ordering::Relaxed);
                    thread::yield_now();
                }
            });
        }
    });
    check(&set.snapshot());
    let left = set.len() as u64;
    assert_eq!(set.clear(), left);
    assert_eq!(cleared.into_inner() + left, total_added(), "nothing lost, nothing counted twice");
}

#[test]
fn a_writer_sees_what_it_has_added() {
    let set = SortedMultiset::new();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let set = &set;
            scope.spawn(move || {
                let mut handle = set.writer();
                for number in 0..200 {
                    handle.add(&batch(writer, number));
                    assert_eq!(check(&set.snapshot()).get(&writer), Some(&number));
                }
            });
        }
    });
}

#[test]
fn a_reader_keeps_its_instant_while_others_write_and_clear() {
    let set = SortedMultiset::new();
    let values: Vec<i64> = (0..20_000).collect();
    set.writer().add(&values);
    let snapshot = set.snapshot();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut other = set.writer();
            for _ in 0..2000 {
                other.add(&values[..100]);
                set.clear();
            }
        });
        for _ in 0..3 {
            assert!(snapshot.iter().eq(values.iter().copied()));
            assert!(snapshot.iter().rev().eq(values.iter().rev().copied()));
        }
    });
}
