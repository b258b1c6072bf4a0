//! The tables of two recorded runs: times of hyperfine 1.20.0 and answers of programs as they came, and invented beside them
//! a failure, the machine, its limit, and what survives.

use std::fs;
use std::path::{Path, PathBuf};

use bench::numbers::standings::Standings;
use bench::run::Run;
use bench::run::machine::Others;
use bench::run::plan::Ended;
use bench::run::sample::{Failure, Line, Stage};
use bench::text::splice::{self, Part};
use bench::text::{doubts, index, page, porting, strategies, sweep};

use crate::markdown::{Table, tables};

#[path = "markdown/mod.rs"]
mod markdown;

fn recorded(name: &str) -> Run {
    Run::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name)).unwrap()
}

/// What a run would be with these lines of its samples alone.
fn with_lines(name: &str, wanted: impl Fn(&Line) -> bool) -> Run {
    let run = recorded(name);
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name).join("samples.jsonl");
    let mut some = Run::new(run.plan, run.machine);
    for line in fs::read_to_string(samples).unwrap().lines() {
        let line: Line = serde_json::from_str(line).unwrap();
        if wanted(&line) {
            assert!(some.add(line), "every line is of the plan");
        }
    }
    some
}

#[test]
fn the_page_of_a_run_with_the_notebook() {
    insta::assert_snapshot!(page::render(&recorded("notebook")));
}

#[test]
fn the_short_table_of_the_notebook() {
    insta::assert_snapshot!(porting::short_table(&recorded("notebook")));
}

#[test]
fn the_page() {
    insta::assert_snapshot!(page::render(&recorded("run")));
}

#[test]
fn the_short_table() {
    insta::assert_snapshot!(strategies::table(&recorded("run")));
}

#[test]
fn the_page_of_a_sweep() {
    insta::assert_snapshot!(page::render(&recorded("sweep")));
}

#[test]
fn the_part_of_a_sweep() {
    insta::assert_snapshot!(sweep::part(&recorded("sweep")));
}

/// Of one size, all questions are in one table.
#[test]
fn the_table_of_one_size() {
    insta::assert_snapshot!(sweep::one_job(&of_one_size()));
}

/// What a run of the larger size of the sweep alone would be.
fn of_one_size() -> Run {
    let mut run = recorded("sweep");
    let kept: Vec<bool> = run.plan.cells.iter().map(|cell| cell.at == 1).collect();
    let mut keep = kept.iter();
    run.measured.retain(|_| *keep.next().unwrap());
    run.plan.cells.retain(|cell| cell.at == 1);
    for cell in &mut run.plan.cells {
        cell.at = 0;
        cell.name = cell.row.clone();
    }
    run
}

#[test]
fn no_row_of_a_sweep_is_ranked_and_none_with_an_allocator_is_among_the_strategies() {
    let standings = Standings::of(&recorded("sweep"));
    assert!(!standings.rows.is_empty());
    assert!(standings.rows.iter().all(|row| row.rank.is_none() && !row.is_among_strategies));
    assert!(standings.control.is_some());
    let standings = Standings::of(&of_one_size());
    let among: Vec<&str> =
        standings.rows.iter().filter(|row| row.is_among_strategies).map(|row| row.name.as_str()).collect();
    assert_eq!(among, ["sequential", "std-counter"]);
}

/// Fails unless each gain in `text` is the quotient of two warm cells. Returns how many there were.
#[track_caller]
fn check_gains(text: &str) -> usize {
    let tables = tables(text);
    let of_sizes = |table: &&Table| table.columns.first().is_some_and(|title| title == "strategy");
    let mut tables = tables.iter().filter(of_sizes);
    let warm = tables.next().unwrap();
    let gains = if warm.has("× system") { warm } else { tables.next().unwrap() };
    let mut checked = 0;
    for row in &gains.rows {
        let (name, strategy) = (&row[0], row[0].split('.').next().unwrap());
        for (column, shown) in
            gains.columns.iter().zip(row).skip(1).filter(|(_, shown)| shown.contains('×') && *shown != "1×")
        {
            if gains.has("× system") && column != "× system" {
                continue;
            }
            let clock = if column == "× system" { "warm" } else { column };
            let cell = |name: &str| warm.cell(warm.row("strategy", name).unwrap(), clock).unwrap();
            markdown::assert_is_quotient(&format!("{name} {column}"), shown, cell(strategy), cell(name));
            checked += 1;
        }
    }
    checked
}

