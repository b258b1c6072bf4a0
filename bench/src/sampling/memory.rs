//! What a whole process tree holds, sampled from outside while nothing is timed.
//!
//! Peak memory is the largest sum of PSS over the tree (proportional set size: a page that two processes share counts half
//! for each, so the sum counts it once). Resident sizes would count shared pages several times, and hyperfine's own figure
//! is that of the largest single process.

use std::time::Duration;

use crate::run::footprint::Peak;

/// Between two samples. Each costs the tree some hundred microseconds in which its page tables are read, so shorter would
/// slow it down without showing more: outputs are held for as long as they are digested, which is tens of milliseconds.
pub const INTERVAL: Duration = Duration::from_millis(2);

/// Looks at one run, about: for a run longer than a second the interval grows with it. A look at 4 GB in small pages takes
/// tens of milliseconds in which the process cannot touch a new one; every 2 ms it would do little else. A share this
/// small of a run is still far shorter than it holds its outputs.
const LOOKS: u32 = 500;

/// Between two samples of a process that takes `run`.
pub fn interval(run: Duration) -> Duration {
    INTERVAL.max(run / LOOKS)
}

/// Looks once at the tree below `pid`, and raises `peak` to what is there.
#[cfg(target_os = "linux")]
pub fn sample(peak: &mut Peak, pid: u32) {
    let seen = linux::look(pid);
    peak.pss_bytes = peak.pss_bytes.max(seen.pss_bytes);
    peak.threads = peak.threads.max(seen.threads);
    peak.processes = peak.processes.max(seen.processes);
    peak.samples += 1;
}

/// Nothing can be seen here.
#[cfg(not(target_os = "linux"))]
pub fn sample(_peak: &mut Peak, _pid: u32) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use procfs::Current;
    use procfs::process::Process;

    use super::Peak;

    /// One look at a tree that changes meanwhile: what has gone away between two reads counts as nothing.
    pub(super) fn look(root: u32) -> Peak {
        let mut seen = Peak::default();
        let mut rest = vec![root];
        while let Some(pid) = rest.pop() {
            let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else { continue };
            // Looked at before all else: what calls `exec` meanwhile counts from the next look on.
            let Ok(stat) = process.stat() else { continue };
            let Ok(tasks) = process.tasks() else { continue };
            let tasks: Vec<_> = tasks.flatten().collect();
            // What it has started itself is there whether it counts or not.
            rest.extend(tasks.iter().flat_map(|task| task.children().unwrap_or_default()));
            if pid == root || !is_its_parent_still(stat.flags, age(stat.starttime)) {
                seen.processes += 1;
                seen.threads += tasks.len() as u64;
                seen.pss_bytes += pss(&process).unwrap_or(0);
            }
        }
        seen
    }

    /// Whether a child may still be in its parent's memory, which must not be counted twice; it is no process and no thread
    /// of its own either, then. What `posix_spawn` starts is there until it calls `exec`, within a millisecond or so; a child
    /// of `fork` never calls `exec`, has memory of its own from the start, and is counted once it is too old for the other.
    pub(super) fn is_its_parent_still(flags: u32, age: Duration) -> bool {
        /// Forked, and `exec` was not called: `PF_FORKNOEXEC` in the kernel's `include/linux/sched.h`.
        const FORKED_BUT_NO_EXEC: u32 = 0x40;
        flags & FORKED_BUT_NO_EXEC != 0 && age < Duration::from_millis(100)
    }

    /// How long ago a process was started, from the ticks since boot at that moment.
    fn age(started: u64) -> Duration {
        let now = procfs::Uptime::current().map_or(f64::INFINITY, |uptime| uptime.uptime);
        let started = started as f64 / procfs::ticks_per_second() as f64;
        Duration::try_from_secs_f64(now - started).unwrap_or_default()
    }

    /// In bytes: procfs has converted the kernel's kB.
    fn pss(process: &Process) -> Option<u64> {
        process.smaps_rollup().ok()?.memory_map_rollup.iter().next()?.extension.map.get("Pss").copied()
    }
}

#[cfg(test)]
mod tests_without_proc {
    use super::*;

    #[test]
    fn long_runs_are_looked_at_less_often() {
        assert_eq!(interval(Duration::from_millis(400)), INTERVAL);
        assert_eq!(interval(Duration::from_secs(1)), INTERVAL);
        assert_eq!(interval(Duration::from_secs(30)), Duration::from_millis(60));
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::process::{Command, Stdio};
    use std::thread;
    use std::time::Instant;

    #[test]
    fn what_was_just_spawned_is_its_parent_until_it_calls_exec() {
        let (young, old) = (Duration::from_millis(2), Duration::from_millis(200));
        assert!(linux::is_its_parent_still(0x40, young));
        assert!(!linux::is_its_parent_still(0x40, old), "a child of fork for good");
        assert!(!linux::is_its_parent_still(0x0040_0000, young), "a child that has called exec");
    }

    #[test]
    fn a_tree_is_seen_whole() {
        // A background job gets our pipe, for whose end it waits, only by another number than 0.
        let script = "exec 3<&0; cat <&3 & wait";
        let mut child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        let mut peak = Peak::default();
        let deadline = Instant::now() + Duration::from_secs(20);
        while peak.processes < 2 && Instant::now() < deadline {
            sample(&mut peak, child.id());
            thread::sleep(INTERVAL);
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!((peak.processes, peak.threads), (2, 2), "{peak:?}");
        assert!(peak.pss_bytes > 0, "{peak:?}");
    }

    #[test]
    fn what_is_its_parent_still_adds_nothing_but_its_own_children() {
        // The shell forks a shell, which has not called `exec` and never will, and that one starts `cat`.
        let script = "exec 3<&0; (cat <&3 & wait; :) & wait";
        let mut child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut seen = BTreeSet::new();
        while !seen.contains(&(3, 3)) && Instant::now() < deadline {
            let look = linux::look(child.id());
            seen.insert((look.processes, look.threads));
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        // Each of the three has one thread.
        assert!(seen.iter().all(|(processes, threads)| processes == threads), "{seen:?}");
        assert_eq!(seen.last(), Some(&(3, 3)));
    }

    #[test]
    fn memory_and_threads_of_this_process_are_seen() {
        let block = vec![1u8; 32 << 20];
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let thread = thread::spawn(move || held.recv().is_err());
        let mut peak = Peak::default();
        sample(&mut peak, std::process::id());
        drop(hold);
        assert!(thread.join().unwrap());
        assert!(peak.pss_bytes > block.len() as u64, "{peak:?}");
        assert!(peak.threads >= 2, "{peak:?}");
    }

    #[test]
    fn nothing_is_seen_of_what_is_gone() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let mut peak = Peak::default();
        sample(&mut peak, child.id());
        assert_eq!(peak.seen(), None);
    }
}
