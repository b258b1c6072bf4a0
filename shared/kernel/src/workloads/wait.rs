use std::borrow::Cow;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Job, Verifiable, Workload};

/// Each key sleeps for its share in microseconds, and gives its index: blocking calls, and why more threads than cores
/// can be right.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wait(pub Job);

impl Workload for Wait {
    type Output = u64;

    fn keys(&self) -> usize {
        self.0.keys()
    }

    fn expand(&self, index: usize) -> u64 {
        thread::sleep(Duration::from_micros(self.0.share(index)));
        index as u64
    }
}

impl Verifiable for Wait {
    fn key_bytes(&self, index: usize) -> [u8; 8] {
        (index as u64).to_le_bytes()
    }

    fn output_bytes<'a>(&self, output: &'a u64) -> Cow<'a, [u8]> {
        Cow::Owned(output.to_le_bytes().to_vec())
    }

    fn output_size(&self, _: usize) -> u64 {
        8
    }

    fn total_size(&self) -> u128 {
        8 * self.0.keys() as u128
    }
}
