//! What the sweeps say, on runs whose truth is known.

mod cases;
mod model;

use bench::numbers::curves::{Drawing, Figure};
use bench::numbers::scalability::NoFit;
use bench::numbers::stats::{Interval, Ratio};
use bench::numbers::views::blocking::Blocking;
use bench::numbers::views::grain::{Bound, Grain};
use bench::numbers::views::interference::Interference;
use bench::numbers::views::makespan::Makespan;
use bench::numbers::views::scaling::Scaling;
use bench::numbers::views::size::Size;
use bench::numbers::views::{self, Clock, View};
use bench::run::Run;
use bench::run::job::Job;
use bench::run::plan::{CONTROL, LIMIT, LIMIT_OF_ONE, Plan};
use bench::text::{number, page, sweep, views as text};
use proptest::prelude::*;

use crate::model::{PROCESS, VALUE, even, fail, job, model, plain, run};

#[track_caller]
fn assert_near(value: f64, truth: f64, within: f64) {
    assert!((value / truth - 1.0).abs() <= within, "{value} is not {truth} within {within}");
}

#[track_caller]
fn assert_ratio(ratio: Option<Ratio>, truth: f64) {
    let ratio = ratio.unwrap();
    let Interval { low, high } = ratio.interval.unwrap();
    assert_near(ratio.value, truth, 0.03);
    assert!(low <= truth * 1.01 && truth * 0.99 <= high, "{ratio:?} does not hold {truth}");
}

/// All that is drawn must be drawable: names of their own, no empty picture, finite values within their intervals.
#[track_caller]
fn assert_drawable(figures: &[Figure]) {
    let mut names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), figures.len(), "two pictures have the same name");
    for figure in figures {
        let (points, marks) = match &figure.drawing {
            Drawing::Curves(curves) => {
                assert!(curves.lines.iter().all(|line| line.points.is_sorted_by(|a, b| a.x < b.x)), "{figure:?}");
                let points = curves.lines.iter().flat_map(|line| &line.points);
                assert!(points.clone().all(|point| point.x.is_finite()));
                (points.map(|point| (point.y, point.interval)).collect::<Vec<_>>(), &curves.marks)
            }
            Drawing::Bars(bars) => (bars.bars.iter().map(|bar| (bar.value, bar.interval)).collect(), &bars.marks),
        };
        assert!(!points.is_empty(), "{} is empty", figure.name);
        assert!(marks.iter().all(|mark| mark.value.is_finite()));
        for (value, interval) in points {
            assert!(value.is_finite() && value > 0.0, "{}: {value}", figure.name);
            let holds = |it: Interval| it.low <= value * 1.01 && value * 0.99 <= it.high;
            assert!(interval.is_none_or(holds), "{}: {value} {interval:?}", figure.name);
        }
        assert!(figure.caption.ends_with('.') && !figure.caption.contains("  "), "{}", figure.caption);
        assert!(text::picture(figure, "").ends_with(&format!("]({}.svg)", figure.name)));
    }
}

#[track_caller]
fn assert_fits(run: &Run) -> String {
    let page = page::render(run);
    for line in page.lines().filter(|line| line.starts_with('|')) {
        assert!(line.chars().count() <= 120, "{line}");
    }
    let part = sweep::part(run);
    let table = part.lines().find(|line| line.starts_with('|')).unwrap();
    assert!(page.contains(table), "the page does not have {table}");
    page
}

/// COUNT halves, with the same number of values in all until there are 2^17 keys.
fn halving(from: u32, to: u32, workers: usize) -> Vec<Job> {
    (to..=from).rev().map(|power| job("sum", 1 << 17.min(25 - power), 1 << power, workers)).collect()
}

const ROUNDS: u32 = 8;

