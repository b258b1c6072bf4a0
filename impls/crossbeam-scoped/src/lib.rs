//! Scoped threads that borrow the workload and take its keys from a crossbeam queue.
//!
//! Decisions: std's scope, not crossbeam's, which its documentation deprecates in favour of std's since Rust 1.63; a
//! `SegQueue`, which has no capacity to get wrong (`ArrayQueue` panics on none) and takes keys while others leave; no
//! work-stealing deques, since keys that make no further keys give a thief nothing that a shared queue does not.

use std::iter;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, Builder};

use crossbeam::queue::SegQueue;
use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};

/// The threads live for one batch; only their number is kept.
pub struct CrossbeamScoped {
    workers: NonZeroUsize,
    shortfall: Option<StartError>,
}

impl Strategy for CrossbeamScoped {
    fn start(context: &Context) -> Result<Self, StartError> {
        Ok(CrossbeamScoped { workers: context.workers, shortfall: None })
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref()
    }
}

impl<W: Workload> Runs<W> for CrossbeamScoped {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = workload.keys();
        let queue = SegQueue::new();
        (0..keys).for_each(|index| queue.push(index));
        // All keys are in the queue before a thread starts, so an empty queue is the end.
        let work = || iter::from_fn(|| queue.pop()).map(|index| (index, workload.attempt(index))).collect::<Vec<_>>();

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
