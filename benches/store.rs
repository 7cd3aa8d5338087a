//! What the store's operations cost, beside what one would use without it, by the number of elements.
//!
//! ```sh
//! cargo bench --bench store                            # about ten minutes, up to a million elements
//! cargo bench --bench store -- 'add/uniform/1000000'   # one group
//! SORTD_BENCH_LARGE=1 cargo bench --bench store        # ten million elements too: an hour
//! ```
//!
//! | group | one iteration is | compared |
//! |---|---|---|
//! | `add` | filling an empty store in batches of 15, `to-commit` to the last commit, `to-quiet` until its threads have also merged all there is | all (peers have no threads of their own) |
//! | `read-mostly` | nine reads of ten, each of 100 elements from a random value on, and one add of a batch | all |
//! | `scan` | reading all elements | all |
//! | `rank`, `at`, `quantile` | one, of a fresh snapshot, while nobody or two threads write | this store alone: peers have none |
//! | `queue` | taking the smallest element and adding a larger one | all |
//! | `clear` | removing all elements, to the return | all |

mod stores;

use std::env;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main,
};
use sortd::store::Snapshot;
use stores::{
    MutexTree, RwLockTree, Skiplist, Sortd, Source, Store, Values, fill, filled, put_off, retire,
    while_writing,
};

const SIZES: [usize; 2] = [100_000, 1_000_000];
/// Measured if asked for.
const LARGE: usize = 10_000_000;
const LARGE_VARIABLE: &str = "SORTD_BENCH_LARGE";

const VALUES: [Values; 3] = [Values::Uniform, Values::Ascending, Values::Duplicates];
const THREADS: [usize; 2] = [1, 2];

/// Elements that a read asks for.
const RANGE: usize = 100;
/// One in so many operations is an add, the others are reads.
const ADD_EVERY: u64 = 10;

/// Writers beside a reader.
const WRITERS: usize = 2;

fn sizes() -> Vec<usize> {
    let large = env::var_os(LARGE_VARIABLE).map(|_| LARGE);
    SIZES.into_iter().chain(large).collect()
}

/// A group of a few long samples, each of which may need a store of its own.
fn group<'c>(criterion: &'c mut Criterion, name: String) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    group.sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(100));
    group.measurement_time(Duration::from_secs(1));
    group
}

/// A store that benchmarks share, made when the first one of them runs: none may, by the filter.
struct Lazy<S: Store> {
    values: Values,
    size: usize,
    made: Option<S>,
}

impl<S: Store> Lazy<S> {
    fn new(values: Values, size: usize) -> Lazy<S> {
        Lazy { values, size, made: None }
    }

    /// The store, quiet, with from `size` to twice as many elements. Not within what is timed:
    /// criterion takes its first iterations for the guide to how many it has time for.
    fn get(&mut self) -> &S {
        if self.made.as_ref().is_some_and(|store| store.len() > 2 * self.size) {
            self.retire();
        }
        let (values, size) = (self.values, self.size);
        let store = self.made.get_or_insert_with(|| filled(values, size));
        store.hurry_until_quiet();
        store
    }

    fn retire(&mut self) {
        if let Some(store) = self.made.take() {
            retire(store);
        }
    }
}

impl<S: Store> Drop for Lazy<S> {
    fn drop(&mut self) {
        self.retire();
    }
}

fn add(criterion: &mut Criterion) {
    for values in VALUES {
        for size in sizes() {
            let mut group = group(criterion, format!("add/{}/{size}", values.name()));
            group.throughput(Throughput::Elements(size as u64));
            for writers in THREADS {
                add_to::<Sortd>(&mut group, values, size, writers, false);
                add_to::<Sortd>(&mut group, values, size, writers, true);
                add_to::<Skiplist>(&mut group, values, size, writers, false);
                add_to::<MutexTree>(&mut group, values, size, writers, false);
                add_to::<RwLockTree>(&mut group, values, size, writers, false);
            }
        }
    }
}

fn add_to<S: Store>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    values: Values,
    size: usize,
    writers: usize,
    to_quiet: bool,
) {
    let until = if to_quiet { "to-quiet" } else { "to-commit" };
    let id = BenchmarkId::new(S::NAME, format!("{writers}-threads/{until}"));
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|iterations| {
            let fill_one = || {
                let store = S::new();
                let begin = Instant::now();
                let to_commit = fill(&store, values, size, writers).to_commit;
                store.hurry_until_quiet();
                let elapsed = if to_quiet { begin.elapsed() } else { to_commit };
                retire(store);
                elapsed
            };
            (0..iterations).map(|_| fill_one()).sum()
        });
    });
}

