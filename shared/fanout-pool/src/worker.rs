//! The parent's side: a worker process, from its start to its end.

use std::ffi::OsString;
use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::getpid;

use crate::channel::Channel;
use crate::conversation::{Conversation, HELLO_PATIENCE, Ordered};
use crate::descriptors::{StandardHeld, pipe};
use crate::error::{Broken, CallError, Exit, Outcome, Stage, StartError};
use crate::limits::Limits;
use crate::process::Process;
use crate::role::{ARGUMENT, Owner, Role, is_worker};
use crate::share::SharedBytes;
use crate::state::{Loss, State, costs_the_call};
use crate::task::Task;
use crate::transfer::ReceiveError;
use crate::wake::Woken;
use crate::words::{Listener, Words};

/// Bounds the time from a channel's end to its process's. When it passes, the process is killed. A worker has nothing
/// to do then but exit, in about a millisecond; a second is what this crate promises for leaving nothing behind.
const EXIT_PATIENCE: Duration = Duration::from_secs(1);

/// How a worker is started. What makes the process a worker is an argument that is added to it, never an environment
/// variable: grandchildren would inherit that.
#[derive(Debug, Clone)]
pub(crate) struct WorkerCommand {
    pub(crate) program: PathBuf,
    /// What it sees as its own name, and what `ps` shows.
    pub(crate) name: OsString,
    /// Before the one that makes it a worker.
    pub(crate) arguments: Vec<OsString>,
    /// Set, or removed.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) limits: Limits,
}

impl WorkerCommand {
    /// This program again, under the name it was started with. On Linux by `/proc/self/exe`, which is right even when
    /// the file was replaced or removed since.
    pub(crate) fn this_program() -> Self {
        let name = std::env::args_os().next().unwrap_or_else(|| "worker".into());
        let program = if cfg!(target_os = "linux") {
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe().unwrap_or_else(|_| PathBuf::from(&name))
        };
        WorkerCommand {
            program,
            name,
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: None,
            limits: Limits::default(),
        }
    }

    /// As an error names it.
    fn shown(&self) -> String {
        match &self.folder {
            Some(folder) => format!("{}` in the folder `{}", self.program.display(), folder.display()),
            None => self.program.display().to_string(),
        }
    }

    fn command(&self) -> Command {
        let role = Role { parent: getpid(), limits: self.limits.clone() };
        let mut command = Command::new(&self.program);
        command.arg0(&self.name).args(&self.arguments).arg(ARGUMENT).arg(role.argument());
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}

/// A worker process. Dropping it ends the process, with all that it started and that did not leave its process group,
/// and waits until it is gone.
///
/// It stays on the thread that started it. On Linux the system ends the process when that thread ends, so that no worker
/// outlives its parent.
pub(crate) struct Worker {
    process: Process,
    conversation: Conversation,
    owner: Owner,
    /// Not `Send`: see above.
    on_its_thread: PhantomData<*const ()>,
}

/// What came of asking a worker to run a call.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is moved twice a call")]
pub(crate) enum Asked<T> {
    /// The call has an outcome, and the worker, if there is one still, waits for the next.
    Answered(Outcome<T>, Option<Worker>),
    /// The worker was lost over this call.
    Lost(CallError, Loss),
    /// The worker was lost, and the call had no part in that: another worker may be asked. The task may have run already,
    /// if what an earlier call left on the channel was heard in its worker's place.
    Untouched(StartError),
}

impl Worker {
    /// Starts a process, and does not wait for it. Whoever waits for it later goes on waiting until `stop` says otherwise.
    ///
    /// # Errors
    ///
    /// When the system refuses, or this process is a worker itself.
    pub(crate) fn spawn(
        command: &WorkerCommand,
        woken: &Rc<Woken>,
        stop: &Arc<AtomicBool>,
        listener: Listener,
    ) -> Result<Self, StartError> {
        if is_worker() {
            return Err(StartError::Nested);
        }
        let _held = StandardHeld::new()?;
        let (ours, theirs) = UnixStream::pair()?;
        let (stderr, theirs_out) = pipe()?;
        rustix::io::ioctl_fionbio(&stderr, true).map_err(io::Error::from)?;
        // Nothing here may take `Command` off posix_spawn: a fork would copy the page tables of all that this program has.
        let mut start = command.command();
        start.stdin(OwnedFd::from(theirs)).stdout(theirs_out.try_clone()?).stderr(theirs_out);
        let process = Process::spawn(&mut start).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => StartError::System(error),
            _ => StartError::Program { program: command.shown(), error },
        })?;
        let words = Words::of(stderr, listener);
        let mut channel = Channel::new(ours, process.death(), words, Some(Rc::clone(woken)));
        channel.stop = Some(Arc::clone(stop));
        let conversation = Conversation::new(channel);
        Ok(Worker { process, conversation, owner: Owner::here(), on_its_thread: PhantomData })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has this shared value.
    pub(crate) fn has(&self, shared: &SharedBytes) -> bool {
        self.conversation.loaded.has(shared)
    }

    /// Whether it has answered a call.
    pub(crate) fn has_answered(&self) -> bool {
        self.conversation.answered
    }

