//! A fresh process for each key, at most as many alive at once as there are workers.
//!
//! Decisions: a pool whose workers end after one call, so that a key finds no trace of the one before it; a key whose
//! process died is tried once more, in another; one that is refused a process is left to those who have one; no process is
//! there before there is a key for it, so `start` has nothing to start.

use std::sync::Arc;

use fanout::{KeyPool, Portable};
use kernel::{Context, Outcome, Runs, StartError, Strategy};

/// How processes are started, and how many.
pub struct ProcessPerKey(KeyPool);

impl Strategy for ProcessPerKey {
    const PROCESSES: bool = true;

    fn start(context: &Context) -> Result<Self, StartError> {
        KeyPool::start(fanout::pool(context).workers(0..=context.workers.get()).max_calls(1)).map(ProcessPerKey)
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.0.shortfall()
    }
}

impl<W: Portable> Runs<W> for ProcessPerKey {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        self.0.run(workload)
    }
}
