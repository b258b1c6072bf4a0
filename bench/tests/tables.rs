//! The tables of one recorded run: exports of hyperfine 1.20.0 and answers of three strategies as they came, one invented
//! failure, and an invented machine.

use std::fs;
use std::path::{Path, PathBuf};

use bench::numbers::standings::Standings;
use bench::run::machine::Others;
use bench::run::record::{Ended, Run};
use bench::text::index;
use bench::text::page;
use serde_json::{Value, json};

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/run")
}

/// A copy whose files are changed by `change`, which gets the name and the text of each and gives the new text, or
/// nothing if the file is to be left out.
fn changed(change: impl Fn(&str, String) -> Option<String>) -> Run {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("raw")).unwrap();
    for folder in ["", "raw"] {
        for entry in fs::read_dir(recorded().join(folder)).unwrap() {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
            if path.is_file()
                && let Some(text) = change(name.to_str().unwrap(), fs::read_to_string(&path).unwrap())
            {
                fs::write(copy.path().join(folder).join(name), text).unwrap();
            }
        }
    }
    Run::read(copy.path()).unwrap()
}

/// A run with programs of the notebook: recorded likewise, one of them as if it were slow, and another as if it had lied.
fn notebook() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/notebook")
}

#[test]
fn the_page_of_a_run_with_the_notebook() {
    insta::assert_snapshot!(page::render(&Run::read(&notebook()).unwrap()));
}

#[test]
fn the_headline_of_a_run_with_the_notebook() {
    let run = Run::read(&notebook()).unwrap();
    insta::assert_snapshot!(page::headline(&run, "results/2026-11-22T16-30-00Z/README.md"));
}

#[test]
fn the_page() {
    insta::assert_snapshot!(page::render(&Run::read(&recorded()).unwrap()));
}

#[test]
fn the_headline() {
    let run = Run::read(&recorded()).unwrap();
    insta::assert_snapshot!(page::headline(&run, "results/2026-11-22T15-30-00Z/README.md"));
}

#[test]
fn the_index() {
    let run = Run::read(&recorded()).unwrap();
    let mut interrupted = run.clone();
    interrupted.plan.ended = Some(Ended::Interrupted);
    interrupted.complete.retain(|round, _| *round < 3);
    let entries = [
        ("2026-11-23T09-00-00Z".to_owned(), Err("2026-11-23T09-00-00Z/machine.json: entity not found".to_owned())),
        ("2026-11-23T08-00-00Z".to_owned(), Ok(interrupted)),
        ("2026-11-22T15-30-00Z".to_owned(), Ok(run)),
    ];
    insta::assert_snapshot!(index::render(&entries));
}

/// The same measurement in the schema of hyperfine 2.
fn second_major(export: &str) -> String {
    let one: Value = serde_json::from_str(export).unwrap();
    let result = &one["results"][0];
    let seconds = |value: &Value| json!({"value": value, "unit": "second"});
    json!({
        "schema_version": 2,
        "metadata": {"hyperfine_version": "2.0.0", "start_time": "", "platform": {"os": "linux", "architecture": "x86_64"}},
        "primary_metric": "time_wall_clock",
        "results": [{
            "command": "./program --keys 20",
            "name": result["command"],
            "measurements": [{
                "time_wall_clock": seconds(&result["times"][0]),
                "time_user": seconds(&result["user"]),
                "time_system": seconds(&result["system"]),
                "memory_peak_resident": {"value": 1.0, "unit": "byte"},
                "exit_code": result["exit_codes"][0],
            }],
            "summary": {},
        }],
    })
    .to_string()
}

#[test]
fn both_majors_of_hyperfine_make_the_same_tables() {
    let two = changed(|name, text| Some(if name.starts_with("cold-") { second_major(&text) } else { text }));
    assert_eq!(page::render(&two), page::render(&Run::read(&recorded()).unwrap()));
}

#[test]
fn an_interrupted_run_is_tabled_and_marked() {
    let run = changed(|name, text| {
        let (kind, round) = (name.split('-').next()?, name.split(['-', '.']).nth(1)?);
        let late = ["cold", "warm", "round"].contains(&kind) && (round > "02" || (kind != "cold" && round == "02"));
        (!late).then(|| text.replace("\"ended\": \"complete\"", "\"ended\": \"interrupted\""))
    });
    let page = page::render(&run);
    assert!(page.contains("> **Warning:** this run was interrupted, with 1 of 6 rounds complete."), "{page}");
    assert!(page.contains("the intervals are narrower than 95 %"), "{page}");
    assert_eq!(Standings::of(&run).rows.len(), 3);
    assert_eq!(run.measured("rayon-iter").unwrap().cold.len(), 2, "samples of an unfinished round count");
}

#[test]
fn a_run_before_its_first_round_has_a_page() {
    let run = changed(|name, text| (!["cold", "warm", "round"].contains(&name.split('-').next()?)).then_some(text));
    let page = page::render(&run);
    assert!(page.contains("Nothing was timed."), "{page}");
    assert!(page.contains("## Failed"), "{page}");
}

#[test]
fn a_failed_row_is_in_no_ranking_whatever_it_has_measured() {
    let failure = fs::read_to_string(recorded().join("raw/failed-process-pool.json")).unwrap();
    let mut run = Run::read(&recorded()).unwrap();
    let index = run.plan.rows.iter().position(|row| row.name == "rayon-iter").unwrap();
    run.measured[index].failure = serde_json::from_str(&failure).unwrap();
    assert!(!run.measured[index].cold.is_empty());
    assert!(Standings::of(&run).rows.iter().all(|row| row.name != "rayon-iter"));
}

#[test]
fn sequential_against_itself_is_the_noise_floor() {
    let same = changed(|name, text| {
        let original = name.strip_suffix("sequential.control.json").filter(|rest| rest.starts_with("cold-"));
        let path = original.map(|rest| recorded().join("raw").join(format!("{rest}sequential.json")));
        Some(path.map_or(text, |path| fs::read_to_string(path).unwrap()))
    });
    let noise = Standings::of(&same).noise.unwrap();
    assert_eq!((noise.ratio.low, noise.ratio.median, noise.ratio.high, noise.floor), (1.0, 1.0, 1.0, 0.0));
}

#[test]
fn a_round_beside_others_is_said_and_so_is_a_missing_sample() {
    let mut run = Run::read(&recorded()).unwrap();
    run.machine.governors.clear();
    assert_eq!(page::warnings(&run), ["what else ran on the machine during the rounds is not known"]);
    for (round, busy) in [(2, 0.02), (4, 0.31), (5, 0.12)] {
        run.complete.get_mut(&round).unwrap().others = Some(Others { busy, stolen: 0.001 });
    }
    let index = run.plan.rows.iter().position(|row| row.name == "rayon-iter").unwrap();
    run.measured[index].cold.remove(&3);
    assert_eq!(
        page::warnings(&run),
        [
            "of 6 cold runs of rayon-iter, 5 were recorded: its median is of those",
            "rounds 4–5 disturbed: at the most, other programs used 31.0 % of the processors, and the hypervisor took 0.1 %",
        ]
    );
}

#[test]
fn tables_fit_where_they_are_read() {
    let runs = [recorded(), notebook()].map(|dir| Run::read(&dir).unwrap());
    for run in &runs {
        for line in page::tables(run).lines().filter(|line| line.starts_with('|')) {
            assert!(line.chars().count() <= 110, "{line}");
        }
        let page = page::render(run);
        let first = page.lines().find(|line| line.starts_with('|')).unwrap();
        assert!(first.matches('|').count() <= 8, "{first}");
    }
}
