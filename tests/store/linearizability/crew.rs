//! The threads that carry out plans, history after history, and really at the same time.

use std::fmt;
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope, ThreadId};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::checker::check;
use super::history::{Call, Clock, History};
use super::multiset::{Locked, Multiset};
use super::operation::{Operation, Outcome};
use super::plan::{MAX_THREADS, Plan, Step};

/// A multiset serves this many histories before a new one, with new threads, takes its place.
const HISTORIES_PER_MULTISET: usize = 100;

/// A waiting thread spins this often before it gives its core away at each turn.
const SPINS: u32 = 200;

/// What a run has seen.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) histories: usize,
    /// Those in which calls overlapped.
    pub(crate) overlapping: usize,
    pub(crate) calls: usize,
}

/// A history that nothing explains. Its text is all that is needed to look into it.
pub(crate) struct Failure(String);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Carries out that many random histories and checks each; the seed determines their input.
pub(crate) fn run<M: Multiset>(histories: usize, seed: u64) -> Result<Summary, Failure> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut summary = Summary::default();
    while summary.histories < histories {
        let (set, clock) = (M::new(rng.random()), Clock::default());
        thread::scope(|scope| {
            let mut crew = Crew::gather(scope, &set, &clock);
            for _ in 0..HISTORIES_PER_MULTISET.min(histories - summary.histories) {
                let plan = Plan::random(&mut rng);
                let history = crew.carry_out(&plan);
                check(&history).map_err(|contradiction| {
                    let number = summary.histories;
                    Failure(format!(
                        "history {number} of seed {seed} is not linearizable:\n\n{history}\n{contradiction}"
                    ))
                })?;
                summary.histories += 1;
                summary.overlapping += usize::from(history.overlaps());
                summary.calls += history.lanes.iter().map(Vec::len).sum::<usize>();
            }
            Ok(())
        })?;
    }
    Ok(summary)
}

/// Threads at a multiset, waiting for work.
struct Crew<'c, M: Multiset> {
    set: &'c M,
    clock: &'c Clock,
    /// Of the thread that prepares histories and clears up after them.
    handle: M::Handle,
    /// One for each thread that calls, and one that disturbs.
    workers: Vec<Worker>,
}

struct Worker {
    orders: Sender<Order>,
    reports: Receiver<Vec<Call>>,
}

/// One thread's part of a history.
struct Order {
    gate: Arc<Gate>,
    /// Whether to wait for the others in every step, and not only in the first one.
    in_step: bool,
    newcomers: bool,
    actions: Vec<Action>,
}

enum Action {
    Call(Step),
    Disturb,
}

impl<'c, M: Multiset> Crew<'c, M> {
    fn gather<'s>(scope: &'s Scope<'s, 'c>, set: &'c M, clock: &'c Clock) -> Crew<'c, M> {
        let worker = |_| {
            let (orders, received) = channel();
            let (report, reports) = channel();
            scope.spawn(move || work(set, clock, received, report));
            Worker { orders, reports }
        };
        Crew {
            set,
            clock,
            handle: M::Handle::default(),
            workers: (0..=MAX_THREADS).map(worker).collect(),
        }
    }

    /// The first lane prepares the plan's history and clears up after it, so that the next one finds
    /// the multiset empty; the others are the plan's threads.
    fn carry_out(&mut self, plan: &Plan) -> History {
        let mut lanes = vec![Vec::new()];
        for operation in &plan.setup {
            lanes[0].push(self.call(operation));
            if plan.disturbed {
                self.set.disturb();
            }
        }
        let gate = Arc::new(Gate::new(plan.threads.len() + usize::from(plan.disturbed)));
        let order = |worker: &Worker, actions| {
            let (in_step, newcomers) = (plan.in_step, plan.newcomers);
            let order = Order { gate: Arc::clone(&gate), in_step, newcomers, actions };
            worker.orders.send(order).expect("the thread waits for orders");
        };
        let (disturber, callers) = self.workers.split_last().expect("there are several");
        for (steps, worker) in plan.threads.iter().zip(callers) {
            order(worker, steps.iter().cloned().map(Action::Call).collect());
        }
        if plan.disturbed {
            order(disturber, plan.threads[0].iter().map(|_| Action::Disturb).collect());
        }
        let report = |worker: &Worker| worker.reports.recv().expect("no thread has panicked");
        lanes.extend(callers.iter().take(plan.threads.len()).map(report));
        if plan.disturbed {
            report(disturber);
        }
        for operation in [Operation::Snapshot, Operation::Clear, Operation::Len] {
            lanes[0].push(self.call(&operation));
        }
        History { lanes }
    }

    fn call(&mut self, operation: &Operation) -> Call {
        let invoked = self.clock.stamp();
        let outcome = self.set.perform(&mut self.handle, operation);
        Call { operation: operation.clone(), outcome, invoked, returned: self.clock.stamp() }
    }
}

