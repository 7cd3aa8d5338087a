//! Multisets with one fault each, all of which the checker must find.
//!
//! A fault is a *gap* in the middle of an operation: what would be one critical section is two, and others
//! get in between. What they do there is called right in the gap, on the same thread, as if the scheduler
//! had let them in at that moment: no run differs from another.

use std::cell::{Cell, RefCell};

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};

use super::checker::check;
use super::history::{Call, Clock, History, MAX_LANES};
use super::multiset::Elements;
use super::operation::{End, Operation, Outcome};
use super::plan::Plan;

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The first value of a batch is there before the others.
    AddInTwoSteps,
    /// Writes back what it has read and added to, without what others did meanwhile.
    AddOverwrites,
    /// Looks, then removes, and reports what it saw.
    RemoveReportsWhatItSaw,
    RemoveManyInTwoSteps,
    RemoveRangeInTwoSteps,
    /// Looks, then removes, and returns what it saw: two pops get the same element.
    PopReturnsWhatItSaw,
    /// Looks, then removes that if it is still there, though a smaller one may have come.
    PopOverlooksWhatCame,
    /// Looks at how it was before the last change, and removes that if it is there.
    PopOverlooksWhatWasThere,
    PopManyInTwoSteps,
    /// Counts, then removes.
    ClearCountsTooEarly,
    /// Takes the length, then the contents.
    SnapshotInTwoSteps,
    /// Reads two halves: every other snapshot the lower one first, the rest the upper one.
    SnapshotsDisagree,
    /// Shows how it was before the last change.
    ReadsAreLate,
}

const FAULTS: [Fault; 13] = [
    Fault::AddInTwoSteps,
    Fault::AddOverwrites,
    Fault::RemoveReportsWhatItSaw,
    Fault::RemoveManyInTwoSteps,
    Fault::RemoveRangeInTwoSteps,
    Fault::PopReturnsWhatItSaw,
    Fault::PopOverlooksWhatCame,
    Fault::PopOverlooksWhatWasThere,
    Fault::PopManyInTwoSteps,
    Fault::ClearCountsTooEarly,
    Fault::SnapshotInTwoSteps,
    Fault::SnapshotsDisagree,
    Fault::ReadsAreLate,
];

/// A multiset with a fault, or with none.
#[derive(Default)]
struct Broken {
    fault: Option<Fault>,
    now: RefCell<Elements>,
    /// How it was before the last change.
    before: RefCell<Elements>,
    upper_half_first: Cell<bool>,
}

impl Broken {
    fn new(fault: Option<Fault>) -> Broken {
        Broken { fault, ..Broken::default() }
    }

    /// Carries out the operation and calls `gap` where its fault lets others in, if it does.
    fn perform(&self, operation: &Operation, gap: &mut dyn FnMut()) -> Outcome {
        let Some(fault) = self.fault else { return self.apply(operation) };
        match (fault, operation) {
            (Fault::AddOverwrites, Operation::Add(_)) => {
                let mut copy = self.now.borrow().clone();
                gap();
                let outcome = copy.apply(operation);
                self.now.replace(copy);
                outcome
            }
            (Fault::RemoveReportsWhatItSaw, Operation::Remove(value)) => {
                let found = self.now.borrow().contains(*value);
                gap();
                self.apply(operation);
                Outcome::Found(found)
            }
            (Fault::PopReturnsWhatItSaw, Operation::Pop(end)) => {
                let seen = self.now.borrow().end(*end);
                gap();
                seen.map(|value| self.apply(&Operation::Remove(value)));
                Outcome::Value(seen)
            }
            (Fault::PopOverlooksWhatCame, Operation::Pop(end)) => {
                let seen = self.now.borrow().end(*end);
                gap();
                self.pop_seen(seen, *end)
            }
            (Fault::PopOverlooksWhatWasThere, Operation::Pop(end)) => {
                let seen = self.before.borrow().end(*end);
                self.pop_seen(seen, *end)
            }
            (Fault::ClearCountsTooEarly, Operation::Clear) => {
                let removed = self.now.borrow().len();
                gap();
                self.apply(operation);
                Outcome::Removed(removed as u64)
            }
            (Fault::SnapshotInTwoSteps, Operation::Snapshot) => {
                let len = self.now.borrow().len();
                gap();
                Outcome::Snapshot { len, values: self.now.borrow().iter().collect() }
            }
            (Fault::SnapshotsDisagree, Operation::Snapshot) => self.snapshot_of_halves(gap),
            (
                Fault::ReadsAreLate,
                Operation::Len | Operation::Snapshot | Operation::Rank(_) | Operation::At(_),
            ) => self.before.borrow().clone().apply(operation),
            _ => match halves(fault, operation) {
                Some((first, second)) => {
                    let first = self.apply(&first);
                    gap();
                    together(first, self.apply(&second))
                }
                None => self.apply(operation),
            },
        }
    }