fn read_mostly(criterion: &mut Criterion) {
    for size in sizes() {
        let mut group = group(criterion, format!("read-mostly/{size}"));
        for workers in THREADS {
            read_mostly_of::<Sortd>(&mut group, size, workers);
            read_mostly_of::<Skiplist>(&mut group, size, workers);
            read_mostly_of::<MutexTree>(&mut group, size, workers);
            read_mostly_of::<RwLockTree>(&mut group, size, workers);
        }
    }
}

fn read_mostly_of<S: Store>(group: &mut BenchmarkGroup<'_, WallTime>, size: usize, workers: usize) {
    let mut lazy = Lazy::<S>::new(Values::Uniform, size);
    let id = BenchmarkId::new(S::NAME, format!("{workers}-threads"));
    group.bench_function(id, |bencher| {
        let store = lazy.get();
        bencher.iter_custom(|iterations| {
            let each = iterations.div_ceil(workers as u64);
            let begin = Instant::now();
            thread::scope(|scope| {
                for thread in 0..workers {
                    scope.spawn(move || {
                        let mut handle = store.handle();
                        let mut source = Source::new(Values::Uniform, thread, workers);
                        for i in 1..=each {
                            if i % ADD_EVERY == 0 {
                                store.add(&mut handle, &source.batch());
                            } else {
                                black_box(store.sum_from(source.value(), RANGE));
                            }
                        }
                    });
                }
            });
            begin.elapsed()
        });
    });
}

fn scan(criterion: &mut Criterion) {
    for size in sizes() {
        let mut group = group(criterion, format!("scan/{size}"));
        group.throughput(Throughput::Elements(size as u64));
        scan_of::<Sortd>(&mut group, size);
        scan_of::<Skiplist>(&mut group, size);
        scan_of::<MutexTree>(&mut group, size);
        scan_of::<RwLockTree>(&mut group, size);
    }
}

fn scan_of<S: Store>(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    let mut lazy = Lazy::<S>::new(Values::Uniform, size);
    group.bench_function(S::NAME, |bencher| {
        let store = lazy.get();
        bencher.iter(|| store.sum());
    });
}

fn order_statistics(criterion: &mut Criterion) {
    read_one(criterion, "rank", |now, source| now.rank(source.value()));
    read_one(criterion, "at", |now, source| now.at(source.index(now.len())));
    read_one(criterion, "quantile", |now, source| now.quantile(source.fraction()));
}

fn read_one<T>(
    criterion: &mut Criterion,
    name: &str,
    read: impl Fn(&Snapshot, &mut Source) -> T + Copy,
) {
    for size in sizes() {
        let mut group = group(criterion, format!("{name}/{size}"));
        for writers in [0, WRITERS] {
            let mut lazy = Lazy::<Sortd>::new(Values::Uniform, size);
            group.bench_function(format!("sortd/{writers}-writers"), |bencher| {
                let store = lazy.get();
                bencher.iter_custom(|iterations| {
                    let mut source = Source::new(Values::Uniform, writers, writers + 1);
                    while_writing(store, writers, || {
                        let begin = Instant::now();
                        for _ in 0..iterations {
                            black_box(read(&store.set.snapshot(), &mut source));
                        }
                        begin.elapsed()
                    })
                });
            });
        }
    }
}

fn queue(criterion: &mut Criterion) {
    for size in sizes() {
        let mut group = group(criterion, format!("queue/{size}"));
        queue_of::<Sortd>(&mut group, size);
        queue_of::<Skiplist>(&mut group, size);
        queue_of::<MutexTree>(&mut group, size);
        queue_of::<RwLockTree>(&mut group, size);
    }
}

fn queue_of<S: Store>(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    let mut lazy = Lazy::<S>::new(Values::Delays, size);
    group.bench_function(S::NAME, |bencher| {
        let store = lazy.get();
        let mut handle = store.handle();
        let mut delays = Source::new(Values::Delays, 1, 2);
        bencher.iter(|| put_off(store, &mut handle, &mut delays));
    });
}

fn clear(criterion: &mut Criterion) {
    for size in sizes() {
        let mut group = group(criterion, format!("clear/{size}"));
        clear_of::<Sortd>(&mut group, size);
        clear_of::<Skiplist>(&mut group, size);
        clear_of::<MutexTree>(&mut group, size);
        clear_of::<RwLockTree>(&mut group, size);
    }
}

fn clear_of<S: Store>(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    group.bench_function(S::NAME, |bencher| {
        bencher.iter_custom(|iterations| {
            let clear_one = || {
                let store: S = filled(Values::Uniform, size);
                let begin = Instant::now();
                store.clear();
                let elapsed = begin.elapsed();
                retire(store);
                elapsed
            };
            (0..iterations).map(|_| clear_one()).sum()
        });
    });
}

criterion_group!(benches, add, read_mostly, scan, order_statistics, queue, clear);
criterion_main!(benches);
