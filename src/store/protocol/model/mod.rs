//! The protocol in a model checker: small models, which it runs in every order of their threads (with
//! few preemptions) and with every value that the memory model lets each load return.
//!
//! What they run is the protocol itself and the log of a memtable; [`set`] does with these what the
//! store, its removers and its compactor do. Sequentially consistent *accesses* are no stronger than
//! acquire and release here, and the view pointer is no stronger than that either.
//!
//! That they pass means little by itself. Each of these faults makes at least the models named beside it
//! fail (`c` for those in [`clears`], `m` [`merges`], `r` [`reads`], `x` [`removals`]):
//!
//! | fault | model |
//! |---|---|
//! | F1 or F2 left out | c: an add, m: an add against a seal and a merge, x: a remove against a clear |
//! | F3 left out | r: two writers and two readers, an add and then a snapshot |
//! | F4 left out | x: a pop against an add and two readers |
//! | the store that commits, or the one that sets the bit, relaxed | r: one writer and one reader, c: an add |
//! | the view not loaded again after the bit is set, or the bit set after that | c: an add, m: an add against a seal and a merge |
//! | entering without looking whether it is the same generation; the bit not taken back when it is not | c: an add |
//! | one collect | r: two writers and one reader |
//! | a snapshot that does not load the view again, or only looks at its generation | r: a snapshot with a seal in between |
//! | the number of slots read once | r: a slot that appears between two collects |
//! | no filter, or `<=` | r: one writer and one reader |
//! | a commit before the entries | r: one writer and one reader |
//! | a seal without compare-and-swap | m: two seals |
//! | a seal that forgets what it seals | m: two seals |
//! | a merge that does not wait, or sums before it waits | m: an add against a seal and a merge |
//! | a merge that waits before it takes | m: an add against a seal during a merge |
//! | a merge that drops removals that are left over | m: a merge of removals alone |
//! | publishing without compare-and-swap | m: a bulk during a merge |
//! | publishing without looking for what was taken, nor at the generation | c: a clear during a merge |
//! | a clear that does not wait, or sums before it waits, or keeps the generation | c: an add |
//! | a clear that does not subtract removals | x: a remove against a clear |
//! | a remover that enters a newer generation than its snapshot's | x: a remove against a clear |
//! | a remover that inserts into its snapshot's memtable | x: a remove against a seal and a merge |
//! | a dead batch's slot used again, or its bit left on | c: a writer that dies |
//! | a record not validated | x: a pop against an add and two readers |
//! | a record applied undecided | x: a pop against an add and a reader |
//! | a record decided without compare-and-swap | x: a pop against an add and two readers |
//! | a record installed without compare-and-swap | x: a pop against a bulk |
//! | readers who ignore an undecided record | x: a pop against two readers |
//! | a clear, a seal, or whoever publishes, that ignores one | x: a pop against a clear, a seal, a bulk |
//!
//! Two precautions make no difference to any model, and cannot: a merge whose memtables or runs are no
//! longer there is given up even if nobody looks at the generation; and what the first collect loads
//! is acquired by F3 even if its loads are relaxed.

mod clears;
mod merges;
mod platform;
mod reads;
mod removals;
mod set;

use loom::model::Builder;

/// How often threads may be interrupted where they could go on, in a model of two threads.
const PREEMPTIONS_OF_TWO: usize = 2;

/// The same in a model of more.
const PREEMPTIONS_OF_MORE: usize = 1;

/// Runs a model of so many threads in every order with few preemptions, and with every value that each
/// load may return. The environment variable `LOOM_MAX_PREEMPTIONS` allows more of them.
fn check(threads: usize, model: impl Fn() + Send + Sync + 'static) {
    let few = if threads == 2 { PREEMPTIONS_OF_TWO } else { PREEMPTIONS_OF_MORE };
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(few);
    builder.check(model);
}

/// Whether one of two sets of different values is part of the other: of what is only ever added to,
/// all readers see such sets.
fn one_order(a: &[i64], b: &[i64]) -> bool {
    let is_part = |a: &[i64], b: &[i64]| a.iter().all(|value| b.contains(value));
    is_part(a, b) || is_part(b, a)
}

/// What two threads have each seen of it or not.
fn in_one_order(a: Option<Vec<i64>>, b: Option<Vec<i64>>) -> bool {
    a.zip(b).is_none_or(|(a, b)| one_order(&a, &b))
}
