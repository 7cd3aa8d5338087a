//! Adds and readers.

use super::set::Set;
use super::{check, in_one_order};

#[test]
fn one_writer_and_one_reader() {
    check(2, || {
        let set = Set::new(4);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| {
            set.add(&mut claim, &[1, 2]);
            set.add(&mut claim, &[3]);
            claim
        });
        let first = set.try_read().unwrap_or_default();
        let second = set.try_read().unwrap_or_else(|| first.clone());
        let states: [&[i64]; 3] = [&[], &[1, 2], &[1, 2, 3]];
        let at = |read: &[i64]| states.iter().position(|state| *state == read);
        let (first, second) = (at(&first).expect("whole batches"), at(&second).expect("likewise"));
        assert!(first <= second);
        writer.join().expect("it ends");
        assert_eq!(set.read(), [1, 2, 3]);
    });
}

/// The second writer's batch comes after the first one's, and the reader looks at the first one's word
/// first.
#[test]
fn two_writers_and_one_reader() {
    check(2, || {
        let set = Set::new(2);
        let mut claims = [set.claim(), set.claim()];
        let writers = set.spawn(move |set| {
            set.add(&mut claims[0], &[1]);
            set.add(&mut claims[1], &[2]);
            claims
        });
        if let Some(read) = set.try_read() {
            assert_ne!(read, [2]);
        }
        writers.join().expect("it ends");
        assert_eq!(set.read(), [1, 2]);
    });
}

/// Their batches are empty of all but a count: this is about the words alone.
#[test]
fn two_writers_and_two_readers() {
    check(4, || {
        let set = Set::new(1);
        let writers = [set.claim(), set.claim()]
            .map(|mut claim| set.spawn(move |set| set.protocol.enter(&mut claim).commit(1)));
        let counts = |set: &Set| {
            let committed = set.protocol.try_snapshot()?.committed;
            let count = |slot| i64::try_from(committed.of(slot)).expect("it is small");
            Some([count(1), 2 * count(2)].into_iter().filter(|&value| value > 0).collect())
        };
        let other = set.spawn(counts);
        let one = counts(&set);
        assert!(in_one_order(one, other.join().expect("it ends")));
        writers.into_iter().for_each(|writer| writer.join().expect("it ends"));
    });
}

/// Whoever adds and then reads finds its own; and of two who do, one finds the other's.
#[test]
fn an_add_and_then_a_snapshot() {
    check(2, || {
        let set = Set::new(2);
        let (mut mine, mut theirs) = (set.claim(), set.claim());
        let other = set.spawn(move |set| {
            set.add(&mut theirs, &[2]);
            (set.try_read(), theirs)
        });
        set.add(&mut mine, &[1]);
        let one = set.try_read();
        let (two, _) = other.join().expect("it ends");
        assert!(one.as_ref().is_none_or(|read| read.contains(&1)));
        assert!(two.as_ref().is_none_or(|read| read.contains(&2)));
        assert!(in_one_order(one, two));
    });
}

#[test]
fn a_snapshot_with_a_seal_in_between() {
    check(2, || {
        let set = Set::new(1);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| {
            set.add(&mut claim, &[1]);
            // There is no room for this one.
            set.add(&mut claim, &[2]);
            claim
        });
        if let Some(read) = set.try_read() {
            assert!([&[][..], &[1], &[1, 2]].contains(&&*read));
        }
        writer.join().expect("it ends");
        assert_eq!(set.read(), [1, 2]);
    });
}

#[test]
fn two_readers_across_a_seal() {
    check(3, || {
        let set = Set::new(1);
        let mut claims = [set.claim(), set.claim()];
        let writers = set.spawn(move |set| {
            set.add(&mut claims[0], &[1]);
            // There is no room for this one.
            set.add(&mut claims[1], &[2]);
        });
        let other = set.spawn(Set::try_read);
        let read = set.try_read();
        assert!(in_one_order(read, other.join().expect("it ends")));
        writers.join().expect("it ends");
        assert_eq!(set.read(), [1, 2]);
    });
}

#[test]
fn a_bulk_against_an_add_and_two_readers() {
    check(4, || {
        let set = Set::new(1);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| set.add(&mut claim, &[1]));
        let bulk = set.spawn(|set| set.add_run(&[7, 8]));
        let other = set.spawn(Set::try_read);
        let read = set.try_read();
        let whole = |read: &Vec<i64>| read.contains(&7) == read.contains(&8);
        assert!(read.as_ref().is_none_or(whole));
        assert!(in_one_order(read, other.join().expect("it ends")));
        writer.join().expect("it ends");
        bulk.join().expect("it ends");
        assert_eq!(set.read(), [1, 7, 8]);
    });
}

/// A reader that has counted the slots before there is a second one must not see what is added later
/// without what is added through that one before.
#[test]
fn a_slot_that_appears_between_two_collects() {
    check(2, || {
        let set = Set::new(2);
        let mut first = set.claim();
        let writer = set.spawn(move |set| {
            let mut second = set.claim();
            set.add(&mut second, &[2]);
            set.add(&mut first, &[1]);
            (first, second)
        });
        if let Some(read) = set.try_read() {
            assert_ne!(read, [1]);
        }
        writer.join().expect("it ends");
    });
}

#[test]
fn a_writer_that_dies() {
    check(2, || {
        let set = Set::new(4);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| {
            set.add(&mut claim, &[1]);
            set.add_and_die(&mut claim, &[8, 9]);
            drop(claim);
            // Through another slot, or its tickets would be those of the dead.
            let mut claim = set.claim();
            set.add(&mut claim, &[2]);
            claim
        });
        if let Some(read) = set.try_read() {
            assert!([&[][..], &[1], &[1, 2]].contains(&&*read));
        }
        let _claim = writer.join().expect("it ends");
        assert_eq!(set.read(), [1, 2]);
    });
}
