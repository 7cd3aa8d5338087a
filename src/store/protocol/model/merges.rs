//! Seals and the compactor: nothing is lost and nothing is found twice.

use super::set::Set;
use super::{check, in_one_order};

/// No memtable is turned into a run before its writers have left it.
#[test]
fn an_add_against_a_seal_and_a_merge() {
    check(2, || {
        let set = Set::new(2);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| {
            set.add(&mut claim, &[1]);
            set.add(&mut claim, &[2]);
        });
        set.seal();
        set.drain();
        writer.join().expect("it ends");
        assert_eq!(set.read(), [1, 2]);
    });
}

/// One of them finds no room and seals what the other one inserts into.
#[test]
fn two_adds_against_a_seal_and_a_merge() {
    check(2, || {
        let set = Set::new(1);
        let (mut mine, mut theirs) = (set.claim(), set.claim());
        let other = set.spawn(move |set| set.add(&mut theirs, &[1]));
        set.add(&mut mine, &[2]);
        set.drain();
        other.join().expect("it ends");
        assert_eq!(set.read(), [1, 2]);
    });
}

/// The compactor takes what is sealed before it waits: a memtable that is sealed while it does is one
/// whose writers it may not have waited for.
#[test]
fn an_add_against_a_seal_during_a_merge() {
    check(3, || {
        let set = Set::new(1);
        let mut claim = set.claim();
        set.add(&mut claim, &[1]);
        assert!(set.seal());
        let writer = set.spawn(move |set| set.add(&mut claim, &[2]));
        let sealer = set.spawn(|set| set.seal());
        set.drain();
        writer.join().expect("it ends");
        sealer.join().expect("it ends");
        assert_eq!(set.read(), [1, 2]);
    });
}

#[test]
fn a_reader_during_a_merge() {
    check(3, || {
        let set = Set::with_run(1, &[5]);
        let mut claim = set.claim();
        set.add(&mut claim, &[1]);
        assert!(set.seal());
        let writer = set.spawn(move |set| set.add(&mut claim, &[2]));
        let compactor = set.spawn(|set| {
            set.drain();
            set.merge();
        });
        let (first, second) = (set.try_read(), set.try_read());
        assert!(first.iter().chain(&second).all(|read| read.contains(&1) && read.contains(&5)));
        assert!(in_one_order(first, second));
        writer.join().expect("it ends");
        compactor.join().expect("it ends");
        assert_eq!(set.read(), [1, 2, 5]);
    });
}

#[test]
fn two_seals() {
    check(3, || {
        let set = Set::new(2);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| set.add(&mut claim, &[1]));
        let other = set.spawn(|set| set.seal());
        set.seal();
        writer.join().expect("it ends");
        other.join().expect("it ends");
        assert_eq!(set.read(), [1]);
    });
}

#[test]
fn a_bulk_during_a_merge() {
    check(2, || {
        let set = Set::with_run(1, &[5]);
        let mut claim = set.claim();
        set.add(&mut claim, &[1]);
        assert!(set.seal());
        let compactor = set.spawn(|set| {
            assert!(set.drain());
            set.merge();
        });
        set.add_run(&[7]);
        compactor.join().expect("it ends");
        assert_eq!(set.read(), [1, 5, 7]);
    });
}

/// Removals whose elements lie in a run already.
#[test]
fn a_merge_of_removals_alone() {
    check(2, || {
        let set = Set::with_run(2, &[5, 6]);
        let mut claim = set.claim_for_removals();
        assert!(set.remove(&mut claim, 5));
        assert!(set.seal());
        let compactor = set.spawn(|set| {
            assert!(set.drain());
            assert!(set.merge());
        });
        assert!(set.try_read().is_none_or(|read| read == [6]));
        compactor.join().expect("it ends");
        assert_eq!(set.read(), [6]);
    });
}

/// What a dead writer has left behind gets into no run.
#[test]
fn a_merge_after_a_death() {
    check(2, || {
        let set = Set::new(4);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| {
            set.add(&mut claim, &[1]);
            set.add_and_die(&mut claim, &[8, 9]);
        });
        set.seal();
        set.drain();
        writer.join().expect("it ends");
        assert_eq!(set.read(), [1]);
    });
}
