//! How the total is shared out between keys.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// How unequal keys are.
///
/// Shares are made from integer weights, so that they are the same everywhere. With `C` the cumulative weight and `T`
/// the total, key `i` gets `floor(T·C(i+1)/C(K)) − floor(T·C(i)/C(K))`: the shares add up to `T` exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Skew {
    /// Every key weighs 1.
    #[default]
    Uniform,
    /// Key `i` weighs `floor(2^32 / (i + 1))`: Zipf's law with exponent 1.
    Zipf,
    /// The first of K keys weighs K − 1 and every other 1, so that it holds half.
    OneHuge,
    /// The last key holds half: the worst case for a strategy that takes keys in order.
    OneHugeLast,
}

/// The shares of each key.
#[derive(Debug, Clone)]
pub(crate) struct Shares {
    skew: Skew,
    keys: u64,
    total: u64,
    /// What every key has, where that is the same: the two divisions below take longer than an empty key.
    even: Option<u64>,
    /// Zipf's cumulative weights have no closed form. Made when first asked for: a process that runs one key of a
    /// uniform job should not pay for it.
    zipf: OnceLock<Box<[u64]>>,
}

impl Shares {
    pub(crate) fn new(skew: Skew, keys: u64, total: u64) -> Self {
        let even = (skew == Skew::Uniform && keys > 0 && total.is_multiple_of(keys)).then(|| total / keys);
        Shares { skew, keys, total, even, zipf: OnceLock::new() }
    }

    /// The share of key `index`.
    ///
    /// # Panics
    ///
    /// If there is no such key.
    pub(crate) fn of(&self, index: usize) -> u64 {
        let index = index as u64;
        assert!(index < self.keys, "key {index} of {}", self.keys);
        self.even.unwrap_or_else(|| self.upto(index + 1) - self.upto(index))
    }

    /// What the keys before `index` have together.
    fn upto(&self, index: u64) -> u64 {
        let all = u128::from(self.cumulative_weight(self.keys));
        let part = u128::from(self.cumulative_weight(index));
        // At most the total, since part <= all.
        (u128::from(self.total) * part / all) as u64
    }

    fn cumulative_weight(&self, index: u64) -> u64 {
        let others = self.keys - 1;
        match self.skew {
            // One key alone holds everything; by its formula, `one-huge` would weigh it 0.
            _ if others == 0 => index,
            Skew::Uniform => index,
            Skew::Zipf => self.zipf_weights()[index as usize],
            Skew::OneHuge => index.min(1) * others + index.saturating_sub(1),
            Skew::OneHugeLast => index.min(others) + if index == self.keys { others } else { 0 },
        }
    }

    /// `C(0)..=C(K)`. Below 2^32 × (ln 2^64 + 1), so it cannot overflow.
    fn zipf_weights(&self) -> &[u64] {
        self.zipf.get_or_init(|| {
            let running = (0..self.keys).scan(0, |sum, index| {
                *sum += (1 << 32) / (index + 1);
                Some(*sum)
            });
            std::iter::once(0).chain(running).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Skew; 4] = [Skew::Uniform, Skew::Zipf, Skew::OneHuge, Skew::OneHugeLast];

    fn shares(skew: Skew, keys: u64, total: u64) -> Vec<u64> {
        let shares = Shares::new(skew, keys, total);
        (0..keys as usize).map(|index| shares.of(index)).collect()
    }

    #[test]
    fn small_cases_by_hand() {
        assert_eq!(shares(Skew::Uniform, 4, 40), [10, 10, 10, 10]);
        assert_eq!(shares(Skew::OneHuge, 5, 40), [20, 5, 5, 5, 5]);
        assert_eq!(shares(Skew::OneHugeLast, 5, 40), [5, 5, 5, 5, 20]);
        // Weights 2^32, 2^31, floor(2^32 / 3): 6, 3 and 2 elevenths, but for the floors.
        assert_eq!(shares(Skew::Zipf, 3, 110), [60, 30, 20]);
        for skew in ALL {
            assert_eq!(shares(skew, 1, 7), [7], "{skew:?}");
            assert!(shares(skew, 0, 0).is_empty(), "{skew:?}");
        }
    }

    proptest! {
        #[test]
        fn the_total_is_kept(skew in prop::sample::select(&ALL[..]), keys in 1_u64..2_000, total: u64) {
            let shares = shares(skew, keys, total);
            prop_assert_eq!(shares.len() as u64, keys);
            prop_assert_eq!(shares.iter().map(|&share| u128::from(share)).sum::<u128>(), u128::from(total));
        }

        #[test]
        fn uniform_shares_differ_by_one_at_most(keys in 1_u64..2_000, total in 0_u64..1 << 40) {
            let shares = shares(Skew::Uniform, keys, total);
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }

        #[test]
        fn the_huge_key_holds_half(keys in 2_u64..2_000, total in 0_u64..1 << 40) {
            let first = shares(Skew::OneHuge, keys, total);
            let last = shares(Skew::OneHugeLast, keys, total);
            prop_assert_eq!(first[0], total / 2);
            prop_assert_eq!(last[keys as usize - 1], total - total / 2);
        }

        #[test]
        fn zipf_never_grows_by_more_than_rounding(keys in 1_u64..2_000, total in 0_u64..1 << 40) {
            let shares = shares(Skew::Zipf, keys, total);
            prop_assert!(shares.windows(2).all(|pair| pair[1] <= pair[0] + 1));
        }
    }
}
