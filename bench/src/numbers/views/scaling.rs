//! What more workers bring: speed-up over the number of workers.

use crate::numbers::curves::{self, Curve, Curves, Drawing, Mark, Unit};
use crate::numbers::scalability::{Law, NoFit};
use crate::numbers::stats::{Figure, Ratio};
use crate::numbers::views::{Clock, Strategy, axis, divided, point, strategies};
use crate::run::Run;

/// The view. All times are warm.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// CPUs that the run could use.
    pub cpus: u64,
    /// One for each workload, in the order of the plan.
    pub parts: Vec<Part>,
}

/// A workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name.
    pub workload: String,
    /// In ascending order.
    pub workers: Vec<usize>,
    /// The strategies but `sequential`.
    pub rows: Vec<Row>,
}

/// A strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// One for each number of workers at which it was timed.
    pub points: Vec<At>,
    /// The scalability law, fitted to worker counts up to the CPUs.
    pub law: Result<Law, NoFit>,
}

/// A strategy with a number of workers.
#[derive(Clone, Debug, PartialEq)]
pub struct At {
    /// How many.
    pub workers: usize,
    /// Seconds of a batch.
    pub time: Figure,
    /// How many times faster than itself with one worker.
    pub speed_up: Option<Ratio>,
    /// How many times faster than `sequential`.
    pub to_sequential: Option<Ratio>,
    /// The speed-up over the workers that can run at once, which are at most the CPUs.
    pub efficiency: Option<Ratio>,
}

impl Scaling {
    /// Works it out.
    pub fn of(run: &Run) -> Scaling {
        let all = strategies(run);
        let (sequential, others) = divided(&all);
        let cpus = run.machine.cpus_available;
        let jobs = || all.iter().flat_map(|strategy| strategy.at.values()).map(|timed| &timed.job);
        let mut workloads: Vec<String> = run.plan.cells.iter().map(|cell| cell.job.workload.clone()).collect();
        let mut seen = Vec::new();
        workloads.retain(|workload| {
            let is_new = !seen.contains(workload);
            seen.push(workload.clone());
            is_new
        });
        let part = |workload: String| {
            let mut workers: Vec<usize> =
                jobs().filter(|job| job.workload == workload).map(|job| job.workers).collect();
            workers.sort_unstable();
            workers.dedup();
            let rows = others.iter().map(|own| row(own, sequential, &workload, cpus));
            Part { rows: rows.filter(|row| !row.points.is_empty()).collect(), workload, workers }
        };
        Scaling { cpus, parts: workloads.into_iter().map(part).filter(|part| !part.rows.is_empty()).collect() }
    }

    /// `scaling-WORKLOAD` for each workload.
    pub fn figures(&self) -> Vec<curves::Figure> {
        self.parts.iter().filter_map(|part| self.figure(part)).collect()
    }

    fn figure(&self, part: &Part) -> Option<curves::Figure> {
        let line = |row: &Row| {
            let points = row.points.iter().filter_map(|at| Some(point(at.workers as f64, at.speed_up?))).collect();
            Curve { name: row.name.clone(), points, is_joined: true }
        };
        let lines: Vec<Curve> = part.rows.iter().map(line).filter(|line| !line.points.is_empty()).collect();
        let best = lines
            .iter()
            .flat_map(|line| line.points.iter().map(move |point| (line, point)))
            .max_by(|a, b| a.1.y.total_cmp(&b.1.y));
        let (best, at) = best?;
        let caption = format!(
            "How many times faster a warm batch of `{}` is than that of the same strategy with one worker (up), over the number of \
             workers (to the right), with 95 % intervals. The upper line is the ideal speed-up on {}. The highest is {} with \
             {} workers: {:.2}.",
            part.workload,
            match self.cpus {
                1 => "1 CPU".to_owned(),
                cpus => format!("{cpus} CPUs"),
            },
            best.name,
            at.x,
            at.y
        );
        let marks = [("no faster than one worker", 1.0), ("as many times as there are CPUs", self.cpus as f64)];
        let drawing = Drawing::Curves(Curves {
            x: axis("workers", Unit::Count, false),
            y: axis("speed-up to one worker", Unit::Factor, false),
            lines,
            marks: marks.map(|(name, value)| Mark { name: name.to_owned(), value }).into(),
        });
        let title = format!("Speed-up over workers, {}", part.workload);
        Some(curves::Figure { name: format!("scaling-{}", part.workload), title, caption, drawing })
    }
}

fn row(own: &Strategy, sequential: Option<&Strategy>, workload: &str, cpus: u64) -> Row {
    let warm = |strategy: &Strategy, is_wanted: &dyn Fn(usize) -> bool| {
        let timed = strategy.at.values().find(|it| it.job.workload == workload && is_wanted(it.job.workers));
        timed.and_then(|timed| timed.warm.clone())
    };
    let of_one = warm(own, &|workers| workers == 1);
    let mut points: Vec<At> = own
        .at
        .iter()
        .filter(|(_, timed)| timed.job.workload == workload)
        .filter_map(|(at, timed)| {
            let (workers, time) = (timed.job.workers, timed.warm.clone()?);
            // The number of workers means nothing to the plain loop, so any of its jobs will do.
            let plain = sequential.and_then(|sequential| {
                sequential.time(*at, Clock::Warm).cloned().or_else(|| warm(sequential, &|_| true))
            });
            let speed_up = of_one.as_ref().map(|of_one| of_one.over(&time));
            let running = (workers as f64).min(cpus.max(1) as f64);
            Some(At {
                workers,
                speed_up,
                to_sequential: plain.map(|plain| plain.over(&time)),
                efficiency: speed_up.map(|ratio| ratio.scaled(running.recip())),
                time,
            })
        })
        .collect();
    points.sort_by_key(|at| at.workers);
    let up_to_cpus = points.iter().filter(|at| at.workers as u64 <= cpus);
    let throughputs: Vec<(f64, f64)> =
        up_to_cpus.map(|at| (at.workers as f64, at.time.summary.median.recip())).collect();
    Row { name: own.name.clone(), points, law: Law::fit(&throughputs) }
}
