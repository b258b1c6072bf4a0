//! What one should know before believing the tables of a run.

use crate::numbers::standings::Control;
use crate::numbers::stats::RUNS_FOR_AN_INTERVAL;
use crate::run::Run;
use crate::run::machine::Others;
use crate::run::plan::Ended;
use crate::text::number;

/// All of it, what matters most first.
pub fn of(run: &Run) -> Vec<String> {
    let control = Control::of(run).and_then(objection);
    let not_compared = (!run.plan.is_compared()).then(|| NOT_COMPARED.to_owned());
    control.into_iter().chain(not_compared).chain(others(run)).collect()
}

const NOT_COMPARED: &str = "outputs were not compared, since the job gives something else each time; docs/your-own-job.md says how to \
     compare the rest";

/// What `sequential` against itself says against the run.
fn objection(control: Control) -> Option<String> {
    let why = control.objection()?;
    Some(format!(
        "equal rows did not come out equal: `sequential` was entered twice, the ratio of the two is {}, and {why}; do not rely \
         on differences of that size",
        number::ratio(control.ratio)
    ))
}

/// Why the figures of a run should not be published; nothing if they may.
pub fn against_publishing(run: &Run) -> Vec<String> {
    let control = Control::of(run);
    let mut reasons: Vec<String> = control.and_then(objection).into_iter().collect();
    if run.plan.has_cold_runs() && control.is_none_or(|control| control.ratio.interval.is_none()) {
        reasons.push("whether equal rows come out equal is not known".to_owned());
    }
    if run.plan.ended != Some(Ended::Complete) {
        reasons.push("the run is not complete".to_owned());
    }
    if run.any_failed() {
        reasons.push("a row has failed".to_owned());
    }
    reasons.extend(losses(run));
    reasons.extend(disturbances(run));
    reasons.extend(run.machine.warnings());
    reasons
}

/// What was measured and is not there.
fn losses(run: &Run) -> Vec<String> {
    let mut losses = Vec::new();
    if run.dropped > 0 {
        losses.push(format!("{} of the lines of samples.jsonl could not be read", run.dropped));
    }
    let is_cold = run.plan.has_cold_runs();
    for (cell, measured) in run.plan.cells.iter().zip(&run.measured) {
        let is_in = |round: &u32| if is_cold { cell.is_cold_in(*round) } else { cell.is_warm_in(*round) };
        let planned = run.rounds.keys().copied().filter(is_in).count();
        let (had, what) =
            if is_cold { (measured.cold.len(), "cold runs") } else { (measured.warm.len(), "first batches") };
        if measured.failure.is_none() && had < planned {
            losses.push(format!("of {planned} {what} of {}, {had} were recorded: its median is of those", cell.name));
        }
    }
    losses
}

fn others(run: &Run) -> Vec<String> {
    let mut doubts = Vec::new();
    let complete = run.rounds.len();
    let planned = run.plan.stop.rounds.map(|rounds| format!(" of {rounds}")).unwrap_or_default();
    match run.plan.ended {
        Some(Ended::Complete) => {}
        Some(Ended::Interrupted) => {
            doubts.push(format!("this run was interrupted, with {complete}{planned} rounds complete"));
        }
        None => doubts.push(format!("this run has not ended, with {complete}{planned} rounds complete")),
    }
    if run.plan.has_cold_runs() && complete > 0 && complete < RUNS_FOR_AN_INTERVAL {
        doubts.push(format!("fewer than {RUNS_FOR_AN_INTERVAL} rounds: no intervals, and no ranks"));
    }
    doubts.extend(losses(run));
    doubts.extend(disturbances(run));
    doubts.extend(run.machine.warnings());
    doubts
}

/// What others did on this machine during the rounds.
fn disturbances(run: &Run) -> Vec<String> {
    let looks: Vec<(u32, Others)> =
        run.rounds.iter().filter_map(|(number, round)| Some((*number, round.others?))).collect();
    if looks.is_empty() && !run.rounds.is_empty() {
        return vec!["what else ran on the machine during the rounds is not known".to_owned()];
    }
    let disturbed: Vec<_> = looks.into_iter().filter(|(_, others)| others.disturb()).collect();
    if disturbed.is_empty() {
        return Vec::new();
    }
    let most = |share: fn(&Others) -> f64| disturbed.iter().map(|(_, others)| share(others)).fold(0.0, f64::max);
    let most = Others { busy: most(|others| others.busy), stolen: most(|others| others.stolen) };
    let rounds: Vec<u32> = disturbed.iter().map(|(number, _)| *number).collect();
    let were = if rounds.len() == 1 { "round" } else { "rounds" };
    vec![format!("{were} {} disturbed: at the most, {}", ranges(&rounds), most.used())]
}

/// Numbers in order, the neighbours among them as one: `1–3, 7`.
fn ranges(numbers: &[u32]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let shown = runs.map(|run| match run {
        [first, .., last] => format!("{first}–{last}"),
        _ => run.iter().map(u32::to_string).collect(),
    });
    shown.collect::<Vec<_>>().join(", ")
}
