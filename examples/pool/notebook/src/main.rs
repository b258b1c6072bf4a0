//! The job of a Python notebook that compares one thread, `ProcessPoolExecutor` and loky: a hundred random keys, and for
//! each key a list of random numbers that are multiplied by it. In Python:
//!
//! ```python
//! def inner_loop(random_value):
//!     inner_values = []
//!     for i in range(COUNT):
//!         inner_values.append(random_value * random.random())
//!     return random_value, inner_values
//!
//! dict(pool.map(inner_loop, random_values))
//! ```
//!
//! This program does it in a plain loop and by a pool, and compares both. Run it with `--release`:
//!
//! ```sh
//! cargo run --release -- 100 1000000
//! ```
//!
//! The notebook's numbers differ from run to run. Here each key has a seed of its own, so that the loop and the pool must
//! come to the same bits.

use std::process::ExitCode;
use std::time::Instant;

use fanout_pool::{CallError, Pool, Raw};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// How many keys there are, and how many values each has. The notebook has a million values, which are 800 MB for a
/// hundred keys, twice.
const KEYS: usize = 100;
const COUNT: usize = 100_000;

#[derive(Serialize, Deserialize, Clone, Copy)]
struct Key {
    random_value: f64,
    seed: u64,
    count: usize,
}

fn inner_values(key: Key) -> Vec<f64> {
    let mut rng = Rng::with_seed(key.seed);
    (0..key.count).map(|_| key.random_value * rng.f64()).collect()
}

/// `Raw` sends the numbers as they lie in memory. It is much faster than a serialiser, and nothing is rounded.
fn inner_loop(key: Key) -> Raw<f64> {
    Raw(inner_values(key))
}
fanout_pool::register!(inner_loop);

fn keys(keys: usize, count: usize) -> Vec<Key> {
    let mut rng = Rng::with_seed(0);
    (0..keys).map(|_| Key { random_value: rng.f64(), seed: rng.u64(..), count }).collect()
}

fn by_loop(keys: &[Key]) -> Vec<Vec<f64>> {
    keys.iter().map(|&key| inner_values(key)).collect()
}

/// All values, or the first key's error, which cancels the rest.
fn by_pool(pool: &Pool, keys: &[Key]) -> Result<Vec<Vec<f64>>, CallError> {
    pool.map(inner_loop, keys.iter().copied()).map(|values| values.map(|Raw(values)| values)).collect()
}

/// What tells one run from another at a glance.
fn sum(all: &[Vec<f64>]) -> f64 {
    all.iter().flatten().sum()
}

/// Not `==`, for which 0 and -0 are the same.
fn are_same_bits(one: &[Vec<f64>], other: &[Vec<f64>]) -> bool {
    let are_same = |(one, other): (&Vec<f64>, &Vec<f64>)| {
        one.iter().map(|value| value.to_bits()).eq(other.iter().map(|value| value.to_bits()))
    };
    one.len() == other.len() && one.iter().zip(other).all(are_same)
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("notebook: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<String>) -> Result<(), Box<dyn std::error::Error>> {
    if arguments.len() > 2 {
        return Err("usage: notebook [KEYS [COUNT]]".into());
    }
    let keys = keys(number(arguments.first(), KEYS)?, number(arguments.get(1), COUNT)?);

    let start = Instant::now();
    let looped = by_loop(&keys);
    let took = start.elapsed().as_secs_f64();
    println!("loop: {took:.3} s, sum {}", sum(&looped));

    // As in the notebook, the pool is not timed while it starts.
    let pool = Pool::builder().start()?;
    let start = Instant::now();
    let pooled = by_pool(&pool, &keys)?;
    let took = start.elapsed().as_secs_f64();
    println!("pool: {took:.3} s, sum {}", sum(&pooled));

    if are_same_bits(&looped, &pooled) { Ok(()) } else { Err("the loop and the pool differ".into()) }
}

fn number(given: Option<&String>, default: usize) -> Result<usize, String> {
    let Some(given) = given else { return Ok(default) };
    given.parse().map_err(|_| format!("expected a number, not `{given}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_and_pool_come_to_the_same_bits() -> Result<(), Box<dyn std::error::Error>> {
        let keys = keys(10, 1_000);
        let pool = Pool::builder().workers(2).start()?;
        let pooled = by_pool(&pool, &keys)?;
        assert!(are_same_bits(&pooled, &by_loop(&keys)));
        assert_eq!(pooled.len(), 10);
        assert!(pooled.iter().all(|values| values.len() == 1_000));
        Ok(())
    }

    #[test]
    fn other_keys_come_to_other_bits() {
        let mut others = keys(2, 10);
        others[1].seed += 1;
        assert!(!are_same_bits(&by_loop(&keys(2, 10)), &by_loop(&others)));
    }

    #[test]
    fn wrong_arguments_are_told() {
        let told =
            |arguments: &[&str]| run(arguments.iter().map(|one| one.to_string()).collect()).unwrap_err().to_string();
        assert_eq!(told(&["ten"]), "expected a number, not `ten`");
        assert_eq!(told(&["1", "2", "3"]), "usage: notebook [KEYS [COUNT]]");
    }
}
