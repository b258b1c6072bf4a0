//! How small keys may be: efficiency over grain.
//!
//! The grain of a job is the time of one key in `sequential`: its warm median divided by the keys. It is measured in the same
//! sweep and is the one denominator of all rows and both clocks. Efficiency is `keys × grain / (workers × time)`. The time is
//! the warm median of a batch, or the cold median of a whole process: loading the program, starting workers, the batch, freeing
//! its outputs, and stopping.
//!
//! METG(50 %), the minimum effective task granularity, is the smallest grain at which half of the ideal throughput is left
//! (Slaughter and others, *Task Bench*, SC 2020). Walking from coarse to fine, it lies between the last job at or above
//! 50 % and the first below, by linear interpolation of the efficiency over the logarithm of the grain: the jobs halve from
//! one to the next, so they are equally far apart there.

use crate::numbers::curves::{self, Curve, Curves, Drawing, Mark, Unit};
use crate::numbers::digits::short_time;
use crate::numbers::stats::{self, CONFIDENCE, Figure, Interval, Ratio};
use crate::numbers::views::{Clock, Strategy, Timed, axis, divided, least, point, strategies};
use crate::run::Run;

/// The view.
#[derive(Clone, Debug, PartialEq)]
pub struct Grain {
    /// The workers of the jobs.
    pub workers: usize,
    /// The grains of the jobs in seconds, the coarsest first.
    pub grains: Vec<f64>,
    /// The strategies but `sequential`, which is what they are held against.
    pub rows: Vec<Row>,
}

/// A strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// By a batch in a program that has run one before.
    pub warm: Line,
    /// By a whole process.
    pub cold: Line,
    /// Seconds of one worker that a key costs beside its grain, warm, at the finest grain of this row:
    /// `workers × time / keys − grain`. Waiting for the last key and starting the batch are in it.
    pub overhead: Option<Overhead>,
}

/// See [`Row::overhead`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overhead {
    /// Seconds.
    pub value: f64,
    /// With 95 % confidence.
    pub interval: Option<Interval>,
    /// The grain.
    pub at: f64,
}

/// A strategy by one clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The coarsest first.
    pub points: Vec<At>,
    /// METG(50 %).
    pub half: Bound,
    /// METG(95 %).
    pub most: Bound,
    /// Down to which grain it clearly beats `sequential` by the same clock: the lower end of the speed-up's interval is at 1.
    pub beats: Bound,
}

/// A strategy at a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct At {
    /// Seconds.
    pub grain: f64,
    /// How much of the ideal throughput is left.
    pub efficiency: Ratio,
    /// How many times faster than `sequential` by the same clock.
    pub speed_up: Ratio,
}

/// The smallest grain at which something holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Between two jobs.
    At {
        /// Seconds.
        grain: f64,
        /// With 95 % confidence; `None` if there are too few runs, or if too many resamples had no point on one side.
        interval: Option<Interval>,
    },
    /// It still holds at the finest job that was measured, which has this grain.
    Below(f64),
    /// It does not hold even at the coarsest job that was measured, which has this grain.
    Above(f64),
    /// Nothing was measured, or with too few runs to tell.
    Unknown,
}

/// Which efficiency METG is of.
const HALF: f64 = 0.5;

/// The one for who wants nearly all.
const MOST: f64 = 0.95;

impl Grain {
    /// Works it out.
    pub fn of(run: &Run) -> Grain {
        let all = strategies(run);
        let (Some(sequential), others) = divided(&all) else {
            return Grain {
                workers: run.plan.job().map_or(0, |job| job.workers),
                grains: Vec::new(),
                rows: Vec::new(),
            };
        };
        let mut grains: Vec<f64> = sequential.at.values().filter_map(grain).map(|grain| grain.summary.median).collect();
        grains.sort_by(|a, b| b.total_cmp(a));
        let workers = sequential.at.values().map(|timed| timed.job.workers).max().unwrap_or(0);
        let rows = others.iter().map(|own| row(own, sequential)).filter(|row| !row.cold.points.is_empty());
        Grain { workers, grains, rows: rows.collect() }
    }

    /// `grain-warm` and `grain-cold`.
    pub fn figures(&self) -> Vec<curves::Figure> {
        [Clock::Warm, Clock::Cold].into_iter().filter_map(|clock| self.figure(clock)).collect()
    }

