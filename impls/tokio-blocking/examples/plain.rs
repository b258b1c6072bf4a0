//! `tokio-blocking` to take home.

use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Runs `f` for each of `0..keys`, on up to `workers` of the runtime's blocking threads, and returns the outputs in key
/// order. It takes tokio's features `rt` and `sync`.
pub async fn map_keys<T, F>(keys: usize, workers: usize, f: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(usize) -> T + Send + Sync + 'static,
{
    let (f, permits) = (Arc::new(f), Arc::new(Semaphore::new(workers.max(1))));
    let mut tasks = Vec::with_capacity(keys);
    for key in 0..keys {
        let f = Arc::clone(&f);
        // The limit, since the runtime has hundreds of blocking threads, which others use too.
        let permit = Arc::clone(&permits).acquire_owned().await.expect("nobody closes it");
        tasks.push(spawn_blocking(move || {
            let _permit = permit;
            f(key)
        }));
    }
    let mut outputs = Vec::with_capacity(keys);
    for task in tasks {
        outputs.push(task.await.unwrap_or_else(|error| resume_unwind(error.into_panic())));
    }
    outputs
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O starts");
    assert_eq!(runtime.block_on(map_keys(5, 2, |key| key * key)), [0, 1, 4, 9, 16]);
}
