//! What unequal keys cost: the makespan over its lower bound.
//!
//! No schedule is shorter than the longest key, nor than all keys shared out evenly among the workers that can run at once
//! (R. L. Graham, *Bounds on Multiprocessing Timing Anomalies*, 1969). Both are values of the job, in the time of a value that
//! `sequential` measured at the same job, warm.

use harness::skew_named;
use workloads::Parameters;

use crate::numbers::curves::{self, Bars, Drawing, Mark, Unit};
use crate::numbers::stats::Ratio;
use crate::numbers::views::{Clock, at_once, axis, bars, divided, strategies};
use crate::run::Run;
use crate::run::job::Job;

/// The view. All times are warm.
#[derive(Clone, Debug, PartialEq)]
pub struct Makespan {
    /// The jobs at which the bound is known, in the order of the plan.
    pub jobs: Vec<Skewed>,
    /// The strategies, `sequential` first.
    pub rows: Vec<Row>,
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Skewed {
    /// How its values are shared out among the keys.
    pub skew: String,
    /// The share of all values that the longest key has.
    pub longest: f64,
    /// The lower bound of the makespan as a share of the time of `sequential`.
    pub share: f64,
    /// The same in seconds.
    pub bound: f64,
}

/// A strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its time over the lower bound, one per job.
    pub factors: Vec<Option<Ratio>>,
}

impl Makespan {
    /// Works it out.
    pub fn of(run: &Run) -> Makespan {
        let all = strategies(run);
        let (Some(sequential), _) = divided(&all) else { return Makespan { jobs: Vec::new(), rows: Vec::new() } };
        let jobs: Vec<(usize, Skewed)> = sequential
            .at
            .iter()
            .filter_map(|(at, timed)| {
                let longest = longest(&timed.job)?;
                let share = longest.max(at_once(&timed.job, run.machine.cpus_available).recip());
                let bound = timed.warm.as_ref()?.summary.median * share;
                Some((*at, Skewed { skew: timed.job.skew.clone(), longest, share, bound }))
            })
            .collect();
        let rows = all.iter().map(|own| {
            let factor = |(at, job): &(usize, Skewed)| {
                let sequential = sequential.time(*at, Clock::Warm)?;
                Some(own.time(*at, Clock::Warm)?.over(sequential).scaled(job.share.recip()))
            };
            Row { name: own.name.clone(), factors: jobs.iter().map(factor).collect() }
        });
        let rows = rows.filter(|row| row.factors.iter().any(Option::is_some)).collect();
        Makespan { rows, jobs: jobs.into_iter().map(|(_, job)| job).collect() }
    }

    /// `skew-SKEW` for each skew.
    pub fn figures(&self) -> Vec<curves::Figure> {
        let figure = |(place, job): (usize, &Skewed)| {
            let rows = self.rows.iter().filter_map(|row| Some((row.name.clone(), row.factors[place]?)));
            let bars = bars(rows);
            let (first, last) = (bars.first()?, bars.last()?);
            let caption = format!(
                "The time of a warm batch over the least that any schedule needs for keys that are {}, where the longest key has \
                 {:.0} % of all values; with 95 % intervals, shorter is better. {} has the lowest figure, {:.2}, and {} \
                 the highest, {:.2}.",
                job.skew,
                job.longest * 100.0,
                first.name,
                first.value,
                last.name,
                last.value
            );
            let marks = vec![Mark { name: "lower bound".to_owned(), value: 1.0 }];
            let axis = axis("makespan over its lower bound", Unit::Factor, false);
            let (name, title) = (format!("skew-{}", job.skew), format!("Makespan, skew {}", job.skew));
            Some(curves::Figure { name, title, caption, drawing: Drawing::Bars(Bars { axis, bars, marks }) })
        };
        self.jobs.iter().enumerate().filter_map(figure).collect()
    }
}

/// The share of a job's values that its longest key has; nothing if there are none, or if the kernel has no such skew.
fn longest(job: &Job) -> Option<f64> {
    let skew = skew_named(&job.skew)?;
    let keys = usize::try_from(job.keys).ok()?;
    let job = workloads::Job::new(Parameters { keys, count: job.count, skew, ..Parameters::default() }).ok()?;
    let longest = (0..keys).map(|key| job.share(key)).max()?;
    (job.total() > 0).then(|| longest as f64 / job.total() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_key_is_the_kernels() {
        let job = |skew: &str, keys, count| Job {
            workload: "sum".into(),
            keys,
            count,
            skew: skew.into(),
            rng: "xoshiro".into(),
            seed: 42,
            workers: 2,
            values: 0,
            output_bytes: 8,
            neighbour: false,
            own: None,
        };
        assert_eq!(longest(&job("uniform", 100, 1_000)), Some(0.01));
        assert_eq!(longest(&job("one-huge", 100, 1_000)), Some(0.5));
        assert_eq!(longest(&job("one-huge-last", 100, 1_000)), Some(0.5));
        // 1 / (1 + 1/2 + … + 1/100).
        let harmonic: f64 = (1..=100).map(|key| 1.0 / f64::from(key)).sum();
        let zipf = longest(&job("zipf", 100, 100_000)).unwrap();
        assert!((zipf * harmonic - 1.0).abs() < 1e-4, "{zipf}");
        assert_eq!(longest(&job("unheard-of", 100, 1_000)), None);
        assert_eq!(longest(&job("uniform", 100, 0)), None);
        assert_eq!(longest(&job("uniform", 0, 100)), None);
    }
}
