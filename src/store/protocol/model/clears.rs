//! Clears: everything that was added is in a clear's count or in later snapshots, never in both.

use super::check;
use super::set::Set;

#[test]
fn an_add_against_a_clear() {
    check(2, || {
        let set = Set::new(2);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| {
            set.add(&mut claim, &[1]);
            set.add(&mut claim, &[2]);
            claim
        });
        let cleared = set.clear();
        let mut claim = writer.join().expect("it ends");
        let left: &[i64] = match cleared {
            0 => &[1, 2],
            1 => &[2],
            _ => &[],
        };
        assert_eq!(set.read(), left);
        set.add(&mut claim, &[3]);
        assert_eq!(set.clear(), left.len() as u64 + 1);
    });
}

#[test]
fn an_add_against_a_clear_and_a_reader() {
    check(3, || {
        let set = Set::new(2);
        let mut claim = set.claim();
        set.add(&mut claim, &[1]);
        let writer = set.spawn(move |set| set.add(&mut claim, &[2, 3]));
        let reader = set.spawn(|set| (set.try_read(), set.try_read()));
        let cleared = set.clear();
        writer.join().expect("it ends");
        let (first, second) = reader.join().expect("it ends");
        let states: [&[i64]; 4] =
            if cleared == 1 { [&[1], &[], &[], &[2, 3]] } else { [&[1], &[1, 2, 3], &[], &[]] };
        let at = |read: &Vec<i64>| states.iter().position(|state| *state == &**read);
        let first = first.map_or(0, |read| at(&read).expect("the reader sees a state"));
        let rest = second.map(|read| states[first..].contains(&&*read));
        assert!(rest.unwrap_or(true), "the reader sees states in their order");
        assert_eq!(set.read(), states[3]);
    });
}

#[test]
fn two_clears_against_an_add() {
    check(3, || {
        let set = Set::new(1);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| set.add(&mut claim, &[1]));
        let other = set.spawn(|set| set.clear());
        let cleared = set.clear() + other.join().expect("it ends");
        writer.join().expect("it ends");
        assert_eq!(cleared + set.read().len() as u64, 1);
    });
}

#[test]
fn a_bulk_against_a_clear() {
    check(2, || {
        let set = Set::new(1);
        let bulk = set.spawn(|set| set.add_run(&[7, 8]));
        let cleared = set.clear();
        bulk.join().expect("it ends");
        assert_eq!(cleared + set.read().len() as u64, 2);
        assert_ne!(cleared, 1);
    });
}

/// A slot that appears while a clear waits for the others.
#[test]
fn a_new_writer_against_a_clear() {
    check(2, || {
        let set = Set::new(1);
        let writer = set.spawn(|set| {
            let mut claim = set.claim();
            set.add(&mut claim, &[1]);
            claim
        });
        let cleared = set.clear();
        let _claim = writer.join().expect("it ends");
        assert_eq!(cleared + set.read().len() as u64, 1);
    });
}

#[test]
fn a_writer_that_dies_against_a_clear() {
    check(2, || {
        let set = Set::new(4);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| {
            set.add_and_die(&mut claim, &[8, 9]);
            drop(claim);
            let mut claim = set.claim();
            set.add(&mut claim, &[1]);
            claim
        });
        let cleared = set.clear();
        let _claim = writer.join().expect("it ends");
        let left: &[i64] = if cleared == 1 { &[] } else { &[1] };
        assert_eq!((cleared + left.len() as u64, &*set.read()), (1, left));
    });
}

#[test]
fn a_clear_during_a_merge() {
    check(2, || {
        let set = Set::with_run(1, &[5, 6]);
        let mut claim = set.claim();
        set.add(&mut claim, &[1]);
        assert!(set.seal());
        let compactor = set.spawn(|set| {
            set.drain();
            set.merge();
        });
        let cleared = set.clear();
        set.add(&mut claim, &[2]);
        set.add_run(&[3]);
        assert_eq!(cleared, 3);
        compactor.join().expect("it ends");
        assert_eq!(set.read(), [2, 3]);
    });
}
