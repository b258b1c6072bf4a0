//! A Rayon pool, one task per key, and tasks within a key: what is left of a slow key is shared out too.
//!
//! Decisions: one pool for both levels, since Rayon's own tasks may wait for others without keeping a thread; the
//! workload says how a key is cut (`Workload::expand_in_parts`), because nobody else knows where its output may be
//! divided; the cuts are made whether or not a thread is free, as Rayon makes one that nobody takes nearly free.

use std::sync::Arc;

use kernel::{Context, Join, Outcome, Runs, StartError, Strategy, Workload};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Keeps the pool's threads alive between batches.
pub struct RayonNested {
    pool: ThreadPool,
}

impl Strategy for RayonNested {
    fn start(context: &Context) -> Result<Self, StartError> {
        let pool = ThreadPoolBuilder::new().num_threads(context.workers.get()).build().map_err(StartError::new)?;
        Ok(RayonNested { pool })
    }
}

impl<W: Workload> Runs<W> for RayonNested {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = (0..workload.keys()).into_par_iter().with_max_len(1);
        let parts = OnPool(&self.pool);
        self.pool.install(|| keys.map(|index| workload.attempt_in_parts(index, &parts)).collect())
    }
}

/// The two halves of a part: the first runs on the thread that asks, the second on whichever is free first.
struct OnPool<'a>(&'a ThreadPool);

impl Join for OnPool<'_> {
    fn join<A: Send, B: Send>(&self, first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B + Send) -> (A, B) {
        self.0.join(first, second)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::time::Duration;

    use super::*;

    /// One key, in two halves that wait for each other.
    struct TwoHalves;

    impl Workload for TwoHalves {
        type Output = Result<(), RecvTimeoutError>;

        fn keys(&self) -> usize {
            1
        }

        fn expand(&self, _: usize) -> Self::Output {
            panic!("the key is not cut");
        }

        fn expand_in_parts(&self, _: usize, join: &impl Join) -> Self::Output {
            let (hello, hellos) = mpsc::channel();
            let mut heard = Err(RecvTimeoutError::Timeout);
            let hear = &mut heard;
            join.join(move || *hear = hellos.recv_timeout(Duration::from_secs(20)), move || _ = hello.send(()));
            heard
        }
    }

    #[test]
    fn two_threads_share_one_key() {
        let mut strategy = RayonNested::start(&Context::new(NonZeroUsize::new(2).unwrap())).unwrap();
        let outcomes = strategy.run(&Arc::new(TwoHalves));
        assert_eq!(outcomes.into_iter().next().unwrap().unwrap(), Ok(()));
    }

    /// One key, one half of which panics.
    struct OneHalf;

    impl Workload for OneHalf {
        type Output = ();

        fn keys(&self) -> usize {
            3
        }

        fn expand(&self, _: usize) {}

        fn expand_in_parts(&self, index: usize, join: &impl Join) {
            join.join(|| {}, || assert_ne!(index, 1, "half a key"));
        }
    }

    #[test]
    fn half_a_key_that_panics_is_that_key_alone() {
        let mut strategy = RayonNested::start(&Context::new(NonZeroUsize::new(2).unwrap())).unwrap();
        let outcomes = strategy.run(&Arc::new(OneHalf));
        let told = outcomes[1].as_ref().unwrap_err().to_string();
        assert!(told.contains("half a key") && outcomes[0].is_ok() && outcomes[2].is_ok(), "{told}");
    }
}
