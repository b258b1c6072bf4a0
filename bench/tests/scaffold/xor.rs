//! The notebook's products without an order.

use std::borrow::Cow;

use fanout::{Portable, Postcard, Workload};
use serde::{Deserialize, Serialize};

use crate::generator::LANES;
use crate::{Asked, BuiltIn, Job, Verifiable};

/// The bits of the products, xor-ed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Xor(pub Job);

impl Workload for Xor {
    type Output = u64;

    fn keys(&self) -> usize {
        self.0.keys()
    }

    fn expand(&self, index: usize) -> u64 {
        let mut bits = 0;
        let each = |piece: &[f64]| {
            bits = piece.iter().fold(bits, |bits, product| bits ^ product.to_bits());
            Ok::<(), std::convert::Infallible>(())
        };
        let Ok(()) = self.0.pieces(index, &mut [0.0; 16 * LANES], each);
        bits
    }
}

impl Portable for Xor {
    const NAME: &'static str = "xor";
    type Codec = Postcard;

    /// What postcard takes at most for 64 bits.
    fn max_bytes(&self, _: usize) -> u64 {
        10
    }
}

impl BuiltIn for Xor {
    const ABOUT: &'static str = "xors them";

    fn asked(asked: &Asked) -> Result<Self, String> {
        Ok(Xor(asked.job.clone()))
    }
}

impl Verifiable for Xor {
    fn key_bytes(&self, index: usize) -> [u8; 8] {
        self.0.key(index).to_le_bytes()
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
