//! `rayon-iter` to take home.

use rayon::ThreadPoolBuilder;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

/// Runs `f` for each of `0..keys`, on `workers` threads, and returns the outputs in key order.
pub fn map_keys<T: Send>(keys: usize, workers: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    // Without a pool of its own, a program's iterators share one with a thread per CPU.
    let pool = ThreadPoolBuilder::new().num_threads(workers.max(1)).build().expect("the OS starts the threads");
    // One key per task: in longer pieces, keys would wait behind a slow one.
    pool.install(|| (0..keys).into_par_iter().with_max_len(1).map(&f).collect())
}

fn main() {
    assert_eq!(map_keys(5, 2, |key| key * key), [0, 1, 4, 9, 16]);
}
