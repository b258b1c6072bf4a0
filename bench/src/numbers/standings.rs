//! The rows in order of their time, with ranks.

use crate::entrants::contender::{CONTROL, SEQUENTIAL};
use crate::numbers::stats::{self, Ratio, Summary};
use crate::run::answer::{Answer, seconds};
use crate::run::footprint::Footprint;
use crate::run::record::{Measured, Run};
use crate::sampling::hyperfine::export::Sample;

/// All that a run has to say about the rows that it could measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Standings {
    /// The fastest first. The control is not among them.
    pub rows: Vec<Standing>,
    /// `sequential` against itself.
    pub noise: Option<Noise>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Shared with the row above if the two cannot be told apart.
    pub rank: usize,
    /// The row's name.
    pub name: String,
    /// The whole process, from outside.
    pub cold: Summary,
    /// Processor seconds of a cold run in the program and in the kernel.
    pub user: f64,
    /// See `user`.
    pub system: f64,
    /// How many times faster than `sequential`.
    pub speed_up: Option<Ratio>,
    /// How many times slower than the first row.
    pub to_fastest: Option<Ratio>,
    /// The second and later batches of one process.
    pub warm: Option<Summary>,
    /// What a warm process did besides.
    pub phases: Option<Phases>,
    /// The memory pass.
    pub footprint: Option<Footprint>,
    /// Lines of code.
    pub lines: Option<usize>,
}

/// Medians over the warm processes, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phases {
    /// Starting threads, a runtime, worker processes.
    pub start: f64,
    /// The first batch.
    pub first_run: f64,
    /// Giving a batch's outputs back.
    pub drop: f64,
    /// Stopping what was started.
    pub stop: f64,
}

/// `sequential` against itself: what a difference must exceed to be one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// The control's time over that of `sequential`.
    pub ratio: Ratio,
    /// How far its interval reaches from 1. Of one round, how far the ratio itself is.
    pub floor: f64,
}

impl Standings {
    /// Works them out.
    pub fn of(run: &Run) -> Standings {
        let sequential = run.measured(SEQUENTIAL);
        let noise = sequential.zip(run.measured(CONTROL)).and_then(|(sequential, control)| {
            let ratio = cold_ratio(control, sequential)?;
            Some(Noise { ratio, floor: ratio.reach().max(ratio.distance()) })
        });
        let mut rows: Vec<(&Measured, Standing)> = run
            .plan
            .rows
            .iter()
            .zip(&run.measured)
            .filter(|(row, measured)| row.name != CONTROL && measured.failure.is_none())
            .filter_map(|(row, measured)| {
                let speed_up = sequential.and_then(|sequential| cold_ratio(sequential, measured));
                Some((measured, standing(&row.name, row.lines, measured, speed_up)?))
            })
            .collect();
        rows.sort_by(|(_, a), (_, b)| a.cold.median.total_cmp(&b.cold.median).then_with(|| a.name.cmp(&b.name)));

        let floor = noise.map(|noise| noise.floor);
        let apart = rows.windows(2).map(|pair| stats::told_apart(cold_ratio(pair[1].0, pair[0].0), floor));
        let ranks = stats::ranks(apart);
        let fastest = rows.first().map(|(measured, _)| *measured);
        let rank = |((measured, row), rank): ((&Measured, Standing), usize)| {
            let to_fastest = fastest.and_then(|fastest| cold_ratio(measured, fastest));
            Standing { rank, to_fastest, ..row }
        };
        Standings { rows: rows.into_iter().zip(ranks).map(rank).collect(), noise }
    }
}

fn standing(name: &str, lines: Option<usize>, measured: &Measured, speed_up: Option<Ratio>) -> Option<Standing> {
    let cold = |time: fn(&Sample) -> f64| measured.cold.values().map(time);
    let walls: Vec<f64> = cold(|sample| sample.wall).collect();
    let warm: Vec<f64> = measured.warm.values().flat_map(Answer::warm_seconds).collect();
    Some(Standing {
        rank: 0,
        name: name.to_owned(),
        cold: stats::summary(&walls)?,
        user: stats::median(cold(|sample| sample.user))?,
        system: stats::median(cold(|sample| sample.system))?,
        speed_up,
        to_fastest: None,
        warm: stats::summary(&warm),
        phases: phases(measured),
        footprint: measured.footprint,
        lines,
    })
}

fn phases(measured: &Measured) -> Option<Phases> {
    let answers = || measured.warm.values();
    Some(Phases {
        start: stats::median(answers().map(|answer| seconds(answer.start_ns)))?,
        first_run: stats::median(answers().filter_map(|answer| answer.run_ns.first().copied().map(seconds)))?,
        drop: stats::median(answers().flat_map(|answer| answer.drop_ns.iter().copied().map(seconds)))?,
        stop: stats::median(answers().map(|answer| seconds(answer.stop_ns)))?,
    })
}

/// The cold time of `over` to that of `under`, paired by round.
pub(crate) fn cold_ratio(over: &Measured, under: &Measured) -> Option<Ratio> {
    let pair = |(round, over): (&u32, &Sample)| Some((over.wall, under.cold.get(round)?.wall));
    let pairs: Vec<(f64, f64)> = over.cold.iter().filter_map(pair).collect();
    stats::paired_ratio(&pairs)
}
