//! Worker processes that start once, take keys as they become free, and serve batch after batch: what
//! `ProcessPoolExecutor` and loky are to Python.
//!
//! Decisions: a channel per worker, and a thread here for each process there, since it has a block to fill with what
//! its process sends; a worker is asked for its next key when it has answered the last, so that no key waits behind a
//! slow one; a worker that is lost costs its key one try and is replaced, and the pool goes on.
//!
//! The program's `main` begins with [`serve`], which makes a process that was started as a worker into one. What it
//! takes to run a job of your own is in `examples/own_job.rs`.

use std::iter;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use kernel::{Exit, WorkerCommand};
use worker::{Load, SpawnError, Worker};

pub use kernel::{Context, KeyError, Outcome, Runs, StartError, Strategy, Workload};
pub use worker::{Codec, Portable, Postcard, Raw, job, serve};

/// A pool of worker processes. Dropping it ends them.
pub struct ProcessPool {
    settings: Builder,
    /// One place per worker; empty while its worker was lost and could not be replaced.
    places: Vec<Option<Worker>>,
    shortfall: Option<StartError>,
}

/// What a pool is started with.
#[derive(Debug, Clone)]
pub struct Builder {
    workers: NonZeroUsize,
    deadline: Option<Duration>,
    retries: u32,
    worker_command: WorkerCommand,
}

impl Builder {
    /// How many worker processes. The default is as many as this process may use CPUs.
    pub fn workers(self, workers: NonZeroUsize) -> Self {
        Builder { workers, ..self }
    }

    /// How long one key may run, counted from when its worker is asked. A worker that exceeds it is killed and
    /// replaced, and the key is [`KeyError::TimedOut`]. The default is no deadline.
    pub fn deadline(self, deadline: Duration) -> Self {
        Builder { deadline: Some(deadline), ..self }
    }

    /// How often a key is tried again whose worker died under it. The default is 1: a death may be somebody else's
    /// doing, such as the system's out-of-memory killer's, but a key that has killed two workers will kill a third.
    pub fn retries(self, retries: u32) -> Self {
        Builder { retries, ..self }
    }

    /// The program that workers are. The default is this program.
    pub fn worker_command(self, worker_command: WorkerCommand) -> Self {
        Builder { worker_command, ..self }
    }

    /// Starts the workers, and waits until each has said hello.
    ///
    /// # Errors
    ///
    /// When there is not one: the system refused, this process is a worker itself, or the program that was started is
    /// none (its `main` does not begin with [`serve`]). A pool that got some of its workers goes on with those, and
    /// says so in [`Strategy::shortfall`].
    pub fn start(self) -> Result<ProcessPool, StartError> {
        // All are started before the first is waited for.
        let spawned: Vec<_> = (0..self.workers.get()).map(|_| Worker::spawn(&self.worker_command)).collect();
        let mut refusal = None;
        let greeted = |worker: Result<Worker, SpawnError>| match worker.and_then(Worker::greeted) {
            Ok(worker) => Some(worker),
            Err(error) => {
                refusal.get_or_insert(error);
                None
            }
        };
        let places: Vec<_> = spawned.into_iter().map(greeted).collect();
        let shortfall = refusal.map(StartError::new);
        match shortfall {
            Some(error) if places.iter().all(Option::is_none) => Err(error),
            shortfall => Ok(ProcessPool { settings: self, places, shortfall }),
        }
    }
}

impl ProcessPool {
    /// A pool with one worker per CPU, no deadline, and one retry after a death, unless told otherwise.
    #[expect(clippy::disallowed_methods, reason = "a default for library users; the command line always says")]
    pub fn builder() -> Builder {
        let workers = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Builder { workers, deadline: None, retries: 1, worker_command: WorkerCommand::this_program() }
    }
}

impl Strategy for ProcessPool {
    const PROCESSES: bool = true;

