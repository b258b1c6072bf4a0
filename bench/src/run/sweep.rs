//! Runs of more than one job: one question each, asked of several jobs.
//!
//! The engine takes any list of jobs. A sweep is a name for one, with the rows and the end that its question needs. A new one
//! is an entry of [`SWEEPS`].

use crate::run::allocator::Allocator;
use crate::run::job::Job;

/// A list of jobs under a name.
#[derive(Debug)]
pub struct Sweep {
    /// As it is asked for.
    pub name: &'static str,
    /// What it asks.
    pub about: &'static str,
    /// The strategies that it measures unless others are named.
    pub only: &'static [&'static str],
    /// The allocators, likewise.
    pub allocators: &'static [Allocator],
    /// Its jobs, made from the one that the flags describe.
    jobs: fn(&Job) -> Result<Vec<Job>, String>,
    /// The fewest rounds.
    pub least_rounds: u32,
    /// Seconds that rounds may take.
    pub budget: f64,
}

/// All of them.
pub const SWEEPS: [Sweep; 3] = [ALLOCATORS, SIZE, SKEW];

const ALLOCATORS: Sweep = Sweep {
    name: "allocators",
    about: "the system's allocator, mimalloc and jemalloc, at blocks of 8 kB to 80 MB",
    // The loop alone; threads; threads that stay; and processes, whose outputs are received into blocks.
    only: &["sequential", "std-counter", "rayon-iter", "process-pool"],
    allocators: &[Allocator::System, Allocator::Mimalloc, Allocator::Jemalloc],
    jobs: blocks,
    // 65 cells take two minutes a round on two CPUs. Six rounds are the fewest that have an interval, and allocators differ by
    // more than so few may hide.
    least_rounds: 6,
    budget: 12.0 * 60.0,
};

const SIZE: Sweep = Sweep {
    name: "size",
    about: "the job with all keys, with a tenth and with a hundredth: whether the time of a value stays the same",
    only: &["sequential", "std-counter", "rayon-iter"],
    allocators: &[Allocator::System],
    jobs: |job| {
        let parts = [100, 10, 1].into_iter().filter(|part| job.keys / part >= LEAST_KEYS);
        let jobs: Vec<Job> = parts.map(|part| Job { keys: job.keys / part, ..job.clone() }).collect();
        if jobs.is_empty() { Err(format!("needs --keys {LEAST_KEYS} or more, not {}", job.keys)) } else { Ok(jobs) }
    },
    least_rounds: 6,
    budget: 6.0 * 60.0,
};

const SKEW: Sweep = Sweep {
    name: "skew",
    about: "the same values in equal keys and in unequal ones: who waits for the longest key",
    // The loop, which no skew changes; what divides beforehand; what balances; and what divides keys too.
    only: &["sequential", "std-chunks", "std-counter", "rayon-iter", "rayon-nested"],
    allocators: &[Allocator::System],
    jobs: |job| {
        equal_keys(job)?;
        let skews = ["uniform", "zipf", "one-huge", "one-huge-last"];
        Ok(skews.map(|skew| Job { skew: skew.to_owned(), ..job.clone() }).into())
    },
    least_rounds: 10,
    budget: 6.0 * 60.0,
};

/// Values a key: 8 kB, which every allocator carves from larger pieces, to 80 MB, which glibc always maps anew.
const BLOCKS: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// With fewer keys, not all workers of a usual machine have one, and what is measured is how they are shared out.
const LEAST_KEYS: u64 = 10;

/// The job's values in blocks of other sizes: the total stays, so that all of them hold the same memory.
fn blocks(job: &Job) -> Result<Vec<Job>, String> {
    if job.workload != "fill" {
        return Err(format!("needs --workload fill, not {}: no other has outputs of any size", job.workload));
    }
    equal_keys(job)?;
    let total = job.keys * job.count;
    let blocks = BLOCKS.into_iter().filter(|count| total / count >= LEAST_KEYS && total.is_multiple_of(*count));
    let jobs: Vec<Job> = blocks.map(|count| of_values(job, total, count)).collect();
    if jobs.is_empty() {
        let least = LEAST_KEYS * BLOCKS[0];
        let block = BLOCKS[0];
        return Err(format!("needs --keys × --count to be {least} or more, and a multiple of {block}, not {total}"));
    }
    Ok(jobs)
}

