//! The store under steady work, with every operation accounted for.
//!
//! The work is done in rounds on one multiset. In a round each writer adds a fixed number of batches, while
//! readers check what they see and others clear, remove and pop; when the writers are done, what was
//! added must be what was removed and what is left.

use std::array;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use sortd::store::{Snapshot, SortedMultiset};

/// How long the long run lasts, unless `SORTD_STRESS_SECONDS` says otherwise.
const LONG: Duration = Duration::from_secs(120);

/// How long every run of the tests spends on this.
const SHORT: Duration = Duration::from_secs(2);

const WRITERS: usize = 3;
const READERS: usize = 2;

/// Batches of each writer in a round.
const BATCHES: usize = 250;

/// The size of one batch among them: more than the store puts into a memtable.
const BULK: usize = 5000;

/// Those who clear do so when there are up to this many elements, so that the others have something to
/// see.
const CLEARED_AT: usize = 1000;

/// The most elements that are popped at once. Enough for the store to do it in another way.
const MAX_POPPED: usize = 2000;

/// The rounds, over and over.
const ROUNDS: [Round; 6] = [
    Round { layout: Layout::Heaped, clearers: 0, removing: false },
    Round { layout: Layout::Spread, clearers: 2, removing: false },
    Round { layout: Layout::Heaped, clearers: 0, removing: true },
    Round { layout: Layout::Spread, clearers: 1, removing: true },
    Round { layout: Layout::Queued, clearers: 0, removing: true },
    Round { layout: Layout::Queued, clearers: 1, removing: true },
];

/// What is done besides adding and reading.
#[derive(Clone, Copy, Debug)]
struct Round {
    layout: Layout,
    /// How many threads clear.
    clearers: usize,
    /// Whether others remove: single elements where the layout is queued, else whole batches.
    removing: bool,
}

impl Round {
    /// Whether batches are there whole or not at all.
    fn keeps_batches(self) -> bool {
        !(self.removing && self.layout == Layout::Queued)
    }
}

/// Which values a batch has. Each value tells which batch it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// One value, as often as the batch is large.
    Heaped,
    /// Values all over the range.
    Spread,
    /// No value twice. What one writer adds ascends from the smallest value there is, what the next one
    /// does descends from the largest one: who pops at an end gets the oldest first.
    Queued,
}

/// A batch by its writer and its number among that writer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Batch {
    writer: usize,
    number: usize,
}

impl Batch {
    fn all() -> impl Iterator<Item = Batch> {
        let of = |writer| (0..BATCHES).map(move |number| Batch { writer, number });
        (0..WRITERS).flat_map(of)
    }

    fn size(self) -> usize {
        if (self.writer, self.number) == (0, BATCHES / 2) { BULK } else { self.number % 7 + 1 }
    }
}

impl Layout {
    /// How far the parts of a spread batch lie apart: there are eight of them.
    const STRIDE: i64 = 1 << 61;

    fn values(self, batch: Batch) -> Vec<i64> {
        (0..batch.size()).map(|index| self.value(batch, index)).collect()
    }

    fn value(self, Batch { writer, number }: Batch, index: usize) -> i64 {
        let identity = signed(number * WRITERS + writer);
        let place = signed((number * BULK + index) * WRITERS + writer);
        match self {
            Layout::Heaped => identity,
            Layout::Spread => (signed(index % 8) - 4) * Layout::STRIDE + identity,
            Layout::Queued if ascends(writer) => i64::MIN + place,
            Layout::Queued => i64::MAX - place,
        }
    }

    /// The batch that the value belongs to.
    fn batch(self, value: i64) -> Batch {
        let distance = value.abs_diff(if value < 0 { i64::MIN } else { i64::MAX });
        let place = usize::try_from(distance).expect("a word is 64 bits wide");
        let identity = usize::try_from(value.rem_euclid(Layout::STRIDE)).expect("it is positive");
        match self {
            Layout::Heaped | Layout::Spread => {
                Batch { writer: identity % WRITERS, number: identity / WRITERS }
            }
            Layout::Queued => Batch { writer: place % WRITERS, number: place / WRITERS / BULK },
        }
    }
}

