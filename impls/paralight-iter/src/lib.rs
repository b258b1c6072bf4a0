//! paralight's pool: every thread gets an equal range of the keys, and steals from another's when its own is done.
//!
//! Decisions: `WorkStealing`, since the `Fixed` ranges leave every key behind a slow one to its thread; no pinning to
//! CPUs, which another program's threads may want; the panic with which paralight meets a refused thread becomes an
//! error, since its builder has no other way to say so.

use std::io;
use std::panic;
use std::sync::Arc;

use kernel::{Context, KeyError, Outcome, Runs, StartError, Strategy, Workload};
use paralight::prelude::*;

/// Keeps the pool's threads alive between batches.
pub struct ParalightIter {
    pool: ThreadPool,
}

impl Strategy for ParalightIter {
    fn start(context: &Context) -> Result<Self, StartError> {
        let builder = ThreadPoolBuilder {
            num_threads: ThreadCount::Count(context.workers),
            range_strategy: RangeStrategy::WorkStealing,
            cpu_pinning: CpuPinningPolicy::No,
        };
        let pool = panic::catch_unwind(|| builder.build()).map_err(|payload| {
            let (wanted, said) = (context.workers, KeyError::panic_message(payload));
            StartError::new(io::Error::other(format!("paralight could not start all of {wanted} threads: {said}")))
        })?;
        Ok(ParalightIter { pool })
    }
}

impl<W: Workload> Runs<W> for ParalightIter {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let outcomes = (0..workload.keys()).into_par_iter().map(|index| workload.attempt(index));
        outcomes.with_thread_pool(&mut self.pool).collect()
    }
}
