//! Random numbers that belong to a key, never to a thread.
//!
//! The default generator is sixteen interleaved lanes of xoshiro256++ (Blackman and Vigna, *Scrambled Linear
//! Pseudorandom Number Generators*, 2021; <https://prng.di.unimi.it/xoshiro256plusplus.c>), seeded by SplitMix64
//! (<https://prng.di.unimi.it/splitmix64.c>). The number of lanes is a part of the definition: it is what lets one plain
//! loop fill vector registers, and because it does not depend on their width, every instruction set gives the same bits.

use rand_mt::Mt;

/// Lanes of a key's generator. Value `j` is draw `j / LANES` of lane `j % LANES`, so a shorter run is a prefix of a
/// longer one. Sixteen because two AVX-512 registers, or four AVX2 ones, hide the latency of one step: with eight the
/// AVX2 code is left scalar, at less than half the speed, with four both are, and with thirty-two nothing is gained.
pub const LANES: usize = 16;

/// Values made at a time: 4 KiB, which stay in the first-level cache between being made and being used, and 32 steps
/// of each lane, which make the loop's start and end disappear.
pub const CHUNK: usize = 512;

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
    let mut lane = [seeded(lane_seed(seed, index, LANES)); 1];
    let [s0, s1, s2, s3] = &mut lane[0];
    (step(s0, s1, s2, s3) >> 11) as f64 * UNIT
}

/// One step of xoshiro256++.
#[inline(always)]
fn step(s0: &mut u64, s1: &mut u64, s2: &mut u64, s3: &mut u64) -> u64 {
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

/// A set of vector instructions that this processor has. All give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstructionSet(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Baseline,
}