/// Whether what the writer queues comes from the smallest value on.
fn ascends(writer: usize) -> bool {
    writer.is_multiple_of(2)
}

fn signed(n: usize) -> i64 {
    i64::try_from(n).expect("it is small")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

/// One round's books.
struct Books<'s> {
    set: &'s SortedMultiset,
    round: Round,
    /// Where the random input comes from.
    seed: AtomicU64,
    /// How many batches each writer has begun to add, and how many it has added.
    begun: [AtomicUsize; WRITERS],
    done: [AtomicUsize; WRITERS],
    /// Writers that have not finished.
    writing: AtomicUsize,
    added: AtomicU64,
    /// How many elements were removed by those who know no more than that.
    removed: AtomicU64,
    /// The elements removed by all others.
    taken: Mutex<Vec<i64>>,
}

impl Books<'_> {
    fn open(set: &SortedMultiset, round: Round, seed: u64) -> Books<'_> {
        Books {
            set,
            round,
            seed: AtomicU64::new(seed),
            begun: Default::default(),
            done: Default::default(),
            writing: AtomicUsize::new(WRITERS),
            added: AtomicU64::new(0),
            removed: AtomicU64::new(0),
            taken: Mutex::default(),
        }
    }

    fn write(&self, writer: usize) {
        let _finished = Finished(&self.writing);
        let mut handle = self.set.writer();
        for number in 0..BATCHES {
            let values = self.round.layout.values(Batch { writer, number });
            // Relaxed: whoever sees the batch knows of what its writer did before.
            self.begun[writer].store(number + 1, Ordering::Relaxed);
            handle.add(&values);
            // Release: pairs with `read`, where everything that was done must be seen.
            self.done[writer].store(number + 1, Ordering::Release);
            self.added.fetch_add(values.len() as u64, Ordering::Relaxed);
            // Or the batches would all be there before anybody else has begun.
            thread::yield_now();
        }
    }

    fn read(&self) {
        let mut reader = Reader::default();
        let mut kept = None;
        loop {
            let last = !self.is_open();
            // Acquire: pairs with `write`.
            let done = array::from_fn(|writer| self.done[writer].load(Ordering::Acquire));
            let snapshot = self.set.snapshot();
            let begun = array::from_fn(|writer| self.begun[writer].load(Ordering::Relaxed));
            let values = contents(&snapshot);
            reader.check(self.round, &values, done, begun);
            if !values.is_empty() {
                kept.get_or_insert((snapshot, values));
            }
            if last {
                break;
            }
        }
        let unchanged = kept.is_none_or(|(snapshot, values)| contents(&snapshot) == values);
        assert!(unchanged, "a snapshot keeps its instant");
    }

    fn clear(&self) {
        let mut rng = self.rng();
        while self.is_open() {
            if self.set.len() >= rng.random_range(1..=CLEARED_AT) {
                self.count_removed(self.set.clear());
            }
            thread::yield_now();
        }
    }

    fn compact(&self) {
        while self.is_open() {
            self.set.compact();
            thread::yield_now();
        }
    }

    /// Removes whole batches, of which nothing else is ever removed.
    fn remove_batches(&self) {
        let mut rng = self.rng();
        while self.is_open() {
            let batch = self.some_batch(&mut rng);
            let values = self.round.layout.values(batch);
            let value = values[0];
            let removed = match (self.round.layout, rng.random_range(0..3)) {
                (Layout::Heaped, 0) => self.set.remove_range(value..=value + 2),
                (Layout::Heaped, 1) => {
                    let mut remover = self.set.remover();
                    remover.remove_all_many(&[value, value + 5])
                }
                (Layout::Heaped, _) => {
                    let removed = self.set.remove_all(value);
                    assert!([0, batch.size() as u64].contains(&removed), "{batch:?} is whole");
                    removed
                }
                _ => {
                    let removed = self.set.remover().remove_many(&values);
                    assert!([0, batch.size() as u64].contains(&removed), "{batch:?} is whole");
                    removed
                }
            };
            self.count_removed(removed);
            thread::yield_now();
        }
    }

    /// Removes elements by value, in all the ways there are.
    fn remove_elements(&self) {
        let mut rng = self.rng();
        let mut taken = Vec::new();
        while self.is_open() {
            let mut some = |n| {
                let batches = (0..n).map(|_| self.some_batch(&mut rng));
                let values = batches.map(|batch| self.round.layout.value(batch, 0));
                values.collect::<Vec<i64>>()
            };
            let (one, several) = (some(1)[0], some(4));
            if self.set.remove(one) {
                taken.push(one);
            }
            self.count_removed(self.set.remover().remove_many(&several));
            self.count_removed(self.set.remove_all(several[0].saturating_add(signed(WRITERS))));
            self.count_removed(self.set.remove_range(one..=one.saturating_add(40)));
            thread::yield_now();
        }
        self.take(taken);
    }

    /// Pops at one end, one or many at a time, and checks the order.
    fn pop(&self, end: End) {
        let mut rng = self.rng();
        let mut taken = Vec::new();
        while self.is_open() {
            let n = rng.random_range(0..=MAX_POPPED);
            let popped = match (end, n.is_multiple_of(10)) {
                (End::Min, true) => self.set.pop_min_n(n),
                (End::Max, true) => self.set.pop_max_n(n),
                (End::Min, false) => self.set.pop_min().into_iter().collect(),
                (End::Max, false) => self.set.pop_max().into_iter().collect(),
            };
            let in_order = |a: &i64, b: &i64| if end == End::Min { a < b } else { a > b };
            assert!(popped.is_sorted_by(in_order), "in the order of popping");
            taken.extend(popped);
            thread::yield_now();
        }
        for writer in (0..WRITERS).filter(|&writer| ascends(writer) == (end == End::Min)) {
            let of_writer = taken.iter().filter(|&&v| self.round.layout.batch(v).writer == writer);
            let oldest_first = match end {
                End::Min => of_writer.is_sorted_by(|a, b| a < b),
                End::Max => of_writer.is_sorted_by(|a, b| a > b),
            };
            assert!(oldest_first, "what a writer has queued comes out in that order");
        }
        self.take(taken);
    }

    /// A batch that has been begun, or the first one that will be.
    fn some_batch(&self, rng: &mut Xoshiro256PlusPlus) -> Batch {
        let writer = rng.random_range(0..WRITERS);
        // Relaxed: any number will do.
        let begun = self.begun[writer].load(Ordering::Relaxed);
        Batch { writer, number: rng.random_range(0..begun.max(1)) }
    }

    fn rng(&self) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(self.seed.fetch_add(1, Ordering::Relaxed))
    }

    fn count_removed(&self, n: u64) {
        self.removed.fetch_add(n, Ordering::Relaxed);
    }

    fn take(&self, values: Vec<i64>) {
        self.taken.lock().expect("nobody has panicked").extend(values);
    }

    /// Whether writers are at work.
    fn is_open(&self) -> bool {
        // Acquire: pairs with `Finished`, so that a last look sees all.
        self.writing.load(Ordering::Acquire) > 0
    }

    /// Empties the multiset, and returns how many elements came and went in this round.
    fn close(self) -> u64 {
        let left = contents(&self.set.snapshot());
        assert_eq!(self.set.clear(), left.len() as u64);
        let (added, removed) = (self.added.into_inner(), self.removed.into_inner());
        let mut gone = self.taken.into_inner().expect("nobody has panicked");
        assert_eq!(added, removed + (gone.len() + left.len()) as u64, "nothing lost or got twice");
        if self.round.layout == Layout::Queued {
            gone.extend(left);
            gone.sort_unstable();
            assert!(gone.is_sorted_by(|a, b| a < b), "no element is there twice, or popped twice");
        }
        added
    }
}

