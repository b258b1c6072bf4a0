//! Jobs that are spread out over all that `advise` may be asked about.

use harness::{SKEWS, skew_name};

use crate::run::job::Job;

/// How many.
const JOBS: usize = 48;

/// As many as may have a thread each. What many more keys cost, the sweep over the grain shows.
const MOST_KEYS: f64 = 8_000.0;

/// Of a job with fewer values than this, the cases are as large as of one with so many: else none of them would be asleep.
const LEAST_VALUES: u64 = 500_000;

/// The share of the cases that are asleep.
const ASLEEP: f64 = 1.0 / 3.0;

/// Seconds of a value, about: what of a key computes and what is asleep need only be of the same order.
const VALUE: f64 = 1e-9;

/// What bounds a case.
#[derive(Clone, Copy)]
struct Limits {
    /// What all keys compute, in values.
    values: f64,
    /// What they give, in bytes.
    bytes: f64,
}

/// The cases: each computes up to twice what the job does, and gives up to half as many bytes.
pub(super) fn jobs(job: &Job) -> Vec<Job> {
    let values = (job.keys * job.count).max(LEAST_VALUES) as f64;
    let bytes = (4.0 * values).min(harness::available_memory() as f64 / 5.0);
    let limits = Limits { values: 2.0 * values, bytes };
    let mut jobs: Vec<Job> = (0..).filter_map(|number| case(job, spread_out(number), limits)).take(JOBS).collect();
    jobs.sort_by_key(|job| job.keys);
    jobs
}

/// The case at a point of the unit cube of six dimensions: keys, values, bytes, skew, sleep and workers. Nothing if it would be
/// larger than the limits allow.
fn case(job: &Job, [keys, values, bytes, skew, asleep, workers]: [f64; 6], limits: Limits) -> Option<Job> {
    let keys = between(keys, 2.0, MOST_KEYS).round();
    let bytes = (between(bytes, 8.0, 8e7) / 8.0).round() * 8.0;
    let workers = between(workers, 1.0, 8.0 * job.workers as f64).round();
    let skew = SKEWS[(skew * SKEWS.len() as f64) as usize];
    let (values, slept) = match asleep / ASLEEP {
        // Up to nine tenths of a key that takes longer than a sleep is too long.
        share if share < 1.0 => {
            let (whole, share) = (between(values, 5e4, 1e7), 0.9 * share);
            ((whole * (1.0 - share)).round(), whole * share * VALUE)
        }
        _ => (between(values, 1.0, 5e7).round(), 0.0),
    };
    // What a key costs beside its values counts too.
    let is_small = keys * (values + slept / VALUE + 100.0) <= limits.values && keys * bytes <= limits.bytes;
    is_small.then(|| Job {
        workload: "wait".to_owned(),
        keys: keys as u64,
        count: (slept * 1e6).round() as u64,
        values: values as u64,
        output_bytes: bytes as u64,
        skew: skew_name(skew).to_owned(),
        workers: workers as usize,
        ..job.clone()
    })
}

/// What lies at this share of the way from the least to the most, where equal shares are equal ratios: between 1 and 2 is as much as
/// between 1,000 and 2,000.
pub(crate) fn between(share: f64, least: f64, most: f64) -> f64 {
    (least.ln() + share * (most / least).ln()).exp()
}

/// The point of this number of a sequence that fills the unit cube of six dimensions evenly: R6 of Martin Roberts, *The
/// Unreasonable Effectiveness of Quasirandom Sequences*, 2018. Each dimension goes on by a power of 1/φ, where φ is the root of
/// φ^7 = φ + 1.
fn spread_out(number: u32) -> [f64; 6] {
    const PHI: f64 = 1.112_775_684_278_706;
    let mut step = 1.0;
    [(); 6].map(|()| {
        step /= PHI;
        (0.5 + step * f64::from(number)).fract()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(keys: u64, count: u64) -> Vec<Job> {
        let (workload, skew, rng) = ("fill".to_owned(), "uniform".to_owned(), "xoshiro".to_owned());
        jobs(&Job {
            workload,
            keys,
            count,
            skew,
            rng,
            seed: 42,
            workers: 2,
            values: 0,
            output_bytes: 8,
            neighbour: false,
            own: None,
        })
    }

    #[test]
    fn they_are_of_all_kinds_and_small_enough() {
        let jobs = cases(100, 1_000_000);
        assert_eq!(jobs.len(), JOBS);
        assert!(jobs.windows(2).all(|pair| pair[0].keys <= pair[1].keys));
        let count = |is: &dyn Fn(&Job) -> bool| jobs.iter().filter(|job| is(job)).count();
        for skew in SKEWS {
            assert!(count(&|job| job.skew == skew_name(skew)) >= 8, "{skew:?}");
        }
        assert!((10..=20).contains(&count(&|job| job.count > 0)));
        for halves in [
            [count(&|job| job.keys < 130), count(&|job| job.keys > 130)],
            [count(&|job| job.values < 5_000), count(&|job| job.values > 5_000)],
            [count(&|job| job.output_bytes < 5_000), count(&|job| job.output_bytes > 5_000)],
            [count(&|job| job.workers < 4), count(&|job| job.workers > 4)],
        ] {
            assert!(halves.iter().all(|half| *half >= 10), "{halves:?}");
        }
        for job in &jobs {
            assert!(job.keys * job.output_bytes <= 400_000_000 && job.keys * job.values <= 200_000_000, "{job:?}");
            assert!((1..=16).contains(&job.workers) && job.output_bytes >= 8 && job.output_bytes.is_multiple_of(8));
        }
    }

    #[test]
    fn a_small_job_has_small_cases_and_some_of_them_sleep() {
        let small = cases(10, 1_000);
        assert!(small.len() == JOBS && small.iter().any(|job| job.count > 0));
        assert!(small.iter().all(|job| job.keys * job.values <= 1_000_000 && job.keys * job.output_bytes <= 2_000_000));
    }

    #[test]
    fn points_are_spread_out_over_every_dimension() {
        // Of 64 random points, each of eight equal parts would have from 3 to 14.
        for dimension in 0..6 {
            let mut parts = [0; 8];
            (0..64).for_each(|number| parts[(8.0 * spread_out(number)[dimension]) as usize] += 1);
            assert!(parts.iter().all(|part| (5..=11).contains(part)), "{dimension}: {parts:?}");
        }
    }
}
