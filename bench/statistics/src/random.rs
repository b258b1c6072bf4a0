//! Random choices that come out the same from the same seed, with any version of any crate.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// A number below `bound`. Not a crate's: the tables must come out the same from the same files. The bias of this
/// multiplication is below 2^-50 for the bounds here.
pub fn below(rng: &mut Xoshiro256PlusPlus, bound: usize) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_xoshiro::rand_core::SeedableRng;

    proptest! {
        #[test]
        fn numbers_stay_below_their_bound(bound in 1usize..1000, seed: u64) {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            prop_assert!(below(&mut rng, bound) < bound);
        }
    }
}
