//! CPython's generator.

use rand_mt::Mt;

use super::{Place, UNIT};

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

    pub(super) fn stream(integer: u128) -> Self {
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

    /// Writes the next values, each multiplied by `scale`, to all of `block`.
    pub fn fill(&mut self, scale: f64, block: &mut [impl Place]) {
        block.iter_mut().for_each(|place| place.put(scale * self.next_f64()));
    }

    /// The next `count` values, each multiplied by `scale` and added in order.
    pub fn sum(&mut self, scale: f64, count: u64) -> f64 {
        (0..count).fold(0.0, |sum, _| sum + scale * self.next_f64())
    }
}
