//! `global-lock` to take home, or rather to know it by.
#![expect(clippy::disallowed_methods, reason = "no strategy: it may panic when the OS refuses a thread")]

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{iter, thread};

/// Runs `f` for each of `0..keys`, on `workers` threads of which one at a time may compute, and returns the outputs in
/// key order.
pub fn map_keys<T: Send>(keys: usize, workers: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (counter, lock) = (AtomicUsize::new(0), Mutex::new(()));
    let next = || Some(counter.fetch_add(1, Ordering::Relaxed)).filter(|&key| key < keys);
    let compute = |key| {
        // It guards nothing that a panic could have left half done.
        let _held = lock.lock().unwrap_or_else(PoisonError::into_inner);
        (key, f(key))
    };
    let work = || iter::from_fn(next).map(compute).collect::<Vec<_>>();
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
