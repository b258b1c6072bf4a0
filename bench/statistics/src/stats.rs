//! Medians, their spread, and intervals for ratios of medians.
//!
//! A figure is a median: interference makes a run slower and never faster, so a mean would mostly measure the interference.
//! A ratio is the ratio of two such figures, so that a reader who divides two cells finds it. Its interval is a percentile
//! bootstrap (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13) that resamples **rounds**: both
//! rows take the same rounds, so what slowed a whole round down is in both medians and leaves their ratio alone.
//!
//! `bench/tests/statistics.rs` simulates runs whose true ratio is known, and counts how often the interval holds it.

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::digits;
use crate::random::below;

/// Resamples per figure. Each end of a 95 % interval is then set by 250 of them; ten times as many change an end in its
/// third digit only.
const RESAMPLES: usize = 10_000;

/// The bootstrap's seed: any fixed number, since the same samples must give the same table.
const SEED: u64 = 0x666a_6e6f_7574;

/// With fewer runs there is no 95 % interval of a median: even the smallest and the largest of five samples hold the median
/// between them with only 1 - 2 / 2^5 = 94 %.
pub const RUNS_FOR_AN_INTERVAL: usize = 6;

/// The fewest runs of which an interval of a median can have this confidence, likewise.
pub fn runs_for(confidence: f64) -> usize {
    (1..).find(|runs| 1.0 - 2.0 * 0.5f64.powi(*runs) >= confidence).map_or(usize::MAX, |runs| runs as usize)
}

/// The share of intervals that hold the true ratio.
pub const CONFIDENCE: f64 = 0.95;

/// The confidence with which one row is said to be clearly faster than another. More than [`CONFIDENCE`], since each row of a
/// table is compared with every other: sixteen rows are 120 pairs, and of pairs that are equal 1 in 20 would be told apart. Rows
/// 5 % apart are still told apart in nine runs of ten.
pub const CLEAR: f64 = 0.98;

/// A median and how far the samples are from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The median.
    pub median: f64,
    /// The median distance from the median (the median absolute deviation, not scaled). One sample has none.
    pub spread: Option<f64>,
}

/// One value per round, such as a row's cold times.
pub type ByRound = BTreeMap<u32, f64>;

/// The median of a row, and the medians of resamples of its rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The median and its spread: what a table's cell shows.
    pub summary: Summary,
    /// How many samples it was made from.
    pub samples: usize,
    /// In the order of the resamples, which are the same for all rows of the same rounds. Empty if there are too few runs.
    resampled: Vec<f64>,
}

/// The figure of one row over that of another, and where the true ratio probably is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Median over median, each as its cell shows it.
    pub value: f64,
    /// `None` if either figure is of fewer than [`RUNS_FOR_AN_INTERVAL`] runs.
    pub interval: Option<Interval>,
}

/// Where a true ratio probably is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Summary {
    /// The median as a cell shows it. Ratios are made from these, so that a reader who divides two cells finds the ratio.
    pub fn shown(self) -> f64 {
        digits::time(self.median, self.spread).read()
    }

    /// The summary in another unit.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Summary {
        Summary { median: self.median * factor, spread: self.spread.map(|spread| spread * factor) }
    }
}

impl Figure {
    /// Of samples of one run; nothing if there are none. Figures with the same rounds are resampled together.
    pub fn of(samples: &ByRound) -> Option<Figure> {
        Figure::of_run(samples, 0)
    }

    /// Of samples of one of several runs, each of which has its own number. Rounds of different runs have nothing in common,
    /// so they are resampled independently.
    pub fn of_run(samples: &ByRound, run: u64) -> Option<Figure> {
        Figure::resampled(samples, run, RESAMPLES)
    }

