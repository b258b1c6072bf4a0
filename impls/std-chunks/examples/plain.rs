//! `std-chunks` to take home.
#![expect(clippy::disallowed_methods, reason = "no strategy: it may panic when the OS refuses a thread")]

use std::panic::resume_unwind;
use std::thread;

/// Runs `f` for each of `0..keys`, a slice of them on each of `workers` threads, and returns the outputs in key order.
pub fn map_keys<T: Send>(keys: usize, workers: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (f, slices) = (&f, workers.max(1).min(keys));
    // The lengths of two slices differ by one at most.
    let slice = |index| index * keys / slices..(index + 1) * keys / slices;
    thread::scope(|scope| {
        let spawn = |index| scope.spawn(move || slice(index).map(f).collect::<Vec<_>>());
        let threads: Vec<_> = (0..slices).map(spawn).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

fn main() {
    assert_eq!(map_keys(5, 2, |key| key * key), [0, 1, 4, 9, 16]);
}
