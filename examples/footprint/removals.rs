//! Removals: a queue, and clears.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Options;
use crate::process::{resident, resident_at_rest};
use crate::report::{Rounds, ns_each, row, section};
use crate::stores::{
    MutexTree, RwLockTree, Skiplist, Sortd, Source, Store, Values, filled, put_off, retire,
};

/// Pairs that make a row.
const MILLION: usize = 1_000_000;

/// What is in the queue, unless `--up-to` is less.
const QUEUE_SIZE: usize = 1_000_000;

/// How long adds are watched without a clear, and from a clear on.
const WATCH_FOR: Duration = Duration::from_millis(300);

/// The table of a queue, by the million.
pub(crate) fn queue(options: &Options) {
    let size = options.up_to.min(QUEUE_SIZE);
    section(
        "A queue",
        &format!(
            "Pairs of taking the smallest element and adding one that is later by up to 2^40, \
             which is what the queue of {size} spans; one thread. Memory is beyond what there was \
             before the queue was made. One round: rows follow each other."
        ),
        &["store", "pairs so far", "ns a pair", "MiB resident"],
    );
    queue_of::<Sortd>(options, size);
    if options.peers {
        queue_of::<Skiplist>(options, size);
        queue_of::<MutexTree>(options, size);
        queue_of::<RwLockTree>(options, size);
    }
}

fn queue_of<S: Store>(options: &Options, size: usize) {
    let before = resident();
    let store: S = filled(Values::Delays, size);
    let (len, mut handle) = (store.len(), store.handle());
    let mut delays = Source::new(Values::Delays, 1, 2);
    let mib = |bytes: i64| format!("{:.1}", (bytes - before) as f64 / 1_048_576.0);
    row(&[&S::NAME, &0, &"", &mib(resident_at_rest())]);
    for million in 1..=options.pairs.div_ceil(MILLION) {
        let begin = Instant::now();
        (0..MILLION).for_each(|_| put_off(&store, &mut handle, &mut delays));
        let ns = ns_each(begin.elapsed(), MILLION);
        row(&[&S::NAME, &(million * MILLION), &format!("{ns:.0}"), &mib(resident())]);
    }
    assert_eq!(store.len(), len, "a queue keeps its length");
    drop(handle);
    retire(store);
}

/// The tables of clears.
pub(crate) fn clear(options: &Options) {
    let size = options.size();
    section(
        "Clear",
        &format!(
            "Microseconds from the call to the return, at {size} uniform elements, all merged, \
             while nobody writes; then while one thread adds a value at a time, with the longest \
             of these adds: in {WATCH_FOR:?} before the clear, and in as long from its call on."
        ),
        &["store", "clear", "clear beside a writer", "longest add before", "longest add from then"],
    );
    clear_of::<Sortd>(options);
    if options.peers {
        clear_of::<Skiplist>(options);
        clear_of::<MutexTree>(options);
        clear_of::<RwLockTree>(options);
    }
}

fn clear_of<S: Store>(options: &Options) {
    let mut cells: [Rounds; 4] = Default::default();
    for _ in 0..options.rounds {
        let store: S = filled(Values::Uniform, options.size());
        cells[0].push(microseconds(clear_one(&store)));
        retire(store);
        let store: S = filled(Values::Uniform, options.size());
        let (clear, longest) = clear_beside_a_writer(&store);
        retire(store);
        cells[1].push(microseconds(clear));
        cells[2].push(microseconds(longest[0]));
        cells[3].push(microseconds(longest[1]));
    }
    let [alone, beside, add_before, add_after] = &cells;
    row(&[&S::NAME, alone, beside, add_before, add_after]);
}

fn clear_one(store: &impl Store) -> Duration {
    let begin = Instant::now();
    store.clear();
    begin.elapsed()
}

/// A clear's time, and the longest add before it and from it on.
fn clear_beside_a_writer<S: Store>(store: &S) -> (Duration, [Duration; 2]) {
    // 0 before the clear, 1 from then on, 2 to stop. Relaxed: nothing is handed over.
    let phase = &AtomicUsize::new(0);
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let mut handle = store.handle();
            let mut source = Source::new(Values::Uniform, 1, 2);
            let mut longest = [Duration::ZERO; 2];
            loop {
                let value = source.value();
                let begin = Instant::now();
                store.add(&mut handle, &[value]);
                let elapsed = begin.elapsed();
                let Some(longest) = longest.get_mut(phase.load(Ordering::Relaxed)) else {
                    return longest;
                };
                *longest = elapsed.max(*longest);
            }
        });
        thread::sleep(WATCH_FOR);
        phase.store(1, Ordering::Relaxed);
        let clear = clear_one(store);
        thread::sleep(WATCH_FOR.saturating_sub(clear));
        phase.store(2, Ordering::Relaxed);
        (clear, writer.join().expect("adding does not panic"))
    })
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1000.0
}
