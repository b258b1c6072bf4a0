//! Medians, their spread, and intervals for ratios.
//!
//! Medians throughout: a run that was disturbed is slower, never faster, and one such run moves a mean.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::sampling::schedule::below;

/// Resamples per interval. The ends of a 95 % interval are then set by 250 resamples each; ten times as many change them
/// in the third digit only.
const RESAMPLES: usize = 10_000;

/// The bootstrap's seed: any fixed number, since the same samples must give the same table.
const SEED: u64 = 0x666a_6e6f_7574;

/// Below this many pairs there is no 95 % interval of a median: even the smallest and the largest of five samples hold the
/// median between them with only 1 - 2 / 2^5 = 94 %.
pub const PAIRS_FOR_AN_INTERVAL: usize = 6;

/// A median and how far the samples are from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The median.
    pub median: f64,
    /// The median distance from the median (the median absolute deviation, not scaled). One sample has none.
    pub spread: Option<f64>,
}

/// A ratio of two rows and where the true one probably is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The median of the ratios of the pairs.
    pub median: f64,
    /// The 95 % interval. With fewer pairs than [`PAIRS_FOR_AN_INTERVAL`] it is too narrow, with one it is a point.
    pub low: f64,
    /// Its other end.
    pub high: f64,
    /// How many pairs it was made from.
    pub pairs: usize,
}

impl Ratio {
    /// How far from 1 the interval reaches, as a factor minus 1, whichever the side.
    pub fn reach(&self) -> f64 {
        distance(self.low).max(distance(self.high))
    }

    /// How far from 1 the ratio itself is, likewise.
    pub fn distance(&self) -> f64 {
        distance(self.median)
    }
}

fn distance(ratio: f64) -> f64 {
    ratio.max(ratio.recip()) - 1.0
}

/// The median; of an even number, the mean of the middle two.
pub fn median(samples: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut samples: Vec<f64> = samples.into_iter().collect();
    if samples.is_empty() { None } else { Some(median_of(&mut samples)) }
}

/// Median and spread.
pub fn summary(samples: &[f64]) -> Option<Summary> {
    let middle = median(samples.iter().copied())?;
    let spread = median(samples.iter().map(|sample| (sample - middle).abs())).filter(|_| samples.len() > 1);
    Some(Summary { median: middle, spread })
}

/// The ratio of the first to the second of each pair: its median, and a percentile bootstrap interval (Efron and
/// Tibshirani, *An Introduction to the Bootstrap*, chapter 13) over the pairs. A pair is two runs of the same round, so what
/// slows a whole round down cancels.
pub fn paired_ratio(pairs: &[(f64, f64)]) -> Option<Ratio> {
    let ratios: Vec<f64> = pairs.iter().map(|(over, under)| over / under).collect();
    let middle = median(ratios.iter().copied())?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut resample = vec![0.0; ratios.len()];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            resample.fill_with(|| ratios[below(&mut rng, ratios.len())]);
            median_of(&mut resample)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let (low, high) = (medians[RESAMPLES / 40], medians[RESAMPLES - 1 - RESAMPLES / 40]);
    Some(Ratio { median: middle, low, high, pairs: pairs.len() })
}

fn median_of(samples: &mut [f64]) -> f64 {
    let odd = samples.len() % 2 == 1;
    let half = samples.len() / 2;
    let (below, upper, _) = samples.select_nth_unstable_by(half, f64::total_cmp);
    let upper = *upper;
    if odd {
        return upper;
    }
    let lower = below.iter().copied().max_by(f64::total_cmp).unwrap_or(upper);
    f64::midpoint(lower, upper)
}

/// Each row's rank, given in order of time, and for every row but the first whether it is told apart from the row above. A
/// row that is not shares the rank above; one that is has its own position.
pub fn ranks(told_apart: impl IntoIterator<Item = bool>) -> Vec<usize> {
    let mut ranks = vec![1];
    for (above, apart) in told_apart.into_iter().enumerate() {
        ranks.push(if apart { above + 2 } else { ranks[above] });
    }
    ranks
}

/// Whether a row is slower than the row above it, beyond chance and beyond the noise floor. `slowdown` is its time over that
/// of the row above.
pub fn told_apart(slowdown: Option<Ratio>, floor: Option<f64>) -> bool {
    slowdown.is_some_and(|ratio| ratio.pairs > 1 && ratio.low > 1.0 && ratio.median - 1.0 > floor.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time() -> impl Strategy<Value = f64> {
        0.001..1000.0
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_interval_holds_the_median_ratio(pairs in proptest::collection::vec((time(), time()), 1..30)) {
            let ratio = paired_ratio(&pairs).unwrap();
            prop_assert!(ratio.low <= ratio.median && ratio.median <= ratio.high, "{ratio:?}");
            let all: Vec<f64> = pairs.iter().map(|(over, under)| over / under).collect();
            prop_assert!(all.iter().any(|one| *one <= ratio.low) && all.iter().any(|one| *one >= ratio.high));
        }

        #[test]
        fn identical_samples_have_a_ratio_of_one(times in proptest::collection::vec(time(), 1..30)) {
            let pairs: Vec<_> = times.iter().map(|time| (*time, *time)).collect();
            let ratio = paired_ratio(&pairs).unwrap();
            prop_assert_eq!((ratio.low, ratio.median, ratio.high), (1.0, 1.0, 1.0));
            prop_assert_eq!(ratio.reach(), 0.0);
        }

        #[test]
        fn a_slow_round_cancels(times in proptest::collection::vec(time(), 1..30), factor in 1.5..3.0f64) {
            let pairs: Vec<_> = times.iter().map(|time| (time * factor, *time)).collect();
            let ratio = paired_ratio(&pairs).unwrap();
            prop_assert!(ratio.high - ratio.low < 1e-9 && (ratio.median - factor).abs() < 1e-9, "{ratio:?}");
        }

        #[test]
        fn half_of_the_samples_are_on_each_side(samples in proptest::collection::vec(time(), 1..40)) {
            let middle = median(samples.iter().copied()).unwrap();
            let below = samples.iter().filter(|sample| **sample <= middle).count();
            let above = samples.iter().filter(|sample| **sample >= middle).count();
            prop_assert!(2 * below >= samples.len() && 2 * above >= samples.len());
        }
    }

    #[test]
    fn medians_and_spreads() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(summary(&[1.0, 2.0, 3.0, 4.0, 100.0]), Some(Summary { median: 3.0, spread: Some(1.0) }));
        assert_eq!(summary(&[1.0]), Some(Summary { median: 1.0, spread: None }));
        assert_eq!(paired_ratio(&[]), None);
    }

    #[test]
    fn rows_that_cannot_be_told_apart_share_a_rank() {
        assert_eq!(ranks([false, true, false, true]), [1, 1, 3, 3, 5]);
        let ratio = |low, median, high, pairs| Some(Ratio { low, median, high, pairs });
        assert!(told_apart(ratio(1.02, 1.05, 1.08, 10), Some(0.01)));
        assert!(!told_apart(ratio(1.02, 1.05, 1.08, 10), Some(0.06)), "inside the noise floor");
        assert!(!told_apart(ratio(0.99, 1.05, 1.08, 10), Some(0.01)), "spans 1");
        assert!(!told_apart(ratio(0.90, 0.95, 0.98, 10), Some(0.01)), "the order of medians says otherwise");
        assert!(!told_apart(ratio(1.05, 1.05, 1.05, 1), None), "one pair says nothing");
        assert!(!told_apart(None, None));
        assert!((ratio(0.8, 1.0, 1.1, 3).unwrap().reach() - 0.25).abs() < 1e-12);
    }
}
