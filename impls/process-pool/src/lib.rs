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

use std::mem;
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use worker::{Load, Owner, Parker, SpawnError, Supervisor, Taken, Unparker, Worker};

pub use kernel::{Context, Exit, KeyError, Outcome, Runs, Stage, StartError, Strategy, WorkerCommand, Workload};
pub use worker::{Answer, Body, Broken, Codec, Portable, Postcard, Raw, ReceiveError, job, serve};

/// A pool of worker processes. Dropping it ends them.
pub struct ProcessPool {
    slots: Vec<Slot>,
    /// Why there are fewer slots than were asked for.
    refused: Option<StartError>,
    /// Why a slot had no worker in the last batch.
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
    /// with all that the key started, and replaced, and the key is [`KeyError::TimedOut`]. A worker that loads a workload
    /// has ten seconds and a microsecond per byte for it. The default is no deadline, for either.
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

    /// Starts the workers, and waits until each is ready.
    ///
    /// # Errors
    ///
    /// When there is not one: the system refused, this process is a worker itself, or the program that was started is
    /// none (its `main` does not begin with [`serve`]). A pool that got some of its workers goes on with those, and
    /// says so in [`Strategy::shortfall`].
    pub fn start(self) -> Result<ProcessPool, StartError> {
        let mut pool = ProcessPool { slots: Vec::new(), refused: None, shortfall: None, owner: Owner::here() };
        let mut reports = Vec::new();
        for _ in 0..self.workers.get() {
            match Slot::start(self.supervisor.clone()) {
                Ok((slot, report)) => {
                    pool.slots.push(slot);
                    reports.push(report);
                }
                Err(error) => _ = pool.refused.get_or_insert(StartError::new(error)),
            }
        }
        // All are started before the first is waited for.
        let failures: Vec<_> = reports.into_iter().filter_map(|report| report.recv().ok()?.err()).collect();
        let none_left = failures.len() == pool.slots.len();
        pool.shortfall = failures.into_iter().next().map(StartError::new);
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
            return (0..keys).map(|_| Err(KeyError::NotStarted(SpawnError::Forked.into()))).collect();
        }
        let batch = Arc::new(Batch { load: Load::new(workload), left: Mutex::new((0..keys).rev().collect()) });
        let mut taken = Vec::new();
        let mut asked = keys.min(self.slots.len());
        while asked > 0 {
            let before = batch.left().len();
            taken.extend(self.ask(asked, &batch));
            let left = batch.left().len();
            // A slot that lost its worker leaves its keys to the others, which may have been done by then.
            let hopeless = left == before && asked == self.slots.len();
            asked = if left == 0 || hopeless { 0 } else { self.slots.len() };
        }
        let (outcomes, shortfall) = worker::in_key_order(keys, taken);
        self.shortfall = shortfall;
        outcomes
    }
}

impl ProcessPool {
    /// Has the first slots take keys until none is left, and waits for what they took.
    fn ask<W: Portable>(&mut self, slots: usize, batch: &Arc<Batch<W>>) -> Vec<Taken<W::Output>> {
        let (report, reports) = mpsc::channel();
        for slot in &mut self.slots[..slots] {
            let (batch, report) = (Arc::clone(batch), report.clone());
            slot.give(Box::new(move |supervisor, worker| {
                let taken = batch.take(supervisor, worker);
                // Before the report, so that nothing of a batch is left when it is over.
                drop(batch);
                let _waited_for = report.send(taken);
            }));
        }
        drop(report);
        reports.into_iter().collect()
    }
}

impl Drop for ProcessPool {
    fn drop(&mut self) {
        let slots = mem::take(&mut self.slots);
        if !self.owner.is_here() {
            // A forked process has none of the threads, and the workers are not its own.
            mem::forget(slots);
            return;
        }
        // All at once, so that each is waited for while the others end too.
        let threads: Vec<_> = slots.into_iter().map(Slot::close).collect();
        for thread in threads {
            // One that panicked has said so.
            let _panicked = thread.join();
        }
    }
}

/// A workload, and its keys that nobody has taken.
struct Batch<W: Portable> {
    load: Load<W>,
    left: Mutex<Vec<usize>>,
}

impl<W: Portable> Batch<W> {
    fn left(&self) -> MutexGuard<'_, Vec<usize>> {
        self.left.lock().expect("nothing under it panics")
    }

    /// Takes keys until none is left, or until there is no worker for one, which is then left to the other slots.
    fn take(&self, supervisor: &Supervisor, worker: &mut Option<Worker>) -> Taken<W::Output> {
        let mut taken = Vec::new();
        // A worker first, and a key only then: an empty slot holds no key up.
        if !self.load.is_refused()
            && let Err(refusal) = supervisor.fill(worker)
        {
            return (taken, Some(refusal));
        }
        loop {
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
struct Slot {
    thread: JoinHandle<()>,
    jobs: Sender<Job>,
    /// Wakes the thread, which attends to its idle worker, when there is a job or will be none.
    unparker: Unparker,
}

type Job = Box<dyn FnOnce(&Supervisor, &mut Option<Worker>) + Send>;

impl Slot {
    /// Starts a process on a thread of its own. Whether it becomes ready comes later.
    fn start(supervisor: Supervisor) -> Result<(Self, Receiver<Result<(), SpawnError>>), SpawnError> {
        let (parker, unparker) = Parker::new()?;
        let (jobs, given) = mpsc::channel();
        let (report, reports) = mpsc::channel();
        let thread = thread::Builder::new().spawn(move || attend(&supervisor, parker, &given, report))?;
        // The process before the next slot's thread: where the system limits both together, threads alone are no use.
        match reports.recv() {
            Ok(Ok(())) => Ok((Slot { thread, jobs, unparker }, reports)),
            Ok(Err(error)) => {
                thread.join().expect("it has nothing left to do");
                Err(error)
            }
            Err(_) => unreachable!("a slot reports before anything else"),
        }
    }

    fn give(&mut self, job: Job) {
        // A thread that panicked takes no job, and no key then: the others do.
        let _panicked = self.jobs.send(job);
        self.unparker.unpark();
    }

    fn close(mut self) -> JoinHandle<()> {
        drop(self.jobs);
        self.unparker.unpark();
        self.thread
    }
}

/// What the thread of a slot does. The worker lives here: the system ends it when this thread ends.
fn attend(supervisor: &Supervisor, mut parker: Parker, jobs: &Receiver<Job>, report: Sender<Result<(), SpawnError>>) {
    let mut worker = match Worker::spawn(&supervisor.command) {
        Ok(worker) => Some(worker),
        Err(error) => return report.send(Err(error)).expect("the first report is waited for"),
    };
    report.send(Ok(())).expect("the first report is waited for");
    let _nobody_waits = report.send(supervisor.fill(&mut worker));
    drop(report);
    loop {
        parker.park(&mut worker);
        let Ok(job) = jobs.recv() else { return };
        job(supervisor, &mut worker);
    }
}
