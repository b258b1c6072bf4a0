//! A run whose costs are known, for tests: what a fit must find again.

use std::collections::{BTreeMap, BTreeSet};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::advice::case::{Demand, unequal};
use crate::advice::model::{Band, FORMAT, Model, Ranges, Strategy, interpolated};
use crate::advice::observed::NEEDED;
use crate::advice::schedule::Schedule;
use crate::advice::traits::Traits;
use crate::run::Run;
use crate::run::answer::Answer;
use crate::run::full::Full;
use crate::run::job::Job;
use crate::run::machine::Machine;
use crate::run::plan::{Cell, Ended, Kind, Plan, Row, Stop};
use crate::run::sample::{Line, Survival};
use crate::run::sweep::Sweep;

/// Rounds of each cell.
const ROUNDS: u32 = 5;

/// Five strategies and the loop, on two CPUs.
pub(crate) fn truth() -> Model {
    let output = |scale: f64| {
        let bytes = [8.0, 80.0, 800.0, 8e3, 8e4, 8e5, 8e6, 8e7];
        bytes.map(|bytes: f64| (bytes, scale * (2e-8 + 3e-10 * bytes))).to_vec()
    };
    let strategy = |schedule, start: f64, per_key: f64, scale: f64, crates: &[&str], lines| Strategy {
        schedule,
        start,
        start_per_worker: start / 4.0,
        per_key,
        per_key_in_turn: 2e-9,
        slowdown_computing: 0.08,
        slowdown_output: 0.4,
        slowdown_crowded: 0.01,
        output: output(scale),
        output_meanwhile: 0.7,
        most_keys: 1 << 17,
        errors: vec![Band { upto: None, error: 0.03, cells: 50 }],
        traits: Traits {
            dependencies: Some(crates.iter().map(|name| (*name).to_owned()).collect()),
            lines: Some(lines),
            survives_abort: Some(schedule == Schedule::Greedy && start > 1e-3),
            is_inside_tokio: crates.contains(&"pool"),
            is_demonstration: false,
            needs: None,
        },
    };
    let lock = strategy(Schedule::One, 8e-5, 1e-7, 1.0, &[], 44);
    let lock = Strategy { traits: Traits { is_demonstration: true, ..lock.traits.clone() }, ..lock };
    let strategies = [
        ("sequential", strategy(Schedule::One, 1e-7, 5e-9, 1.0, &[], 18)),
        ("counter", strategy(Schedule::Greedy, 5e-5, 4e-8, 1.0, &[], 39)),
        ("pool", strategy(Schedule::Greedy, 6e-5, 6e-8, 1.02, &["pool"], 24)),
        ("chunks", strategy(Schedule::Chunks, 5e-5, 2e-8, 1.05, &[], 42)),
        ("processes", strategy(Schedule::Greedy, 2e-3, 8e-6, 4.0, &["processes"], 155)),
        ("lock", lock),
    ];
    Model {
        format: FORMAT,
        stamp: "synthetic".to_owned(),
        cpus: 2.0,
        workers: 2,
        memory_bytes: Some(8 << 30),
        sums: vec![(1.0, 6.1e-8), (1e3, 1e-6), (5e7, 5e-2)],
        overslept: 6e-5,
        measured: Ranges {
            keys: (2, 1 << 17),
            grain: (6.1e-8, 5e-2),
            output_bytes: (8, 80_000_000),
            workers: (1, 16),
            blocking: 0.9,
            asleep: Some(1e-5),
            skews: harness::SKEWS.map(|skew| harness::skew_name(skew).to_owned()).into(),
        },
        strategies: strategies.map(|(name, strategy)| (name.to_owned(), strategy)).into(),
    }
}

/// The jobs of the headline and of each sweep.
fn jobs(model: &Model) -> Vec<(Option<&'static str>, Vec<Job>)> {
    let job = |workload: &str, keys, count, workers| Job {
        workload: workload.to_owned(),
        keys,
        count,
        skew: "uniform".to_owned(),
        rng: "xoshiro".to_owned(),
        seed: 42,
        workers,
        values: 0,
        output_bytes: 8,
        neighbour: false,
        own: None,
    };
    let headline = job("fill", 100, 1_000_000, model.workers);
    let sweeps = NEEDED.map(|name| {
        let sweep = Sweep::named(name).unwrap();
        // Without outputs of 8 GB, whatever memory this machine has.
        let jobs =
            sweep.jobs(&headline, || 1e-9).unwrap().into_iter().filter(|job| job.count < 10_000_000 || job.keys <= 10);
        (Some(name), jobs.collect())
    });
    std::iter::once((None, vec![headline])).chain(sweeps).collect()
}

/// What a run measures where `model` is the truth, but for noise of about this share.
pub(crate) fn full(model: &Model, noise: f64, seed: u64) -> Full {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut runs = jobs(model).into_iter().map(|(sweep, jobs)| run(model, sweep, &jobs, noise, &mut rng));
    let run = runs.next().unwrap();
    Full { run, sweeps: runs.collect() }
}

