//! What the workloads share: the keys, their values, and how many each has.

use std::mem::MaybeUninit;
use std::sync::OnceLock;

use fanout::{HUGE_PAGE, Join};
use serde::{Deserialize, Serialize};

use crate::generator::{InstructionSet, LANES, Mt19937, Xoshiro, xoshiro_key};
use crate::skew::{Shares, Skew};

/// Which generator makes keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Rng {
    /// Sixteen lanes of xoshiro256++ ([`crate::generator::Xoshiro`]).
    #[default]
    Xoshiro,
    /// CPython's own generator ([`crate::generator::Mt19937`]), so that the notebook's numbers come out bit for bit.
    Mt19937,
}

/// What defines a job. The default is the notebook's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// How many keys.
    pub keys: usize,
    /// Values per key, on average.
    pub count: u64,
    /// How `keys × count` is shared out.
    pub skew: Skew,
    /// Which generator.
    pub rng: Rng,
    /// The seed of all keys.
    pub seed: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { keys: 100, count: 1_000_000, skew: Skew::Uniform, rng: Rng::Xoshiro, seed: 42 }
    }
}

/// Why parameters define no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The total does not fit 64 bits.
    #[error("{keys} keys × {count} is over 2^64")]
    TotalOverflow {
        /// The number of keys.
        keys: usize,
        /// The values per key.
        count: u64,
    },
    /// Under mt19937 a key's index is 32 bits of its seed; else it is what can be counted by skew.
    #[error("{keys} keys, and there may be {limit}")]
    TooManyKeys {
        /// The number of keys.
        keys: usize,
        /// The most there may be.
        limit: u64,
    },
    /// Outputs are words of 64 bits, and one is the least.
    #[error("outputs of {0} bytes; expected a multiple of 8 from 8 up")]
    OutputBytes(u64),
}

/// A job that is known to be in range.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Parameters", into = "Parameters")]
pub struct Job {
    parameters: Parameters,
    shares: Shares,
    instructions: InstructionSet,
    /// mt19937 draws all keys from one stream; made when first asked for.
    mt19937_keys: OnceLock<Box<[f64]>>,
}

impl Job {
    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// If the total or the number of keys is out of range.
    pub fn new(parameters: Parameters) -> Result<Self, JobError> {
        let Parameters { keys, count, skew, rng, .. } = parameters;
        let total = (keys as u64).checked_mul(count).ok_or(JobError::TotalOverflow { keys, count })?;
        let limit = match rng {
            // The cumulative weight of `one-huge` is twice this, and must fit 64 bits.
            Rng::Xoshiro => u64::MAX / 2,
            Rng::Mt19937 => u64::from(u32::MAX),
        };
        if keys as u64 > limit {
            return Err(JobError::TooManyKeys { keys, limit });
        }
        Ok(Job {
            shares: Shares::new(skew, keys as u64, total),
            instructions: InstructionSet::best(),
            mt19937_keys: OnceLock::new(),
            parameters,
        })
    }