impl InstructionSet {
    /// The fastest that this processor has.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                return InstructionSet(Kind::Avx512);
            }
            if has_avx2() {
                return InstructionSet(Kind::Avx2);
            }
        }
        InstructionSet(Kind::Baseline)
    }

    /// All that this processor has, the fastest first: what a test forces in turn.
    pub fn available() -> Vec<Self> {
        [
            #[cfg(target_arch = "x86_64")]
            has_avx512().then_some(Kind::Avx512),
            #[cfg(target_arch = "x86_64")]
            has_avx2().then_some(Kind::Avx2),
            Some(Kind::Baseline),
        ]
        .into_iter()
        .flatten()
        .map(InstructionSet)
        .collect()
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            Kind::Baseline => "baseline",
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl")
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

/// The lanes of one key.
#[derive(Debug, Clone)]
pub struct Xoshiro {
    /// Word by word, so that one word of all lanes lies in neighbouring memory.
    words: [[u64; LANES]; 4],
    instructions: InstructionSet,
}

impl Xoshiro {
    /// The generator of key `index`. Only the lanes that `values` values need are seeded.
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

    /// The next values in [0, 1), each multiplied by `scale`.
    pub fn fill(&mut self, scale: f64, chunk: &mut [f64; CHUNK]) {
        match self.instructions.0 {
            // SAFETY: an `InstructionSet` of this kind is made only where the processor has the features.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function that needs instructions which were found at run time")]
            Kind::Avx512 => unsafe { fill_avx512(&mut self.words, scale, chunk) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function that needs instructions which were found at run time")]
            Kind::Avx2 => unsafe { fill_avx2(&mut self.words, scale, chunk) },
            Kind::Baseline => fill(&mut self.words, scale, chunk, unit_by_conversion),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn fill_avx512(words: &mut [[u64; LANES]; 4], scale: f64, chunk: &mut [f64; CHUNK]) {
    fill(words, scale, chunk, unit_by_conversion);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2(words: &mut [[u64; LANES]; 4], scale: f64, chunk: &mut [f64; CHUNK]) {
    fill(words, scale, chunk, unit_by_exponents);
}

/// The plain loop that each instruction set compiles for itself.
#[inline(always)]
fn fill(words: &mut [[u64; LANES]; 4], scale: f64, chunk: &mut [f64; CHUNK], unit: impl Fn(u64) -> f64) {
    let [mut w0, mut w1, mut w2, mut w3] = *words;
    let (rows, []) = chunk.as_chunks_mut::<LANES>() else { unreachable!("LANES divides CHUNK") };
    for row in rows {
        for lane in 0..LANES {
            let bits = step(&mut w0[lane], &mut w1[lane], &mut w2[lane], &mut w3[lane]);
            row[lane] = scale * unit(bits);
        }
    }
    *words = [w0, w1, w2, w3];
}

/// The top 53 bits × 2^-53, where the processor converts a vector of integers (AVX-512DQ, NEON) or nothing is known.
#[inline(always)]
fn unit_by_conversion(bits: u64) -> f64 {
    (bits >> 11) as f64 * UNIT
}

/// The same bits where the processor has no such conversion (AVX2): the high 21 and the low 32 of the 53 bits are put
/// into the mantissas of 2^84 and 2^52, and those are taken away again. Each step is exact.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn unit_by_exponents(bits: u64) -> f64 {
    const TWO_52: u64 = 0x4330_0000_0000_0000;
    const TWO_84: u64 = 0x4530_0000_0000_0000;
    let high = f64::from_bits((bits >> 43) | TWO_84) - f64::from_bits(TWO_84);
    let low = f64::from_bits(((bits >> 11) & 0xffff_ffff) | TWO_52) - f64::from_bits(TWO_52);
    (high + low) * UNIT
}

/// CPython's `random.Random(stream)` with `stream = seed << 32 | low`: MT19937 (Matsumoto and Nishimura, 1998) seeded by
/// the integer's 32-bit words, as in CPython's `_randommodule.c`.
#[derive(Clone)]
pub struct Mt19937(Mt);

impl Mt19937 {
    /// The stream that draws the keys themselves.
    pub fn keys(seed: u64) -> Self {
        Self::stream(u128::from(seed) << 32)
    }

    /// The stream of key `index`, which must be below 2^32 − 1.
    pub fn of_key(seed: u64, index: usize) -> Self {
        Self::stream(u128::from(seed) << 32 | (index as u128 + 1))
    }

    fn stream(integer: u128) -> Self {
        let words = [integer as u32, (integer >> 32) as u32, (integer >> 64) as u32, (integer >> 96) as u32];
        // CPython passes as many words as the integer has digits in base 2^32, and one for zero.
        let digits = words.iter().rposition(|&word| word != 0).map_or(1, |last| last + 1);
        Mt19937(Mt::new_with_key(words[..digits].iter().copied()))
    }

    /// `random.random()`: 27 and 26 bits of two draws, in [0, 1).
    pub fn next_f64(&mut self) -> f64 {
        let a = self.0.next_u32() >> 5;
        let b = self.0.next_u32() >> 6;
        (f64::from(a) * 67_108_864.0 + f64::from(b)) * UNIT
    }

    /// The next values in [0, 1), each multiplied by `scale`.
    pub fn fill(&mut self, scale: f64, chunk: &mut [f64]) {
        chunk.fill_with(|| scale * self.next_f64());
    }
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
            let mut ours = Xoshiro::new(42, 7, u64::MAX, instructions);
            let mut chunk = [0.0; CHUNK];
            for _ in 0..40 {
                ours.fill(0.75, &mut chunk);
                for (j, value) in chunk.iter().enumerate() {
                    let expected = 0.75 * unit(lanes[j % LANES].next_u64());
                    assert_eq!(value.to_bits(), expected.to_bits(), "{} value {j}", instructions.name());
                }
            }
        }
    }

    #[test]
    fn xoshiro_is_what_its_definition_says() {
        let mut chunk = [0.0; 2 * CHUNK];
        for line in DEFINITION.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (seed, index) = (words[0].parse().unwrap(), words[1].parse().unwrap());
            let mut lanes = Xoshiro::new(seed, index, u64::MAX, InstructionSet::best());
            chunk.as_chunks_mut().0.iter_mut().for_each(|half| lanes.fill(1.0, half));
            let numbers = [xoshiro_key(seed, index), chunk[0], chunk[1], chunk[15], chunk[16], chunk[700]];
            assert_eq!(numbers.map(hex).as_slice(), &words[2..], "{line}");
        }
        assert_eq!(DEFINITION.lines().count(), 4);
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
        fn both_conversions_are_exact(bits: u64) {
            #[cfg(target_arch = "x86_64")]
            prop_assert_eq!(unit_by_exponents(bits).to_bits(), unit(bits).to_bits());
            prop_assert_eq!(unit_by_conversion(bits).to_bits(), unit(bits).to_bits());
        }

        #[test]
        fn the_key_is_the_first_value_of_lane_sixteen(seed: u64, index in 0_usize..1 << 40) {
            prop_assert_eq!(xoshiro_key(seed, index).to_bits(), unit(reference(seed, index, 16).next_u64()).to_bits());
        }

        #[test]
        fn the_first_values_need_no_more_than_their_lanes(seed: u64, index: u32, values in 0_usize..40) {
            let [mut few, mut all] = [[0.0; CHUNK]; 2];
            Xoshiro::new(seed, index as usize, values as u64, InstructionSet::best()).fill(1.0, &mut few);
            Xoshiro::new(seed, index as usize, u64::MAX, InstructionSet::best()).fill(1.0, &mut all);
            prop_assert_eq!(&few[..values], &all[..values]);
        }
    }
}
