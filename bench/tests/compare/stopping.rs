//! When a run has rounds enough, which rows take part in them, and what is done before each process.

use std::process::{Command, Stdio};
use std::{fs, io};

use bench::run::plan::Kind;
use bench::run::sample::{Line, Stage};

use crate::tree::{Killed, Tree, assert_status, row, stderr, until};

#[test]
fn a_run_ends_after_ten_rounds_if_all_is_known_by_then() {
    let tree = Tree::new(&["sequential", "twice"]);
    assert_status(&tree.measure(&["--within", "1%"]), 0);
    let run = tree.run();
    assert_eq!((run.plan.stop.rounds, run.plan.stop.within), (None, 0.01));
    assert_eq!(run.rounds.len(), 10, "times that are always the same have intervals without width");
    let page = tree.page();
    assert!(page.contains("All ratios to `sequential` and to the fastest row are known within 1.0 %."), "{page}");
    assert!(page.contains("- Rounds: 10, until within 1.0 % or for 900 s"), "{page}");
}

#[test]
fn a_budget_that_is_spent_ends_a_run_after_ten_rounds_and_names_what_is_not_known() {
    let tree = Tree::new(&["sequential", "twice", "noisy"]);
    assert_status(&tree.measure(&["--budget", "10ms"]), 0);
    assert_eq!(tree.run().rounds.len(), 10);
    let page = tree.page();
    let line = page.lines().find(|line| line.starts_with("Not known within ")).unwrap_or_else(|| panic!("{page}"));
    let named =
        line.strip_prefix("Not known within 3.0 %, which was asked for: noisy (± ").unwrap_or_else(|| panic!("{line}"));
    assert!(named.ends_with(" %).") && !named.contains(','), "{line}");
}

#[test]
fn a_run_goes_on_while_there_is_budget_and_something_is_not_known() {
    let tree = Tree::new(&["sequential", "noisy"]);
    // Of times from 1 s to 5 s, ten do not tell the median to within 60 %; some more do.
    assert_status(&tree.measure(&["--within", "60%"]), 0);
    let rounds = tree.run().rounds.len();
    assert!(rounds > 10, "{rounds}");
    assert!(tree.page().contains("are known within 60.0 %."), "{}", tree.page());
}

#[test]
fn a_number_of_rounds_is_exact_whatever_is_known() {
    let tree = Tree::new(&["sequential", "noisy"]);
    assert_status(&tree.measure(&["--rounds", "7"]), 0);
    let run = tree.run();
    assert_eq!(run.rounds.keys().copied().collect::<Vec<_>>(), (1..=7).collect::<Vec<u32>>());
    assert!(run.measured.iter().all(|measured| (measured.cold.len(), measured.warm.len()) == (7, 7)));
}

/// A failed timing is no time: it must not come back from the files as one.
#[test]
fn a_timed_run_that_fails_takes_its_row_out_for_good() {
    let tree = Tree::new(&["sequential", "twice", "faulty", "garbled"]);
    let output = tree.measure(&["--rounds", "3"]);
    assert_status(&output, 1);
    for name in ["faulty", "garbled"] {
        assert_eq!(stderr(&output).matches(&format!("failed: {name}: ")).count(), 1, "{}", stderr(&output));
    }
    let dir = tree.run_dir();
    let samples = fs::read_to_string(dir.join("samples.jsonl")).unwrap();
    let lines = || samples.lines().map(|line| serde_json::from_str::<Line>(line).unwrap());
    for name in ["faulty", "garbled"] {
        let timed = lines().filter_map(|line| match line {
            Line::Cold { cell, round, .. } if cell == name => Some(round),
            _ => None,
        });
        assert_eq!(timed.collect::<Vec<_>>(), [0, 1], "the third was the one of round 2");
        let warm = lines().filter(|line| matches!(line, Line::Warm { cell, .. } if cell == name)).count();
        assert_eq!(warm, 1, "{name}");
    }
    let check = || {
        let (run, page) = (tree.run(), tree.page());
        for (name, told) in [("faulty", "its timed run failed"), ("garbled", "not an export of hyperfine 1 or 2")] {
            let failure = run.measured(name).unwrap().failure.clone().unwrap();
            assert_eq!((failure.stage, failure.round), (Stage::Cold, Some(2)));
            assert!(failure.message.contains(told), "{failure:?}");
            let (ranked, failed) = page.split_once("## Failed").unwrap();
            assert!(!ranked.contains(&format!("| {name} ")), "{page}");
            assert!(failed.contains(&format!("| {name} ")), "{page}");
        }
        for name in ["sequential", "twice", "sequential.control"] {
            assert_eq!(run.measured(name).unwrap().cold.len(), 3, "{name}");
        }
        page
    };
    let page = check();
    assert_status(&tree.compare(&["report", dir.to_str().unwrap()]).output().unwrap(), 0);
    assert_eq!(check(), page);
    let resumed = tree.compare(&["--bin-dir", "programs", "--resume", dir.to_str().unwrap()]).output().unwrap();
    assert_status(&resumed, 1);
    assert_eq!(check(), page, "and nobody tries it again");
}