#[test]
fn half_of_the_ideal_is_left_where_a_key_takes_as_long_as_its_overhead() {
    let overhead = 100e-9;
    let models = [
        model("sequential", 0.0, plain),
        model("known", 2e-3, |job: &Job| even(job, overhead)),
        model("free", 0.0, |job: &Job| even(job, 0.0)),
        model("locked", 0.0, |job: &Job| plain(job) * 1.2),
    ];
    let run = run(Some("grain"), &halving(16, 3, 2), &models, ROUNDS, 0.01);
    let grain = Grain::of(&run);
    assert_eq!((grain.workers, grain.grains.len(), grain.rows.len()), (2, 14, 3));
    let row = |name: &str| grain.rows.iter().find(|row| row.name == name).unwrap();

    let known = row("known");
    let Bound::At { grain: half, interval: Some(interval) } = known.warm.half else { panic!("{:?}", known.warm) };
    assert_near(half, overhead, 0.03);
    assert!(interval.low < overhead * 1.02 && overhead * 0.98 < interval.high, "{interval:?}");
    assert!(interval.high / interval.low < 1.2, "{interval:?}");
    assert_near(known.warm.most.grain().unwrap(), 19.0 * overhead, 0.2);
    // With two workers a key of this grain takes as long as in the loop; to be clearly faster it must be larger.
    let beats = known.warm.beats.grain().unwrap();
    assert!((0.99..1.2).contains(&(beats / overhead)), "{beats}");
    let cost = known.overhead.unwrap();
    assert_near(cost.value, overhead, 0.03);
    // What slows a whole round down slows overheads down too, and the median of the rounds is not exactly the truth.
    let holds = |it: Interval| it.low < overhead * 1.02 && overhead * 0.98 < it.high;
    assert!(cost.interval.is_some_and(holds), "{cost:?}");
    assert_near(cost.at, 8e-9, 0.03);

    // Cold, keys × grain / (workers × time) is one half where the batch and what is around it take keys × grain.
    let cold = known.cold.half.grain().unwrap();
    let keys = f64::from(1 << 17);
    assert_near(cold, overhead + 2.0 * (PROCESS + 2e-3) / keys, 0.03);

    assert_eq!(row("free").warm.half, Bound::Below(*grain.grains.last().unwrap()));
    let Bound::Above(coarsest) = row("locked").warm.half else { panic!("{:?}", row("locked").warm.half) };
    assert_eq!((coarsest, row("locked").warm.beats), (grain.grains[0], Bound::Above(grain.grains[0])));

    let figures = View::of(&run).unwrap().figures();
    assert_drawable(&figures);
    assert_eq!(figures.iter().map(|figure| figure.name.as_str()).collect::<Vec<_>>(), ["grain-warm", "grain-cold"]);
    let page = assert_fits(&run);
    assert!(page.starts_with("# grain: sum, 512 to 131,072 keys × 8 to 65,536, 2 workers\n"), "{page}");
    let (finest, coarsest) = (grain.grains.last().copied().map(number::short_time), number::short_time(coarsest));
    for row in [format!("| free     | < {} |", finest.unwrap()), format!("| locked   | > {coarsest} |")] {
        let is_there = |line: &str| line.split_whitespace().collect::<String>().starts_with(&row.replace(' ', ""));
        assert!(page.lines().any(is_there), "{row} is not in {page}");
    }
}

#[test]
fn a_row_that_is_left_out_of_fine_jobs_or_fails_has_what_is_known() {
    let models = [model("sequential", 0.0, plain), model("known", 0.0, |job: &Job| even(job, 1e-6))];
    let mut run = run(Some("grain"), &halving(16, 8, 2), &models, ROUNDS, 0.01);
    let whole = Grain::of(&run);
    assert_near(whole.rows[0].warm.half.grain().unwrap(), 1e-6, 0.03);
    // From 65.5 µs to 256 ns. Without the last three jobs the finest is of 2.05 µs, at which two thirds are left.
    fail(&mut run, "known#9");
    fail(&mut run, "known#7");
    let dropped = run.plan.cells.iter().position(|cell| cell.name == "known#8").unwrap();
    run.plan.cells.remove(dropped);
    run.measured.remove(dropped);
    let part = Grain::of(&run);
    assert_eq!(part.rows[0].warm.points, whole.rows[0].warm.points[..6]);
    assert_eq!((part.rows[0].warm.half, part.grains.len()), (Bound::Below(part.grains[5]), 9));
    for cell in 1..=9 {
        fail(&mut run, &format!("sequential#{cell}"));
    }
    let nothing = Grain::of(&run);
    assert_eq!((nothing.rows.len(), nothing.figures().len()), (0, 0));
    assert!(page::render(&run).contains("Nothing can be said of the grain"));
}