fn equal_keys(job: &Job) -> Result<(), String> {
    if job.skew == "uniform" { Ok(()) } else { Err(format!("needs --skew uniform, not {}", job.skew)) }
}

fn of_values(job: &Job, total: u64, count: u64) -> Job {
    let keys = total / count;
    let workers = usize::try_from(keys).map_or(job.workers, |keys| job.workers.min(keys));
    Job { keys, count, workers, ..job.clone() }
}

impl Sweep {
    /// The sweep called `name`.
    pub fn named(name: &str) -> Option<&'static Sweep> {
        SWEEPS.iter().find(|sweep| sweep.name == name)
    }

    /// Its jobs, made from what the flags ask for.
    ///
    /// # Errors
    ///
    /// What it needs that the flags do not give, in one line.
    pub fn jobs(&self, job: &Job) -> Result<Vec<Job>, String> {
        (self.jobs)(job).map_err(|why| format!("sweep {} {why}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(keys: u64, count: u64) -> Job {
        let (workload, skew, rng) = ("fill".to_owned(), "uniform".to_owned(), "xoshiro".to_owned());
        Job { workload, keys, count, skew, rng, seed: 42, workers: 16, values: 0, output_bytes: 8, neighbour: false }
    }

    fn sizes(keys: u64, count: u64) -> Vec<(u64, u64, usize)> {
        let jobs = SWEEPS[0].jobs(&job(keys, count)).unwrap();
        jobs.iter().map(|job| (job.keys, job.count, job.workers)).collect()
    }

    #[test]
    fn the_same_values_in_blocks_of_five_sizes() {
        let whole = [(100_000, 1_000), (10_000, 10_000), (1_000, 100_000), (100, 1_000_000), (10, 10_000_000)];
        let workers = [16, 16, 16, 16, 10];
        let whole: Vec<_> =
            whole.into_iter().zip(workers).map(|((keys, count), workers)| (keys, count, workers)).collect();
        assert_eq!(sizes(100, 1_000_000), whole);
        assert_eq!(sizes(100, 100_000).len(), 4, "a tenth of the values is one block of 80 MB");
        assert_eq!(sizes(10, 1_000), [(10, 1_000, 10)]);
    }

    #[test]
    fn what_has_no_blocks_is_refused() {
        let refused = |job: &Job| SWEEPS[0].jobs(job).unwrap_err();
        assert_eq!(
            refused(&job(10, 999)),
            "sweep allocators needs --keys × --count to be 10000 or more, and a multiple of 1000, not 9990"
        );
        let skewed = Job { skew: "zipf".to_owned(), ..job(100, 1_000_000) };
        assert_eq!(refused(&skewed), "sweep allocators needs --skew uniform, not zipf");
        let sum = Job { workload: "sum".to_owned(), ..job(100, 1_000_000) };
        assert_eq!(refused(&sum), "sweep allocators needs --workload fill, not sum: no other has outputs of any size");
    }

    #[test]
    fn a_job_a_tenth_of_it_and_a_hundredth() {
        let size = Sweep::named("size").unwrap();
        let keys = |keys| size.jobs(&job(keys, 7)).map(|jobs| jobs.into_iter().map(|job| job.keys).collect::<Vec<_>>());
        assert_eq!(keys(1_000), Ok(vec![10, 100, 1_000]));
        assert_eq!(keys(999), Ok(vec![99, 999]), "with fewer keys than workers, other things are measured");
        assert_eq!(keys(9), Err("sweep size needs --keys 10 or more, not 9".to_owned()));
    }

    #[test]
    fn every_skew_of_one_job() {
        let jobs = Sweep::named("skew").unwrap().jobs(&job(10, 7)).unwrap();
        assert!(jobs.iter().all(|job| (job.keys, job.count) == (10, 7)));
        let skews: Vec<&str> = jobs.iter().map(|job| job.skew.as_str()).collect();
        assert_eq!(skews, ["uniform", "zipf", "one-huge", "one-huge-last"]);
    }

    #[test]
    fn each_has_a_name_of_its_own() {
        for sweep in &SWEEPS {
            assert_eq!(Sweep::named(sweep.name).unwrap().about, sweep.about);
            assert!(sweep.only.contains(&"sequential") && sweep.allocators.contains(&Allocator::System));
        }
        assert!(Sweep::named("nothing").is_none());
    }
}