#[test]
fn memory_is_touched_unless_that_is_left_out() {
    for (flags, condition, told) in
        [(&["--rounds", "1"][..], true, "yes"), (&["--rounds", "1", "--no-condition"], false, "no")]
    {
        let tree = Tree::new(&["sequential", "twice"]);
        assert_status(&tree.measure(flags), 0);
        assert_eq!(tree.run().plan.condition, condition);
        let page = tree.page();
        assert!(page.contains(&format!("- Memory touched before each timed process: {told}\n")), "{page}");
        let index = fs::read_to_string(tree.path("results/local/README.md")).unwrap();
        assert_eq!(index.contains(", not conditioned"), !condition, "{index}");
    }
}

/// Memory is touched by a process of compare's own program, so that one whose file is gone cannot touch any.
#[test]
fn only_a_run_that_touches_memory_needs_its_program_for_it() {
    for (flags, touches) in [(&["--rounds", "1"][..], true), (&["--rounds", "1", "--no-condition"], false)] {
        let tree = Tree::new(&["sequential", "waiter"]);
        // Copied by another process: a file that this one has open for writing cannot be run.
        let own = tree.path("own-compare");
        assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_compare")).arg(&own).status().unwrap().success());
        let like = tree.compare(&[&["--bin-dir", "programs", "--workers", "2"], flags].concat());
        let mut command = Command::new(&own);
        command.args(like.get_args()).current_dir(tree.dir.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("FANOUT_WORKERS");
        let mut compare = Killed(command.stderr(Stdio::piped()).spawn().unwrap());
        let waiter = until("program that is verified", || fs::read_to_string(tree.path("state/pid")).ok());
        fs::remove_file(&own).unwrap();
        assert!(Command::new("kill").arg(waiter.trim()).status().unwrap().success());
        let status = until("end", || compare.0.try_wait().unwrap());
        let said = io::read_to_string(compare.0.stderr.take().unwrap()).unwrap();
        assert_eq!(status.code(), Some(1), "the program that was ended is a failed row: {said}");
        let told = "error: memory could not be touched; --no-condition leaves that out: ";
        assert_eq!(said.contains(told), touches, "{said}");
        assert_eq!(tree.path("results/local").exists(), !touches, "{said}");
    }
}

#[test]
fn what_becomes_of_the_other_keys_is_tried_with_each_strategy() {
    let tree = Tree::new(&["sequential", "twice", "keeper", "loser", "deaf"]);
    let output = tree.measure(&["--rounds", "1"]);
    assert_status(&output, 0);
    let (shown, page) = (String::from_utf8_lossy(&output.stdout).into_owned(), tree.page());
    let used = page.split("## What each row used").nth(1).unwrap();
    for (name, survives) in
        [("twice", "panic"), ("keeper", "panic, crash, hang"), ("loser", "nothing"), ("deaf", "n/a")]
    {
        assert_eq!(row(&shown, name)[7], survives, "{shown}");
        let line = used.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap();
        assert_eq!(line.split('|').nth(9).unwrap().trim(), survives, "{line}");
    }
    let job = "--workload fill --keys 4 --count 1000 --workers 2 --format json --fault";
    let tried = |call: &str| tree.calls().iter().filter(|other| **other == format!("keeper {job} {call}")).count();
    assert_eq!([tried("1:panic"), tried("1:abort"), tried("1:hang --deadline 0.5")], [1, 1, 1]);
}

#[test]
fn strategies_are_held_against_the_machines_limit() {
    let tree = Tree::new(&["sequential", "twice", "machine-limit"]);
    let output = tree.measure(&["--rounds", "1"]);
    assert_status(&output, 0);
    let kinds = tree.run().plan.rows.into_iter().filter(|row| row.kind == Kind::Limit);
    assert_eq!(kinds.map(|row| row.name).collect::<Vec<_>>(), ["machine-limit", "machine-limit.one"]);
    let page = tree.page();
    assert!(page.contains("The limit of this machine: 200 ms; on one thread: 300 ms."), "{page}");
    assert_eq!((row(&page, "twice")[5], row(&page, "sequential")[5]), ("80 %", "60 %"));
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!((row(&shown, "twice")[4], row(&shown, "sequential")[4]), ("80 %", "60 %"));
    assert!(!shown.contains("| machine-limit"), "it is no strategy: {shown}");
    let calls = tree.calls();
    let of_one = |call: &&String| call.starts_with("machine-limit ") && call.contains("--workers 1");
    assert!(calls.iter().filter(of_one).count() > 3, "{calls:?}");
    assert!(
        !calls.iter().any(|call| call.starts_with("machine-limit ") && call.contains("--digest")),
        "it computes nothing"
    );
}

#[test]
fn without_the_limits_program_or_its_workload_there_is_no_limit() {
    for (names, flags) in [
        (&["sequential", "twice"][..], &["--rounds", "1"][..]),
        (&["sequential", "twice", "machine-limit"], &["--rounds", "1", "--workload", "sum"]),
    ] {
        let tree = Tree::new(names);
        assert_status(&tree.measure(flags), 0);
        assert!(tree.run().plan.rows.iter().all(|row| row.kind != Kind::Limit), "{flags:?}");
        let page = tree.page();
        assert_eq!((row(&page, "twice")[5], row(&page, "sequential")[5]), ("n/a", "n/a"));
        assert!(!page.contains("The limit of this machine"), "{page}");
    }
}