    /// The same from another number of resamples: a thousand suffice for a simulation of many runs.
    pub fn resampled(samples: &ByRound, run: u64, resamples: usize) -> Option<Figure> {
        let values: Vec<f64> = samples.values().copied().collect();
        let summary = summary(&values)?;
        let count = if values.len() < RUNS_FOR_AN_INTERVAL { 0 } else { resamples };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed(samples.keys().copied(), run));
        Some(Figure { summary, samples: values.len(), resampled: medians(&values, &mut rng, count) })
    }

    /// Whether this figure is larger than `other` beyond chance.
    pub fn is_clearly_above(&self, other: &Figure) -> bool {
        self.over_with(other, CLEAR).interval.is_some_and(|interval| interval.low > 1.0)
    }

    /// This figure over `under`, with a 95 % interval.
    pub fn over(&self, under: &Figure) -> Ratio {
        self.over_with(under, CONFIDENCE)
    }

    /// The same with an interval of another confidence.
    pub fn over_with(&self, under: &Figure, confidence: f64) -> Ratio {
        let ratios = self.resampled.iter().zip(&under.resampled).map(|(over, under)| over / under).collect();
        Ratio { value: self.summary.shown() / under.summary.shown(), interval: middle_of(ratios, confidence) }
    }

    /// Where the true median probably is; `None` if there are too few runs.
    pub fn interval(&self) -> Option<Interval> {
        middle_of(self.resampled.clone(), CONFIDENCE)
    }

    /// The medians of the resamples, for what is made from several figures. Those of the same rounds belong together.
    pub fn resamples(&self) -> &[f64] {
        &self.resampled
    }

    /// The figure in another unit, such as per value.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Figure {
        self.summary = self.summary.scaled(factor);
        self.resampled.iter_mut().for_each(|median| *median *= factor);
        self
    }
}

/// The interval that leaves out as many of the resamples on each side as `confidence` says; nothing if there are none.
pub fn middle_of(mut resamples: Vec<f64>, confidence: f64) -> Option<Interval> {
    resamples.sort_by(f64::total_cmp);
    let outside = ((1.0 - confidence) / 2.0 * resamples.len() as f64) as usize;
    let high = *resamples.get(resamples.len().checked_sub(1 + outside)?)?;
    Some(Interval { low: *resamples.get(outside)?, high })
}

/// Medians of resamples: as many draws as there are values, with replacement.
fn medians(values: &[f64], rng: &mut Xoshiro256PlusPlus, resamples: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let sorted: Vec<f64> = order.iter().map(|&index| values[index]).collect();
    let mut ranks = vec![0; values.len()];
    order.into_iter().enumerate().for_each(|(rank, index)| ranks[index] = rank);
    // How often each rank was drawn says which one is in the middle, without sorting every resample.
    let mut drawn = vec![0usize; values.len()];
    let mut one = || {
        drawn.fill(0);
        (0..values.len()).for_each(|_| drawn[ranks[below(rng, values.len())]] += 1);
        let nth = |wanted: usize| {
            let mut passed = 0;
            let middle = drawn.iter().position(|times| {
                passed += times;
                passed > wanted
            });
            sorted[middle.unwrap_or(0)]
        };
        f64::midpoint(nth((values.len() - 1) / 2), nth(values.len() / 2))
    };
    (0..resamples).map(|_| one()).collect()
}

/// Another seed for other rounds, so that rows which were not timed in the same rounds are resampled independently.
fn seed(rounds: impl Iterator<Item = u32>, run: u64) -> u64 {
    // FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/, over whole numbers instead of bytes.
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    rounds.fold(SEED ^ run.wrapping_mul(PRIME), |hash, round| (hash ^ u64::from(round)).wrapping_mul(PRIME))
}

impl Ratio {
    /// How far the interval reaches from the ratio, as a factor minus 1, on the side where it reaches farther.
    pub fn margin(&self) -> Option<f64> {
        self.interval.map(|Interval { low, high }| (self.value / low).max(high / self.value) - 1.0)
    }

    /// So many times the ratio.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Ratio {
        let interval = self.interval.map(|Interval { low, high }| Interval { low: low * factor, high: high * factor });
        Ratio { value: self.value * factor, interval }
    }
}

impl Interval {
    /// Whether 1 is in it.
    pub fn holds_one(&self) -> bool {
        self.low <= 1.0 && 1.0 <= self.high
    }

