//! What a pool is doing, and what happens in it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::caught;

/// The number of a call in its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a pool is doing: [`Pool::status`](crate::Pool::status).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// How many calls wait for a worker.
    pub queued: usize,
    /// The workers that there are.
    pub workers: Vec<WorkerStatus>,
    /// Why a worker could not be started, if one could not; the last. [`Pool::take_refusal`](crate::Pool::take_refusal)
    /// forgets it.
    pub refusal: Option<String>,
}

/// What a worker is doing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// Its process id; nothing while there is none yet.
    pub pid: Option<u32>,
    /// How many calls were given to this process.
    pub calls: u64,
    /// How much memory it has, in bytes; nothing where the system does not tell.
    pub resident: Option<u64>,
    /// What it runs.
    pub running: Option<Running>,
}

/// A call that runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Running {
    /// Which call.
    pub call: CallId,
    /// The name of its task.
    pub task: &'static str,
    /// When a worker was given it.
    pub since: Instant,
}

/// What happens in a pool: for [`Builder::on_event`](crate::Builder::on_event).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A worker process was started.
    #[non_exhaustive]
    WorkerStarted {
        /// Its process id.
        pid: u32,
    },
    /// A worker is gone.
    #[non_exhaustive]
    WorkerEnded {
        /// Its process id.
        pid: u32,
        /// Why, in words.
        why: String,
    },
    /// A worker could not be started.
    #[non_exhaustive]
    WorkerRefused {
        /// Why, in words.
        why: String,
    },
    /// A call was given to a worker.
    #[non_exhaustive]
    CallStarted {
        /// Which call.
        call: CallId,
        /// The name of its task.
        task: &'static str,
        /// The worker's process id.
        pid: u32,
        /// How often it was tried before.
        attempt: u32,
    },
    /// A worker died under a call, which is tried again.
    #[non_exhaustive]
    CallRetried {
        /// Which call.
        call: CallId,
        /// Why, in words.
        why: String,
    },
    /// A call that was given to a worker has an outcome.
    #[non_exhaustive]
    CallFinished {
        /// Which call.
        call: CallId,
        /// The name of its task.
        task: &'static str,
        /// How long it took, with all its tries.
        took: Duration,
        /// Why it has no output, in words, if it has none.
        failure: Option<String>,
    },
    /// A worker wrote a line to its stderr or stdout.
    #[non_exhaustive]
    Line {
        /// The worker's process id.
        pid: u32,
        /// What it was running.
        call: Option<CallId>,
        /// The line, without its end.
        line: String,
    },
}

/// One line for a log.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::WorkerStarted { pid } => write!(f, "worker {pid} started"),
            Event::WorkerEnded { pid, why } => write!(f, "worker {pid} ended: {why}"),
            Event::WorkerRefused { why } => write!(f, "no worker could be started: {why}"),
            Event::CallStarted { call, task, pid, attempt: 0 } => {
                write!(f, "call {call} of {task} started in worker {pid}")
            }
            Event::CallStarted { call, task, pid, attempt } => {
                write!(f, "call {call} of {task} started in worker {pid}, after {attempt} that died")
            }
            Event::CallRetried { call, why } => write!(f, "call {call} is tried again: {why}"),
            Event::CallFinished { call, task, took, failure: None } => {
                write!(f, "call {call} of {task} done in {took:?}")
            }
            Event::CallFinished { call, task, took, failure: Some(failure) } => {
                write!(f, "call {call} of {task} failed after {took:?}: {failure}")
            }
            Event::Line { pid, call: Some(call), line } => write!(f, "worker {pid} in call {call}: {line}"),
            Event::Line { pid, call: None, line } => write!(f, "worker {pid}: {line}"),
        }
    }
}

/// Who is told of events.
#[derive(Clone, Default)]
pub(crate) struct Observer(pub(crate) Option<Arc<dyn Fn(Event) + Send + Sync>>);

impl Observer {
    /// The event is made only if somebody listens. A listener's panic is its own.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(listener) = &self.0 {
            let _told = caught(|| listener(event()));
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