#[test]
fn every_gain_is_the_quotient_of_two_cells() {
    assert_eq!(check_gains(&page::render(&recorded("sweep"))), 8);
    let part = sweep::part(&recorded("sweep"));
    assert_eq!(check_gains(&part), 8);
    assert_eq!(check_gains(&sweep::one_job(&of_one_size())), 4);
    let Table { rows, .. } = &tables(&part)[1];
    let wrong = part.replace(rows[0][1].split('×').next().unwrap(), "77.7");
    assert!(std::panic::catch_unwind(|| check_gains(&wrong)).is_err());
}

#[test]
fn the_index() {
    let run = recorded("run");
    let mut interrupted = run.clone();
    interrupted.plan.ended = Some(Ended::Interrupted);
    interrupted.plan.condition = false;
    interrupted.rounds.retain(|round, _| *round < 3);
    let mut open = interrupted.clone();
    open.plan.stop.rounds = None;
    let entries = [
        ("2026-11-23T09-00-00Z".to_owned(), Err("2026-11-23T09-00-00Z/machine.json: entity not found".to_owned())),
        ("2026-11-23T08-00-00Z".to_owned(), Ok(interrupted)),
        ("2026-11-23T07-00-00Z".to_owned(), Ok(open)),
        ("2026-11-22T16-30-00Z".to_owned(), Ok(recorded("notebook"))),
        ("2026-11-22T15-30-00Z".to_owned(), Ok(run)),
    ];
    insta::assert_snapshot!(index::render(&entries));
}

#[test]
fn all_lines_of_the_recordings_are_read() {
    for name in ["run", "notebook", "sweep"] {
        assert_eq!(recorded(name).dropped, 0, "{name}");
        assert_eq!(with_lines(name, |_| true), recorded(name), "{name}");
    }
}

#[test]
fn an_interrupted_run_is_tabled_and_marked() {
    let mut run = with_lines("run", |line| match line {
        Line::Cold { round, .. } => *round <= 2,
        Line::Warm { round, .. } | Line::Round { number: round, .. } => *round <= 1,
        _ => true,
    });
    run.plan.ended = Some(Ended::Interrupted);
    let page = page::render(&run);
    assert!(page.contains("> **Warning:** this run was interrupted, with 1 of 6 rounds complete."), "{page}");
    assert!(page.contains("> **Warning:** fewer than 6 rounds: no intervals, and no ranks."), "{page}");
    let standings = Standings::of(&run);
    assert_eq!(standings.rows.len(), 3);
    assert!(standings.rows.iter().all(|row| row.rank.is_none()));
    assert_eq!(run.measured("rayon-iter").unwrap().cold.len(), 2, "samples of an unfinished round count");
}

#[test]
fn a_run_before_its_first_round_has_a_page() {
    let timed = |line: &Line| matches!(line, Line::Cold { .. } | Line::Warm { .. } | Line::Round { .. });
    let page = page::render(&with_lines("run", |line| !timed(line)));
    assert!(page.contains("Nothing was timed."), "{page}");
    assert!(page.contains("## Failed"), "{page}");
}

#[test]
fn a_failed_row_is_in_no_ranking_whatever_it_has_measured() {
    let mut run = recorded("run");
    let message = "its timed run failed".to_owned();
    let failure = Failure { stage: Stage::Cold, round: Some(6), message, exit: None, stderr: None };
    assert!(!run.measured("rayon-iter").unwrap().cold.is_empty());
    run.add(Line::Failed { cell: "rayon-iter".into(), failure });
    assert!(Standings::of(&run).rows.iter().all(|row| row.name != "rayon-iter"));
    assert!(page::render(&run).contains("| cold run of round 6 "));
}

