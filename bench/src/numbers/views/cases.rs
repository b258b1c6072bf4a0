//! What the fastest strategy brings at jobs of all kinds: the first batch of a process, with its start.
//!
//! Every job is timed in a few processes of one batch. The least of many medians is partly luck: measured again, it would often
//! be a little more.

use crate::numbers::curves::{self, Curve, Curves, Drawing, Mark, Unit};
use crate::numbers::digits::short_time;
use crate::numbers::standings;
use crate::numbers::stats::{Figure, Ratio};
use crate::numbers::views::{axis, jobs, least, point};
use crate::run::job::Job;
use crate::run::plan::{Row, SEQUENTIAL};
use crate::run::{Measured, Run};

/// The view.
#[derive(Clone, Debug, PartialEq)]
pub struct Cases {
    /// CPUs that the run could use.
    pub cpus: u64,
    /// The jobs at which `sequential` and another strategy were timed, in the order of the plan.
    pub rows: Vec<Case>,
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The number behind the names of its cells, from 1.
    pub number: usize,
    /// The job.
    pub job: Job,
    /// Seconds of the first batch in `sequential`.
    pub sequential: Figure,
    /// The fastest of the other strategies.
    pub fastest: String,
    /// What it takes.
    pub time: Figure,
    /// How many times faster than `sequential` that is.
    pub speed_up: Ratio,
    /// How many strategies were timed besides `sequential`.
    pub others: usize,
}

impl Cases {
    /// Works it out.
    pub fn of(run: &Run) -> Cases {
        let rows = jobs(run).into_iter().filter_map(|(at, job)| case(run, at, job)).collect();
        Cases { cpus: run.machine.cpus_available, rows }
    }

    /// `cases`.
    pub fn figures(&self) -> Vec<curves::Figure> {
        let mut rows: Vec<&Case> = self.rows.iter().collect();
        rows.sort_by(|a, b| a.seconds().total_cmp(&b.seconds()));
        let Some(caption) = caption(&rows) else { return Vec::new() };
        let line = |name: &str, is_asleep: bool| {
            let own = rows.iter().filter(|row| row.is_asleep() == is_asleep);
            let points = own.map(|row| point(row.seconds(), row.speed_up)).collect();
            Curve { name: name.to_owned(), points, is_joined: false }
        };
        let lines = [line("awake", false), line("asleep", true)].into_iter().filter(|line| !line.points.is_empty());
        let cpus = self.cpus.max(1);
        let mut marks = vec![Mark { name: SEQUENTIAL.to_owned(), value: 1.0 }];
        if cpus > 1 {
            marks.push(Mark { name: format!("{cpus} CPUs"), value: cpus as f64 });
        }
        let x = axis("batch in sequential", Unit::Seconds, true);
        let y = axis("× sequential, fastest strategy", Unit::Factor, true);
        let drawing = Drawing::Curves(Curves { x, y, lines: lines.collect(), marks });
        let (name, title) = ("cases".to_owned(), "The fastest strategy at each job".to_owned());
        vec![curves::Figure { name, title, caption, drawing }]
    }
}

impl Case {
    /// What `sequential` takes.
    fn seconds(&self) -> f64 {
        self.sequential.summary.median
    }

    fn is_asleep(&self) -> bool {
        self.job.count > 0
    }

    fn is_faster(&self) -> bool {
        self.speed_up.value > 1.0
    }
}

/// What was timed at a job, if that is `sequential` and something to compare with it.
fn case(run: &Run, at: usize, job: Job) -> Option<Case> {
    let is_plain = |row: &str| run.plan.row(row).is_some_and(Row::is_plain);
    let timed = run.whole().filter(|(cell, _)| cell.at == at && is_plain(&cell.row));
    let timed: Vec<(&str, Figure)> =
        timed.filter_map(|(cell, measured)| Some((cell.row.as_str(), first_batch(measured)?))).collect();
    let (_, sequential) = timed.iter().find(|(row, _)| *row == SEQUENTIAL)?;
    let (fastest, time) = timed
        .iter()
        .filter(|(row, _)| *row != SEQUENTIAL)
        .min_by(|a, b| a.1.summary.median.total_cmp(&b.1.summary.median))?;
    Some(Case {
        number: at + 1,
        job,
        speed_up: sequential.over(time),
        sequential: sequential.clone(),
        fastest: (*fastest).to_owned(),
        time: time.clone(),
        others: timed.len() - 1,
    })
}

