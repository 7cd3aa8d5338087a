//! Whether what threads see of the store, all at once, could also have come about one call at a time.
//!
//! Threads carry out short random plans on a shared multiset ([`plan`], [`crew`]); every call is noted with
//! its outcome and with stamps before and after it ([`history`]); a search finds an order of the calls
//! that the sequential specification ([`model`]) explains, or shows that there is none ([`checker`]).
//! A multiset behind a lock must always pass ([`multiset`]), and multisets with known faults must not
//! ([`broken`]).

mod broken;
mod checker;
mod crew;
mod history;
mod model;
mod multiset;
mod operation;
mod plan;

use crew::{Summary, run};
use multiset::{Locked, Store};

/// Histories of each multiset that every run of the tests checks.
const HISTORIES: usize = 4000;

/// Histories that the long run checks, unless `SORTD_TEST_HISTORIES` says otherwise: about a minute of a
/// debug build on two cores.
const MANY_HISTORIES: usize = 50_000;

/// Checks that the histories were worth it: threads begin together, so calls overlap in each of them.
fn check(summary: &Summary) {
    println!("{summary:?}");
    assert_eq!(summary.overlapping, summary.histories);
}

#[test]
fn histories_of_the_store_are_linearizable() {
    check(&run::<Store>(HISTORIES, crate::seed()).expect("the store is linearizable"));
}

#[test]
#[ignore = "takes a minute"]
fn many_histories_of_the_store_are_linearizable() {
    let histories = crate::from_environment("SORTD_TEST_HISTORIES").unwrap_or(MANY_HISTORIES);
    check(&run::<Store>(histories, crate::seed()).expect("the store is linearizable"));
}

#[test]
fn histories_of_a_multiset_behind_a_lock_are_linearizable() {
    check(&run::<Locked>(HISTORIES, crate::seed()).expect("a lock makes it so"));
}
