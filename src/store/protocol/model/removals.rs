//! Removals: one by one, as entries of slot 0, and several at once, as records.

use super::check;
use super::set::Set;

#[test]
fn a_remove_against_a_clear() {
    check(2, || {
        let set = Set::new(2);
        let mut claim = set.claim();
        set.add(&mut claim, &[1]);
        let remover = set.spawn(|set| set.remove(&mut set.claim_for_removals(), 1));
        let cleared = set.clear();
        let removed = remover.join().expect("it ends");
        assert_eq!(cleared, u64::from(!removed));
        assert!(set.read().is_empty());
    });
}

/// The element to be removed is there again after the clear, or not.
#[test]
fn a_remove_against_a_clear_and_an_add() {
    check(2, || {
        let set = Set::new(2);
        let mut claim = set.claim();
        set.add(&mut claim, &[1]);
        let remover = set.spawn(|set| set.remove(&mut set.claim_for_removals(), 1));
        let cleared = set.clear();
        set.add(&mut claim, &[1]);
        let removed = u64::from(remover.join().expect("it ends"));
        assert_eq!(cleared + removed + set.read().len() as u64, 2);
    });
}

#[test]
fn a_remove_against_a_seal_and_a_merge() {
    check(2, || {
        let set = Set::new(2);
        let mut claim = set.claim();
        set.add(&mut claim, &[1]);
        let remover = set.spawn(|set| set.remove(&mut set.claim_for_removals(), 1));
        set.seal();
        set.drain();
        assert!(remover.join().expect("it ends"));
        assert!(set.read().is_empty());
    });
}

#[test]
fn a_remove_against_an_add_and_a_reader() {
    check(3, || {
        let set = Set::new(2);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| set.add(&mut claim, &[1]));
        let remover = set.spawn(|set| set.remove(&mut set.claim_for_removals(), 1));
        let (first, second) = (set.try_read(), set.try_read());
        let removed = remover.join().expect("it ends");
        writer.join().expect("it ends");
        let seen = [first, second].into_iter().flatten();
        let states: &[&[i64]] = if removed { &[&[], &[1], &[]] } else { &[&[], &[1]] };
        assert!(seen.into_iter().all(|read| states.contains(&&*read)));
        assert_eq!(&&*set.read(), states.last().expect("there are some"));
    });
}

/// What is popped is the smallest element at one instant, and readers agree on which.
#[test]
fn a_pop_against_an_add_and_a_reader() {
    check(3, || {
        let set = Set::with_run(1, &[5]);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| set.add(&mut claim, &[3]));
        let popper = set.spawn(Set::pop);
        let read = set.try_read();
        let popped = popper.join().expect("it ends");
        writer.join().expect("it ends");
        let (states, last): ([&[i64]; 3], &[i64]) = match popped {
            Some(5) => ([&[5], &[], &[3]], &[3]),
            _ => ([&[5], &[3, 5], &[5]], &[5]),
        };
        assert!(read.is_none_or(|read| states.contains(&&*read)));
        assert_eq!(set.read(), last);
    });
}

/// Of two readers, one of them the writer itself, one may have seen the element added and the other one
/// the removal.
#[test]
fn a_pop_against_an_add_and_two_readers() {
    check(3, || {
        let set = Set::with_run(1, &[5]);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| {
            set.add(&mut claim, &[3]);
            set.try_read()
        });
        let popper = set.spawn(Set::pop);
        let read = set.try_read();
        let own = writer.join().expect("it ends");
        let (before, after): (&[i64], [&[i64]; 2]) = match popper.join().expect("it ends") {
            Some(5) => (&[], [&[3], &[3]]),
            _ => (&[5], [&[3, 5], &[5]]),
        };
        assert!(own.is_none_or(|read| after.contains(&&*read)));
        let states = [&[5], before, after[0], after[1]];
        assert!(read.is_none_or(|read| states.contains(&&*read)));
    });
}

#[test]
fn a_pop_against_two_readers() {
    check(3, || {
        let set = Set::with_run(1, &[5, 6]);
        let popper = set.spawn(Set::pop);
        let other = set.spawn(|set| [set.try_read(), set.try_read()]);
        let mut reads = [set.try_read(), set.try_read()];
        for reads in [&mut reads, &mut other.join().expect("it ends")] {
            let lens: Vec<usize> = reads.iter().flatten().map(Vec::len).collect();
            assert!(lens.is_sorted_by(|before, after| before >= after));
        }
        assert_eq!(popper.join().expect("it ends"), Some(5));
        assert_eq!(set.read(), [6]);
    });
}

#[test]
fn a_pop_against_a_clear() {
    check(2, || {
        let set = Set::with_run(1, &[5, 6]);
        let popper = set.spawn(Set::pop);
        let cleared = set.clear();
        let popped = popper.join().expect("it ends");
        assert_eq!(cleared, if popped.is_some() { 1 } else { 2 });
        assert!(set.read().is_empty());
    });
}

#[test]
fn a_pop_against_an_add_and_a_clear() {
    check(3, || {
        let set = Set::with_run(1, &[5]);
        let mut claim = set.claim();
        let writer = set.spawn(move |set| set.add(&mut claim, &[3]));
        let popper = set.spawn(Set::pop);
        let cleared = set.clear();
        let popped = popper.join().expect("it ends");
        writer.join().expect("it ends");
        let left = set.read();
        assert_eq!(cleared + u64::from(popped.is_some()) + left.len() as u64, 2);
    });
}

#[test]
fn a_pop_against_a_seal_and_a_merge() {
    check(2, || {
        let set = Set::with_run(2, &[6]);
        let mut claim = set.claim();
        set.add(&mut claim, &[5]);
        let popper = set.spawn(Set::pop);
        set.seal();
        set.drain();
        set.merge();
        assert_eq!(popper.join().expect("it ends"), Some(5));
        assert_eq!(set.read(), [6]);
    });
}

#[test]
fn a_pop_against_a_bulk() {
    check(2, || {
        let set = Set::with_run(1, &[5]);
        let popper = set.spawn(Set::pop);
        set.add_run(&[3]);
        let popped = popper.join().expect("it ends");
        let left = if popped == Some(5) { [3] } else { [5] };
        assert_eq!(set.read(), left);
    });
}
