use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Job, Verifiable, Workload, with_huge_pages};

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
        let share = self.0.share(index);
        let block = usize::try_from(share).ok().and_then(|len| with_huge_pages(len).ok());
        let mut block = block.unwrap_or_else(|| panic!("no memory for a block of {share} values"));
        self.0.products(index, |chunk| block.extend_from_slice(chunk));
        block
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
