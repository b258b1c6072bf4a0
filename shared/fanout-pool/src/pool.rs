//! The pool, and what it is started with.

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::call::Submitted;
use crate::error::{CallError, StartError};
use crate::event::{Event, Observer, Status};
use crate::handle::Handle;
use crate::options::CallOptions;
use crate::scheduler::Scheduler;
use crate::share::Shared;
use crate::slot::{self, Call, Calls, Lives};
use crate::task::{IntoTask, Task};
use crate::ticket::Ticket;
use crate::worker::WorkerCommand;

/// A pool of worker processes. Clones are the same pool, and may be used from many threads at once. When the last is
/// dropped, calls that are not done fail as [`Closed`](CallError::Closed), and when the drop returns no worker is left;
/// [`shutdown`](Pool::shutdown) lets them be done first.
#[derive(Clone)]
pub struct Pool {
    alive: Arc<Alive>,
}

/// The input of a task.
pub type Input<K, M> = <<K as IntoTask<M>>::Task as Task>::Input;

/// The output of a task.
pub type Output<K, M> = <<K as IntoTask<M>>::Task as Task>::Output;

/// Ends the pool with its last clone.
struct Alive {
    scheduler: Arc<Calls>,
    lives: Lives,
    options: CallOptions,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.scheduler.close(Duration::ZERO);
    }
}

/// How many workers a pool has: a number, or a range of which the upper end is reached when there are calls for so many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workers(RangeInclusive<usize>);

impl From<usize> for Workers {
    fn from(workers: usize) -> Self {
        Workers(workers..=workers)
    }
}

impl From<NonZeroUsize> for Workers {
    fn from(workers: NonZeroUsize) -> Self {
        workers.get().into()
    }
}

impl From<RangeInclusive<usize>> for Workers {
    fn from(workers: RangeInclusive<usize>) -> Self {
        Workers(workers)
    }
}

/// What a pool is started with. Every setting has a default that is said with it.
#[derive(Debug, Clone)]
#[must_use = "it is `start` that starts a pool"]
pub struct Builder {
    workers: Workers,
    idle_timeout: Option<Duration>,
    options: CallOptions,
    lives: Lives,
}

impl Pool {
    /// Settings, all of them as their defaults say.
    pub fn builder() -> Builder {
        let cpus = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Builder {
            workers: Workers(1..=cpus),
            idle_timeout: None,
            options: CallOptions::new(),
            lives: Lives {
                command: WorkerCommand::this_program(),
                max_calls: None,
                max_resident: None,
                observer: Observer::default(),
                is_quiet: false,
            },
        }
    }

    /// Has a worker run a task on this input. It does not wait: the [`Handle`] does.
    pub fn submit<K, M>(&self, _: K, input: Input<K, M>) -> Handle<Output<K, M>>
    where
        K: IntoTask<M>,
        K::Task: Task<Shared = ()>,
    {
        self.call::<K::Task>(&Shared::nothing(), input, self.alive.options.clone())
    }

    /// The same with a shared value, and with options of its own.
    pub fn submit_with<K: IntoTask<M>, M>(
        &self,
        _: K,
        shared: &Shared<<K::Task as Task>::Shared>,
        input: Input<K, M>,
        options: CallOptions,
    ) -> Handle<Output<K, M>> {
        self.call::<K::Task>(shared, input, options)
    }

    pub(crate) fn call<T: Task>(
        &self,
        shared: &Shared<T::Shared>,
        input: T::Input,
        options: CallOptions,
    ) -> Handle<T::Output> {
        let ticket = Ticket::new();
        let scheduler = &self.alive.scheduler;
        if self.is_forked() {
            ticket.complete(Err(CallError::Forked));
            return Handle::new(ticket, None);
        }
        let priority = options.priority;
        let shared = Arc::clone(&shared.bytes);
        let call = Submitted::<T> {
            task: T::name(),
            input: Some(input),
            shared,
            options,
            outcome: None,
            ticket: Arc::clone(&ticket),
        };
        match scheduler.submit(priority, Box::new(call) as Box<dyn Call>) {
            Ok((place, wants_slot)) => {
                if wants_slot {
                    // Its refusal is told to the calls.
                    let _told = slot::start(scheduler, &self.alive.lives, 0);
                }
                Handle::new(ticket, Some((Arc::clone(scheduler), place)))
            }
            Err(call) => {
                call.fail(CallError::Closed);
                Handle::new(ticket, None)
            }
        }
    }

