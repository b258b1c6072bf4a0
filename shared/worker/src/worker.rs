//! The parent's side: a worker process, from its start to its end.

use std::io::{self, PipeReader};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use kernel::{Exit, KeyError, Outcome, Stage, WorkerCommand};
use rustix::io::Errno;

use crate::channel::{Broken, Channel};
use crate::codec::ReceiveError;
use crate::conversation::{Conversation, HELLO_PATIENCE};
use crate::descriptors::StandardHeld;
use crate::load::Load;
use crate::portable::Portable;
use crate::process::Process;
use crate::role::{ARGUMENT, Owner, is_worker};
use crate::state::{Loss, State, costs_the_key};

/// Bounds the time from a channel's end to its process's. When it passes, the process is killed. A worker has nothing
/// to do then but exit, in about a millisecond; a second is what this crate promises for leaving nothing behind.
const EXIT_PATIENCE: Duration = Duration::from_secs(1);

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// This process is a worker itself, so its workers would start workers, and so on.
    #[error(
        "a worker process may not start workers. If this is no nested job, `main` does not begin with \
         `worker::serve`, which makes a process that was started as a worker into one"
    )]
    Nested,
    /// The system gave no process or no channel.
    #[error("no worker process: {0}")]
    System(io::Error),
    /// The program could not be started.
    #[error("the worker program `{program}` cannot be started: {error}{}", hint(.program))]
    Program {
        /// The program.
        program: String,
        /// The system's reason.
        error: io::Error,
    },
    /// This process was forked from the one that started the worker.
    #[error("this process was forked from the one that started the workers, and they are not its own")]
    Forked,
    /// The process was lost, and the key had no part in it: it had not taken the key, or what came was left by an earlier
    /// one.
    #[error("{}", lost(*.pid, .what, *.stage, *.exit, .stderr))]
    Lost {
        /// The process.
        pid: u32,
        /// What it did.
        what: String,
        /// When it did that.
        stage: Stage,
        /// How it ended, if it did so by itself.
        exit: Option<Exit>,
        /// The last lines it wrote to stderr.
        stderr: String,
    },
}

fn hint(program: &str) -> &'static str {
    if program.starts_with("/proc/") { "; a worker is this program again, found by way of /proc" } else { "" }
}

fn lost(pid: u32, what: &str, stage: Stage, exit: Option<Exit>, stderr: &str) -> String {
    let words = if stderr.is_empty() { String::new() } else { format!(" Its last words: {stderr}") };
    // A worker that gives up says so itself, and one that a signal ended may have been one.
    let may_be_none = !stderr.contains(ARGUMENT) && !matches!(exit, Some(Exit::Signal(_) | Exit::Unknown));
    match stage {
        Stage::Starting if may_be_none => {
            format!("process {pid} {what} and was no worker; does its `main` begin with `worker::serve`?{words}")
        }
        stage => format!("worker process {pid} {what} while {stage}.{words}"),
    }
}

impl From<io::Error> for SpawnError {
    fn from(error: io::Error) -> Self {
        SpawnError::System(error)
    }
}

impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        match error {
            SpawnError::System(error) => error,
            SpawnError::Program { error: ref system, .. } => io::Error::new(system.kind(), error.to_string()),
            error => io::Error::other(error),
        }
    }
}

/// A worker process. Dropping it ends the process, with all that it started and that did not leave its process group,
/// and waits until it is gone.
///
/// It stays on the thread that started it. On Linux the system ends the process when that thread ends, so that no worker
/// outlives its parent.
///
/// ```compile_fail,E0277
/// fn sent_to_another_thread<T: Send>() {}
/// sent_to_another_thread::<worker::Worker>();
/// ```
pub struct Worker {
    process: Process,
    conversation: Conversation,
    owner: Owner,
    /// Not `Send`: see above.
    on_its_thread: PhantomData<*const ()>,
}

/// What came of asking a worker for a key.
pub enum Asked<T> {
    /// The key has an outcome, and the worker waits for the next one.
    Answered(Outcome<T>, Worker),
    /// The worker was lost over this key.
    Lost(KeyError),
    /// The worker was lost, and the key had no part in that: another worker may be asked. The key's code may have run
    /// already, if what an earlier key left on the channel was heard in its worker's place.
    Untouched(SpawnError),
}

