//! Scoped threads that count through the keys together: whoever is free takes the next.
//!
//! Decisions: one key at a time, since an atomic increment is nothing beside a key, and larger bites would leave one
//! thread with the last; the threads borrow the workload, so nothing is shared by `Arc`; each keeps what it made, so
//! that the counter is the only thing they contend for.

use std::iter;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};

/// The threads live for one batch; only their number is kept.
pub struct StdCounter {
    workers: NonZeroUsize,
    shortfall: Option<StartError>,
}

impl Strategy for StdCounter {
    fn start(context: &Context) -> Result<Self, StartError> {
        Ok(StdCounter { workers: context.workers, shortfall: None })
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref()
    }
}

impl<W: Workload> Runs<W> for StdCounter {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = workload.keys();
        // Relaxed: each number is given out once, whatever the order, and joining publishes the outcomes.
        let counter = AtomicUsize::new(0);
        let next = || Some(counter.fetch_add(1, Ordering::Relaxed)).filter(|&index| index < keys);
        let work = || iter::from_fn(next).map(|index| (index, workload.attempt(index))).collect::<Vec<_>>();

        let workers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.workers.get().min(keys)).map(|_| Builder::new().spawn_scoped(scope, work)).collect();
            threads.into_iter().map(|thread| Ok(thread?.join().expect("attempt catches what a key panics"))).collect()
        });
        let (outcomes, shortfall) = kernel::from_workers(keys, workers);
        self.shortfall = shortfall;
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use super::*;

    /// Key `slow` ends only once all others have: a key that waits behind it never does.
    struct Patient {
        keys: usize,
        slow: usize,
        done: Mutex<usize>,
        changed: Condvar,
    }

    impl Workload for Patient {
        type Output = bool;

        fn keys(&self) -> usize {
            self.keys
        }

        fn expand(&self, index: usize) -> bool {
            let mut done = self.done.lock().unwrap();
            if index == self.slow {
                let others = |done: &mut usize| *done < self.keys - 1;
                return !self.changed.wait_timeout_while(done, Duration::from_secs(20), others).unwrap().1.timed_out();
            }
            *done += 1;
            self.changed.notify_all();
            true
        }
    }

    #[test]
    fn no_key_waits_behind_a_slow_one() {
        let mut strategy = StdCounter::start(&Context::new(NonZeroUsize::new(2).unwrap())).unwrap();
        for slow in [0, 1, 50, 99] {
            let workload = Patient { keys: 100, slow, done: Mutex::new(0), changed: Condvar::new() };
            let outcomes = strategy.run(&Arc::new(workload));
            assert!(outcomes.into_iter().all(|outcome| outcome.unwrap()), "keys waited behind {slow}");
        }
    }
}
