//! Scoped threads, one contiguous slice of the keys each, dealt out before the first starts.
//!
//! Decisions: slices whose lengths differ by one at most; nothing is rebalanced, since to deal once is the whole idea,
//! so the slice with the most work decides the time; the keys of a slice whose thread the OS refuses are not started.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, Builder};

use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};

/// The threads live for one batch; only their number is kept.
pub struct StdChunks {
    workers: NonZeroUsize,
    shortfall: Option<StartError>,
}

impl Strategy for StdChunks {
    fn start(context: &Context) -> Result<Self, StartError> {
        Ok(StdChunks { workers: context.workers, shortfall: None })
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref()
    }
}

impl<W: Workload> Runs<W> for StdChunks {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = workload.keys();
        let slices = self.workers.get().min(keys);

        let workers: Vec<_> = thread::scope(|scope| {
            let spawn = |slice| {
                let slice = bound(keys, slices, slice)..bound(keys, slices, slice + 1);
                let work = || slice.map(|index| (index, workload.attempt(index))).collect::<Vec<_>>();
                Builder::new().spawn_scoped(scope, work)
            };
            let threads: Vec<_> = (0..slices).map(spawn).collect();
            threads.into_iter().map(|thread| Ok(thread?.join().expect("attempt catches what a key panics"))).collect()
        });
        let (outcomes, shortfall) = kernel::from_workers(keys, workers);
        self.shortfall = shortfall;
        outcomes
    }
}

/// Where slice `slice` of `slices` begins: the first `keys % slices` of them have one key more.
fn bound(keys: usize, slices: usize, slice: usize) -> usize {
    (keys / slices) * slice + slice.min(keys % slices)
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn slices_follow_each_other_from_the_first_key_to_the_last(keys: usize, slices in 1..1_000_usize) {
            prop_assert_eq!((bound(keys, slices, 0), bound(keys, slices, slices)), (0, keys));
            for slice in 0..slices {
                let length = bound(keys, slices, slice + 1) - bound(keys, slices, slice);
                prop_assert!(length == keys / slices || length == keys / slices + 1, "slice {}: {}", slice, length);
            }
        }
    }

    /// A key expands to the thread that ran it.
    struct WhereItRan(usize);

    impl Workload for WhereItRan {
        type Output = ThreadId;

        fn keys(&self) -> usize {
            self.0
        }

        fn expand(&self, _: usize) -> ThreadId {
            thread::current().id()
        }
    }

    #[test]
    fn each_thread_has_one_slice_of_even_length() {
        for (workers, keys, lengths) in [(3, 10, vec![4, 3, 3]), (4, 4, vec![1; 4]), (4, 2, vec![1; 2]), (2, 0, vec![])]
        {
            let mut strategy = StdChunks::start(&Context::new(NonZeroUsize::new(workers).unwrap())).unwrap();
            let threads: Vec<_> = strategy.run(&Arc::new(WhereItRan(keys))).into_iter().map(Result::unwrap).collect();
            let slices: Vec<_> = threads.chunk_by(ThreadId::eq).map(<[_]>::len).collect();
            assert_eq!(slices, lengths, "{keys} keys on {workers} workers");
        }
    }
}
