//! One thread, one key after the other: the notebook's plain loop, and the denominator of every table.
//!
//! Decisions: the caller's own thread, so that `start` costs nothing and nothing is moved; outputs are collected in key
//! order because they are made in key order.

use std::sync::Arc;

use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};

/// Nothing outlives a batch.
pub struct Sequential;

impl Strategy for Sequential {
    fn start(_: &Context) -> Result<Self, StartError> {
        Ok(Sequential)
    }
}

impl<W: Workload> Runs<W> for Sequential {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        (0..workload.keys()).map(|index| workload.attempt(index)).collect()
    }
}