impl Worker {
    /// Starts a process, and does not wait for it.
    ///
    /// # Errors
    ///
    /// When the system refuses, or this process is a worker itself.
    pub fn spawn(command: &WorkerCommand) -> Result<Self, SpawnError> {
        if is_worker() {
            return Err(SpawnError::Nested);
        }
        let _held = StandardHeld::new()?;
        let (ours, theirs) = UnixStream::pair()?;
        let (stderr, theirs_out) = io::pipe()?;
        rustix::io::ioctl_fionbio(&stderr, true).map_err(io::Error::from)?;
        // Nothing here may take `Command` off posix_spawn: a fork would copy the page tables of all outputs so far.
        let mut start = Command::new(&command.program);
        start
            .arg0(&command.name)
            .args(&command.arguments)
            .arg(ARGUMENT)
            .arg(std::process::id().to_string())
            .stdin(OwnedFd::from(theirs))
            .stdout(theirs_out.try_clone()?)
            .stderr(theirs_out);
        let process = Process::spawn(&mut start).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => SpawnError::System(error),
            _ => SpawnError::Program { program: command.program.display().to_string(), error },
        })?;
        let channel = Channel::new(ours, process.death(), Some(stderr));
        let conversation = Conversation::new(channel);
        Ok(Worker { process, conversation, owner: Owner::here(), on_its_thread: PhantomData })
    }

    /// Whether it has answered a key.
    pub(crate) fn has_answered(&self) -> bool {
        self.conversation.answered
    }

    /// Waits until it is ready: until it has said hello.
    ///
    /// # Errors
    ///
    /// When it ends first, says something else, or says nothing for ten seconds. It is gone then.
    pub fn ready(mut self) -> Result<Self, SpawnError> {
        match self.conversation.hear_hello() {
            Ok(()) => Ok(self),
            Err(error) => Err(self.lost(error).of_no_key()),
        }
    }

    /// Waits until `wake` can be read, and passes on what the worker prints meanwhile. Nothing if the worker has ended, or
    /// said what it was not asked for: it is gone then.
    pub(crate) fn idle_until(mut self, wake: &PipeReader) -> Option<Self> {
        self.conversation.channel.idle_until(wake).then_some(self)
    }

    /// Expands one key. Without a deadline, a worker that is stopped is waited for until somebody lets it go on.
    ///
    /// A panic of the workload's own code, in that process or in this one, is the key's outcome and costs no worker. So
    /// is a lack of memory for the output: a new process may not be had when memory is short.
    pub fn expand<W: Portable>(mut self, load: &Load<W>, index: usize, deadline: Option<Duration>) -> Asked<W::Output> {
        if !self.owner.is_here() {
            return Asked::Untouched(SpawnError::Forked);
        }
        match self.conversation.expand(load, index, deadline) {
            Ok(outcome) => Asked::Answered(outcome, self),
            Err(error) => {
                let (state, answered) = (self.conversation.state, self.conversation.answered);
                let end = self.lost(error);
                if costs_the_key(state, end.loss, answered) {
                    Asked::Lost(end.of_a_key(deadline))
                } else {
                    Asked::Untouched(end.of_no_key())
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
    fn of_a_key(self, deadline: Option<Duration>) -> KeyError {
        let End { pid, loss, what, stage, exit, stderr } = self;
        match (loss, exit, deadline) {
            (Loss::Death, Some(exit), _) => KeyError::Died { pid, exit, stage, stderr },
            (Loss::Overdue, _, Some(deadline)) => KeyError::TimedOut { deadline },
            _ => KeyError::Protocol { pid, violation: what },
        }
    }

    fn of_no_key(self) -> SpawnError {
        let End { pid, loss, what, stage, exit, stderr } = self;
        let what = if loss == Loss::Violation { format!("broke the protocol ({what})") } else { what };
        SpawnError::Lost { pid, what, stage, exit, stderr }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether printed alone or with all its sources.
    #[test]
    fn an_error_tells_the_systems_once() {
        let system = || io::Error::from_raw_os_error(11);
        let program = || SpawnError::Program { program: String::from("/nowhere"), error: system() };
        let errors: [Box<dyn std::error::Error>; 6] = [
            Box::new(SpawnError::from(system())),
            Box::new(program()),
            Box::new(Broken::System(system())),
            Box::new(ReceiveError::Lost(Broken::System(system()))),
            Box::new(KeyError::NotStarted(SpawnError::from(system()).into())),
            Box::new(KeyError::NotStarted(program().into())),
        ];
        for error in errors {
            let sources = std::iter::successors(Some(&*error), |error| error.source());
            let told: String = sources.map(ToString::to_string).collect();
            assert_eq!(told.matches("os error 11").count(), 1, "{told}");
        }
    }
}