#[test]
fn of_two_samples_for_one_place_the_first_counts() {
    let mut run = recorded("run");
    let before = run.clone();
    let mut cold = run.measured("rayon-iter").unwrap().cold[&3];
    cold.wall *= 2.0;
    run.add(Line::Cold { cell: "rayon-iter".into(), round: 3, cold });
    assert_eq!(run, before);
}

#[test]
fn sequential_against_itself_has_a_ratio_of_one() {
    let mut run = recorded("run");
    let sequential = run.measured("sequential").unwrap().clone();
    let control = run.plan.cells.iter().position(|cell| cell.row == "sequential.control").unwrap();
    run.measured[control].cold = sequential.cold;
    let control = Standings::of(&run).control.unwrap();
    let interval = control.ratio.interval.unwrap();
    assert_eq!((interval.low, control.ratio.value, interval.high), (1.0, 1.0, 1.0));
    assert_eq!(control.objection(), None);
}

#[test]
fn a_round_beside_others_is_said_and_so_is_a_missing_sample() {
    let mut run = recorded("run");
    run.machine.governors.clear();
    let control = run.plan.cells.iter().position(|cell| cell.row == "sequential.control").unwrap();
    run.measured[control].cold = run.measured("sequential").unwrap().cold.clone();
    assert_eq!(doubts::of(&run), ["what else ran on the machine during the rounds is not known"]);
    for (round, busy) in [(2, 0.02), (4, 0.31), (5, 0.12)] {
        run.rounds.get_mut(&round).unwrap().others = Some(Others { busy, stolen: 0.001 });
    }
    let index = run.plan.cells.iter().position(|cell| cell.name == "rayon-iter").unwrap();
    run.measured[index].cold.remove(&3);
    assert_eq!(
        doubts::of(&run),
        [
            "of 6 cold runs of rayon-iter, 5 were recorded: its median is of those",
            "rounds 4–5 disturbed: at the most, other programs used 31.0 % of the processors, and the hypervisor took 0.1 %",
        ]
    );
}

#[test]
fn tables_fit_where_they_are_read() {
    for run in ["run", "notebook", "sweep"].map(recorded) {
        for line in page::tables(&run).lines().filter(|line| line.starts_with('|')) {
            assert!(line.chars().count() <= 120, "{line}");
        }
        let page = page::render(&run);
        let first = page.lines().find(|line| line.starts_with('|')).unwrap();
        assert!(first.matches('|').count() <= 8, "{first}");
    }
}

/// Fails unless each ratio in `text` is that of its own cells, or else of cells of the page of `run`. Returns how many there
/// were.
#[track_caller]
fn check_ratios(text: &str, run: &Run) -> usize {
    let page = page::render(run);
    let limits = markdown::limits(&page);
    let tables_of_the_page = tables(&page);
    let on_the_page = |column: &str, row: &str| {
        let table = tables_of_the_page.iter().find(|table| table.has("strategy") && table.has(column));
        table.and_then(|table| table.cell(table.row("strategy", row)?, column))
    };
    let is_warm =
        |program: &str| page.contains(&format!("; in the line of `{program}`, both are those of a warm batch"));
    let mut checked = 0;
    let mut check = |what: &str, shown: Option<&str>, over: Option<&str>, under: Option<&str>| {
        let Some(shown) = shown.filter(|shown| !["n/a", "1×"].contains(shown)) else { return };
        let (over, under) = over.zip(under).unwrap_or_else(|| panic!("{what}: {shown} is not of two cells"));
        markdown::assert_is_quotient(what, shown, over, under);
        checked += 1;
    };
    for table in tables(text) {
        for row in &table.rows {
            let cell = |column: &str| table.cell(row, column);
            if let Some(name) = cell("strategy") {
                let clock = if table.has("time") { "time" } else { "warm" };
                let of = |name: &str| table.cell(table.row("strategy", name)?, clock);
                check(name, cell("× sequential"), of("sequential"), cell(clock));
                check(name, cell("÷ fastest"), cell(clock), table.cell(&table.rows[0], clock));
                let limit = limits.as_ref().map(|limits| limits[usize::from(name.starts_with("sequential"))].as_str());
                check(name, cell("of the limit"), limit, cell(clock));
            }
            if let Some((name, strategy)) = cell("notebook").zip(cell("in Rust")) {
                let clock = if is_warm(name) { "warm" } else { "time" };
                let own = table.cells(row, "time");
                let in_rust = own.get(1).copied().or_else(|| on_the_page(clock, strategy));
                check(name, cell("faster"), own.first().copied(), in_rust);
                let same = on_the_page(clock, &format!("{strategy}.mt19937"));
                check(name, cell("same bits"), own.first().copied(), same);
                check(name, cell("smaller"), cell("memory"), on_the_page("memory", strategy));
            }
            if let Some(name) = cell("second ÷ first").and(cell("row")) {
                check(name, cell("second ÷ first"), Some(&row[2]), Some(&row[1]));
            }
        }
    }
    checked
}

