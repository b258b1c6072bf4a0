//! Runs of more than one job: one question each, asked of several jobs.
//!
//! The engine takes any list of jobs. A sweep is a name for one, with the rows and the end that its question needs. A new one
//! is an entry of [`SWEEPS`].

use harness::{SKEWS, skew_name};

use crate::run::allocator::Allocator;
use crate::run::job::Job;
use crate::run::plan::Stop;

mod cases;
mod end;

pub(crate) use cases::between;
pub use end::End;

/// A list of jobs under a name.
#[derive(Debug)]
pub struct Sweep {
    /// As it is asked for.
    pub name: &'static str,
    /// What it asks.
    pub about: &'static str,
    /// The strategies that it measures unless others are named; all if there are none.
    pub only: &'static [&'static str],
    /// The allocators, likewise.
    pub allocators: &'static [Allocator],
    /// Its jobs, made from the one that the flags describe and from what a value costs here.
    jobs: fn(&Job, Pace) -> Result<Vec<Job>, String>,
    /// When a row has shown enough, and is not timed at the jobs after that; the jobs are then in order.
    pub ends: Option<End>,
    /// What is timed, and how often.
    pub timed: Timed,
    /// Whether it belongs to a full run.
    pub is_of_full: bool,
    /// What it asks of a job of the reader's, whose keys are what they are, if it can be made of one.
    pub of_own: Option<&'static str>,
}

/// What is timed of a cell, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Timed {
    /// Whole processes from outside, and processes of two batches by themselves, until intervals are narrow.
    Both {
        /// The fewest rounds.
        least_rounds: u32,
        /// Seconds that rounds may take.
        budget: f64,
    },
    /// Processes of one batch, by themselves. So few have no interval.
    FirstBatch {
        /// How many rounds.
        rounds: u32,
    },
}

/// How many seconds one thread needs for a value that is summed up: asked for by a sweep whose jobs depend on it.
pub type Pace = fn() -> f64;

/// All of them.
pub const SWEEPS: [Sweep; 8] = [GRAIN, SCALING, SKEW, SIZE, BLOCKING, INTERFERENCE, CASES, ALLOCATORS];

/// Rounds of a sweep of many cells: the fewest that have an interval.
const FEW_ROUNDS: u32 = 6;

/// Seconds of such a sweep: on two CPUs, the fewest rounds take as long or longer.
const MANY_CELLS: f64 = 100.0;

const SYSTEM: &[Allocator] = &[Allocator::System];

const GRAIN: Sweep = Sweep {
    name: "grain",
    about: "many keys that become shorter: what a key costs besides its work",
    only: &[],
    allocators: SYSTEM,
    jobs: |job, _| {
        equal_keys(job)?;
        let total = job.keys * job.count;
        let least = GRAIN_LEAST_KEYS.max(8 * job.workers as u64);
        let coarsest = total / least;
        if coarsest == 0 {
            return Err(format!("needs --keys × --count to be {least} or more, not {total}"));
        }
        let grain = |power: u32| {
            let count = 1 << power;
            let keys = (total / count).min(GRAIN_MOST_KEYS);
            Job { workload: "sum".to_owned(), keys, count, ..job.clone() }
        };
        Ok((0..=coarsest.ilog2()).rev().map(grain).collect())
    },
    // Half of what METG(50 %) needs a point below of.
    ends: Some(End::Below(0.25)),
    timed: Timed::Both { least_rounds: FEW_ROUNDS, budget: MANY_CELLS },
    is_of_full: true,
    of_own: None,
};

/// At the coarsest grain: enough to be shared out evenly.
const GRAIN_LEAST_KEYS: u64 = 16;

/// Bounds the keys of a batch: with a tenth of a microsecond for each it still takes 10 ms, and no more of them would say more.
/// Below the grain at which there are so many, batches become shorter.
const GRAIN_MOST_KEYS: u64 = 1 << 17;

const SCALING: Sweep = Sweep {
    name: "scaling",
    about: "one worker, up to four on each CPU: sums, and outputs of a tenth of the size",
    only: &[],
    allocators: SYSTEM,
    jobs: |job, _| {
        equal_keys(job)?;
        let most = 4 * job.workers;
        let mut workers: Vec<usize> = (0..usize::BITS).map(|power| 1 << power).take_while(|it| *it <= most).collect();
        workers.push(job.workers);
        workers.retain(|workers| *workers <= most && *workers as u64 <= job.keys);
        workers.sort_unstable();
        workers.dedup();
        if job.own.is_some() {
            return Ok(workers.iter().map(|workers| Job { workers: *workers, ..job.clone() }).collect());
        }
        let of = |workload: &str, count: u64| {
            let job = Job { workload: workload.to_owned(), count, ..job.clone() };
            workers.iter().map(|workers| Job { workers: *workers, ..job.clone() }).collect::<Vec<_>>()
        };
        // Half of the job is enough to tell how it is shared out.
        Ok([of("sum", job.count.div_ceil(2)), of("fill", job.count.div_ceil(10))].concat())
    },
    ends: None,
    timed: Timed::Both { least_rounds: FEW_ROUNDS, budget: MANY_CELLS },
    is_of_full: true,
    of_own: Some("one worker, up to four on each CPU"),
};

