//! The fastest strategy at jobs of all kinds, where whole processes are not timed.

use bench::html;
use bench::numbers::views::cases::{Case, Cases};
use bench::run::machine::Others;
use bench::run::sample::Round;
use bench::text::doubts;

use super::*;
use crate::model::first_batches;

/// A start that pays off from 1 ms on, with two CPUs.
const START: f64 = 0.5e-3;

fn keys(values: u64, asleep: u64, output_bytes: u64, skew: &str) -> Job {
    Job { values, output_bytes, skew: skew.into(), ..job("wait", 10, asleep, 2) }
}

/// From 1 µs to 100 ms in one thread.
fn jobs() -> Vec<Job> {
    vec![
        keys(100, 0, 8, "uniform"),
        keys(10_000, 0, 800, "zipf"),
        keys(1_000_000, 0, 44_700_000, "one-huge"),
        keys(5_000_000, 5_000, 8, "one-huge-last"),
    ]
}

fn measured(rounds: u32) -> Run {
    let shared = |job: &Job| START + plain(job) / if job.count > 0 { 4.0 } else { 2.0 };
    let models = [
        model("sequential", 0.0, plain),
        model("shared", 0.0, shared),
        model("slower", 0.0, |job: &Job| shared(job) * 1.5),
        model("shared.mimalloc", 0.0, |job: &Job| shared(job) / 2.0),
    ];
    let mut run = first_batches(run(Some("cases"), &jobs(), &models, rounds, 0.01));
    run.machine.cpus_available = 2;
    run.machine.governors.clear();
    for round in run.rounds.values_mut() {
        *round = Round { others: Some(Others { busy: 0.0, stolen: 0.0 }), ..round.clone() };
    }
    run
}

#[test]
fn a_start_pays_off_where_a_batch_is_long_enough() {
    let view = Cases::of(&measured(3));
    assert_eq!(view.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    for (row, job) in view.rows.iter().zip(jobs()) {
        assert_eq!((row.fastest.as_str(), row.others, &row.job), ("shared", 2, &job));
        assert_near(row.sequential.summary.median, plain(&job), 0.05);
        let truth = plain(&job) / (START + plain(&job) / if job.count > 0 { 4.0 } else { 2.0 });
        assert_near(row.speed_up.value, truth, 0.05);
        assert_eq!(row.speed_up.interval, None, "three rounds have no interval");
    }
    let Case { speed_up, .. } = &Cases::of(&measured(8)).rows[2];
    assert_ratio(Some(*speed_up), 10e-3 / 5.5e-3);
}

#[test]
fn the_picture_has_a_point_for_each_job() {
    let run = measured(3);
    let figures = View::of(&run).unwrap().figures();
    assert_drawable(&figures);
    let Drawing::Curves(curves) = &figures[0].drawing else { panic!("{:?}", figures[0]) };
    let lines: Vec<(&str, usize)> = curves.lines.iter().map(|line| (line.name.as_str(), line.points.len())).collect();
    assert_eq!((figures[0].name.as_str(), lines), ("cases", vec![("awake", 3), ("asleep", 1)]));
    assert!(curves.lines.iter().all(|line| !line.is_joined));
    let marks: Vec<(&str, f64)> = curves.marks.iter().map(|mark| (mark.name.as_str(), mark.value)).collect();
    assert_eq!(marks, [("sequential", 1.0), ("2 CPUs", 2.0)]);
    let caption = &figures[0].caption;
    assert!(caption.contains("each of 4 jobs"), "{caption}");
    assert!(caption.contains(" It is faster at 2 of them, never where that is 9"), "{caption}");
    assert!(caption.contains(" ms or more. The most is 1.8"), "{caption}");
    assert!(caption.contains(", that of shared; where keys sleep it is 3.9"), "{caption}");
}

#[test]
fn the_caption_says_all_or_none() {
    let caption = |wanted: &[usize]| {
        let mut view = Cases::of(&measured(3));
        view.rows.retain(|row| wanted.contains(&row.number));
        view.figures()[0].caption.clone()
    };
    assert!(caption(&[1, 2]).contains(" It is faster at none of them. The most is 0."), "{}", caption(&[1, 2]));
    let all = caption(&[4]);
    assert!(all.contains(" It is faster at all of them. The most is 3.9") && !all.contains("where keys"), "{all}");
}

#[test]
fn the_page_says_nothing_of_cold_runs() {
    let run = measured(3);
    assert_eq!(doubts::of(&run), Vec::<String>::new());
    assert_eq!(doubts::against_publishing(&run), Vec::<String>::new());
    let page = assert_fits(&run);
    let title = "# cases: wait, 10 keys × 0 to 5,000 µs and 100 to 5,000,000 values, 8 B to 44.7 MB a key, 4 skews, 2 workers\n";
    assert!(page.starts_with(title), "{page}");
    for nonsense in
        ["known within", "until within", "discarded", "warm process", "ranks", "hyperfine sees", "they are called"]
    {
        assert!(!page.contains(nonsense), "{nonsense}: {page}");
    }
    assert!(page.contains("The fastest of 2 strategies at each job, besides `sequential`.\n"), "{page}");
    let row = page.lines().find(|line| line.starts_with("| #3 ")).unwrap();
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    assert_eq!(cells[..7], ["#3", "10", "1.00 M", "0", "44.7 MB", "one-huge", "2"]);
    assert_eq!(cells[8], "shared");

    let dir = tempfile::tempdir().unwrap();
    let shown = html::Shown { figures: Vec::new(), readme: page, run, sweeps: Vec::new(), unreadable: Vec::new() };
    let headline = html::Page::of(&shown, dir.path()).headline;
    assert_eq!(headline, "A sweep: 4 rows at 4 jobs. The table has a row for each job.");
}

#[test]
fn what_is_missing_is_said_and_jobs_that_are_not_in_the_table_are_listed() {
    let mut run = measured(3);
    let place = run.plan.cells.iter().position(|cell| cell.name == "slower#4").unwrap();
    run.measured[place].warm.remove(&2);
    let lost = "of 3 first batches of slower#4, 2 were recorded: its median is of those";
    assert_eq!(doubts::of(&run), [lost]);
    fail(&mut run, "sequential#3");
    let page = page::render(&run);
    assert!(page.contains("- `#3`: 10 keys × 1,000,000 values, 44.7 MB a key, one-huge, 2 workers\n"), "{page}");
    assert_eq!(Cases::of(&run).rows.len(), 3);
    fail(&mut run, "shared#1");
    fail(&mut run, "slower#1");
    assert_eq!(Cases::of(&run).rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 4]);
    fail(&mut run, "slower#2");
    let page = page::render(&run);
    assert!(page.contains("The fastest of 1 to 2 strategies at each job, besides `sequential`."), "{page}");
}
