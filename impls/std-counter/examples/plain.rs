//! `std-counter` to take home.
#![expect(clippy::disallowed_methods, reason = "no strategy: it may panic when the OS refuses a thread")]

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{iter, thread};

/// Runs `f` for each of `0..keys`, on `workers` threads, and returns the outputs in key order.
pub fn map_keys<T: Send>(keys: usize, workers: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let counter = AtomicUsize::new(0);
    // Relaxed: each key is given out once in whatever order, and joining publishes the outputs.
    let next = || Some(counter.fetch_add(1, Ordering::Relaxed)).filter(|&key| key < keys);
    let work = || iter::from_fn(next).map(|key| (key, f(key))).collect::<Vec<_>>();
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
