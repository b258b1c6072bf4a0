//! Counts the primes below a number, a hundred times.
//!
//! A key is one count, and all keys are alike. Nothing is read: the number comes from the command line. Keys compute, and
//! return one number each, so the job shows what a strategy itself costs.

use fanout::{Deserialize, Serialize, Workload};

/// Below which number each key counts.
#[derive(Serialize, Deserialize)]
pub struct Primes {
    below: Vec<u64>,
}

impl Workload for Primes {
    type Output = u64;
    fn keys(&self) -> usize {
        self.below.len()
    }
    fn expand(&self, index: usize) -> u64 {
        let is_prime = |n: &u64| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
        (2..self.below[index]).filter(is_prime).count() as u64
    }
}

fanout::job!(Primes, |arguments: &[String]| Ok(Primes { below: vec![arguments[0].parse()?; 100] }));

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use fanout::declared::Declared;
    use fanout::{Context, Runs};
    use rayon_iter::RayonIter;
    use sequential::Sequential;

    use super::*;

    fn outputs<S: Runs<Primes>>() -> Vec<u64> {
        let context = Context::new(NonZeroUsize::new(2).unwrap());
        let mut strategy = S::start(&context).unwrap();
        let workload = Primes { below: vec![0, 2, 3, 10, 1_000] };
        strategy.run(&Arc::new(workload)).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn two_strategies_give_the_same() {
        assert_eq!(outputs::<Sequential>(), [0, 0, 1, 4, 168]);
        assert_eq!(outputs::<RayonIter>(), outputs::<Sequential>());
    }

    #[test]
    fn the_argument_is_a_number() {
        assert_eq!(FanoutJob::make(&["10".to_owned()]).unwrap().keys(), 100);
        assert_eq!(FanoutJob::make(&["ten".to_owned()]).err().unwrap().to_string(), "invalid digit found in string");
    }
}
