//! The keys of a job as calls of a pool of processes.

use std::any::Any;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use fanout_pool::registry::Entry;
use fanout_pool::{
    Builder, CallError, CallOptions, Handle, Here, Incoming, Outgoing, Pool, ReceiveError, Shared, Task, Transfer,
};
use kernel::{Context, Exit, KeyError, Outcome, Stage};

use crate::portable::{Codec, Portable};
use crate::remote;

/// The task that expands a key of a `W`. All keys share the job, which each worker is sent once.
#[derive(Debug)]
pub struct Expand<W>(PhantomData<fn(W)>);

/// A key of a job. What crosses is its index.
#[derive(Debug)]
pub struct Key<W> {
    /// Where the job is: in the process that runs the batch.
    workload: Option<Arc<W>>,
    index: usize,
}

/// The output of a key, by the codec of its job.
pub struct Expanded<W: Portable>(W::Output);

impl<W: Portable> Task for Expand<W> {
    type Shared = W;
    type Input = Key<W>;
    type Output = Expanded<W>;

    fn call(workload: &W, key: Key<W>, _: &mut Here) -> Expanded<W> {
        Expanded(workload.expand(key.index))
    }

    fn limit(key: &Key<W>) -> u64 {
        key.workload.as_ref().map_or(u64::MAX, |workload| workload.max_bytes(key.index))
    }

    fn name() -> &'static str {
        W::NAME
    }

    fn answer(workload: &W, key: Key<W>, _: &mut Here, to: Outgoing<'_>) -> io::Result<()> {
        workload.send(key.index, to)
    }
}

impl<W: Portable> Transfer for Key<W> {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        to.send(&(self.index as u64).to_le_bytes())
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        let index = u64::from_le_bytes(from.read_array()?) as usize;
        Ok(Key { workload: None, index })
    }
}

impl<W: Portable> Transfer for Expanded<W> {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        W::Codec::send(&self.0, to)
    }

    fn receive(from: Incoming<'_>) -> Result<Self, ReceiveError> {
        W::Codec::receive(from).map(Expanded)
    }
}

/// A job that this program can expand keys of, as a worker.
pub type Served = Entry;

/// The entry of job `W`, for [`serve`].
pub fn job<W: Portable>() -> Served {
    Entry::of::<Expand<W>>()
}

/// Serves keys and ends the process, if it was started as a worker; returns at once, if not. Call it first in `main`.
/// [`Setup::serve`](fanout_pool::Setup::serve) says more.
pub fn serve(jobs: &[Served]) {
    fanout_pool::worker().entries(jobs.iter().copied()).serve();
}

/// Where the token of a cluster's broker may be, in the environment of callers and agents. Workers do not have it.
pub const TOKEN_VARIABLE: &str = "FANOUT_TOKEN";

/// A pool of processes as a strategy is told to have it. How many there are is the strategy's.
pub fn pool(context: &Context) -> Builder {
    let command = &context.worker_command;
    // What a key starts has no use for the token of a cluster.
    Pool::builder()
        .env_remove(TOKEN_VARIABLE)
        .program(&command.program)
        .arg0(&command.name)
        .args(&command.arguments)
        .options(options(context.deadline))
}

/// How a key is called: tried once more if its worker dies.
pub fn options(deadline: Option<Duration>) -> CallOptions {
    let options = CallOptions::new().retries(1);
    deadline.map_or(options.clone(), |deadline| options.deadline(deadline))
}

/// The outcomes of so many keys of which none could be started.
pub fn not_started<T>(keys: usize, reason: &str) -> Vec<Outcome<T>> {
    (0..keys).map(|_| Err(KeyError::NotStarted(io::Error::other(reason.to_owned())))).collect()
}

/// A pool of processes that expands keys, batch after batch.
#[derive(Debug)]
pub struct KeyPool {
    pool: Pool,
    /// The job of the last batch: another batch of it finds it in the workers.
    last: Option<Box<dyn Any + Send>>,
    shortfall: Option<kernel::StartError>,
}

