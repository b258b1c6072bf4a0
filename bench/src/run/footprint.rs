//! What a row held and how much it did at a time, as the memory pass saw it.

use serde::{Deserialize, Serialize};

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

impl Footprint {
    /// Whether memory can be told in sizes of the output. Beside little output, the program itself is all that is seen.
    pub fn has_output(&self) -> bool {
        self.output_bytes >= 1_000_000
    }
}

impl Peak {
    /// Whether there may well have been more than was seen.
    pub fn is_lower_bound(self) -> bool {
        self.samples < SAMPLES_FOR_A_PEAK
    }

    /// The peak, if a living process was seen: one that is just ending has no memory any more.
    pub fn seen(self) -> Option<Peak> {
        (self.pss_bytes > 0).then_some(self)
    }
}
