//! `orx-iter` to take home.

use orx_parallel::{IntoParIter, Par, Runner};
use rayon::ThreadPoolBuilder;

/// Runs `f` for each of `0..keys`, on `workers` threads, and returns the outputs in key order.
pub fn map_keys<T: Send>(keys: usize, workers: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let pool = ThreadPoolBuilder::new().num_threads(workers.max(1)).build().expect("the system starts a thread");
    // One key per pull. Left to itself the runner hands out chunks, and one thread is left with the last.
    (0..keys).into_par().runner(Runner::fixed_with_pool(&pool)).chunk_size(1).map(&f).collect()
}

fn main() {
    assert_eq!(map_keys(5, 2, |key| key * key), [0, 1, 4, 9, 16]);
}
