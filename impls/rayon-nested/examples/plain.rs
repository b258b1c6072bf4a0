//! `rayon-nested` to take home.

use rayon::ThreadPoolBuilder;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

/// Runs `f` for each of `0..keys`, on `workers` threads, and returns the outputs in key order. What `f` itself gives to
/// Rayon runs on the same threads.
pub fn map_keys<T: Send>(keys: usize, workers: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let pool = ThreadPoolBuilder::new().num_threads(workers.max(1)).build().expect("the OS starts the threads");
    pool.install(|| (0..keys).into_par_iter().with_max_len(1).map(&f).collect())
}

fn main() {
    // Key 1 has half of all values: a thread that is free takes parts of its sum.
    let values = [1_000, 3_000_000, 2_999_000];
    let sum = |key| (0..values[key]).into_par_iter().with_min_len(10_000).sum::<usize>();
    assert_eq!(map_keys(3, 2, sum), values.map(|n| n * (n - 1) / 2));
}
