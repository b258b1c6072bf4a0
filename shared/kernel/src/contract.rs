//! What a job must give, and what a strategy must do with it.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{KeyError, Outcome};

/// A keyed job: independent keys, each of which expands to one output.
///
/// Both bounds are the price of threads. `Sync` because several threads call [`expand`](Workload::expand) on one
/// workload at a time, so that an `Rc` inside it does not compile:
///
/// ```compile_fail,E0277
/// struct Shared(std::rc::Rc<Vec<f64>>);
///
/// impl kernel::Workload for Shared {
///     type Output = f64;
///     fn keys(&self) -> usize {
///         self.0.len()
///     }
///     fn expand(&self, index: usize) -> f64 {
///         self.0[index]
///     }
/// }
/// ```
///
/// and an `Arc` does:
///
/// ```
/// struct Shared(std::sync::Arc<Vec<f64>>);
///
/// impl kernel::Workload for Shared {
///     type Output = f64;
///     fn keys(&self) -> usize {
///         self.0.len()
///     }
///     fn expand(&self, index: usize) -> f64 {
///         self.0[index]
///     }
/// }
/// ```
///
/// `Output: Send` because the output is made on one thread and kept on another; a lock's guard must not travel so:
///
/// ```compile_fail,E0277
/// struct Guarded(&'static std::sync::Mutex<f64>);
///
/// impl kernel::Workload for Guarded {
///     type Output = std::sync::MutexGuard<'static, f64>;
///     fn keys(&self) -> usize {
///         1
///     }
///     fn expand(&self, _: usize) -> Self::Output {
///         self.0.lock().unwrap()
///     }
/// }
/// ```
pub trait Workload: Send + Sync + 'static {
    /// What one key expands to.
    type Output: Send + 'static;

    /// How many keys there are. Their indices are `0..keys()`.
    fn keys(&self) -> usize;

    /// The output of key `index`: the same index gives the same output on any thread, in any process, in any order.
    ///
    /// # Panics
    ///
    /// As the job likes: strategies call [`attempt`](Workload::attempt), which makes a panic that key's outcome.
    fn expand(&self, index: usize) -> Self::Output;

    /// [`expand`](Workload::expand), with a panic caught and made the key's outcome, so that every strategy treats one
    /// the same way. The panic hook runs as usual.
    fn attempt(&self, index: usize) -> Outcome<Self::Output> {
        caught(|| self.expand(index))
    }

    /// [`expand`](Workload::expand) for a strategy that can run parts of one key side by side: the same output, from parts
    /// that are given to `join`. A workload that does not say how a key is cut runs it as one.
    ///
    /// # Panics
    ///
    /// As `expand`.
    fn expand_in_parts(&self, index: usize, join: &impl Join) -> Self::Output {
        let _one_part = join;
        self.expand(index)
    }

    /// [`attempt`](Workload::attempt) of [`expand_in_parts`](Workload::expand_in_parts).
    fn attempt_in_parts(&self, index: usize, join: &impl Join) -> Outcome<Self::Output> {
        caught(|| self.expand_in_parts(index, join))
    }
}

fn caught<T>(expand: impl FnOnce() -> T) -> Outcome<T> {
    panic::catch_unwind(AssertUnwindSafe(expand)).map_err(KeyError::from_panic)
}

/// Fork and join: how a key that is cut in two has its halves run side by side, if there is a thread for that.
pub trait Join: Sync {
    /// Runs both, and returns what they returned when both are done.
    ///
    /// # Panics
    ///
    /// If one of them does, once both are done.
    fn join<A: Send, B: Send>(&self, first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B + Send) -> (A, B);
}

/// What outlives one batch: threads, a runtime, worker processes. `Drop` stops it all.
pub trait Strategy: Sized + Send {
    /// Whether keys run in processes of their own. It takes that to stop a key that runs past its deadline, so only
    /// these strategies accept one.
    const PROCESSES: bool = false;

    /// Whether keys can run on other hosts. Only these strategies accept a [`Cluster`].
    const CLUSTER: bool = false;

    /// Starts what all batches share.
    ///
    /// # Errors
    ///
    /// When nothing could be started. A strategy that got a part of what it asked for goes on with it, and says so in
    /// [`shortfall`](Strategy::shortfall).
    fn start(context: &Context) -> Result<Self, StartError>;

    /// Why fewer workers run than were asked for, if so.
    fn shortfall(&self) -> Option<&StartError> {
        None
    }