    /// How far it reaches from 1, as a factor minus 1, whichever the side.
    pub fn reach(&self) -> f64 {
        let distance = |end: f64| end.max(end.recip()) - 1.0;
        distance(self.low).max(distance(self.high))
    }
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

/// Whether a sample is an outlier among those of `summary`: a modified z-score above 10 (Iglewicz and Hoaglin, *How to Detect
/// and Handle Outliers*, 1993). They propose 3.5; hyperfine takes 10, since times are skewed by nature, and so does this.
pub fn is_outlier(sample: f64, summary: Summary) -> bool {
    /// One standard deviation of normal samples, in median absolute deviations.
    const DEVIATION: f64 = 1.4826;
    summary.spread.is_some_and(|spread| spread > 0.0 && (sample - summary.median).abs() > 10.0 * DEVIATION * spread)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time() -> impl Strategy<Value = f64> {
        0.001..1000.0
    }

    fn by_round(samples: &[f64]) -> ByRound {
        (1..).zip(samples.iter().copied()).collect()
    }

    fn figure(samples: &[f64]) -> Figure {
        Figure::of(&by_round(samples)).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_ratio_is_that_of_the_medians_as_they_are_shown(pairs in proptest::collection::vec((time(), time()), 6..30)) {
            let (over, under): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let ratio = figure(&over).over(&figure(&under));
            let exact = median(over).unwrap() / median(under).unwrap();
            prop_assert!((ratio.value / exact - 1.0).abs() < 0.011, "{ratio:?} {exact}");
            let interval = ratio.interval.unwrap();
            prop_assert!(interval.low <= interval.high, "{ratio:?}");
        }

        #[test]
        fn the_same_samples_have_a_ratio_of_one(times in proptest::collection::vec(time(), 6..30)) {
            let ratio = figure(&times).over(&figure(&times));
            let interval = ratio.interval.unwrap();
            prop_assert_eq!((interval.low, ratio.value, interval.high), (1.0, 1.0, 1.0));
            prop_assert_eq!(ratio.margin(), Some(0.0));
        }

        #[test]
        fn what_slows_whole_rounds_leaves_the_ratio_alone(times in proptest::collection::vec(time(), 6..30), factor in 1.5..3.0f64) {
            let slower: Vec<f64> = times.iter().map(|time| time * factor).collect();
            let interval = figure(&slower).over(&figure(&times)).interval.unwrap();
            prop_assert!(interval.high - interval.low < 1e-9, "{interval:?}");
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
        assert_eq!(Figure::of(&ByRound::new()), None);
    }

    #[test]
    fn five_runs_have_no_interval() {
        assert_eq!((runs_for(CONFIDENCE), runs_for(CLEAR), runs_for(0.997)), (RUNS_FOR_AN_INTERVAL, 7, 10));
        let ratio = figure(&[2.0; 5]).over(&figure(&[1.0; 5]));
        assert_eq!(ratio, Ratio { value: 2.0, interval: None });
        assert_eq!(ratio.margin(), None);
        assert!(!figure(&[2.0; 5]).is_clearly_above(&figure(&[1.0; 5])));
        assert_eq!(figure(&[2.0; 6]).over(&figure(&[1.0; 5])).interval, None);
        assert!(figure(&[2.0; 6]).is_clearly_above(&figure(&[1.0; 6])));
    }

    #[test]
    fn rows_of_other_rounds_and_other_runs_are_resampled_independently() {
        let times = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6];
        let later: ByRound = (3..).zip(times).collect();
        let width = |ratio: Ratio| ratio.interval.map(|interval| interval.high - interval.low).unwrap();
        assert_eq!(width(figure(&times).over(&figure(&times))), 0.0);
        assert!(width(figure(&times).over(&Figure::of(&later).unwrap())) > 0.1);
        let other_run = Figure::of_run(&by_round(&times), 1).unwrap();
        assert!(width(figure(&times).over(&other_run)) > 0.1);
    }

    #[test]
    fn intervals_are_read_from_both_sides() {
        let ratio = Ratio { value: 1.0, interval: Some(Interval { low: 0.8, high: 1.1 }) };
        assert!((ratio.margin().unwrap() - 0.25).abs() < 1e-12);
        assert!((ratio.interval.unwrap().reach() - 0.25).abs() < 1e-12);
        assert!(ratio.interval.unwrap().holds_one());
    }

    #[test]
    fn higher_confidence_makes_wider_intervals() {
        let (over, under) =
            (figure(&[1.0, 1.2, 1.1, 1.4, 1.3, 1.5, 1.2]), figure(&[1.0, 1.1, 0.9, 1.2, 1.3, 1.4, 1.0]));
        let width = |confidence| over.over_with(&under, confidence).interval.map(|it| it.high - it.low).unwrap();
        assert!(width(0.99) > width(0.95) && width(0.95) > width(0.5));
    }

    #[test]
    fn an_outlier_is_far_beyond_the_spread() {
        let summary = summary(&[1.0, 1.01, 0.99, 1.02, 0.98]).unwrap();
        assert!(is_outlier(1.2, summary) && !is_outlier(1.05, summary));
        assert!(!is_outlier(9.0, Summary { median: 1.0, spread: None }));
    }
}
