//! A run that was stopped goes on, wherever it was: nothing is lost but the sample in flight, and nothing is measured twice.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bench::run::Run;
use bench::run::plan::Ended;
use bench::run::sample::Line;

use crate::tree::{DEADLINE, Killed, Tree, assert_status, in_a_shell, stderr, until};

const STRATEGIES: [&str; 2] = ["sequential", "twice"];

/// How often each kind of line is in the samples, by cell and round.
fn places(dir: &Path) -> BTreeMap<(&'static str, String, u32), usize> {
    let mut places = BTreeMap::new();
    for line in fs::read_to_string(dir.join("samples.jsonl")).unwrap().lines() {
        let place = match serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")) {
            Line::Verified { cell, .. } => ("verified", cell, 0),
            Line::Survival { row, .. } => ("survival", row, 0),
            Line::Footprint { cell, .. } => ("footprint", cell, 0),
            Line::Cold { cell, round, .. } => ("cold", cell, round),
            Line::Warm { cell, round, .. } => ("warm", cell, round),
            Line::Failed { cell, .. } => ("failed", cell, 0),
            Line::Round { number, .. } => ("round", String::new(), number),
        };
        *places.entry(place).or_default() += 1;
    }
    places
}

/// What a complete run of [`STRATEGIES`] has.
fn complete(rounds: u32) -> BTreeMap<(&'static str, String, u32), usize> {
    let mut places = BTreeMap::new();
    let mut once = |kind, cell: &str, round| _ = places.insert((kind, cell.to_owned(), round), 1);
    for name in STRATEGIES {
        for kind in ["verified", "survival", "footprint"] {
            once(kind, name, 0);
        }
    }
    for name in ["sequential", "twice", "sequential.control"] {
        (0..=rounds).for_each(|round| once("cold", name, round));
        (1..=rounds).for_each(|round| once("warm", name, round));
    }
    (1..=rounds).for_each(|round| once("round", "", round));
    places
}

pub(crate) fn resume(tree: &Tree, dir: &Path) -> Output {
    tree.compare(&["--bin-dir", "programs", "--resume", dir.to_str().unwrap()]).output().unwrap()
}

#[track_caller]
fn assert_complete(tree: &Tree, dir: &Path, rounds: u32) {
    assert_eq!(places(dir), complete(rounds));
    let run = Run::read(dir).unwrap();
    assert_eq!((run.plan.ended, run.dropped), (Some(Ended::Complete), 0));
    let page = fs::read_to_string(dir.join("README.md")).unwrap();
    assert!(page.contains("| twice "), "{page}");
    assert!(!page.contains("this run has not ended") && !page.contains("interrupted"), "{page}");
    let index = fs::read_to_string(tree.path("results/local/README.md")).unwrap();
    assert!(index.contains("| twice, 250 ms"), "{index}");
}

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// When so many processes of strategies have begun.
    Calls(usize),
    /// When so many samples are kept.
    Samples(usize),
}

impl Moment {
    fn is_over(self, tree: &Tree) -> bool {
        let lines = |path: &Path| fs::read(path).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count());
        match self {
            Moment::Calls(calls) => lines(&tree.path("state/calls")) >= calls,
            Moment::Samples(samples) => runs(tree).iter().any(|dir| lines(&dir.join("samples.jsonl")) >= samples),
        }
    }
}

fn runs(tree: &Tree) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(tree.path("results/local")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

/// Kills a run, and lets it go on.
fn killed_at(moment: Moment) {
    const ROUNDS: u32 = 3;
    let tree = Tree::new(&STRATEGIES);
    let mut command = tree.compare(&["--bin-dir", "programs", "--workers", "2", "--rounds", "3"]);
    let mut compare = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let started = Instant::now();
    while !moment.is_over(&tree) && compare.0.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < DEADLINE, "{moment:?} does not come");
        thread::sleep(Duration::from_micros(200));
    }
    // SIGKILL, which nobody can be ready for.
    compare.0.kill().unwrap();
    compare.0.wait().unwrap();
    let Some(dir) = runs(&tree).pop() else {
        assert!(matches!(moment, Moment::Calls(_)), "a run with samples has a folder");
        return;
    };
    if !dir.join("run.json").exists() {
        assert_eq!(places(&dir), BTreeMap::new(), "nothing was measured yet");
        return;
    }
    let before = places(&dir);
    let output = resume(&tree, &dir);
    assert_status(&output, 0);
    assert_complete(&tree, &dir, ROUNDS);
    let lost = places(&dir).len() - before.len();
    let page = fs::read(dir.join("README.md")).unwrap();
    assert_status(&tree.compare(&["report", dir.to_str().unwrap()]).output().unwrap(), 0);
    assert_eq!(fs::read(dir.join("README.md")).unwrap(), page, "{moment:?}, with {lost} samples still to come");
}

