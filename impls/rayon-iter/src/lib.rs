//! A Rayon pool, one task per key.
//!
//! Decisions: a pool of our own, not the global one, so that `start` pays for its threads; one key per task, since
//! Rayon's own splitting leaves 25-key pieces of 100 keys on two threads, and the last piece then decides the time;
//! Rayon's `Drop` tells the threads to end and does not wait, and neither do we: idle ones are gone at once, and hold
//! nothing of a batch.

use std::sync::Arc;

use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Keeps the pool's threads alive between batches.
pub struct RayonIter {
    pool: ThreadPool,
}

impl Strategy for RayonIter {
    fn start(context: &Context) -> Result<Self, StartError> {
        let pool = ThreadPoolBuilder::new().num_threads(context.workers.get()).build().map_err(StartError::new)?;
        Ok(RayonIter { pool })
    }
}

impl<W: Workload> Runs<W> for RayonIter {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = (0..workload.keys()).into_par_iter().with_max_len(1);
        self.pool.install(|| keys.map(|index| workload.attempt(index)).collect())
    }
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
    fn t4_runs_in_its_own_pool_when_called_from_another() {
        let outer = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let context = Context::new(NonZeroUsize::new(3).unwrap());
        let outcomes = outer.install(|| RayonIter::start(&context).unwrap().run(&Arc::new(PoolSize)));
        let outputs: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
        assert_eq!(outputs, (0..100).map(|index| (index, 3)).collect::<Vec<_>>());
    }
}
