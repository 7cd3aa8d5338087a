//! Memory an element and time an add, each from a process of its own, so that peaks do not mix.

use std::time::Instant;

use clap::{Args, ValueEnum};

use crate::process::{output, peak, resident, resident_at_rest};
use crate::report::{Rounds, ns_each, row, section};
use crate::stores::{MutexTree, RwLockTree, Skiplist, Sortd, Store, Values, fill};
use crate::{LARGE, Options};

const THREADS: [usize; 2] = [1, 2];

/// What is compared with peers.
const COMPARED: [usize; 2] = [LARGE / 10, LARGE];

/// A store's name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    Sortd,
    Skiplist,
    Mutex,
    Rwlock,
}

impl Which {
    const ALL: [Which; 4] = [Which::Sortd, Which::Skiplist, Which::Mutex, Which::Rwlock];

    fn name(self) -> &'static str {
        match self {
            Which::Sortd => Sortd::NAME,
            Which::Skiplist => Skiplist::NAME,
            Which::Mutex => MutexTree::NAME,
            Which::Rwlock => RwLockTree::NAME,
        }
    }
}

/// Which store grows to what.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Growth {
    #[arg(value_enum)]
    store: Which,
    size: usize,
    threads: usize,
}

impl Growth {
    /// Grows it, and prints the four figures of an element.
    pub(crate) fn run(&self) {
        let figures = match self.store {
            Which::Sortd => self.grow::<Sortd>(),
            Which::Skiplist => self.grow::<Skiplist>(),
            Which::Mutex => self.grow::<MutexTree>(),
            Which::Rwlock => self.grow::<RwLockTree>(),
        };
        println!("{}", figures.map(|figure| figure.to_string()).join(" "));
    }

    fn grow<S: Store>(&self) -> [f64; 4] {
        let before = resident();
        let store = S::new();
        let begin = Instant::now();
        let filled = fill(&store, Values::Uniform, self.size, self.threads);
        store.wait_until_quiet();
        let to_quiet = begin.elapsed();
        let rest = resident_at_rest();
        assert_eq!(store.len(), filled.elements, "all that was added is there");
        let bytes_each = |bytes: i64| (bytes - before) as f64 / filled.elements as f64;
        let ns_each = |elapsed| ns_each(elapsed, filled.elements);
        [ns_each(filled.to_commit), ns_each(to_quiet), bytes_each(rest), bytes_each(peak())]
    }

    /// Does it in another process.
    fn measure(&self, figures: &mut Figures) {
        let store = self.store.to_possible_value().expect("every store has a name");
        let args = [
            "grow".into(),
            store.get_name().into(),
            self.size.to_string(),
            self.threads.to_string(),
        ];
        let output = output(&args);
        let mut each = output.split_whitespace().map(|figure| figure.parse::<f64>());
        for rounds in
            [&mut figures.to_commit, &mut figures.to_quiet, &mut figures.rest, &mut figures.peak]
        {
            rounds.push(each.next().and_then(Result::ok).expect("it prints four figures"));
        }
    }
}

/// What is known of one store that grew several times.
#[derive(Clone, Debug, Default)]
struct Figures {
    to_commit: Rounds,
    to_quiet: Rounds,
    rest: Rounds,
    peak: Rounds,
}

/// Grows these stores in turn, so that what else the machine does is spread over all of them.
fn grow_in_turn(
    stores: &[Which],
    size: usize,
    threads: usize,
    rounds: usize,
) -> Vec<(Which, Figures)> {
    let mut all: Vec<_> = stores.iter().map(|&store| (store, Figures::default())).collect();
    for _ in 0..rounds {
        for (store, figures) in &mut all {
            Growth { store: *store, size, threads }.measure(figures);
        }
    }
    all
}

/// The table of this store, and of peers if asked for.
pub(crate) fn footprint(options: &Options) {
    section(
        "Memory and adds",
        "From empty, uniform values, batches of 15. Quiet is when all lies in one sorted array, \
         by itself: that includes a pause of some 10 ms after the last add. Bytes are of the \
         process beyond what it had before; below a million elements, threads and the allocator \
         are a good part of them.",
        &[
            "store",
            "elements",
            "threads",
            "ns an add, to commit",
            "ns an add, to quiet",
            "bytes an element at rest",
            "bytes at the peak",
        ],
    );
    let stores = if options.peers { &Which::ALL[..] } else { &[Which::Sortd] };
    for size in options.sizes() {
        for threads in THREADS {
            for (store, figures) in grow_in_turn(stores, size, threads, options.rounds) {
                let Figures { to_commit, to_quiet, rest, peak } = &figures;
                row(&[&store.name(), &size, &threads, to_commit, to_quiet, rest, peak]);
            }
        }
    }
}

/// The table of ratios.
pub(crate) fn compare(options: &Options) {
    section(
        "Adds and memory compared",
        "As above; stores in turn within each round. Ratios are of medians, each store's to \
         sortd's: above 1 sortd is faster, or smaller.",
        &[
            "elements",
            "threads",
            "store",
            "ns an add",
            "to sortd's to commit",
            "to sortd's to quiet",
            "bytes an element at rest",
            "to sortd's at rest",
            "to sortd's peak",
        ],
    );
    for size in COMPARED.into_iter().filter(|&size| size <= options.up_to) {
        for threads in THREADS {
            let all = grow_in_turn(&Which::ALL, size, threads, options.rounds);
            let own = &all[0].1;
            for (store, figures) in &all {
                let ratio = |of: &Rounds, to: &Rounds| format!("{:.2}", of.median() / to.median());
                let Figures { to_commit, to_quiet, rest, peak } = figures;
                row(&[
                    &size,
                    &threads,
                    &store.name(),
                    to_commit,
                    &ratio(to_commit, &own.to_commit),
                    &ratio(to_quiet, &own.to_quiet),
                    rest,
                    &ratio(rest, &own.rest),
                    &ratio(peak, &own.peak),
                ]);
            }
        }
    }
}
