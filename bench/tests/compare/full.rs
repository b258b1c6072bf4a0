//! A run with all its sweeps, each in a folder below it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use bench::run::full::Full;
use bench::run::plan::Ended;
use bench::run::sweep::SWEEPS;

use crate::tree::{Killed, Tree, assert_status, stderr, until};

/// The smallest job of which every sweep can be made.
const SMALLEST: [&str; 7] = ["--full", "--rounds", "1", "--keys", "100", "--count", "100"];

#[test]
fn every_sweep_is_a_run_below_it_and_one_that_is_missing_is_measured_again() {
    let tree = Tree::new(&["sequential", "twice", "std-counter"]);
    assert_status(&tree.measure(&SMALLEST), 0);
    let dir = tree.run_dir();
    let full = Full::read(&dir).unwrap();
    assert!(full.run.plan.full && full.run.plan.sweep.is_none());
    let names: Vec<&str> = full.sweeps.iter().filter_map(|run| run.plan.sweep.as_deref()).collect();
    assert_eq!(names, ["grain", "scaling", "skew", "size", "blocking", "interference", "cases"]);
    assert!(SWEEPS.iter().all(|sweep| sweep.is_of_full == names.contains(&sweep.name)));
    for sweep in &full.sweeps {
        assert_eq!(sweep.plan.ended, Some(Ended::Complete));
        assert_eq!(sweep.plan.stop, full.run.plan.stop);
        assert!(sweep.plan.jobs().count() > 1 && !sweep.plan.full);
        for (cell, measured) in sweep.plan.cells.iter().zip(&sweep.measured) {
            let cold = usize::from(sweep.plan.sweep.as_deref() != Some("cases"));
            assert_eq!((measured.cold.len(), measured.failure.clone()), (cold, None), "{}", cell.name);
            assert_eq!(measured.warm.len(), usize::from(cell.is_warm_in(1)), "{}", cell.name);
        }
        assert!(sweep.survival.is_empty(), "what survives is the same at every job");
        assert!(dir.join(sweep.plan.sweep.as_ref().unwrap()).join("README.md").is_file());
    }
    // Of the strategies here, the sweep over sizes has those that it would have by itself.
    let size = full.sweep("size").unwrap();
    let rows: Vec<&str> = size.plan.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(rows, ["sequential", "std-counter", "sequential.control"]);

    let grain = fs::read(dir.join("grain/samples.jsonl")).unwrap();
    fs::remove_dir_all(dir.join("size")).unwrap();
    let resumed = tree.compare(&["--bin-dir", "programs", "--resume", dir.to_str().unwrap()]).output().unwrap();
    assert_status(&resumed, 0);
    let again = Full::read(&dir).unwrap();
    assert_eq!(again.sweep("size").unwrap().plan.cells, size.plan.cells);
    assert_eq!(fs::read(dir.join("grain/samples.jsonl")).unwrap(), grain, "nothing is measured twice");
}

#[test]
fn a_job_of_which_a_sweep_cannot_be_made_is_refused_before_anything_starts() {
    let tree = Tree::new(&["sequential"]);
    let refused = tree.measure(&["--full", "--keys", "10", "--count", "7"]);
    assert_status(&refused, 2);
    let message =
        "error: --full: sweep size needs --keys × --count to be 10000 or more, and a multiple of 1000, not 70\n";
    assert_eq!(stderr(&refused), message);
    assert!(!tree.path("results").exists() && !tree.path("state/calls").exists());
}

/// Whoever measures may be killed, and nothing that keeps a CPU busy is to be left then.
#[test]
fn the_neighbour_ends_with_its_input() {
    let tree = Tree::new(&["sequential"]);
    let mut command = tree.compare(&["neighbour"]);
    let mut neighbour = Killed(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(neighbour.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "busy\n");
    assert!(neighbour.0.try_wait().unwrap().is_none(), "it is busy until it is told to end");
    drop(neighbour.0.stdin.take());
    let status = until("end", || neighbour.0.try_wait().unwrap());
    assert!(status.success(), "{status}");
}
