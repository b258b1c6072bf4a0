//! Keys on agents of several hosts, over NATS with JetStream: for jobs that one machine is too small for.
//!
//! Decisions: the broker keeps the keys, in a work queue that it gives out one by one; each host has an agent, which runs keys in
//! a pool of worker processes; an agent says again and again that a key is in work, and a key of which nothing is heard for ten
//! seconds goes to another agent, once. Outputs come past the queue, at the pace at which the caller asks for them. Without a
//! cluster, `start` makes one of this machine: a broker of its own and an agent in this process.

mod agent;
mod batch;
mod broker;
mod caller;
mod connect;
mod driver;
mod host;
mod local;
mod members;
mod patience;
mod pieces;
mod slot;
mod wire;

use std::sync::Arc;

use fanout::Portable;
use kernel::{Context, Outcome, Runs, StartError, Strategy};

use crate::local::Started;

/// A caller on a cluster. Dropping it tells the agents, and leaves nothing with the broker.
pub struct Nats {
    started: Started,
    context: Context,
    batches: u64,
}

impl Strategy for Nats {
    const PROCESSES: bool = true;
    const CLUSTER: bool = true;

    fn start(context: &Context) -> Result<Self, StartError> {
        let started = Started::start(context)?;
        Ok(Nats { started, context: context.clone(), batches: 0 })
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.started.shortfall.as_ref()
    }

    fn at_once(&self) -> Option<usize> {
        self.started.slots()
    }

    fn agent(context: &Context, stay: bool) -> Result<(), StartError> {
        Ok(agent::serve(context, stay)?)
    }
}

impl<W: Portable> Runs<W> for Nats {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        self.batches += 1;
        self.started.run(workload, self.batches, &self.context)
    }
}
