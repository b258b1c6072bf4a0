//! Looking at the machine, for the record that a run keeps of it.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use xxhash_rust::xxh3::xxh3_128;

use crate::entrants::toolchain::Toolchain;
use crate::run::machine::{Activity, Machine};

/// Looks around. `toolchain` is what the programs were built with, if they were built here, from this tree.
///
/// The programs are of the repository at `root`, and were built with the lockfile in `locked`.
pub fn inspect(
    root: &Path,
    locked: &Path,
    toolchain: Option<Toolchain>,
    hyperfine: String,
    before: Option<Activity>,
) -> Machine {
    let Toolchain { rustc, wrapper, target, profile, flags } = toolchain.unwrap_or_default();
    let git = |arguments: &[&str]| first_line(Command::new("git").arg("-C").arg(root).args(arguments));
    let commit = git(&["rev-parse", "HEAD"]);
    let changes = ["status", "--porcelain", "--", ".", ":!results"];
    Machine {
        cpu: platform::cpu(),
        cpus_online: platform::cpus_online(),
        cpus_available: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64),
        cpu_quota: quota(),
        governors: governors(),
        huge_pages: fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
            .ok()
            .and_then(|setting| bracketed(&setting)),
        memory_bytes: platform::memory_bytes(),
        system: platform::system(),
        before,
        after: None,
        rustc,
        rustc_wrapper: wrapper,
        target,
        profile,
        rustflags: flags,
        dirty: commit.as_ref().map(|_| git(&changes).is_some()),
        commit,
        lockfile_xxh3: fs::read(locked.join("Cargo.lock")).ok().map(|lock| format!("{:032x}", xxh3_128(&lock))),
        hyperfine,
        python: None,
        another_compare: false,
    }
}

/// What the machine does now; `None` where it does not say.
pub fn activity() -> Option<Activity> {
    platform::activity()
}

/// The line that a command prints, if it succeeds and prints one.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

/// The choice among several, as sysfs marks it: `always [madvise] never`.
fn bracketed(setting: &str) -> Option<String> {
    Some(setting.split_once('[')?.1.split_once(']')?.0.to_owned())
}

/// Governors of all processors, each once.
fn governors() -> Vec<String> {
    let cpus = fs::read_dir("/sys/devices/system/cpu").into_iter().flatten().flatten();
    let governor = |cpu: fs::DirEntry| fs::read_to_string(cpu.path().join("cpufreq/scaling_governor")).ok();
    let mut governors: Vec<String> = cpus.filter_map(governor).map(|governor| governor.trim().to_owned()).collect();
    governors.sort();
    governors.dedup();
    governors
}

/// The tightest limit of this process's cgroup and those above it (version 2), or of the container's root (version 1).
fn quota() -> Option<f64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let groups = Path::new("/sys/fs/cgroup").join(own);
    let limits = groups
        .ancestors()
        .take_while(|group| group.starts_with("/sys/fs/cgroup"))
        .filter_map(|group| fs::read_to_string(group.join("cpu.max")).ok())
        .filter_map(|limit| cpu_max(&limit));
    let old = || {
        let number =
            |name| fs::read_to_string(Path::new("/sys/fs/cgroup/cpu").join(name)).ok()?.trim().parse::<f64>().ok();
        Some(number("cpu.cfs_quota_us").filter(|quota| *quota > 0.0)? / number("cpu.cfs_period_us")?)
    };
    limits.min_by(f64::total_cmp).or_else(old)
}

/// `cpu.max`: microseconds of processor time per period, or `max`.
fn cpu_max(limit: &str) -> Option<f64> {
    let (quota, period) = limit.trim().split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
}

#[cfg(target_os = "linux")]
mod platform {
    use procfs::{Current, CurrentSI};

    use super::{Activity, env};

    pub(super) fn cpu() -> Option<String> {
        let info = procfs::CpuInfo::current().ok()?;
        // aarch64 has numbers instead of a name.
        let part = || Some(format!("{} CPU part {}", env::consts::ARCH, info.get_info(0)?.get("CPU part")?));
        info.model_name(0).map(str::to_owned).or_else(part)
    }

    pub(super) fn cpus_online() -> Option<u64> {
        Some(procfs::KernelStats::current().ok()?.cpu_time.len() as u64)
    }

    pub(super) fn memory_bytes() -> Option<u64> {
        Some(procfs::Meminfo::current().ok()?.mem_total)
    }

    pub(super) fn system() -> String {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        format!("Linux {} {}", release.trim(), env::consts::ARCH)
    }

    pub(super) fn activity() -> Option<Activity> {
        let total = procfs::KernelStats::current().ok()?.total;
        let stolen_ticks = total.steal.unwrap_or(0);
        let interrupts = [total.irq, total.softirq].into_iter().flatten().sum::<u64>();
        let busy_ticks = total.user + total.nice + total.system + interrupts;
        let own = procfs::process::Process::myself().ok()?.stat().ok()?;
        Some(Activity {
            load: procfs::LoadAverage::current().ok()?.one,
            ticks: busy_ticks + total.idle + total.iowait.unwrap_or(0) + stolen_ticks,
            stolen_ticks,
            busy_ticks,
            own_ticks: own.utime + own.stime + (own.cutime + own.cstime).unsigned_abs(),
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::{Activity, env};

    pub(super) fn cpu() -> Option<String> {
        None
    }

    pub(super) fn cpus_online() -> Option<u64> {
        None
    }

    pub(super) fn memory_bytes() -> Option<u64> {
        None
    }

    pub(super) fn system() -> String {
        format!("{} {}", env::consts::OS, env::consts::ARCH)
    }

    pub(super) fn activity() -> Option<Activity> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_child_did_is_ours_once_it_has_ended() {
        let before = activity().unwrap();
        let burn = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        assert!(Command::new("sh").args(["-c", burn]).status().unwrap().success());
        let after = activity().unwrap();
        assert!(after.own_ticks - before.own_ticks > 10, "{before:?} {after:?}");
        assert!(after.busy_ticks > before.busy_ticks, "{before:?} {after:?}");
    }

    #[test]
    fn sysfs_and_cgroups_are_read() {
        assert_eq!(bracketed("always [madvise] never\n").as_deref(), Some("madvise"));
        assert_eq!(cpu_max("150000 100000\n"), Some(1.5));
        assert_eq!(cpu_max("max 100000\n"), None);
    }

    #[test]
    fn the_record_holds_neither_path_nor_host() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let toolchain = Toolchain { rustc: Some("rustc 1.95.0".into()), ..Toolchain::default() };
        let machine = inspect(root, root, Some(toolchain), "hyperfine 1.20.0".into(), activity());
        let json = serde_json::to_string(&machine).unwrap();
        assert!(!json.contains(root.to_str().unwrap()), "{json}");
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let kernel = machine.system.clone();
        // A host may be named like a part of its kernel release; that is no leak.
        assert!(host.trim().is_empty() || kernel.contains(host.trim()) || !json.contains(host.trim()), "{json}");
        assert_eq!(serde_json::from_str::<Machine>(&json).unwrap(), machine);
    }
}
