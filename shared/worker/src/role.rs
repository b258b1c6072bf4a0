//! Which process this is: a worker or none, and whether it still is the one that it was.

use std::ffi::OsString;
use std::process;

use rustix::process::Pid;

/// The last argument but one of a worker process; the last is its parent's process id.
pub(crate) const ARGUMENT: &str = "--fanout-worker";

/// Whether this process was started as a worker.
pub fn is_worker() -> bool {
    parent().is_some()
}

/// The process that started this one as a worker, if one did.
pub(crate) fn parent() -> Option<Pid> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match arguments.as_slice() {
        [_, .., argument, parent] if argument == ARGUMENT => Pid::from_raw(parent.to_str()?.parse().ok()?),
        _ => None,
    }
}

/// The process that something belongs to. A process that was forked from it, without `exec`, has a copy of everything,
/// descriptors and code included, and owns nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(u32);

impl Owner {
    /// This process.
    pub fn here() -> Self {
        Owner(process::id())
    }

    /// Whether it is this process.
    pub fn is_here(self) -> bool {
        self == Owner::here()
    }
}