#[test]
fn a_run_that_is_killed_before_it_measures_goes_on_or_has_left_nothing() {
    [Moment::Calls(1), Moment::Calls(2), Moment::Samples(1)].into_iter().for_each(killed_at);
}

#[test]
fn a_run_that_is_killed_before_its_first_round_goes_on() {
    [Moment::Samples(3), Moment::Samples(5), Moment::Samples(7)].into_iter().for_each(killed_at);
}

#[test]
fn a_run_that_is_killed_in_its_rounds_goes_on() {
    // The first round begins after 9 samples, and each has 7.
    [Moment::Samples(10), Moment::Samples(14), Moment::Samples(18)].into_iter().for_each(killed_at);
}

#[test]
fn a_run_that_is_killed_late_goes_on() {
    let last = complete(3).len();
    [Moment::Samples(22), Moment::Samples(last - 4), Moment::Samples(last - 1)].into_iter().for_each(killed_at);
}

#[test]
fn a_run_that_is_killed_twice_goes_on() {
    let tree = Tree::new(&["sequential", "stuck"]);
    let flags = ["--bin-dir", "programs", "--workers", "2", "--rounds", "3"];
    let mut dir: Option<std::path::PathBuf> = None;
    for _ in 0..2 {
        let mut command = match &dir {
            None => tree.compare(&flags),
            Some(dir) => tree.compare(&["--bin-dir", "programs", "--resume", dir.to_str().unwrap()]),
        };
        let mut compare = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let stuck = until("hanging strategy", || fs::read_to_string(tree.path("state/pid")).ok());
        compare.0.kill().unwrap();
        compare.0.wait().unwrap();
        // Nobody else ends it: the one that had started it is gone.
        assert!(Command::new("kill").args(["-9", stuck.trim()]).status().unwrap().success());
        fs::remove_file(tree.path("state/pid")).unwrap();
        // It is to hang once more.
        fs::write(tree.path("state/cold"), "\n\n").unwrap();
        dir = Some(tree.run_dir());
    }
    fs::write(tree.path("state/cold"), "\n\n\n").unwrap();
    let output = resume(&tree, &tree.run_dir());
    assert_status(&output, 0);
    let run = tree.run();
    assert_eq!(run.rounds.len(), 3);
    assert!(places(&tree.run_dir()).values().all(|times| *times == 1), "{:?}", places(&tree.run_dir()));
}

