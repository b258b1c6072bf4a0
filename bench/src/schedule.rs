//! Who runs when.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// The order of one round: every row that still takes part, shuffled, so that no row always follows the same other one and
/// drift of the machine falls on all alike. `rounds` holds each row's number of rounds; the result holds indices into it.
///
/// The order depends on the seed and the round alone: not on what failed in earlier rounds, nor on how often this is called.
pub fn order(rounds: &[u32], round: u32, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rounds.len()).filter(|&row| round <= rounds[row]).collect();
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
        fn every_row_runs_once_in_each_of_its_rounds(
            rounds in proptest::collection::vec(0u32..5, 0..20), round in 1u32..6, seed: u64,
        ) {
            let mut rows = order(&rounds, round, seed);
            prop_assert_eq!(&rows, &order(&rounds, round, seed));
            rows.sort_unstable();
            let expected: Vec<usize> = (0..rounds.len()).filter(|&row| rounds[row] >= round).collect();
            prop_assert_eq!(rows, expected);
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
        assert_ne!(order(&rows, 1, 42), order(&rows, 2, 42));
        assert_ne!(order(&rows, 1, 42), order(&rows, 1, 43));
    }
}