    /// Carries out an operation as it should be.
    fn apply(&self, operation: &Operation) -> Outcome {
        let before = self.now.borrow().clone();
        let outcome = self.now.borrow_mut().apply(operation);
        if *self.now.borrow() != before {
            self.before.replace(before);
        }
        outcome
    }

    /// Pops the element seen, or what is at the end if that one is not there any more.
    fn pop_seen(&self, seen: Option<i64>, end: End) -> Outcome {
        let gone = |value| self.apply(&Operation::Remove(value)) == Outcome::Found(false);
        match seen {
            Some(value) if gone(value) => self.apply(&Operation::Pop(end)),
            seen => Outcome::Value(seen),
        }
    }

    fn snapshot_of_halves(&self, gap: &mut dyn FnMut()) -> Outcome {
        let half = |upper| {
            let now = self.now.borrow();
            now.iter().filter(|&value| (value >= 0) == upper).collect::<Vec<i64>>()
        };
        let upper_first = self.upper_half_first.replace(!self.upper_half_first.get());
        let first = half(upper_first);
        gap();
        let second = half(!upper_first);
        let values = if upper_first { [second, first] } else { [first, second] }.concat();
        Outcome::Snapshot { len: values.len(), values }
    }
}

/// The two steps in which the fault does the operation, if it does so.
fn halves(fault: Fault, operation: &Operation) -> Option<(Operation, Operation)> {
    let split = |values: &[i64]| {
        let (first, rest) = values.split_at(values.len().min(1));
        (first.to_vec(), rest.to_vec())
    };
    match (fault, operation) {
        (Fault::AddInTwoSteps, Operation::Add(values)) => {
            let (first, rest) = split(values);
            Some((Operation::Add(first), Operation::Add(rest)))
        }
        (Fault::RemoveManyInTwoSteps, Operation::RemoveMany(values)) => {
            let (first, rest) = split(values);
            Some((Operation::RemoveMany(first), Operation::RemoveMany(rest)))
        }
        (Fault::RemoveRangeInTwoSteps, Operation::RemoveRange(range)) => {
            let (start, end) = (*range.start(), *range.end());
            let (lower, upper) = (start..=end.min(-1), start.max(0)..=end);
            Some((Operation::RemoveRange(lower), Operation::RemoveRange(upper)))
        }
        (Fault::PopManyInTwoSteps, &Operation::PopMany(end, n)) => {
            Some((Operation::PopMany(end, n / 2), Operation::PopMany(end, n - n / 2)))
        }
        _ => None,
    }
}

/// The outcome of an operation from those of its two steps.
fn together(first: Outcome, second: Outcome) -> Outcome {
    match (first, second) {
        (Outcome::Removed(a), Outcome::Removed(b)) => Outcome::Removed(a + b),
        (Outcome::Values(a), Outcome::Values(b)) => Outcome::Values([a, b].concat()),
        (first, _) => first,
    }
}

/// One call, and the calls of other threads in its gap; after its effect where it has none.
struct Scene {
    thread: usize,
    operation: Operation,
    meanwhile: Vec<Scene>,
}

fn scene(thread: usize, operation: Operation, meanwhile: impl Into<Vec<Scene>>) -> Scene {
    Scene { thread, operation, meanwhile: meanwhile.into() }
}

