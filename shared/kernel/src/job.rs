//! What the three workloads share: the keys, their values, and how many each has.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::generator::{CHUNK, InstructionSet, Mt19937, Xoshiro, xoshiro_key};
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
    /// Under mt19937 a key's index is 32 bits of its seed.
    #[error("{keys} keys, and mt19937 has streams for 2^32 - 1")]
    TooManyKeys {
        /// The number of keys.
        keys: usize,
    },
}

/// A job that is known to be in range.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Parameters", into = "Parameters")]
pub struct Job {
    parameters: Parameters,
    shares: Shares,
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
        if rng == Rng::Mt19937 && keys as u64 > u64::from(u32::MAX) {
            return Err(JobError::TooManyKeys { keys });
        }
        Ok(Job { parameters, shares: Shares::new(skew, keys as u64, total), mt19937_keys: OnceLock::new() })
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

    /// Gives the products `key * value` of key `index` to `each`, in order, [`CHUNK`] or fewer at a time.
    pub fn products(&self, index: usize, each: impl FnMut(&[f64])) {
        self.products_by(index, InstructionSet::best(), each);
    }

    /// [`products`](Job::products) with the instruction set forced: for tests and benchmarks.
    pub fn products_by(&self, index: usize, instructions: InstructionSet, each: impl FnMut(&[f64])) {
        let Parameters { rng, seed, .. } = self.parameters;
        let (key, share) = (self.key(index), self.share(index));
        match rng {
            Rng::Xoshiro => {
                let mut lanes = Xoshiro::new(seed, index, share, instructions);
                in_chunks(share, |chunk| lanes.fill(key, chunk), each);
            }
            Rng::Mt19937 => {
                let mut stream = Mt19937::of_key(seed, index);
                in_chunks(share, |chunk| stream.fill(key, chunk), each);
            }
        }
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

/// Passes `share` values from `fill` to `each`, the last chunk cut to what remains.
#[inline(always)]
fn in_chunks(share: u64, mut fill: impl FnMut(&mut [f64; CHUNK]), mut each: impl FnMut(&[f64])) {
    let mut chunk = [0.0; CHUNK];
    let mut left = share;
    while left > 0 {
        fill(&mut chunk);
        let taken = left.min(CHUNK as u64);
        each(&chunk[..taken as usize]);
        left -= taken;
    }
}
