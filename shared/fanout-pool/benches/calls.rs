//! What a call costs beside its work: the goal is 25 µs from a submit to its answer, warm.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use fanout_pool::Pool;

fn double(number: u64) -> u64 {
    2 * number
}

fanout_pool::register!(double);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("calls");
    for workers in [1, 2] {
        let pool = Pool::builder().workers(workers).start().expect("a pool");
        let call = || pool.submit(double, black_box(21)).wait().expect("an answer");
        group.bench_function(format!("submit and wait, {workers} workers"), |bencher| bencher.iter(call));
        group.throughput(Throughput::Elements(1_000));
        let map = || pool.map(double, 0..1_000).map(|outcome| outcome.expect("an answer")).sum::<u64>();
        group.bench_function(format!("map, {workers} workers"), |bencher| bencher.iter(map));
    }
    group.finish();
    criterion.final_summary();
}
