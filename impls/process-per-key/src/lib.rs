//! A fresh process for each key, at most as many alive at once as there are workers.
//!
//! Decisions: one thread here for each process there, since it has a block to fill with what its process sends; a key
//! whose process died is tried once more, in another; one that is refused a process is left to those who have one;
//! nothing is kept from one key to the next, so a key finds no trace of the one before it, and `start` has nothing to
//! start.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread::{self, ScopedJoinHandle};

use kernel::{Context, Outcome, Runs, Stage, StartError, Strategy};
use worker::{Load, Portable, SpawnError, Supervisor, Taken};

/// What each process is started with.
pub struct ProcessPerKey {
    workers: NonZeroUsize,
    supervisor: Supervisor,
    shortfall: Option<StartError>,
}

impl Strategy for ProcessPerKey {
    const PROCESSES: bool = true;

    fn start(context: &Context) -> Result<Self, StartError> {
        let command = context.worker_command.clone();
        let supervisor = Supervisor { command, deadline: context.deadline, retries: 1 };
        Ok(ProcessPerKey { workers: context.workers, supervisor, shortfall: None })
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref()
    }
}

impl<W: Portable> Runs<W> for ProcessPerKey {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = workload.keys();
        let load = Load::new(workload);
        let left: Mutex<Vec<usize>> = Mutex::new((0..keys).rev().collect());
        let work = || self.work(&load, &left);

        let mut workers: Vec<Taken<_>> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.workers.get().min(keys)).map(|_| thread::Builder::new().spawn_scoped(scope, work)).collect();
            let join = |thread: ScopedJoinHandle<'_, _>| thread.join().expect("a process's failure is an outcome");
            let refused = |error| (Vec::new(), Some(SpawnError::System(error)));
            threads.into_iter().map(|thread| thread.map_or_else(refused, join)).collect()
        });
        // What was refused a process while others had one is tried again without them; not if what was started is no
        // worker, since the next would be none either.
        let is_no_worker = |(taken, refusal): &Taken<_>| {
            taken.is_empty() && matches!(refusal, Some(SpawnError::Lost { stage: Stage::Starting, .. }))
        };
        if !workers.iter().all(is_no_worker) {
            workers.push(work());
        }
        let (outcomes, shortfall) = worker::in_key_order(keys, workers);
        self.shortfall = shortfall;
        outcomes
    }
}

impl ProcessPerKey {
    /// Takes keys until none is left, or until there is no process for one, which is then left to the others.
    fn work<W: Portable>(&self, load: &Load<W>, left: &Mutex<Vec<usize>>) -> Taken<W::Output> {
        let left = || left.lock().expect("nothing under it panics");
        let mut taken = Vec::new();
        loop {
            let Some(index) = left().pop() else { return (taken, None) };
            // Whoever has answered goes at once, with all that the key may have left behind.
            match self.supervisor.expand(&mut None, load, index) {
                Ok(outcome) => taken.push((index, outcome)),
                Err(refusal) => {
                    left().push(index);
                    return (taken, Some(refusal));
                }
            }
        }
    }
}
