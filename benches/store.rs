//! What the store's operations cost, by the number of elements.
//!
//! `cargo bench --bench store`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sortd::store::SortedMultiset;

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
const BATCH: usize = 15;

fn filled(elements: usize) -> SortedMultiset {
    let set = SortedMultiset::new();
    let mut writer = set.writer();
    for _ in 0..elements / 1000 {
        writer.add(&rand::random_iter().take(1000).collect::<Vec<i64>>());
    }
    set
}

fn benchmark(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    for elements in SIZES {
        let set = filled(elements);
        let mut writer = set.writer();
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(BenchmarkId::new("add 15", elements), |bencher| {
            bencher.iter(|| writer.add(&rand::random::<[i64; BATCH]>()));
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("snapshot", elements), |bencher| {
            bencher.iter(|| black_box(set.snapshot()));
        });
        let set = filled(elements);
        group.throughput(Throughput::Elements(elements as u64));
        group.bench_function(BenchmarkId::new("iterate", elements), |bencher| {
            bencher.iter(|| set.snapshot().iter().fold(0, |sum: i64, v| sum.wrapping_add(v)));
        });
    }
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