#[test]
fn five_rounds_have_figures_without_intervals() {
    let models = [model("sequential", 0.0, plain), model("known", 0.0, |job: &Job| even(job, 1e-6))];
    let run = run(Some("grain"), &halving(12, 8, 2), &models, 5, 0.01);
    let line = &Grain::of(&run).rows[0].warm;
    let Bound::At { grain, interval: None } = line.half else { panic!("{:?}", line.half) };
    assert_near(grain, 1e-6, 0.05);
    assert_eq!(line.beats, Bound::Unknown);
    assert_drawable(&View::of(&run).unwrap().figures());
    assert_fits(&run);
}

/// The scalability law, with these coefficients, to as many workers as there are CPUs; from there on nothing changes.
fn by_law(job: &Job, cpus: f64, contention: f64, coherency: f64) -> f64 {
    let n = (job.workers as f64).min(cpus);
    1.1 * plain(job) / n * (1.0 + contention * (n - 1.0) + coherency * n * (n - 1.0))
}

fn scaling_jobs(workers: &[usize]) -> Vec<Job> {
    let of = |workload| workers.iter().map(move |workers| job(workload, 100, 1_000_000, *workers));
    of("sum").chain(of("fill")).collect()
}

#[test]
fn speed_up_is_to_one_worker_and_the_law_is_found_where_there_are_cpus_enough() {
    let models = [model("sequential", 0.0, plain), model("known", 0.0, |job: &Job| by_law(job, 8.0, 0.08, 0.01))];
    let mut run = run(Some("scaling"), &scaling_jobs(&[1, 2, 3, 4, 6, 8, 16]), &models, ROUNDS, 0.002);
    run.machine.cpus_available = 8;
    let scaling = Scaling::of(&run);
    assert_eq!(scaling.parts.iter().map(|part| part.workload.as_str()).collect::<Vec<_>>(), ["sum", "fill"]);
    let part = &scaling.parts[0];
    assert_eq!((part.workers.as_slice(), part.rows.len()), (&[1, 2, 3, 4, 6, 8, 16][..], 1));
    let of = |workers: f64| workers / (1.0 + 0.08 * (workers - 1.0) + 0.01 * workers * (workers - 1.0));
    let at = |workers: usize| part.rows[0].points.iter().find(|at| at.workers == workers).unwrap();
    assert_ratio(at(4).speed_up, of(4.0));
    assert_ratio(at(4).to_sequential, of(4.0) / 1.1);
    assert_ratio(at(4).efficiency, of(4.0) / 4.0);
    assert_ratio(at(16).efficiency, of(8.0) / 8.0);
    let law = part.rows[0].law.unwrap();
    assert!((law.contention.value - 0.08).abs() < 0.015, "{law:?}");
    assert!((law.coherency.value - 0.01).abs() < 0.002, "{law:?}");
    let figures = View::of(&run).unwrap().figures();
    assert_drawable(&figures);
    assert_eq!(figures.iter().map(|figure| figure.name.as_str()).collect::<Vec<_>>(), ["scaling-sum", "scaling-fill"]);
    let page = assert_fits(&run);
    assert!(page.starts_with("# scaling: sum and fill, 100 keys × 1,000,000, 1 to 16 workers\n"), "{page}");
    assert!(page.contains("contention σ"), "{page}");
}

