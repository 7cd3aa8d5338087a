//! The protocol in a model checker.

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
