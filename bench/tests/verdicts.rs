//! What the samples of a run are said to mean: ranks, whether there are rounds enough, and what differs between two runs.

use std::path::Path;

use bench::numbers::difference::{self, Incomparable, Verdict};
use bench::numbers::standings::Standings;
use bench::numbers::stats::Figure;
use bench::numbers::stopping::{self, LEAST_ROUNDS};
use bench::numbers::{random, standings};
use bench::run::Run;
use bench::run::allocator::Allocator;
use bench::run::job::Job;
use bench::run::plan::{CONTROL, Cell, FORMAT, Kind, LIMIT, LIMIT_OF_ONE, Plan, Row, SEQUENTIAL, Stop};
use bench::run::sample::{Cold, Failure, Line, Round, Stage};
use bench::sampling::schedule;
use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// A run with these rows, each with its cold times from the first round on. Every round took 2 s.
fn run(rows: &[(&str, Vec<f64>)]) -> Run {
    let job = Job {
        workload: "fill".into(),
        keys: 100,
        count: 1000,
        skew: "uniform".into(),
        rng: "xoshiro".into(),
        seed: 42,
        workers: 2,
        values: 0,
        output_bytes: 8,
        neighbour: false,
        own: None,
    };
    let kind = |name: &str| match name {
        CONTROL => Kind::Control,
        LIMIT | LIMIT_OF_ONE => Kind::Limit,
        _ if name.starts_with("python-") => Kind::Notebook,
        _ => Kind::Strategy,
    };
    let cell = |name: &str| Cell {
        name: name.into(),
        row: name.into(),
        at: 0,
        job: job.clone(),
        command: name.into(),
        rounds: None,
        cold_rounds: None,
        warm_rounds: None,
        batches: 3,
    };
    let plan = Plan {
        own: None,
        brief: false,
        format: FORMAT,
        stamp: "2026-11-24T00-00-00Z".into(),
        command: "compare".into(),
        sweep: None,
        full: false,
        rows: rows
            .iter()
            .map(|(name, _)| Row {
                name: (*name).into(),
                kind: kind(name),
                lines: None,
                rng: None,
                allocator: Allocator::System,
                not_measured: None,
            })
            .collect(),
        cells: rows.iter().map(|(name, _)| cell(name)).collect(),
        stop: Stop { rounds: None, least: None, within: 0.03, budget: 900.0 },
        repeat: 3,
        shuffle_seed: 1,
        condition: true,
        ended: None,
    };
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/run");
    let mut run = Run::new(plan, Run::read(&recorded).unwrap().machine);
    let rounds = rows.iter().map(|(_, times)| times.len()).max().unwrap_or(0);
    for (name, times) in rows {
        for (round, wall) in (1..).zip(times.iter().copied()) {
            assert!(run.add(Line::Cold { cell: (*name).into(), round, cold: Cold { wall, user: wall, system: 0.0 } }));
        }
    }
    for number in 1..=u32::try_from(rounds).unwrap() {
        run.add(Line::Round { number, round: Round { order: Vec::new(), seconds: 2.0, others: None } });
    }
    run
}

/// So many times around `middle`, up to `spread` of it away.
fn noisy(middle: f64, spread: f64, rounds: usize, seed: u64) -> Vec<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let share = |rng: &mut _| random::below(rng, 2_001) as f64 / 1_000.0 - 1.0;
    (0..rounds).map(|_| middle * (1.0 + spread * share(&mut rng))).collect()
}

/// The first so many rounds of a run.
fn so_far(run: &Run, rounds: u32) -> Run {
    let mut run = run.clone();
    run.rounds.retain(|round, _| *round <= rounds);
    run.measured.iter_mut().for_each(|measured| measured.cold.retain(|round, _| *round <= rounds));
    run
}

fn fail(run: &mut Run, cell: &str) {
    let failure = Failure { stage: Stage::Cold, round: Some(2), message: "it failed".into(), exit: None, stderr: None };
    assert!(run.add(Line::Failed { cell: cell.into(), failure }));
}