#[test]
fn two_cpus_are_too_few_for_the_law() {
    let models = [model("sequential", 0.0, plain), model("known", 0.0, |job: &Job| by_law(job, 2.0, 0.05, 0.0))];
    let mut run = run(Some("scaling"), &scaling_jobs(&[1, 2, 3, 4, 6, 8]), &models, 6, 0.002);
    run.machine.cpus_available = 2;
    let scaling = Scaling::of(&run);
    assert_eq!(scaling.parts[0].rows[0].law, Err(NoFit::TooFew(2)));
    assert!(
        assert_fits(&run).contains(
            "2 CPUs: too few for a fit, which needs 5 worker counts up to the number of CPUs, and there are 2."
        )
    );
    fail(&mut run, "known#1");
    let part = &Scaling::of(&run).parts[0];
    assert_eq!((part.rows[0].points.len(), part.rows[0].points[0].speed_up), (5, None), "with no time of one worker");
    assert!(part.rows[0].points[0].to_sequential.is_some());
    let names: Vec<String> = Scaling::of(&run).figures().into_iter().map(|figure| figure.name).collect();
    assert_eq!(names, ["scaling-fill"]);
}

fn skewed(keys: u64) -> Vec<Job> {
    let skews = ["uniform", "zipf", "one-huge", "one-huge-last"];
    skews.map(|skew| Job { skew: skew.into(), ..job("sum", keys, 100_000, 2) }).into()
}

#[test]
fn the_makespan_is_held_against_the_longest_key_and_the_even_share() {
    let halved = |job: &Job| plain(job) / 2.0;
    let late = |job: &Job| plain(job) * if job.skew == "one-huge-last" { 0.75 } else { 0.5 };
    let models = [model("sequential", 0.0, plain), model("best", 0.0, halved), model("in-order", 0.0, late)];
    let mut run = run(Some("skew"), &skewed(100), &models, ROUNDS, 0.005);
    run.machine.cpus_available = 2;
    let view = Makespan::of(&run);
    assert_eq!(view.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["sequential", "best", "in-order"]);
    assert!(
        (view.jobs[0].longest - 0.01).abs() < 1e-9 && view.jobs.iter().all(|job| job.share == 0.5),
        "{:?}",
        view.jobs
    );
    assert_near(view.jobs[0].bound, 5e-3, 0.02);
    for place in 0..4 {
        assert_ratio(view.rows[0].factors[place], 2.0);
        assert_ratio(view.rows[1].factors[place], 1.0);
        assert_ratio(view.rows[2].factors[place], if place == 3 { 1.5 } else { 1.0 });
    }
    let figures = View::of(&run).unwrap().figures();
    assert_drawable(&figures);
    let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names, ["skew-uniform", "skew-zipf", "skew-one-huge", "skew-one-huge-last"]);
    assert!(figures[3].caption.contains("best has the lowest figure, 1.0"), "{}", figures[3].caption);
    let page = assert_fits(&run);
    let bounds = page.lines().find(|line| line.starts_with("The lower bounds: uniform ")).unwrap();
    assert!(
        bounds.contains("; one-huge-last ") && bounds.ends_with(" ms, where the longest key has 50 % of all values."),
        "{bounds}"
    );

    // With four workers the longest key decides, unless the machine has no more than two CPUs.
    run.plan.cells.iter_mut().for_each(|cell| cell.job.workers = 4);
    run.machine.cpus_available = 4;
    let shares: Vec<f64> = Makespan::of(&run).jobs.iter().map(|job| job.share).collect();
    assert_eq!((shares[0], shares[2]), (0.25, 0.5));
    run.machine.cpus_available = 2;
    assert_eq!(Makespan::of(&run).jobs[0].share, 0.5);
}

