//! `channel-workers` to take home.
#![expect(clippy::disallowed_methods, reason = "no strategy: it may panic when the OS refuses a thread")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam::channel::{Sender, bounded, unbounded};

/// What feeds the workers. They end when it is dropped.
pub type Jobs = Sender<Box<dyn FnOnce() + Send>>;

/// Starts threads that serve call after call of [`map_keys`], whatever its types.
pub fn start(workers: usize) -> Jobs {
    let workers = workers.max(1);
    // Room for 128 keys per worker, so that threads seldom sleep.
    let (jobs, queue): (Jobs, _) = bounded(128 * workers);
    for queue in vec![queue; workers] {
        thread::spawn(move || queue.into_iter().for_each(|job| job()));
    }
    jobs
}

/// Runs `f` for each of `0..keys` on the workers, and returns the outputs in key order. Not for use within a job, which would
/// wait for itself.
pub fn map_keys<T: Send + 'static>(jobs: &Jobs, keys: usize, f: impl Fn(usize) -> T + Send + Sync + 'static) -> Vec<T> {
    let (f, (done, outputs)) = (Arc::new(f), unbounded());
    for key in 0..keys {
        let (f, done) = (Arc::clone(&f), done.clone());
        // Caught, so that a panic costs no worker.
        let job = move || done.send((key, catch_unwind(AssertUnwindSafe(|| f(key))))).expect("the caller waits");
        jobs.send(Box::new(job)).expect("the workers live as long as what feeds them");
    }
    drop(done);
    let mut outputs: Vec<_> = outputs.into_iter().collect();
    outputs.sort_unstable_by_key(|&(key, _)| key);
    outputs.into_iter().map(|(_, output)| output.unwrap_or_else(|panic| resume_unwind(panic))).collect()
}

fn main() {
    let jobs = start(2);
    assert_eq!(map_keys(&jobs, 5, |key| key * key), [0, 1, 4, 9, 16]);
    assert_eq!(map_keys(&jobs, 2, |key| key.to_string()), ["0", "1"]);
}