    /// What defines it.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.parameters.keys
    }

    /// The values of all keys together.
    pub fn total(&self) -> u64 {
        // Checked in `new`.
        self.parameters.keys as u64 * self.parameters.count
    }

    /// How many values key `index` has.
    ///
    /// # Panics
    ///
    /// If there is no such key; so do the methods below.
    pub fn share(&self, index: usize) -> u64 {
        self.shares.of(index)
    }

    /// Key `index` itself, in [0, 1).
    pub fn key(&self, index: usize) -> f64 {
        let Parameters { keys, rng, seed, .. } = self.parameters;
        assert!(index < keys, "key {index} of {keys}");
        match rng {
            Rng::Xoshiro => xoshiro_key(seed, index),
            Rng::Mt19937 => self.mt19937_keys.get_or_init(|| {
                let mut stream = Mt19937::keys(seed);
                (0..keys).map(|_| stream.next_f64()).collect()
            })[index],
        }
    }

    /// The same job computed with these instructions, not with the best that this processor has: for tests and benchmarks.
    pub fn with_instructions(self, instructions: InstructionSet) -> Self {
        Job { instructions, ..self }
    }

    /// Writes the products `key * value` of key `index` to all of `block`.
    ///
    /// # Panics
    ///
    /// If the length of `block` is not the key's share.
    pub fn fill(&self, index: usize, block: &mut [MaybeUninit<f64>]) {
        self.fill_by(index, block, whole);
    }

    /// Gives the products of key `index` to `each`, in pieces that are as long as `piece`; the last may be shorter. Ends at the
    /// first error.
    ///
    /// # Errors
    ///
    /// What `each` returned.
    ///
    /// # Panics
    ///
    /// If the length of `piece` is no multiple of [`LANES`], or 0.
    pub fn pieces<E>(
        &self,
        index: usize,
        piece: &mut [f64],
        each: impl FnMut(&[f64]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some((key, share)) = self.drawn(index) else { return Ok(()) };
        match self.parameters.rng {
            Rng::Xoshiro => {
                let mut lanes = self.lanes(index, share);
                in_pieces(share, piece, |piece| lanes.fill(key, piece), each)
            }
            Rng::Mt19937 => {
                let mut stream = self.stream(index);
                in_pieces(share, piece, |piece| stream.fill(key, piece), each)
            }
        }
    }

    /// [`fill`](Job::fill), with parts of the block written side by side: each begins in the sequence where it must. mt19937
    /// cannot skip, so there a block is one part.
    ///
    /// # Panics
    ///
    /// As `fill`, and if `join` returns without having run both.
    pub fn fill_in_parts(&self, index: usize, block: &mut [MaybeUninit<f64>], join: &impl Join) {
        self.fill_by(index, block, |lanes, key, block| parts(lanes, key, block, join));
    }

    fn fill_by(
        &self,
        index: usize,
        block: &mut [MaybeUninit<f64>],
        write: impl FnOnce(Xoshiro, f64, &mut [MaybeUninit<f64>]) -> usize,
    ) {
        let (len, drawn) = (block.len(), self.drawn(index));
        assert_eq!(len as u64, drawn.map_or(0, |(_, share)| share), "the block of key {index}");
        let Some((key, share)) = drawn else { return };
        match self.parameters.rng {
            Rng::Xoshiro => {
                let written = write(self.lanes(index, share), key, block);
                assert_eq!(written, len, "a part of the block of key {index} was not written");
            }
            Rng::Mt19937 => self.stream(index).fill(key, block),
        }
    }

    /// The products of key `index`, added in order.
    pub fn sum(&self, index: usize) -> f64 {
        let Some((key, share)) = self.drawn(index) else { return 0.0 };
        match self.parameters.rng {
            Rng::Xoshiro => self.lanes(index, share).sum(key, share),
            Rng::Mt19937 => self.stream(index).sum(key, share),
        }
    }

    /// Key `index` itself, and how many values it has. Nothing if it has none: it draws nothing then.
    fn drawn(&self, index: usize) -> Option<(f64, u64)> {
        let share = self.share(index);
        (share > 0).then(|| (self.key(index), share))
    }

    #[inline]
    fn lanes(&self, index: usize, share: u64) -> Xoshiro {
        Xoshiro::new(self.parameters.seed, index, share, self.instructions)
    }

    fn stream(&self, index: usize) -> Mt19937 {
        Mt19937::of_key(self.parameters.seed, index)
    }
}

impl TryFrom<Parameters> for Job {
    type Error = JobError;

    fn try_from(parameters: Parameters) -> Result<Self, JobError> {
        Job::new(parameters)
    }
}

impl From<Job> for Parameters {
    fn from(job: Job) -> Parameters {
        job.parameters
    }
}

/// Passes `share` values from `fill` to `each`, the last piece cut to what remains.
fn in_pieces<E>(
    share: u64,
    piece: &mut [f64],
    mut fill: impl FnMut(&mut [f64]),
    mut each: impl FnMut(&[f64]) -> Result<(), E>,
) -> Result<(), E> {
    assert!(!piece.is_empty() && piece.len().is_multiple_of(LANES), "a piece of {} values", piece.len());
    let mut left = share;
    while left > 0 {
        let next = left.min(piece.len() as u64);
        let piece = &mut piece[..next as usize];
        fill(piece);
        each(piece)?;
        left -= next;
    }
    Ok(())
}

/// Bounds what one thread writes of a block that is cut: about one huge page. In smaller parts more threads would wait for the
/// same page fault, and skipping to a part, some 10 µs, would show beside writing it, some 500 µs. The last part may be less.
const PART: usize = HUGE_PAGE / size_of::<f64>();

/// Writes the block by halves of whole parts, and returns how many values were written: no `join` can make that up.
fn parts(lanes: Xoshiro, key: f64, block: &mut [MaybeUninit<f64>], join: &impl Join) -> usize {
    if block.len() <= PART {
        return whole(lanes, key, block);
    }
    let (first, second) = block.split_at_mut(block.len().div_ceil(2).next_multiple_of(PART));
    let later = lanes.clone();
    let skipped = first.len() as u64;
    let second = || {
        let mut later = later;
        later.skip(skipped);
        parts(later, key, second, join)
    };
    let (first, second) = join.join(|| parts(lanes, key, first, join), second);
    first + second
}