#[test]
fn the_cost_of_a_value_is_linear_around_its_least() {
    // A batch has 20 µs of its own, and beyond 80 MB a value takes twice as long.
    let cost = |job: &Job| 20e-6 + plain(job) * if job.keys * job.count > 10_000_000 { 2.0 } else { 1.0 };
    let models = [model("sequential", 0.0, cost), model("flat", 0.0, plain)];
    let totals = (2..=7).map(|power| job("fill", 100, 10u64.pow(power), 2));
    let blocks = (3..=7).map(|power| job("fill", 10u64.pow(8 - power), 10u64.pow(power), 2));
    // 100 keys of 10^6 are in both.
    let jobs: Vec<Job> = totals.chain(blocks.filter(|job| job.keys != 100)).collect();
    let run = run(Some("size"), &jobs, &models, ROUNDS, 0.005);
    let size = Size::of(&run);
    let (total, block) = (size.by_total.clone().unwrap(), size.by_block.clone().unwrap());
    assert_eq!((total.constant, total.xs.len()), (100, 6));
    assert_eq!(
        (block.constant, block.xs.as_slice()),
        (100_000_000, &[8_000, 80_000, 800_000, 8_000_000, 80_000_000][..])
    );
    let linear = total.rows[0].linear(Clock::Warm).unwrap();
    // 10^4 values take 10 + 20 µs, 10^5 take 100 + 20 µs, and from 10^8 on each takes 2 ns.
    assert_eq!((linear.best, linear.from, linear.to), (3, 1, 3));
    assert_eq!(linear.beyond.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [0, 4, 5]);
    assert_ratio(Some(linear.beyond[0].1), 3.0);
    let flat = total.rows[1].linear(Clock::Warm).unwrap();
    assert_eq!((flat.from, flat.to, flat.beyond.len()), (0, 5, 0));
    let cold = total.rows[1].linear(Clock::Cold).unwrap();
    assert!(cold.from > 1, "a process takes 1 ms: {cold:?}");
    assert_near(block.rows[1].warm[2].as_ref().unwrap().summary.median, VALUE, 0.02);
    let figures = View::of(&run).unwrap().figures();
    assert_drawable(&figures);
    assert_eq!(figures.iter().map(|figure| figure.name.as_str()).collect::<Vec<_>>(), ["size-total", "size-block"]);
    let page = assert_fits(&run);
    assert!(page.contains("10⁹") && page.contains("80 MB") && page.contains("linear from"), "{page}");
}

/// Half a millisecond of computing and sleeping, in these shares.
fn blocked(shares: &[u64], workers: &[usize]) -> Vec<Job> {
    let mix = |asleep: u64| Job { values: (100 - asleep) * 5_000, ..job("wait", 200, asleep * 5, 1) };
    shares.iter().flat_map(|share| workers.iter().map(|workers| Job { workers: *workers, ..mix(*share) })).collect()
}

#[test]
fn more_workers_than_cpus_win_where_keys_sleep() {
    // Computing is shared by two CPUs, sleeping by all workers; each worker beyond the CPUs costs 2 %.
    let shared = |job: &Job| {
        let (computed, asleep) = (job.values as f64 * VALUE, job.count as f64 * 1e-6);
        let workers = job.workers as f64;
        let at_best = (computed / 2.0).max((computed + asleep) / workers);
        job.keys as f64 * at_best * (1.0 + 0.02 * (workers - 2.0))
    };
    let models = [model("sequential", 0.0, plain), model("known", 0.0, shared)];
    let mut run = run(Some("blocking"), &blocked(&[0, 50, 90], &[2, 4, 8, 16]), &models, ROUNDS, 0.002);
    run.machine.cpus_available = 2;
    let view = Blocking::of(&run);
    assert_eq!((view.workers.as_slice(), view.rows.len()), (&[2, 4, 8, 16][..], 1));
    for (share, truth) in view.shares.iter().zip([0.0, 0.5, 0.9]) {
        assert!((share - truth).abs() < 0.02, "{share}");
    }
    let row = &view.rows[0];
    assert_eq!(row.shares.iter().map(|at| at.best).collect::<Vec<_>>(), [Some(2), Some(4), Some(16)]);
    assert_eq!(row.shares.iter().map(|at| at.more_wins).collect::<Vec<_>>(), [Some(false), Some(true), Some(true)]);
    assert_eq!(row.more_wins_from, Some(view.shares[1]));
    assert_ratio(row.shares[0].speed_ups[0], 2.0);
    assert_ratio(row.shares[1].speed_ups[1], 4.0 / 1.04);
    let figures = View::of(&run).unwrap().figures();
    assert_drawable(&figures);
    let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names, ["blocking-2", "blocking-4", "blocking-8", "blocking-16"]);
    let caption = &figures[3].caption;
    assert!(caption.contains("At 90 % asleep, known is the fastest, with "), "{caption}");
    let page = assert_fits(&run);
    assert!(
        page.starts_with("# blocking: wait, 200 keys × 0 to 450 µs and 50,000 to 500,000 values, 2 to 16 workers\n"),
        "{page}"
    );

    // Where the largest share has nothing to compare with, nothing is said of it.
    fail(&mut run, "known#9");
    let row = &Blocking::of(&run).rows[0];
    assert_eq!((row.shares[2].more_wins, row.more_wins_from), (None, None));
}