    /// What the pool is doing.
    pub fn status(&self) -> Status {
        self.alive.scheduler.status()
    }

    /// Why a worker could not be started, the last time that one could not; nothing if that was told before. The pool goes on
    /// with those that it has, and tries again.
    pub fn take_refusal(&self) -> Option<StartError> {
        self.alive.scheduler.take_refusal()
    }

    /// The options of calls that have none of their own.
    pub fn options(&self) -> &CallOptions {
        &self.alive.options
    }

    /// Changes how many workers there are. A worker too many ends when it has no call; one that is wanted starts now.
    ///
    /// # Errors
    ///
    /// When a range is empty, or a worker that is wanted now cannot be started. The pool goes on with those that it has.
    pub fn resize(&self, workers: impl Into<Workers>) -> Result<(), StartError> {
        if self.is_forked() {
            return Err(StartError::Forked);
        }
        let workers = workers.into().checked()?;
        let least = *workers.start();
        self.alive.scheduler.resize(workers);
        while slot::start(&self.alive.scheduler, &self.alive.lives, least)?.is_some() {}
        Ok(())
    }

    /// Takes no more calls, from whichever clone, and lets those that were submitted be done, but not for longer than so
    /// long: what is not done then fails as [`Closed`](CallError::Closed). When this returns no worker is left.
    pub fn shutdown(&self, grace: Duration) {
        self.alive.scheduler.close(grace);
    }

    /// Whether this process was forked from the one that the pool belongs to.
    pub(crate) fn is_forked(&self) -> bool {
        !self.alive.scheduler.is_here()
    }

    pub(crate) fn most_workers(&self) -> usize {
        self.alive.scheduler.most()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Workers {
    fn checked(self) -> Result<RangeInclusive<usize>, StartError> {
        let Workers(workers) = self;
        if workers.is_empty() {
            return Err(StartError::Settings(format!(
                "a pool of {workers:?} workers: the range ends before it begins"
            )));
        }
        if *workers.end() == 0 {
            return Err(StartError::Settings(format!(
                "a pool of {workers:?} workers can have none: let it have at least 1"
            )));
        }
        Ok(workers)
    }
}

impl Builder {
    /// How many workers: `4`, or `1..=8` for one that is started now and seven more that are started when there are calls for
    /// them. The default is `1..=` as many as this process may use CPUs.
    pub fn workers(mut self, workers: impl Into<Workers>) -> Self {
        self.workers = workers.into();
        self
    }

    /// How long a worker may have nothing to do before it ends, while there are more than the least number. The default is
    /// for ever.
    pub fn idle_timeout(mut self, idle_timeout: Duration) -> Self {
        self.idle_timeout = Some(idle_timeout);
        self
    }

    /// Replaces a worker after so many calls: 1 gives each call a process of its own, in which it finds no trace of another.
    /// The default is never.
    pub fn max_calls(mut self, calls: u64) -> Self {
        self.lives.max_calls = Some(calls);
        self
    }

    /// Replaces a worker that has more memory than so many bytes after a call: one that runs a library that leaks. The default
    /// is never. Nothing ends a worker that grows while it runs a call:
    /// [`limit_address_space`](Builder::limit_address_space) does.
    pub fn max_resident(mut self, bytes: u64) -> Self {
        self.lives.max_resident = Some(bytes);
        self
    }

    /// The options of calls that have none of their own. The default is [`CallOptions::new`].
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets a variable in the environment of workers, which is this program's otherwise.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.lives.command.environment.push((name.into(), Some(value.into())));
        self
    }

    /// Removes a variable from the environment of workers.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.lives.command.environment.push((name.into(), None));
        self
    }

