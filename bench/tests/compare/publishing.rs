//! What is done with runs that are there: a document shows one, and two are compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use bench::run::machine::Others;
use bench::run::sample::Line;
use bench::run::{Run, folder};

use crate::tree::{Tree, assert_status, stderr};

/// The folder of a run of six rounds on a machine of which nobody else has used anything, whatever ran beside this test.
fn quiet(tree: &Tree) -> PathBuf {
    assert_status(&tree.measure(&["--rounds", "7"]), 0);
    let dir = tree.run_dir();
    let mut machine = tree.run().machine;
    machine.another_compare = false;
    machine.governors.clear();
    fs::write(dir.join(folder::MACHINE), serde_json::to_string_pretty(&machine).unwrap()).unwrap();
    change(&dir, |line| {
        if let Line::Round { round, .. } = line {
            round.others = Some(Others { busy: 0.01, stolen: 0.0 });
        }
    });
    dir
}

/// Changes the samples of a run.
fn change(dir: &Path, change: impl Fn(&mut Line)) {
    let path = dir.join(folder::SAMPLES);
    let changed = |line: &str| {
        let mut line: Line = serde_json::from_str(line).unwrap();
        change(&mut line);
        serde_json::to_string(&line).unwrap() + "\n"
    };
    let text: String = fs::read_to_string(&path).unwrap().lines().map(changed).collect();
    fs::write(path, text).unwrap();
}

/// Makes the cold times of a row longer.
fn slow_down(dir: &Path, name: &str, factor: f64) {
    change(dir, |line| match line {
        Line::Cold { cell, cold, .. } if cell == name => cold.wall *= factor,
        _ => {}
    });
}