#[test]
fn a_neighbour_costs_static_division_more() {
    let slowed = |job: &Job, factor: f64| plain(job) / 2.0 * if job.neighbour { factor } else { 1.0 };
    let alone = |job: &Job| plain(job);
    let (moves, stays) = (|job: &Job| slowed(job, 4.0 / 3.0), |job: &Job| slowed(job, 2.0));
    let models = [model("sequential", 0.0, alone), model("std-chunks", 0.0, stays), model("std-counter", 0.0, moves)];
    let quiet = job("sum", 100, 100_000, 2);
    let jobs = [quiet.clone(), Job { neighbour: true, ..quiet }];
    let mut run = run(Some("interference"), &jobs, &models, ROUNDS, 0.005);
    run.machine.cpus_available = 2;
    let view = Interference::of(&run);
    assert_near(view.ideal, 4.0 / 3.0, 1e-9);
    let row = |name: &str| view.rows.iter().find(|row| row.name == name).unwrap();
    assert_ratio(row("sequential").warm, 1.0);
    assert_ratio(row("sequential").over_ideal(), 1.0);
    assert_ratio(row("std-counter").over_ideal(), 1.0);
    assert_ratio(row("std-chunks").warm, 2.0);
    assert_ratio(row("std-chunks").over_ideal(), 1.5);
    assert!(row("std-chunks").cold.unwrap().value < 2.0, "the process takes no longer to be loaded");
    let figures = View::of(&run).unwrap().figures();
    assert_drawable(&figures);
    assert!(figures[0].caption.contains("The least is that of std-counter, 1.3"), "{}", figures[0].caption);
    let page = assert_fits(&run);
    assert!(page.contains("`std-chunks` divides the keys among its workers beforehand, and takes 2.0"), "{page}");
    assert!(page.contains(", with a busy neighbour and without, 2 workers\n"), "{page}");
    fail(&mut run, "std-chunks#2");
    assert_eq!(Interference::of(&run).rows.len(), 2);
}

