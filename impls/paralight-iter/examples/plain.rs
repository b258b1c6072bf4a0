//! `paralight-iter` to take home.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use paralight::prelude::*;

/// Runs `f` for each of `0..keys`, on `workers` threads, and returns the outputs in key order.
pub fn map_keys<T: Send>(keys: usize, workers: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let mut pool = ThreadPoolBuilder {
        num_threads: workers.max(1).try_into().expect("it is not zero"),
        range_strategy: RangeStrategy::WorkStealing,
        cpu_pinning: CpuPinningPolicy::No,
    }
    .build();
    // A panic is caught on its thread: paralight would say how many threads panicked, but not why.
    let outputs = (0..keys).into_par_iter().map(|key| catch_unwind(AssertUnwindSafe(|| f(key))));
    let outputs: Vec<thread::Result<T>> = outputs.with_thread_pool(&mut pool).collect();
    outputs.into_iter().map(|output| output.unwrap_or_else(|panic| resume_unwind(panic))).collect()
}

fn main() {
    assert_eq!(map_keys(5, 2, |key| key * key), [0, 1, 4, 9, 16]);
}