    /// Waits until it is ready: until it has said hello.
    ///
    /// # Errors
    ///
    /// When it ends first, says something else, or says nothing for ten seconds. It is gone then.
    pub(crate) fn ready(mut self) -> Result<Self, StartError> {
        match self.conversation.hear_hello() {
            Ok(()) => Ok(self),
            Err(error) => Err(self.lost(error).of_no_call()),
        }
    }

    /// Waits until this thread is woken, or for so long, and passes on what the worker prints meanwhile. Nothing if the
    /// worker has ended, or said what it was not asked for: it is gone then.
    pub(crate) fn idle(mut self, most: Option<Duration>) -> Result<Self, StartError> {
        // Before it rests, too: what woke this thread may have come during a call.
        let forgets = |conversation: &mut Conversation| conversation.forget_dropped().is_ok();
        if forgets(&mut self.conversation) && self.conversation.channel.idle(most) && forgets(&mut self.conversation) {
            return Ok(self);
        }
        Err(self.lost(ReceiveError::Lost(Broken::Closed)).of_no_call())
    }

    /// Runs one call, until it is done or `stop` says so. Without a deadline, a worker that is stopped is waited for until
    /// somebody lets it go on.
    ///
    /// A panic of the task, or of what sends and receives its values in either process, is the call's outcome and costs no
    /// worker. So is a lack of memory for the output: a new process may not be had when memory is short.
    pub(crate) fn call<T: Task>(
        mut self,
        input: &T::Input,
        ordered: &Ordered<'_>,
        stop: &Arc<AtomicBool>,
    ) -> Asked<T::Output> {
        let pools = self.conversation.channel.stop.replace(Arc::clone(stop));
        match self.conversation.call::<T>(input, ordered) {
            Ok(outcome) if self.conversation.spoilt => Asked::Answered(outcome, None),
            Ok(outcome) => {
                self.conversation.channel.stop = pools;
                Asked::Answered(outcome, Some(self))
            }
            Err(error) => {
                let (state, answered) = (self.conversation.state, self.conversation.answered);
                let end = self.lost(error);
                if costs_the_call(state, end.loss, answered) {
                    let loss = end.loss;
                    Asked::Lost(end.of_a_call(ordered.deadline), loss)
                } else {
                    Asked::Untouched(end.of_no_call())
                }
            }
        }
    }

    /// Ends the process, and says how it was lost.
    fn lost(mut self, error: ReceiveError) -> End {
        let state = self.conversation.state;
        let mut exit = None;
        let (loss, what) = match error {
            ReceiveError::Lost(Broken::Closed) => {
                exit = self.exited();
                match exit {
                    Some(exit) => (Loss::Death, exit.to_string()),
                    None => (Loss::Violation, String::from("it closed its channel and lived on")),
                }
            }
            ReceiveError::Lost(Broken::Overdue) => {
                let what = match state {
                    State::Spawned => format!("said nothing for {HELLO_PATIENCE:?}"),
                    _ => String::from("was not done in time"),
                };
                (Loss::Overdue, what)
            }
            ReceiveError::Lost(Broken::Cancelled) => (Loss::Cancelled, String::from("was ended on purpose")),
            ReceiveError::Lost(error @ Broken::System(_)) => (Loss::Failure, error.to_string()),
            error => (Loss::Violation, error.to_string()),
        };
        self.kill();
        End {
            pid: self.process.id(),
            loss,
            what,
            stage: state.stage(),
            exit,
            stderr: self.conversation.channel.words.last(),
        }
    }

    /// Waits for a process that has nothing to do but exit. Nothing if it does not.
    fn exited(&mut self) -> Option<Exit> {
        self.conversation.channel.close();
        self.conversation.channel.ended(&self.process, EXIT_PATIENCE).then(|| self.kill())
    }

    /// Ends the process at once, and all that is left of its group. How it ended.
    fn kill(&mut self) -> Exit {
        let exit = self.process.end();
        self.conversation.channel.words.drain();
        exit
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A process that was forked from this one has a copy, and not the worker.
        if self.owner.is_here() && self.exited().is_none() {
            self.kill();
        }
    }
}

/// How a worker was lost.
struct End {
    pid: u32,
    loss: Loss,
    /// What it did, or what was wrong with what it said.
    what: String,
    stage: Stage,
    exit: Option<Exit>,
    stderr: String,
}

impl End {
    fn of_a_call(self, deadline: Option<Duration>) -> CallError {
        let End { pid, loss, what, stage, exit, stderr } = self;
        match (loss, exit, deadline) {
            (Loss::Death, Some(exit), _) => CallError::Died { pid, exit, stage, stderr },
            (Loss::Overdue, _, Some(deadline)) => CallError::TimedOut { deadline },
            (Loss::Cancelled, _, _) => CallError::Cancelled,
            _ => CallError::Protocol { pid, violation: what },
        }
    }

    fn of_no_call(self) -> StartError {
        let End { pid, loss, what, stage, exit, stderr } = self;
        let what = if loss == Loss::Violation { format!("broke the protocol ({what})") } else { what };
        StartError::Lost { pid, what, stage, exit, stderr }
    }
}