#[test]
fn the_headline_has_a_bar_for_each_strategy_and_the_limits_as_marks() {
    let models = [
        model("sequential", 0.0, plain),
        model("fast", 0.0, |job: &Job| plain(job) / 2.0),
        model(CONTROL, 0.0, plain),
        model("fast.mimalloc", 0.0, |job: &Job| plain(job) / 4.0),
        model(LIMIT, 0.0, |job: &Job| plain(job) / 3.0),
        model(LIMIT_OF_ONE, 0.0, |job: &Job| plain(job) / 1.5),
    ];
    let mut run = run(None, &[job("fill", 100, 1_000_000, 2)], &models, ROUNDS, 0.01);
    let figures = views::figures(&run);
    assert_drawable(&figures);
    let Drawing::Bars(bars) = &figures[0].drawing else { panic!("{:?}", figures[0]) };
    assert_eq!(bars.bars.iter().map(|bar| bar.name.as_str()).collect::<Vec<_>>(), ["fast", "sequential"]);
    assert_near(bars.bars[0].value, 0.051, 0.02);
    assert!(bars.bars.iter().all(|bar| bar.interval.is_some_and(|it| it.low <= bar.value && bar.value <= it.high)));
    assert_eq!(bars.marks.len(), 2);
    assert_near(bars.marks[0].value, 0.1 / 3.0 + PROCESS, 0.03);
    assert!(
        figures[0].caption.contains("The shortest is that of fast: sequential takes 2.0 times"),
        "{}",
        figures[0].caption
    );
    assert_eq!(figures.iter().map(|figure| figure.name.as_str()).collect::<Vec<_>>(), ["headline", "headline-warm"]);
    for name in ["fast", LIMIT] {
        fail(&mut run, name);
    }
    let figures = views::figures(&run);
    let Drawing::Bars(bars) = &figures[0].drawing else { panic!("{:?}", figures[0]) };
    assert_eq!((bars.bars.len(), bars.marks.len()), (1, 1));
}

/// What the engine writes before the first round has ended, or of a machine on which nothing works.
#[test]
fn a_sweep_of_which_nothing_is_there_is_no_picture_and_no_panic() {
    let jobs: [(&str, Vec<Job>); 7] = [
        ("grain", halving(10, 6, 2)),
        ("scaling", scaling_jobs(&[1, 2])),
        ("skew", skewed(10)),
        ("size", (2..=4).map(|power| job("fill", 100, 10u64.pow(power), 2)).collect()),
        ("blocking", blocked(&[0, 50], &[2, 4])),
        ("interference", vec![job("sum", 10, 10, 2), Job { neighbour: true, ..job("sum", 10, 10, 2) }]),
        ("cases", vec![job("wait", 10, 10, 2), job("wait", 10, 20, 2)]),
    ];
    for (sweep, jobs) in jobs {
        let models = [model("sequential", 0.0, plain), model("other", 0.0, plain)];
        let empty = run(Some(sweep), &jobs, &models, 0, 0.0);
        assert_eq!(View::of(&empty).unwrap().figures(), [], "{sweep}");
        assert!(page::render(&empty).contains("Nothing was timed."), "{sweep}");
        assert_eq!(text::tables(&View::of(&empty).unwrap()), "", "{sweep}");

        // One round has no spread and no interval; then each cell fails, one after the other.
        let mut run = run(Some(sweep), &jobs, &models, 1, 0.01);
        assert_drawable(&View::of(&run).unwrap().figures());
        let cells: Vec<String> = run.plan.cells.iter().map(|cell| cell.name.clone()).collect();
        for cell in cells {
            fail(&mut run, &cell);
            assert_drawable(&View::of(&run).unwrap().figures());
            page::render(&run);
            sweep::part(&run);
        }
        assert_eq!(View::of(&run).unwrap().figures(), [], "{sweep}");
        assert!(page::render(&run).contains("Nothing can be said of the "), "{sweep}");
        let bare =
            Run { measured: Vec::new(), plan: Plan { cells: Vec::new(), rows: Vec::new(), ..run.plan.clone() }, ..run };
        assert_eq!(View::of(&bare).unwrap().figures(), [], "{sweep}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Whatever the overhead and the number of workers.
    #[test]
    fn metg_is_the_overhead(overhead in 50e-9..2e-6f64, workers in 1usize..9) {
        let models = [model("sequential", 0.0, plain), model("known", 0.0, |job: &Job| even(job, overhead))];
        let run = run(Some("grain"), &halving(14, 4, workers), &models, 6, 0.002);
        let rows = Grain::of(&run).rows;
        let half = rows[0].warm.half.grain().unwrap();
        prop_assert!((half / overhead - 1.0).abs() < 0.03, "{half} {overhead}");
        let cost = rows[0].overhead.unwrap().value;
        prop_assert!((cost / overhead - 1.0).abs() < 0.05, "{cost} {overhead}");
    }
}
