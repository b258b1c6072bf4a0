//! Whether the time of a value stays the same: over all values of a job, and over the size of a block.

use crate::numbers::curves::{self, Curve, Curves, Drawing, Point, Unit};
use crate::numbers::stats::{self, Figure, RUNS_FOR_AN_INTERVAL, Ratio};
use crate::numbers::views::{Clock, Strategy, axis, jobs, least, strategies};
use crate::run::Run;
use crate::run::job::Job;
use crate::run::sample::Cold;

/// The view.
#[derive(Clone, Debug, PartialEq)]
pub struct Size {
    /// Jobs with the same number of keys, over all their values.
    pub by_total: Option<Series>,
    /// Jobs with the same number of values, over the bytes of one key's.
    pub by_block: Option<Series>,
}

/// Some of the jobs, by what they differ in.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Values, or bytes of a block, in ascending order.
    pub xs: Vec<u64>,
    /// What they have in common: keys, or values.
    pub constant: u64,
    /// The strategies, `sequential` first.
    pub rows: Vec<Row>,
}

/// A strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Seconds per value of a batch in a program that has run one before, one per job.
    pub warm: Vec<Option<Figure>>,
    /// Seconds per value of a whole process.
    pub cold: Vec<Option<Figure>>,
    /// What the processors were busy with in a whole process.
    pub busy: Vec<Option<Busy>>,
}

/// Processor time of a whole process, without children that nobody waited for, in seconds per value: medians.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Busy {
    /// In the program.
    pub user: f64,
    /// In the kernel: mapping and clearing pages, starting threads and processes, moving outputs between them.
    pub system: f64,
}

/// Where the time of a value is nearly the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Where it is least.
    pub best: usize,
    /// The first place from which on to `best` no place is clearly above [`TOLERANCE`].
    pub from: usize,
    /// The last one, likewise.
    pub to: usize,
    /// The places before and after those, each with how many times as much a value takes there as at its best.
    pub beyond: Vec<(usize, Ratio)>,
}

/// A value may take this many times as long as at its best. Memory that is faster or slower by some percent is not what one
/// would call nonlinear; a start that is not paid off, or caches that are too small, show as more.
pub const TOLERANCE: f64 = 1.25;

/// A value of `fill` is a double.
const VALUE_BYTES: u64 = 8;

impl Size {
    /// Works it out.
    pub fn of(run: &Run) -> Size {
        let all = strategies(run);
        let jobs: Vec<(usize, Job)> = jobs(run).into_iter().collect();
        let total = |job: &Job| job.keys * job.count;
        let by_total = series(run, &all, &jobs, |job| job.keys, total);
        let by_block = series(run, &all, &jobs, total, |job| job.count * VALUE_BYTES);
        Size { by_total, by_block }
    }

    /// `size-total` and `size-block`.
    pub fn figures(&self) -> Vec<curves::Figure> {
        let all = [
            (&self.by_total, "size-total", "Time per value over the number of values", "values", Unit::Count),
            (&self.by_block, "size-block", "Time per value over the size of a block", "block", Unit::Bytes),
        ];
        let figure = |(series, name, title, label, unit): (&Option<Series>, &str, &str, &str, Unit)| {
            let series = series.as_ref()?;
            let lines: Vec<Curve> =
                series.rows.iter().map(|row| curve(series, row)).filter(|it| !it.points.is_empty()).collect();
            let (fastest, _) = least(&lines, |line| line.points.iter().map(|point| point.y).reduce(f64::min))?;
            let common = if unit == Unit::Count {
                format!("{} keys", series.constant)
            } else {
                format!("{} values in all", series.constant)
            };
            let caption = format!(
                "The time of a warm batch divided by its values, with 95 % intervals, for jobs of {common}; lower is better, and a \
                 level line means that twice the values take twice the time. The least time of a value is that of {}.",
                fastest.name
            );
            let (x, y) = (axis(label, unit, true), axis("time per value", Unit::Seconds, true));
            let drawing = Drawing::Curves(Curves { x, y, lines, marks: Vec::new() });
            Some(curves::Figure { name: name.to_owned(), title: title.to_owned(), caption, drawing })
        };
        all.into_iter().filter_map(figure).collect()
    }
}