/// A row that shared the rank of the row above it because the two could not be told apart would hand that rank on, from
/// neighbour to neighbour, to the slowest of all.
#[test]
fn a_row_far_behind_does_not_share_a_rank_through_the_rows_between() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    // Ten times up to 45 % around a median of its own, in an order of its own.
    let times = |step: usize| {
        let shares: Vec<usize> = (0..10).collect();
        let shares = schedule::order(&shares, step as u32, 1).into_iter().map(|place| 0.55 + 0.1 * place as f64);
        shares.map(|share| 1.15f64.powi(step as i32) * share).collect()
    };
    let rows: Vec<(&str, Vec<f64>)> = names.iter().enumerate().map(|(step, name)| (*name, times(step))).collect();
    let run = run(&rows);
    let standings = Standings::of(&run);
    let figure = |name: &str| Figure::of(&standings::cold(run.measured(name).unwrap())).unwrap();
    for pair in standings.rows.windows(2) {
        let apart = figure(&pair[1].name).is_clearly_above(&figure(&pair[0].name));
        assert!(!apart, "{} and {} are told apart", pair[0].name, pair[1].name);
    }
    let (first, last) = (&standings.rows[0], standings.rows.last().unwrap());
    let apart = last.cold.median / first.cold.median;
    assert!((apart - 2.66).abs() < 0.01, "{apart}");
    assert_eq!(first.rank, Some(1));
    assert!(last.rank.unwrap() >= 4, "{:?}", last.rank);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn ranks_follow_the_order_and_not_the_plan(
        rows in proptest::collection::vec((0.5..2.0f64, 0.0..0.3f64), 2..7), seed: u64, rounds in 6usize..12
    ) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let times = rows.iter().zip(seed / 2..).map(|((middle, spread), seed)| noisy(*middle, *spread, rounds, seed));
        let mut rows: Vec<(&str, Vec<f64>)> = names.into_iter().zip(times).collect();
        let standings = Standings::of(&run(&rows)).rows;
        prop_assert_eq!(standings[0].rank, Some(1));
        for (place, row) in (1..).zip(&standings) {
            prop_assert!(row.rank.unwrap() <= place, "at most all rows above are faster: {row:?}");
        }
        let medians: Vec<f64> = standings.iter().map(|row| row.cold.median).collect();
        prop_assert!(medians.is_sorted());
        rows.reverse();
        prop_assert_eq!(Standings::of(&run(&rows)).rows, standings);
    }
}

#[test]
fn neither_the_control_nor_the_limit_is_ranked() {
    let mut run = run(&[
        (SEQUENTIAL, vec![2.0; 6]),
        ("twice", vec![1.0; 6]),
        ("python-x", vec![80.0; 6]),
        (LIMIT, vec![0.5; 6]),
        (LIMIT_OF_ONE, vec![0.8; 6]),
        (CONTROL, vec![0.1; 6]),
    ]);
    let standings = Standings::of(&run);
    let ranks: Vec<_> = standings.rows.iter().map(|row| (row.name.as_str(), row.rank.unwrap())).collect();
    assert_eq!(ranks, [("twice", 1), (SEQUENTIAL, 2), ("python-x", 3)]);
    let of_limit: Vec<_> = standings.rows.iter().map(|row| row.of_limit).collect();
    assert_eq!(of_limit, [Some(0.5), Some(0.4), None], "a program in Python is not held against it");
    assert!(standings.control.unwrap().objection().unwrap().contains("does not hold 1"));
    fail(&mut run, LIMIT);
    fail(&mut run, CONTROL);
    let standings = Standings::of(&run);
    assert_eq!((standings.row("twice").unwrap().of_limit, standings.control), (None, None));
}

#[test]
fn five_runs_have_no_rank_even_beside_rows_that_have_one() {
    let run = run(&[(SEQUENTIAL, vec![2.0; 6]), ("late", vec![1.0; 5]), ("slow", vec![3.0; 6])]);
    let ranks: Vec<_> = Standings::of(&run).rows.into_iter().map(|row| (row.name, row.rank)).collect();
    let rank = |name: &str, rank| (name.to_owned(), rank);
    assert_eq!(ranks, [rank("late", None), rank(SEQUENTIAL, Some(1)), rank("slow", Some(2))]);
}

#[test]
fn a_run_is_long_enough_when_all_is_narrow_for_two_rounds() {
    let mut found = 0;
    for seed in 0..60 {
        let run = run(&[(SEQUENTIAL, noisy(1.0, 0.04, 12, seed)), ("other", noisy(1.3, 0.04, 12, !seed))]);
        let narrow: Vec<bool> =
            (0..=12).map(|round| round > 7 && stopping::wide(&run, round, false).is_empty()).collect();
        for rounds in [9usize, 10, 11, 12] {
            let enough = stopping::is_enough(&so_far(&run, rounds as u32));
            assert_eq!(enough, rounds >= 10 && narrow[rounds - 1] && narrow[rounds], "{seed}: {rounds}");
            found += usize::from(rounds >= 10 && narrow[rounds] && !narrow[rounds - 1]);
        }
    }
    assert!(found > 2, "rounds that are narrow by themselves: {found}");
}

#[test]
fn a_budget_ends_a_run_that_has_its_ten_rounds() {
    let mut run = run(&[(SEQUENTIAL, noisy(1.0, 0.5, 12, 1)), ("other", noisy(1.0, 0.5, 12, 2))]);
    assert!(!stopping::is_enough(&run), "nothing is known, and there is time");
    run.plan.stop.budget = 5.0;
    assert!(!stopping::is_enough(&so_far(&run, LEAST_ROUNDS - 1)), "9 rounds take 18 s");
    assert!(stopping::is_enough(&so_far(&run, LEAST_ROUNDS)));
    run.plan.stop.rounds = Some(12);
    assert!(!stopping::is_enough(&so_far(&run, 11)), "a number of rounds is exact");
    assert!(stopping::is_enough(&run));
}

