//! What more workers than CPUs bring where keys sleep: speed-up over the share of a key that is asleep.

use std::cmp::Ordering;

use crate::numbers::curves::{self, Curve, Curves, Drawing, Mark, Unit};
use crate::numbers::stats::{self, Figure, Ratio};
use crate::numbers::views::{Clock, Strategy, axis, divided, point, strategies};
use crate::run::Run;
use crate::run::job::Job;

/// The view. All times are warm.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocking {
    /// CPUs that the run could use.
    pub cpus: u64,
    /// How many workers, in ascending order.
    pub workers: Vec<usize>,
    /// The shares of a key that are asleep in `sequential`, in ascending order.
    pub shares: Vec<f64>,
    /// The strategies but `sequential`.
    pub rows: Vec<Row>,
}

/// A strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// One per share.
    pub shares: Vec<At>,
    /// The share from which on, at each share that was measured, some number of workers beyond the CPUs is clearly faster than
    /// as many workers as CPUs.
    pub more_wins_from: Option<f64>,
}

/// A strategy at a share.
#[derive(Clone, Debug, PartialEq)]
pub struct At {
    /// How many times faster than `sequential`, one per number of workers.
    pub speed_ups: Vec<Option<Ratio>>,
    /// The fewest workers that are not clearly slower than the fastest.
    pub best: Option<usize>,
    /// Whether more workers than CPUs are clearly faster than as many as CPUs; `None` if either is missing or of too few runs.
    pub more_wins: Option<bool>,
}

impl Blocking {
    /// Works it out.
    pub fn of(run: &Run) -> Blocking {
        let cpus = run.machine.cpus_available;
        let all = strategies(run);
        let empty = Blocking { cpus, workers: Vec::new(), shares: Vec::new(), rows: Vec::new() };
        let (Some(sequential), others) = divided(&all) else { return empty };
        // Jobs that differ in their workers alone are at the same share.
        let mut mixes: Vec<(u64, u64)> = sequential.at.values().map(|timed| mix(&timed.job)).collect();
        mixes.sort_unstable();
        mixes.dedup();
        let mut shares: Vec<(f64, (u64, u64))> =
            mixes.into_iter().filter_map(|mix| Some((asleep(sequential, mix)?, mix))).collect();
        shares.sort_by(|a, b| a.0.total_cmp(&b.0));
        let jobs = || others.iter().flat_map(|own| own.at.values()).map(|timed| &timed.job);
        let mut workers: Vec<usize> = jobs().map(|job| job.workers).collect();
        workers.sort_unstable();
        workers.dedup();
        let rows = others.iter().map(|own| row(own, sequential, &shares, &workers, cpus));
        let rows = rows.filter(|row| row.shares.iter().any(|at| at.speed_ups.iter().any(Option::is_some))).collect();
        Blocking { cpus, workers, rows, shares: shares.into_iter().map(|(share, _)| share).collect() }
    }

    /// `blocking-N` for each number of workers.
    pub fn figures(&self) -> Vec<curves::Figure> {
        self.workers.iter().enumerate().filter_map(|(place, workers)| self.figure(place, *workers)).collect()
    }