/// Says that a writer has finished, even if by a panic.
struct Finished<'b>(&'b AtomicUsize);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        // Release: pairs with `Books::is_open`.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// What a snapshot holds, which must look the same from every side.
fn contents(snapshot: &Snapshot) -> Vec<i64> {
    let values: Vec<i64> = snapshot.iter().collect();
    assert!(values.is_sorted(), "sorted");
    assert_eq!(values.len(), snapshot.len(), "as long as it says");
    assert!(snapshot.iter().rev().eq(values.iter().rev().copied()), "the same backwards");
    let (low, high) = (values.len() / 3, values.len() / 2);
    assert!(snapshot.slice(low..high).eq(values[low..high].iter().copied()), "a part by index");
    for index in [0, low, high, values.len()] {
        assert_eq!(snapshot.at(index), values.get(index).copied(), "the element at an index");
    }
    if let Some((&low, &high)) = values.get(low).zip(values.get(high)) {
        let from = values.partition_point(|&value| value < low);
        let to = values.partition_point(|&value| value <= high);
        assert!(snapshot.range(low..=high).eq(values[from..to].iter().copied()), "a part by value");
        assert_eq!(snapshot.rank(low), from, "how many are less");
        assert_eq!(snapshot.count_range(low..=high), to - from, "how many lie between");
    }
    values
}