/// The life of a thread of the crew: until there are no more orders.
fn work<M: Multiset>(set: &M, clock: &Clock, orders: Receiver<Order>, reports: Sender<Vec<Call>>) {
    let mut handle = M::Handle::default();
    for order in orders {
        let _attendance = Attendance(&order.gate);
        if order.newcomers {
            handle = M::Handle::default();
        }
        let mut calls = Vec::new();
        for (index, action) in order.actions.into_iter().enumerate() {
            let together = index == 0 || order.in_step;
            match action {
                Action::Call(Step { pause, operation }) => {
                    let wait = || (0..pause).for_each(|_| hint::spin_loop());
                    let invoked = if together {
                        // A stamp before the meeting: whoever is first, these calls overlap.
                        let invoked = clock.stamp();
                        order.gate.meet();
                        wait();
                        invoked
                    } else {
                        wait();
                        clock.stamp()
                    };
                    let outcome = set.perform(&mut handle, &operation);
                    calls.push(Call { operation, outcome, invoked, returned: clock.stamp() });
                }
                Action::Disturb => {
                    if together {
                        order.gate.meet();
                    }
                    set.disturb();
                }
            }
        }
        if reports.send(calls).is_err() {
            return;
        }
    }
}

/// Where threads wait for each other, as often as they like. Spins, since threads that are woken start
/// one after the other.
struct Gate {
    parties: usize,
    arrivals: AtomicUsize,
    /// Whether somebody will never arrive.
    deserted: AtomicBool,
}

impl Gate {
    fn new(parties: usize) -> Gate {
        Gate { parties, arrivals: AtomicUsize::new(0), deserted: AtomicBool::new(false) }
    }

    fn meet(&self) {
        // Relaxed, here and below: only the number matters. What is done between two meetings is
        // ordered, if at all, by the stamps.
        let arrival = self.arrivals.fetch_add(1, Ordering::Relaxed);
        let all = (arrival / self.parties + 1) * self.parties;
        let mut spins = 0;
        while self.arrivals.load(Ordering::Relaxed) < all {
            assert!(!self.deserted.load(Ordering::Relaxed), "another thread has panicked");
            if spins < SPINS {
                spins += 1;
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }
}

/// Tells the others at a gate when this thread panics, or they would wait for ever.
struct Attendance<'g>(&'g Gate);

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            // Relaxed: whenever the others see it.
            self.0.deserted.store(true, Ordering::Relaxed);
        }
    }
}

/// Says once too often how many there are.
struct Miscounts(Locked);

impl Multiset for Miscounts {
    type Handle = ();

    fn new(crowded: bool) -> Miscounts {
        Miscounts(Locked::new(crowded))
    }

    fn perform(&self, handle: &mut (), operation: &Operation) -> Outcome {
        match self.0.perform(handle, operation) {
            Outcome::Count(count) => Outcome::Count(count + 1),
            outcome => outcome,
        }
    }
}

#[test]
fn a_failure_tells_all_that_is_known() {
    let failure = run::<Miscounts>(10, 7).expect_err("it is wrong even by itself").0;
    for part in ["history 0 of seed 7", "thread 1", "┌ len", "should have given"] {
        assert!(failure.contains(part), "{part} is missing in\n{failure}");
    }
}

/// Panics on every thread but the one that made it.
struct Panics(ThreadId);

impl Multiset for Panics {
    type Handle = ();

    fn new(_: bool) -> Panics {
        Panics(thread::current().id())
    }

    fn perform(&self, (): &mut (), _: &Operation) -> Outcome {
        assert_eq!(thread::current().id(), self.0, "on purpose");
        Outcome::Done
    }
}

#[test]
#[should_panic(expected = "no thread has panicked")]
fn a_panic_ends_the_run() {
    run::<Panics>(1, 7).expect("it does not come to this");
}
