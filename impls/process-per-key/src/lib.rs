//! A fresh process for each key, at most as many alive at once as there are workers.
//!
//! Decisions: one thread here for each process there, since it has a block to fill with what its process sends; a key
//! whose process died is tried once more, in another; one that is refused a process is left to those who have one;
//! nothing is kept from one key to the next, so a key finds no trace of the one before it, and `start` has nothing to
//! start.

use std::sync::{Arc, Mutex};
use std::thread::{self, Builder, ScopedJoinHandle};
use std::{io, iter};

use kernel::{Context, KeyError, Outcome, Runs, Stage, StartError, Strategy};
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
        let left: Mutex<Vec<usize>> = Mutex::new((0..keys).rev().collect());
        let work = || self.work(&load, &left);

        let mut workers: Vec<Taken<_>> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.context.workers.get().min(keys)).map(|_| Builder::new().spawn_scoped(scope, work)).collect();
            let join = |thread: ScopedJoinHandle<'_, _>| thread.join().expect("a process's failure is an outcome");
            threads.into_iter().map(|thread| thread.map_or_else(|refused| (Vec::new(), Some(refused)), join)).collect()
        });
        // What was refused a process while others had one is tried again without them; not if what was started is no
        // worker, since the next would be none either.
        let is_no_worker = |(taken, refusal): &Taken<_>| {
            taken.is_empty() && refusal.as_ref().is_some_and(|refusal| refusal.raw_os_error().is_none())
        };
        if !workers.iter().all(is_no_worker) {
            workers.push(work());
        }
        let parts = workers.into_iter().flat_map(|(taken, refusal)| iter::once(Ok(taken)).chain(refusal.map(Err)));
        let (outcomes, shortfall) = kernel::from_workers(keys, parts);
        self.shortfall = shortfall;
        outcomes
    }
}

/// Outcomes that one thread took, each with its key's index; and if it was refused a process, why.
type Taken<T> = (Vec<(usize, Outcome<T>)>, Option<io::Error>);

impl ProcessPerKey {
    /// Takes keys until none is left, or until there is no process for one, which is then left to the others.
    fn work<W: Portable>(&self, load: &Load<W>, left: &Mutex<Vec<usize>>) -> Taken<W::Output> {
        let left = || left.lock().expect("nothing under it panics");
        let mut taken = Vec::new();
        loop {
            let Some(index) = left().pop() else { return (taken, None) };
            match self.expand(load, index) {
                Ok(outcome) => taken.push((index, outcome)),
                Err(refusal) => {
                    left().push(index);
                    return (taken, Some(refusal));
                }
            }
        }
    }

    /// Expands one key, and tries again if its process dies. An error if there is no process.
    fn expand<W: Portable>(&self, load: &Load<W>, index: usize) -> io::Result<Outcome<W::Output>> {
        let outcome = self.in_a_process(load, index)?;
        let Err(KeyError::Died { stage, .. }) = outcome else { return Ok(outcome) };
        match self.in_a_process(load, index) {
            // Neither ever was a worker: nothing that this key did. One alone may have been hit by a stray signal.
            Err(refusal) if stage == Stage::Starting => Err(refusal),
            Ok(Err(death @ KeyError::Died { stage: Stage::Starting, .. })) => Err(io::Error::other(death)),
            // Without another process, the death is what is told of this key.
            Err(_) => Ok(outcome),
            again => again,
        }
    }

    fn in_a_process<W: Portable>(&self, load: &Load<W>, index: usize) -> io::Result<Outcome<W::Output>> {
        let worker = Worker::spawn(&self.context.worker_command)?;
        match worker.expand(load, index, self.context.deadline) {
            // It never was a worker.
            (Err(KeyError::NotStarted(refusal)), None) => Err(refusal),
            (outcome, _worker) => Ok(outcome),
        }
    }
}
