//! What becomes of a key.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

/// What became of one key: its output, or why there is none.
pub type Outcome<T> = Result<T, KeyError>;

/// Why a key has no output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key's code panicked.
    #[error("panicked: {message}")]
    Panicked {
        /// The panic's message, cut to [`KeyError::MESSAGE_LIMIT`] bytes.
        message: String,
    },

    /// The process that ran the key ended before the whole output was there.
    #[error("its process {pid} {exit} while {stage}{}", StderrTail(.stderr))]
    Died {
        /// The process.
        pid: u32,
        /// How it ended.
        exit: Exit,
        /// What it was doing.
        stage: Stage,
        /// The last lines it wrote to stderr; empty if none.
        stderr: String,
    },

    /// The key ran longer than the deadline that the context set, and its process was killed.
    #[error("ran past its deadline of {deadline:?}")]
    TimedOut {
        /// The deadline.
        deadline: Duration,
    },

    /// There was no thread or process to run the key.
    #[error("could not be started: {0}")]
    NotStarted(io::Error),

    /// The key's process sent something that is no answer to what was asked, and was killed.
    #[error("its process {pid} broke the protocol: {violation}")]
    Protocol {
        /// The process.
        pid: u32,
        /// What was wrong with what it sent.
        violation: String,
    },

    /// The key's output was there, and could not be sent to this process or decoded here.
    #[error("its output could not cross: {reason}")]
    NotCrossed {
        /// Why: it has more bytes than the workload's limit, cannot be serialised there, or cannot be deserialised here.
        reason: String,
    },

    /// It failed on another host.
    #[error("on {host}: {error}")]
    OnHost {
        /// The host.
        host: String,
        /// What happened there.
        error: Box<KeyError>,
    },

    /// As many hosts as a key may cost were lost while they had it.
    #[error("given up after {tries} tries, {}", Hosts(.hosts))]
    HostsLost {
        /// Which, as far as they are known.
        hosts: Vec<String>,
        /// How often it was tried.
        tries: u64,
    },

    /// The process that asked for the key could not hold its output.
    #[error("this process had no memory for the output of {bytes} bytes")]
    NoMemory {
        /// The size of the output.
        bytes: usize,
    },
}

impl KeyError {
    /// Bounds the message of a panic, in bytes: it is printed on one line and crosses from worker processes, so a
    /// payload of a megabyte must not. What is longer is cut and marked. Not an option, since the panic hook has
    /// printed the whole message already. 1 KiB is a long sentence with a `Debug` value in it.
    pub const MESSAGE_LIMIT: usize = 1024;

    /// The error of a key whose `expand` panicked with this payload.
    pub fn from_panic(payload: Box<dyn Any + Send>) -> Self {
        KeyError::Panicked { message: Self::panic_message(payload) }
    }

    /// What a panic said, cut to [`KeyError::MESSAGE_LIMIT`] bytes.
    pub fn panic_message(payload: Box<dyn Any + Send>) -> String {
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
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Something else took its status, as when SIGCHLD is ignored.
    Unknown,
}

/// What a worker process was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It had not said hello yet.
    Starting,
    /// It had not got the workload whole, or was decoding it.
    Loading,
    /// It had not taken the key yet.
    Waiting,
    /// It had taken the key, and nothing of the output had come.
    Computing,
    /// A part of the output had come.
    Sending,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The numbers that x86-64 and aarch64 share, on Linux and macOS; others differ between the two.
        let name = match *self {
            Exit::Code(code) => return write!(f, "exited with status {code}"),
            Exit::Unknown => return write!(f, "ended in an unknown way"),
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
            Stage::Loading => "loading the workload",
            Stage::Waiting => "waiting for a key",
            Stage::Computing => "computing",
            Stage::Sending => "sending its output",
        })
    }
}

/// A stderr tail as the end of a message, or nothing.
struct StderrTail<'a>(&'a str);

impl fmt::Display for StderrTail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; its last words: {}", self.0.trim_end()) }
    }
}

/// Hosts as a part of a message.
struct Hosts<'a>(&'a [String]);

impl fmt::Display for Hosts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("and no host has said that it had it"),
            hosts => write!(f, "lost with {}", hosts.join(" and ")),
        }
    }
}

/// The message, cut at a character if it is over the limit.
fn cut(message: &str) -> String {
    if message.len() <= KeyError::MESSAGE_LIMIT {
        return message.to_owned();
    }
    let kept = &message[..message.floor_char_boundary(KeyError::MESSAGE_LIMIT)];
    format!("{kept}… ({} bytes in all)", message.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: Box<dyn Any + Send>) -> String {
        match KeyError::from_panic(payload) {
            KeyError::Panicked { message } => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_kinds_of_string_are_kept_and_others_are_named() {
        assert_eq!(message(Box::new("a str")), "a str");
        assert_eq!(message(Box::new(String::from("a String"))), "a String");
        assert_eq!(message(Box::new(17_u8)), "a payload that is no string");
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let long = "é".repeat(500_000);
        let message = message(Box::new(long));
        assert!(message.ends_with("é… (1000000 bytes in all)"), "{message}");
        assert!(message.len() < KeyError::MESSAGE_LIMIT + 64);
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

    #[test]
    fn a_death_is_told_in_one_line() {
        let stderr = String::from("thread main overflowed its stack\n");
        let error = KeyError::Died { pid: 7, exit: Exit::Signal(6), stage: Stage::Computing, stderr };
        let told =
            "its process 7 was ended by SIGABRT while computing; its last words: thread main overflowed its stack";
        assert_eq!(error.to_string(), told);
        let error = KeyError::Died { pid: 7, exit: Exit::Code(0), stage: Stage::Sending, stderr: String::new() };
        assert_eq!(error.to_string(), "its process 7 exited with status 0 while sending its output");
    }
}
