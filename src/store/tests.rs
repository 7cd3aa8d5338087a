use super::*;

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::merge::End;

fn contents(set: &SortedMultiset) -> Vec<i64> {
    set.snapshot().iter().collect()
}

/// Has a writer die after it has inserted these values and before it commits them.
fn die_in_a_batch(writer: &mut Writer, values: &[i64]) {
    let shared = Arc::clone(&writer.set.shared);
    let mut claim = writer.claim.take().expect("the writer has not died before");
    let dies = AssertUnwindSafe(|| {
        let turn = shared.protocol.enter(&mut claim);
        let places = turn.view().active.reserve(values.len()).expect("there is room");
        turn.view().active.insert(&places, turn.ticket(), values);
        panic!("on purpose");
    });
    assert!(catch_unwind(dies).is_err());
}

#[test]
fn a_batch_that_dies_half_way_never_shows() {
    let set = SortedMultiset::new();
    let mut writer = set.writer();
    writer.add(&[1]);
    die_in_a_batch(&mut writer, &[100, 101]);
    assert_eq!(contents(&set), [1]);

    // Had the slot been used again, these would carry the dead entries' numbers and reveal them.
    writer.add(&[2, 3, 4]);
    drop(writer);
    let mut writers: Vec<Writer> = (0..3).map(|_| set.writer()).collect();
    for writer in &mut writers {
        writer.add(&[5, 6, 7]);
    }
    assert_eq!(contents(&set), [1, 2, 3, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7]);
    set.compact();
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
    die_in_a_batch(&mut set.writer(), &[1]);
    assert_eq!(set.clear(), 0);
}

#[test]
fn after_a_removal_has_died_others_go_on() {
    let set = SortedMultiset::new();
    set.writer().add(&[1, 1, 2, 2]);
    let dies = AssertUnwindSafe(|| {
        let mut claim = set.shared.removers.lock().expect("nobody has died yet");
        let turn = set.shared.protocol.enter(&mut claim);
        let places = turn.view().active.reserve(1).expect("there is room");
        turn.view().active.insert(&places, turn.ticket(), &[1]);
        panic!("on purpose");
    });
    assert!(catch_unwind(dies).is_err());
    assert_eq!(contents(&set), [1, 1, 2, 2]);
    // With the dead removal's number this would reveal it.
    assert!(set.remove(2));
    assert_eq!(contents(&set), [1, 1, 2]);
    assert_eq!(set.clear(), 3);
    set.writer().add(&[2]);
    assert!(set.remove(2));
    assert!(!set.try_remover().expect("nobody removes").remove(2));
}

#[test]
fn a_batch_in_flight_is_invisible_until_it_commits() {
    let set = SortedMultiset::new();
    let mut claim = set.shared.protocol.claim().expect("there are slots");
    let turn = set.shared.protocol.enter(&mut claim);
    let places = turn.view().active.reserve(3).expect("there is room");
    turn.view().active.insert(&places, turn.ticket(), &[1, 2, 3]);
    let snapshot = set.snapshot();
    assert_eq!((contents(&set), snapshot.rank(9), snapshot.at(0)), (vec![], 0, None));
    turn.commit(3);
    let later = set.snapshot();
    assert_eq!((contents(&set), later.rank(9), later.at(2)), (vec![1, 2, 3], 3, Some(3)));
    assert_eq!((snapshot.iter().next(), snapshot.rank(9), snapshot.len()), (None, 0, 0));
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
    const ADDS: usize = 15_000;
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
                    let snapshot = set.snapshot();
                    let committed = &snapshot.moment().committed;
                    mine.push([1, 2, 103, 104].map(|slot| committed.of(slot)));
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
    Remove(i64),
    RemoveMany(Vec<i64>),
    RemoveAll(Vec<i64>),
    RemoveRange(i64, i64),
    Pop(End, usize),
    /// Seals the active memtable.
    Seal,
    /// Merges all there is into one run.
    Compact,
    Range(Bound<i64>, Bound<i64>),
    Slice(usize, usize),
    Rank(i64, i64),
    Quantiles(Vec<f64>),
    Histogram(usize),
}

fn value() -> impl Strategy<Value = i64> {
    // Few values, so that there are duplicates, and the edges.
    prop_oneof![
        6 => -5..5_i64,
        1 => prop_oneof![Just(i64::MIN), Just(i64::MIN + 1), Just(i64::MAX - 1), Just(i64::MAX)],
        1 => any::<i64>(),
    ]
}

