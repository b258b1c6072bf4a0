//! One thread per key, all at once.
//!
//! Decisions: `workers` is not looked at, because the idea is that the OS alone decides what runs when; a thread that
//! the OS refuses fails its own key, and the next keys are still tried, since a thread that has ended makes room; a
//! batch has a limit of its own below the OS's, which ends the process where it is met.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use kernel::{Context, KeyError, Outcome, Runs, StartError, Strategy, Workload};

/// Bounds the threads of a batch. Keys beyond it fail with an error that names it. Hard coded, because Linux's limit on
/// the memory maps of a process (`vm.max_map_count`, 65,530 unless an administrator raised it) must not be met: std
/// aborts the process when a new thread finds no room for the stack of its signal handlers. A running thread has four
/// maps, two stacks with a guard each. It keeps two of them until it is joined, and an output on huge pages adds two.
/// 8,000 threads need at most 48,000 maps, which leaves a quarter of the limit to the rest of the program.
const MOST_THREADS: usize = 8_000;

/// Nothing outlives a batch: each thread lives for one key.
pub struct SpawnPerKey;

impl Strategy for SpawnPerKey {
    fn start(_: &Context) -> Result<Self, StartError> {
        Ok(SpawnPerKey)
    }
}

impl<W: Workload> Runs<W> for SpawnPerKey {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let spawn = |index| {
            if index >= MOST_THREADS {
                return Err(io::Error::other(format!("a batch has at most {MOST_THREADS} threads, one for each key")));
            }
            let workload = Arc::clone(workload);
            Builder::new().spawn(move || workload.attempt(index))
        };
        // Collected before the first is joined: a lazy iterator would start and join one thread at a time.
        let threads: Vec<_> = (0..workload.keys()).map(spawn).collect();
        let join = |thread: io::Result<JoinHandle<_>>| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|payload| Err(KeyError::from_panic(payload))),
            Err(refused) => Err(KeyError::NotStarted(refused)),
        };
        threads.into_iter().map(join).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    struct Tiny;

    impl Workload for Tiny {
        type Output = usize;

        fn keys(&self) -> usize {
            5 * MOST_THREADS
        }

        fn expand(&self, index: usize) -> usize {
            index
        }
    }

    #[test]
    fn keys_beyond_the_limit_fail_and_the_process_lives() {
        let mut strategy = SpawnPerKey::start(&Context::new(NonZeroUsize::MIN)).unwrap();
        let outcomes = strategy.run(&Arc::new(Tiny));
        assert_eq!(outcomes.len(), 5 * MOST_THREADS);
        for (index, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(output) => assert!(output == index && index < MOST_THREADS, "{index}: {output}"),
                Err(KeyError::NotStarted(error)) if index >= MOST_THREADS => {
                    assert!(error.to_string().contains("at most 8000 threads"), "{index}: {error}");
                }
                Err(error) => panic!("{index}: {error}"),
            }
        }
    }
}
