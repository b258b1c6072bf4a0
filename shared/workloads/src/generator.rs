//! Random numbers that belong to a key, never to a thread.
//!
//! The default generator is sixteen interleaved lanes of xoshiro256++ (Blackman and Vigna, *Scrambled Linear
//! Pseudorandom Number Generators*, 2021; <https://prng.di.unimi.it/xoshiro256plusplus.c>), seeded by SplitMix64
//! (<https://prng.di.unimi.it/splitmix64.c>). The number of lanes is a part of the definition: it is what lets one plain
//! loop fill vector registers, and because it does not depend on their width, every instruction set gives the same bits.

use std::mem::MaybeUninit;

mod instructions;
mod jump;
mod mt19937;
mod xoshiro;

pub use instructions::InstructionSet;
pub use mt19937::Mt19937;
pub use xoshiro::{LANES, Xoshiro};

/// Where a value can be written: memory that holds one already, or does not.
pub trait Place {
    /// Writes it.
    fn put(&mut self, value: f64);
}

impl Place for f64 {
    #[inline(always)]
    fn put(&mut self, value: f64) {
        *self = value;
    }
}

impl Place for MaybeUninit<f64> {
    #[inline(always)]
    fn put(&mut self, value: f64) {
        self.write(value);
    }
}

/// 2^-53: what an integer of 53 bits is multiplied by to give a value in [0, 1).
const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;

/// The first output of SplitMix64 seeded with `x`.
pub fn mix(x: u64) -> u64 {
    SplitMix64(x).next()
}

/// The seed of lane `lane` of key `index`. Lanes `0..LANES` make the key's values; lane `LANES` makes the key itself.
pub fn lane_seed(seed: u64, index: usize, lane: usize) -> u64 {
    // The two fields do not overlap: lanes are below 32.
    mix(mix(seed) ^ (index as u64).wrapping_mul(32).wrapping_add(lane as u64))
}

/// The state of one xoshiro256++, seeded as its authors advise: four outputs of SplitMix64.
fn seeded(seed: u64) -> [u64; 4] {
    let mut mixer = SplitMix64(seed);
    [mixer.next(), mixer.next(), mixer.next(), mixer.next()]
}

struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Key `index` itself under the default generator, in [0, 1).
pub fn xoshiro_key(seed: u64, index: usize) -> f64 {
    let [mut s0, mut s1, mut s2, mut s3] = seeded(lane_seed(seed, index, LANES));
    (xoshiro::step(&mut s0, &mut s1, &mut s2, &mut s3) >> 11) as f64 * UNIT
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng as _;

    /// From CPython itself: `python3 mt19937.py > mt19937.txt`.
    const CPYTHON: &str = include_str!("generator/mt19937.txt");

    /// From the definition, written a second time in Python: `python3 xoshiro.py > xoshiro.txt`. The frozen bits behind
    /// every digest.
    const DEFINITION: &str = include_str!("generator/xoshiro.txt");

    /// The definition, one scalar generator at a time, by rand_xoshiro.
    fn reference(seed: u64, index: usize, lane: usize) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(lane_seed(seed, index, lane))
    }

    fn unit(bits: u64) -> f64 {
        (bits >> 11) as f64 / 9_007_199_254_740_992.0
    }

    #[test]
    fn splitmix_is_vignas() {
        // The first outputs of splitmix64.c for x = 0 and x = 1234567.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn every_instruction_set_gives_each_lane_of_rand_xoshiro() {
        for instructions in InstructionSet::available() {
            let mut lanes: Vec<_> = (0..LANES).map(|lane| reference(42, 7, lane)).collect();
            let values = next(&mut Xoshiro::new(42, 7, u64::MAX, instructions), 0.75, 20_000);
            for (j, value) in values.iter().enumerate() {
                let expected = 0.75 * unit(lanes[j % LANES].next_u64());
                assert_eq!(value.to_bits(), expected.to_bits(), "{} value {j}", instructions.name());
            }
        }
    }

    /// The next values.
    fn next(lanes: &mut Xoshiro, scale: f64, count: usize) -> Vec<f64> {
        let mut block = vec![f64::NAN; count];
        lanes.fill(scale, &mut block);
        block
    }

    #[test]
    fn xoshiro_is_what_its_definition_says() {
        for line in DEFINITION.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (seed, index) = (words[0].parse().unwrap(), words[1].parse().unwrap());
            let values = next(&mut Xoshiro::new(seed, index, u64::MAX, InstructionSet::best()), 1.0, 701);
            let numbers = [xoshiro_key(seed, index), values[0], values[1], values[15], values[16], values[700]];
            assert_eq!(numbers.map(hex).as_slice(), &words[2..], "{line}");
        }
        assert_eq!(DEFINITION.lines().count(), 4);
    }

    #[test]
    fn a_row_after_the_other_is_all_rows_at_once() {
        for instructions in InstructionSet::available() {
            let mut lanes = Xoshiro::new(42, 7, u64::MAX, instructions);
            let parts = [16, 0, 160, 32].map(|count| next(&mut lanes, 0.5, count)).concat();
            assert_eq!(parts, next(&mut Xoshiro::new(42, 7, u64::MAX, instructions), 0.5, 208));
        }
    }

    fn hex(value: f64) -> String {
        format!("{:016x}", value.to_bits())
    }

    #[test]
    fn mt19937_is_cpythons() {
        let mut lines = 0;
        for line in CPYTHON.lines() {
            let mut words = line.split_whitespace();
            let mut stream = Mt19937::stream(words.next().unwrap().parse().unwrap());
            for bits in words {
                assert_eq!(hex(stream.next_f64()), bits, "{line}");
                lines += 1;
            }
        }
        assert_eq!(lines, 27);
    }

    proptest! {
        #[test]
        fn what_is_skipped_is_what_would_have_come(seed: u64, index: u32, rows in 0_u64..2_000) {
            let mut all = Xoshiro::new(seed, index as usize, u64::MAX, InstructionSet::best());
            let mut rest = all.clone();
            rest.skip(rows * LANES as u64);
            let values = next(&mut all, 1.0, rows as usize * LANES + 100);
            prop_assert_eq!(&next(&mut rest, 1.0, 100), &values[rows as usize * LANES..]);
        }

        #[test]
        fn skipping_twice_is_skipping_the_sum(seed: u64, first: u32, second: u32) {
            let [mut once, mut twice] = [0; 2].map(|index| Xoshiro::new(seed, index, u64::MAX, InstructionSet::best()));
            let [first, second] = [first, second].map(|rows| u64::from(rows) << 20);
            once.skip(first + second);
            twice.skip(first);
            twice.skip(second);
            prop_assert_eq!(next(&mut once, 1.0, 40), next(&mut twice, 1.0, 40));
        }

        #[test]
        fn a_sum_is_of_the_values_in_order(seed: u64, scale in 0.0..1.0, count in 0_usize..2_000) {
            for instructions in InstructionSet::available() {
                let lanes = Xoshiro::new(seed, 3, count as u64, instructions);
                let values = next(&mut lanes.clone(), scale, count);
                let sum = values.iter().fold(0.0, |sum, value| sum + value);
                prop_assert_eq!(lanes.clone().sum(scale, count as u64).to_bits(), sum.to_bits());
            }
        }

        #[test]
        fn the_key_is_the_first_value_of_lane_sixteen(seed: u64, index in 0_usize..1 << 40) {
            prop_assert_eq!(xoshiro_key(seed, index).to_bits(), unit(reference(seed, index, 16).next_u64()).to_bits());
        }

        #[test]
        fn the_first_values_need_no_more_than_their_lanes(seed: u64, index: u32, values in 0_usize..40) {
            let [mut few, mut all] = [values as u64, u64::MAX]
                .map(|count| Xoshiro::new(seed, index as usize, count, InstructionSet::best()));
            prop_assert_eq!(next(&mut few, 1.0, values), next(&mut all, 1.0, values));
        }
    }
}