    /// The folder that workers are in. The default is this program's.
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.lives.command.folder = Some(folder.into());
        self
    }

    /// Adds to the niceness of workers: 10 lets others go first. Less than 0 needs the right to it. The default is 0.
    pub fn nice(mut self, niceness: i32) -> Self {
        self.lives.command.limits.nice = Some(niceness);
        self
    }

    /// Bounds the address space of each worker, in bytes: an allocation beyond it fails, of which most Rust programs abort.
    /// The default is this program's limit.
    pub fn limit_address_space(mut self, bytes: u64) -> Self {
        self.lives.command.limits.address_space = Some(bytes);
        self
    }

    /// The CPUs that workers may use, on Linux. The default is this program's.
    pub fn cpus(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.lives.command.limits.cpus = cpus.into_iter().collect();
        self
    }

    /// The program that workers are. The default is this program, which must then let itself be one, by
    /// [`register!`](crate::register) or [`worker()`](crate::worker()).
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        self.lives.command.name = program.clone().into();
        self.lives.command.program = program;
        self
    }

    /// What workers see as their own name, and what `ps` shows. The default is the program's.
    pub fn arg0(mut self, name: impl Into<OsString>) -> Self {
        self.lives.command.name = name.into();
        self
    }

    /// Arguments of workers. Two more that make the process a worker come after them. The default is none.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.lives.command.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Has workers begin in this test of a test program, which calls [`worker()`](crate::worker())`…serve()` and does
    /// nothing else. For tests in which no code is to run before `main`, as [`register!`](crate::register) has it.
    ///
    /// ```
    /// # fn words(text: String) -> usize { text.split_whitespace().count() }
    /// #[test]
    /// fn worker_entry() {
    ///     fanout_pool::worker().task(words).serve();
    /// }
    ///
    /// #[test]
    /// fn words_are_counted() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = fanout_pool::Pool::builder().entry_test("tests::worker_entry").start()?;
    ///     assert_eq!(pool.submit(words, "one two".into()).wait()?, 2);
    ///     Ok(())
    /// }
    /// ```
    #[expect(clippy::test_attr_in_doctest, reason = "it is about tests")]
    pub fn entry_test(self, path: &str) -> Self {
        self.args([path, "--exact", "--nocapture", "--test-threads=1", "--"])
    }

    /// Whether what workers print is kept off this program's stderr. [`on_event`](Builder::on_event) has it by line. The
    /// default is that it is not.
    pub fn quiet(mut self, is_quiet: bool) -> Self {
        self.lives.is_quiet = is_quiet;
        self
    }

    /// Has this called for each [`Event`], on the pool's own threads: it should be quick, and hand on what takes long.
    pub fn on_event(mut self, listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        self.lives.observer = Observer(Some(Arc::new(listener)));
        self
    }

    /// Starts the least number of workers, all at once, and waits until each is ready.
    ///
    /// # Errors
    ///
    /// When workers are asked for now and there is not one: the system refused, this process is a worker itself, or the
    /// program that was started is none. A pool that got some of its workers goes on with those, and says so in
    /// [`Pool::take_refusal`]. Of a pool whose least number is 0, it is the first call that fails.
    pub fn start(self) -> Result<Pool, StartError> {
        let Builder { workers, idle_timeout, options, lives } = self;
        if lives.max_calls == Some(0) {
            return Err(StartError::Settings(String::from(
                "workers that may run 0 calls run none: let `max_calls` be at least 1",
            )));
        }
        let workers = workers.checked()?;
        let least = *workers.start();
        let scheduler = Scheduler::new(workers, idle_timeout);
        let pool = Pool { alive: Arc::new(Alive { scheduler, lives, options }) };
        let (scheduler, lives) = (&pool.alive.scheduler, &pool.alive.lives);
        let mut refusal = None;
        let started: Vec<_> = (0..least).map(|_| slot::start(scheduler, lives, least)).collect();
        let mut ready = 0;
        // All are started before the first is waited for.
        for reports in started {
            match reports.and_then(|reports| reports.map_or(Ok(()), |reports| reports.recv().unwrap_or(Ok(())))) {
                Ok(()) => ready += 1,
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        match refusal {
            Some(refusal) if ready == 0 => Err(refusal),
            _ => Ok(pool),
        }
    }
}
