//! When a row has shown enough.

use crate::run::answer::seconds;
use crate::run::plan::{Cell, Kind, SEQUENTIAL};
use crate::run::{Measured, Run};

/// When a row is not timed at the jobs that follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// It had less than this share of the ideal, at two jobs one after the other: a single look may be off by much.
    Below(f64),
    /// A batch took it so many seconds longer than `sequential`, or it failed.
    After(f64),
}

impl End {
    /// Whether the row of this cell has shown at the jobs before that there is nothing to learn from it here.
    pub fn is_reached(self, run: &Run, cell: &Cell) -> bool {
        let is_strategy = run.plan.row(&cell.row).is_some_and(|row| row.kind == Kind::Strategy);
        if cell.row == SEQUENTIAL || !is_strategy {
            return false;
        }
        let looks = match self {
            End::Below(_) => 1..=2,
            End::After(_) => 1..=1,
        };
        let was_reached = |at| run.plan.cell(&cell.row, at).is_some_and(|before| self.is_at(run, before));
        looks.into_iter().all(|before| cell.at.checked_sub(before).is_some_and(was_reached))
    }

    /// Whether it was so at this job.
    fn is_at(self, run: &Run, cell: &Cell) -> bool {
        if cell.is_left_out() {
            return true;
        }
        let Some(measured) = run.measured(&cell.name) else { return false };
        let sequential = run.plan.cell(SEQUENTIAL, cell.at).and_then(|cell| run.measured(&cell.name));
        let times = fastest(measured).zip(sequential.and_then(fastest));
        match self {
            End::Below(least) => times.is_some_and(|(took, sequential)| {
                let ideal = sequential / cell.job.workers as f64;
                ideal / took < least
            }),
            End::After(longest) => {
                measured.failure.is_some() || times.is_some_and(|(took, sequential)| took - sequential > longest)
            }
        }
    }
}

/// The fastest batch of those that were looked at before anything was timed.
fn fastest(measured: &Measured) -> Option<f64> {
    measured.verified.as_ref()?.report.run_ns.iter().min().map(|took| seconds(*took))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::sample::{Failure, Line, Stage};

    /// Two rows at four jobs: what `sequential` and `slow` took at each, in seconds; `slow` has failed where it has no time.
    fn run(times: &[(f64, Option<f64>)]) -> Run {
        let row = |name: &str| serde_json::json!({"name": name, "kind": "strategy", "lines": null});
        let cell = |name: &str, at: usize| {
            serde_json::json!({
                "name": format!("{name}#{at}"), "row": name, "at": at, "command": "", "batches": 2,
                "job": {"workload": "sum", "keys": 8, "count": 1, "skew": "uniform", "rng": "xoshiro", "seed": 1, "workers": 2},
            })
        };
        let cells = (0..4).flat_map(|at| [cell("sequential", at), cell("slow", at)]);
        let plan = serde_json::from_value(serde_json::json!({
            "format": 2, "stamp": "", "command": "", "rows": [row("sequential"), row("slow")],
            "cells": cells.collect::<Vec<_>>(), "repeat": 2, "shuffle_seed": 1,
            "stop": {"within": 0.03, "budget": 1.0}, "condition": true, "ended": null,
        }));
        let machine = serde_json::from_str(include_str!("../../../tests/recorded/sweep/machine.json"));
        let mut run = Run::new(plan.unwrap(), machine.unwrap());
        for (at, (sequential, slow)) in times.iter().enumerate() {
            for (name, took) in [("sequential", Some(*sequential)), ("slow", *slow)] {
                let cell = format!("{name}#{at}");
                let line = match took {
                    Some(took) => Line::Verified { cell, answer: answer(took) },
                    None => Line::Failed { cell, failure: failure() },
                };
                assert!(run.add(line));
            }
        }
        run
    }

    /// Of two batches, the second of which was disturbed.
    fn answer(took: f64) -> crate::run::answer::Answer {
        let took = (took * 1e9) as u64;
        serde_json::from_value(serde_json::json!({
            "strategy": "s", "workload": "sum", "keys": 8, "count": 1, "skew": "uniform", "rng": "xoshiro", "seed": 1,
            "workers": 2, "profile": "release", "allocator": "system", "start_ns": 0, "run_ns": [took, 9 * took],
            "drop_ns": [0, 0], "stop_ns": 0, "output_bytes": 8, "failed": [], "digest": null,
        }))
        .unwrap()
    }

    fn failure() -> Failure {
        Failure { stage: Stage::Verify, round: None, message: "it hangs".into(), exit: None, stderr: None }
    }

    fn reached(end: End, run: &Run, row: &str) -> Vec<bool> {
        (0..4).map(|at| end.is_reached(run, run.plan.cell(row, at).unwrap())).collect()
    }

    #[test]
    fn two_jobs_below_the_share_are_enough() {
        let end = End::Below(0.25);
        // The ideal of two workers is half of what `sequential` takes: 2.1 s is less than a quarter of it, 1.9 s is more.
        let run_of = |slow: [f64; 3]| run(&slow.map(|slow| (1.0, Some(slow))));
        assert_eq!(reached(end, &run_of([2.1, 2.1, 1.9]), "slow"), [false, false, true, false]);
        assert_eq!(reached(end, &run_of([2.1, 1.9, 2.1]), "slow"), [false, false, false, false]);
        assert_eq!(reached(end, &run_of([9.0, 9.0, 9.0]), "sequential"), [false; 4], "all others are held against it");
        let mut left_out = run_of([2.1, 2.1, 2.1]);
        left_out.plan.cells[5].rounds = Some(0);
        assert!(reached(end, &left_out, "slow")[3]);
        assert_eq!(reached(end, &run(&[(1.0, None), (1.0, None)]), "slow"), [false; 4]);
    }

    #[test]
    fn one_job_at_which_it_takes_so_much_longer_is_enough() {
        let end = End::After(2.0);
        let slow = [(1.0, Some(2.9)), (3.0, Some(4.9)), (0.5, Some(2.6))];
        assert_eq!(reached(end, &run(&slow), "slow"), [false, false, false, true]);
        assert_eq!(reached(end, &run(&[(1.0, None)]), "slow"), [false, true, false, false], "more keys fail as well");
    }
}
