//! Worker processes that start once, take keys as they become free, and serve batch after batch: what
//! `ProcessPoolExecutor` and loky are to Python.
//!
//! Decisions: as many processes as workers, from the start to the end; a worker is asked for its next key when it has
//! answered the last, so that no key waits behind a slow one; a worker that is lost costs its key one try and is replaced,
//! and the pool goes on. The pool itself is `shared/fanout-pool`, a library to depend on.

use std::sync::Arc;

use fanout::{KeyPool, Portable};
use kernel::{Context, Outcome, Runs, StartError, Strategy};

/// A pool of worker processes. Dropping it ends them.
pub struct ProcessPool(KeyPool);

impl Strategy for ProcessPool {
    const PROCESSES: bool = true;

    fn start(context: &Context) -> Result<Self, StartError> {
        KeyPool::start(fanout::pool(context).workers(context.workers)).map(ProcessPool)
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.0.shortfall()
    }
}

impl<W: Portable> Runs<W> for ProcessPool {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        self.0.run(workload)
    }
}
