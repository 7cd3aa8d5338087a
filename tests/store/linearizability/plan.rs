//! The random input of a history: who is to call what.

use std::ops::RangeInclusive;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;

use super::history::MAX_LANES;
use super::model::VALUES;
use super::operation::{End, Operation};

/// The most threads that call at the same time.
pub(crate) const MAX_THREADS: usize = MAX_LANES - 1;

/// The most spins before a call.
const MAX_PAUSE: u32 = 60;

/// The most equal elements that come in at once, so that a multiset that arranges what it holds by size
/// has something to arrange: some such heaps fill a memtable of the store, and one can be more than the
/// store puts into a memtable at all. Equal ones: one number of the model's state.
const MAX_HEAP: usize = 800;

pub(crate) struct Plan {
    /// Done before the threads start.
    pub(crate) setup: Vec<Operation>,
    /// What each thread does; all have equally many steps.
    pub(crate) threads: Vec<Vec<Step>>,
    /// Whether the threads start every step together, and not only the first one.
    pub(crate) in_step: bool,
    /// Whether the threads give up the handles that they have from before.
    pub(crate) newcomers: bool,
    /// Whether the multiset is disturbed all along.
    pub(crate) disturbed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// How many spins to wait before it.
    pub(crate) pause: u32,
    pub(crate) operation: Operation,
}

impl Plan {
    /// A random plan of two to four threads with two to five steps each.
    pub(crate) fn random(rng: &mut Xoshiro256PlusPlus) -> Plan {
        let (threads, steps) = (rng.random_range(2..=MAX_THREADS), rng.random_range(2..=5));
        let (in_step, newcomers, disturbed) = (rng.random(), rng.random(), rng.random());
        let mut input = Input::new(rng);
        let mut setup = Vec::new();
        if input.rng.random_ratio(1, 3) {
            let heaps = input.rng.random_range(1..=4);
            setup.extend((0..heaps).map(|_| input.heap()));
        }
        let prepared = input.rng.random_range(0..4);
        setup.extend((0..prepared).map(|_| input.operation()));
        let mut thread = || (0..steps).map(|_| input.step()).collect();
        let threads = (0..threads).map(|_| thread()).collect();
        Plan { setup, threads, in_step, newcomers, disturbed }
    }
}

type Draw = fn(&mut Input<'_>) -> Operation;

/// So many of the kinds below belong to every plan.
const ALWAYS: usize = 2;

/// Every kind of operation and how often to draw it, compared with the others.
const DRAWS: [(u32, Draw); 16] = [
    (16, |input| Operation::Add(input.values(1..=3))),
    (10, |_| Operation::Snapshot),
    (1, |input| input.heap()),
    (6, |input| Operation::Remove(input.value())),
    (4, |input| Operation::RemoveMany(input.values(2..=4))),
    (4, |input| Operation::RemoveAll(input.value())),
    (2, |input| Operation::RemoveAllMany(input.values(2..=3))),
    (4, |input| Operation::RemoveRange(input.range())),
    (6, |_| Operation::Pop(End::Min)),
    (6, |_| Operation::Pop(End::Max)),
    (4, |input| Operation::PopMany(End::Min, input.number())),
    (4, |input| Operation::PopMany(End::Max, input.number())),
    (6, |_| Operation::Clear),
    (4, |_| Operation::Len),
    (2, |input| Operation::Rank(input.value())),
    (2, |input| Operation::At(input.number())),
];

/// Draws the operations of one plan.
struct Input<'r> {
    rng: &'r mut Xoshiro256PlusPlus,
    /// Few, so that threads collide.
    values: Vec<i64>,
    /// Besides adds and snapshots some of the other kinds, few or many: combinations come up that would
    /// drown among all kinds ("Swarm testing", Groce and others, ISSTA 2012).
    draws: Vec<(u32, Draw)>,
}

impl Input<'_> {
    fn new(rng: &mut Xoshiro256PlusPlus) -> Input<'_> {
        let n = rng.random_range(1..=4);
        let values = (0..n).map(|_| *pick(rng, &VALUES)).collect();
        let (always, others) = DRAWS.split_at(ALWAYS);
        let mut draws = always.to_vec();
        let share = rng.random_range(0..=8);
        draws.extend(others.iter().filter(|_| rng.random_ratio(share, 8)));
        Input { rng, values, draws }
    }

    fn step(&mut self) -> Step {
        Step { pause: self.rng.random_range(0..=MAX_PAUSE), operation: self.operation() }
    }

    fn operation(&mut self) -> Operation {
        let draw = self.draws.choose_weighted(self.rng, |draw| draw.0);
        draw.expect("there is one, and no weight is zero").1(self)
    }

    fn heap(&mut self) -> Operation {
        let n = self.rng.random_range(1..=MAX_HEAP);
        Operation::Add(vec![self.value(); n])
    }

    fn value(&mut self) -> i64 {
        *pick(self.rng, &self.values)
    }

    fn values(&mut self, n: RangeInclusive<usize>) -> Vec<i64> {
        let n = self.rng.random_range(n);
        (0..n).map(|_| self.value()).collect()
    }

    /// Mostly a small one, sometimes one beyond what heaps hold.
    fn number(&mut self) -> usize {
        let most = if self.rng.random_ratio(1, 6) { 2 * MAX_HEAP + 10 } else { 5 };
        self.rng.random_range(0..=most)
    }

    fn range(&mut self) -> RangeInclusive<i64> {
        let (a, b) = (*pick(self.rng, &VALUES), *pick(self.rng, &VALUES));
        // Rarely the wrong way round: then it is empty.
        let empty = self.rng.random_ratio(1, 8);
        let (low, high) = (a.min(b), a.max(b));
        if empty { high..=low } else { low..=high }
    }
}

fn pick<'v>(rng: &mut Xoshiro256PlusPlus, values: &'v [i64]) -> &'v i64 {
    values.choose(rng).expect("there is one")
}
