//! Strategies at each of a run's jobs: what a run of several jobs, or of several allocators, has to say.

use crate::numbers::standings::{cold, warm};
use crate::numbers::stats::{self, ByRound, Figure, Ratio};
use crate::run::allocator::Allocator;
use crate::run::answer::seconds;
use crate::run::footprint::Footprint;
use crate::run::job::Job;
use crate::run::plan::{Kind, SEQUENTIAL};
use crate::run::{Measured, Run};

/// A run's strategies by its jobs.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// The columns.
    pub jobs: Vec<Job>,
    /// Each strategy with each of its allocators, the allocators of one below each other.
    pub rows: Vec<Line>,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// What gives it memory.
    pub allocator: Allocator,
    /// One per job; `None` where nothing was timed, or where it failed.
    pub places: Vec<Option<Place>>,
}

/// A row at a job. Times are seconds per value, or per key of a job of the reader's, so that places of any size can be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The whole process, from outside.
    pub cold: Figure,
    /// The second and later batches of one process.
    pub warm: Option<Figure>,
    /// Giving a batch's outputs back.
    pub drop: Option<Figure>,
    /// How many times faster, warm, than the same strategy with the system's allocator.
    pub gain: Option<Ratio>,
    /// The memory pass.
    pub footprint: Option<Footprint>,
}

impl Grid {
    /// Works it out.
    pub fn of(run: &Run) -> Grid {
        let jobs: Vec<Job> = run.plan.jobs().cloned().collect();
        let strategies = run.plan.rows.iter().filter(|row| row.kind == Kind::Strategy && row.rng.is_none());
        let mut rows: Vec<Line> = strategies
            .map(|row| {
                let place =
                    |at| run.plan.cell(&row.name, at).and_then(|cell| place(run.measured(&cell.name)?, &cell.job));
                Line { name: row.name.clone(), allocator: row.allocator, places: (0..jobs.len()).map(place).collect() }
            })
            .collect();
        let strategy = |row: &Line| Allocator::of_row(&row.name).0.to_owned();
        // The plain loop first. Stable: the allocators of a strategy stay in the order of the plan.
        rows.sort_by_key(|row| (strategy(row) != SEQUENTIAL, strategy(row)));
        let systems: Vec<Line> = rows.iter().filter(|row| row.allocator.is_system()).cloned().collect();
        for row in rows.iter_mut().filter(|row| !row.allocator.is_system()) {
            let Some(system) = systems.iter().find(|system| system.name == strategy(row)) else { continue };
            for (place, system) in row.places.iter_mut().zip(&system.places) {
                let (Some(place), Some(system)) = (place, system) else { continue };
                place.gain = system.warm.as_ref().zip(place.warm.as_ref()).map(|(system, own)| system.over(own));
            }
        }
        Grid { jobs, rows }
    }
}

fn place(measured: &Measured, job: &Job) -> Option<Place> {
    // The reader's keys have no values.
    let values = if job.own.is_some() { job.keys } else { job.keys * job.count } as f64;
    if measured.failure.is_some() || values == 0.0 {
        return None;
    }
    let figure = |times: ByRound| Figure::of(&times.into_iter().map(|(round, time)| (round, time / values)).collect());
    Some(Place {
        cold: figure(cold(measured))?,
        warm: figure(warm(measured)),
        drop: figure(drops(measured)),
        gain: None,
        footprint: measured.footprint,
    })
}

/// Times of giving outputs back by round: the median of the batches of each process.
fn drops(measured: &Measured) -> ByRound {
    let by_round = measured.warm.iter().filter_map(|(round, answer)| {
        Some((*round, stats::median(answer.report.drop_ns.iter().copied().map(seconds))?))
    });
    by_round.collect()
}
