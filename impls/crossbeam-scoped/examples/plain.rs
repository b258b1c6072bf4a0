//! `crossbeam-scoped` to take home.
#![expect(clippy::disallowed_methods, reason = "no strategy: it may panic when the OS refuses a thread")]

use std::panic::resume_unwind;
use std::{iter, thread};

use crossbeam::queue::SegQueue;

/// Runs `f` for each of `0..keys`, on `workers` threads, and returns the outputs in key order.
pub fn map_keys<T: Send>(keys: usize, workers: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let queue = SegQueue::new();
    // Any order works. Put large keys first if you know them.
    (0..keys).for_each(|key| queue.push(key));
    let work = || iter::from_fn(|| queue.pop()).map(|key| (key, f(key))).collect::<Vec<_>>();
    let mut outputs: Vec<(usize, T)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.max(1).min(keys)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    outputs.sort_unstable_by_key(|&(key, _)| key);
    outputs.into_iter().map(|(_, output)| output).collect()
}

fn main() {
    assert_eq!(map_keys(5, 2, |key| key * key), [0, 1, 4, 9, 16]);
}
