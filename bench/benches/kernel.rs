//! What one key costs: the generators, one per instruction set of this processor, and a key's block on fresh and on warm
//! memory.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kernel::generator::{CHUNK, InstructionSet, Mt19937, Xoshiro};
use kernel::{Fill, Job, Parameters, Sum, Workload};

/// The values of one key of the default job: 8 MB, which is more than most caches between core and memory.
const VALUES: u64 = 1_000_000;

fn job() -> Job {
    Job::new(Parameters { keys: 1, count: VALUES, ..Parameters::default() }).expect("one key is in range")
}

/// Arithmetic alone: the values stay in the first-level cache.
fn generators(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("generator");
    group.throughput(Throughput::Elements(CHUNK as u64));
    let mut chunk = [0.0; CHUNK];
    for instructions in InstructionSet::available() {
        let mut lanes = Xoshiro::new(42, 0, VALUES, instructions);
        group.bench_function(format!("xoshiro/{}", instructions.name()), |bencher| {
            bencher.iter(|| lanes.fill(black_box(0.5), black_box(&mut chunk)));
        });
    }
    let mut stream = Mt19937::of_key(42, 0);
    group.bench_function("mt19937", |bencher| bencher.iter(|| stream.fill(black_box(0.5), black_box(&mut chunk))));
    group.finish();
}

/// A whole key: the difference between fresh and warm is page faults, that between warm and sum is writing to memory.
fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key");
    group.throughput(Throughput::Elements(VALUES));
    let fill = Fill(job());
    // One output at a time, given back outside of the clock: allocators keep what they get back for the next one.
    group.bench_function("fill/fresh", |bencher| {
        bencher.iter_batched(|| (), |()| fill.expand(0), BatchSize::PerIteration);
    });
    let mut block = fill.expand(0);
    group.bench_function("fill/warm", |bencher| {
        bencher.iter(|| {
            block.clear();
            fill.0.products(0, |chunk| block.extend_from_slice(chunk));
            black_box(&mut block);
        });
    });
    let sum = Sum(job());
    group.bench_function("sum", |bencher| bencher.iter(|| sum.expand(black_box(0))));
    group.finish();
}

criterion_group!(benches, generators, keys);
criterion_main!(benches);
