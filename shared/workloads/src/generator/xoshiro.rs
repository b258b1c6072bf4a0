//! The default generator.

use std::iter;

use super::instructions::{InstructionSet, Kind};
use super::jump::{POWERS_OF_TWO, Polynomial};
use super::{Place, UNIT, lane_seed, seeded};

/// Lanes of a key's generator. Value `j` is draw `j / LANES` of lane `j % LANES`, so a shorter run is a prefix of a
/// longer one. Sixteen because two AVX-512 registers, or four AVX2 ones, hide the latency of one step: with eight the
/// AVX2 code is left scalar, at less than half the speed, with four both are, and with thirty-two nothing is gained.
pub const LANES: usize = 16;

/// The lanes of one key, somewhere in their sequence.
#[derive(Debug, Clone)]
pub struct Xoshiro {
    /// Word by word, so that one word of all lanes lies in neighbouring memory.
    words: Words,
    instructions: InstructionSet,
}

type Words = [[u64; LANES]; 4];

impl Xoshiro {
    /// The generator of key `index`. Only the lanes that `values` values need are seeded.
    #[inline]
    pub fn new(seed: u64, index: usize, values: u64, instructions: InstructionSet) -> Self {
        let mut words = [[0; LANES]; 4];
        for lane in 0..LANES.min(usize::try_from(values).unwrap_or(LANES)) {
            let state = seeded(lane_seed(seed, index, lane));
            for (word, value) in words.iter_mut().zip(state) {
                word[lane] = value;
            }
        }
        Xoshiro { words, instructions }
    }

    /// Writes the next values in [0, 1), each multiplied by `scale`, to all of `block`.
    ///
    /// `scale` is a key: 0, or from 2^-53 to 1. A length that is no multiple of [`LANES`] ends the sequence.
    pub fn fill<P: Place>(&mut self, scale: f64, block: &mut [P]) {
        let (rows, rest) = block.as_chunks_mut::<LANES>();
        self.rows(scale, rows, |row, lane, value| row[lane].put(value), |_| {});
        if !rest.is_empty() {
            let last = |row: [f64; LANES]| iter::zip(&mut *rest, row).for_each(|(place, value)| place.put(value));
            self.rows(scale, [[0.0; LANES]], |row, lane, value| row[lane] = value, last);
        }
    }

    /// The next `count` values in [0, 1), each multiplied by `scale`, added one by one, in order: another order of
    /// additions gives other bits.
    ///
    /// As [`fill`](Xoshiro::fill) in all else. A row is added while the next is made.
    pub fn sum(&mut self, scale: f64, count: u64) -> f64 {
        let (rows, rest) = (count / LANES as u64, (count % LANES as u64) as usize);
        let mut sum = 0.0;
        let set = |row: &mut [f64; LANES], lane: usize, value| row[lane] = value;
        self.rows(scale, (0..rows).map(|_| [0.0; LANES]), set, |row| row.iter().for_each(|value| sum += value));
        if rest > 0 {
            self.rows(scale, [[0.0; LANES]], set, |row| row[..rest].iter().for_each(|value| sum += value));
        }
        sum
    }

    /// Skips `values` values, in a time that grows with the number of ones in `values / LANES` as a binary number, and is
    /// some microseconds for each.
    ///
    /// # Panics
    ///
    /// If `values` is no multiple of [`LANES`].
    pub fn skip(&mut self, values: u64) {
        assert!(values.is_multiple_of(LANES as u64), "{values} values are no whole rows");
        let steps = values / LANES as u64;
        (0..64).filter(|k| steps >> k & 1 == 1).for_each(|k| self.jump(&POWERS_OF_TWO[k]));
    }

    /// Takes as many steps as this power of x has.
    fn jump(&mut self, power: &Polynomial) {
        let mut sum = [[0; LANES]; 4];
        for bit in 0..256 {
            if power[bit / 64] >> (bit % 64) & 1 == 1 {
                iter::zip(sum.as_flattened_mut(), self.words.as_flattened()).for_each(|(sum, word)| *sum ^= word);
            }
            let [w0, w1, w2, w3] = &mut self.words;
            for lane in 0..LANES {
                step(&mut w0[lane], &mut w1[lane], &mut w2[lane], &mut w3[lane]);
            }
        }
        self.words = sum;
    }

