//! What each sweep says, and the headline: from the samples of a run to figures that can be drawn and written down.
//!
//! A view holds what both the pictures and the tables show. The rows are the strategies with the system's allocator that draw
//! from the job's generator. What has failed or was not measured is left out: an empty sweep gives a view without rows.

use std::collections::BTreeMap;

pub mod blocking;
pub mod cases;
pub mod grain;
pub mod headline;
pub mod interference;
pub mod makespan;
pub mod scaling;
pub mod size;

use crate::numbers::curves::{self, Axis, Bar, Point, Unit};
use crate::numbers::standings;
use crate::numbers::stats::{Figure, Ratio};
use crate::run::Run;
use crate::run::job::Job;
use crate::run::plan::{Kind, SEQUENTIAL};

/// What a sweep says.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// How small keys may be.
    Grain(grain::Grain),
    /// What more workers bring.
    Scaling(scaling::Scaling),
    /// What unequal keys cost.
    Skew(makespan::Makespan),
    /// Whether the time of a value stays the same.
    Size(size::Size),
    /// What more workers than CPUs bring where keys sleep.
    Blocking(blocking::Blocking),
    /// What a busy neighbour costs.
    Interference(interference::Interference),
    /// What the fastest strategy brings at jobs of all kinds.
    Cases(cases::Cases),
}

impl View {
    /// Of a sweep that has a view of its own.
    pub fn of(run: &Run) -> Option<View> {
        Some(match run.plan.sweep.as_deref()? {
            "grain" => View::Grain(grain::Grain::of(run)),
            "scaling" => View::Scaling(scaling::Scaling::of(run)),
            "skew" => View::Skew(makespan::Makespan::of(run)),
            "size" => View::Size(size::Size::of(run)),
            "blocking" => View::Blocking(blocking::Blocking::of(run)),
            "interference" => View::Interference(interference::Interference::of(run)),
            "cases" => View::Cases(cases::Cases::of(run)),
            _ => return None,
        })
    }

    /// What can be drawn of it; nothing that would be empty.
    pub fn figures(&self) -> Vec<curves::Figure> {
        match self {
            View::Grain(view) => view.figures(),
            View::Scaling(view) => view.figures(),
            View::Skew(view) => view.figures(),
            View::Size(view) => view.figures(),
            View::Blocking(view) => view.figures(),
            View::Interference(view) => view.figures(),
            View::Cases(view) => view.figures(),
        }
    }
}

/// All pictures of a run, but for those of sweeps below it.
pub fn figures(run: &Run) -> Vec<curves::Figure> {
    View::of(run).map_or_else(|| headline::figures(run), |view| view.figures())
}

/// A strategy at the jobs of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Strategy {
    /// Its name.
    pub name: String,
    /// What was timed of it, by the number of the job, from 0.
    pub at: BTreeMap<usize, Timed>,
}

/// A strategy at a job. Times are seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// The job.
    pub job: Job,
    /// A whole process, from outside.
    pub cold: Figure,
    /// The second and later batches of one process.
    pub warm: Option<Figure>,
}

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The second and later batches of one process.
    Warm,
    /// A whole process with one batch, from outside.
    Cold,
}

impl Timed {
    /// The time by this clock.
    pub fn by(&self, clock: Clock) -> Option<&Figure> {
        match clock {
            Clock::Warm => self.warm.as_ref(),
            Clock::Cold => Some(&self.cold),
        }
    }
}

impl Strategy {
    /// The time at a job by this clock.
    pub fn time(&self, at: usize, clock: Clock) -> Option<&Figure> {
        self.at.get(&at)?.by(clock)
    }
}

/// The strategies of which anything was timed, `sequential` first and the others by name.
pub fn strategies(run: &Run) -> Vec<Strategy> {
    let rows = run.plan.rows.iter().filter(|row| row.is_plain());
    let mut strategies: Vec<Strategy> = rows
        .map(|row| {
            let own = run.whole().filter(|(cell, _)| cell.row == row.name);
            let timed = own.filter_map(|(cell, measured)| {
                let figure = Figure::of(&standings::cold(measured))?;
                Some((
                    cell.at,
                    Timed { job: cell.job.clone(), cold: figure, warm: Figure::of(&standings::warm(measured)) },
                ))
            });
            Strategy { name: row.name.clone(), at: timed.collect() }
        })
        .filter(|strategy| !strategy.at.is_empty())
        .collect();
    strategies.sort_by(|a, b| (a.name != SEQUENTIAL, &a.name).cmp(&(b.name != SEQUENTIAL, &b.name)));
    strategies
}

/// `sequential` among these, and the others.
fn divided(strategies: &[Strategy]) -> (Option<&Strategy>, &[Strategy]) {
    match strategies.split_first() {
        Some((first, others)) if first.name == SEQUENTIAL => (Some(first), others),
        _ => (None, strategies),
    }
}

/// The jobs of a run by their numbers: those of `sequential`, and of others where it has none.
fn jobs(run: &Run) -> BTreeMap<usize, Job> {
    let own = run.plan.cells.iter().filter(|cell| cell.row == SEQUENTIAL);
    let others =
        run.plan.cells.iter().filter(|cell| run.plan.row(&cell.row).is_some_and(|row| row.kind == Kind::Strategy));
    let mut jobs = BTreeMap::new();
    for cell in own.chain(others) {
        jobs.entry(cell.at).or_insert_with(|| cell.job.clone());
    }
    jobs
}

/// How many workers of a job can run at the same time.
fn at_once(job: &Job, cpus: u64) -> f64 {
    (job.workers as f64).min(cpus.max(1) as f64)
}

fn axis(label: &str, unit: Unit, is_logarithmic: bool) -> Axis {
    Axis { label: label.to_owned(), unit, is_logarithmic }
}

fn point(x: f64, ratio: Ratio) -> Point {
    Point { x, y: ratio.value, interval: ratio.interval }
}

/// Bars of ratios, the smallest first.
fn bars(rows: impl Iterator<Item = (String, Ratio)>) -> Vec<Bar> {
    let mut bars: Vec<Bar> =
        rows.map(|(name, ratio)| Bar { name, value: ratio.value, interval: ratio.interval }).collect();
    bars.sort_by(|a, b| a.value.total_cmp(&b.value));
    bars
}

/// The row with the least of something that it may not have.
fn least<R>(rows: &[R], of: impl Fn(&R) -> Option<f64>) -> Option<(&R, f64)> {
    let known = rows.iter().filter_map(|row| Some((row, of(row)?)));
    known.min_by(|a, b| a.1.total_cmp(&b.1))
}
