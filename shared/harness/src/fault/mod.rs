//! Faults that travel with the workload as data, so that the same ones strike on threads and in processes.

mod acts;
mod faulty;
mod sending;

use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub use self::faulty::Faulty;
pub(crate) use self::sending::Struck;

/// What happens in a key instead of its work, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum FaultKind {
    /// Panics with a `&str`.
    Panic,
    /// Panics with a `String`.
    PanicString,
    /// Panics with a payload that is no string.
    PanicOther,
    /// Panics with a megabyte of text.
    PanicLong,
    /// Calls `abort`.
    Abort,
    /// Ends by SIGSEGV.
    Segv,
    /// Recurses without end.
    StackOverflow,
    /// Exits with status 0 before there is an output.
    Exit0,
    /// Writes two lines to stderr and exits with status 42.
    Exit42,
    /// Ends by SIGKILL.
    Kill,
    /// Ends by SIGKILL with half of the output sent; on threads, like `kill`.
    KillSending,
    /// Sends its output twice; on threads, as if there were no fault.
    SendTwice,
    /// Sends its output, and bytes that mean nothing after it; on threads, as if there were no fault.
    SendGarbage,
    /// Leaves a process behind that holds the channel open, and ends by SIGKILL.
    KillLeavingChild,
    /// Stops its process by SIGSTOP.
    Stop,
    /// Loops without end.
    Hang,
    /// Sleeps without end.
    Sleep,
    /// Sleeps for a tenth of a second, and then does its work.
    Slow,
    /// Prints a line, and then does its work.
    Print,
    /// Does nothing but its work: the FILE says that the key was reached.
    Mark,
    /// Waits until the FILEs of all other faults are there, and then does its work. Panics after half a minute.
    Patient,
    /// The same, but panics after two seconds.
    Impatient,
    /// Starts a worker process in the key, and panics with the error if there is none.
    Nested,
    /// Panics not in the key, but where its output is about to be received; on threads, as if there were no fault.
    PanicReceiving,
    /// Gives the values that are hard to carry: NaNs, infinities, zeros of both signs, subnormals.
    Specials,
    /// Forks without exec, and both processes return the output; on threads, as if there were no fault.
    Fork,
    /// Leaves a forked child, when its answer is sent, that writes garbage and a forged answer into the channel a moment
    /// later, whatever the worker does then; on threads, as if there were no fault.
    ChildWrites,
    /// Ends by SIGKILL right after its complete answer; on threads, as if there were no fault.
    DieAfter,
    /// Stops its process by SIGSTOP right after its complete answer; on threads, as if there were no fault.
    StopAfter,
    /// The output's `Drop` panics in a worker; on threads, as if there were no fault.
    PanicDropping,
    /// Panics where the output is about to be sent; on threads, as if there were no fault.
    PanicSending,
    /// Sends more bytes than `max_bytes` allows; on threads, as if there were no fault.
    TooLong,
    /// `max_bytes` panics; on threads, as if there were no fault.
    PanicLimiting,
    /// Panics where the output is decoded in the parent; on threads, as if there were no fault.
    PanicDecoding,
    /// The workload's `Serialize` panics, whichever key this is; on threads, as if there were no fault.
    PanicEncoding,
    /// The workload's `Serialize` gives an error, whichever key this is; on threads, as if there were no fault.
    FailEncoding,
    /// The workload's `Deserialize` panics, whichever key this is; on threads, as if there were no fault.
    PanicLoading,
    /// The workload's `Deserialize` gives an error, whichever key this is; on threads, as if there were no fault.
    FailLoading,
    /// The workload's `Deserialize` calls `abort`, whichever key this is; on threads, as if there were no fault.
    AbortLoading,
    /// The workload's `Deserialize` takes a second and a half, whichever key this is; on threads, as if there were no fault.
    SlowLoading,
    /// Starts a shell that starts a program, as a key does that runs tools, and then sleeps without end.
    LeaveChild,
    /// Closes all descriptors of its process, and then does its work.
    CloseAll,
    /// Leaves a thread that writes a megabyte to stderr when the answer was sent. The FILE says that all of it is
    /// written, and the fault strikes always. On threads, as if there were no fault.
    LogLater,
    /// Panics, and the panic ends the process, as it does in a program that is built to abort.
    AbortWithPanic,
}

/// A fault in one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The key's index.
    pub key: usize,
    /// What happens.
    pub kind: FaultKind,
    /// Whether it happens only once over all processes: to the one that creates this file.
    pub once: Option<PathBuf>,
}

impl Fault {
    /// Whether it happens now. If it happens only once, this is that once.
    fn strikes(&self) -> bool {
        self.once.as_ref().is_none_or(|file| self.kind == FaultKind::LogLater || File::create_new(file).is_ok())
    }
}

impl FromStr for Fault {
    type Err = String;

    /// `KEY:KIND`, or `KEY:KIND@FILE` for once.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected KEY:KIND or KEY:KIND@FILE";
        let (key, rest) = text.split_once(':').ok_or(expected)?;
        let key = key.parse().map_err(|_| expected)?;
        let (kind, once) = match rest.split_once('@') {
            Some((kind, file)) => (kind, Some(PathBuf::from(file))),
            None => (rest, None),
        };
        let kind = FaultKind::from_str(kind, false).map_err(|_| {
            let names = FaultKind::value_variants().iter().filter_map(FaultKind::to_possible_value);
            let names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
            format!("no such KIND; there are {}", names.join(", "))
        })?;
        Ok(Fault { key, kind, once })
    }
}