fn run(model: &Model, sweep: Option<&str>, jobs: &[Job], noise: f64, rng: &mut Xoshiro256PlusPlus) -> Run {
    // In the size sweep only some take part, as in a real one.
    let takes_part =
        |name: &&String| sweep != Some("size") || ["sequential", "counter", "processes"].contains(&name.as_str());
    let names: Vec<&String> = model.strategies.keys().filter(takes_part).collect();
    let row = |name: &&String| Row {
        name: (*name).clone(),
        kind: Kind::Strategy,
        lines: model.strategies[*name].traits.lines,
        rng: None,
        allocator: Default::default(),
        not_measured: None,
    };
    let cell = |name: &str, at: usize| Cell {
        name: format!("{name}#{at}"),
        row: name.to_owned(),
        at,
        job: jobs[at].clone(),
        command: String::new(),
        rounds: None,
        cold_rounds: None,
        warm_rounds: None,
        batches: 3,
    };
    let plan: Plan = Plan {
        stamp: "synthetic".to_owned(),
        sweep: sweep.map(str::to_owned),
        rows: names.iter().map(row).collect(),
        cells: names.iter().flat_map(|name| (0..jobs.len()).map(|at| cell(name, at))).collect(),
        stop: Stop { rounds: Some(ROUNDS), least: None, within: 0.03, budget: 60.0 },
        ended: Some(Ended::Complete),
        ..serde_json::from_value(serde_json::json!({
            "format": 2, "stamp": "", "command": "", "rows": [], "cells": [], "repeat": 3, "shuffle_seed": 1,
            "stop": {"within": 0.03, "budget": 1.0}, "condition": true, "ended": null,
        }))
        .unwrap()
    };
    let machine: Machine =
        serde_json::from_str(include_str!("../../tests/recorded/sweep/machine.json")).expect("a recorded machine");
    let cpus_available = model.cpus as u64;
    let mut run = Run::new(plan, Machine { cpus_available, cpu_quota: None, ..machine });
    let mut noisy = |seconds: f64| {
        // The sum of twelve numbers from 0 to 1 is nearly normal, with a variance of 1.
        let normal = (0..12).map(|_| (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64).sum::<f64>() - 6.0;
        (seconds * (noise * normal).exp() * 1e9).round() as u64
    };
    for cell in run.plan.cells.clone() {
        let strategy = &model.strategies[&cell.row];
        let demand = demand(model, &cell.job);
        let cold = strategy.seconds(&demand, model.cpus, model.overslept);
        let warm = demand.keys as f64 * demand.compute;
        for round in 1..=ROUNDS {
            let (first, warm) = (noisy(cold), noisy(warm));
            let answer: Answer = serde_json::from_value(serde_json::json!({
                "strategy": cell.row, "workload": cell.job.workload, "keys": cell.job.keys, "count": cell.job.count,
                "skew": cell.job.skew, "rng": "xoshiro", "seed": 42, "workers": cell.job.workers, "profile": "release",
                "allocator": "system", "start_ns": 0, "run_ns": [first, warm, warm], "drop_ns": [0, 0, 0], "stop_ns": 0,
                "output_bytes": 8, "failed": [], "digest": null,
            }))
            .unwrap();
            assert!(run.add(Line::Warm { cell: cell.name.clone(), round, answer }));
        }
    }
    let abort = |strategy: &Strategy| strategy.traits.survives_abort == Some(true);
    run.survival = model
        .strategies
        .iter()
        .map(|(name, strategy)| (name.clone(), Survival { panic: true, abort: abort(strategy), hang: false }))
        .collect::<BTreeMap<_, _>>();
    run
}

/// What the keys of a job ask for, where `model` is the truth.
fn demand(model: &Model, job: &Job) -> Demand {
    let sums = |values: u64| if values == 0 { 0.0 } else { interpolated(&model.sums, values as f64) };
    let (compute, bytes) = match job.workload.as_str() {
        "wait" => (sums(job.values), job.output_bytes as f64),
        "fill" => (sums(job.count), 8.0 * job.count as f64),
        _ => (sums(job.count), 8.0),
    };
    let skew = harness::skew_named(&job.skew).unwrap();
    Demand {
        keys: job.keys,
        compute,
        asleep: if job.workload == "wait" { job.count as f64 / 1e6 } else { 0.0 },
        bytes,
        is_written_meanwhile: job.workload == "fill",
        skew,
        unequal: unequal(skew, job.keys, job.workers),
        workers: job.workers,
        is_divisible: job.workload != "wait",
    }
}

/// The traits that the truth has, as a manifest would say them.
pub(crate) fn traits(name: &str) -> Traits {
    truth().strategies.get(name).map(|strategy| strategy.traits.clone()).unwrap_or_default()
}

/// Every name of the truth.
pub(crate) fn names() -> BTreeSet<String> {
    truth().strategies.into_keys().collect()
}