const SKEW: Sweep = Sweep {
    name: "skew",
    about: "the same values in equal keys and in unequal ones: who waits for the longest key",
    only: &[],
    allocators: SYSTEM,
    jobs: |job, _| {
        equal_keys(job)?;
        // Who waits for whom shows in a part of the values as well.
        let count = job.count.div_ceil(5);
        Ok(SKEWS.map(|skew| Job { skew: skew_name(skew).to_owned(), count, ..job.clone() }).into())
    },
    ends: None,
    timed: Timed::Both { least_rounds: FEW_ROUNDS, budget: MANY_CELLS },
    is_of_full: true,
    of_own: None,
};

const SIZE: Sweep = Sweep {
    name: "size",
    about: "outputs from a ten thousandth of the job's size to ten times that, and of 8 kB to 80 MB a key: where a value costs more",
    // The loop alone; threads; threads that stay; and processes, whose outputs are moved.
    only: &["sequential", "std-counter", "rayon-iter", "process-pool"],
    allocators: SYSTEM,
    jobs: |job, _| {
        let blocks = blocks(job)?;
        let totals = (0..=5).map(|power| Job { count: 100 * 10u64.pow(power), ..job.clone() });
        // The outputs of processes are held twice while they are moved, and more than that is touched beforehand.
        let memory = harness::available_memory() / 3;
        let fits = |of: &Job| 8 * u128::from(of.keys) * u128::from(of.count) <= memory && of.count <= 10 * job.count;
        let mut jobs: Vec<Job> = totals.filter(fits).collect();
        let others: Vec<Job> = blocks.into_iter().filter(|block| !jobs.contains(block)).collect();
        jobs.extend(others);
        Ok(jobs)
    },
    ends: None,
    timed: Timed::Both { least_rounds: FEW_ROUNDS, budget: MANY_CELLS },
    is_of_full: true,
    of_own: None,
};

const BLOCKING: Sweep = Sweep {
    name: "blocking",
    about: "keys that are asleep for 0 to 90 % of their time: when more threads than CPUs are faster",
    only: &[],
    allocators: SYSTEM,
    jobs: |job, pace| {
        let pace = pace();
        let keys = job.keys.min(BLOCKING_KEYS.max(8 * job.workers as u64));
        let part = |share: f64, seconds: f64| (share * BLOCKING_KEY / seconds).round() as u64;
        let of = |asleep: f64| {
            let (workload, skew) = ("wait".to_owned(), "uniform".to_owned());
            let (count, values) = (part(asleep, 1e-6), part(1.0 - asleep, pace));
            Job { workload, skew, count, values, keys, ..job.clone() }
        };
        let workers = [1, 2, 8].map(|each| each * job.workers);
        let jobs = BLOCKING_SHARES.into_iter().flat_map(|share| workers.map(|workers| Job { workers, ..of(share) }));
        let mut jobs: Vec<Job> = jobs.map(of_workers).collect();
        // With very few keys, several numbers of workers are the same.
        jobs.dedup();
        Ok(jobs)
    },
    ends: None,
    timed: Timed::Both { least_rounds: FEW_ROUNDS, budget: MANY_CELLS },
    is_of_full: true,
    of_own: None,
};

/// Seconds of a key: long beside what a sleep takes too long, some 60 µs on Linux.
const BLOCKING_KEY: f64 = 1e-3;

/// Bounds the keys, unless there are more workers: `sequential` then takes 50 ms.
const BLOCKING_KEYS: u64 = 50;

/// How much of a key is asleep.
const BLOCKING_SHARES: [f64; 3] = [0.0, 0.5, 0.9];

const INTERFERENCE: Sweep = Sweep {
    name: "interference",
    about: "the same sums alone, and with a busy program on one of the CPUs: who waits for the slow worker",
    only: &[],
    allocators: SYSTEM,
    jobs: |job, _| {
        let sum = if job.own.is_some() { job.clone() } else { Job { workload: "sum".to_owned(), ..job.clone() } };
        Ok(vec![sum.clone(), Job { neighbour: true, ..sum }])
    },
    ends: None,
    timed: Timed::Both { least_rounds: 10, budget: 75.0 },
    is_of_full: true,
    of_own: Some("the same job alone, and with a busy program on one of the CPUs: who waits for the slow worker"),
};

