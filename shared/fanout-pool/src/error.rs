//! What can go wrong, in the words of whoever reads it.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use crate::role::ARGUMENT;

/// What became of a call: what the task returned, or why there is nothing.
pub type Outcome<T> = Result<T, CallError>;

/// Why a call has no output. Each is that call's failure alone: the pool goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The task panicked. Its worker lives on.
    #[error("panicked: {message}")]
    #[non_exhaustive]
    Panicked {
        /// What the panic said, cut to 1 KiB.
        message: String,
    },

    /// The worker ended before the whole output was there.
    #[error("its process {pid} {exit} while {stage}{}", Words(.stderr))]
    #[non_exhaustive]
    Died {
        /// The worker's process id.
        pid: u32,
        /// How it ended.
        exit: Exit,
        /// What it was doing.
        stage: Stage,
        /// The last lines that it wrote to stderr; empty if there are none.
        stderr: String,
    },

    /// It ran longer than [`CallOptions::deadline`](crate::CallOptions::deadline) allows, and its worker was killed.
    #[error("ran past its deadline of {deadline:?}")]
    #[non_exhaustive]
    TimedOut {
        /// The deadline.
        deadline: Duration,
    },

    /// There was no worker to run it, and none could be started.
    #[error("could not be started: {0}")]
    NotStarted(StartError),

    /// No worker can run this task, or none can make the shared value: it would be the same with every other.
    #[error("no worker can run it: {reason}")]
    #[non_exhaustive]
    Refused {
        /// Why, and what to do about it.
        reason: String,
    },

    /// The worker sent something that is no answer to what it was asked, and was killed.
    #[error("its process {pid} broke the protocol: {violation}")]
    #[non_exhaustive]
    Protocol {
        /// The worker's process id.
        pid: u32,
        /// What was wrong with what it sent.
        violation: String,
    },

    /// Its input or output could not be sent to the other process, or could not be made of what was sent.
    #[error("its {value} could not cross: {reason}")]
    #[non_exhaustive]
    NotCrossed {
        /// Which of them.
        value: Crossing,
        /// Why: it is larger than the task's limit, cannot be serialised, or cannot be deserialised.
        reason: String,
    },

    /// This process has no memory for the output.
    #[error("this process had no memory for the output of {bytes} bytes")]
    #[non_exhaustive]
    NoMemory {
        /// The size of the output.
        bytes: usize,
    },

    /// It was cancelled: by [`Handle::cancel`](crate::Handle::cancel), or since its handle was dropped.
    #[error("was cancelled")]
    Cancelled,

    /// The pool was shut down, or its last clone was dropped, before the call was done.
    #[error("the pool was shut down, or its last clone dropped, before the call was done")]
    Closed,

    /// The outcome was taken from this handle before: it was waited for, or polled, once more than it could tell.
    #[error(
        "the outcome of this call was taken before: wait for a handle, or poll it, until it is ready and not again"
    )]
    Taken,

    /// This process was forked from the one that the pool belongs to.
    #[error(
        "this process was forked from the one that started the pool, and its workers are not its own: start a pool here"
    )]
    Forked,
}

/// Why there is no worker.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// This process is a worker itself, so its workers would start workers, and so on.
    #[error(
        "a worker process may not start workers. If this is no nested call, `main` does not begin with \
         `fanout_pool::worker()…serve()`, which makes a process that was started as a worker into one; \
         `fanout_pool::register!(TASK)` does it without a line in `main`"
    )]
    Nested,
    /// The system gave no process, no thread or no channel.
    #[error("no worker process: {0}")]
    System(io::Error),
    /// The program could not be started.
    #[error("the worker program `{program}` cannot be started: {error}{}", hint(.program))]
    #[non_exhaustive]
    Program {
        /// The program.
        program: String,
        /// The system's reason.
        error: io::Error,
    },
    /// This process was forked from the one that the pool belongs to.
    #[error("this process was forked from the one that started the pool: start one here")]
    Forked,
    /// What a worker is started with makes no sense.
    #[error("{0}")]
    Settings(String),
    /// The process was lost, and no call had a part in that.
    #[error("{}", lost(*.pid, .what, *.stage, *.exit, .stderr))]
    #[non_exhaustive]
    Lost {
        /// The worker's process id.
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

impl StartError {
    /// The same once more: several calls may fail for one reason.
    pub(crate) fn again(&self) -> StartError {
        let io_again = |error: &io::Error| match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        };
        match self {
            StartError::Nested => StartError::Nested,
            StartError::Forked => StartError::Forked,
            StartError::System(error) => StartError::System(io_again(error)),
            StartError::Program { program, error } => {
                StartError::Program { program: program.clone(), error: io_again(error) }
            }
            StartError::Settings(reason) => StartError::Settings(reason.clone()),
            StartError::Lost { pid, what, stage, exit, stderr } => {
                StartError::Lost { pid: *pid, what: what.clone(), stage: *stage, exit: *exit, stderr: stderr.clone() }
            }
        }
    }
}

