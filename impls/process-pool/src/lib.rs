//! Worker processes that start once, take keys as they become free, and serve batch after batch: what
//! `ProcessPoolExecutor` and loky are to Python.
//!
//! Decisions: a channel per worker, and a thread here for each process there, since it has a block to fill with what
//! its process sends; that thread lives as long as the pool, so that its process ends with it, and so that what an idle
//! process prints is passed on; a worker is asked for its next key when it has answered the last, so that no key waits
//! behind a slow one; a worker that is lost costs its key one try and is replaced, and the pool goes on.
//!
//! The program's `main` begins with [`serve`], which makes a process that was started as a worker into one. What it
//! takes to run a job of your own is in `examples/own_job.rs`.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{iter, mem};

use kernel::WorkerCommand;
use worker::{Load, Owner, SpawnError, Supervisor, Worker};

pub use kernel::{Context, KeyError, Outcome, Runs, StartError, Strategy, Workload};
pub use worker::{Codec, Portable, Postcard, Raw, job, serve};

/// A pool of worker processes. Dropping it ends them.
pub struct ProcessPool {
    places: Vec<Place>,
    /// Why there are fewer places than were asked for.
    refused: Option<StartError>,
    /// Why places had no worker in the last batch.
    shortfall: Option<StartError>,
    owner: Owner,
}

/// What a pool is started with.
#[derive(Debug, Clone)]
pub struct Builder {
    workers: NonZeroUsize,
    supervisor: Supervisor,
}

impl Builder {
    /// How many worker processes. The default is as many as this process may use CPUs.
    pub fn workers(self, workers: NonZeroUsize) -> Self {
        Builder { workers, ..self }
    }

    /// How long one key may be computed and sent, in time in which this program runs. A worker that exceeds it is killed
    /// with all that the key started, and replaced, and the key is [`KeyError::TimedOut`]. It is not for the workload,
    /// which a worker may load for ten seconds and a microsecond per byte. The default is no deadline, for either.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.supervisor.deadline = Some(deadline);
        self
    }

    /// How often a key is tried again whose worker died under it. The default is 1: a death may be somebody else's
    /// doing, such as the system's out-of-memory killer's, but a key that has killed two workers will kill a third. A
    /// worker that is lost before it took the key does not count.
    pub fn retries(mut self, retries: u32) -> Self {
        self.supervisor.retries = retries;
        self
    }

    /// The program that workers are. The default is this program.
    pub fn worker_command(mut self, worker_command: WorkerCommand) -> Self {
        self.supervisor.command = worker_command;
        self
    }

    /// Starts the workers, and waits until each has said hello.
    ///
    /// # Errors
    ///
    /// When there is not one: the system refused, this process is a worker itself, or the program that was started is
    /// none (its `main` does not begin with [`serve`]). A pool that got some of its workers goes on with those, and
    /// says so in [`Strategy::shortfall`].
    pub fn start(self) -> Result<ProcessPool, StartError> {
        let mut pool = ProcessPool { places: Vec::new(), refused: None, shortfall: None, owner: Owner::here() };
        let mut greetings = Vec::new();
        for _ in 0..self.workers.get() {
            match Place::start(self.supervisor.clone()) {
                Ok((place, greeting)) => {
                    pool.places.push(place);
                    greetings.push(greeting);
                }
                Err(error) => _ = pool.refused.get_or_insert(StartError::new(error)),
            }
        }
        // All are started before the first is waited for.
        let silent = greetings.into_iter().filter_map(|greeting| greeting.recv().ok()?.err()).collect::<Vec<_>>();
        let none_left = silent.len() == pool.places.len();
        pool.shortfall = silent.into_iter().next().map(StartError::new);
        if none_left && let Some(error) = pool.shortfall.take().or(pool.refused.take()) {
            return Err(error);
        }
        Ok(pool)
    }
}

impl ProcessPool {
    /// A pool with one worker per CPU, no deadline, and one retry after a death, unless told otherwise.
    #[expect(clippy::disallowed_methods, reason = "a default for library users; the command line always says")]
    pub fn builder() -> Builder {
        let workers = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let command = WorkerCommand::this_program();
        Builder { workers, supervisor: Supervisor { command, deadline: None, retries: 1 } }
    }
}

impl Strategy for ProcessPool {
    const PROCESSES: bool = true;

    fn start(context: &Context) -> Result<Self, StartError> {
        let mut builder = ProcessPool::builder().workers(context.workers);
        builder.supervisor.command = context.worker_command.clone();
        builder.supervisor.deadline = context.deadline;
        builder.start()
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref().or(self.refused.as_ref())
    }
}

impl<W: Portable> Runs<W> for ProcessPool {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let keys = workload.keys();
        if !self.owner.is_here() {
            let forked = || io::Error::other("this process was forked from the one that started the pool");
            return (0..keys).map(|_| Err(KeyError::NotStarted(forked()))).collect();
        }
        let batch = Arc::new(Batch { load: Load::new(workload), left: Mutex::new((0..keys).rev().collect()) });
        let mut served = Vec::new();
        let mut asked = keys.min(self.places.len());
        while asked > 0 {
            let before = batch.left().len();
            served.extend(self.ask(asked, &batch));
            let left = batch.left().len();
            // A place that lost its worker leaves its keys to the others, which may have been done by then.
            let hopeless = left == before && asked == self.places.len();
            asked = if left == 0 || hopeless { 0 } else { self.places.len() };
        }
        let workers = served
            .into_iter()
            .flat_map(|(taken, refusal)| iter::once(Ok(taken)).chain(refusal.map(|error| Err(error.into()))));
        let (outcomes, shortfall) = kernel::from_workers(keys, workers);
        self.shortfall = shortfall;
        outcomes
    }
}

