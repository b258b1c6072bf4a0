//! Threads that compute only while they hold one lock: what the GIL does to them.
//!
//! Decisions: the lock is held for a whole key, where CPython offers it every 5 ms; that changes who computes when, not
//! how many do; the next key is taken before the lock, so that a thread waits as Python's do, with work in hand; the
//! lock protects nothing, so a poisoned one is as good as new.

use std::iter;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder};

use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};

/// The lock, and how many threads there are to fight for it.
pub struct GlobalLock {
    lock: Mutex<()>,
    workers: NonZeroUsize,
    shortfall: Option<StartError>,
}

impl Strategy for GlobalLock {
    fn start(context: &Context) -> Result<Self, StartError> {
        Ok(GlobalLock { lock: Mutex::new(()), workers: context.workers, shortfall: None })
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref()
    }
}

impl<W: Workload> Runs<W> for GlobalLock {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let (keys, lock) = (workload.keys(), &self.lock);
        let counter = AtomicUsize::new(0);
        let next = || Some(counter.fetch_add(1, Ordering::Relaxed)).filter(|&index| index < keys);
        let compute = |index| {
            let _held = lock.lock().unwrap_or_else(PoisonError::into_inner);
            (index, workload.attempt(index))
        };
        let work = || iter::from_fn(next).map(compute).collect::<Vec<_>>();

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
    use super::*;

    /// A key expands to how many keys were being computed when it began, itself included; every third panics.
    struct Crowd(AtomicUsize);

    /// Counts out, also when the key panics.
    struct Inside<'a>(&'a AtomicUsize);

    impl Drop for Inside<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    impl Workload for Crowd {
        type Output = usize;

        fn keys(&self) -> usize {
            200
        }

        fn expand(&self, index: usize) -> usize {
            let crowd = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            let _inside = Inside(&self.0);
            // Gives a thread that ignores the lock its chance to come in.
            thread::yield_now();
            assert_ne!(index % 3, 0, "every third");
            crowd
        }
    }

    #[test]
    fn one_key_computes_at_a_time_and_a_panic_breaks_nothing() {
        let mut strategy = GlobalLock::start(&Context::new(NonZeroUsize::new(8).unwrap())).unwrap();
        for _ in 0..2 {
            let outcomes = strategy.run(&Arc::new(Crowd(AtomicUsize::new(0))));
            for (index, outcome) in outcomes.into_iter().enumerate() {
                assert_eq!(outcome.ok(), (index % 3 != 0).then_some(1), "key {index}");
            }
        }
    }
}
