//! The compactor: a thread that turns memtables into runs and merges runs.
//!
//! It does what is smallest first, so that what is fresh never waits for a large merge, and it does
//! a large merge piece by piece, each of them published, so that the memory that a merge needs
//! beside what is live is a few chunks, whatever the size.

use std::cell::Cell;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use super::memtable::{self, Memtable};
use super::merge::{Block, End, Merger};
use super::protocol::{Generation, Native, NativeContents, Protocol, View};
use super::reaper::Reaper;
use super::run::{CHUNK_LEN, Run, Sorted};

/// Entries of a merge that are published at a time: about a millisecond, after which a smaller merge
/// that has become due goes first.
const PIECE: usize = 2 * CHUNK_LEN;

/// Entries of a merge after which the compactor looks whether a memtable has been sealed: a tenth of
/// a millisecond.
const LOOK_EVERY: usize = if cfg!(test) { 4 } else { 1 << 14 };

/// Runs are merged with the next larger one unless it has more entries than this many times what there
/// is of smaller ones. A larger ratio means fewer runs to read and more merging.
const MERGE_RATIO: usize = 2;

/// Runs that count as larger than they are: where removals meet their elements, little may be left, and it
/// costs less to move than to be looked through.
const SMALL_RUN: usize = memtable::CAPACITY;

/// How long nothing must have been added before the compactor tidies up.
const QUIET: Duration = Duration::from_millis(5);

/// Entries that a merge in a quiet time may move for each such time that has passed.
const QUIET_CREDIT: usize = 1 << 16;

/// Entries that such a merge may move for each entry that has been drained: enough to make one run of
/// what has just been added.
const DRAIN_CREDIT: usize = 2;

/// The part of a run's memory, as a divisor, that may be taken up by what has been cut out of it.
const SLACK: usize = 4;

/// What other threads ask of the compactor.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    stop: AtomicBool,
    thread: OnceLock<Thread>,
    tidy: Mutex<Tidy>,
    tidied: Condvar,
}

/// How often it was asked to merge all there is into one run, and for how many of these it has.
#[derive(Debug, Default)]
struct Tidy {
    asked: u64,
    done: u64,
}