impl ProcessPool {
    /// Has the first places take keys until none is left, and waits for what they took.
    fn ask<W: Portable>(&mut self, places: usize, batch: &Arc<Batch<W>>) -> Vec<Served<W::Output>> {
        let (report, reports) = mpsc::channel();
        for place in &mut self.places[..places] {
            let (batch, report) = (Arc::clone(batch), report.clone());
            place.give(Box::new(move |supervisor, worker| {
                let served = batch.serve(supervisor, worker);
                // Before the report, so that nothing of a batch is left when it is over.
                drop(batch);
                let _over = report.send(served);
            }));
        }
        drop(report);
        reports.into_iter().collect()
    }
}

impl Drop for ProcessPool {
    fn drop(&mut self) {
        let places = mem::take(&mut self.places);
        if !self.owner.is_here() {
            // A forked process has none of the threads, and the workers are not its own.
            mem::forget(places);
            return;
        }
        // All at once, so that each is waited for while the others end too.
        let threads: Vec<_> = places.into_iter().map(Place::close).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("a place does not panic"));
    }
}

/// A workload, and its keys that nobody has taken.
struct Batch<W: Portable> {
    load: Load<W>,
    left: Mutex<Vec<usize>>,
}

/// Outcomes of one place, each with its key's index; and if its worker was lost and there is no other, why.
type Served<T> = (Vec<(usize, Outcome<T>)>, Option<SpawnError>);

impl<W: Portable> Batch<W> {
    fn left(&self) -> MutexGuard<'_, Vec<usize>> {
        self.left.lock().expect("nothing under it panics")
    }

    /// Gives the worker keys until there are no more.
    fn serve(&self, supervisor: &Supervisor, worker: &mut Option<Worker>) -> Served<W::Output> {
        let mut taken = Vec::new();
        loop {
            // A worker first, and a key only then: a place without a worker leaves its keys to the others.
            if let Err(refusal) = supervisor.staff(worker) {
                return (taken, Some(refusal));
            }
            let Some(index) = self.left().pop() else { return (taken, None) };
            match supervisor.expand(worker, &self.load, index) {
                Ok(outcome) => taken.push((index, outcome)),
                Err(refusal) => {
                    self.left().push(index);
                    return (taken, Some(refusal));
                }
            }
        }
    }
}

/// A thread with a worker.
struct Place {
    thread: JoinHandle<()>,
    jobs: Sender<Job>,
    /// Tells the thread, which waits for its worker too, that there is a job or will be none.
    bell: PipeWriter,
}

type Job = Box<dyn FnOnce(&Supervisor, &mut Option<Worker>) + Send>;

impl Place {
    /// Starts a process on a thread of its own. What becomes of its hello comes later.
    fn start(supervisor: Supervisor) -> Result<(Self, Receiver<Result<(), SpawnError>>), SpawnError> {
        let (heard, bell) = worker::pipe()?;
        let (jobs, given) = mpsc::channel();
        let (report, reports) = mpsc::channel();
        let attend = move || attend(&supervisor, heard, &given, report);
        let thread = thread::Builder::new().spawn(attend)?;
        // The process before the next place's thread: where the system limits both together, threads alone are no use.
        match reports.recv() {
            Ok(Ok(())) => Ok((Place { thread, jobs, bell }, reports)),
            Ok(Err(error)) => {
                thread.join().expect("a place does not panic");
                Err(error)
            }
            Err(_) => unreachable!("a place reports before anything else"),
        }
    }

    fn give(&mut self, job: Job) {
        self.jobs.send(job).expect("a place takes jobs until it is closed");
        ring(&mut self.bell);
    }

    fn close(mut self) -> JoinHandle<()> {
        drop(self.jobs);
        ring(&mut self.bell);
        self.thread
    }
}

fn ring(bell: &mut PipeWriter) {
    bell.write_all(&[0]).expect("a place listens until it is closed");
}

/// What the thread of a place does. The worker lives here: the system ends it when this thread ends.
fn attend(supervisor: &Supervisor, mut bell: PipeReader, jobs: &Receiver<Job>, report: Sender<Result<(), SpawnError>>) {
    let spawned = Worker::spawn(&supervisor.command);
    let (mut worker, spawned) = match spawned {
        Ok(worker) => (Some(worker), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let refused = spawned.is_err();
    let _nobody_waits = report.send(spawned);
    if refused {
        return;
    }
    let _nobody_waits = report.send(supervisor.staff(&mut worker));
    drop(report);
    loop {
        worker = worker.and_then(|worker| worker.rest(&bell));
        let Ok(()) = bell.read_exact(&mut [0]) else { return };
        let Ok(job) = jobs.recv() else { return };
        job(supervisor, &mut worker);
    }
}
