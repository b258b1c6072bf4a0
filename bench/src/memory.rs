//! What a whole process tree holds, sampled from outside while nothing is timed.
//!
//! Peak memory is the largest sum of PSS over the tree (proportional set size: a page that two processes share counts half
//! for each, so the sum counts it once). Resident sizes would count shared pages several times, and hyperfine's own figure
//! is that of the largest single process.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Between two samples. Each costs the tree some hundred microseconds in which its page tables are read, so shorter would
/// slow it down without showing more: outputs are held for as long as they are digested, which is tens of milliseconds.
pub const INTERVAL: Duration = Duration::from_millis(2);

/// Below this many samples the peak is only a lower bound: the process was gone before its memory had been seen to rise and
/// stay. At ten, one interval is a tenth of the process's life.
const SAMPLES_FOR_A_PEAK: u64 = 10;

/// The most that was seen at once, and how often was looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// Sum of PSS in bytes. The peaks of the fields need not be at the same moment.
    pub pss_bytes: u64,
    /// Threads in all processes.
    pub threads: u64,
    /// Processes.
    pub processes: u64,
    /// How many samples were taken.
    pub samples: u64,
}

/// What the memory pass found out about one row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Footprint {
    /// Of the job that is timed. `None` where there is no `/proc`.
    pub peak: Option<Peak>,
    /// Size of one batch's outputs in bytes.
    pub output_bytes: u64,
    /// How many keys were worked on at a time, on average over one batch of keys that only sleep.
    pub keys_in_flight: Option<f64>,
}

impl Peak {
    /// Looks once at the tree below `pid`.
    #[cfg(target_os = "linux")]
    pub fn sample(&mut self, pid: u32) {
        let seen = linux::look(pid);
        self.pss_bytes = self.pss_bytes.max(seen.pss_bytes);
        self.threads = self.threads.max(seen.threads);
        self.processes = self.processes.max(seen.processes);
        self.samples += 1;
    }

    /// Nothing can be seen here.
    #[cfg(not(target_os = "linux"))]
    pub fn sample(&mut self, _pid: u32) {}

    /// Whether there may well have been more than was seen.
    pub fn is_lower_bound(self) -> bool {
        self.samples < SAMPLES_FOR_A_PEAK
    }

    /// The peak, if a living process was seen: one that is just ending has no memory any more.
    pub fn seen(self) -> Option<Peak> {
        (self.pss_bytes > 0).then_some(self)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::process::Process;

    use super::Peak;

    /// One look at a tree that changes meanwhile: what has gone away between two reads counts as nothing.
    pub(super) fn look(root: u32) -> Peak {
        let mut seen = Peak::default();
        let mut rest = vec![root];
        while let Some(pid) = rest.pop() {
            let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else { continue };
            let Ok(tasks) = process.tasks() else { continue };
            for task in tasks.flatten() {
                seen.threads += 1;
                rest.extend(task.children().unwrap_or_default());
            }
            seen.processes += 1;
            seen.pss_bytes += pss(&process).unwrap_or(0);
        }
        seen
    }

    /// In bytes: procfs has converted the kernel's kB.
    fn pss(process: &Process) -> Option<u64> {
        process.smaps_rollup().ok()?.memory_map_rollup.iter().next()?.extension.map.get("Pss").copied()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::{Command, Stdio};

    #[test]
    fn a_tree_is_seen_whole() {
        // The shell has forked before it echoes. Its child waits for the end of our pipe, which a background job gets only
        // by another number than 0.
        let script = "exec 3<&0; cat <&3 & echo x; wait";
        let mut child =
            Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let mut peak = Peak::default();
        peak.sample(child.id());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!((peak.processes, peak.threads), (2, 2), "{peak:?}");
        assert!(peak.pss_bytes > 0, "{peak:?}");
    }

    #[test]
    fn memory_and_threads_of_this_process_are_seen() {
        let block = vec![1u8; 32 << 20];
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || held.recv().is_err());
        let mut peak = Peak::default();
        peak.sample(std::process::id());
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
        peak.sample(child.id());
        assert_eq!(peak.seen(), None);
    }
}
