//! One thread per key, all at once.
//!
//! Decisions: `workers` is not looked at, because the idea is that the OS alone decides what runs when; a thread that
//! the OS refuses fails its own key, and the next keys are still tried, since a thread that has ended makes room.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use kernel::{Context, KeyError, Outcome, Runs, StartError, Strategy, Workload};

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
