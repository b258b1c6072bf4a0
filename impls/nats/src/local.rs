//! A caller with all that it has started: its runtime and, without a cluster, a broker and an agent.

use std::io;
use std::mem;
use std::sync::Arc;

use fanout::{Pool, Portable, not_started};
use kernel::{Context, Outcome, StartError};

use crate::agent::Agent;
use crate::batch;
use crate::broker::Broker;
use crate::caller::Caller;
use crate::connect::connect;
use crate::driver::{Driver, wait};

/// A caller, and what it has started. It belongs to one process: a copy of it in a forked one does nothing.
pub(crate) struct Started {
    pub(crate) shortfall: Option<StartError>,
    parts: Option<Parts>,
    owner: u32,
}

struct Parts {
    caller: Caller,
    /// The cluster that this process is, if it is its own.
    own: Option<Own>,
    driver: Driver,
}

/// In the order in which they end: nothing of the broker outlives it.
struct Own {
    broker: Broker,
    _agent: Driver,
    pool: Pool,
}

impl Started {
    pub(crate) fn start(context: &Context) -> Result<Self, StartError> {
        let mut shortfall = None;
        let parts = Parts::start(context, &mut shortfall)?;
        Ok(Started { shortfall, parts: Some(parts), owner: std::process::id() })
    }

    /// How many keys the cluster's hosts run at once; nothing if this machine is all of it.
    pub(crate) fn slots(&self) -> Option<usize> {
        let parts = self.parts.as_ref().filter(|parts| parts.own.is_none())?;
        Some(parts.caller.members.size().1)
    }

    pub(crate) fn run<W: Portable>(
        &mut self,
        workload: &Arc<W>,
        number: u64,
        context: &Context,
    ) -> Vec<Outcome<W::Output>> {
        if workload.keys() == 0 {
            return Vec::new();
        }
        if self.owner != std::process::id() {
            let reason = "this process was forked from the one that the cluster's caller belongs to";
            return not_started(workload.keys(), reason);
        }
        if self.parts.as_ref().and_then(|parts| parts.own.as_ref()).is_some_and(|own| own.broker.has_ended()) {
            self.parts.take().into_iter().for_each(Parts::end);
        }
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => match Parts::start(context, &mut self.shortfall) {
                Ok(parts) => self.parts.insert(parts),
                Err(error) => return not_started(workload.keys(), &error.to_string()),
            },
        };
        let outcomes = batch::run(&parts.caller, parts.driver.handle(), workload, number, context.deadline);
        if let Some(own) = &parts.own {
            self.shortfall = own.pool.take_refusal().map(StartError::new);
        }
        outcomes
    }
}

impl Parts {
    fn start(context: &Context, shortfall: &mut Option<StartError>) -> Result<Self, StartError> {
        let driver = Driver::start("nats-caller")?;
        let on = driver.handle();
        if let Some(cluster) = &context.cluster {
            let caller = wait(on, Caller::start(cluster, context.tell))??;
            match wait(on, caller.wait_for_agents())? {
                Ok(few) => *shortfall = few.map(|few| StartError::new(io::Error::other(few))),
                Err(trouble) => {
                    wait(on, caller.end())?;
                    return Err(trouble.into());
                }
            }
            return Ok(Parts { caller, own: None, driver });
        }
        let pool = fanout::pool(context).workers(1).start().map_err(StartError::new)?;
        let broker = Broker::start()?;
        let caller = wait(on, Caller::start(&broker.cluster, None))??;
        let agents = Driver::start("nats-agent")?;
        let client = wait(agents.handle(), connect(&broker.cluster, "fanout agent"))??;
        // The other workers come last, so that what there is too little of is workers.
        let refused = pool.resize(context.workers).err();
        *shortfall = pool.take_refusal().or(refused).map(StartError::new);
        let agent = Agent::new(client, caller.session.clone(), pool.clone(), context.workers.get())?;
        // It is in this process, and ends with it.
        agents.handle().spawn(async move { _ = agent.run(None).await });
        wait(on, caller.wait_for_agents())??;
        Ok(Parts { caller, own: Some(Own { broker, _agent: agents, pool }), driver })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        if self.owner != std::process::id() {
            // Its threads are not there, and what it has started is another's.
            mem::forget(parts);
            return;
        }
        parts.end();
    }
}

impl Parts {
    fn end(self) {
        let Parts { caller, own, driver } = self;
        if own.is_none() {
            // Without a thread to wait on, agents find out by themselves.
            let _told = wait(driver.handle(), caller.end());
        }
    }
}