/// Takes the last of six rounds away.
fn shorten(dir: &Path) {
    let samples = fs::read_to_string(dir.join(folder::SAMPLES)).unwrap();
    let late = ["\"round\":6", "\"round\":7", "\"number\":6", "\"number\":7"];
    let kept = samples.lines().filter(|line| !late.iter().any(|late| line.contains(late)));
    fs::write(dir.join(folder::SAMPLES), kept.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert_eq!(Run::read(dir).unwrap().rounds.len(), 5);
}

/// A copy of a run beside it.
fn copy(dir: &Path, name: &str) -> PathBuf {
    let copy = dir.parent().unwrap().join(name);
    fs::create_dir(&copy).unwrap();
    for file in [folder::PLAN, folder::MACHINE, folder::SAMPLES] {
        fs::copy(dir.join(file), copy.join(file)).unwrap();
    }
    copy
}

/// Changes the text of the plan.
fn replan(dir: &Path, from: &str, to: &str) {
    let plan = fs::read_to_string(dir.join(folder::PLAN)).unwrap();
    assert!(plan.contains(from), "{plan}");
    fs::write(dir.join(folder::PLAN), plan.replace(from, to)).unwrap();
}

fn splice(tree: &Tree, dir: &Path, more: &[&str]) -> Output {
    tree.compare(&[&["splice", "strategies", dir.to_str().unwrap()], more].concat()).output().unwrap()
}

#[test]
fn a_part_goes_between_its_markers() {
    let tree = Tree::new(&["sequential", "twice"]);
    let dir = quiet(&tree);
    let readme = tree.path("README.md");
    let empty = "# Title\n\n<!-- fanout:begin strategies x -->\n<!-- fanout:end strategies -->\n\nThe end.\n";
    fs::write(&readme, empty).unwrap();
    assert_status(&splice(&tree, &dir, &["--check"]), 1);
    assert_eq!(fs::read_to_string(&readme).unwrap(), empty, "a check changes nothing");
    assert_status(&splice(&tree, &dir, &[]), 0);
    assert_status(&splice(&tree, &dir, &["--check"]), 0);
    let text = fs::read_to_string(&readme).unwrap();
    let run = format!("results/local/{}", dir.file_name().unwrap().to_str().unwrap());
    assert!(text.starts_with(&format!("# Title\n\n<!-- fanout:begin strategies {run} -->\n\n| rank | ")), "{text}");
    assert!(text.ends_with("\n\n<!-- fanout:end strategies -->\n\nThe end.\n"), "{text}");
    assert!(text.contains("Made by `scripts/compare.sh --bin-dir programs --workers 2 --rounds 7`. Commit:"), "{text}");
    assert!(text.contains(&format!("]({run}/README.md)")), "{text}");

    fs::write(&readme, text.replace("twice", "thrice")).unwrap();
    assert_status(&splice(&tree, &dir, &["--check"]), 1);
    fs::write(&readme, "no markers").unwrap();
    let output = splice(&tree, &dir, &[]);
    assert_status(&output, 1);
    assert!(stderr(&output).contains("there must be one line"), "{}", stderr(&output));

    fs::create_dir_all(tree.path("docs/below")).unwrap();
    fs::write(tree.path("docs/below/x.md"), empty).unwrap();
    assert_status(&splice(&tree, &dir, &["--into", "docs/below/x.md"]), 0);
    let text = fs::read_to_string(tree.path("docs/below/x.md")).unwrap();
    assert!(text.contains(&format!("](../../{run}/README.md)")), "{text}");
    assert_eq!(fs::read_to_string(&readme).unwrap(), "no markers");
}

#[test]
fn a_doubtful_run_is_shown_by_force_alone() {
    let tree = Tree::new(&["sequential", "twice"]);
    let dir = quiet(&tree);
    let unlike = copy(&dir, "unlike");
    slow_down(&unlike, "sequential.control", 1.1);
    let disturbed = copy(&dir, "disturbed");
    change(&disturbed, |line| {
        if let Line::Round { number: 3, round } = line {
            round.others = Some(Others { busy: 0.2, stolen: 0.0 });
        }
    });
    let stopped = copy(&dir, "stopped");
    replan(&stopped, "\"ended\": \"complete\"", "\"ended\": \"interrupted\"");
    let short = copy(&dir, "short");
    shorten(&short);
    let empty = "<!-- fanout:begin strategies x -->\n<!-- fanout:end strategies -->\n";
    for (dir, told) in [
        (&unlike, "its interval does not hold 1"),
        (&disturbed, "round 3 disturbed: at the most, other programs used 20.0 % of the processors"),
        (&stopped, "the run is not complete"),
        (&short, "whether equal rows come out equal is not known"),
    ] {
        fs::write(tree.path("README.md"), empty).unwrap();
        let output = splice(&tree, dir, &[]);
        assert_status(&output, 1);
        let said = stderr(&output);
        assert!(said.contains(told) && said.contains("; --force shows it all the same"), "{said}");
        assert_eq!(fs::read_to_string(tree.path("README.md")).unwrap(), empty);
        assert_status(&splice(&tree, dir, &["--force"]), 0);
        assert_status(&splice(&tree, dir, &["--check"]), 0);
        assert!(fs::read_to_string(tree.path("README.md")).unwrap().contains("| twice "));
    }
}

/// The words about each row, and all that was said.
fn cmp(tree: &Tree, first: &Path, second: &Path) -> (Vec<[String; 2]>, String) {
    let output = tree.compare(&["cmp", first.to_str().unwrap(), second.to_str().unwrap()]).output().unwrap();
    assert_status(&output, 0);
    let said = String::from_utf8(output.stdout).unwrap();
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = said.lines().filter(|line| line.starts_with("| ")).skip(2).map(cells);
    (rows.map(|cells| [cells[0].clone(), cells[4].clone()]).collect(), said)
}

#[test]
fn two_runs_differ_in_the_rows_that_do() {
    let tree = Tree::new(&["sequential", "twice"]);
    let dir = quiet(&tree);
    let words = |second: &Path| cmp(&tree, &dir, second);
    let rows = |sequential: &str, twice: &str| {
        [["sequential", sequential], ["twice", twice]].map(|row| row.map(str::to_owned)).to_vec()
    };

    let (same, said) = words(&copy(&dir, "same"));
    assert_eq!(same, rows("no difference", "no difference"));
    assert!(said.contains("Of 2 rows, 0 faster, 0 slower, 2 without a difference that can be told."), "{said}");
    assert!(!said.contains("Another "), "{said}");

    let slower = copy(&dir, "slower");
    slow_down(&slower, "twice", 1.2);
    assert_eq!(words(&slower).0, rows("no difference", "slower"));
    assert_eq!(cmp(&tree, &slower, &dir).0, rows("no difference", "faster"));

    let short = copy(&dir, "short");
    shorten(&short);
    let (few, said) = words(&short);
    assert_eq!(few, rows("too few runs", "too few runs"));
    assert!(said.contains("Too few runs to tell: 2."), "{said}");

    let conditioned = copy(&dir, "conditioned");
    replan(&conditioned, "\"condition\": true", "\"condition\": false");
    let (same, said) = words(&conditioned);
    assert_eq!(same, rows("no difference", "no difference"));
    assert!(said.contains("Another conditioning: yes, and then no."), "{said}");
}

#[test]
fn runs_of_different_jobs_are_not_compared() {
    let tree = Tree::new(&["sequential", "twice"]);
    let dir = quiet(&tree);
    let other = copy(&dir, "other");
    replan(&other, "\"keys\": 100", "\"keys\": 99");
    let output = tree.compare(&["cmp", dir.to_str().unwrap(), other.to_str().unwrap()]).output().unwrap();
    assert_status(&output, 2);
    let said = stderr(&output);
    assert!(said.starts_with("error: cmp: the runs measure different jobs: --workload fill --keys 100 "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
