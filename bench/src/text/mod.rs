//! What people read.

pub mod difference;
pub mod doubts;
pub mod guide;
pub mod index;
pub mod jobs;
pub mod number;
pub mod own;
pub mod page;
pub mod porting;
pub mod splice;
pub mod strategies;
pub mod sweep;
pub mod table;
pub mod views;

use std::fmt::Write;

use crate::numbers::stats::Ratio;
use crate::run::Run;
use crate::run::footprint::{Footprint, Peak};
use crate::run::job::{INDEX_BYTES, Job, Own};
use crate::run::plan::{Kind, Plan};
use crate::run::sample::Survival;

/// A line for each strategy that could not be measured here, for tables without such rows.
pub(crate) fn not_measured(run: &Run) -> String {
    let strategies = run.plan.rows.iter().filter(|row| row.kind == Kind::Strategy);
    let line = |(name, why): (&str, &String)| format!("Not measured: {name}: {why}.\n\n");
    strategies.filter_map(|row| row.not_measured.as_ref().map(|why| (row.name.as_str(), why))).map(line).collect()
}

/// The job in words; of a sweep, its jobs.
pub fn title(plan: &Plan) -> String {
    let Some(job) = plan.job() else { return "no job".to_owned() };
    if let Some(own) = &job.own {
        return of_own(plan, job, own);
    }
    let mut title = match plan.jobs().last().filter(|_| plan.has_several_jobs()) {
        None => format!("{}: {} keys × {}", job.workload, number::grouped(job.keys), number::grouped(job.count)),
        Some(last) if plan.jobs().all(|other| is_alike(other, job) && other.count == job.count) => {
            let jobs: Vec<Job> = plan.jobs().cloned().collect();
            let heads = sweep::heads(&jobs).join(", ");
            let unit = if job.workload == "wait" { "µs" } else { "values" };
            let on_average = if jobs.iter().any(|job| job.skew != "uniform") { " on average" } else { "" };
            let count = number::grouped(last.count);
            format!("{}: {}, {heads} at {count} {unit} a key{on_average}", named(plan), job.workload)
        }
        Some(last) if plan.jobs().all(|other| is_alike(other, job) && is_as_large(other, job)) => {
            format!(
                "{}: {}, {} values in blocks of {} to {}",
                named(plan),
                job.workload,
                number::grouped(job.keys * job.count),
                sweep::size(job),
                sweep::size(last)
            )
        }
        Some(_) => return ranges(plan),
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

/// A job of the reader's, whose keys only the reader knows.
fn of_own(plan: &Plan, job: &Job, own: &Own) -> String {
    let sweep = if plan.has_several_jobs() { format!("{}: ", named(plan)) } else { String::new() };
    let arguments = own.arguments.iter().map(|argument| format!(" {}", shell_words::quote(argument)));
    let keys = number::grouped(job.keys);
    let all = || plan.jobs().map(|job| job.workers);
    let workers = match (all().min(), all().max()) {
        (Some(least), Some(most)) if least < most => format!("{least} to {most} workers"),
        _ => workers(job),
    };
    let neighbour = if plan.jobs().any(|job| job.neighbour) { ", with a busy neighbour and without" } else { "" };
    format!("{sweep}{}{}: {keys} keys{neighbour}, {workers}", job.workload, arguments.collect::<String>())
}

fn named(plan: &Plan) -> &str {
    plan.sweep.as_deref().unwrap_or("sweep")
}

/// Whether two jobs differ in no more than keys, count and skew.
fn is_alike(one: &Job, other: &Job) -> bool {
    let Job { keys, count, ref skew, .. } = *other;
    let workers = if keys == one.keys { one.workers } else { other.workers };
    *other == Job { keys, count, skew: skew.clone(), workers, ..one.clone() }
}

/// Whether two jobs of `fill` have the same number of values.
fn is_as_large(one: &Job, other: &Job) -> bool {
    one.workload == "fill" && one.keys * one.count == other.keys * other.count
}

/// Several jobs that differ in more than one way, by the least and the most of each.
fn ranges(plan: &Plan) -> String {
    let jobs: Vec<&Job> = plan.jobs().collect();
    // More than two are counted.
    let words = |of: fn(&Job) -> &str, what: &str| {
        let mut words: Vec<&str> = Vec::new();
        for word in jobs.iter().map(|job| of(job)) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        if words.len() > 2 { format!("{} {what}", words.len()) } else { words.join(" and ") }
    };
    let range_as = |of: fn(&Job) -> u64, shown: fn(u64) -> String| {
        let values = || jobs.iter().map(|job| of(job));
        match (values().min().unwrap_or(0), values().max().unwrap_or(0)) {
            (low, high) if low == high => shown(low),
            (low, high) => format!("{} to {}", shown(low), shown(high)),
        }
    };
    let range = |of: fn(&Job) -> u64| range_as(of, number::grouped);
    let unit = if jobs.iter().all(|job| job.workload == "wait") { " µs" } else { "" };
    let (keys, count, workers) = (range(|job| job.keys), range(|job| job.count), range(|job| job.workers as u64));
    let workers = if workers == "1" { "1 worker".to_owned() } else { format!("{workers} workers") };
    let mut title =
        format!("{}: {}, {keys} keys × {count}{unit}", named(plan), words(|job| &job.workload, "workloads"));
    if jobs.iter().any(|job| job.values > 0) {
        let _ = write!(title, " and {} values", range(|job| job.values));
    }
    if jobs.iter().any(|job| job.output_bytes != INDEX_BYTES) {
        let _ = write!(title, ", {} a key", range_as(|job| job.output_bytes, number::round_bytes));
    }
    if jobs.iter().any(|job| job.skew != "uniform") {
        let _ = write!(title, ", {}", words(|job| &job.skew, "skews"));
    }
    if jobs.iter().any(|job| job.rng != "xoshiro") {
        let _ = write!(title, ", {}", words(|job| &job.rng, "generators"));
    }
    if jobs.iter().any(|job| job.neighbour) {
        title += ", with a busy neighbour and without";
    }
    format!("{title}, {workers}")
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
