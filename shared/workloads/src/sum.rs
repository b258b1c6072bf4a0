//! The notebook's job without its outputs.

use std::borrow::Cow;

use fanout::{Portable, Postcard, Workload};
use serde::{Deserialize, Serialize};

use crate::{Asked, BuiltIn, Job, Verifiable};

/// The same products, added in order: pure compute, and what remains of a strategy when nothing is moved. A key cannot be
/// cut in parts, since another order of additions would give other bits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sum(pub Job);

impl Workload for Sum {
    type Output = f64;

    fn keys(&self) -> usize {
        self.0.keys()
    }

    fn expand(&self, index: usize) -> f64 {
        self.0.sum(index)
    }
}

impl Portable for Sum {
    const NAME: &'static str = "sum";
    type Codec = Postcard;

    fn max_bytes(&self, _: usize) -> u64 {
        8
    }
}

impl BuiltIn for Sum {
    const ABOUT: &'static str = "adds them";

    fn asked(asked: &Asked) -> Result<Self, String> {
        Ok(Sum(asked.job.clone()))
    }
}

impl Verifiable for Sum {
    fn key_bytes(&self, index: usize) -> [u8; 8] {
        self.0.key(index).to_le_bytes()
    }

    fn output_bytes<'a>(&self, output: &'a f64) -> Cow<'a, [u8]> {
        Cow::Owned(output.to_le_bytes().to_vec())
    }

    fn output_size(&self, _: usize) -> u64 {
        8
    }

    fn total_size(&self) -> u128 {
        8 * self.0.keys() as u128
    }
}