    fn figure(&self, clock: Clock) -> Option<curves::Figure> {
        let (name, title, says) = match clock {
            Clock::Warm => (
                "grain-warm",
                "Efficiency over grain, warm",
                "Times are of a batch in a process that has already run one.",
            ),
            Clock::Cold => (
                "grain-cold",
                "Efficiency over grain, cold",
                "Times are of a whole process: loading, starting workers, one batch, freeing its outputs, and stopping.",
            ),
        };
        let lines: Vec<Curve> = self.rows.iter().filter_map(|row| curve(row, row.by(clock))).collect();
        if lines.is_empty() {
            return None;
        }
        let finest = |row: &&Row| matches!(row.by(clock).half, Bound::Below(_));
        let finest: Vec<&str> = self.rows.iter().filter(finest).map(|row| row.name.as_str()).collect();
        let stands_out = match least(&self.rows, |row| row.by(clock).half.grain()) {
            _ if !finest.is_empty() => Some(format!(
                " Half of the ideal is left even at the finest grain that was measured: {}.",
                finest.join(", ")
            )),
            Some((row, grain)) => {
                let grain = short_time(grain);
                Some(format!(" The smallest grain with half of the ideal is that of {}, {grain}.", row.name))
            }
            None => None,
        };
        let caption = format!(
            "How much of the ideal throughput of {} workers is left (up) when keys take less time (to the left). Each line is a \
             strategy, with 95 % intervals. {says}{}",
            self.workers,
            stands_out.unwrap_or_default()
        );
        let drawing = Drawing::Curves(Curves {
            x: axis("grain: time of a key in sequential", Unit::Seconds, true),
            y: axis("efficiency", Unit::Share, false),
            lines,
            marks: self.marks(),
        });
        Some(curves::Figure { name: name.to_owned(), title: title.to_owned(), caption, drawing })
    }

    /// What efficiencies are compared with.
    fn marks(&self) -> Vec<Mark> {
        let mark = |name: &str, value| Mark { name: name.to_owned(), value };
        let ideal = [mark("ideal", 1.0), mark("95 %", MOST)];
        let half = match self.workers {
            2 => vec![mark("half of the ideal, as fast as sequential", HALF)],
            workers => {
                vec![mark("half of the ideal", HALF), mark("as fast as sequential", 1.0 / workers.max(1) as f64)]
            }
        };
        ideal.into_iter().chain(half).collect()
    }
}

impl Row {
    /// The line of this clock.
    pub fn by(&self, clock: Clock) -> &Line {
        match clock {
            Clock::Warm => &self.warm,
            Clock::Cold => &self.cold,
        }
    }
}

fn curve(row: &Row, line: &Line) -> Option<Curve> {
    // In order of x.
    let points: Vec<_> = line.points.iter().rev().map(|at| point(at.grain, at.efficiency)).collect();
    (!points.is_empty()).then(|| Curve { name: row.name.clone(), points, is_joined: true })
}

/// The grain of a job, from `sequential` at it.
fn grain(sequential: &Timed) -> Option<Figure> {
    let keys = sequential.job.keys.max(1) as f64;
    sequential.warm.clone().map(|warm| warm.scaled(keys.recip())).filter(|grain| grain.summary.median > 0.0)
}

fn row(own: &Strategy, sequential: &Strategy) -> Row {
    // The jobs at which both were timed, the coarsest first.
    let mut jobs: Vec<(Figure, &Timed, &Timed)> = own
        .at
        .iter()
        .filter_map(|(at, own)| {
            let sequential = sequential.at.get(at)?;
            Some((grain(sequential)?, sequential, own))
        })
        .collect();
    jobs.sort_by(|a, b| b.0.summary.median.total_cmp(&a.0.summary.median));
    let overhead = jobs.iter().rev().find_map(|(grain, _, own)| overhead(grain, own));
    Row { name: own.name.clone(), warm: line(&jobs, Clock::Warm), cold: line(&jobs, Clock::Cold), overhead }
}

fn overhead(grain: &Figure, own: &Timed) -> Option<Overhead> {
    let per_key = own.warm.clone()?.scaled(own.job.workers as f64 / own.job.keys.max(1) as f64);
    let differences = per_key.resamples().iter().zip(grain.resamples()).map(|(all, grain)| all - grain).collect();
    Some(Overhead {
        value: per_key.summary.median - grain.summary.median,
        interval: stats::middle_of(differences, CONFIDENCE),
        at: grain.summary.median,
    })
}

