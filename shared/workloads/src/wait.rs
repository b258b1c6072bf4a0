//! Keys that sleep.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::iter;
use std::num::NonZeroU64;
use std::thread;
use std::time::Duration;

use fanout::{Answer, Codec, PIECE, Portable, Raw, Workload, with_huge_pages};
use serde::{Deserialize, Serialize};

use crate::{Asked, BuiltIn, Job, JobError, Own, Parameters, Verifiable};

/// Each key computes, then sleeps, then gives its index: blocking calls, and why more threads than cores can be right. By
/// default it computes nothing, and gives nothing else.
///
/// An output has a length of its own, so that computing, sleeping and giving can be made any part of a key's time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Wait {
    /// Its shares are microseconds asleep.
    asleep: Job,
    /// The same with other shares: products that are added.
    awake: Job,
    /// How long an output is.
    words: NonZeroU64,
}

/// What defines a [`Wait`].
#[derive(Serialize, Deserialize)]
struct Parts {
    asleep: Parameters,
    values: u64,
    output_bytes: u64,
}

impl Wait {
    /// Keys that sleep for their shares of `asleep` in microseconds. Before that each adds its share of `values` products per
    /// key, shared out by the same skew. Each gives `output_bytes`, a multiple of 8 from 8 up.
    ///
    /// # Errors
    ///
    /// If the values of all keys together are out of range, or an output has another size.
    pub fn new(asleep: Job, values: u64, output_bytes: u64) -> Result<Self, JobError> {
        let whole = output_bytes.is_multiple_of(WORD).then_some(output_bytes / WORD);
        let words = whole.and_then(NonZeroU64::new).ok_or(JobError::OutputBytes(output_bytes))?;
        let awake = Job::new(Parameters { count: values, ..asleep.parameters().clone() })?;
        Ok(Wait { asleep, awake, words })
    }

    /// Products that a key adds before it sleeps, on average.
    pub fn values(&self) -> u64 {
        self.awake.parameters().count
    }

    /// The size of a key's output, in bytes.
    pub fn bytes_per_key(&self) -> u64 {
        WORD * self.words.get()
    }

    /// Computes and sleeps; then the words of the output can be made. All but the first follow from the sum, so that neither
    /// adding nor writing can be left out.
    ///
    /// # Panics
    ///
    /// If there is no such key.
    pub fn words(&self, index: usize) -> impl Iterator<Item = u64> + use<> {
        // Even where the output has no place for it.
        let sum = std::hint::black_box(self.awake.sum(index)).to_bits();
        let asleep = self.asleep.share(index);
        if asleep > 0 {
            thread::sleep(Duration::from_micros(asleep));
        }
        iter::once(index as u64).chain((1..self.words.get()).map(move |place| sum.wrapping_add(place)))
    }
}

/// The bytes of one word of an output.
const WORD: u64 = size_of::<u64>() as u64;

/// Keys that only sleep.
impl From<Job> for Wait {
    fn from(asleep: Job) -> Self {
        // No values: as many keys are in range with them as without.
        let awake = Job::new(Parameters { count: 0, ..asleep.parameters().clone() }).expect("the keys of a job");
        Wait { asleep, awake, words: NonZeroU64::MIN }
    }
}

impl TryFrom<Parts> for Wait {
    type Error = JobError;

    fn try_from(Parts { asleep, values, output_bytes }: Parts) -> Result<Self, JobError> {
        Wait::new(Job::new(asleep)?, values, output_bytes)
    }
}

impl From<Wait> for Parts {
    fn from(wait: Wait) -> Parts {
        let (values, output_bytes) = (wait.values(), wait.bytes_per_key());
        Parts { asleep: wait.asleep.into(), values, output_bytes }
    }
}

impl Workload for Wait {
    type Output = Vec<u64>;

    fn keys(&self) -> usize {
        self.asleep.keys()
    }

    /// # Panics
    ///
    /// If there is no memory for the output.
    fn expand(&self, index: usize) -> Vec<u64> {
        let words = self.words(index);
        let len = usize::try_from(self.words.get()).ok();
        let block = len.and_then(|len| with_huge_pages(len).ok());
        let mut block = block.unwrap_or_else(|| panic!("no memory for an output of {} bytes", self.bytes_per_key()));
        block.extend(words);
        block
    }
}

impl Portable for Wait {
    const NAME: &'static str = "wait";
    type Codec = Raw;

