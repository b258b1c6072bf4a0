//! Which process this is: a worker or none, and whether it still is the one that it was.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process;

use rustix::process::Pid;

use crate::limits::Limits;

/// The last argument but one of a worker process; the last says who its parent is, and how it is limited.
pub(crate) const ARGUMENT: &str = "--fanout-worker";

/// Whether this process was started as a worker.
pub fn is_worker() -> bool {
    role().is_some()
}

/// What a worker was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    /// The process that started this one.
    pub(crate) parent: Pid,
    pub(crate) limits: Limits,
}

impl Role {
    /// The last argument.
    pub(crate) fn argument(&self) -> String {
        format!("{}{}", self.parent.as_raw_nonzero(), self.limits.argument())
    }

    fn parse(argument: &str) -> Option<Self> {
        let (parent, limits) = argument.split_at(argument.find(',').unwrap_or(argument.len()));
        Some(Role { parent: Pid::from_raw(parent.parse().ok()?)?, limits: Limits::parse(limits)? })
    }
}

/// What this process is a worker of, if it is one.
pub(crate) fn role() -> Option<Role> {
    match arguments().as_slice() {
        [_, .., argument, role] if argument == ARGUMENT => Role::parse(role.to_str()?),
        _ => None,
    }
}

/// This program's arguments, also before `main`, where some C libraries have not told them yet.
fn arguments() -> Vec<OsString> {
    let told: Vec<OsString> = std::env::args_os().collect();
    if !told.is_empty() || !cfg!(target_os = "linux") {
        return told;
    }
    let line = std::fs::read("/proc/self/cmdline").unwrap_or_default();
    let line = line.strip_suffix(&[0]).unwrap_or(&line);
    line.split(|&byte| byte == 0).map(|argument| OsString::from_vec(argument.to_vec())).collect()
}

/// The process that something belongs to. A process that was forked from it, without `exec`, has a copy of everything,
/// descriptors and code included, and owns nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u32);

impl Owner {
    /// This process.
    pub(crate) fn here() -> Self {
        Owner(process::id())
    }

    /// Whether it is this process.
    pub(crate) fn is_here(self) -> bool {
        self == Owner::here()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_told_by_an_argument() {
        let limits = Limits { nice: Some(-5), address_space: Some(1 << 40), cpus: vec![0, 3] };
        for limits in [Limits::default(), limits] {
            let role = Role { parent: Pid::INIT, limits };
            assert_eq!(Role::parse(&role.argument()), Some(role));
        }
        assert_eq!(Role::parse("one"), None);
        assert_eq!(Role::parse("1,unknown=2"), None);
    }
}
