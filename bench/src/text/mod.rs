//! What people read.

pub mod difference;
pub mod doubts;
pub mod index;
pub mod number;
pub mod page;
pub mod porting;
pub mod splice;
pub mod strategies;
pub mod sweep;
pub mod table;

use std::fmt::Write;

use crate::numbers::stats::Ratio;
use crate::run::Run;
use crate::run::footprint::{Footprint, Peak};
use crate::run::job::Job;
use crate::run::plan::Plan;
use crate::run::sample::Survival;

/// The job in words.
pub fn title(plan: &Plan) -> String {
    let Some(job) = plan.job() else { return "no job".to_owned() };
    let mut title = match plan.jobs().last().filter(|_| plan.has_several_jobs()) {
        None => format!("{}: {} keys × {}", job.workload, number::grouped(job.keys), number::grouped(job.count)),
        Some(last) if last.count == job.count => {
            let jobs: Vec<Job> = plan.jobs().cloned().collect();
            let (sweep, heads) = (plan.sweep.as_deref().unwrap_or("sweep"), sweep::heads(&jobs).join(", "));
            let unit = if job.workload == "wait" { "µs" } else { "values" };
            let on_average = if jobs.iter().any(|job| job.skew != "uniform") { " on average" } else { "" };
            format!("{sweep}: {}, {heads} at {} {unit} a key{on_average}", job.workload, number::grouped(job.count))
        }
        Some(last) => format!(
            "{}: {}, {} values in blocks of {} to {}",
            plan.sweep.as_deref().unwrap_or("sweep"),
            job.workload,
            number::grouped(job.keys * job.count),
            sweep::size(job),
            sweep::size(last)
        ),
    };
    if job.workload == "wait" && !plan.has_several_jobs() {
        title += " µs";
        if job.values > 0 {
            let _ = write!(title, " after {} values", number::grouped(job.values));
        }
    }
    if job.skew != "uniform" {
        let _ = write!(title, ", {}", job.skew);
    }
    if job.rng != "xoshiro" {
        let _ = write!(title, ", {}", job.rng);
    }
    let _ = write!(title, ", {}", workers(job));
    title
}

/// How many workers a job has, in words.
pub(crate) fn workers(job: &Job) -> String {
    format!("{} {}", job.workers, if job.workers == 1 { "worker" } else { "workers" })
}

/// What made a table: the line below it.
pub fn made_by(run: &Run) -> String {
    let rounds = run.rounds.len();
    format!(
        "{}, {rounds} {}. Made by `{}`. Commit: {}. Machine: {}.",
        title(&run.plan),
        if rounds == 1 { "round" } else { "rounds" },
        run.plan.command,
        run.machine.commit_line(),
        run.machine.line()
    )
}

/// What becomes of the other keys when one fails, in words.
pub fn survives(survival: Survival) -> String {
    let faults = [(survival.panic, "panic"), (survival.abort, "crash"), (survival.hang, "hang")];
    let survived: Vec<&str> = faults.into_iter().filter(|(survived, _)| *survived).map(|(_, fault)| fault).collect();
    if survived.is_empty() { "nothing".to_owned() } else { survived.join(", ") }
}

/// Something about the peak, marked if it may well have been higher.
pub(crate) fn seen(peak: Option<Peak>, show: impl Fn(Peak) -> String) -> String {
    or_nothing(peak, |peak| {
        let bound = if peak.is_lower_bound() { "≥ " } else { "" };
        format!("{bound}{}", show(peak))
    })
}

pub(crate) fn or_nothing<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| number::NOTHING.to_owned(), show)
}

/// The most memory that a row held, in sizes of its output.
pub(crate) fn to_output(footprint: Option<Footprint>) -> String {
    let footprint = footprint.filter(Footprint::has_output);
    or_nothing(footprint, |it| seen(it.peak, |peak| number::factor(peak.pss_bytes as f64 / it.output_bytes as f64)))
}

/// A ratio; of a row to itself, 1 without any digits, since nothing was measured.
pub(crate) fn compared(ratio: Option<Ratio>, to_itself: bool, show: impl Fn(Ratio) -> String) -> String {
    if to_itself { "1×".to_owned() } else { or_nothing(ratio, show) }
}
