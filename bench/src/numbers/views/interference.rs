//! What a busy neighbour costs: the time with it over the time without.
//!
//! The neighbour keeps one CPU busy. A scheduler that is fair gives it half of that CPU while a worker wants it too, so of P
//! CPUs P − 1/2 are left. Work that moves to where there is room takes `min(W, P) / min(W, P − 1/2)` times as long with W
//! workers. A share of the work that stays beside the neighbour takes twice as long.

use crate::numbers::curves::{self, Bars, Drawing, Mark, Unit};
use crate::numbers::stats::Ratio;
use crate::numbers::views::{Clock, axis, bars, jobs, least, strategies};
use crate::run::Run;
use crate::run::job::Job;
use crate::run::plan::SEQUENTIAL;

/// The view.
#[derive(Clone, Debug, PartialEq)]
pub struct Interference {
    /// CPUs that the run could use.
    pub cpus: u64,
    /// The workers of the job.
    pub workers: usize,
    /// The least that the neighbour can cost all workers: how many times as long the job takes.
    pub ideal: f64,
    /// The strategies, `sequential` first.
    pub rows: Vec<Row>,
}

/// A strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// How many times as long a warm batch takes with the neighbour.
    pub warm: Option<Ratio>,
    /// How many times as long a whole process takes.
    pub cold: Option<Ratio>,
    /// The least that the neighbour can cost this row: `sequential` has only one worker.
    pub ideal: f64,
    /// It gives each worker its keys before it starts.
    pub divides_beforehand: bool,
}

/// What divides the keys among the workers beforehand. Nothing in a run says so; the laws of the strategies do.
pub const DIVIDES_BEFOREHAND: [&str; 1] = ["std-chunks"];

impl Interference {
    /// Works it out.
    pub fn of(run: &Run) -> Interference {
        let cpus = run.machine.cpus_available;
        let jobs = jobs(run);
        let pair = jobs.iter().filter(|(_, job)| !job.neighbour).find_map(|(without, job)| {
            let disturbed = Job { neighbour: true, ..job.clone() };
            let (with, _) = jobs.iter().find(|(_, other)| **other == disturbed)?;
            Some((*without, *with))
        });
        let workers = jobs.values().next().map_or(0, |job| job.workers);
        let mut view = Interference { cpus, workers, ideal: ideal(cpus, workers), rows: Vec::new() };
        let Some((without, with)) = pair else { return view };
        let row = |own: super::Strategy| {
            let ratio = |clock| Some(own.time(with, clock)?.over(own.time(without, clock)?));
            let (warm, cold) = (ratio(Clock::Warm), ratio(Clock::Cold));
            let ideal = ideal(cpus, if own.name == SEQUENTIAL { 1 } else { workers });
            let divides_beforehand = DIVIDES_BEFOREHAND.contains(&own.name.as_str());
            Row { warm, cold, ideal, divides_beforehand, name: own.name }
        };
        let rows = strategies(run).into_iter().map(row);
        view.rows = rows.filter(|row| row.warm.is_some() || row.cold.is_some()).collect();
        view
    }

    /// `interference`, of warm batches.
    pub fn figures(&self) -> Vec<curves::Figure> {
        let bars = bars(self.rows.iter().filter_map(|row| Some((row.name.clone(), row.warm?))));
        if bars.is_empty() {
            return Vec::new();
        }
        let caption = format!(
            "How many times as long a warm batch takes while a busy program has one of the {} CPUs, with 95 % intervals; shorter is \
             better. If work moves to the free CPUs, it takes {:.2} times as long; if it stays on the busy CPU, 2 times.{}",
            self.cpus,
            self.ideal,
            self.worst_and_best()
        );
        let marks = [("all workers share the loss", self.ideal), ("work stays beside the neighbour", 2.0)];
        let marks = marks.map(|(name, value)| Mark { name: name.to_owned(), value }).into();
        let axis = axis("time with the neighbour over time without", Unit::Factor, false);
        let drawing = Drawing::Bars(Bars { axis, bars, marks });
        let (name, title) = ("interference".to_owned(), "Slow-down by a busy neighbour".to_owned());
        vec![curves::Figure { name, title, caption, drawing }]
    }

    fn worst_and_best(&self) -> String {
        let others: Vec<&Row> = self.rows.iter().filter(|row| row.name != SEQUENTIAL).collect();
        let warm = |row: &&Row| row.warm.map(|ratio| ratio.value);
        let worst = least(&others, |row| warm(row).map(|value| -value)).map(|(row, value)| (row, -value));
        match least(&others, warm).zip(worst) {
            Some(((best, low), (worst, high))) if best.name != worst.name => {
                format!(" The least is that of {}, {low:.2}, the most that of {}, {high:.2}.", best.name, worst.name)
            }
            _ => String::new(),
        }
    }
}

/// See the module's documentation.
fn ideal(cpus: u64, workers: usize) -> f64 {
    let (cpus, workers) = (cpus.max(1) as f64, workers.max(1) as f64);
    workers.min(cpus) / workers.min(cpus - 0.5)
}

impl Row {
    /// How many times as long a warm batch takes as with the least that the neighbour can cost.
    pub fn over_ideal(&self) -> Option<Ratio> {
        self.warm.map(|ratio| ratio.scaled(self.ideal.recip()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_neighbour_takes_half_of_a_cpu_that_is_wanted() {
        assert_eq!((ideal(1, 1), ideal(2, 1), ideal(4, 3)), (2.0, 1.0, 1.0));
        assert!((ideal(2, 2) - 4.0 / 3.0).abs() < 1e-12 && (ideal(2, 8) - 4.0 / 3.0).abs() < 1e-12);
        assert_eq!(ideal(0, 0), 2.0);
    }

    #[test]
    fn what_divides_beforehand_is_what_its_laws_say() {
        // These two run one key at a time, so that there is nothing to divide.
        const ONE_AT_A_TIME: [&str; 2] = ["sequential", "global-lock"];
        let impls = Path::new(env!("CARGO_MANIFEST_DIR")).join("../impls");
        let mut found = Vec::new();
        for folder in fs::read_dir(impls).unwrap().map(|entry| entry.unwrap().path()) {
            let laws = fs::read_to_string(folder.join("tests/laws.rs")).unwrap_or_default();
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            if laws.contains("does_not_balance") && !ONE_AT_A_TIME.contains(&name.as_str()) {
                found.push(name);
            }
        }
        found.sort();
        assert_eq!(found, DIVIDES_BEFOREHAND);
    }
}
