//! The machine's memory, made ready for a process that is about to be timed.
//!
//! A virtual machine may give pages back to its host some seconds after they were freed (free page reporting), and the next
//! process pays for each page that it gets again, in system time. What a row takes then depends on what ran before it and how
//! long ago. So directly before each timed process another one writes once to as much memory as the row will hold, and ends.

use std::env;
use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use fanout_pool::with_huge_pages;

use crate::process::interrupt::Interrupt;
use crate::process::{self, RunError};
use crate::run::footprint::Footprint;

/// The hidden subcommand of `compare` that writes to memory.
pub const SUBCOMMAND: &str = "touch-memory";

/// How much is touched, in peaks of the row. With less, the host takes a part of the pages back before the row has them; with
/// more, the system looks for pages among more of them, and on some machines the row is slower again. METHODOLOGY.md has what
/// was measured.
const OF_THE_PEAK: f64 = 1.5;

/// Bounds one touch: 10 GB take some seconds. When it passes, the process is stopped, and the row is timed as it is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Values per block, as in the notebook's job.
const BLOCK: usize = 1_000_000;

/// How many bytes are to be touched before a process that holds what `footprint` says.
pub fn bytes(footprint: &Footprint) -> u64 {
    let held = footprint.peak.map_or(0, |peak| peak.pss_bytes).max(footprint.output_bytes);
    (held as f64 * OF_THE_PEAK) as u64
}

/// Has another process touch so many bytes, or most of what is available if that is less: all of it would push out what other
/// programs need.
pub fn touch(bytes: u64, interrupt: &Interrupt) -> Result<(), RunError> {
    let most = u64::try_from(harness::available_memory() / 10 * 9).unwrap_or(u64::MAX);
    let mut command = Command::new(env::current_exe()?);
    command.args([SUBCOMMAND, &bytes.min(most).to_string()]);
    match process::run(command, Some(PATIENCE), interrupt) {
        Ok(_) | Err(RunError::TooLong(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What that process does.
pub fn write_once(bytes: u64) {
    let values = usize::try_from(bytes / 8).unwrap_or(usize::MAX);
    let mut blocks = Vec::new();
    for length in (0..values).step_by(BLOCK).map(|start| BLOCK.min(values - start)) {
        let Ok(mut block) = with_huge_pages(length) else { break };
        block.resize(length, 1.0);
        blocks.push(black_box(block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::footprint::Peak;

    #[test]
    fn half_as_much_again_as_the_row_holds_is_touched() {
        let peak = |pss_bytes| Some(Peak { pss_bytes, threads: 1, processes: 1, samples: 20 });
        let footprint = |peak, output_bytes| Footprint { peak, output_bytes, keys_in_flight: None };
        assert_eq!(bytes(&footprint(peak(1_000), 800)), 1_500);
        assert_eq!(bytes(&footprint(peak(300), 1_000)), 1_500, "a peak that was not seen whole");
        assert_eq!(bytes(&footprint(None, 1_000)), 1_500);
    }

    #[test]
    fn any_number_of_bytes_can_be_written() {
        for bytes in [0, 1, 8, 8 * BLOCK as u64 + 8] {
            write_once(bytes);
        }
    }
}
