//! `spawn-per-key` to take home.
#![expect(clippy::disallowed_methods, reason = "no strategy: it may panic when the OS refuses a thread")]

use std::panic::resume_unwind;
use std::thread;

/// Runs `f` for each of `0..keys`, on a thread each, and returns the outputs in key order. Another strategy would use
/// `_workers`.
pub fn map_keys<T: Send>(keys: usize, _workers: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let f = &f;
    thread::scope(|scope| {
        // Collected: a lazy iterator would start and join one thread at a time.
        let threads: Vec<_> = (0..keys).map(|key| scope.spawn(move || f(key))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

fn main() {
    assert_eq!(map_keys(5, 2, |key| key * key), [0, 1, 4, 9, 16]);
}
