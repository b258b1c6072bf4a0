//! The notebook's job.

use std::borrow::Cow;
use std::io::{self, Write};
use std::mem::MaybeUninit;

use fanout::{Answer, Codec, Join, PIECE, Portable, Raw, Workload, with_huge_pages};
use serde::{Deserialize, Serialize};

use crate::{Asked, BuiltIn, Job, Verifiable};

/// The notebook's job: each key expands to its products, all of them kept. Memory, page faults, transport.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fill(pub Job);

impl Workload for Fill {
    type Output = Vec<f64>;

    fn keys(&self) -> usize {
        self.0.keys()
    }

    /// # Panics
    ///
    /// If there is no memory for the block.
    fn expand(&self, index: usize) -> Vec<f64> {
        self.block(index, |block| self.0.fill(index, block))
    }

    /// # Panics
    ///
    /// If there is no memory for the block.
    fn expand_in_parts(&self, index: usize, join: &impl Join) -> Vec<f64> {
        self.block(index, |block| self.0.fill_in_parts(index, block, join))
    }
}

impl Fill {
    /// A block for the values of key `index`, all of which `fill` must write. They go straight into fresh memory: through a
    /// buffer, or over zeroes, it takes a quarter longer.
    fn block(&self, index: usize, fill: impl FnOnce(&mut [MaybeUninit<f64>])) -> Vec<f64> {
        let share = self.0.share(index);
        let len = usize::try_from(share).ok();
        let block = len.and_then(|len| Some((len, with_huge_pages(len).ok()?)));
        let (len, mut block) = block.unwrap_or_else(|| panic!("no memory for a block of {share} values"));
        fill(&mut block.spare_capacity_mut()[..len]);
        // SAFETY: the block has room for them, and both callers leave it to `Job`, which returns only when it has counted that all
        // of them were written.
        #[expect(unsafe_code, reason = "the values were written to spare capacity")]
        unsafe {
            block.set_len(len);
        }
        block
    }
}

impl Portable for Fill {
    const NAME: &'static str = "fill";
    type Codec = Raw;

    fn max_bytes(&self, index: usize) -> u64 {
        8 * self.0.share(index)
    }

    fn send(&self, index: usize, answer: Answer<'_>) -> io::Result<()> {
        let length = self.max_bytes(index);
        if length <= PIECE as u64 {
            // In one message with its head.
            return Raw::send(&self.expand(index), answer);
        }
        let mut channel = answer.announce(length)?;
        let mut piece = vec![0.0; PIECE / size_of::<f64>()];
        self.0.pieces(index, &mut piece, |values| channel.write_all(bytemuck::cast_slice(values)))
    }
}

impl BuiltIn for Fill {
    const ABOUT: &'static str = "makes its products";
    const SIZED_BY: &'static str = "--keys and --count";

    fn asked(asked: &Asked) -> Result<Self, String> {
        Ok(Fill(asked.job.clone()))
    }
}

impl Verifiable for Fill {
    fn key_bytes(&self, index: usize) -> [u8; 8] {
        self.0.key(index).to_le_bytes()
    }

    fn output_bytes<'a>(&self, output: &'a Vec<f64>) -> Cow<'a, [u8]> {
        Cow::Borrowed(bytemuck::cast_slice(output))
    }

    fn output_size(&self, index: usize) -> u64 {
        8 * self.0.share(index)
    }

    fn total_size(&self) -> u128 {
        8 * u128::from(self.0.total())
    }
}