fn whole(mut lanes: Xoshiro, key: f64, block: &mut [MaybeUninit<f64>]) -> usize {
    lanes.fill(key, block);
    block.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fill;
    use fanout::Workload;
    use proptest::{prop_assert_eq, proptest};

    fn job(keys: usize, count: u64, rng: Rng, seed: u64) -> Job {
        Job::new(Parameters { keys, count, rng, seed, ..Parameters::default() }).unwrap()
    }

    fn products(job: &Job, index: usize) -> Vec<u64> {
        Fill(job.clone()).expand(index).into_iter().map(f64::to_bits).collect()
    }

    /// The second half first, which one thread may do as well.
    struct Backwards;

    impl Join for Backwards {
        fn join<A: Send, B: Send>(
            &self,
            first: impl FnOnce() -> A + Send,
            second: impl FnOnce() -> B + Send,
        ) -> (A, B) {
            let second = second();
            (first(), second)
        }
    }

    /// By CPython: keys are the first values of `random.Random(5 << 32)`, products of key 2 are
    /// `key * stream.random()` with `stream = random.Random(5 << 32 | 3)`; each as `struct.pack(">d", value).hex()`.
    #[test]
    fn under_mt19937_keys_and_products_are_cpythons() {
        let job = job(3, 2, Rng::Mt19937, 5);
        let keys = [0, 1, 2].map(|index| job.key(index).to_bits());
        assert_eq!(keys, KEYS_OF_SEED_5);
        assert_eq!(products(&job, 2), PRODUCTS_OF_KEY_2);
    }

    const KEYS_OF_SEED_5: [u64; 3] = [0x3fe3_366e_18af_9a10, 0x3fee_a757_e6ef_9f16, 0x3fef_031a_f0b0_85fb];
    const PRODUCTS_OF_KEY_2: [u64; 2] = [0x3fec_9aaf_ca91_5e5c, 0x3fe0_5aef_47b1_3371];

    #[test]
    fn what_is_out_of_range_is_no_job() {
        let parameters = |keys, count, rng| Parameters { keys, count, rng, ..Parameters::default() };
        let out_of_range =
            [(1 << 40, 1 << 40, Rng::Xoshiro), (1 << 32, 0, Rng::Mt19937), (usize::MAX, 0, Rng::Xoshiro)];
        for (keys, count, rng) in out_of_range {
            assert!(Job::new(parameters(keys, count, rng)).is_err(), "{keys} {count} {rng:?}");
        }
        assert!(Job::new(parameters(u32::MAX as usize, 1 << 32, Rng::Mt19937)).is_ok());
    }

    #[test]
    fn a_block_is_the_same_in_parts() {
        let part = PART as u64;
        for (count, rng) in [0, 1, part, part + 1, 3 * part, 7 * part + 17]
            .map(|count| (count, Rng::Xoshiro))
            .into_iter()
            .chain([(part + 1, Rng::Mt19937)])
        {
            let job = job(2, count, rng, 42);
            let cut = Fill(job.clone()).expand_in_parts(1, &Backwards);
            assert!(cut.into_iter().map(f64::to_bits).eq(products(&job, 1)), "{count} values by {rng:?}");
        }
    }

    #[test]
    fn pieces_are_the_block_and_end_at_an_error() {
        for (rng, count) in [(Rng::Xoshiro, 100), (Rng::Mt19937, 100), (Rng::Xoshiro, 64), (Rng::Xoshiro, 0)] {
            let job = job(3, count, rng, 42);
            let mut pieces = Vec::new();
            let whole = job.pieces(1, &mut [0.0; 32], |piece| {
                pieces.push(piece.to_vec());
                Ok::<_, usize>(())
            });
            assert_eq!(whole, Ok(()));
            assert!(pieces.iter().rev().skip(1).all(|piece| piece.len() == 32));
            assert!(pieces.concat().into_iter().map(f64::to_bits).eq(products(&job, 1)));
            let mut seen = 0;
            let cut = job.pieces(1, &mut [0.0; 32], |_| {
                seen += 1;
                if seen < 2 { Ok(()) } else { Err(seen) }
            });
            assert_eq!(cut, if count == 0 { Ok(()) } else { Err(2) });
        }
    }

    #[test]
    #[should_panic = "the block of key 1"]
    fn a_block_of_another_length_is_refused() {
        job(2, 3, Rng::Xoshiro, 42).fill(1, &mut [MaybeUninit::uninit(); 2]);
    }

    proptest! {
        #[test]
        fn fewer_products_are_a_prefix_of_more(
            mt19937: bool, seed: u64, index in 0..3_usize, fewer in 0..1_500_u64, more in 0..500_u64,
        ) {
            let rng = if mt19937 { Rng::Mt19937 } else { Rng::Xoshiro };
            let all = products(&job(3, fewer + more, rng, seed), index);
            prop_assert_eq!(all.len() as u64, fewer + more);
            for instructions in InstructionSet::available() {
                let some = products(&job(3, fewer, rng, seed).with_instructions(instructions), index);
                prop_assert_eq!(&some[..], &all[..fewer as usize], "{}", instructions.name());
            }
        }
    }
}