fn values(at_most: usize) -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(value(), 0..at_most)
}

fn bound() -> impl Strategy<Value = Bound<i64>> {
    prop_oneof![
        value().prop_map(Bound::Included),
        value().prop_map(Bound::Excluded),
        Just(Bound::Unbounded),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let end = || prop_oneof![Just(End::Front), Just(End::Back)];
    prop_oneof![
        8 => (0..3_usize, values(40)).prop_map(|(w, v)| Step::Add(w, v)),
        2 => (0..3_usize, value(), 0..60_usize).prop_map(|(w, v, n)| Step::Add(w, vec![v; n])),
        1 => Just(Step::Clear),
        3 => value().prop_map(Step::Remove),
        1 => values(20).prop_map(Step::RemoveMany),
        1 => values(5).prop_map(Step::RemoveAll),
        1 => (value(), value()).prop_map(|(a, b)| Step::RemoveRange(a, b)),
        3 => (end(), 0..4_usize).prop_map(|(end, n)| Step::Pop(end, n)),
        1 => (end(), 0..60_usize).prop_map(|(end, n)| Step::Pop(end, n)),
        2 => Just(Step::Seal),
        2 => Just(Step::Compact),
        3 => (bound(), bound()).prop_map(|(a, b)| Step::Range(a, b)),
        2 => (0..80_usize, 0..80_usize).prop_map(|(a, b)| Step::Slice(a, b)),
        2 => (value(), value()).prop_map(|(a, b)| Step::Rank(a, b)),
        1 => prop::collection::vec(0.0..=1.0, 1..4).prop_map(Step::Quantiles),
        1 => (1..20_usize).prop_map(Step::Histogram),
    ]
}

/// The model: how often each value is there.
#[derive(Default)]
struct Model(BTreeMap<i64, usize>);

impl Model {
    fn add(&mut self, values: &[i64]) {
        for &value in values {
            *self.0.entry(value).or_default() += 1;
        }
    }

    fn remove(&mut self, value: i64) -> bool {
        let Some(n) = self.0.get_mut(&value) else { return false };
        *n -= 1;
        if *n == 0 {
            self.0.remove(&value);
        }
        true
    }

    fn pop(&mut self, end: End) -> Option<i64> {
        let value = match end {
            End::Front => *self.0.first_key_value()?.0,
            End::Back => *self.0.last_key_value()?.0,
        };
        self.remove(value).then_some(value)
    }

    fn remove_range(&mut self, range: impl RangeBounds<i64>) -> u64 {
        let before = self.len();
        self.0.retain(|value, _| !range.contains(value));
        (before - self.len()) as u64
    }

    fn within(&self, range: impl RangeBounds<i64>) -> Vec<i64> {
        let entries = self.0.iter().filter(|(value, _)| range.contains(value));
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
        let left = range.len();
        if from_back {
            let Some(value) = range.next_back() else { break };
            back.push(value);
        } else {
            let Some(value) = range.next() else { break };
            front.push(value);
        }
        assert_eq!(range.len(), left - 1, "it knows how many are left");
    }
    assert_eq!((range.next(), range.next_back()), (None, None), "it stays ended");
    front.extend(back.iter().rev());
    front
}

/// Takes one step on both and compares what they answer.
fn take(
    step: Step,
    set: &SortedMultiset,
    writers: &mut [Writer],
    model: &mut Model,
    from_back: &[bool],
) -> Result<(), TestCaseError> {
    let snapshot = set.snapshot();
    let all = model.within(..);
    match step {
        Step::Add(writer, values) => {
            writers[writer].add(&values);
            model.add(&values);
        }
        Step::Clear => prop_assert_eq!(set.clear(), model.remove_range(..)),
        Step::Remove(value) => prop_assert_eq!(set.remove(value), model.remove(value)),
        Step::RemoveMany(values) => {
            let removed = values.iter().filter(|&&value| model.remove(value)).count();
            prop_assert_eq!(set.remover().remove_many(&values), removed as u64);
        }
        Step::RemoveAll(values) => {
            let removed: u64 = values.iter().map(|&v| model.remove_range(v..=v)).sum();
            prop_assert_eq!(set.remover().remove_all_many(&values), removed);
        }
        Step::RemoveRange(start, end) => {
            prop_assert_eq!(set.remove_range(start..=end), model.remove_range(start..=end));
        }
        Step::Pop(end, n) => {
            let popped: Vec<i64> = (0..n).map_while(|_| model.pop(end)).collect();
            let pop = |n| match end {
                End::Front => set.pop_min_n(n),
                End::Back => set.pop_max_n(n),
            };
            prop_assert_eq!(pop(n), popped);
        }
        Step::Seal => set.shared.seal(&set.shared.protocol.view_held()),
        Step::Compact => {
            set.compact();
            prop_assert!(set.snapshot().tiers().iter().filter(|t| t.entries > 0).count() <= 1);
        }
        Step::Range(start, end) => {
            let read = read_from_both_ends(snapshot.range((start, end)), from_back);
            prop_assert_eq!(read, model.within((start, end)));
        }
        Step::Slice(start, end) => {
            let read = read_from_both_ends(snapshot.slice(start..end), from_back);
            let end = end.min(all.len());
            prop_assert_eq!(&read, all.get(start..end).unwrap_or_default());
        }
        Step::Rank(start, end) => {
            prop_assert_eq!(snapshot.rank(start), model.within(..start).len());
            let within = if start <= end { model.within(start..=end).len() } else { 0 };
            prop_assert_eq!(snapshot.count_range(start..=end), within);
        }
        Step::Quantiles(quantiles) => {
            for (&q, value) in quantiles.iter().zip(snapshot.quantiles(&quantiles)) {
                // The first element that has at least a share of q at or before it.
                let has_share = |i: &usize| (*i + 1) as f64 >= q * all.len() as f64;
                let index = (0..all.len()).find(has_share);
                prop_assert_eq!(value, index.map(|index| all[index]));
            }
        }
        Step::Histogram(buckets) => check_histogram(&snapshot.histogram(buckets), buckets, &all)?,
    }
    Ok(())
}

fn check_histogram(histogram: &[Bucket], buckets: usize, all: &[i64]) -> Result<(), TestCaseError> {
    let (Some(&min), Some(&max)) = (all.first(), all.last()) else {
        prop_assert!(histogram.is_empty());
        return Ok(());
    };
    prop_assert!(histogram.len() <= buckets && (min < max || histogram.len() == 1));
    prop_assert_eq!((histogram[0].from, histogram[histogram.len() - 1].to), (min, max));
    let width = |bucket: &Bucket| bucket.to.abs_diff(bucket.from);
    for pair in histogram.windows(2) {
        prop_assert_eq!(pair[0].to + 1, pair[1].from);
        prop_assert!(width(&pair[0]) == width(&histogram[0]) && width(&pair[1]) <= width(&pair[0]));
    }
    for bucket in histogram {
        let within = all.iter().filter(|v| (bucket.from..=bucket.to).contains(v)).count();
        prop_assert_eq!(bucket.count, within);
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_is_a_sorted_multiset(
        steps in prop::collection::vec(step(), 1..60),
        from_back in prop::collection::vec(any::<bool>(), 1..8),
    ) {
        let set = SortedMultiset::new();
        let mut writers = [set.writer(), set.writer(), set.writer()];
        let mut model = Model::default();
        for step in steps {
            let before = (set.snapshot(), model.within(..));
            take(step, &set, &mut writers, &mut model, &from_back)?;
            let now = set.snapshot();
            prop_assert_eq!(now.len(), model.len());
            prop_assert_eq!(now.min(), model.0.keys().next().copied());
            prop_assert_eq!(now.max(), model.0.keys().next_back().copied());
            // What was there before still is, in the snapshot of then.
            prop_assert_eq!(before.0.iter().collect::<Vec<i64>>(), before.1.clone());
            let all = model.within(..);
            if before.1 != all {
                prop_assert!(before.0.version() < now.version());
            }
            prop_assert_eq!(now.iter().collect::<Vec<i64>>(), all);
        }
        let all = model.within(..);
        prop_assert_eq!(&contents(&set), &all);
        let snapshot = set.snapshot();
        for (index, &value) in all.iter().enumerate() {
            prop_assert_eq!(snapshot.at(index), Some(value));
        }
        prop_assert_eq!(snapshot.at(all.len()), None);
    }
}
