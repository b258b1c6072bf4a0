//! `tokio-rayon` to take home.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Runs `f` for each of `0..keys` in the pool while other tasks go on, and returns the outputs in key order.
pub async fn map_keys<T, F>(pool: &ThreadPool, keys: usize, f: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(usize) -> T + Send + Sync + 'static,
{
    let f = Arc::new(f);
    let spawn = |key| {
        let (f, (done, output)) = (Arc::clone(&f), oneshot::channel());
        // A panic is caught here: in a spawned task Rayon would end the process.
        pool.spawn(move || drop(done.send(catch_unwind(AssertUnwindSafe(|| f(key))))));
        output
    };
    let spawned: Vec<_> = (0..keys).map(spawn).collect();
    let mut outputs = Vec::with_capacity(keys);
    for output in spawned {
        outputs.push(output.await.expect("a spawned task runs").unwrap_or_else(|panic| resume_unwind(panic)));
    }
    outputs
}

fn main() {
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(map_keys(&pool, 5, |key| key * key)), [0, 1, 4, 9, 16]);
}