#[test]
fn an_interrupted_run_goes_on_and_measures_nothing_again() {
    let tree = Tree::new(&["sequential", "stuck"]);
    let mut command = tree.compare(&["--bin-dir", "programs", "--workers", "2", "--rounds", "3"]);
    let mut compare = Killed(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    until("hanging strategy", || fs::read_to_string(tree.path("state/pid")).ok());
    assert!(Command::new("kill").args(["-s", "INT", &compare.0.id().to_string()]).status().unwrap().success());
    assert_eq!(until("end", || compare.0.try_wait().unwrap()).code(), Some(130));
    let mut said = String::new();
    std::io::Read::read_to_string(&mut compare.0.stderr.take().unwrap(), &mut said).unwrap();
    let dir = tree.run_dir();
    assert!(said.contains(&format!("this run was stopped: --resume {} goes on with it", dir.display())), "{said}");

    let output = resume(&tree, &dir);
    assert_status(&output, 0);
    assert_eq!(tree.run().plan.ended, Some(Ended::Complete));
    assert!(places(&dir).values().all(|times| *times == 1));
    let timed = |name: &str| {
        let call = format!(
            "{name} --workload fill --keys 100 --count 1000000 --skew uniform --rng xoshiro --seed 42 --workers 2"
        );
        tree.calls().iter().filter(|other| **other == call).count()
    };
    // Three rounds and the discarded one; the control is `sequential` too. One was interrupted.
    assert_eq!((timed("sequential"), timed("stuck")), (8, 5));

    let again = resume(&tree, &dir);
    assert_status(&again, 0);
    assert!(stderr(&again).contains("the run is complete; there is nothing to resume"), "{}", stderr(&again));
    assert!(String::from_utf8_lossy(&again.stdout).contains("| stuck "), "{again:?}");
    assert_eq!((timed("sequential"), timed("stuck")), (8, 5));
}

/// A run of one round whose last samples were never written.
pub(crate) fn unfinished(tree: &Tree) -> std::path::PathBuf {
    assert_status(&tree.measure(&["--rounds", "1"]), 0);
    let dir = tree.run_dir();
    let plan = fs::read_to_string(dir.join("run.json")).unwrap();
    fs::write(dir.join("run.json"), plan.replace("\"ended\": \"complete\"", "\"ended\": null")).unwrap();
    let samples = fs::read_to_string(dir.join("samples.jsonl")).unwrap();
    let lines: Vec<&str> = samples.split_inclusive('\n').collect();
    fs::write(dir.join("samples.jsonl"), lines[..lines.len() - 3].concat()).unwrap();
    dir
}

#[test]
fn half_a_line_at_the_end_does_not_count() {
    let tree = Tree::new(&STRATEGIES);
    let dir = unfinished(&tree);
    let samples = fs::read_to_string(dir.join("samples.jsonl")).unwrap();
    fs::write(dir.join("samples.jsonl"), format!("{samples}{{\"kind\":\"warm\",\"cell\":\"sequ")).unwrap();
    fs::remove_file(dir.join("README.md")).unwrap();
    assert_status(&tree.compare(&["report", dir.to_str().unwrap()]).output().unwrap(), 0);
    let page = tree.page();
    assert!(page.contains("> **Warning:** 1 of the lines of samples.jsonl could not be read."), "{page}");
    assert_status(&resume(&tree, &dir), 0);
    assert_complete(&tree, &dir, 1);
}

/// A damaged line counts as never written, and what it had is measured again.
#[test]
fn a_round_whose_line_is_damaged_is_completed_again() {
    let tree = Tree::new(&STRATEGIES);
    assert_status(&tree.measure(&["--rounds", "3"]), 0);
    let dir = tree.run_dir();
    let plan = fs::read_to_string(dir.join("run.json")).unwrap();
    fs::write(dir.join("run.json"), plan.replace("\"ended\": \"complete\"", "\"ended\": null")).unwrap();
    let samples = fs::read_to_string(dir.join("samples.jsonl")).unwrap();
    fs::write(dir.join("samples.jsonl"), samples.replace("\"kind\":\"round\",\"number\":2", "\"kind\":\"rou")).unwrap();
    let mut command = tree.compare(&["--bin-dir", "programs", "--resume", dir.to_str().unwrap()]);
    let mut compare = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    assert_eq!(until("end", || compare.0.try_wait().unwrap()).code(), Some(0));
    let run = tree.run();
    assert_eq!(run.rounds.into_keys().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(run.dropped, 1);
}

#[test]
fn a_run_goes_on_at_its_own_commit_alone() {
    let tree = Tree::new(&STRATEGIES);
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]).args(arguments);
        assert_status(&git.current_dir(tree.dir.path()).output().unwrap(), 0);
    };
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "One"]);
    let dir = unfinished(&tree);
    let samples = fs::read(dir.join("samples.jsonl")).unwrap();
    git(&["commit", "--quiet", "--allow-empty", "--message", "Two"]);
    let output = resume(&tree, &dir);
    assert_status(&output, 2);
    let said = stderr(&output);
    assert!(said.starts_with(&format!("error: --resume {}: the commit of that run is ", dir.display())), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(fs::read(dir.join("samples.jsonl")).unwrap(), samples);
    git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    assert_status(&resume(&tree, &dir), 0);
    assert_complete(&tree, &dir, 1);
}

#[test]
fn a_run_goes_on_with_all_of_its_programs_alone() {
    let tree = Tree::new(&["sequential", "twice", "machine-limit"]);
    let dir = unfinished(&tree);
    let samples = fs::read(dir.join("samples.jsonl")).unwrap();
    for missing in ["twice", "machine-limit"] {
        fs::rename(tree.path("programs").join(missing), tree.path("elsewhere")).unwrap();
        let output = resume(&tree, &dir);
        assert_status(&output, 2);
        let said = stderr(&output);
        assert!(said.starts_with("error: --") && said.contains(missing) && said.lines().count() == 1, "{said}");
        assert_eq!(fs::read(dir.join("samples.jsonl")).unwrap(), samples);
        fs::rename(tree.path("elsewhere"), tree.path("programs").join(missing)).unwrap();
    }
    assert_status(&resume(&tree, &dir), 0);
}

