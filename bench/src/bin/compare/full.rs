//! A full run: the job, and then each sweep in a folder below it.

use std::path::Path;
use std::{fs, io};

use anyhow::Result;
use bench::process::interrupt::{Interrupt, Interrupted};
use bench::process::tell::{self, Usage};
use bench::report;
use bench::run::Run;
use bench::run::folder::PLAN;
use bench::run::job::Job;
use bench::run::plan::{Ended, Plan, Row};
use bench::run::sweep::{SWEEPS, Sweep};
use bench::sampling::programs::{self, Request};
use bench::sampling::{engine, pace};

use crate::{INTERRUPTED, advise, show_sweep};

/// Rounds of the job itself: fewer than of a run by itself may be enough for whoever wants the sweeps.
pub(crate) const LEAST_ROUNDS: u32 = 6;

/// Seconds that they may take.
pub(crate) const BUDGET: f64 = 8.0 * 60.0;

/// The sweeps of a full run of this job.
fn sweeps(job: &Job) -> impl Iterator<Item = &'static Sweep> {
    let is_own = job.own.is_some();
    SWEEPS.iter().filter(move |sweep| sweep.is_of_full && (sweep.of_own.is_some() || !is_own))
}

/// That each sweep can be made from this job.
///
/// # Errors
///
/// What the first that cannot needs.
pub(crate) fn check(job: &Job) -> Result<(), Usage> {
    sweeps(job).try_for_each(|sweep| sweep.jobs(job, || 1e-9).map(drop)).map_err(|why| Usage(format!("--full: {why}")))
}

/// Measures the sweeps that the run in `dir` does not have yet, and returns the status to exit with. `given` is what was asked
/// for when this process was called: the way to the programs.
pub(crate) fn measure_sweeps(dir: &Path, given: &Request, root: &Path, interrupt: &Interrupt) -> Result<u8> {
    let plan = Run::read(dir)?.plan;
    let job = plan.job().ok_or_else(|| Usage(format!("{}: it has no job", dir.display())))?;
    let plain = plan.rows.iter().filter(|row| row.is_plain());
    // What was not to be measured is not looked for again: a sweep has the rows of its run, and says of the same that it lacks them.
    let (strategies, left_out): (Vec<&Row>, Vec<&Row>) = plain.partition(|row| row.not_measured.is_none());
    let strategies: Vec<String> = strategies.into_iter().map(|row| row.name.clone()).collect();
    // What the run was asked for counts, also if this process was only asked to go on with it.
    let given = &Request {
        stop: plan.stop,
        shuffle_seed: plan.shuffle_seed,
        condition: plan.condition,
        results: dir.to_owned(),
        command: plan.command.clone(),
        left_out: left_out.into_iter().cloned().collect(),
        ..given.clone()
    };
    let mut worst = 0;
    for sweep in sweeps(job) {
        let below = dir.join(sweep.name);
        tell::say(format_args!("sweep {}: {}", sweep.name, sweep.asks(Some(job))));
        let finished = if below.join(PLAN).is_file() {
            engine::resume(&below, given, root, interrupt)
        } else {
            // It was killed before there was anything in it.
            fs::remove_dir_all(&below).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?;
            request(sweep, job, &strategies, given)
                .map_err(Into::into)
                .and_then(|request| engine::measure(&request, root, interrupt))
        };
        let status = match finished {
            Ok(Some(finished)) => show_sweep(finished)?,
            // It was complete, or nothing of it could be timed, which was said.
            Ok(None) => Run::read(&below).map_or(1, |run| u8::from(run.any_failed())),
            Err(error) if error.is::<Interrupted>() => INTERRUPTED,
            Err(error) if error.is::<Usage>() => return Err(error),
            // The other sweeps have nothing to do with it.
            Err(error) => {
                tell::complain(error.as_ref());
                1
            }
        };
        worst = worst.max(status);
        if status == INTERRUPTED {
            break;
        }
    }
    report::write(dir)?;
    advise::store(dir);
    if worst == INTERRUPTED {
        tell::say(format_args!("this run was stopped: --resume {} goes on with it", dir.display()));
    } else {
        tell::say(format_args!("all sweeps: {}", dir.join("README.md").display()));
    }
    Ok(worst)
}

/// The sweeps that would follow a run of one job, as far as that is known before anything is built.
///
/// # Errors
///
/// What is wrong with the request.
pub(crate) fn requests(given: &Request, root: &Path) -> Result<Vec<(&'static Sweep, Request)>> {
    let rows = programs::expected(given, root)?.contenders.into_iter().map(|contender| contender.row(None));
    let rows: Vec<String> = rows.filter(Row::is_plain).map(|row| row.name).collect();
    let job = &given.jobs[0];
    sweeps(job).map(|sweep| Ok((sweep, request(sweep, job, &rows, given)?))).collect()
}

/// A sweep over those of the strategies of a run that it is for. `given` says when that has rounds enough, and how it is measured.
fn request(sweep: &Sweep, job: &Job, strategies: &[String], given: &Request) -> Result<Request, Usage> {
    let is_for = |name: &str| sweep.only.is_empty() || sweep.only.contains(&name);
    Ok(Request {
        only: strategies.iter().filter(|name| is_for(name)).cloned().collect(),
        left_out: given.left_out.iter().filter(|row| is_for(&row.name)).cloned().collect(),
        allocators: sweep.allocators.to_vec(),
        sweep: Some(sweep.name.to_owned()),
        full: false,
        name: Some(sweep.name.to_owned()),
        python: None,
        jobs: sweep.jobs(job, pace::seconds_per_value).map_err(Usage)?,
        stop: sweep.stop(given.stop, None),
        ..given.clone()
    })
}

/// Whether the sweeps of this run are to be measured.
pub(crate) fn has_sweeps_to_come(plan: &Plan) -> bool {
    plan.full && plan.ended == Some(Ended::Complete)
}