/// Scenes in which the fault shows, and what is there before they begin.
fn scenes(fault: Fault) -> (Vec<i64>, Vec<Scene>) {
    use Operation::{Add, Clear, Len, Pop, PopMany, Remove, RemoveMany, RemoveRange, Snapshot};
    match fault {
        Fault::AddInTwoSteps => (vec![], vec![scene(1, Add(vec![0, 5]), [scene(2, Snapshot, [])])]),
        Fault::AddOverwrites => {
            (vec![], vec![scene(1, Add(vec![0]), [scene(2, Add(vec![5]), [])])])
        }
        Fault::RemoveReportsWhatItSaw => {
            (vec![0], vec![scene(1, Remove(0), [scene(2, Remove(0), [])])])
        }
        Fault::RemoveManyInTwoSteps => {
            (vec![0, 5], vec![scene(1, RemoveMany(vec![0, 5]), [scene(2, Snapshot, [])])])
        }
        Fault::RemoveRangeInTwoSteps => {
            (vec![-3, 5], vec![scene(1, RemoveRange(-3..=5), [scene(2, Snapshot, [])])])
        }
        Fault::PopReturnsWhatItSaw => {
            (vec![0, 5], vec![scene(1, Pop(End::Min), [scene(2, Pop(End::Min), [])])])
        }
        // What was seen is still there, so the pop must come after the snapshot; then it is too large.
        Fault::PopOverlooksWhatCame => {
            let others = [scene(2, Add(vec![0]), []), scene(2, Snapshot, [])];
            (vec![5], vec![scene(1, Pop(End::Min), others)])
        }
        Fault::PopOverlooksWhatWasThere => {
            (vec![5], vec![scene(1, Add(vec![0]), []), scene(2, Pop(End::Min), [])])
        }
        Fault::PopManyInTwoSteps => {
            (vec![0, 5], vec![scene(1, PopMany(End::Max, 2), [scene(2, Len, [])])])
        }
        Fault::ClearCountsTooEarly => {
            (vec![0], vec![scene(1, Clear, [scene(2, Add(vec![5]), [])])])
        }
        Fault::SnapshotInTwoSteps => {
            (vec![], vec![scene(1, Snapshot, [scene(2, Add(vec![0]), [])])])
        }
        Fault::SnapshotsDisagree => {
            let adds = scene(3, Add(vec![-3]), [scene(4, Add(vec![5]), [])]);
            (vec![], vec![scene(1, Snapshot, [scene(2, Snapshot, [adds])])])
        }
        Fault::ReadsAreLate => (vec![], vec![scene(1, Add(vec![0]), []), scene(2, Len, [])]),
    }
}

/// Has a plan's threads get into each other's calls at random.
fn random_scenes(plan: &Plan, rng: &mut Xoshiro256PlusPlus) -> Vec<Scene> {
    let operations = plan.threads.iter().map(|steps| {
        let mut operations: Vec<Operation> = steps.iter().map(|s| s.operation.clone()).collect();
        operations.reverse();
        operations
    });
    let mut idle: Vec<(usize, Vec<Operation>)> = (1..).zip(operations).collect();
    let mut scenes = Vec::new();
    while idle.iter().any(|(_, operations)| !operations.is_empty()) {
        scenes.extend(scenes_of(&mut idle, rng));
    }
    scenes
}

/// Some calls of the threads that are idle, with others inside.
fn scenes_of(idle: &mut Vec<(usize, Vec<Operation>)>, rng: &mut Xoshiro256PlusPlus) -> Vec<Scene> {
    let mut scenes = Vec::new();
    while rng.random_ratio(2, 3) {
        let able = (0..idle.len()).filter(|&at| !idle[at].1.is_empty());
        let Some(at) = able.choose(rng) else { break };
        let (thread, mut operations) = idle.swap_remove(at);
        let operation = operations.pop().expect("it has some left");
        scenes.push(scene(thread, operation, scenes_of(idle, rng)));
        idle.push((thread, operations));
    }
    scenes
}

/// Plays scenes on a multiset that starts empty. The first lane prepares them and looks at what is left.
fn play(set: &Broken, setup: &[Operation], scenes: Vec<Scene>) -> History {
    let whole = |operation: &Operation| scene(0, operation.clone(), []);
    let after = [Operation::Snapshot, Operation::Clear, Operation::Len];
    let mut stage =
        Stage { clock: Clock::default(), history: History { lanes: vec![Vec::new(); MAX_LANES] } };
    stage.play(set, setup.iter().map(whole).collect());
    stage.play(set, scenes);
    stage.play(set, after.iter().map(whole).collect());
    stage.history
}

