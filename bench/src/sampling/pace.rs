//! What a value costs on this machine.

use std::hint::black_box;
use std::time::Instant;

use workloads::{Job, Parameters};

/// Values of one look: with every instruction set less than some milliseconds.
const VALUES: u64 = 1_000_000;

/// Of so many looks the fastest counts: the first one may meet a processor that is asleep.
const LOOKS: usize = 5;

/// How many seconds one thread needs for a value that is summed up.
///
/// # Panics
///
/// Never: one key is a job.
pub fn seconds_per_value() -> f64 {
    let parameters = Parameters { keys: 1, count: VALUES, ..Parameters::default() };
    let job = Job::new(parameters).unwrap_or_else(|error| panic!("one key: {error}"));
    let look = || {
        let began = Instant::now();
        black_box(job.sum(0));
        began.elapsed().as_secs_f64()
    };
    (0..LOOKS).map(|_| look()).fold(f64::INFINITY, f64::min) / VALUES as f64
}