/// What a reader remembers.
#[derive(Default)]
struct Reader {
    /// How much of each batch was there the last time.
    seen: BTreeMap<Batch, usize>,
    /// The number that follows the newest batch ever seen of each writer.
    known: [usize; WRITERS],
}

impl Reader {
    /// Checks a snapshot against the earlier ones, what was added before it was taken and what was begun
    /// after it had been.
    fn check(
        &mut self,
        round: Round,
        values: &[i64],
        done: [usize; WRITERS],
        begun: [usize; WRITERS],
    ) {
        let mut seen = BTreeMap::<Batch, usize>::new();
        for value in values {
            *seen.entry(round.layout.batch(*value)).or_default() += 1;
        }
        for (&batch, &n) in &seen {
            assert!(batch.number < begun[batch.writer], "{batch:?} comes from nowhere");
            assert!(n == batch.size() || !round.keeps_batches(), "{batch:?} is whole");
            let before = self.seen.get(&batch).copied().unwrap_or(0);
            let is_new = batch.number >= self.known[batch.writer];
            assert!(is_new || n <= before, "what is gone of {batch:?} does not come back");
            self.known[batch.writer] = self.known[batch.writer].max(batch.number + 1);
        }
        if !round.removing {
            for (a, b) in seen.keys().zip(seen.keys().skip(1)) {
                let follows = a.writer != b.writer || a.number + 1 == b.number;
                assert!(follows, "a clear takes all, so none is missing from {a:?} to {b:?}");
            }
            let mut done = Batch::all().filter(|b| b.number < done[b.writer]);
            let missing = done.find(|b| round.clearers == 0 && !seen.contains_key(b));
            assert_eq!(missing, None, "what has been added is there");
        }
        self.seen = seen;
    }
}

fn play(set: &SortedMultiset, round: Round, seed: u64) -> u64 {
    let books = Books::open(set, round, seed);
    thread::scope(|scope| {
        let books = &books;
        for writer in 0..WRITERS {
            scope.spawn(move || books.write(writer));
        }
        for _ in 0..READERS {
            scope.spawn(|| books.read());
        }
        for _ in 0..round.clearers {
            scope.spawn(|| books.clear());
        }
        scope.spawn(|| books.compact());
        if round.removing && round.keeps_batches() {
            for _ in 0..2 {
                scope.spawn(|| books.remove_batches());
            }
        } else if round.removing {
            scope.spawn(|| books.remove_elements());
            for end in [End::Min, End::Min, End::Max] {
                scope.spawn(move || books.pop(end));
            }
        }
    });
    books.close()
}

/// Plays all rounds, then more of them until that time has passed.
fn stress(at_least: Duration) {
    let set = SortedMultiset::new();
    let seed = crate::seed();
    let began = Instant::now();
    let (mut rounds, mut elements) = (0, 0);
    for round in ROUNDS.into_iter().cycle() {
        if rounds >= ROUNDS.len() && began.elapsed() >= at_least {
            break;
        }
        elements += play(&set, round, seed.wrapping_add(rounds as u64 * 100));
        rounds += 1;
    }
    println!("{rounds} rounds, {elements} elements in {:?}", began.elapsed());
}

#[test]
fn every_operation_is_accounted_for() {
    stress(SHORT);
}

#[test]
#[ignore = "takes two minutes"]
fn every_operation_is_accounted_for_for_long() {
    let seconds = crate::from_environment("SORTD_STRESS_SECONDS");
    stress(seconds.map_or(LONG, Duration::from_secs));
}
