//! A strategy that needs a program which is not on PATH is neither built nor run, and says so wherever it would have a row.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

use bench::run::full::Full;
use bench::run::plan::Ended;

use crate::resuming::{resume, unfinished};
use crate::tree::{Tree, assert_status, stderr};

/// Why `absent` is not measured.
const WHY: &str = "needs no-such-server, which is not on PATH; Debian: apt-get install no-such-server";

/// A tree in whose source `present` needs a program that is there, and `absent` one that is not.
fn tree() -> Tree {
    let tree = Tree::new(&["sequential", "twice", "present", "absent"]);
    for (name, program) in [("present", "hyperfine"), ("absent", "no-such-server")] {
        let needs = format!("needs = {{ program = \"{program}\", install = \"Debian: apt-get install {program}\" }}");
        let manifest = format!("[package]\nname = \"{name}\"\ndescription = \"Is {name}\"\n");
        let package = tree.path("impls").join(name);
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join("Cargo.toml"), format!("{manifest}\n[package.metadata.fanout]\n{needs}\n")).unwrap();
    }
    tree
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Puts the program where it is looked for.
fn install(tree: &Tree) {
    symlink("/bin/true", tree.path("path/no-such-server")).unwrap();
}

fn is_run(tree: &Tree, name: &str) -> bool {
    tree.calls().iter().any(|call| call.starts_with(&format!("{name} ")))
}

fn files(dir: &Path) -> [String; 2] {
    ["README.md", "report.html"].map(|file| fs::read_to_string(dir.join(file)).unwrap())
}

#[test]
fn a_row_whose_program_is_not_here_is_not_measured_and_fails_nothing() {
    let tree = tree();
    let output = tree.measure(&["--rounds", "1"]);
    assert_status(&output, 0);
    assert_eq!(stderr(&output).matches("no-such-server, which").count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("warning: not measured: absent {WHY}\n")), "{}", stderr(&output));
    assert!(stdout(&output).contains(&format!("\n\nNot measured: absent: {WHY}.\n\n")), "{}", stdout(&output));
    assert!(is_run(&tree, "present") && !is_run(&tree, "absent"));

    let [page, html] = files(&tree.run_dir());
    let section = page.split("## Not measured").nth(1).unwrap();
    assert!(section.contains(&format!("| absent | {WHY} |")) && !section.contains("| present"), "{page}");
    assert!(!page.contains("## Failed"), "{page}");
    assert!(html.contains("Not measured: absent. The section “Not measured” says why."), "{html}");
    let row = tree.run().plan.row("absent").unwrap().clone();
    assert_eq!(row.not_measured.as_deref(), Some(WHY));

    // The files of the run say it, whether the program is here by now or not.
    install(&tree);
    assert_status(&tree.compare(&["report", tree.run_dir().to_str().unwrap()]).output().unwrap(), 0);
    assert_eq!(files(&tree.run_dir()), [page, html]);
}

#[test]
fn with_its_program_it_is_a_row_like_others() {
    let tree = tree();
    install(&tree);
    let output = tree.measure(&["--rounds", "1"]);
    assert_status(&output, 0);
    assert!(is_run(&tree, "absent") && !stderr(&output).contains("not measured"), "{}", stderr(&output));
    assert!(!tree.page().contains("## Not measured"));
}

#[test]
fn whoever_asks_for_it_alone_gets_an_error() {
    let tree = tree();
    for only in ["absent", "sequential,absent"] {
        for flags in [&["--only", only][..], &["--only", only, "--plan"]] {
            let output = tree.measure(flags);
            assert_status(&output, 2);
            assert_eq!(stderr(&output), format!("error: --only: absent {WHY}\n"));
        }
    }
    assert!(!tree.path("results").exists());
    let output = tree.measure(&["--rounds", "1", "--only", "absent,twice", "--allocator", "system"]);
    assert_status(&output, 0);
    let rows: Vec<String> = tree.run().plan.rows.into_iter().map(|row| row.name).collect();
    assert_eq!(rows, ["sequential", "twice", "sequential.control", "absent"]);
}

#[test]
fn the_list_and_a_plan_say_it() {
    let tree = tree();
    fs::write(tree.path("Cargo.toml"), "[workspace]\n").unwrap();
    let listed = tree.compare(&["list"]).output().unwrap();
    assert_status(&listed, 0);
    assert_eq!(stdout(&listed), format!("absent   Is absent ({WHY})\npresent  Is present\n"));
    let planned = tree.measure(&["--plan"]);
    assert_status(&planned, 0);
    let told = format!("4 rows: present, sequential, twice, sequential.control\nnot measured: absent {WHY}\n1 job:\n");
    assert!(stdout(&planned).starts_with(&told), "{}", stdout(&planned));
    assert_eq!(stderr(&planned), "");
}

#[test]
fn a_manifest_that_is_spelt_wrongly_is_told_of_before_anything_is_run() {
    let tree = tree();
    let manifest = tree.path("impls/absent/Cargo.toml");
    fs::write(&manifest, "[package.metadata.fanout]\nneed = 1\n").unwrap();
    let output = tree.measure(&["--rounds", "1"]);
    assert_status(&output, 1);
    let said = stderr(&output);
    assert!(said.contains("impls/absent/Cargo.toml: ") && said.contains("`need`"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn the_sweeps_of_a_full_run_have_the_row_too() {
    let tree = tree();
    let output = tree.measure(&["--full", "--rounds", "1", "--keys", "100", "--count", "100"]);
    assert_status(&output, 0);
    assert_eq!(stderr(&output).matches("no-such-server, which").count(), 1, "{}", stderr(&output));
    let dir = tree.run_dir();
    let grain = Full::read(&dir).unwrap().sweep("grain").unwrap().plan.clone();
    assert_eq!(grain.row("absent").unwrap().not_measured.as_deref(), Some(WHY));
    assert!(fs::read_to_string(dir.join("grain/README.md")).unwrap().contains(&format!("| absent | {WHY} |")));

    // A sweep that is measured later has the rows of its run.
    install(&tree);
    fs::remove_dir_all(dir.join("grain")).unwrap();
    assert_status(&resume(&tree, &dir), 0);
    assert_eq!(Full::read(&dir).unwrap().sweep("grain").unwrap().plan.rows, grain.rows);
    assert!(!is_run(&tree, "absent"));
}

#[test]
fn a_run_goes_on_with_the_rows_that_it_has() {
    let without = tree();
    let dir = unfinished(&without);
    install(&without);
    let output = resume(&without, &dir);
    assert_status(&output, 0);
    let plan = without.run().plan;
    assert_eq!(plan.ended, Some(Ended::Complete));
    assert_eq!(plan.row("absent").unwrap().not_measured.as_deref(), Some(WHY));
    assert!(!is_run(&without, "absent"));

    let with = tree();
    install(&with);
    let dir = unfinished(&with);
    let samples = fs::read(dir.join("samples.jsonl")).unwrap();
    fs::remove_file(with.path("path/no-such-server")).unwrap();
    let output = resume(&with, &dir);
    assert_status(&output, 2);
    assert_eq!(stderr(&output), format!("error: --resume {}: its row absent {WHY}\n", dir.display()));
    assert_eq!(fs::read(dir.join("samples.jsonl")).unwrap(), samples);
}