#[test]
fn rows_that_are_not_known_are_named_the_widest_first() {
    let rows = [
        (SEQUENTIAL, vec![1.0; 10]),
        ("exact", vec![2.0; 10]),
        ("wide", noisy(3.0, 0.2, 10, 1)),
        ("wider", noisy(3.0, 0.6, 10, 2)),
        ("python-slow", noisy(90.0, 0.9, 10, 3)),
    ];
    let mut run = run(&rows);
    let names = |run: &Run, all| stopping::wide(run, 10, all).into_iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names(&run, false), ["python-slow", "wider", "wide"]);
    run.plan.cells[4].rounds = Some(10);
    assert_eq!(names(&run, false), ["wider", "wide"], "a slow row that has all its runs is not waited for");
    assert_eq!(names(&run, true), ["python-slow", "wider", "wide"], "and is named all the same");
    fail(&mut run, "wider");
    assert_eq!(names(&run, true), ["python-slow", "wide"]);
}

#[test]
fn rows_are_faster_slower_or_not_to_be_told_apart() {
    let old = run(&[
        (SEQUENTIAL, noisy(1.0, 0.05, 10, 1)),
        ("faster", noisy(1.0, 0.05, 10, 2)),
        ("slower", noisy(1.0, 0.05, 10, 3)),
        ("gone", vec![1.0; 10]),
        ("failed", vec![1.0; 10]),
        ("short", vec![1.0; 10]),
        (CONTROL, vec![1.0; 10]),
    ]);
    let mut new = run(&[
        (SEQUENTIAL, noisy(1.0, 0.05, 10, 4)),
        ("faster", noisy(0.7, 0.05, 10, 5)),
        ("slower", noisy(1.5, 0.05, 10, 6)),
        ("failed", vec![1.0; 10]),
        ("short", vec![3.0; 5]),
        ("new", vec![1.0; 10]),
        (CONTROL, vec![9.0; 10]),
    ]);
    fail(&mut new, "failed");
    let differences = difference::between(&old, &new).unwrap();
    let verdicts: Vec<_> = differences.rows.iter().map(|row| (row.name.as_str(), row.verdict)).collect();
    let expected = [
        (SEQUENTIAL, Verdict::NoDifference),
        ("faster", Verdict::Faster),
        ("slower", Verdict::Slower),
        ("short", Verdict::TooFew),
    ];
    assert_eq!(verdicts, expected);
    assert_eq!(differences.only_one, ["gone", "failed", "new"]);
    assert_eq!(differences.machines, []);

    let back = difference::between(&new, &old).unwrap();
    for (there, back) in differences.rows.iter().zip(&back.rows) {
        let opposite = match there.verdict {
            Verdict::Faster => Verdict::Slower,
            Verdict::Slower => Verdict::Faster,
            same => same,
        };
        assert_eq!((&there.name, opposite), (&back.name, back.verdict));
    }
}

/// Of many rows, one would else differ by chance alone.
#[test]
fn more_rows_are_compared_more_carefully() {
    let names = ["b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let with = |others: usize, seed: u64| {
        let mut rows = vec![(SEQUENTIAL, noisy(1.0, 0.1, 12, seed))];
        rows.extend(names[..others].iter().map(|name| (*name, vec![1.0; 12])));
        run(&rows)
    };
    let width = |others| {
        let differences = difference::between(&with(others, 1), &with(others, 2)).unwrap();
        let interval = differences.rows[0].ratio.interval.unwrap();
        interval.high - interval.low
    };
    assert!(width(10) > width(0), "{} {}", width(10), width(0));
}

#[test]
fn runs_without_anything_in_common_are_not_compared() {
    let one = run(&[(SEQUENTIAL, vec![1.0; 6])]);
    let mut other = one.clone();
    other.plan.cells[0].job.count = 7;
    let refused = difference::between(&one, &other).unwrap_err();
    assert!(matches!(refused, Incomparable::Jobs(..)));
    assert!(refused.to_string().contains("--count 1000") && refused.to_string().contains("--count 7"), "{refused}");
    let mut failed = one.clone();
    fail(&mut failed, SEQUENTIAL);
    assert!(matches!(difference::between(&one, &failed), Err(Incomparable::NoRow)));
}

#[test]
fn what_else_differs_is_named() {
    let one = run(&[(SEQUENTIAL, vec![1.0; 6])]);
    let mut other = one.clone();
    other.machine.cpu = None;
    other.machine.rustflags = Some("-C target-cpu=native".into());
    other.plan.condition = false;
    let told = difference::between(&one, &other).unwrap().machines;
    let expected = [
        ("processor", "Example 9000", "unknown"),
        ("set of flags for the compiler", "none", "-C target-cpu=native"),
        ("conditioning", "yes", "no"),
    ];
    assert_eq!(told, expected.map(|(what, one, two)| (what, one.to_owned(), two.to_owned())));
}