    /// Makes the next row of values for each of `rows`, `set`s its values lane by lane, and hands it to `done`.
    #[inline(always)]
    fn rows<R>(
        &mut self,
        scale: f64,
        rows: impl IntoIterator<Item = R>,
        set: impl Fn(&mut R, usize, f64),
        done: impl FnMut(R),
    ) {
        let words = &mut self.words;
        match self.instructions.0 {
            // SAFETY: an `InstructionSet` of this kind is made only where the processor has the features.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function that needs instructions which were found at run time")]
            Kind::Avx512 => unsafe { rows_avx512(words, scale, rows, set, done) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function that needs instructions which were found at run time")]
            Kind::Avx2 => unsafe { rows_avx2(words, scale, rows, set, done) },
            Kind::Baseline => plain_rows(words, scale, rows, BASELINE, set, done),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn rows_avx512<R>(
    words: &mut Words,
    scale: f64,
    rows: impl IntoIterator<Item = R>,
    set: impl Fn(&mut R, usize, f64),
    done: impl FnMut(R),
) {
    plain_rows(words, scale, rows, by_conversion, set, done);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn rows_avx2<R>(
    words: &mut Words,
    scale: f64,
    rows: impl IntoIterator<Item = R>,
    set: impl Fn(&mut R, usize, f64),
    done: impl FnMut(R),
) {
    plain_rows(words, scale, rows, by_exponents, set, done);
}

/// What is best where nothing is known of the processor: SSE2 has no conversion, NEON has.
const BASELINE: fn(u64) -> f64 = if cfg!(target_arch = "x86_64") { by_exponents } else { by_conversion };

/// The plain loop that each instruction set compiles for itself. Each value goes where it belongs at once: a row of its own in
/// between would cost a third more where registers are few.
#[inline(always)]
fn plain_rows<R>(
    words: &mut Words,
    scale: f64,
    rows: impl IntoIterator<Item = R>,
    number: impl Fn(u64) -> f64,
    set: impl Fn(&mut R, usize, f64),
    mut done: impl FnMut(R),
) {
    let [mut w0, mut w1, mut w2, mut w3] = *words;
    // One multiplication instead of two. A power of two times what is far from the smallest number is exact.
    let scale = scale * UNIT;
    for mut row in rows {
        for lane in 0..LANES {
            let bits = step(&mut w0[lane], &mut w1[lane], &mut w2[lane], &mut w3[lane]);
            set(&mut row, lane, scale * number(bits));
        }
        done(row);
    }
    *words = [w0, w1, w2, w3];
}

/// One step of xoshiro256++.
#[inline(always)]
pub(super) fn step(s0: &mut u64, s1: &mut u64, s2: &mut u64, s3: &mut u64) -> u64 {
    let output = s0.wrapping_add(*s3).rotate_left(23).wrapping_add(*s0);
    let t = *s1 << 17;
    *s2 ^= *s0;
    *s3 ^= *s1;
    *s1 ^= *s2;
    *s0 ^= *s3;
    *s2 ^= t;
    *s3 = s3.rotate_left(45);
    output
}

/// The top 53 bits as a number, where the processor converts a vector of integers (AVX-512DQ, NEON).
#[inline(always)]
fn by_conversion(bits: u64) -> f64 {
    (bits >> 11) as f64
}

/// The same where it does not (AVX2, SSE2): the high 21 and the low 32 of the 53 bits are put into the mantissas of 2^84
/// and 2^52, and both powers are taken away again. Each step is exact.
#[inline(always)]
fn by_exponents(bits: u64) -> f64 {
    const TWO_52: u64 = 0x4330_0000_0000_0000;
    const TWO_84: u64 = 0x4530_0000_0000_0000;
    const BOTH: f64 = f64::from_bits(TWO_84) + f64::from_bits(TWO_52);
    let high = f64::from_bits((bits >> 43) | TWO_84) - BOTH;
    let low = f64::from_bits(((bits >> 11) & 0xffff_ffff) | TWO_52);
    high + low
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn both_conversions_are_exact(bits: u64) {
            let number = (bits >> 11) as f64;
            prop_assert_eq!(by_exponents(bits).to_bits(), number.to_bits());
            prop_assert_eq!(by_conversion(bits).to_bits(), number.to_bits());
        }

        #[test]
        fn a_key_times_a_power_of_two_is_exact(key in 0_u64..1 << 53, bits: u64) {
            let (key, number) = (key as f64 * UNIT, (bits >> 11) as f64);
            prop_assert_eq!(((key * UNIT) * number).to_bits(), (key * (number * UNIT)).to_bits());
        }
    }
}
