//! What a run with its sweeps has measured, as the model sees it: what keys asked for, and how long that took.

use std::collections::{BTreeMap, BTreeSet};

use harness::{skew_name, skew_named};
use workloads::Skew;

use crate::advice::case::{Demand, unequal};
use crate::advice::model::{Ranges, interpolated};
use crate::numbers::stats::median;
use crate::run::answer::Answer;
use crate::run::full::Full;
use crate::run::job::Job;
use crate::run::plan::{Cell, Row, SEQUENTIAL};
use crate::run::{Measured, Run};

/// The sweeps that a model needs. Without one of them, something that it predicts was not measured.
pub const NEEDED: [&str; 6] = ["grain", "scaling", "skew", "size", "blocking", "cases"];

/// One cell.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    /// The row.
    pub(crate) strategy: String,
    /// The job, the same for all its rows.
    pub(crate) job: usize,
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
            let mut at = BTreeMap::new();
            for (cell, measured) in timed(run) {
                let Some(demand) = demand(&cell.job, &sums) else { continue };
                let Some(seconds) = first_batch(measured) else { continue };
                let job = *at.entry(cell.at).or_insert_with(|| {
                    jobs += 1;
                    jobs
                });
                cells.push(Observed { strategy: cell.row.clone(), job, demand, seconds });
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
        let is_plain = run.plan.row(&cell.row).is_some_and(Row::is_plain);
        is_plain && !cell.job.neighbour && !measured.warm.is_empty()
    })
}

/// Seconds from `start` to the end of the first batch: the median of the processes.
fn first_batch(measured: &Measured) -> Option<f64> {
    median(measured.warm.values().filter_map(Answer::first_batch_seconds)).filter(|time| *time > 0.0)
}

/// Seconds of a batch of a process that has had one: the median of them all.
fn warm(measured: &Measured) -> Option<f64> {
    median(measured.warm.values().flat_map(|answer| answer.warm_seconds()))
}

/// Seconds of a key by its values, in one thread: the medians of every job that computes nothing but sums of equal keys, in every
/// sweep, so that all cells are held against the same.
fn sums(runs: &[&Run]) -> Vec<(f64, f64)> {
    let mut by_values: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (cell, measured) in runs.iter().flat_map(|run| timed(run)).filter(|(cell, _)| cell.row == SEQUENTIAL) {
        let Job { workload, keys, count, values, skew, output_bytes, .. } = &cell.job;
        let values = match workload.as_str() {
            "sum" => *count,
            "wait" if *count == 0 && *output_bytes <= 8 => *values,
            _ => continue,
        };
        if values > 0 && skew == skew_name(Skew::Uniform) {
            by_values.entry(values).or_default().extend(warm(measured).map(|time| time / *keys as f64));
        }
    }
    growing(by_values.into_iter().filter_map(|(values, times)| Some((values as f64, median(times)?))))
}

/// The same with neighbours evened out where more values seem to take less time, which is noise: the least change that leaves none
/// (pool adjacent violators).
fn growing(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut pools: Vec<(f64, Vec<f64>)> = Vec::new();
    for (x, y) in points {
        pools.push((y.ln(), vec![x]));
        while let [.., (before, _), (last, _)] = pools.as_slice()
            && before > last
        {
            let Some(((last, more), (before, xs))) = pools.pop().zip(pools.pop()) else { break };
            let (many, few) = (xs.len() as f64, more.len() as f64);
            pools.push(((before * many + last * few) / (many + few), [xs, more].concat()));
        }
    }
    pools.into_iter().flat_map(|(y, xs)| xs.into_iter().map(move |x| (x, y.exp()))).collect()
}

/// What the keys of a job asked for.
fn demand(job: &Job, sums: &[(f64, f64)]) -> Option<Demand> {
    let of_values = |values: u64| if values == 0 { 0.0 } else { interpolated(sums, values as f64) };
    let (compute, asleep, bytes) = match job.workload.as_str() {
        "sum" => (of_values(job.count), 0.0, 8.0),
        "fill" => (of_values(job.count), 0.0, 8.0 * job.count as f64),
        "wait" => (of_values(job.values), job.count as f64 / 1e6, job.output_bytes as f64),
        _ => return None,
    };
    let skew = skew_named(&job.skew)?;
    Some(Demand {
        keys: job.keys,
        compute,
        asleep,
        bytes,
        is_written_meanwhile: job.workload == "fill",
        skew,
        unequal: unequal(skew, job.keys, job.workers),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_values_never_take_less_time() {
        let of = |times: &[f64]| {
            let points = times.iter().enumerate().map(|(index, time)| (index as f64, *time));
            growing(points).into_iter().map(|(_, time)| (time * 1e9).round() / 1e9).collect::<Vec<_>>()
        };
        assert_eq!(of(&[1.0, 2.0, 4.0]), [1.0, 2.0, 4.0]);
        assert_eq!(of(&[1.0, 8.0, 2.0, 9.0]), [1.0, 4.0, 4.0, 9.0]);
        assert_eq!(of(&[4.0, 4.0, 0.5]), [2.0, 2.0, 2.0]);
        assert!(of(&[]).is_empty());
    }
}
