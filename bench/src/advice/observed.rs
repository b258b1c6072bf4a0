//! What a run with its sweeps has measured, as the model sees it: what keys asked for, and how long that took.

use std::collections::{BTreeMap, BTreeSet};

use harness::skew_name;

use crate::advice::case::{Demand, skew};
use crate::advice::model::{Ranges, interpolated};
use crate::numbers::stats::median;
use crate::run::answer::seconds;
use crate::run::full::Full;
use crate::run::job::Job;
use crate::run::plan::{Cell, Kind, SEQUENTIAL};
use crate::run::{Measured, Run};

/// The sweeps that a model needs. Without one of them, something that it predicts was not measured.
pub const NEEDED: [&str; 5] = ["grain", "scaling", "skew", "size", "blocking"];

/// One cell.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    /// The row.
    pub(crate) strategy: String,
    /// The job, the same for all its rows.
    pub(crate) job: usize,
    /// Whether what it takes depends on how keys are shared out.
    pub(crate) tells_schedule: bool,
    /// What the keys asked for.
    pub(crate) demand: Demand,
    /// The median of what it took, from `start` to the end of the first batch.
    pub(crate) seconds: f64,
}

/// Everything that is known.
#[derive(Clone, Debug)]
pub(crate) struct Observations {
    /// Seconds of a key by its values, where they are summed up in one thread.
    pub(crate) sums: Vec<(f64, f64)>,
    /// The cells.
    pub(crate) cells: Vec<Observed>,
    /// What they span.
    pub(crate) ranges: Ranges,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum NoModel {
    /// The run has not measured enough.
    #[error("it has no sweep {0}; `compare --full` measures them all")]
    Sweep(&'static str),
    /// A sweep was stopped too early.
    #[error("its sweep {0} has no times of {SEQUENTIAL}, from which the grain of all others is known")]
    Sequential(&'static str),
    /// Too little is left of a sweep.
    #[error("its sweeps have times of {0} jobs of {SEQUENTIAL} only; `compare --full` measures more")]
    TooFew(usize),
}

impl Observations {
    /// Reads a run with its sweeps.
    pub(crate) fn of(full: &Full) -> Result<Observations, NoModel> {
        let mut runs = vec![&full.run];
        for name in NEEDED {
            let run = full.sweep(name).ok_or(NoModel::Sweep(name))?;
            if !timed(run).any(|(cell, _)| cell.row == SEQUENTIAL) {
                return Err(NoModel::Sequential(name));
            }
            runs.push(run);
        }
        let sums = sums(&runs);
        let mut cells = Vec::new();
        let mut jobs = 0;
        for run in runs {
            let tells_schedule = run.plan.sweep.as_deref().is_some_and(|sweep| ["skew", "blocking"].contains(&sweep));
            let mut at = BTreeMap::new();
            for (cell, measured) in timed(run) {
                let one_thread = run.plan.cell(SEQUENTIAL, cell.at).and_then(|cell| warm(run.measured(&cell.name)?));
                let Some(demand) = demand(&cell.job, &sums, one_thread) else { continue };
                let Some(seconds) = first_batch(measured) else { continue };
                let job = *at.entry(cell.at).or_insert_with(|| {
                    jobs += 1;
                    jobs
                });
                cells.push(Observed { strategy: cell.row.clone(), job, tells_schedule, demand, seconds });
            }
        }
        let ranges = ranges(&cells);
        match ranges {
            Some(ranges) => Ok(Observations { sums, cells, ranges }),
            None => Err(NoModel::TooFew(jobs)),
        }
    }
}

/// The cells of strategies as everybody has them, with times.
fn timed(run: &Run) -> impl Iterator<Item = (&Cell, &Measured)> {
    run.whole().filter(|(cell, measured)| {
        let row = run.plan.row(&cell.row);
        let is_plain =
            row.is_some_and(|row| row.kind == Kind::Strategy && row.rng.is_none() && row.allocator.is_system());
        is_plain && !cell.job.neighbour && !measured.warm.is_empty()
    })
}

/// Seconds from `start` to the end of the first batch: the median of the processes.
fn first_batch(measured: &Measured) -> Option<f64> {
    let times = measured
        .warm
        .values()
        .filter_map(|answer| Some(seconds(answer.report.start_ns) + seconds(*answer.report.run_ns.first()?)));
    median(times).filter(|time| *time > 0.0)
}

/// Seconds of a batch of a process that has had one: the median of them all.
fn warm(measured: &Measured) -> Option<f64> {
    median(measured.warm.values().flat_map(|answer| answer.warm_seconds()))
}

/// Seconds of a key by its values, from every job that sums up equal keys. Keys of many values are worth the most: they are first
/// where two jobs have the same.
fn sums(runs: &[&Run]) -> Vec<(f64, f64)> {
    let mut by_values: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.plan.sweep.as_deref() == Some("grain")) {
        for (cell, measured) in timed(run).filter(|(cell, _)| cell.row == SEQUENTIAL && cell.job.count > 0) {
            by_values.entry(cell.job.count).or_default().extend(warm(measured).map(|time| time / cell.job.keys as f64));
        }
    }
    by_values.into_iter().filter_map(|(values, times)| Some((values as f64, median(times)?))).collect()
}

/// What the keys of a job asked for. `one_thread` is what `sequential` took for the same batch.
fn demand(job: &Job, sums: &[(f64, f64)], one_thread: Option<f64>) -> Option<Demand> {
    let of_values = |values: u64| if values == 0 { 0.0 } else { interpolated(sums, values as f64) };
    let (compute, asleep, bytes) = match job.workload.as_str() {
        "sum" => (one_thread? / job.keys as f64, 0.0, 8.0),
        "fill" => (of_values(job.count), 0.0, 8.0 * job.count as f64),
        "wait" => (of_values(job.values), job.count as f64 / 1e6, job.output_bytes as f64),
        _ => return None,
    };
    Some(Demand {
        keys: job.keys,
        compute,
        asleep,
        bytes,
        is_output_skewed: job.workload == "fill",
        skew: skew(&job.skew)?,
        workers: job.workers,
        is_divisible: job.workload != "wait",
    })
}

/// What the cells span, if there are any.
fn ranges(cells: &[Observed]) -> Option<Ranges> {
    let demands = || cells.iter().filter(|cell| cell.strategy == SEQUENTIAL).map(|cell| &cell.demand);
    let grains = || demands().map(|demand| demand.compute + demand.asleep);
    let slept = || demands().map(|demand| demand.asleep).filter(|asleep| *asleep > 0.0);
    let shares = demands().map(|demand| demand.asleep / (demand.compute + demand.asleep).max(f64::MIN_POSITIVE));
    Some(Ranges {
        keys: (demands().map(|demand| demand.keys).min()?, demands().map(|demand| demand.keys).max()?),
        grain: (grains().reduce(f64::min)?, grains().reduce(f64::max)?),
        output_bytes: (
            demands().map(|demand| demand.bytes as u64).min()?,
            demands().map(|demand| demand.bytes as u64).max()?,
        ),
        workers: (demands().map(|demand| demand.workers).min()?, demands().map(|demand| demand.workers).max()?),
        blocking: shares.fold(0.0, f64::max),
        asleep: slept().reduce(f64::min),
        skews: demands().map(|demand| skew_name(demand.skew).to_owned()).collect::<BTreeSet<_>>(),
    })
}