    fn figure(&self, place: usize, workers: usize) -> Option<curves::Figure> {
        let line = |row: &Row| {
            let points = self.shares.iter().zip(&row.shares);
            let points = points.filter_map(|(share, at)| Some(point(*share, at.speed_ups[place]?))).collect();
            Curve { name: row.name.clone(), points, is_joined: true }
        };
        let lines: Vec<Curve> = self.rows.iter().map(line).filter(|line| !line.points.is_empty()).collect();
        if lines.is_empty() {
            return None;
        }
        let last = lines.iter().filter_map(|line| Some((&line.name, line.points.last()?)));
        let fastest = last.max_by(|a, b| (a.1.x, a.1.y).partial_cmp(&(b.1.x, b.1.y)).unwrap_or(Ordering::Equal));
        let fastest = fastest
            .map(|(name, at)| format!(" At {:.0} % asleep, {name} is the fastest, with {:.2}×.", at.x * 100.0, at.y));
        let count = if workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") };
        let caption = format!(
            "How many times faster a warm batch is than that of sequential (up), over the share of a key that sleeps (to the right). \
             Each line is a strategy with {count} on {} CPUs, with 95 % intervals.{}",
            self.cpus,
            fastest.unwrap_or_default()
        );
        let marks = vec![Mark { name: "as many times as there are CPUs".to_owned(), value: self.cpus as f64 }];
        let (x, y) = (axis("asleep", Unit::Share, false), axis("speed-up to sequential", Unit::Factor, true));
        let drawing = Drawing::Curves(Curves { x, y, lines, marks });
        let title = format!("Keys that sleep, {count}");
        Some(curves::Figure { name: format!("blocking-{workers}"), title, caption, drawing })
    }
}

/// What of a job decides its share: how long a key sleeps, and what it computes.
fn mix(job: &Job) -> (u64, u64) {
    (job.count, job.values)
}

/// The share of a key's time in `sequential` that it sleeps.
fn asleep(sequential: &Strategy, of: (u64, u64)) -> Option<f64> {
    let alike = sequential.at.values().filter(|timed| mix(&timed.job) == of);
    let key = |it: &super::Timed| Some(it.warm.as_ref()?.summary.median / it.job.keys.max(1) as f64);
    let key = stats::median(alike.filter_map(key)).filter(|key| *key > 0.0)?;
    Some((of.0 as f64 * 1e-6 / key).min(1.0))
}

fn row(own: &Strategy, sequential: &Strategy, shares: &[(f64, (u64, u64))], workers: &[usize], cpus: u64) -> Row {
    let at = |(_, of): &(f64, (u64, u64))| {
        let timed = |workers: usize| own.at.iter().find(|(_, it)| mix(&it.job) == *of && it.job.workers == workers);
        let times: Vec<Option<&Figure>> = workers.iter().map(|workers| timed(*workers)?.1.by(Clock::Warm)).collect();
        // The number of workers means nothing to the plain loop, so any of its jobs will do.
        let any = sequential.at.values().find(|it| mix(&it.job) == *of).and_then(|it| it.warm.as_ref());
        let speed_up = |(workers, time): (&usize, &Option<&Figure>)| {
            let plain = timed(*workers).and_then(|(at, _)| sequential.time(*at, Clock::Warm)).or(any)?;
            Some(plain.over((*time)?))
        };
        let known: Vec<(usize, &Figure)> =
            workers.iter().zip(&times).filter_map(|(workers, time)| Some((*workers, (*time)?))).collect();
        let fastest = known.iter().min_by(|a, b| a.1.summary.median.total_cmp(&b.1.summary.median));
        let best = fastest.and_then(|(_, fastest)| known.iter().find(|(_, time)| !time.is_clearly_above(fastest)));
        let as_cpus = known.iter().find(|(workers, _)| *workers as u64 == cpus);
        let more = || known.iter().filter(|(workers, _)| *workers as u64 > cpus);
        let more_wins = as_cpus.and_then(|(_, as_cpus)| {
            let can_tell = |time: &Figure| as_cpus.over(time).interval.is_some();
            more().any(|(_, time)| can_tell(time)).then(|| more().any(|(_, time)| as_cpus.is_clearly_above(time)))
        });
        At {
            speed_ups: workers.iter().zip(&times).map(speed_up).collect(),
            best: best.map(|(workers, _)| *workers),
            more_wins,
        }
    };
    let at: Vec<At> = shares.iter().map(at).collect();
    let wins = at.iter().zip(shares).rev().take_while(|(at, _)| at.more_wins == Some(true));
    let more_wins_from = wins.last().map(|(_, (share, _))| *share);
    Row { name: own.name.clone(), shares: at, more_wins_from }
}
