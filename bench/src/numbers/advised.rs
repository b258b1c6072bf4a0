//! What a job of one's own took, beside what it was predicted to take.

use crate::numbers::standings::first_batch;
use crate::numbers::stats::{Figure, Interval};
use crate::run::Run;
use crate::run::advised::{Advised, Expected};
use crate::run::plan::Row;

/// A strategy with both times.
#[derive(Clone, Debug, PartialEq)]
pub struct Both {
    /// The strategy.
    pub strategy: String,
    /// Seconds that were predicted.
    pub predicted: f64,
    /// The interval of the prediction.
    pub within: Interval,
    /// Seconds from `start` to the end of the first batch.
    pub measured: Figure,
}

impl Both {
    /// By which share the prediction is off; positive if it is too long.
    pub fn error(&self) -> f64 {
        self.predicted / self.measured.summary.median - 1.0
    }

    /// Whether the prediction's interval holds what was measured.
    pub fn is_held(&self) -> bool {
        (self.within.low..=self.within.high).contains(&self.measured.summary.median)
    }
}

/// The strategies with both times, the fastest first.
pub fn of(run: &Run, advised: &Advised) -> Vec<Both> {
    let both = run.whole().filter(|(cell, _)| run.plan.row(&cell.row).is_some_and(Row::is_plain)).filter_map(
        |(cell, measured)| {
            let Expected { strategy, seconds, low, high } =
                advised.expected.iter().find(|expected| expected.strategy == cell.row)?;
            Some(Both {
                strategy: strategy.clone(),
                predicted: *seconds,
                within: Interval { low: *low, high: *high },
                measured: Figure::of(&first_batch(measured))?,
            })
        },
    );
    let mut both: Vec<Both> = both.collect();
    both.sort_by(|one, other| one.measured.summary.median.total_cmp(&other.measured.summary.median));
    both
}

#[cfg(test)]
pub(crate) mod fixture {
    use super::*;
    use crate::run::plan::{Cell, Kind, Plan};
    use crate::run::sample::Line;

    /// A run of these rows, each with its first batches in milliseconds.
    pub(crate) fn run(rows: &[(&str, Kind, &[u64])]) -> Run {
        let job = serde_json::json!({
            "workload": "primes", "keys": 100, "count": 0, "skew": "", "rng": "", "seed": 0, "workers": 2,
        });
        let row = |(name, kind, _): &(&str, Kind, &[u64])| serde_json::json!({"name": name, "kind": kind, "lines": 9});
        let cell = |(name, _, _): &(&str, Kind, &[u64])| serde_json::json!({"name": name, "row": name, "job": job, "command": "", "batches": 3});
        let plan: Plan = serde_json::from_value(serde_json::json!({
            "format": 2, "stamp": "2026-11-27T00-00-00Z", "command": "", "repeat": 3, "shuffle_seed": 1,
            "rows": rows.iter().map(row).collect::<Vec<_>>(), "cells": rows.iter().map(cell).collect::<Vec<_>>(),
            "stop": {"within": 0.03, "budget": 1.0}, "condition": true, "ended": "complete",
        }))
        .unwrap();
        let machine =
            serde_json::from_str(include_str!("../../tests/recorded/sweep/machine.json")).expect("a recorded machine");
        let mut run = Run::new(plan, machine);
        for (Cell { name, .. }, (_, _, times)) in run.plan.cells.clone().into_iter().zip(rows) {
            for (round, time) in (1..).zip(*times) {
                let answer = serde_json::from_value(serde_json::json!({
                    "strategy": name, "workload": "primes", "keys": 100, "count": 0, "skew": "", "rng": "", "seed": 0,
                    "workers": 2, "profile": "release", "start_ns": 1_000_000, "run_ns": [1_000_000 * (time - 1), 5, 5],
                    "drop_ns": [0, 0, 0], "stop_ns": 0, "output_bytes": 8, "failed": [], "digest": null,
                }))
                .unwrap();
                assert!(run.add(Line::Warm { cell: name.clone(), round, answer }));
            }
        }
        run
    }

    /// What was said, in milliseconds, each give or take a fifth.
    pub(crate) fn advised(pick: Option<&str>, expected: &[(&str, f64)]) -> Advised {
        let expected = expected.iter().map(|(strategy, ms)| Expected {
            strategy: (*strategy).to_owned(),
            seconds: ms / 1e3,
            low: ms / 1.2e3,
            high: 1.2 * ms / 1e3,
        });
        Advised {
            stamp: "2026-11-26T00-00-00Z".to_owned(),
            cpus: 2.0,
            pick: pick.map(str::to_owned),
            expected: expected.collect(),
            outside: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::plan::Kind;

    #[test]
    fn who_has_both_times_is_compared() {
        let run = fixture::run(&[
            ("sequential", Kind::Strategy, &[100; 6]),
            ("std-counter", Kind::Strategy, &[49, 50, 51]),
            ("rayon-iter", Kind::Strategy, &[]),
            ("smol-executor", Kind::Strategy, &[60]),
            ("sequential.control", Kind::Control, &[100]),
        ]);
        let advised = fixture::advised(
            None,
            &[("std-counter", 55.0), ("rayon-iter", 50.0), ("std-chunks", 50.0), ("sequential", 150.0)],
        );
        let both = of(&run, &advised);
        let told = both.iter().map(|it| (it.strategy.as_str(), (100.0 * it.error()).round(), it.is_held()));
        assert_eq!(told.collect::<Vec<_>>(), [("std-counter", 10.0, true), ("sequential", 50.0, false)]);
    }
}
