use super::*;

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;

fn contents(set: &SortedMultiset) -> Vec<i64> {
    set.snapshot().iter().collect()
}

#[test]
fn a_batch_that_dies_half_way_never_shows() {
    let set = SortedMultiset::new();
    let mut writer = set.writer();
    writer.add(&[1]);
    let dies = (0..3).map(|i| if i < 2 { 100 + i } else { panic!("on purpose") });
    assert!(catch_unwind(AssertUnwindSafe(|| writer.add_all(dies))).is_err());
    assert_eq!(contents(&set), [1]);

    // Had the slot been used again, these would carry the dead entries' numbers and reveal them.
    writer.add(&[2, 3, 4]);
    drop(writer);
    let mut writers: Vec<Writer> = (0..3).map(|_| set.writer()).collect();
    for writer in &mut writers {
        writer.add(&[5, 6, 7]);
    }
    assert_eq!(contents(&set), [1, 2, 3, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7]);
    assert_eq!(set.clear(), 13);

    // In the next generation nothing is retired.
    drop(writers);
    let writers: Vec<Writer> = (0..MAX_WRITERS).filter_map(|_| set.try_writer()).collect();
    assert_eq!(writers.len(), MAX_WRITERS);
}

#[test]
fn a_dead_batch_does_not_hold_up_a_clear() {
    let set = SortedMultiset::new();
    let mut writer = set.writer();
    let dies = std::iter::once_with(|| panic!("on purpose"));
    assert!(catch_unwind(AssertUnwindSafe(|| writer.add_all(dies))).is_err());
    assert_eq!(set.clear(), 0);
}

#[test]
fn a_batch_in_flight_is_invisible_until_it_commits() {
    let set = SortedMultiset::new();
    let mut writer = set.writer();
    let reader = SortedMultiset { shared: Arc::clone(&set.shared) };
    writer.add_all((0..10).inspect(|_| assert!(contents(&reader).is_empty())));
    assert_eq!(set.len(), 10);
}

#[test]
fn writers_are_limited_and_replaceable() {
    let set = SortedMultiset::new();
    let mut writers: Vec<Writer> = (0..MAX_WRITERS).map(|_| set.writer()).collect();
    assert!(set.try_writer().is_none());
    writers.pop();
    set.writer().add(&[1]);
    set.writer().add(&[2]);
    assert_eq!(contents(&set), [1, 2]);
}

#[test]
fn a_snapshot_outlives_clear_and_set() {
    let set = SortedMultiset::new();
    set.writer().add(&(0..5000).collect::<Vec<i64>>());
    let old = set.snapshot();
    assert_eq!(set.clear(), 5000);
    set.writer().add(&[-1]);
    drop(set);
    assert_eq!(old.iter().sum::<i64>(), 4999 * 2500);
}

#[test]
fn the_epoch_counts_clears() {
    let set = SortedMultiset::new();
    assert_eq!(set.epoch(), 0);
    set.writer().add(&[1, 2]);
    let entries = |set: &SortedMultiset| set.snapshot().tiers().iter().map(|t| t.entries).sum();
    assert_eq!((set.epoch(), entries(&set)), (0, 2));
    set.clear();
    set.clear();
    assert_eq!((set.epoch(), entries(&set)), (2, 0));
}

#[test]
fn a_scan_steps_over_what_came_later() {
    let set = SortedMultiset::new();
    let mut writer = set.writer();
    writer.add(&[0, 10_000]);
    let old = set.snapshot();
    // More entries than one visit covers, all invisible to the snapshot.
    writer.add(&(1..10_000).collect::<Vec<i64>>());
    assert_eq!(old.iter().collect::<Vec<i64>>(), [0, 10_000]);
    assert_eq!(old.iter().rev().collect::<Vec<i64>>(), [10_000, 0]);
    assert_eq!(old.range(1..10_000).next(), None);
}

#[test]
fn who_keeps_failing_asks_writers_to_hold_back_until_it_works() {
    let starving = AtomicUsize::new(0);
    let mut attempts = 0;
    // Works only while somebody has asked.
    persist(&starving, || {
        attempts += 1;
        assert!(attempts <= SNAPSHOT_ATTEMPTS + 1, "nobody was asked");
        (starving.load(Ordering::Relaxed) == 1).then_some(())
    });
    assert_eq!((attempts, starving.load(Ordering::Relaxed)), (SNAPSHOT_ATTEMPTS + 1, 0));
}

#[test]
fn a_writer_that_is_asked_to_hold_back_goes_on_in_the_end() {
    let set = SortedMultiset::new();
    let _plea = Plea::new(&set.shared.starving);
    set.writer().add(&[1]);
    assert_eq!(contents(&set), [1]);
}

