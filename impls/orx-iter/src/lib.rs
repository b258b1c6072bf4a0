//! orx-parallel's iterator: threads that pull the next key from one shared iterator.
//!
//! Decisions: a Rayon pool under it, since orx-parallel's own pools start no more threads than there are CPUs, whatever
//! they are asked for, and panic if the OS refuses one; one key per pull, since a larger chunk leaves one thread with the
//! last; `Runner::fixed`, since the adaptive runner times keys to find a chunk size, and the size is known.

use std::sync::Arc;

use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};
use orx_parallel::{IntoParIter, Par, Runner};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Keeps the pool's threads alive between batches.
pub struct OrxIter {
    pool: ThreadPool,
}

impl Strategy for OrxIter {
    fn start(context: &Context) -> Result<Self, StartError> {
        let pool = ThreadPoolBuilder::new().num_threads(context.workers.get()).build().map_err(StartError::new)?;
        Ok(OrxIter { pool })
    }
}

impl<W: Workload> Runs<W> for OrxIter {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = (0..workload.keys()).into_par().runner(Runner::fixed_with_pool(&self.pool)).chunk_size(1);
        keys.map(|index| workload.attempt(index)).collect()
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
        let outcomes = outer.install(|| OrxIter::start(&context).unwrap().run(&Arc::new(PoolSize)));
        let outputs: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
        assert_eq!(outputs, (0..100).map(|index| (index, 3)).collect::<Vec<_>>());
    }
}
