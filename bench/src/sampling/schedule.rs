//! Who runs when, and how often.

use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// How often a row is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs {
    /// Whole processes timed from outside, at most one per round.
    pub cold: u32,
    /// Processes that time their own batches, likewise.
    pub warm: u32,
    /// Batches per warm process, the first of which is cold.
    pub batches: u32,
}

/// A row of the notebook that takes longer gets [`FEW`] runs. At the default size its rows take 20 to 35 s a run: all ten
/// rounds of one of them would last longer than all strategies together, and what is to be told, a factor of tens, shows
/// in three.
pub const SLOW: Duration = Duration::from_secs(5);

/// A row of the notebook that takes longer, as numpy's do at the default size, is timed cold in every round, so that its
/// ratios have as many pairs as those of strategies, but has [`FEW`] warm processes.
pub const SLOWISH: Duration = Duration::from_secs(1);

/// The fewest runs that have a middle one.
pub const FEW: u32 = 3;

impl Runs {
    /// A run of each kind in each round.
    pub fn every(rounds: u32, batches: u32) -> Runs {
        Runs { cold: rounds, warm: rounds, batches }
    }

    /// For a row of the notebook that takes `run`. Where its clock is the warm one, that is the one with some samples.
    pub fn affordable(run: Duration, is_warm: bool, rounds: u32, batches: u32) -> Runs {
        let few = rounds.min(FEW);
        match run {
            _ if run > SLOW => Runs { cold: few, warm: if is_warm { few } else { 1 }, batches: batches.min(2) },
            _ if run > SLOWISH => Runs { cold: rounds, warm: few, batches },
            _ => Runs::every(rounds, batches),
        }
    }

    /// How many times the job is done: cold, warm, and for the check that goes with each warm process.
    pub fn jobs(self) -> u32 {
        self.cold + self.warm * (self.batches + 1)
    }
}

/// Whether a row with `runs` of them takes part in `round` of `rounds`: in the first, and then evenly spread.
pub fn takes_part(runs: u32, round: u32, rounds: u32) -> bool {
    let passed = u64::from(round.saturating_sub(1));
    passed * u64::from(runs) % u64::from(rounds.max(1)) < u64::from(runs)
}

/// The order of one round: every row that takes part, shuffled, so that no row always follows the same other one and drift
/// of the machine falls on all alike. `runs` holds each row's number of runs; the result holds indices into it.
///
/// The order depends on the seed and the round alone: not on what failed in earlier rounds, nor on how often this is called.
pub fn order(runs: &[u32], round: u32, rounds: u32, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..runs.len()).filter(|&row| takes_part(runs[row], round, rounds)).collect();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ (u64::from(round) << 32));
    for last in (1..order.len()).rev() {
        order.swap(last, below(&mut rng, last + 1));
    }
    order
}

/// A number below `bound`. Not a crate's: the tables must come out the same from the same files with any version of it. The
/// bias of this multiplication is below 2^-50 for the bounds here.
pub(crate) fn below(rng: &mut Xoshiro256PlusPlus, bound: usize) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_has_its_runs_one_per_round(
            runs in proptest::collection::vec(0u32..6, 0..20), more in 0u32..6, seed: u64,
        ) {
            let rounds = runs.iter().max().unwrap_or(&0) + more;
            let mut had = vec![0; runs.len()];
            for round in 1..=rounds {
                let order = order(&runs, round, rounds, seed);
                for row in order {
                    had[row] += 1;
                    prop_assert!(had[row] <= round, "twice in one round");
                }
            }
            prop_assert_eq!(had, runs);
        }

        #[test]
        fn the_order_of_a_round_is_that_of_its_seed(
            runs in proptest::collection::vec(1u32..6, 0..20), round in 1u32..6, seed: u64,
        ) {
            prop_assert_eq!(order(&runs, round, 6, seed), order(&runs, round, 6, seed));
        }

        #[test]
        fn numbers_stay_below_their_bound(bound in 1usize..1000, seed: u64) {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            prop_assert!(below(&mut rng, bound) < bound);
        }
    }

    #[test]
    fn rounds_and_seeds_differ() {
        let rows = [9; 12];
        assert_ne!(order(&rows, 1, 9, 42), order(&rows, 2, 9, 42));
        assert_ne!(order(&rows, 1, 9, 42), order(&rows, 1, 9, 43));
    }

    #[test]
    fn few_runs_are_spread_and_begin_at_once() {
        let rounds = |runs| (1..=10).filter(|round| takes_part(runs, *round, 10)).collect::<Vec<_>>();
        assert_eq!(rounds(3), [1, 5, 8]);
        assert_eq!(rounds(1), [1]);
        assert_eq!(rounds(10).len(), 10);
        assert_eq!(rounds(0), [0; 0]);
    }

    #[test]
    fn slow_rows_get_fewer_runs() {
        let affordable = |seconds: u64, is_warm| Runs::affordable(Duration::from_secs(seconds), is_warm, 10, 3);
        assert_eq!(affordable(1, false), Runs { cold: 10, warm: 10, batches: 3 });
        assert_eq!(affordable(2, false), Runs { cold: 10, warm: 3, batches: 3 });
        assert_eq!(affordable(30, false), Runs { cold: 3, warm: 1, batches: 2 });
        assert_eq!(affordable(20, true), Runs { cold: 3, warm: 3, batches: 2 });
        assert_eq!(Runs::affordable(SLOW * 2, false, 2, 3), Runs { cold: 2, warm: 1, batches: 2 });
        assert_eq!(affordable(30, false).jobs(), 6);
    }
}