impl Requests {
    /// Has the compactor look for work. It looks by itself while there is any: this is for the first
    /// entry of a memtable, and for a full one.
    pub(crate) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Ends the compactor's thread.
    pub(crate) fn stop(&self) {
        // Relaxed: nothing is handed over. Read in `stopped`, after the thread was unparked.
        self.stop.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// How often it was asked to tidy up, unless it has.
    fn asked(&self) -> Option<u64> {
        let tidy = lock(&self.tidy);
        (tidy.done < tidy.asked).then_some(tidy.asked)
    }

    fn answer(&self, asked: u64) {
        lock(&self.tidy).done = asked;
        self.tidied.notify_all();
    }

    /// Waits until all that was there at the call lies in one run.
    pub(crate) fn tidy(&self) {
        let mut tidy = lock(&self.tidy);
        tidy.asked += 1;
        let ticket = tidy.asked;
        self.wake();
        while tidy.done < ticket {
            tidy = self.tidied.wait(tidy).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn stopped(&self) -> bool {
        // Relaxed: as in `stop`.
        self.stop.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these mutexes guard is whole wherever a panic strikes.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread, which ends after [`Requests::stop`].
///
/// # Panics
/// When the system cannot start one, as [`std::thread::spawn`] does.
pub(crate) fn start(protocol: Arc<Protocol<Native>>, requests: Arc<Requests>, reaper: Reaper) {
    let mut compactor = Compactor {
        protocol,
        requests: Arc::clone(&requests),
        reaper,
        merges: Vec::new(),
        credit: Cell::new(0),
        seen: (0, 0),
    };
    let handle = thread::Builder::new()
        .name("sortd-compactor".into())
        .spawn(move || compactor.run())
        .expect("the system can start the compactor thread");
    requests.thread.set(handle.thread().clone()).expect("a set has one compactor");
}

struct Compactor {
    protocol: Arc<Protocol<Native>>,
    requests: Arc<Requests>,
    reaper: Reaper,
    /// Merges under way, each smaller than the one before it.
    merges: Vec<Merge>,
    /// Entries that may be moved by merges in quiet times: in proportion to what has been drained, and a
    /// few more for each quiet time, so that an array that is added to now and then is not merged for
    /// every element.
    credit: Cell<usize>,
    /// What changes with every change, when it was last looked at.
    seen: (usize, u64),
}

/// What to do after looking for work.
enum Next {
    /// Look again at once.
    Again,
    /// Look again after a quiet time.
    Quiet,
    /// Nothing is left to do.
    Idle,
}

impl Compactor {
    fn run(&mut self) {
        while !self.requests.stopped() {
            let asked = self.requests.asked();
            if let Some(asked) = asked {
                self.tidy();
                self.requests.answer(asked);
            }
            match self.step() {
                Next::Again => {}
                Next::Quiet => thread::park_timeout(QUIET),
                Next::Idle => thread::park(),
            }
        }
    }

    /// Does what is most urgent: all that is sealed, and a piece of the smallest merge.
    fn step(&mut self) -> Next {
        self.drain_sealed();
        let view = self.protocol.view_held();
        let contents = view.contents(&self.protocol.slots);
        self.merges.retain(|merge| merge.is_current(&view.generation, contents));
        if let Some(inputs) = due(contents, &self.merges) {
            self.merges.push(Merge::new(&view.generation, inputs));
        }
        if let Some(mut merge) = self.merges.pop() {
            if merge.step(self) {
                self.merges.push(merge);
            }
            return Next::Again;
        }
        self.tidy_when_quiet(&view, contents)
    }

    /// Turns the sealed memtables into one run.
    fn drain_sealed(&self) {
        let view = self.protocol.view_held();
        if view.sealed.is_empty() {
            return;
        }
        // What is taken was taken from the view before this waits: a memtable that is sealed later
        // may have writers that this does not wait for.
        let committed = view.generation.wait_for_writers(&self.protocol.slots);
        let sealed = view.sealed.iter().map(|memtable| &**memtable);
        let run = Arc::new(memtable::drain(sealed, &committed, &self.reaper));
        self.earn(DRAIN_CREDIT * run.entries());
        let run = (run.entries() > 0).then_some(run);
        // None says that a clear came first, and all this is gone.
        let _ = self.protocol.publish(Some(&view.generation), &view.sealed, |contents| {
            contents.with_runs_replaced(&[], run.clone())
        });
    }

    /// Moves about [`PIECE`] entries from what is merged to `output`.
    fn append_piece(&self, merger: &mut Merger, output: &mut Run) {
        let mut block = Block::default();
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        let (mut moved, mut looked) = (0, 0);
        while moved < PIECE && merger.take(End::Front, &mut block) {
            moved += block.added.len() + block.removed.len();
            append(&block.added, &mut added, &mut output.added, &self.reaper);
            append(&block.removed, &mut removed, &mut output.removed, &self.reaper);
            if moved - looked >= LOOK_EVERY {
                looked = moved;
                self.drain_sealed();
            }
        }
        output.added.push(added.into(), &self.reaper);
        output.removed.push(removed.into(), &self.reaper);
    }

    /// Nothing has to be done. When nothing has been changed for a while, what is left is made into
    /// one run, if that has been paid for.
    fn tidy_when_quiet(&mut self, view: &Arc<View<Native>>, contents: &NativeContents) -> Next {
        let active = view.active.reserved();
        if active == 0 && is_tidy(contents) {
            return Next::Idle;
        }
        let now = (active, contents.edits);
        if mem::replace(&mut self.seen, now) != now {
            return Next::Quiet;
        }
        self.earn(QUIET_CREDIT);
        if active > 0 {
            self.seal_active(view);
            return Next::Again;
        }
        let merge = Merge::new(&view.generation, contents.runs.clone());
        let Some(credit) = self.credit.get().checked_sub(merge.size) else {
            return Next::Quiet;
        };
        self.credit.set(credit);
        self.merges.push(merge);
        Next::Again
    }

    /// Seals the view's active memtable, if it has any entries. Whether that is done.
    fn seal_active(&self, view: &Arc<View<Native>>) -> bool {
        view.active.reserved() == 0 || {
            let fresh = Arc::new(Memtable::new(self.reaper.clone()));
            self.protocol.seal(view, fresh)
        }
    }

    fn earn(&self, entries: usize) {
        self.credit.set(self.credit.get().saturating_add(entries));
    }

    /// Makes all there is into one run, now.
    fn tidy(&mut self) {
        self.merges.clear();
        // It fails when somebody else has replaced the view meanwhile, perhaps not by sealing.
        while !self.seal_active(&self.protocol.view_held()) {}
        self.drain_sealed();
        let view = self.protocol.view_held();
        let contents = view.contents(&self.protocol.slots);
        if is_tidy(contents) {
            return;
        }
        let mut merge = Merge::new(&view.generation, contents.runs.clone());
        while merge.step(self) {}
    }
}

/// The smallest merge that is due: a run with the smaller ones, when these are together at least a
/// [`MERGE_RATIO`]th of it; or a run alone, of whose memory too much is not used any more.
fn due(contents: &NativeContents, under_way: &[Merge]) -> Option<Vec<Arc<Run>>> {
    let is_free = |run: &&Arc<Run>| !run.is_open() && !under_way.iter().any(|m| m.has(run));
    let mut runs: Vec<&Arc<Run>> = contents.runs.iter().filter(is_free).collect();
    runs.sort_unstable_by_key(|run| run.entries());
    for first in 0..runs.len() {
        let mut size = runs[first].entries();
        // Many at a time only where it is done in one go: what is left of them would all have to be
        // read meanwhile.
        let mut next = runs[first + 1..].iter().map(|run| run.entries()).enumerate();
        let others = next.position(|(others, entries)| {
            let joins = entries <= MERGE_RATIO * size.max(SMALL_RUN)
                && (others == 0 || size + entries <= PIECE);
            size += entries;
            !joins
        });
        let others = others.unwrap_or(runs.len() - first - 1);
        let wasteful = runs[first].allocated() > size_with_slack(runs[first].entries());
        if others > 0 || wasteful {
            let inputs: Vec<_> =
                runs[first..=first + others].iter().map(|r| Arc::clone(r)).collect();
            let size: usize = inputs.iter().map(|run| run.entries()).sum();
            let smallest = under_way.last().is_none_or(|merge| size < merge.size);
            return smallest.then_some(inputs);
        }
    }
    None
}

fn size_with_slack(entries: usize) -> usize {
    entries + entries / SLACK + CHUNK_LEN
}

/// Whether there is nothing to be merged.
pub(super) fn is_tidy(contents: &NativeContents) -> bool {
    match &*contents.runs {
        [] => true,
        [run] => run.removed.len() == 0 && run.allocated() <= size_with_slack(run.entries()),
        _ => false,
    }
}

/// A merge of some runs into one, of which some may already be done and published.
struct Merge {
    generation: Arc<Generation<Native>>,
    /// Entries at the beginning.
    size: usize,
    /// What is left to be merged.
    inputs: Vec<Arc<Run>>,
    /// What has been merged. All of it comes before what is left.
    output: Option<Arc<Run>>,
}

impl Merge {
    fn new(generation: &Arc<Generation<Native>>, inputs: Vec<Arc<Run>>) -> Merge {
        let size = inputs.iter().map(|run| run.entries()).sum();
        Merge { generation: Arc::clone(generation), size, inputs, output: None }
    }

    fn runs(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.inputs.iter().chain(&self.output)
    }

    fn has(&self, run: &Arc<Run>) -> bool {
        self.runs().any(|own| Arc::ptr_eq(own, run))
    }

    /// Whether all that this is about is still there.
    fn is_current(&self, generation: &Arc<Generation<Native>>, contents: &NativeContents) -> bool {
        let is_there = |own: &Arc<Run>| contents.runs.iter().any(|run| Arc::ptr_eq(own, run));
        Arc::ptr_eq(&self.generation, generation) && self.runs().all(is_there)
    }

    /// Merges a piece and publishes it. Whether there is more to do: not after the last piece, nor
    /// when something that this is about is gone.
    fn step(&mut self, compactor: &Compactor) -> bool {
        let mut merger = Merger::new();
        self.inputs.iter().for_each(|run| merger.push_all(Arc::clone(run)));
        let mut output = self.output.as_deref().cloned().unwrap_or_default();
        compactor.append_piece(&mut merger, &mut output);
        let output = Some(Arc::new(output)).filter(|run| run.entries() > 0);
        let inputs: Vec<Arc<Run>> =
            merger.rests().filter(|run| run.entries() > 0).map(Arc::new).collect();
        let old: Vec<Arc<Run>> = self.runs().cloned().collect();
        let published = compactor.protocol.publish(Some(&self.generation), &[], |contents| {
            contents.with_runs_replaced(&old, inputs.iter().chain(&output).cloned())
        });
        self.inputs = inputs;
        self.output = output;
        published.is_some() && !self.inputs.is_empty()
    }
}

/// Appends values to a chunk in the making, and full ones to what is made.
fn append(mut values: &[i64], chunk: &mut Vec<i64>, made: &mut Sorted, reaper: &Reaper) {
    while !values.is_empty() {
        let (now, later) = values.split_at(values.len().min(CHUNK_LEN - chunk.len()));
        chunk.extend_from_slice(now);
        values = later;
        if chunk.len() == CHUNK_LEN {
            made.push(mem::take(chunk).into(), reaper);
        }
    }
}