    fn max_bytes(&self, _: usize) -> u64 {
        self.bytes_per_key()
    }

    /// Announced when the key has slept, so that the parent does not wait for the rest of an answer meanwhile.
    fn send(&self, index: usize, answer: Answer<'_>) -> io::Result<()> {
        let length = self.bytes_per_key();
        if length <= PIECE as u64 {
            // In one message with its head.
            return Raw::send(&self.expand(index), answer);
        }
        let words = self.words(index);
        let mut pieces = BufWriter::with_capacity(PIECE, answer.announce(length)?);
        for word in words {
            pieces.write_all(&word.to_ne_bytes())?;
        }
        pieces.flush()
    }
}

impl BuiltIn for Wait {
    const ABOUT: &'static str = "sleeps COUNT microseconds";
    const COUNT: u64 = 1_000;
    const TAKES: &'static [Own] = &[Own::Values, Own::OutputBytes];
    const SIZED_BY: &'static str = "--keys and --output-bytes";

    fn asked(asked: &Asked) -> Result<Self, String> {
        let Asked { job, values, output_bytes } = asked.clone();
        Wait::new(job, values.unwrap_or(0), output_bytes.unwrap_or(WORD))
            .map_err(|error| format!("--keys and --values are out of range: {error}"))
    }

    fn own(&self, flag: Own) -> Option<u64> {
        Some(match flag {
            Own::Values => self.values(),
            Own::OutputBytes => self.bytes_per_key(),
        })
    }
}

impl Verifiable for Wait {
    fn key_bytes(&self, index: usize) -> [u8; 8] {
        (index as u64).to_le_bytes()
    }

    fn output_bytes<'a>(&self, output: &'a Vec<u64>) -> Cow<'a, [u8]> {
        Cow::Borrowed(bytemuck::cast_slice(output))
    }

    fn output_size(&self, _: usize) -> u64 {
        WORD * self.words.get()
    }

    fn total_size(&self) -> u128 {
        u128::from(WORD) * u128::from(self.words.get()) * self.keys() as u128
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Skew;
    use crate::generator::InstructionSet;

    fn asleep(keys: usize, count: u64) -> Job {
        Job::new(Parameters { keys, count, skew: Skew::OneHuge, ..Parameters::default() }).unwrap()
    }

    #[test]
    fn a_key_gives_its_index_and_what_follows_from_its_sum() {
        let wait = Wait::new(asleep(3, 0), 1_000, 32).unwrap();
        for index in 0..3 {
            let sum = wait.awake.sum(index).to_bits();
            assert_eq!(wait.expand(index), [index as u64, sum + 1, sum + 2, sum + 3]);
        }
        assert_eq!((wait.awake.share(0), wait.awake.share(1)), (1_500, 750), "the skew is that of the sleep");
        assert_ne!(wait.expand(1)[1], Wait::new(asleep(3, 0), 1_004, 32).unwrap().expand(1)[1]);
        assert_eq!((wait.output_size(2), wait.total_size()), (32, 96));
    }

    #[test]
    fn it_is_the_same_with_all_instructions() {
        let wait = Wait::new(asleep(2, 0), 777, 40).unwrap();
        for instructions in InstructionSet::available() {
            let awake = wait.awake.clone().with_instructions(instructions);
            assert_eq!(Wait { awake, ..wait.clone() }.expand(1), wait.expand(1), "{}", instructions.name());
        }
    }

    #[test]
    fn by_default_an_output_is_the_index() {
        let wait = Wait::from(asleep(300, 0));
        let output = wait.expand(258);
        assert_eq!(*wait.output_bytes(&output), [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!((wait.values(), wait.bytes_per_key(), wait.total_size()), (0, 8, 2_400));
    }

    #[test]
    fn what_is_out_of_range_is_no_workload() {
        for bytes in [0, 1, 7, 12, u64::MAX] {
            assert!(matches!(Wait::new(asleep(2, 0), 0, bytes), Err(JobError::OutputBytes(told)) if told == bytes));
        }
        assert!(matches!(Wait::new(asleep(2, 0), u64::MAX, 8), Err(JobError::TotalOverflow { .. })));
        assert!(Wait::new(asleep(2, 0), u64::MAX / 2, u64::MAX - 7).is_ok());
    }

    #[test]
    #[should_panic = "no memory for an output"]
    fn no_memory_is_the_keys_panic() {
        Wait::new(asleep(2, 0), 0, 1 << 62).unwrap().expand(1);
    }
}