/// What it says, since `unwrap` is how a test sees it.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        StartError::System(error)
    }
}

impl From<StartError> for io::Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::System(error) => error,
            StartError::Program { error: ref system, .. } => io::Error::new(system.kind(), error.to_string()),
            error => io::Error::other(error),
        }
    }
}

fn hint(program: &str) -> &'static str {
    if program.starts_with("/proc/") { "; a worker is this program again, found by way of /proc" } else { "" }
}

fn lost(pid: u32, what: &str, stage: Stage, exit: Option<Exit>, stderr: &str) -> String {
    let words = if stderr.is_empty() { String::new() } else { format!(" Its last words: {stderr}") };
    // A worker that gives up says so itself, and one that a signal ended may have been one.
    let may_be_none = !stderr.contains(ARGUMENT) && !matches!(exit, Some(Exit::Signal(_) | Exit::Unknown));
    match stage {
        // What Rust's test harness says of an option that it does not know.
        Stage::Starting if stderr.contains("Unrecognized option") => format!(
            "process {pid} {what}: it is a test program, whose `main` is not yours. Add \
             `fanout_pool::register!(TASK);` to the crate that has the task, and it becomes a worker before its \
             `main`; or give the pool an entry of its own: `Builder::entry_test`.{words}"
        ),
        Stage::Starting if may_be_none => format!(
            "process {pid} {what} and was no worker; does its `main` begin with `fanout_pool::worker()…serve()`, or \
             is the task given to `fanout_pool::register!`?{words}"
        ),
        stage => format!("worker process {pid} {what} while {stage}.{words}"),
    }
}

/// What crosses between two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Crossing {
    /// To the worker.
    Input,
    /// From the worker.
    Output,
    /// To each worker, once.
    Shared,
}

impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Crossing::Input => "input",
            Crossing::Output => "output",
            Crossing::Shared => "shared value",
        })
    }
}

/// Why no more comes from the other end of a channel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// The process died, or closed its end.
    #[error("its end of the channel is gone")]
    Closed,
    /// The time that it had is over.
    #[error("its time is over")]
    Overdue,
    /// The call was cancelled.
    #[error("it was cancelled")]
    Cancelled,
    /// The system refused to read or to write.
    #[error("the channel failed: {0}")]
    System(io::Error),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Something else took its status, as when SIGCHLD is ignored.
    Unknown,
}

/// What a worker was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// It had not said hello yet.
    Starting,
    /// It had not got the shared value whole, or was decoding it.
    Loading,
    /// It had not taken the call yet.
    Waiting,
    /// It had taken the call, and nothing of the output had come.
    Computing,
    /// A part of the output had come.
    Sending,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The numbers that x86-64 and aarch64 share, on Linux and macOS; others differ between the two.
        let name = match *self {
            Exit::Code(code) => return write!(f, "exited with status {code}"),
            Exit::Unknown => return f.write_str("ended in an unknown way"),
            Exit::Signal(signal) => match signal {
                1 => "SIGHUP",
                2 => "SIGINT",
                3 => "SIGQUIT",
                4 => "SIGILL",
                5 => "SIGTRAP",
                6 => "SIGABRT",
                8 => "SIGFPE",
                9 => "SIGKILL",
                11 => "SIGSEGV",
                13 => "SIGPIPE",
                14 => "SIGALRM",
                15 => "SIGTERM",
                _ => return write!(f, "was ended by signal {signal}"),
            },
        };
        write!(f, "was ended by {name}")
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Starting => "starting",
            Stage::Loading => "loading the shared value",
            Stage::Waiting => "waiting for a call",
            Stage::Computing => "computing",
            Stage::Sending => "sending its output",
        })
    }
}

