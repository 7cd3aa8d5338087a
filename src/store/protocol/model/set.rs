//! A sorted multiset made of the protocol, as small as can be: its operations are those of the store,
//! without what has nothing to do with other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loom::thread::{self, JoinHandle};

use super::super::{Claim, Committed, Contents, Generation, Moment, Platform, Protocol, View};
use super::platform::{Loom, Run};
use crate::store::log::Log;

/// Words in a generation: for removals and for three writers.
const SLOTS: usize = 4;

pub(super) struct Set {
    pub(super) protocol: Protocol<Loom>,
    /// Of a memtable.
    capacity: usize,
    generations: AtomicU64,
}

impl Set {
    /// An empty set whose memtables hold this many entries.
    pub(super) fn new(capacity: usize) -> Arc<Set> {
        // Sets up, before there are other threads, what fences need.
        Loom::fence();
        let protocol = Protocol::new(empty_view(0, capacity));
        Arc::new(Set { protocol, capacity, generations: AtomicU64::new(1) })
    }

    /// One with this in a run.
    pub(super) fn with_run(capacity: usize, values: &[i64]) -> Arc<Set> {
        let set = Set::new(capacity);
        set.add_run(values);
        set
    }

    /// Has another thread do this.
    pub(super) fn spawn<T: 'static>(
        self: &Arc<Set>,
        run: impl FnOnce(&Set) -> T + 'static,
    ) -> JoinHandle<T> {
        let set = Arc::clone(self);
        thread::spawn(move || run(&set))
    }

    /// A slot. Only one thread at a time may do this in a model, or drop what it got: the list of
    /// slots has a mutex, of which the model checker does not know.
    pub(super) fn claim(&self) -> Claim<Loom> {
        self.protocol.claim().expect("a model has few writers")
    }

    /// The removers' turn.
    pub(super) fn claim_for_removals(&self) -> Claim<Loom> {
        self.protocol.slots.claim_for_removals()
    }

    pub(super) fn add(&self, claim: &mut Claim<Loom>, values: &[i64]) {
        loop {
            let turn = self.protocol.enter(claim);
            let active = &turn.view().active;
            let Some(places) = active.reserve(values.len()) else {
                self.protocol.seal(&turn.leave(), self.memtable());
                continue;
            };
            active.write(&places, turn.ticket(), values);
            turn.commit(values.len() as u64);
            return;
        }
    }

    /// A batch that dies after it has inserted all it has.
    pub(super) fn add_and_die(&self, claim: &mut Claim<Loom>, values: &[i64]) {
        let turn = self.protocol.enter(claim);
        let active = &turn.view().active;
        let places = active.reserve(values.len()).expect("there is room");
        active.write(&places, turn.ticket(), values);
    }

    pub(super) fn add_run(&self, values: &[i64]) {
        let run = Arc::new(Run { added: values.to_vec(), removed: Vec::new() });
        let published = self.protocol.publish(None, &[], |contents| {
            let runs = contents.runs.iter().chain([&run]).cloned().collect();
            let offset = contents.offset + signed(values.len());
            Some(Contents { runs, offset, edits: contents.edits + 1 })
        });
        published.expect("a run is added to any contents of any generation");
    }

    /// The elements at one instant, or none when somebody else did something meanwhile.
    ///
    /// Models read like this: a second attempt finds nothing that a first one, made later, does not.
    pub(super) fn try_read(&self) -> Option<Vec<i64>> {
        self.protocol.try_snapshot().as_ref().map(elements)
    }

    /// The elements at one instant.
    pub(super) fn read(&self) -> Vec<i64> {
        loop {
            if let Some(read) = self.try_read() {
                return read;
            }
        }
    }

    pub(super) fn clear(&self) -> u64 {
        let id = self.generations.fetch_add(1, Ordering::Relaxed);
        let old = self.protocol.clear(empty_view(id, self.capacity));
        // The store only counts; that what it counts is also there is checked on the way.
        assert_eq!(elements(&old).len() as u64, old.len());
        old.len()
    }

    /// Seals the active memtable, whether it is full or not, unless somebody else replaces the view.
    pub(super) fn seal(&self) -> bool {
        self.protocol.seal(&self.protocol.view_held(), self.memtable())
    }

    /// Makes a run of what is sealed. Whether there was anything, and it has been published.
    pub(super) fn drain(&self) -> bool {
        let view = self.protocol.view_held();
        if view.sealed.is_empty() {
            return false;
        }
        let committed = view.generation.wait_for_writers(&self.protocol.slots);
        let run = Arc::new(drained(&view.sealed, &committed));
        let published = self.protocol.publish(Some(&view.generation), &view.sealed, |contents| {
            contents.with_runs_replaced(&[], Some(Arc::clone(&run)))
        });
        published.is_some()
    }

    /// Makes one run of all there are. Whether it has been published.
    pub(super) fn merge(&self) -> bool {
        let view = self.protocol.view_held();
        let old = view.contents(&self.protocol.slots).runs.clone();
        let mut merged = Run::default();
        old.iter().for_each(|run| merged.append(run));
        merged.cancel();
        let merged = Arc::new(merged);
        let published = self.protocol.publish(Some(&view.generation), &[], |contents| {
            contents.with_runs_replaced(&old, Some(Arc::clone(&merged)))
        });
        published.is_some()
    }

    pub(super) fn remove(&self, claim: &mut Claim<Loom>, value: i64) -> bool {
        loop {
            let Some(moment) = self.protocol.try_snapshot() else {
                continue;
            };
            if !elements(&moment).contains(&value) {
                return false;
            }
            let Some(turn) = self.protocol.enter_in(claim, &moment.view.generation) else {
                continue;
            };
            let Some(places) = turn.view().active.reserve(1) else {
                self.protocol.seal(&turn.leave(), self.memtable());
                continue;
            };
            turn.view().active.write(&places, turn.ticket(), &[value]);
            turn.commit(1);
            return true;
        }
    }

    /// Removes the smallest element. Only one thread at a time may.
    pub(super) fn pop(&self) -> Option<i64> {
        loop {
            let Some(moment) = self.protocol.try_snapshot() else {
                continue;
            };
            let min = *elements(&moment).first()?;
            let mut contents = moment.contents().clone();
            contents.runs.push(Arc::new(Run { added: Vec::new(), removed: vec![min] }));
            contents.offset -= 1;
            contents.edits += 1;
            if self.protocol.try_remove(&moment, contents) {
                return Some(min);
            }
        }
    }

    fn memtable(&self) -> Arc<Log<Loom>> {
        Arc::new(Log::new(self.capacity))
    }
}

