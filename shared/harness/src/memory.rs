//! Whether the outputs fit the memory there is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use kernel::{Outcome, Workload};
use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};
use workloads::Verifiable;

/// The outputs would not fit.
#[derive(Debug, thiserror::Error)]
#[error(
    "the outputs of {flags} need {} of memory{}, but only {} are available",
    Size(*.needed), Copies(*.copies), Size(*.available)
)]
pub(crate) struct TooLarge {
    /// What their size follows from.
    flags: &'static str,
    needed: u128,
    /// How much of that is for what worker processes hold.
    copies: u128,
    available: u128,
}

/// Refuses a workload whose outputs, and the slots that they come back in, are more than the memory that can be had.
/// Each of the `processes` that expand keys outside this one has a copy of the output that it sends. `flags` is what their
/// size follows from.
pub(crate) fn check<W: Verifiable>(workload: &W, processes: usize, flags: &'static str) -> Result<(), TooLarge> {
    fits(workload, processes, flags, available())
}

/// Refuses outputs for which so many bytes are needed, if that is more than the memory that can be had.
pub(crate) fn check_needed(needed: u128, flags: &'static str) -> Result<(), TooLarge> {
    let available = available();
    if needed > available { Err(TooLarge { flags, needed, copies: 0, available }) } else { Ok(()) }
}

fn fits<W: Verifiable>(workload: &W, processes: usize, flags: &'static str, available: u128) -> Result<(), TooLarge> {
    let slots = workload.keys() as u128 * size_of::<Outcome<<W as Workload>::Output>>() as u128;
    let here = workload.total_size() + slots;
    // Keys are looked at one by one only where it matters.
    let copies = if processes == 0 || here > available { 0 } else { largest(workload, processes) };
    let needed = here + copies;
    if needed > available { Err(TooLarge { flags, needed, copies, available }) } else { Ok(()) }
}

/// The bytes of the largest outputs, as many as there are processes: they may all be sent at once.
fn largest<W: Verifiable>(workload: &W, processes: usize) -> u128 {
    let mut largest = BinaryHeap::new();
    for index in 0..workload.keys() {
        largest.push(Reverse(workload.output_size(index)));
        if largest.len() > processes {
            largest.pop();
        }
    }
    largest.into_iter().map(|Reverse(size)| u128::from(size)).sum()
}

/// Bytes that the system would give without swapping, or what is left of this process's cgroup's limit. Where neither can be
/// read, as many as can be written.
pub fn available() -> u128 {
    let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let Ok(mut system) = System::new_with_specifics(what) else { return u128::MAX };
    let limits = sysinfo::get_current_pid().ok().and_then(|pid| {
        let nothing_else = ProcessRefreshKind::nothing().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, nothing_else);
        system.process(pid)?.cgroup_limits()
    });
    told(system.total_memory(), system.available_memory(), limits.map(|limits| limits.free_memory))
}

/// What is available, from what the system tells. Without `/proc` it tells of a machine that has no memory at all.
fn told(total: u64, available: u64, limit: Option<u64>) -> u128 {
    if total == 0 { u128::MAX } else { available.min(limit.unwrap_or(u64::MAX)).into() }
}

/// The part of what is needed that worker processes have, or nothing.
struct Copies(u128);

impl fmt::Display for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            copies => write!(f, " ({} of it in the worker processes)", Size(copies)),
        }
    }
}

/// Bytes in decimal units, as memory is sold and outputs are counted.
pub(crate) struct Size(pub(crate) u128);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
        let unit = (self.0.max(1).ilog10() as usize / 3).min(UNITS.len() - 1);
        if unit == 0 {
            return write!(f, "{} {}", self.0, UNITS[0]);
        }
        write!(f, "{:.1} {}", self.0 as f64 / 1000_f64.powi(unit as i32), UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use workloads::{Fill, Skew, Wait};

    use super::*;
    use crate::laws::job;

    #[test]
    fn sizes_read_as_people_write_them() {
        let told = [0, 999, 1000, 800_000_000, 8_000_000_000_000, u128::MAX].map(|size| Size(size).to_string());
        assert_eq!(told[..5], ["0 bytes", "999 bytes", "1.0 kB", "800.0 MB", "8.0 TB"]);
        assert!(told[5].ends_with(" EB"), "{}", told[5]);
    }

    #[test]
    fn there_is_memory_but_not_without_end() {
        let available = available();
        assert!(available > 1 << 20, "{available}");
        assert!(available < 1 << 60, "{available}");
    }

    #[test]
    fn no_job_is_refused_for_memory_that_nobody_tells_of() {
        assert_eq!(told(0, 0, None), u128::MAX);
        assert_eq!(told(0, 0, Some(7)), u128::MAX);
        assert_eq!(told(10, 8, None), 8);
        assert_eq!(told(10, 8, Some(7)), 7);
        assert_eq!(told(10, 0, None), 0);
    }

    #[test]
    fn the_largest_outputs_are_counted_once_more_for_the_processes_that_send_them() {
        let fill = Fill(job(5, 1_000_000, Skew::OneHuge));
        let (whole, sizes) = (fill.total_size(), [0, 1, 4].map(|key| u128::from(fill.output_size(key))));
        assert!(sizes[0] > sizes[1] && sizes[1] == sizes[2]);
        for (processes, copies) in [(0, 0), (1, sizes[0]), (2, sizes[0] + sizes[1]), (5, whole), (9, whole)] {
            assert_eq!(largest(&fill, processes), copies, "{processes} processes");
        }
        let flags = "--keys and --count";
        assert!(fits(&fill, 0, flags, whole + 1_000).is_ok());
        assert!(fits(&fill, 5, flags, 2 * whole + 1_000).is_ok());
        let told = fits(&fill, 1, flags, whole + 1_000).unwrap_err().to_string();
        let expected = "the outputs of --keys and --count need 60.0 MB of memory (20.0 MB of it in the worker \
                        processes), but only 40.0 MB are available";
        assert_eq!(told, expected);
        let told = fits(&fill, 1, flags, 1_000).unwrap_err().to_string();
        assert!(
            told.starts_with("the outputs of --keys and --count need 40.0 MB of memory, but only 1.0 kB are"),
            "{told}"
        );
    }

    #[test]
    fn what_a_key_of_wait_gives_is_counted() {
        let wait = Wait::new(job(1_000, 1, Skew::OneHuge), 0, 8_000).unwrap();
        assert_eq!((wait.total_size(), largest(&wait, 3)), (8_000_000, 24_000));
        assert!(fits(&wait, 3, "", 8_100_000).is_ok() && fits(&wait, 3, "", 8_020_000).is_err());
    }
}