impl KeyPool {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When there is not one worker of those that are wanted at once.
    pub fn start(builder: Builder) -> Result<Self, kernel::StartError> {
        let pool = builder.start().map_err(kernel::StartError::new)?;
        let shortfall = pool.take_refusal().map(kernel::StartError::new);
        Ok(KeyPool { pool, last: None, shortfall })
    }

    /// The outcome of each key, in key order.
    pub fn run<W: Portable>(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = workload.keys();
        if keys == 0 {
            return Vec::new();
        }
        let shared = match self.shared(workload) {
            Ok(shared) => shared,
            Err(reason) => return not_started(keys, &reason),
        };
        let submit = |index| {
            let key = Key { workload: Some(Arc::clone(workload)), index };
            self.pool.submit_with(Expand(PhantomData), &shared, key, self.pool.options().clone())
        };
        let handles: Vec<Handle<Expanded<W>>> = (0..keys).map(submit).collect();
        // The last first: whoever waits for one after the other from the first is woken for each.
        let mut outcomes: Vec<_> = handles.into_iter().rev().map(|handle| outcome(handle.wait())).collect();
        outcomes.reverse();
        self.shortfall = self.pool.take_refusal().map(kernel::StartError::new);
        outcomes
    }

    /// Why the last batch had fewer workers than were asked for, if so.
    pub fn shortfall(&self) -> Option<&kernel::StartError> {
        self.shortfall.as_ref()
    }

    /// The job as the workers have it already, if they do.
    fn shared<W: Portable>(&mut self, workload: &Arc<W>) -> Result<Shared<W>, String> {
        let new = remote::encoded(&**workload)?;
        let last = self.last.take().and_then(|last| last.downcast::<Shared<W>>().ok());
        let shared = last.map(|last| *last).filter(|last| *last == new).unwrap_or(new);
        self.last = Some(Box::new(shared.clone()));
        Ok(shared)
    }
}

fn outcome<W: Portable>(told: fanout_pool::Outcome<Expanded<W>>) -> Outcome<W::Output> {
    match told {
        Ok(Expanded(output)) => Ok(output),
        Err(error) => Err(key_error(error)),
    }
}

/// A call's failure as a key's.
pub fn key_error(error: CallError) -> KeyError {
    match error {
        CallError::Panicked { message, .. } => KeyError::Panicked { message },
        CallError::Died { pid, exit, stage, stderr, .. } => {
            KeyError::Died { pid, exit: exit_of(exit), stage: stage_of(stage), stderr }
        }
        CallError::TimedOut { deadline, .. } => KeyError::TimedOut { deadline },
        CallError::NotStarted(error) => KeyError::NotStarted(error.into()),
        CallError::Protocol { pid, violation, .. } => KeyError::Protocol { pid, violation },
        CallError::NotCrossed { reason, .. } => KeyError::NotCrossed { reason },
        CallError::NoMemory { bytes, .. } => KeyError::NoMemory { bytes },
        CallError::Refused { reason, .. } => KeyError::NotStarted(io::Error::other(reason)),
        error => KeyError::NotStarted(io::Error::other(error.to_string())),
    }
}

fn exit_of(exit: fanout_pool::Exit) -> Exit {
    match exit {
        fanout_pool::Exit::Code(code) => Exit::Code(code),
        fanout_pool::Exit::Signal(signal) => Exit::Signal(signal),
        _ => Exit::Unknown,
    }
}

fn stage_of(stage: fanout_pool::Stage) -> Stage {
    match stage {
        fanout_pool::Stage::Starting => Stage::Starting,
        fanout_pool::Stage::Loading => Stage::Loading,
        fanout_pool::Stage::Waiting => Stage::Waiting,
        fanout_pool::Stage::Computing => Stage::Computing,
        fanout_pool::Stage::Sending => Stage::Sending,
        _ => Stage::Computing,
    }
}