struct Stage {
    clock: Clock,
    history: History,
}

impl Stage {
    fn play(&mut self, set: &Broken, scenes: Vec<Scene>) {
        for Scene { thread, operation, mut meanwhile } in scenes {
            let invoked = self.clock.stamp();
            let mut others = || self.play(set, std::mem::take(&mut meanwhile));
            let outcome = set.perform(&operation, &mut others);
            others();
            let returned = self.clock.stamp();
            self.history.lanes[thread].push(Call { operation, outcome, invoked, returned });
        }
    }
}

/// Whether some order of the calls explains the history, found by trying all of them that keep those
/// apart that did not overlap.
fn is_explained_by_some_order(history: &History) -> bool {
    fn extend<'h>(order: &mut Vec<&'h Call>, left: &[&'h Call]) -> bool {
        if left.is_empty() {
            let mut elements = Elements::default();
            return order.iter().all(|call| elements.apply(&call.operation) == call.outcome);
        }
        left.iter().enumerate().any(|(at, &call)| {
            let mut rest = left.to_vec();
            rest.remove(at);
            order.push(call);
            let is_next = rest.iter().all(|other| other.returned > call.invoked);
            let explained = is_next && extend(order, &rest);
            order.pop();
            explained
        })
    }
    let calls: Vec<&Call> = history.lanes.iter().flatten().collect();
    extend(&mut Vec::new(), &calls)
}

#[test]
fn every_fault_is_found_where_it_shows() {
    for fault in FAULTS {
        let play = |fault_or_none| {
            let (values, scenes) = scenes(fault);
            play(&Broken::new(fault_or_none), &[Operation::Add(values)], scenes)
        };
        let history = play(Some(fault));
        assert!(check(&history).is_err(), "{fault:?} is not found in\n{history}");
        let history = play(None);
        check(&history)
            .unwrap_or_else(|e| panic!("without {fault:?} there is none in\n{history}{e}"));
    }
}

#[test]
fn two_snapshots_can_be_wrong_where_each_is_right() {
    for thread in [1, 2] {
        let (_, mut scenes) = scenes(Fault::SnapshotsDisagree);
        let mut outer = scenes.pop().expect("there is one");
        let mut inner = outer.meanwhile.pop().expect("there is one in its gap");
        let adds = std::mem::take(&mut inner.meanwhile);
        let set = Broken::new(Some(Fault::SnapshotsDisagree));
        set.upper_half_first.set(thread == 2);
        let history = play(&set, &[], vec![scene(thread, Operation::Snapshot, adds)]);
        check(&history)
            .unwrap_or_else(|e| panic!("one snapshot is right by itself:\n{history}{e}"));
    }
}

#[test]
fn random_plans_find_every_fault() {
    /// Plans within which each fault must show. The seed is a constant, so it always is the same one.
    const PLANS: usize = 1000;
    for fault in FAULTS {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let found = (0..PLANS).position(|_| {
            let plan = Plan::random(&mut rng);
            let scenes = random_scenes(&plan, &mut rng);
            check(&play(&Broken::new(Some(fault)), &plan.setup, scenes)).is_err()
        });
        assert!(found.is_some(), "{fault:?} does not show in {PLANS} plans");
    }
}

#[test]
fn the_search_agrees_with_trying_every_order() {
    const PLANS: usize = 20;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut counts = [0; 2];
    let faults = FAULTS.into_iter().map(Some).chain([None]);
    for fault in faults.clone().cycle().take(PLANS * faults.count()) {
        let mut plan = Plan::random(&mut rng);
        plan.threads.truncate(3);
        plan.threads.iter_mut().for_each(|steps| steps.truncate(2));
        let scenes = random_scenes(&plan, &mut rng);
        let history = play(&Broken::new(fault), &plan.setup, scenes);
        let expected = is_explained_by_some_order(&history);
        assert_eq!(check(&history).is_ok(), expected, "{fault:?}\n{history}");
        counts[usize::from(expected)] += 1;
    }
    assert!(counts.iter().all(|&count| count > PLANS), "both occur, and often: {counts:?}");
}
