//! The rows in order of their time, with ranks.

use crate::numbers::stats::{self, ByRound, Figure, Interval, Ratio, Summary};
use crate::run::answer::{Answer, seconds};
use crate::run::footprint::{Footprint, Peak};
use crate::run::plan::{CONTROL, Cell, Kind, LIMIT, LIMIT_OF_ONE, Row, SEQUENTIAL};
use crate::run::sample::{Cold, Survival};
use crate::run::{Measured, Run};

/// All that a run has to say about the rows that it could measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Standings {
    /// The fastest first. Neither the control nor the machine's limit is among them.
    pub rows: Vec<Standing>,
    /// `sequential` against itself.
    pub control: Option<Control>,
    /// What the machine can do: with as many threads as the job has workers, and with one.
    pub limits: [Option<Summary>; 2],
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// 1 + the number of rows that are clearly faster; of a strategy that draws from the job's generator, 1 + the number of such
    /// strategies. `None` if there were too few rounds to tell.
    pub rank: Option<usize>,
    /// The row's name.
    pub name: String,
    /// It is a strategy that draws from the job's generator, has the system's allocator, and is at the run's only job.
    pub is_among_strategies: bool,
    /// The whole process, from outside.
    pub cold: Summary,
    /// Of how many runs that is the median.
    pub runs: usize,
    /// Processor seconds of a cold run in the program and in the kernel.
    pub user: f64,
    /// See `user`.
    pub system: f64,
    /// How many times faster than `sequential`.
    pub speed_up: Option<Ratio>,
    /// How many times slower than the first row.
    pub to_fastest: Option<Ratio>,
    /// How much of what the machine can do at most.
    pub of_limit: Option<f64>,
    /// The second and later batches of one process: each process counts once, with the median of its batches.
    pub warm: Option<Summary>,
    /// How many times faster than `sequential` those are.
    pub warm_speed_up: Option<Ratio>,
    /// How many batches.
    pub warm_batches: usize,
    /// What a warm process did besides.
    pub phases: Option<Phases>,
    /// Cold runs far beyond the spread, by round.
    pub outliers: Vec<(u32, f64)>,
    /// The run of the discarded round, if it was far beyond the spread too.
    pub slow_start: Option<f64>,
    /// The memory pass.
    pub footprint: Option<Footprint>,
    /// What becomes of the other keys when one fails.
    pub survival: Option<Survival>,
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

/// `sequential` against itself: whether equal rows come out equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Control {
    /// The control's time over that of `sequential`.
    pub ratio: Ratio,
}

/// How far the interval of the control may reach from 1.
pub const CONTROL_WITHIN: f64 = 0.05;

impl Control {
    /// Of a run in which both could be measured.
    pub fn of(run: &Run) -> Option<Control> {
        let figure = |row| Figure::of(&total(run, row)?);
        Some(Control { ratio: figure(CONTROL)?.over(&figure(SEQUENTIAL)?) })
    }

    /// What is wrong, if equal rows did not come out equal. Nothing is known where there is no interval.
    pub fn objection(self) -> Option<&'static str> {
        let interval: Interval = self.ratio.interval?;
        match () {
            () if !interval.holds_one() => Some("its interval does not hold 1"),
            () if interval.reach() > CONTROL_WITHIN => Some("its interval is wider than ± 5 %"),
            () => None,
        }
    }
}

/// The cold times of a row by round, per value and summed up over its jobs: one ratio is then known well, and not several badly,
/// and no job counts for more than another. Nothing if the row is not there or has failed at any.
fn total(run: &Run, row: &str) -> Option<ByRound> {
    // A job that is timed in some rounds only would leave the others without a total.
    let cells = run.plan.cells.iter().zip(&run.measured).filter(|(cell, _)| cell.row == row && cell.rounds.is_none());
    let mut totals: Option<ByRound> = None;
    for (cell, measured) in cells {
        if measured.failure.is_some() {
            return None;
        }
        let values = (cell.job.keys * cell.job.count).max(1) as f64;
        let own: ByRound = cold(measured).into_iter().map(|(round, time)| (round, time / values)).collect();
        totals = Some(match totals {
            None => own,
            Some(totals) => {
                let both = totals.into_iter().filter_map(|(round, time)| Some((round, time + own.get(&round)?)));
                both.collect()
            }
        });
    }
    totals
}

/// The figures of one cell.
struct Figures<'a> {
    cell: &'a Cell,
    row: &'a Row,
    measured: &'a Measured,
    cold: Figure,
    warm: Option<Figure>,
}

impl Figures<'_> {
    fn is_among_strategies(&self, run: &Run) -> bool {
        self.row.kind == Kind::Strategy
            && self.row.allocator.is_system()
            && !run.plan.has_several_jobs()
            && run.plan.job().is_none_or(|job| job.rng == self.cell.job.rng)
    }
}

/// Cold times by round.
pub fn cold(measured: &Measured) -> ByRound {
    measured.cold.iter().map(|(round, cold)| (*round, cold.wall)).collect()
}

/// Warm times by round: the median of the batches of each process, since those of one process have much in common.
pub fn warm(measured: &Measured) -> ByRound {
    let by_round =
        measured.warm.iter().filter_map(|(round, answer)| Some((*round, stats::median(answer.warm_seconds())?)));
    by_round.collect()
}