fn line(jobs: &[(Figure, &Timed, &Timed)], clock: Clock) -> Line {
    let timed: Vec<(&Figure, &Timed, &Figure, f64)> = jobs
        .iter()
        .filter_map(|(grain, sequential, own)| {
            Some((grain, *sequential, own.by(clock)?, (own.job.workers as f64).recip()))
        })
        .collect();
    let points: Vec<At> = timed
        .iter()
        .filter_map(|(grain, sequential, own, share)| {
            Some(At {
                grain: grain.summary.median,
                efficiency: sequential.warm.as_ref()?.over(own).scaled(*share),
                speed_up: sequential.by(clock)?.over(own),
            })
        })
        .collect();
    // For each resample of the rounds, the efficiencies at all jobs.
    let resampled = |number: usize| -> Option<Vec<(f64, f64)>> {
        timed
            .iter()
            .map(|(grain, sequential, own, share)| {
                let warm = sequential.warm.as_ref()?.resamples().get(number)?;
                Some((*grain.resamples().get(number)?, warm / own.resamples().get(number)? * share))
            })
            .collect()
    };
    let resamples: Vec<Vec<(f64, f64)>> =
        if timed.is_empty() { Vec::new() } else { (0..).map_while(resampled).collect() };
    let efficiencies: Vec<(f64, f64)> = points.iter().map(|at| (at.grain, at.efficiency.value)).collect();
    let metg = |wanted: f64| match bound(&efficiencies, wanted) {
        Bound::At { grain, .. } => {
            let crossings = resamples.iter().map(|points| match bound(points, wanted) {
                Bound::At { grain, .. } => grain,
                Bound::Below(_) => 0.0,
                Bound::Above(_) | Bound::Unknown => f64::INFINITY,
            });
            let interval = stats::middle_of(crossings.collect(), CONFIDENCE);
            Bound::At { grain, interval: interval.filter(|it| it.low > 0.0 && it.high.is_finite()) }
        }
        other => other,
    };
    let lows: Option<Vec<(f64, f64)>> = points.iter().map(|at| Some((at.grain, at.speed_up.interval?.low))).collect();
    let beats = lows.map_or(Bound::Unknown, |lows| bound(&lows, 1.0));
    Line { half: metg(HALF), most: metg(MOST), beats, points }
}

/// Where what was measured at these grains, the coarsest first, falls below `wanted`.
pub fn bound(points: &[(f64, f64)], wanted: f64) -> Bound {
    let (Some(coarsest), Some(finest)) = (points.first(), points.last()) else { return Bound::Unknown };
    let Some(first_above) = points.iter().position(|(_, value)| *value >= wanted) else {
        return Bound::Above(coarsest.0);
    };
    let falls = points[first_above..].windows(2).find(|pair| pair[1].1 < wanted);
    let Some(&[(coarse, above), (fine, below)]) = falls else { return Bound::Below(finest.0) };
    let way = (above - wanted) / (above - below);
    Bound::At { grain: (coarse.ln() + way * (fine.ln() - coarse.ln())).exp(), interval: None }
}

impl Bound {
    /// The grain, if it is between two jobs.
    pub fn grain(self) -> Option<f64> {
        match self {
            Bound::At { grain, .. } => Some(grain),
            Bound::Below(_) | Bound::Above(_) | Bound::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Grains that halve from the coarsest, with the efficiency of an overhead per key.
    fn measured(coarsest: f64, jobs: i32, overhead: f64) -> Vec<(f64, f64)> {
        let grains = (0..jobs).map(|job| coarsest / 2f64.powi(job));
        grains.map(|grain| (grain, grain / (grain + overhead))).collect()
    }

    proptest! {
        /// With an overhead o per key, efficiency is g / (g + o): one half at g = o, 95 % at g = 19 o.
        #[test]
        fn half_is_left_where_the_grain_is_the_overhead(coarsest in 1e-3..1e-2f64, overhead in 1e-8..1e-5f64) {
            let points = measured(coarsest, 24, overhead);
            let half = bound(&points, HALF).grain().unwrap();
            prop_assert!((half / overhead - 1.0).abs() < 0.01, "{half} {overhead}");
            let most = bound(&points, MOST).grain().unwrap();
            prop_assert!((most / overhead / 19.0 - 1.0).abs() < 0.06, "{most} {overhead}");
        }

        #[test]
        fn a_bound_is_between_its_two_jobs(values in proptest::collection::vec(0.0..1.0f64, 0..12), wanted in 0.1..0.9f64) {
            let points: Vec<(f64, f64)> = (1..).zip(&values).map(|(job, value)| (f64::from(job).recip(), *value)).collect();
            match bound(&points, wanted) {
                Bound::At { grain, .. } => {
                    let coarser = points.iter().rfind(|(at, _)| *at >= grain * (1.0 - 1e-12)).unwrap();
                    let finer = points.iter().find(|(at, _)| *at < grain * (1.0 - 1e-12)).unwrap_or(coarser);
                    prop_assert!(coarser.1 >= wanted && finer.1 <= wanted, "{grain} {points:?}");
                }
                Bound::Below(finest) => {
                    prop_assert_eq!(finest, points.last().unwrap().0);
                    prop_assert!(points.last().unwrap().1 >= wanted);
                }
                Bound::Above(coarsest) => {
                    prop_assert_eq!(coarsest, points[0].0);
                    prop_assert!(points.iter().all(|(_, value)| *value < wanted));
                }
                Bound::Unknown => prop_assert!(points.is_empty()),
            }
        }
    }
}