/// As a table shows it: without the spread of a few processes, which would say little.
fn first_batch(measured: &Measured) -> Option<Figure> {
    let mut figure = Figure::of(&standings::first_batch(measured)).filter(|figure| figure.summary.median > 0.0)?;
    figure.summary.spread = None;
    Some(figure)
}

/// Of jobs in order of the time of `sequential`; nothing if there are none.
fn caption(rows: &[&Case]) -> Option<String> {
    let most = |is_asleep: bool| {
        let own: Vec<&Case> = rows.iter().copied().filter(|row| row.is_asleep() == is_asleep).collect();
        least(&own, |row| Some(-row.speed_up.value))
            .map(|(row, value)| format!("{:.2}, that of {}", -value, row.fastest))
    };
    let most = match (most(false), most(true)) {
        (Some(awake), Some(asleep)) => format!("{awake}; where keys sleep it is {asleep}"),
        (awake, asleep) => awake.or(asleep)?,
    };
    Some(format!(
        "How many times faster than sequential the fastest other strategy is at each of {} jobs, timed from its start to the end of its \
         first batch, against what sequential takes; higher is better. {} The most is {most}.",
        rows.len(),
        who_is_faster(rows),
    ))
}

/// At how many jobs it is not `sequential`, and whether short or long ones.
fn who_is_faster(rows: &[&Case]) -> String {
    let time = |row: &Case| short_time(row.seconds());
    let faster = rows.iter().filter(|row| row.is_faster()).count();
    if faster == rows.len() || faster == 0 {
        return format!("It is faster at {}.", if faster == 0 { "none of them" } else { "all of them" });
    }
    let never = rows.iter().take_while(|row| !row.is_faster()).last();
    let always = rows.iter().rev().take_while(|row| row.is_faster()).last();
    let never = never.map(|row| format!("never where that is {} or less", time(row)));
    let always = always.map(|row| format!("always where it is {} or more", time(row)));
    let where_it_is: Vec<String> = never.into_iter().chain(always).collect();
    let comma = if where_it_is.is_empty() { "" } else { ", " };
    format!("It is faster at {faster} of them{comma}{}.", where_it_is.join(", and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs at which `sequential` takes 1 ms, 2 ms and so on.
    fn said(speed_ups: &[f64]) -> String {
        let figure = |seconds: f64| Figure::of(&[(1, seconds)].into()).expect("a sample");
        let rows = speed_ups.iter().enumerate().map(|(at, speed_up)| Case {
            number: at + 1,
            job: Job {
                workload: "wait".into(),
                keys: 10,
                count: 0,
                skew: "uniform".into(),
                rng: "xoshiro".into(),
                seed: 42,
                workers: 2,
                values: 100,
                output_bytes: 8,
                neighbour: false,
                own: None,
            },
            sequential: figure((at + 1) as f64 / 1e3),
            fastest: "rayon-iter".into(),
            time: figure((at + 1) as f64 / 1e3 / speed_up),
            speed_up: Ratio { value: *speed_up, interval: None },
            others: 1,
        });
        let rows: Vec<Case> = rows.collect();
        who_is_faster(&rows.iter().collect::<Vec<_>>())
    }

    #[test]
    fn who_is_faster_depends_on_the_length_of_a_batch_or_does_not() {
        assert_eq!(
            said(&[0.5, 1.0, 1.5, 0.9, 2.0, 2.0]),
            "It is faster at 3 of them, never where that is 2.00 ms or less, and always where it is 5.00 ms or more."
        );
        assert_eq!(said(&[0.5, 1.5, 0.9]), "It is faster at 1 of them, never where that is 1.00 ms or less.");
        assert_eq!(said(&[1.5, 0.9, 1.5]), "It is faster at 2 of them, always where it is 3.00 ms or more.");
        assert_eq!(said(&[1.5, 0.9]), "It is faster at 1 of them.");
        assert_eq!(said(&[1.5, 1.1]), "It is faster at all of them.");
        assert_eq!(said(&[0.5, 1.0]), "It is faster at none of them.");
    }
}