/// The last words as the end of a message, or nothing.
struct Words<'a>(&'a str);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; its last words: {}", self.0.trim_end()) }
    }
}

/// Bounds the message of a panic, in bytes: it is printed on one line and crosses from workers, so a payload of a
/// megabyte must not. What is longer is cut and marked. Not an option, since the panic hook has printed the whole message
/// already. 1 KiB is a long sentence with a `Debug` value in it.
pub(crate) const MESSAGE_LIMIT: usize = 1024;

/// Runs code of the user. If it panics, what the panic said; the panic hook runs as usual.
pub(crate) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(code)).map_err(message)
}

/// What a panic said.
fn message(payload: Box<dyn Any + Send>) -> String {
    let message = if let Some(message) = payload.downcast_ref::<&str>() {
        cut(message)
    } else if let Some(message) = payload.downcast_ref::<String>() {
        cut(message)
    } else {
        String::from("a payload that is no string")
    };
    // A payload may panic in its own Drop. That second payload is leaked: dropping it could go on like this.
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    message
}

/// The message, cut at a character if it is over the limit.
fn cut(message: &str) -> String {
    if message.len() <= MESSAGE_LIMIT {
        return message.to_owned();
    }
    format!("{}… ({} bytes in all)", up_to(message, MESSAGE_LIMIT), message.len())
}

/// The start of a text, of at most so many bytes.
pub(crate) fn up_to(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_string_are_kept_and_others_are_named() {
        assert_eq!(message(Box::new("a str")), "a str");
        assert_eq!(message(Box::new(String::from("a String"))), "a String");
        assert_eq!(message(Box::new(17_u8)), "a payload that is no string");
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let message = message(Box::new("é".repeat(500_000)));
        assert!(message.ends_with("é… (1000000 bytes in all)"), "{message}");
        assert!(message.len() < MESSAGE_LIMIT + 64);
    }

    #[test]
    fn a_payload_that_panics_in_drop_is_survived() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        assert_eq!(message(Box::new(Bomb)), "a payload that is no string");
    }

    /// Whether printed alone or with all its sources.
    #[test]
    fn an_error_tells_the_systems_once() {
        let system = || io::Error::from_raw_os_error(11);
        let program = || StartError::Program { program: String::from("/nowhere"), error: system() };
        let errors: [Box<dyn std::error::Error>; 4] = [
            Box::new(StartError::from(system())),
            Box::new(program()),
            Box::new(CallError::NotStarted(system().into())),
            Box::new(CallError::NotStarted(program())),
        ];
        for error in errors {
            let sources = std::iter::successors(Some(&*error), |error| error.source());
            let told: String = sources.map(ToString::to_string).collect();
            assert_eq!(told.matches("os error 11").count(), 1, "{told}");
        }
    }

    #[test]
    fn a_test_program_is_told_which_line_to_add() {
        let stderr = String::from("error: Unrecognized option: 'fanout-worker'");
        let what = String::from("exited with status 101");
        let error = StartError::Lost { pid: 7, what, stage: Stage::Starting, exit: Some(Exit::Code(101)), stderr };
        assert!(error.to_string().contains("register!(TASK)"), "{error}");
    }

    #[test]
    fn a_death_is_told_in_one_line() {
        let stderr = String::from("thread main overflowed its stack\n");
        let error = CallError::Died { pid: 7, exit: Exit::Signal(6), stage: Stage::Computing, stderr };
        let told =
            "its process 7 was ended by SIGABRT while computing; its last words: thread main overflowed its stack";
        assert_eq!(error.to_string(), told);
    }
}
