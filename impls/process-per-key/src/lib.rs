//! A fresh process for each key, at most as many alive at once as there are workers.
//!
//! Decisions: one thread here for each process there, since it has a block to fill with what its process sends; a key
//! whose process died is tried once more, in another; nothing is kept from one key to the next, so a key finds no trace
//! of the one before it, and `start` has nothing to start.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

use kernel::{Context, KeyError, Outcome, Runs, StartError, Strategy};
use worker::{Load, Portable, Worker};

/// What each process is started with.
pub struct ProcessPerKey {
    context: Context,
    shortfall: Option<StartError>,
}

impl Strategy for ProcessPerKey {
    const PROCESSES: bool = true;

    fn start(context: &Context) -> Result<Self, StartError> {
        Ok(ProcessPerKey { context: context.clone(), shortfall: None })
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref()
    }
}

impl<W: Portable> Runs<W> for ProcessPerKey {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = workload.keys();
        let load = Load::new(workload);
        let counter = AtomicUsize::new(0);
        let next = || Some(counter.fetch_add(1, Ordering::Relaxed)).filter(|&index| index < keys);
        let expand = |index| match self.in_a_process(&load, index) {
            Err(KeyError::Died { .. }) => self.in_a_process(&load, index),
            outcome => outcome,
        };
        let work = || iter::from_fn(next).map(|index| (index, expand(index))).collect::<Vec<_>>();

        let workers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.context.workers.get().min(keys)).map(|_| Builder::new().spawn_scoped(scope, work)).collect();
            threads.into_iter().map(|thread| Ok(thread?.join().expect("a process's failure is an outcome"))).collect()
        });
        let (outcomes, shortfall) = kernel::from_workers(keys, workers);
        self.shortfall = shortfall;
        outcomes
    }
}

impl ProcessPerKey {
    fn in_a_process<W: Portable>(&self, load: &Load<W>, index: usize) -> Outcome<W::Output> {
        let worker = Worker::spawn(&self.context.worker_command)?;
        let (outcome, worker) = worker.expand(load, index, self.context.deadline);
        drop(worker);
        outcome
    }
}
