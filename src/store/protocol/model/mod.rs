//! The protocol in a model checker.

mod clears;
mod merges;
mod platform;
mod reads;
mod removals;
mod set;

use loom::model::Builder;

/// Runs a model of so many threads in every order with at most 5 − `threads` preemptions (a thread being
/// interrupted where it could go on), and with every value that a load may return. The environment
/// variable `LOOM_MAX_PREEMPTIONS` says otherwise.
fn check(threads: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(5 - threads);
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
