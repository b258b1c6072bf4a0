//! Who runs when.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::numbers::random::below;

/// The order of one round: the cells that take part, shuffled, so that no row always follows the same other one and drift of
/// the machine falls on all alike.
///
/// The order depends on the seed and the round alone: not on what failed in earlier rounds, nor on how often this is called.
pub fn order(cells: &[usize], round: u32, seed: u64) -> Vec<usize> {
    let mut order = cells.to_vec();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ (u64::from(round) << 32));
    for last in (1..order.len()).rev() {
        order.swap(last, below(&mut rng, last + 1));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn everybody_runs_once_in_the_order_of_the_seed(cells in 0usize..20, round in 1u32..6, seed: u64) {
            let cells: Vec<usize> = (0..cells).collect();
            let mut shuffled = order(&cells, round, seed);
            prop_assert_eq!(&shuffled, &order(&cells, round, seed));
            shuffled.sort_unstable();
            prop_assert_eq!(shuffled, cells);
        }
    }

    #[test]
    fn rounds_and_seeds_differ() {
        let cells: Vec<usize> = (0..12).collect();
        assert_ne!(order(&cells, 1, 42), order(&cells, 2, 42));
        assert_ne!(order(&cells, 1, 42), order(&cells, 1, 43));
    }
}