    fn start(context: &Context) -> Result<Self, StartError> {
        let worker_command = context.worker_command.clone();
        let deadline = context.deadline;
        Builder { workers: context.workers, deadline, worker_command, ..ProcessPool::builder() }.start()
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref()
    }
}

impl<W: Portable> Runs<W> for ProcessPool {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = workload.keys();
        let load = Load::new(workload);
        let counter = AtomicUsize::new(0);
        let next = || Some(counter.fetch_add(1, Ordering::Relaxed)).filter(|&index| index < keys);
        let settings = &self.settings;

        // The caller's thread serves one worker too, and that must be one that is there: if the OS refuses all others,
        // there still is a thread.
        self.places.sort_by_key(Option::is_none);
        let mut places = self.places.iter_mut().take(keys);
        let first = places.next();
        let serve = |place| settings.keep_busy(place, &load, next);
        let served: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> =
                places.map(|place| thread::Builder::new().spawn_scoped(scope, move || serve(place))).collect();
            let first = first.map(|place| Ok(serve(place)));
            let joined = |thread: ScopedJoinHandle<'_, _>| thread.join().expect("a process's failure is an outcome");
            first.into_iter().chain(threads.into_iter().map(|thread| Ok(joined(thread?)))).collect()
        });
        let workers = served.into_iter().flat_map(|served| match served {
            Ok((taken, refusal)) => iter::once(Ok(taken)).chain(refusal.map(|error| Err(error.into()))).collect(),
            Err(refused) => vec![Err(refused)],
        });
        let (outcomes, shortfall) = kernel::from_workers(keys, workers);
        self.shortfall = shortfall;
        outcomes
    }
}

/// Outcomes of one worker, each with its key's index.
type Taken<T> = Vec<(usize, Outcome<T>)>;

impl Builder {
    /// Gives the worker at `place` keys until there are no more. The outcomes of those it took; and if it was lost and
    /// there is no other, why.
    fn keep_busy<W: Portable>(
        &self,
        place: &mut Option<Worker>,
        load: &Load<W>,
        next: impl Fn() -> Option<usize>,
    ) -> (Taken<W::Output>, Option<SpawnError>) {
        let mut taken = Vec::new();
        loop {
            // A worker first, and a key only then: a place without a worker leaves its keys to the others.
            let worker = match place.take().and_then(Worker::if_fit).map_or_else(|| self.hire(), Ok) {
                Ok(worker) => worker,
                Err(error) => return (taken, Some(error)),
            };
            let Some(index) = next() else {
                *place = Some(worker);
                return (taken, None);
            };
            let (outcome, survivor) = self.expand(worker, load, index);
            taken.push((index, outcome));
            *place = survivor;
        }
    }

    /// Expands one key, and tries again with another worker if one dies. The worker that is left, if any.
    fn expand<W: Portable>(
        &self,
        worker: Worker,
        load: &Load<W>,
        index: usize,
    ) -> (Outcome<W::Output>, Option<Worker>) {
        let (mut outcome, mut survivor) = worker.expand(load, index, self.deadline);
        for _ in 0..self.retries {
            let Err(KeyError::Died { .. }) = outcome else { break };
            // Without another worker, the death is what is told of this key.
            let Ok(worker) = self.hire() else { break };
            (outcome, survivor) = worker.expand(load, index, self.deadline);
        }
        (outcome, survivor)
    }

    /// A new worker. One that is killed before its hello is as much somebody else's doing as one that is killed later.
    fn hire(&self) -> Result<Worker, SpawnError> {
        let hire = || Worker::spawn(&self.worker_command)?.greeted();
        let mut hired = hire();
        for _ in 0..self.retries {
            let Err(SpawnError::NoHello { exit: Some(Exit::Signal(_)), .. }) = hired else { break };
            hired = hire();
        }
        hired
    }
}

impl Drop for ProcessPool {
    fn drop(&mut self) {
        // All at once, so that each is waited for while the others end too.
        self.places.iter().flatten().for_each(Worker::dismiss);
    }
}