fn curve(series: &Series, row: &Row) -> Curve {
    let points = series.xs.iter().zip(&row.warm).filter_map(|(x, time)| {
        let time = time.as_ref()?;
        Some(Point { x: *x as f64, y: time.summary.median, interval: time.interval() })
    });
    Curve { name: row.name.clone(), points: points.collect(), is_joined: true }
}

/// The most jobs that have `constant` in common and differ in `x`; nothing if that is only one.
fn series(
    run: &Run,
    all: &[Strategy],
    jobs: &[(usize, Job)],
    constant: impl Fn(&Job) -> u64,
    x: impl Fn(&Job) -> u64,
) -> Option<Series> {
    let alike = |value: u64| {
        let mut alike: Vec<(u64, usize)> =
            jobs.iter().filter(|(_, job)| constant(job) == value).map(|(at, job)| (x(job), *at)).collect();
        alike.sort_unstable();
        alike.dedup_by_key(|(x, _)| *x);
        (value, alike)
    };
    let candidates = jobs.iter().map(|(_, job)| alike(constant(job)));
    let (constant, alike) = candidates.max_by_key(|(_, alike)| alike.len()).filter(|(_, alike)| alike.len() > 1)?;
    let rows = all.iter().map(|own| {
        let times = |clock: Clock| {
            let time = |(_, at): &(u64, usize)| {
                let values =
                    own.at.get(at).map(|timed| timed.job.keys * timed.job.count).filter(|values| *values > 0)?;
                Some(own.time(*at, clock)?.clone().scaled((values as f64).recip()))
            };
            alike.iter().map(time).collect()
        };
        let busy = alike.iter().map(|(_, at)| busy(run, &own.name, *at)).collect();
        Row { name: own.name.clone(), warm: times(Clock::Warm), cold: times(Clock::Cold), busy }
    });
    let rows = rows.filter(|row| row.cold.iter().any(Option::is_some)).collect();
    Some(Series { xs: alike.iter().map(|(x, _)| *x).collect(), constant, rows })
}

/// What the processors were busy with, at one job.
fn busy(run: &Run, row: &str, at: usize) -> Option<Busy> {
    let cell = run.plan.cell(row, at)?;
    let cold = &run.measured(&cell.name)?.cold;
    let values = (cell.job.keys * cell.job.count) as f64;
    let per_value = |time: fn(&Cold) -> f64| Some(stats::median(cold.values().map(time))? / values);
    Some(Busy { user: per_value(|cold| cold.user)?, system: per_value(|cold| cold.system)? })
}

impl Row {
    /// The times by this clock.
    pub fn by(&self, clock: Clock) -> &[Option<Figure>] {
        match clock {
            Clock::Warm => &self.warm,
            Clock::Cold => &self.cold,
        }
    }

    /// Where the time of a value is nearly the same; nothing if there are fewer than two times, or none has an interval.
    pub fn linear(&self, clock: Clock) -> Option<Linear> {
        let times = self.by(clock).iter().enumerate().filter_map(|(place, time)| Some((place, time.as_ref()?)));
        // A time without an interval tells nothing clearly.
        let times: Vec<(usize, &Figure)> = times.filter(|(_, time)| time.samples >= RUNS_FOR_AN_INTERVAL).collect();
        let (middle, &(best, least)) =
            times.iter().enumerate().min_by(|a, b| a.1.1.summary.median.total_cmp(&b.1.1.summary.median))?;
        let others = || times.iter().filter(|(place, _)| *place != best);
        if others().next().is_none() || others().all(|(_, time)| time.over(least).interval.is_none()) {
            return None;
        }
        let is_beyond = |time: &Figure| time.over(least).interval.is_some_and(|interval| interval.low > TOLERANCE);
        let is_near = |(_, time): &&(usize, &Figure)| !is_beyond(time);
        let from = times[..middle].iter().rev().take_while(is_near).last().map_or(best, |(place, _)| *place);
        let to = times[middle..].iter().take_while(is_near).last().map_or(best, |(place, _)| *place);
        let beyond = others().filter(|(_, time)| is_beyond(time)).map(|(place, time)| (*place, time.over(least)));
        Some(Linear { best, from, to, beyond: beyond.collect() })
    }
}
