//! Two runs of the same job, row by row.

use std::fmt;

use crate::numbers::standings::{cold, first_batch};
use crate::numbers::stats::{self, CONFIDENCE, Figure, Ratio, Summary};
use crate::run::job::Job;
use crate::run::machine::Machine;
use crate::run::plan::CONTROL;
use crate::run::{Measured, Run};

/// What two runs have to say of each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Differences {
    /// The rows that both have measured, in the order of the first run's plan.
    pub rows: Vec<Difference>,
    /// How sure each interval is.
    pub confidence: f64,
    /// The rows that one of them alone has, and those that one could not measure.
    pub only_one: Vec<String>,
    /// What about the machine or the build is not the same: a word for each, and both values.
    pub machines: Vec<(&'static str, String, String)>,
}

/// One row in two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// Its cold time in the first run and in the second, or that of first batches where these alone are timed.
    pub times: [Summary; 2],
    /// The second over the first.
    pub ratio: Ratio,
    /// What that says.
    pub verdict: Verdict,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The second run is faster.
    Faster,
    /// The second run is slower.
    Slower,
    /// There is no difference that can be told.
    NoDifference,
    /// Too few runs to tell anything.
    TooFew,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Faster => "faster",
            Verdict::Slower => "slower",
            Verdict::NoDifference => "no difference",
            Verdict::TooFew => "too few runs",
        })
    }
}

/// Why two runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Incomparable {
    /// They did different things.
    #[error("the runs measure different jobs: {0}, and {1}")]
    Jobs(String, String),
    /// Nothing in common.
    #[error("the runs have no row in common that both have measured")]
    NoRow,
}

/// Compares two runs.
///
/// The intervals are wider than 95 %: of k rows each has confidence 1 - 0.05 / k (Bonferroni), so that of twenty pairs of equal
/// runs nineteen show no difference in any row.
///
/// # Errors
///
/// If the runs are of different jobs, or have no row in common.
pub fn between(first: &Run, second: &Run) -> Result<Differences, Incomparable> {
    let jobs = |run: &Run| run.plan.jobs().cloned().collect::<Vec<Job>>();
    if jobs(first) != jobs(second) {
        return Err(Incomparable::Jobs(line(&jobs(first)), line(&jobs(second))));
    }
    let times = if first.plan.has_cold_runs() { cold } else { first_batch };
    let figure =
        |measured: &Measured, run| Figure::of_run(&times(measured), run).filter(|_| measured.failure.is_none());
    let mut only_one = Vec::new();
    let mut both = Vec::new();
    for cell in first.plan.cells.iter().filter(|cell| cell.row != CONTROL) {
        let one = first.measured(&cell.name).and_then(|measured| figure(measured, 1));
        let two = second.measured(&cell.name).and_then(|measured| figure(measured, 2));
        match one.zip(two) {
            Some(figures) => both.push((cell.name.clone(), figures)),
            None => only_one.push(cell.name.clone()),
        }
    }
    let new = second.plan.cells.iter().filter(|cell| !first.plan.cells.iter().any(|old| old.name == cell.name));
    only_one.extend(new.map(|cell| cell.name.clone()));
    if both.is_empty() {
        return Err(Incomparable::NoRow);
    }
    let confidence = 1.0 - (1.0 - CONFIDENCE) / both.len() as f64;
    let rows = both.into_iter().map(|(name, (one, two))| {
        let ratio = two.over_with(&one, confidence);
        let verdict = match ratio.interval {
            None => Verdict::TooFew,
            _ if one.samples.min(two.samples) < stats::runs_for(confidence) => Verdict::TooFew,
            Some(interval) if interval.high < 1.0 => Verdict::Faster,
            Some(interval) if interval.low > 1.0 => Verdict::Slower,
            Some(_) => Verdict::NoDifference,
        };
        Difference { name, times: [one.summary, two.summary], ratio, verdict }
    });
    let mut differ = of_machines(&first.machine, &second.machine);
    let conditioned = [first, second].map(|run| if run.plan.condition { "yes" } else { "no" }.to_owned());
    if let [one, two] = conditioned
        && one != two
    {
        differ.push(("conditioning", one, two));
    }
    Ok(Differences { rows: rows.collect(), confidence, only_one, machines: differ })
}

/// The jobs of a run, as flags.
fn line(jobs: &[Job]) -> String {
    let lines: Vec<String> = jobs.iter().map(|job| job.flags().join(" ")).collect();
    if lines.is_empty() { "none".to_owned() } else { lines.join("; ") }
}

/// What is not the same about machine and build: a word for each fact, and both values.
pub fn of_machines(first: &Machine, second: &Machine) -> Vec<(&'static str, String, String)> {
    let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    let set = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let facts = |machine: &Machine| {
        [
            ("processor", said(&machine.cpu)),
            ("number of CPUs", machine.cpus_available.to_string()),
            ("CPU quota", machine.cpu_quota.map_or_else(|| "none".to_owned(), |quota| quota.to_string())),
            (
                "memory",
                machine.memory_bytes.map_or_else(|| "unknown".to_owned(), |bytes| format!("{} MB", bytes >> 20)),
            ),
            ("system", machine.system.clone()),
            ("huge page setting", said(&machine.huge_pages)),
            ("compiler", said(&machine.rustc)),
            ("compiler's wrapper", set(&machine.rustc_wrapper)),
            ("target", set(&machine.target)),
            ("release profile", said(&machine.profile)),
            ("set of flags for the compiler", set(&machine.rustflags)),
            ("commit", machine.commit_line()),
            ("Cargo.lock", said(&machine.lockfile_xxh3)),
            ("timer", machine.hyperfine.clone()),
        ]
    };
    let pairs = facts(first).into_iter().zip(facts(second));
    pairs.filter(|((_, one), (_, two))| one != two).map(|((what, one), (_, two))| (what, one, two)).collect()
}
