//! CPU-bound keys of an async program: a Rayon pool runs them, and each outcome comes back over a tokio oneshot.
//!
//! Decisions: a pool of our own, so that nothing else of the program waits behind the keys; a oneshot per key, so that an
//! async caller may use an outcome before the batch is done; awaited in key order, which leaves nothing to sort; no
//! runtime, since a oneshot needs none, and tokio's ways to wait panic inside another runtime.

use std::sync::Arc;

use futures_lite::future;
use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot::{self, Receiver};

/// Keeps the pool's threads alive between batches.
pub struct TokioRayon {
    pool: ThreadPool,
}

impl Strategy for TokioRayon {
    fn start(context: &Context) -> Result<Self, StartError> {
        let pool = ThreadPoolBuilder::new().num_threads(context.workers.get()).build().map_err(StartError::new)?;
        Ok(TokioRayon { pool })
    }
}

impl<W: Workload> Runs<W> for TokioRayon {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        // In an async program this is all there is: `spawn`, and `await` what it returned.
        let keys: Vec<_> = (0..workload.keys()).map(|index| spawn(&self.pool, workload, index)).collect();
        future::block_on(async {
            let mut outcomes = Vec::with_capacity(keys.len());
            for key in keys {
                outcomes.push(key.await.expect("attempt catches what a key panics"));
            }
            outcomes
        })
    }
}

/// Gives a key to the pool, and returns where its outcome will be.
fn spawn<W: Workload>(pool: &ThreadPool, workload: &Arc<W>, index: usize) -> Receiver<Outcome<W::Output>> {
    let (done, outcome) = oneshot::channel();
    let workload = Arc::clone(workload);
    pool.spawn(move || {
        let outcome = workload.attempt(index);
        // Let go of first: once its last outcome is there, the batch holds the workload no more.
        drop(workload);
        // The receiver is gone only if the caller is.
        let _ = done.send(outcome);
    });
    outcome
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    /// A key expands to its index and the size of the pool it ran in.
    struct PoolSize;

    impl Workload for PoolSize {
        type Output = (usize, usize);

        fn keys(&self) -> usize {
            100
        }

        #[expect(clippy::disallowed_methods, reason = "asks which pool it is in; nothing is decided by it")]
        fn expand(&self, index: usize) -> (usize, usize) {
            (index, rayon::current_num_threads())
        }
    }

    #[test]
    fn t4_runs_in_its_own_pool_when_called_from_another_and_inside_a_runtime() {
        let outer = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let context = Context::new(NonZeroUsize::new(3).unwrap());
        let run = || TokioRayon::start(&context).unwrap().run(&Arc::new(PoolSize));
        for outcomes in [outer.install(run), runtime.block_on(async { run() })] {
            let outputs: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
            assert_eq!(outputs, (0..100).map(|index| (index, 3)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_outcome_can_be_awaited_before_the_batch_is_done() {
        struct Gate(std::sync::Mutex<()>);
        impl Workload for Gate {
            type Output = usize;

            fn keys(&self) -> usize {
                2
            }

            fn expand(&self, index: usize) -> usize {
                drop((index == 0).then(|| self.0.lock()));
                index
            }
        }
        let strategy = TokioRayon::start(&Context::new(NonZeroUsize::new(2).unwrap())).unwrap();
        let gate = Arc::new(Gate(std::sync::Mutex::new(())));
        let closed = gate.0.lock().unwrap();
        let [first, second] = [0, 1].map(|index| spawn(&strategy.pool, &gate, index));
        assert_eq!(future::block_on(second).unwrap().unwrap(), 1);
        drop(closed);
        assert_eq!(future::block_on(first).unwrap().unwrap(), 0);
    }
}
