//! What a worker takes upon itself before anything else.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How a worker is limited. It does it to itself: between fork and exec it would cost a copy of this program's page
/// tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) nice: Option<i32>,
    /// In bytes.
    pub(crate) address_space: Option<u64>,
    /// All, if none is named.
    pub(crate) cpus: Vec<usize>,
}

impl Limits {
    /// As a part of an argument.
    pub(crate) fn argument(&self) -> String {
        let nice = self.nice.map(|nice| format!(",nice={nice}")).unwrap_or_default();
        let address_space = self.address_space.map(|bytes| format!(",as={bytes}")).unwrap_or_default();
        let cpus: String = self.cpus.iter().map(|cpu| format!(",cpu={cpu}")).collect();
        format!("{nice}{address_space}{cpus}")
    }

    /// Of an argument; nothing if it is none.
    pub(crate) fn parse(argument: &str) -> Option<Self> {
        let mut limits = Limits::default();
        for limit in argument.split(',').filter(|limit| !limit.is_empty()) {
            match limit.split_once('=')? {
                ("nice", nice) => limits.nice = Some(nice.parse().ok()?),
                ("as", bytes) => limits.address_space = Some(bytes.parse().ok()?),
                ("cpu", cpu) => limits.cpus.push(cpu.parse().ok()?),
                _ => return None,
            }
        }
        Some(limits)
    }

    pub(crate) fn apply(&self) -> io::Result<()> {
        let named = |what: &str, error: rustix::io::Errno| {
            io::Error::new(io::Error::from(error).kind(), format!("{what}: {}", io::Error::from(error)))
        };
        if let Some(nice) = self.nice {
            rustix::process::nice(nice).map_err(|error| named(&format!("niceness {nice}"), error))?;
        }
        if !self.cpus.is_empty() {
            pin(&self.cpus).map_err(|error| named(&format!("CPUs {:?}", self.cpus), error))?;
        }
        if let Some(bytes) = self.address_space {
            let maximum = getrlimit(Resource::As).maximum;
            let current = Some(maximum.map_or(bytes, |maximum| maximum.min(bytes)));
            let limited = setrlimit(Resource::As, Rlimit { current, maximum });
            limited.map_err(|error| named(&format!("an address space of {bytes} bytes"), error))?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn pin(cpus: &[usize]) -> rustix::io::Result<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if cpu >= CpuSet::MAX_CPU {
            return Err(rustix::io::Errno::INVAL);
        }
        set.set(cpu);
    }
    sched_setaffinity(None, &set)
}

#[cfg(not(target_os = "linux"))]
fn pin(_: &[usize]) -> rustix::io::Result<()> {
    Err(rustix::io::Errno::NOTSUP)
}
