//! Runs whose truth is known: made from a model of each strategy, with noise by round.

use std::path::Path;

use bench::numbers::random;
use bench::run::Run;
use bench::run::allocator::Allocator;
use bench::run::answer::Answer;
use bench::run::job::Job;
use bench::run::plan::{CONTROL, Cell, Ended, FORMAT, Kind, LIMIT, LIMIT_OF_ONE, Plan, Row, Stop};
use bench::run::sample::{Cold, Failure, Line, Round, Stage};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// Seconds of a value in `sequential`.
pub(crate) const VALUE: f64 = 1e-9;

/// Seconds that any process takes to be loaded and to end.
pub(crate) const PROCESS: f64 = 1e-3;

pub(crate) fn job(workload: &str, keys: u64, count: u64, workers: usize) -> Job {
    Job {
        workload: workload.into(),
        keys,
        count,
        skew: "uniform".into(),
        rng: "xoshiro".into(),
        seed: 42,
        workers,
        values: 0,
        output_bytes: 8,
        neighbour: false,
        own: None,
    }
}

/// A strategy, its start in seconds, and the seconds of a warm batch at a job.
pub(crate) struct Model<'a> {
    name: &'a str,
    start: f64,
    batch: Box<dyn Fn(&Job) -> f64 + 'a>,
}

pub(crate) fn model<'a>(name: &'a str, start: f64, batch: impl Fn(&Job) -> f64 + 'a) -> Model<'a> {
    Model { name, start, batch: Box::new(batch) }
}

/// What a key takes in `sequential`, on average.
pub(crate) fn key(job: &Job) -> f64 {
    match job.workload.as_str() {
        "wait" => job.values as f64 * VALUE + job.count as f64 * 1e-6,
        _ => job.count as f64 * VALUE,
    }
}

pub(crate) fn plain(job: &Job) -> f64 {
    job.keys as f64 * key(job)
}

/// All keys evenly over the workers, with an overhead for each key.
pub(crate) fn even(job: &Job, overhead: f64) -> f64 {
    job.keys as f64 * (key(job) + overhead) / job.workers as f64
}

/// A run of these jobs, with `spread` of noise in each time and twice as much in each round.
pub(crate) fn run(sweep: Option<&str>, jobs: &[Job], models: &[Model<'_>], rounds: u32, spread: f64) -> Run {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/run");
    let machine = Run::read(&recorded).unwrap().machine;
    let name = |model: &Model<'_>, at: usize| {
        if jobs.len() == 1 { model.name.to_owned() } else { format!("{}#{}", model.name, at + 1) }
    };
    let cells = models.iter().flat_map(|model| {
        jobs.iter().enumerate().map(move |(at, job)| Cell {
            name: name(model, at),
            row: model.name.into(),
            at,
            job: job.clone(),
            command: model.name.into(),
            rounds: None,
            cold_rounds: None,
            warm_rounds: None,
            batches: 3,
        })
    });
    let row = |model: &Model<'_>| {
        let (strategy, allocator) = Allocator::of_row(model.name);
        let kind = match model.name {
            CONTROL => Kind::Control,
            LIMIT | LIMIT_OF_ONE => Kind::Limit,
            _ => Kind::Strategy,
        };
        let name = if kind == Kind::Strategy && allocator.is_system() { strategy } else { model.name };
        Row { name: name.into(), kind, lines: None, rng: None, allocator, not_measured: None }
    };
    let plan = Plan {
        own: None,
        brief: false,
        format: FORMAT,
        stamp: "2026-11-24T00-00-00Z".into(),
        command: "compare".into(),
        full: false,
        sweep: sweep.map(str::to_owned),
        rows: models.iter().map(row).collect(),
        cells: cells.collect(),
        stop: Stop { rounds: None, least: None, within: 0.03, budget: 900.0 },
        repeat: 3,
        shuffle_seed: 1,
        condition: true,
        ended: Some(Ended::Complete),
    };
    let mut run = Run::new(plan, machine);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut noise = |spread: f64| 1.0 + spread * (random::below(&mut rng, 2_001) as f64 / 1_000.0 - 1.0);
    for number in 1..=rounds {
        let of_round = noise(2.0 * spread);
        for model in models {
            for (at, job) in jobs.iter().enumerate() {
                let cell = name(model, at);
                let mut batch = || (model.batch)(job) * of_round * noise(spread);
                let wall = PROCESS + model.start + batch();
                run.add(Line::Cold { cell: cell.clone(), round: number, cold: Cold { wall, user: wall, system: 0.0 } });
                let run_ns = [(); 3].map(|()| (batch() * 1e9).round() as u64);
                assert!(run.add(Line::Warm { cell, round: number, answer: answer(&run_ns) }));
            }
        }
        run.add(Line::Round { number, round: Round { order: Vec::new(), seconds: 2.0, others: None } });
    }
    run
}

fn answer(run_ns: &[u64]) -> Answer {
    let json = format!(
        r#"{{"strategy":"a","profile":"release","workload":"sum","keys":1,"count":2,"skew":"uniform","rng":"xoshiro",
        "seed":42,"workers":1,"start_ns":1,"run_ns":{run_ns:?},"drop_ns":[1,1,1],"stop_ns":1,"output_bytes":16,"failed":[],
        "digest":"ab"}}"#
    );
    Answer::read(json.as_bytes()).unwrap()
}

/// The same run without cold runs, and with the first batch of each process alone.
pub(crate) fn first_batches(mut run: Run) -> Run {
    for cell in &mut run.plan.cells {
        (cell.cold_rounds, cell.batches) = (Some(0), 1);
    }
    for measured in &mut run.measured {
        measured.cold.clear();
        measured.warm.values_mut().for_each(|answer| answer.report.run_ns.truncate(1));
    }
    run.plan.repeat = 1;
    run.plan.stop.rounds = u32::try_from(run.rounds.len()).ok();
    run
}

pub(crate) fn fail(run: &mut Run, cell: &str) {
    let failure = Failure { stage: Stage::Cold, round: Some(2), message: "it failed".into(), exit: None, stderr: None };
    assert!(run.add(Line::Failed { cell: cell.into(), failure }));
}