const CASES: Sweep = Sweep {
    name: "cases",
    about: "jobs of all kinds: few keys and many, short and long, equal and unequal, awake and asleep, with small outputs and large",
    only: &[],
    allocators: SYSTEM,
    jobs: |job, _| {
        equal_keys(job)?;
        Ok(cases::jobs(job))
    },
    // What a key costs so much more than its work shows with fewer keys as well.
    ends: Some(End::After(2.0)),
    timed: Timed::FirstBatch { rounds: 3 },
    is_of_full: true,
    of_own: None,
};

const ALLOCATORS: Sweep = Sweep {
    name: "allocators",
    about: "the system's allocator, mimalloc and jemalloc, at blocks of 8 kB to 80 MB",
    // The loop alone; threads; threads that stay; and processes, whose outputs are received into blocks.
    only: &["sequential", "std-counter", "rayon-iter", "process-pool"],
    allocators: &[Allocator::System, Allocator::Mimalloc, Allocator::Jemalloc],
    jobs: |job, _| blocks(job),
    ends: None,
    // 65 cells take two minutes a round on two CPUs, and allocators differ by more than so few rounds may hide.
    timed: Timed::Both { least_rounds: FEW_ROUNDS, budget: 12.0 * 60.0 },
    is_of_full: false,
    of_own: None,
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
    if job.own.is_some() || job.skew == "uniform" {
        Ok(())
    } else {
        Err(format!("needs --skew uniform, not {}", job.skew))
    }
}

fn of_values(job: &Job, total: u64, count: u64) -> Job {
    of_workers(Job { keys: total / count, count, ..job.clone() })
}

/// With no more workers than there are keys.
fn of_workers(job: Job) -> Job {
    let workers = usize::try_from(job.keys).map_or(job.workers, |keys| job.workers.min(keys));
    Job { workers, ..job }
}

impl Timed {
    /// Batches of a process that times itself.
    pub fn batches(self) -> u32 {
        match self {
            Timed::Both { .. } => 2,
            Timed::FirstBatch { .. } => 1,
        }
    }

    /// Whether whole processes are timed from outside.
    pub fn is_cold(self) -> bool {
        matches!(self, Timed::Both { .. })
    }
}

