//! smol's executor on threads of its own that only compute: one async task per key.
//!
//! Decisions: an executor of our own, since keys would starve the I/O of `smol::spawn`'s global one; not `smol::unblock`,
//! whose threads are one pool for the whole program, which is never ended; all keys in one `spawn_many`, which locks the
//! executor once and not per key; awaited in key order, which leaves nothing to sort.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use async_channel::{RecvError, Sender};
use async_executor::Executor;
use futures_lite::future;
use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};

/// The executor, and the threads that run its tasks.
pub struct SmolExecutor {
    executor: Arc<Executor<'static>>,
    /// Nothing is ever sent: the threads end when it is closed.
    open: Sender<()>,
    threads: Vec<JoinHandle<Result<(), RecvError>>>,
    shortfall: Option<StartError>,
}

impl Strategy for SmolExecutor {
    fn start(context: &Context) -> Result<Self, StartError> {
        let (open, closed) = async_channel::bounded(1);
        let mut started = SmolExecutor { executor: Arc::default(), open, threads: Vec::new(), shortfall: None };
        for _ in 0..context.workers.get() {
            let (executor, closed) = (Arc::clone(&started.executor), closed.clone());
            let work = async move { executor.run(closed.recv()).await };
            match Builder::new().spawn(|| future::block_on(work)) {
                Ok(thread) => started.threads.push(thread),
                Err(refused) if started.threads.is_empty() => return Err(StartError::new(refused)),
                Err(refused) => started.shortfall = Some(StartError::new(refused)),
            }
        }
        Ok(started)
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref()
    }
}

impl<W: Workload> Runs<W> for SmolExecutor {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let attempt = |index| {
            let workload = Arc::clone(workload);
            async move { workload.attempt(index) }
        };
        let mut keys = Vec::with_capacity(workload.keys());
        self.executor.spawn_many((0..workload.keys()).map(attempt), &mut keys);
        future::block_on(async {
            let mut outcomes = Vec::with_capacity(keys.len());
            for key in keys {
                outcomes.push(key.await);
            }
            outcomes
        })
    }
}

impl Drop for SmolExecutor {
    fn drop(&mut self) {
        self.open.close();
        for thread in self.threads.drain(..) {
            // No key's panic gets this far, and Drop must not panic.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::num::NonZeroUsize;
    use std::thread::{self, ThreadId};

    use super::*;

    /// A key expands to the thread that ran it.
    struct WhereItRan;

    impl Workload for WhereItRan {
        type Output = ThreadId;

        fn keys(&self) -> usize {
            100
        }

        fn expand(&self, _: usize) -> ThreadId {
            thread::current().id()
        }
    }

    #[test]
    fn t4_runs_on_its_own_threads_when_called_inside_another_executor() {
        let context = Context::new(NonZeroUsize::new(3).unwrap());
        let outer = Executor::new();
        let run = async { SmolExecutor::start(&context).unwrap().run(&Arc::new(WhereItRan)) };
        let outcomes = future::block_on(outer.run(outer.spawn(run)));
        let threads: HashSet<_> = outcomes.into_iter().map(Result::unwrap).collect();
        assert!((1..=3).contains(&threads.len()) && !threads.contains(&thread::current().id()), "{threads:?}");
    }
}