#[test]
fn every_ratio_of_a_page_is_the_quotient_of_its_cells() {
    for (name, ratios) in [("run", 9), ("notebook", 29)] {
        let run = recorded(name);
        assert_eq!(check_ratios(&page::render(&run), &run), ratios, "{name}");
    }
    let (run, notebook) = (recorded("run"), recorded("notebook"));
    assert_eq!(check_ratios(&strategies::table(&run), &run), 5);
    assert_eq!(check_ratios(&porting::short_table(&notebook), &notebook), 3);
}

#[test]
fn a_ratio_that_is_not_of_its_cells_is_found() {
    let run = recorded("run");
    let table = strategies::table(&run);
    let wrong = |from: &str, to: &str| {
        assert!(table.contains(from), "{from} is not in {table}");
        let text = table.replace(from, to);
        std::panic::catch_unwind(|| check_ratios(&text, &run)).is_err()
    };
    let ratio = tables(&table)[0].rows[1][3].clone();
    assert!(ratio.ends_with('×'), "{ratio}");
    assert!(wrong(&ratio, &ratio.replace("0.", "1.")));
    let Table { rows, .. } = &tables(&table)[0];
    let limit = &rows[1][4];
    assert!(limit.ends_with(" %"), "{limit}");
    assert!(wrong(limit, "99 %"));
}

/// Of every document, what stands between the markers and not what would be put there.
#[test]
fn every_ratio_in_a_document_is_the_quotient_of_its_cells() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let documents = ["README.md", "METHODOLOGY.md", "docs/allocators.md"].map(|name| root.join(name));
    for (document, spliced, text) in documents.iter().flat_map(|document: &PathBuf| {
        let text = fs::read_to_string(document).unwrap();
        let between = |part: Part| {
            let (_, rest) = text.split_once(&format!("<!-- fanout:begin {} ", part.name())).unwrap();
            rest.split_once("<!-- fanout:end ").unwrap().0.to_owned()
        };
        let parts = splice::parts(&text).into_iter();
        parts.map(|spliced| (document, spliced.clone(), between(spliced.part))).collect::<Vec<_>>()
    }) {
        // tests/tidy.rs fails if it is not there.
        // Of several runs, each line has its own page.
        let [run] = spliced.runs.as_slice() else { continue };
        let Ok(run) = Run::read(&root.join(run)) else { continue };
        let checked = if spliced.part == Part::Sweep { check_gains(&text) } else { check_ratios(&text, &run) };
        let has_ratios = match spliced.part {
            // The figures of a guide are held against the run by a rule of their own; their cells are in other tables.
            Part::Gil | Part::Guide | Part::Pictures | Part::Advice => false,
            Part::Sweep => run.plan.has_allocators(),
            _ => true,
        };
        assert!(checked > 0 || !has_ratios, "{}: no ratio in {spliced:?}", document.display());
    }
}