/// Times of first batches by round: from the start of a process's strategy to the end of its first batch.
pub fn first_batch(measured: &Measured) -> ByRound {
    let by_round = measured.warm.iter().filter_map(|(round, answer)| Some((*round, answer.first_batch_seconds()?)));
    by_round.collect()
}

/// The cells that can be ranked, with their figures.
fn figures(run: &Run) -> Vec<Figures<'_>> {
    let figures = run.whole().filter_map(|(cell, measured)| {
        let row = run.plan.row(&cell.row)?;
        let (cold, warm) = (Figure::of(&cold(measured))?, Figure::of(&warm(measured)));
        Some(Figures { cell, row, measured, cold, warm })
    });
    figures.collect()
}

impl Standings {
    /// Works them out.
    pub fn of(run: &Run) -> Standings {
        let all = figures(run);
        let named = |name: &str| all.iter().find(|it| it.cell.name == name);
        let sequential = named(SEQUENTIAL);
        let limits = [LIMIT, LIMIT_OF_ONE].map(|name| named(name).map(|it| it.cold.summary));
        let mut ranked: Vec<&Figures<'_>> = all.iter().filter(|it| it.row.kind.is_ranked()).collect();
        ranked.sort_by(|a, b| {
            let (a, b) = ((a.cold.summary.median, &a.cell.name), (b.cold.summary.median, &b.cell.name));
            a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1))
        });
        // Rows at different jobs have no order, and none of them is the fastest.
        let is_ordered = !run.plan.has_several_jobs();
        let fastest = ranked.first().filter(|_| is_ordered);
        let standing = |it: &&Figures<'_>| {
            let can_tell = it.cold.samples >= stats::RUNS_FOR_AN_INTERVAL && is_ordered;
            // Strategies that draw from the job's generator are ranked among themselves: a table of them need not show others.
            let is_beside = |other: &&&Figures<'_>| !it.is_among_strategies(run) || other.is_among_strategies(run);
            let clearly = |other: &&&Figures<'_>| it.cold.is_clearly_above(&other.cold);
            let faster = || ranked.iter().filter(is_beside).filter(clearly).count();
            // Also if it draws from another generator.
            let is_sequential = it.row.name.split('.').next() == Some(SEQUENTIAL);
            let limit = limits[usize::from(is_sequential)].filter(|_| it.row.kind == Kind::Strategy);
            Standing {
                rank: can_tell.then(|| 1 + faster()),
                speed_up: sequential.map(|sequential| sequential.cold.over(&it.cold)),
                to_fastest: fastest.map(|fastest| it.cold.over(&fastest.cold)),
                of_limit: limit.map(|limit| limit.shown() / it.cold.summary.shown()),
                warm_speed_up: sequential
                    .and_then(|sequential| Some(sequential.warm.as_ref()?.over(it.warm.as_ref()?))),
                survival: run.survival.get(&it.row.name).copied(),
                ..alone(it, run)
            }
        };
        Standings { rows: ranked.iter().map(standing).collect(), control: Control::of(run), limits }
    }

    /// The row called `name`.
    pub fn row(&self, name: &str) -> Option<&Standing> {
        self.rows.iter().find(|row| row.name == name)
    }
}

impl Standing {
    /// The most that was seen at once in the memory pass.
    pub fn peak(&self) -> Option<Peak> {
        self.footprint.and_then(|footprint| footprint.peak)
    }
}

/// What there is to say of a row without the others.
fn alone(it: &Figures<'_>, run: &Run) -> Standing {
    let Figures { cell, row, measured, cold, warm } = it;
    let middle = |time: fn(&Cold) -> f64| stats::median(measured.cold.values().map(time)).unwrap_or_default();
    let is_outlier =
        |cold_run: &Cold| stats::is_outlier(cold_run.wall, cold.summary) && cold_run.wall > cold.summary.median;
    let outliers = measured.cold.iter().filter(|(_, run)| is_outlier(run)).map(|(round, run)| (*round, run.wall));
    Standing {
        rank: None,
        name: cell.name.clone(),
        is_among_strategies: it.is_among_strategies(run),
        cold: cold.summary,
        runs: cold.samples,
        user: middle(|run| run.user),
        system: middle(|run| run.system),
        speed_up: None,
        to_fastest: None,
        of_limit: None,
        warm: warm.as_ref().map(|warm| warm.summary),
        warm_speed_up: None,
        warm_batches: measured.warm.values().flat_map(Answer::warm_seconds).count(),
        phases: phases(measured),
        outliers: outliers.collect(),
        slow_start: measured.discarded.filter(is_outlier).map(|run| run.wall),
        footprint: measured.footprint,
        survival: None,
        lines: row.lines,
    }
}

fn phases(measured: &Measured) -> Option<Phases> {
    let reports = || measured.warm.values().map(|answer| &answer.report);
    Some(Phases {
        start: stats::median(reports().map(|report| seconds(report.start_ns)))?,
        first_run: stats::median(reports().filter_map(|report| report.run_ns.first().copied().map(seconds)))?,
        drop: stats::median(reports().flat_map(|report| report.drop_ns.iter().copied().map(seconds)))?,
        stop: stats::median(reports().map(|report| seconds(report.stop_ns)))?,
    })
}
