//! A job of one's own is measured as the built-in ones are.

use std::fs;

use crate::told::{Owner, STRATEGIES, ends, interrupted, root, shared, stderr, stdout};

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "no {part} in:\n{text}");
}

#[test]
fn a_run_has_its_tables_and_can_be_remade_and_compared() {
    let (_programs, owner) = (shared(), Owner::new());
    let flags = format!("--only {STRATEGIES} --rounds 1 --no-condition");
    let output = ends(owner.asks(&flags, &["two words", "-x"]), 0);
    let page = owner.page();
    for row in ["sequential", "rayon-iter", "process-pool"] {
        assert_has(&stdout(&output), &format!("| {row} "));
        assert_has(&page, &format!("| {row} "));
    }
    for part in ["## One key alone", "## What `advise` said", "--job told", "-- 'two words' -x`"] {
        assert_has(&page, part);
    }
    let run = &owner.runs()[0];
    let absolute = [run.parent().unwrap().display().to_string(), root().display().to_string()];
    let files = ["run.json", "alone.json", "advised.json", "samples.jsonl", "README.md", "report.html"];
    let read = || files.map(|file| fs::read_to_string(run.join(file)).unwrap());
    let before = read();
    for (file, text) in files.iter().zip(&before) {
        let found = absolute.iter().find(|path| text.contains(&**path));
        assert_eq!(found, None, "{file}");
    }
    let run = run.to_str().unwrap();
    ends(owner.compare(&["report", run]), 0);
    assert!(read() == before);
    assert_has(&stdout(&ends(owner.compare(&["cmp", run, run]), 0)), "| rayon-iter ");
}

#[test]
fn a_run_that_was_interrupted_goes_on_where_its_job_is_given() {
    let (_programs, owner) = (shared(), Owner::new());
    let command = owner.asks("--only sequential,rayon-iter --rounds 12 --no-condition", &["two words"]);
    let (status, said, _) = interrupted(command, "round 3 of 12");
    assert_eq!(status, Some(130), "{said}");
    let run = owner.runs()[0].clone();
    let run = run.to_str().unwrap();
    let without = ends(owner.compare(&["--resume", run]), 2);
    assert_eq!(
        stderr(&without),
        "error: --resume: that run is of the job told/src/lib.rs; say where it is: --job PATH\n"
    );
    ends(owner.compare(&["--resume", run, "--job", "told"]), 0);
    assert_has(&owner.page(), "- Rounds: 12 of 12, ");
}

#[test]
fn a_sweep_measures_the_job_with_each_number_of_workers() {
    let (_programs, owner) = (shared(), Owner::new());
    let flags = "sweep scaling --only sequential,rayon-iter --rounds 1 --no-condition";
    ends(owner.asks(flags, &["two words"]), 0);
    let page = owner.page();
    assert_has(&page, "# scaling: told 'two words': 4 keys, 1 to ");
    assert_has(&page, "| rayon-iter |");
    let run = owner.runs()[0].clone();
    assert!(run.join("alone.json").is_file());
    ends(owner.compare(&["report", run.to_str().unwrap()]), 0);
    assert_eq!(owner.page(), page);
}

#[test]
fn a_job_that_prints_is_measured_with_a_warning() {
    let (_programs, owner) = (shared(), Owner::new());
    let output = ends(owner.asks("--only rayon-iter --rounds 1 --no-condition", &["print"]), 0);
    assert_has(
        &stderr(&output),
        "warning: told/src/lib.rs: its keys print to standard output (24 bytes in 4 keys): that takes a part of their time",
    );
    assert!(!stdout(&output).contains("key 1\n"));
}

#[test]
fn a_job_that_gives_something_else_each_time_is_told_by_key_and_measured() {
    let (_programs, owner) = (shared(), Owner::new());
    let output = ends(owner.asks("--only rayon-iter --rounds 1 --no-condition", &["time"]), 0);
    assert_has(
        &stderr(&output),
        "warning: told/src/lib.rs: the job is not deterministic: of two runs of `sequential`, keys 1, 3 differ; outputs are not \
         compared (--not-deterministic says so beforehand)",
    );
    let said = ends(owner.asks("--only rayon-iter --rounds 1 --no-condition --not-deterministic", &["time"]), 0);
    assert!(!stderr(&said).contains("running `sequential` twice"), "{}", stderr(&said));
    assert!(!stderr(&said).contains("differ"), "{}", stderr(&said));
}

#[test]
fn a_strategy_that_gives_something_else_fails_and_the_keys_are_named() {
    let (_programs, owner) = (shared(), Owner::new());
    let output = ends(owner.asks(&format!("--only {STRATEGIES} --rounds 1 --no-condition"), &["thread"]), 1);
    let why = "rayon-iter: its outputs are not those of sequential: keys 0, 2, 3 differ; --not-deterministic does not compare them";
    assert_has(&stderr(&output), &format!("failed: {why}\n"));
    assert_has(&stdout(&output), "| process-pool ");
    let page = owner.page();
    let (_, failed) = page.split_once("## Failed").unwrap_or_else(|| panic!("{page}"));
    assert_has(failed, "keys 0, 2, 3 differ");
}
