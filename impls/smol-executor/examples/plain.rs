//! `smol-executor` to take home.
#![expect(clippy::disallowed_methods, reason = "no strategy: it may panic when the OS refuses a thread")]

use std::thread;

use async_executor::Executor;
use futures_lite::future;

/// Runs `f` for each of `0..keys`, on `workers` threads, and returns the outputs in key order.
pub fn map_keys<T: Send>(keys: usize, workers: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let f = &f;
    let executor = Executor::new();
    let (open, closed) = async_channel::bounded::<()>(1);
    thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| future::block_on(executor.run(closed.recv())));
        }
        let mut tasks = Vec::with_capacity(keys);
        executor.spawn_many((0..keys).map(|key| async move { f(key) }), &mut tasks);
        let outputs = future::block_on(async {
            let mut outputs = Vec::with_capacity(keys);
            for task in tasks {
                outputs.push(task.await);
            }
            outputs
        });
        // The threads end with the channel, also where a key's panic unwinds from here.
        drop(open);
        outputs
    })
}

fn main() {
    assert_eq!(map_keys(5, 2, |key| key * key), [0, 1, 4, 9, 16]);
}