impl Sweep {
    /// The sweep called `name`.
    pub fn named(name: &str) -> Option<&'static Sweep> {
        SWEEPS.iter().find(|sweep| sweep.name == name)
    }

    /// That it can be made of a job of the reader's.
    ///
    /// # Errors
    ///
    /// Why it cannot, and which can, in one line.
    pub fn check_own(&self) -> Result<(), String> {
        if self.of_own.is_some() {
            return Ok(());
        }
        let names = SWEEPS.iter().filter(|sweep| sweep.of_own.is_some()).map(|sweep| sweep.name);
        let names = names.collect::<Vec<_>>().join(" and ");
        Err(format!(
            "sweep {}: it varies keys, and those of a job of your own are what they are; {names} can be made of it",
            self.name
        ))
    }

    /// What it asks of this job.
    pub fn asks(&self, job: Option<&Job>) -> &'static str {
        let is_own = job.is_some_and(|job| job.own.is_some());
        self.of_own.filter(|_| is_own).unwrap_or(self.about)
    }

    /// When it has rounds enough: `asked` says what is the same in every run, and `budget` is there if that was asked for.
    pub fn stop(&self, asked: Stop, budget: Option<f64>) -> Stop {
        match self.timed {
            _ if asked.rounds.is_some() => asked,
            Timed::Both { least_rounds, budget: own } => {
                Stop { least: Some(least_rounds), budget: budget.unwrap_or(own), ..asked }
            }
            Timed::FirstBatch { rounds } => Stop { rounds: Some(rounds), ..asked },
        }
    }

    /// Its jobs, made from what the flags ask for.
    ///
    /// # Errors
    ///
    /// What it needs that the flags do not give, in one line.
    pub fn jobs(&self, job: &Job, pace: Pace) -> Result<Vec<Job>, String> {
        if job.own.is_some() {
            self.check_own()?;
        }
        let jobs = (self.jobs)(job, pace).map_err(|why| format!("sweep {} {why}", self.name))?;
        // What only `wait` has is of no use to the others.
        let plain = |job: Job| if job.workload == "wait" { job } else { job.without_values() };
        Ok(jobs.into_iter().map(plain).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(keys: u64, count: u64) -> Job {
        let (workload, skew, rng) = ("fill".to_owned(), "uniform".to_owned(), "xoshiro".to_owned());
        Job {
            workload,
            keys,
            count,
            skew,
            rng,
            seed: 42,
            workers: 16,
            values: 0,
            output_bytes: 8,
            neighbour: false,
            own: None,
        }
    }

    fn sizes(keys: u64, count: u64) -> Vec<(u64, u64, usize)> {
        let jobs = ALLOCATORS.jobs(&job(keys, count), pace).unwrap();
        jobs.iter().map(|job| (job.keys, job.count, job.workers)).collect()
    }

    fn pace() -> f64 {
        1e-9
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
        let refused = |job: &Job| ALLOCATORS.jobs(job, pace).unwrap_err();
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
    fn a_key_is_halved_until_it_is_one_value() {
        let jobs = GRAIN.jobs(&Job { workers: 2, ..job(100, 1_000_000) }, pace).unwrap();
        let sizes: Vec<(u64, u64)> = jobs.iter().map(|job| (job.keys, job.count)).collect();
        assert_eq!((sizes[0], sizes[1]), ((23, 1 << 22), (47, 1 << 21)));
        assert_eq!(sizes[sizes.len() - 2..], [(1 << 17, 2), (1 << 17, 1)]);
        assert!(sizes.windows(2).all(|pair| pair[0].1 == 2 * pair[1].1 && pair[0].0 <= pair[1].0));
        assert!(jobs.iter().all(|job| job.workload == "sum"));
        assert_eq!(
            GRAIN.jobs(&job(10, 12), pace).unwrap_err(),
            "sweep grain needs --keys × --count to be 128 or more, not 120"
        );
    }

    #[test]
    fn up_to_four_workers_on_each_cpu() {
        let workers = |cpus, keys| {
            let jobs = SCALING.jobs(&Job { workers: cpus, ..job(keys, 1_000) }, pace).unwrap();
            let (sums, fills): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.workload == "sum");
            assert!(fills.iter().all(|job| job.workload == "fill" && job.count == 100));
            assert_eq!(sums.len(), fills.len());
            sums.into_iter().map(|job| job.workers).collect::<Vec<_>>()
        };
        assert_eq!(workers(2, 100), [1, 2, 4, 8]);
        assert_eq!(workers(12, 100), [1, 2, 4, 8, 12, 16, 32]);
        assert_eq!(workers(7, 5), [1, 2, 4], "no more than there are keys");
    }

    #[test]
    fn every_total_and_every_block_once() {
        let jobs = SIZE.jobs(&job(100, 10_000), pace).unwrap();
        let totals: Vec<u64> = jobs.iter().filter(|job| job.keys == 100).map(|job| job.count).collect();
        let blocks: Vec<u64> = jobs.iter().filter(|job| job.keys != 100).map(|job| job.count).collect();
        assert_eq!(totals, [100, 1_000, 10_000, 100_000], "up to ten times the job");
        assert_eq!(blocks, [1_000, 100_000], "10,000 values a key are among the totals");
    }

    #[test]
    fn a_key_takes_a_millisecond_however_much_of_it_is_asleep() {
        let jobs = BLOCKING.jobs(&Job { workers: 2, ..job(100, 1_000) }, pace).unwrap();
        let parts: Vec<(u64, u64, usize)> = jobs.iter().map(|job| (job.values, job.count, job.workers)).collect();
        assert_eq!(parts[..3], [(1_000_000, 0, 2), (1_000_000, 0, 4), (1_000_000, 0, 16)]);
        assert_eq!(parts[6..], [(100_000, 900, 2), (100_000, 900, 4), (100_000, 900, 16)]);
        assert!(jobs.iter().all(|job| job.keys == 50));
    }

    #[test]
    fn one_job_alone_and_with_a_neighbour() {
        let jobs = INTERFERENCE.jobs(&job(10, 7), pace).unwrap();
        assert_eq!(jobs.iter().map(|job| job.neighbour).collect::<Vec<_>>(), [false, true]);
        assert_eq!(jobs[0].flags(), jobs[1].flags());
    }

    #[test]
    fn every_skew_of_one_job() {
        let jobs = SKEW.jobs(&job(10, 7), pace).unwrap();
        assert!(jobs.iter().all(|job| (job.keys, job.count) == (10, 2)));
        let skews: Vec<&str> = jobs.iter().map(|job| job.skew.as_str()).collect();
        assert_eq!(skews, ["uniform", "zipf", "one-huge", "one-huge-last"]);
    }

    #[test]
    fn each_has_a_name_of_its_own() {
        for sweep in &SWEEPS {
            assert_eq!(Sweep::named(sweep.name).unwrap().about, sweep.about);
            assert!(sweep.only.is_empty() || sweep.only.contains(&"sequential"));
            assert!(sweep.allocators.contains(&Allocator::System));
        }
        assert!(Sweep::named("nothing").is_none());
    }
}