#[test]
fn the_snapshots_of_all_readers_are_in_one_order() {
    const ADDS: usize = 60_000;
    let set = SortedMultiset::new();
    // Slots in between make reading the words take long, so that readers are interrupted in it.
    let writers = [set.writer(), set.writer()];
    let idle: Vec<Writer> = (0..100).map(|_| set.writer()).collect();
    let writers = writers.into_iter().zip([set.writer(), set.writer()]);
    let writing = AtomicUsize::new(2);
    let seen = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (mut first, mut last) in writers {
            let writing = &writing;
            scope.spawn(move || {
                for _ in 0..ADDS / 2 {
                    first.add(&[1]);
                    last.add(&[1]);
                }
                writing.fetch_sub(1, Ordering::Release);
            });
        }
        for _ in 0..3 {
            scope.spawn(|| {
                let mut mine = Vec::new();
                while writing.load(Ordering::Acquire) > 0 {
                    let words = &set.snapshot().inner.committed.0;
                    mine.push([words[1], words[2], words[103], words[104]]);
                }
                seen.lock().expect("no reader failed").extend(mine);
            });
        }
    });
    drop(idle);
    // Of any two instants one came first, so of any two snapshots one counts all that the other does.
    let mut seen = seen.into_inner().expect("no reader failed");
    seen.sort_by_key(|words| words.iter().sum::<u64>());
    for pair in seen.windows(2) {
        let is_later = pair[0].iter().zip(&pair[1]).all(|(a, b)| a <= b);
        assert!(is_later, "{:?} and {:?} contradict each other", pair[0], pair[1]);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(usize, Vec<i64>),
    Clear,
    Range(Bound<i64>, Bound<i64>),
}

fn value() -> impl Strategy<Value = i64> {
    // Few values, so that there are duplicates, and the edges.
    prop_oneof![
        6 => -5..5_i64,
        1 => prop_oneof![Just(i64::MIN), Just(i64::MIN + 1), Just(i64::MAX - 1), Just(i64::MAX)],
    ]
}

fn bound() -> impl Strategy<Value = Bound<i64>> {
    prop_oneof![
        value().prop_map(Bound::Included),
        value().prop_map(Bound::Excluded),
        Just(Bound::Unbounded),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, prop::collection::vec(value(), 0..20)).prop_map(|(w, v)| Step::Add(w, v)),
        1 => Just(Step::Clear),
        3 => (bound(), bound()).prop_map(|(a, b)| Step::Range(a, b)),
    ]
}

/// The model: how often each value is there.
#[derive(Default)]
struct Model(BTreeMap<i64, usize>);

impl Model {
    fn within(&self, range: (Bound<i64>, Bound<i64>)) -> Vec<i64> {
        let inside = |value: &i64| range.contains(value);
        let entries = self.0.iter().filter(|(value, _)| inside(value));
        entries.flat_map(|(&value, &n)| std::iter::repeat_n(value, n)).collect()
    }

    fn len(&self) -> usize {
        self.0.values().sum()
    }
}

/// Reads the range with `next` and `next_back` in the order that `from_back` dictates.
fn read_from_both_ends(mut range: Range, from_back: &[bool]) -> Vec<i64> {
    let (mut front, mut back) = (Vec::new(), Vec::new());
    for &from_back in from_back.iter().cycle() {
        if from_back {
            let Some(value) = range.next_back() else { break };
            back.push(value);
        } else {
            let Some(value) = range.next() else { break };
            front.push(value);
        }
    }
    assert_eq!((range.next(), range.next_back()), (None, None), "it stays ended");
    front.extend(back.iter().rev());
    front
}

proptest! {
    #[test]
    fn it_is_a_sorted_multiset(
        steps in prop::collection::vec(step(), 1..40),
        from_back in prop::collection::vec(any::<bool>(), 1..8),
    ) {
        let set = SortedMultiset::new();
        let mut writers = [set.writer(), set.writer(), set.writer()];
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Add(writer, values) => {
                    writers[writer].add(&values);
                    for value in values {
                        *model.0.entry(value).or_default() += 1;
                    }
                }
                Step::Clear => {
                    prop_assert_eq!(set.clear(), model.len() as u64);
                    model.0.clear();
                }
                Step::Range(start, end) => {
                    let range = set.snapshot().range((start, end));
                    let read = read_from_both_ends(range, &from_back);
                    prop_assert_eq!(read, model.within((start, end)));
                }
            }
            prop_assert_eq!(set.len(), model.len());
        }
        let all = model.within((Bound::Unbounded, Bound::Unbounded));
        prop_assert_eq!(contents(&set), all);
    }
}