fn empty_view(generation: u64, capacity: usize) -> View<Loom> {
    View::empty(Arc::new(Generation::with_slots(generation, SLOTS)), Arc::new(Log::new(capacity)))
}

impl Run {
    fn append(&mut self, other: &Run) {
        self.added.extend(&other.added);
        self.removed.extend(&other.removed);
    }

    /// Lets removals and elements of the same value cancel each other.
    fn cancel(&mut self) {
        self.removed.sort_unstable();
        self.added.sort_unstable();
        self.removed.retain(|value| match self.added.binary_search(value) {
            Ok(index) => {
                self.added.remove(index);
                false
            }
            Err(_) => true,
        });
    }
}

/// Everything committed in some memtables.
fn drained(memtables: &[Arc<Log<Loom>>], committed: &Committed) -> Run {
    let mut run = Run::default();
    for memtable in memtables {
        memtable.visit(committed, |ticket, entries| {
            let into = if ticket.is_removal() { &mut run.removed } else { &mut run.added };
            into.extend(entries.values());
        });
    }
    run.cancel();
    run
}

/// The elements of a snapshot, ascending: as many as it says, and none removed that is not there.
pub(super) fn elements(moment: &Moment<Loom>) -> Vec<i64> {
    let view = &moment.view;
    let mut all = drained(std::slice::from_ref(&view.active), &moment.committed);
    all.append(&drained(&view.sealed, &moment.committed));
    moment.contents().runs.iter().for_each(|run| all.append(run));
    all.cancel();
    assert!(all.removed.is_empty(), "nothing is removed that is not there");
    assert_eq!(all.added.len() as u64, moment.len(), "a snapshot has as many elements as it says");
    all.added
}

fn signed(len: usize) -> i64 {
    i64::try_from(len).expect("a model has few elements")
}