    /// How many keys run at once, where others than the caller say so: the hosts of a cluster.
    fn at_once(&self) -> Option<usize> {
        None
    }

    /// Serves callers on [`Context::cluster`] with `workers` keys at once, in place of running a job: the process is there
    /// for that alone. It returns when the first caller has ended; if it is to stay, only over an error or a signal.
    ///
    /// # Errors
    ///
    /// When it cannot serve, or the strategy runs keys on this host alone.
    fn agent(_: &Context, stay: bool) -> Result<(), StartError> {
        let _how_long = stay;
        Err(StartError::new(io::Error::other("this strategy runs keys on this host alone")))
    }
}

/// One way to run the keys of a `W`. With `start` and `Drop`, the notebook's three cells: setup, execution, `del`.
///
/// The bounds on `W` say what may cross the boundary that the strategy puts around a key. Threads take any
/// [`Workload`]; processes ask in addition that it can be serialised.
pub trait Runs<W: Workload>: Strategy {
    /// One outcome per key, in key order. A key that fails is that key's failure alone: nothing else is lost.
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>>;
}

/// What a strategy is told when it starts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Context {
    /// How many keys run at once. The command line passes the smaller of this and the number of keys.
    pub workers: NonZeroUsize,
    /// How to start a worker process.
    pub worker_command: WorkerCommand,
    /// How long one key may run. Only strategies with [`Strategy::PROCESSES`] can keep it.
    pub deadline: Option<Duration>,
    /// The hosts on which keys are to run, if not on this one alone. Only for strategies with [`Strategy::CLUSTER`].
    pub cluster: Option<Cluster>,
    /// What is told of hosts that come and go, one line each. Strategies do not print.
    pub tell: Option<fn(&str)>,
}

impl Context {
    /// `workers` keys at once, worker processes that are this program again, no deadline.
    pub fn new(workers: NonZeroUsize) -> Self {
        Context { workers, worker_command: WorkerCommand::this_program(), deadline: None, cluster: None, tell: None }
    }

    /// The same with another command for worker processes.
    pub fn with_worker_command(self, worker_command: WorkerCommand) -> Self {
        Context { worker_command, ..self }
    }

    /// The same with a deadline for each key.
    pub fn with_deadline(self, deadline: Option<Duration>) -> Self {
        Context { deadline, ..self }
    }

    /// The same on a cluster, with where to tell of its hosts.
    pub fn with_cluster(self, cluster: Option<Cluster>, tell: fn(&str)) -> Self {
        Context { cluster, tell: Some(tell), ..self }
    }
}

/// The command that starts a worker process. What makes the process a worker is an argument that is added to it, never
/// an environment variable: grandchildren would inherit that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// What it sees as its own name, and what `ps` shows.
    pub name: OsString,
    /// Arguments before the one that makes it a worker.
    pub arguments: Vec<OsString>,
}

impl WorkerCommand {
    /// This program again, under the name it was started with. On Linux by `/proc/self/exe`, which is right even when
    /// the file was replaced or removed since.
    pub fn this_program() -> Self {
        let name = std::env::args_os().next().unwrap_or_else(|| "worker".into());
        let program = if cfg!(target_os = "linux") {
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe().unwrap_or_else(|_| PathBuf::from(&name))
        };
        WorkerCommand { program, name, arguments: Vec::new() }
    }

    /// Another program.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        WorkerCommand { name: program.clone().into(), program, arguments: Vec::new() }
    }
}

/// Hosts that are there already, and wait for a job.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The addresses of its brokers, as the strategy's client takes them. Several are of one cluster, any of which may be lost.
    pub brokers: Vec<String>,
    /// What callers and agents prove themselves with.
    pub token: String,
    /// A file with the certificates that the brokers' are signed with, where the system does not know those.
    pub ca: Option<PathBuf>,
    /// For how many keys at once a caller waits until it begins, if that was said: else it begins with its first host.
    pub wanted: Option<NonZeroUsize>,
}

/// Without the token, which belongs in no log.
impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cluster { brokers, ca, wanted, token: _ } = self;
        let mut shown = f.debug_struct("Cluster");
        shown.field("brokers", brokers).field("ca", ca).field("wanted", wanted).finish_non_exhaustive()
    }
}

/// Why a strategy could not start.
#[derive(Debug)]
pub struct StartError(Box<dyn Error + Send + Sync>);

impl StartError {
    /// Wraps the error of what could not be started.
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        StartError(Box::new(error))
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