#[test]
fn a_run_with_the_notebook_goes_on() {
    let tree = Tree::with_notebook(&["sequential", "twice"], &["python-sequential", "numpy-sequential"]);
    assert_status(&tree.measure(&["--python", "--only", "twice,python-sequential", "--rounds", "1"]), 0);
    let dir = tree.run_dir();
    let rows = tree.run().plan.rows;
    let plan = fs::read_to_string(dir.join("run.json")).unwrap();
    fs::write(dir.join("run.json"), plan.replace("\"ended\": \"complete\"", "\"ended\": null")).unwrap();
    let samples = fs::read_to_string(dir.join("samples.jsonl")).unwrap();
    let lines: Vec<&str> = samples.split_inclusive('\n').collect();
    fs::write(dir.join("samples.jsonl"), lines[..3].concat()).unwrap();
    let output = resume(&tree, &dir);
    assert_status(&output, 0);
    let run = tree.run();
    assert_eq!((run.plan.rows, run.plan.ended), (rows, Some(Ended::Complete)));
    assert!(run.measured.iter().all(|measured| measured.cold.len() == 1 && measured.warm.len() == 1));
    assert!(places(&dir).values().all(|times| *times == 1));
}

/// What was fast enough for every round is timed in every round, however long it takes on another day.
#[test]
fn how_often_a_row_is_timed_is_decided_once() {
    let tree = Tree::with_notebook(&["sequential"], &["python-slow"]);
    assert_status(&tree.measure(&["--python", "--rounds", "11"]), 0);
    let dir = tree.run_dir();
    let mut plan = tree.run().plan;
    plan.ended = None;
    let slow = plan.cells.iter_mut().find(|cell| cell.name == "python-slow").unwrap();
    (slow.rounds, slow.warm_rounds, slow.batches) = (None, None, 3);
    fs::write(dir.join("run.json"), serde_json::to_string_pretty(&plan).unwrap()).unwrap();
    let samples = fs::read_to_string(dir.join("samples.jsonl")).unwrap();
    let last = samples.split_inclusive('\n').filter(|line| !line.contains("\"number\":11"));
    fs::write(dir.join("samples.jsonl"), last.collect::<String>()).unwrap();
    assert_status(&resume(&tree, &dir), 0);
    let run = tree.run();
    assert_eq!(run.plan.cells, plan.cells);
    assert!(run.measured.iter().all(|measured| measured.cold.len() == 11));
}

/// Files may not be longer than some kilobytes, as if the disk were full.
#[test]
fn a_run_on_a_full_disk_shows_what_it_has_and_goes_on_once_there_is_room() {
    const ROUNDS: u32 = 8;
    let tree = Tree::new(&STRATEGIES);
    // The fakes' own file has no end.
    symlink("/dev/null", tree.path("state/calls")).unwrap();
    let compare = tree.compare(&["--bin-dir", "programs", "--workers", "2", "--rounds", "8"]);
    let output = in_a_shell(&compare, tree.dir.path(), "trap '' XFSZ; ulimit -f 8; \"$@\"");
    assert_status(&output, 1);
    let said = stderr(&output);
    assert!(String::from_utf8_lossy(&output.stdout).contains("| twice "), "{output:?}");
    assert_eq!(said.matches("samples.jsonl: File too large").count(), 1, "{said}");
    assert!(said.contains(&format!("all columns: {}", tree.run_dir().join("README.md").display())), "{said}");
    let run = tree.run();
    let rounds = run.rounds.len();
    assert!((1..ROUNDS as usize).contains(&rounds), "{rounds}");
    assert_eq!((run.plan.ended, run.dropped), (None, 0), "there is no half of a line");
    assert!(run.measured.iter().all(|measured| measured.failure.is_none()), "a full disk is nobody's failure");
    let page = tree.page();
    assert!(page.contains(&format!("this run has not ended, with {rounds} of 8 rounds complete.")), "{page}");
    assert_status(&resume(&tree, &tree.run_dir()), 0);
    assert_complete(&tree, &tree.run_dir(), ROUNDS);
}
