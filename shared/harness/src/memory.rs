//! Whether the outputs fit the memory there is.

use std::fmt;

use kernel::{Outcome, Verifiable, Workload};
use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

/// The outputs would not fit.
#[derive(Debug, thiserror::Error)]
#[error("the outputs of --keys and --count need {} of memory, and {} are available", Size(*.needed), Size(*.available))]
pub(crate) struct TooLarge {
    needed: u128,
    available: u128,
}

/// Refuses a workload whose outputs, and the slots that they come back in, are more than the memory that can be had.
pub(crate) fn check<W: Verifiable>(workload: &W) -> Result<(), TooLarge> {
    let slots = workload.keys() as u128 * size_of::<Outcome<<W as Workload>::Output>>() as u128;
    let needed = workload.total_size() + slots;
    let available = available();
    if needed > available { Err(TooLarge { needed, available }) } else { Ok(()) }
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
    let free = limits.map_or(u64::MAX, |limits| limits.free_memory);
    u128::from(system.available_memory().min(free))
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
    use super::*;

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
}
