//! What a run measures, keeps, shows and refuses.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench::run::Run;
use bench::run::plan::Ended;
use bench::run::sample::Stage;

use crate::tree::{Killed, Tree, assert_status, in_a_shell, row, stderr, until};

#[test]
fn a_run_leaves_tables_and_samples() {
    let tree = Tree::new(&["sequential", "twice"]);
    let output = tree.measure(&["--rounds", "6", "--shuffle-seed", "1"]);
    assert_status(&output, 0);

    let page = tree.page();
    assert_eq!(row(&page, "twice")[..5], ["1", "twice", "250 ms ± 0", "2.00× [2.00, 2.00]", "1×"]);
    assert_eq!(row(&page, "sequential")[..5], ["2", "sequential", "500 ms ± 0", "1×", "2.00× [2.00, 2.00]"]);
    assert!(page.contains("`scripts/compare.sh --bin-dir programs --workers 2 --rounds 6 --shuffle-seed 1`"), "{page}");

    let run = tree.run();
    assert_eq!(run.plan.ended, Some(Ended::Complete));
    assert_eq!(run.rounds.len(), 6);
    for name in ["sequential", "twice", "sequential.control"] {
        let measured = run.measured(name).unwrap();
        assert_eq!((measured.cold.len(), measured.warm.len()), (6, 6), "{name}");
    }
    let footprint = run.measured("twice").unwrap().footprint.unwrap();
    assert_eq!(footprint.keys_in_flight, Some(2.0));
}

#[test]
fn what_is_timed_is_one_batch_with_every_flag_and_no_digest() {
    let tree = Tree::new(&["sequential", "twice"]);
    assert_status(&tree.measure(&["--rounds", "2", "--quick", "--seed", "7"]), 0);
    let timed = "--workload fill --keys 100 --count 100000 --skew uniform --rng xoshiro --seed 7 --workers 2";
    let calls = tree.calls();
    let count = |call: String| calls.iter().filter(|other| **other == call).count();
    assert_eq!(count(format!("twice {timed}")), 3, "with the discarded one");
    assert_eq!(count(format!("sequential {timed}")), 6, "with the control");
    assert_eq!(count(format!("twice {timed} --repeat 3 --format json --expect 0123456789abcdef")), 2);
    assert_eq!(count(format!("twice {timed} --format json --digest")), 2, "verified, and watched");
    let first = calls.iter().position(|call| *call == format!("sequential {timed}")).unwrap();
    let verified = calls.iter().position(|call| call.starts_with("twice") && call.ends_with("--digest")).unwrap();
    assert!(verified < first, "nothing is timed before all digests agree");
}

#[test]
fn the_limit_takes_part_whatever_the_generator_is() {
    let tree = Tree::new(&["sequential", "machine-limit"]);
    assert_status(&tree.measure(&["--rounds", "1", "--rng", "mt19937"]), 0);
    let run = tree.run();
    for name in ["machine-limit", "machine-limit.one"] {
        assert_eq!(run.measured(name).unwrap().cold.len(), 1, "{name}");
    }
}

#[test]
fn a_failing_strategy_is_a_row_and_the_others_go_on() {
    let tree = Tree::new(&["sequential", "twice", "liar", "crasher", "unoptimised", "tired"]);
    let output = tree.measure(&["--rounds", "2"]);
    assert_status(&output, 1);
    let run = tree.run();
    let failure = |name: &str| run.measured(name).unwrap().failure.clone().unwrap_or_else(|| panic!("{name}"));

    let liar = failure("liar");
    assert_eq!(liar.message, "its digest is ffffffffffffffff, and that of sequential is 0123456789abcdef");
    let crasher = failure("crasher");
    assert_eq!((crasher.stage, crasher.message.as_str()), (Stage::Verify, "it failed"));
    assert_eq!(crasher.exit.as_deref(), Some("exit status: 3"));
    assert_eq!(crasher.stderr.as_deref(), Some("out of luck"));
    assert_eq!(failure("unoptimised").message, "it is a debug build, and only release builds are measured");
    let tired = failure("tired");
    assert_eq!((tired.stage, tired.round, tired.stderr.as_deref()), (Stage::Warm, Some(1), Some("too tired")));

    let page = tree.page();
    assert_eq!(row(&page, "twice")[2], "250 ms ± 0");
    let failed = page.split("## Failed").nth(1).unwrap();
    for name in ["liar", "crasher", "unoptimised", "tired"] {
        assert!(failed.contains(&format!("| {name}")), "{page}");
    }
    let calls = tree.calls();
    assert!(!calls.iter().any(|call| call.starts_with("liar") && call.contains("--repeat")), "a liar is not timed");
}

#[test]
fn a_reference_that_fails_leaves_nothing() {
    let tree = Tree::new(&["sequential"]);
    fs::remove_file(tree.path("programs/sequential")).unwrap();
    symlink("/bin/false", tree.path("programs/sequential")).unwrap();
    let output = tree.measure(&[]);
    assert_status(&output, 1);
    assert!(stderr(&output).contains("sequential is the reference"), "{}", stderr(&output));
    assert!(!tree.path("results").exists());
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_one() {
    let tree = Tree::new(&["sequential", "twice"]);
    let output = tree.measure(&["--only", "twise"]);
    assert_status(&output, 2);
    assert_eq!(stderr(&output), "error: --only: there is no strategy `twise`; did you mean `twice`?\n");
}

#[test]
fn only_measures_what_was_asked_for_and_sequential() {
    let tree = Tree::new(&["sequential", "twice", "liar"]);
    assert_status(&tree.measure(&["--only", "twice", "--rounds", "1"]), 0);
    let names: Vec<String> = tree.run().plan.rows.into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["sequential", "twice", "sequential.control"]);
}

#[test]
fn the_same_files_make_the_same_tables() {
    let tree = Tree::new(&["sequential", "twice", "liar"]);
    assert_status(&tree.measure(&["--rounds", "3"]), 1);
    let files = [tree.run_dir().join("README.md"), tree.path("results/local/README.md")];
    let before = files.clone().map(|file| fs::read(file).unwrap());
    for file in &files {
        fs::remove_file(file).unwrap();
    }
    let output = tree.compare(&["report", tree.run_dir().to_str().unwrap()]).output().unwrap();
    assert_status(&output, 0);
    assert_eq!(files.map(|file| fs::read(file).unwrap()), before);
}

#[test]
fn the_index_has_every_run() {
    let tree = Tree::new(&["sequential", "twice"]);
    for _ in 0..2 {
        assert_status(&tree.measure(&["--rounds", "1"]), 0);
    }
    let runs = fs::read_dir(tree.path("results/local")).unwrap().map(|entry| entry.unwrap());
    let runs: Vec<_> = runs.filter(|entry| entry.path().is_dir()).collect();
    assert_eq!(runs.len(), 2);
    let index = || fs::read_to_string(tree.path("results/local/README.md")).unwrap();
    for run in &runs {
        let name = run.file_name().into_string().unwrap();
        assert!(index().contains(&format!("| [{name}]({name}/README.md) ")), "{}", index());
    }
    assert!(index().contains("| twice, 250"), "{}", index());

    fs::remove_dir_all(runs[0].path()).unwrap();
    assert_status(&tree.compare(&["report", runs[1].path().to_str().unwrap()]).output().unwrap(), 0);
    let gone = format!("| [{}](", runs[0].file_name().to_str().unwrap());
    assert!(!index().contains(&gone), "{}", index());
}

#[test]
fn results_hold_no_path_of_this_machine() {
    let tree = Tree::new(&["sequential", "liar"]);
    let programs = tree.path("programs");
    let out = tree.path("elsewhere");
    let arguments = ["--bin-dir", programs.to_str().unwrap(), "--out", out.to_str().unwrap(), "--rounds", "1"];
    assert_status(&tree.compare(&arguments).output().unwrap(), 1);
    let mut rest = vec![out];
    let mut files = 0;
    while let Some(path) = rest.pop() {
        if path.is_dir() {
            rest.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let canonical = tree.dir.path().canonicalize().unwrap();
        for dir in [tree.dir.path(), &canonical, Path::new(env!("CARGO_MANIFEST_DIR"))] {
            assert!(!text.contains(dir.to_str().unwrap()), "{}: {text}", path.display());
        }
        files += 1;
    }
    assert_eq!(files, 6, "the index, and of the run: both pages, plan, machine, samples");
}

fn interrupted_by(signal: &str) {
    let tree = Tree::new(&["sequential", "stuck", "twice"]);
    let mut command = tree.compare(&["--bin-dir", "programs", "--workers", "2", "--rounds", "3"]);
    let mut compare = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    // It hangs in its second cold run: the first round is complete, and the second has begun.
    let stuck = until("hanging strategy", || fs::read_to_string(tree.path("state/pid")).ok());
    let pid = compare.0.id().to_string();
    assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    let status = until("end", || compare.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));

    let gone = || !Command::new("kill").args(["-0", stuck.trim()]).stderr(Stdio::null()).status().unwrap().success();
    until("end of the hanging strategy", || gone().then_some(()));

    let run = tree.run();
    assert_eq!(run.plan.ended, Some(Ended::Interrupted));
    assert_eq!(run.rounds.into_keys().collect::<Vec<_>>(), [1]);
    assert!(run.measured.iter().all(|measured| measured.cold.contains_key(&1) && measured.warm.contains_key(&1)));
    assert!(run.measured.iter().all(|measured| measured.failure.is_none()), "an interrupt is nobody's failure");
    let page = tree.page();
    assert!(page.contains("> **Warning:** this run was interrupted, with 1 of 3 rounds complete."), "{page}");
    assert!(row(&page, "twice")[2].starts_with("250 ms"), "{page}");
    let index = fs::read_to_string(tree.path("results/local/README.md")).unwrap();
    assert!(index.contains("1 of 3"), "{index}");
}

#[test]
fn ctrl_c_keeps_what_was_measured() {
    interrupted_by("INT");
}

#[test]
fn sigterm_keeps_what_was_measured() {
    interrupted_by("TERM");
}

#[test]
fn programs_of_the_notebook_are_rows_beside_their_strategies() {
    let tree = Tree::with_notebook(
        &["sequential", "process-pool", "twice"],
        &["python-sequential", "python-loky", "numpy-sequential"],
    );
    let output = tree.measure(&["--python", "--rounds", "2", "--quick"]);
    assert_status(&output, 0);
    let run = tree.run();
    let names: Vec<&str> = run.plan.rows.iter().map(|row| row.name.as_str()).collect();
    let strategies = ["process-pool", "sequential", "twice", "sequential.mt19937", "process-pool.mt19937"];
    let programs = ["numpy-sequential.default_rng", "numpy-sequential", "python-sequential", "python-loky"];
    assert_eq!(names, [&strategies[..], &programs[..], &["sequential.control"]].concat());
    assert!(run.measured.iter().all(|row| row.cold.len() == 2 && row.warm.len() == 2));
    assert_eq!(run.plan.row("python-loky").unwrap().lines, Some(1));
    let python = run.machine.python.as_ref().unwrap();
    assert_eq!(
        (python.line().as_str(), python.requirements_xxh3.len()),
        ("CPython 3.99.0, with the GIL, numpy 9.9.9", 32)
    );

    let page = tree.page();
    let table = page.split("## From Python to Rust").nth(1).unwrap();
    let gain = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap();
        line.trim_matches('|').split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>()
    };
    // 20 s against 0.5 s, and against 1 s with the same bits.
    let cells = gain("python-sequential");
    assert_eq!((cells[1].as_str(), cells[4].as_str()), ("20.0 s ± 0.0", "sequential"));
    assert_eq!(cells[5..7], ["40.0×", "20.0×"]);
    let cells = gain("python-loky");
    assert_eq!((cells[1].as_str(), cells[4].as_str()), ("400 ms ± 0", "process-pool"));
    assert_eq!(cells[6], "1.00×");
    let cells = gain("numpy-sequential.default_rng");
    assert_eq!(cells[4..7], ["sequential", "40.0×", "n/a"]);
    assert!(table.contains("in the line of `python-loky`, both are those of a warm batch."), "{table}");

    let calls = tree.calls();
    let job = "--workload fill --keys 100 --count 100000 --skew uniform";
    for timed in [
        format!("process-pool {job} --rng mt19937 --seed 42 --workers 2"),
        format!("python-loky {job} --rng mt19937 --seed 42 --workers 2"),
        format!("numpy-sequential {job} --rng default_rng --seed 42 --workers 2"),
    ] {
        assert_eq!(calls.iter().filter(|call| **call == timed).count(), 3, "{timed}, with the discarded one");
    }
    let checked = |call: &&String| call.starts_with("python-loky") && call.ends_with("--expect 0000000000019937");
    assert_eq!(calls.iter().filter(checked).count(), 2);
    assert!(!calls.iter().any(|call| call.starts_with("python-") && call.contains("wait")), "the notebook cannot wait");
}

#[test]
fn an_environment_is_made_once_for_what_is_pinned() {
    let tree = Tree::with_notebook(&["sequential"], &["python-sequential"]);
    let installs = || fs::read_to_string(tree.path("state/pip")).unwrap().lines().count();
    for _ in 0..2 {
        let output = tree.measure(&["--python", "--rounds", "1"]);
        assert_status(&output, 0);
        assert_eq!(installs(), 1);
    }
    let pip = fs::read_to_string(tree.path("state/pip")).unwrap();
    assert!(pip.contains("--require-hashes -r requirements.txt"), "{pip}");
    fs::write(tree.path("bench/notebook/requirements.txt"), "pinned==2\n").unwrap();
    let output = tree.measure(&["--python", "--rounds", "1"]);
    assert_status(&output, 0);
    assert!(stderr(&output).contains("installing what the notebook's programs need"), "{}", stderr(&output));
    assert_eq!(installs(), 2);
}

#[test]
fn programs_that_cannot_be_run_here_are_not_measured_and_fail_nothing() {
    for (python, broken, why) in [
        ("--python=python-nowhere", None, "no python-nowhere"),
        ("--python", Some("FAKE_VENV"), "python3 has no venv module that works"),
        ("--python", Some("FAKE_PIP"), "pip could not install the pinned packages"),
    ] {
        let tree = Tree::with_notebook(&["sequential", "twice"], &["python-sequential", "numpy-sequential"]);
        let mut compare = tree.compare(&["--bin-dir", "programs", "--workers", "2", "--rounds", "1", python]);
        let output = compare.envs(broken.map(|part| (part, "broken"))).output().unwrap();
        assert_status(&output, 0);
        assert!(stderr(&output).contains(&format!("programs are not measured: {why}")), "{}", stderr(&output));
        let page = tree.page();
        let section = page.split("## Not measured").nth(1).unwrap();
        for name in ["python-sequential", "numpy-sequential", "numpy-sequential.default_rng"] {
            let line = section.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap();
            assert!(line.contains(&format!("| {why}")), "{line}");
        }
        assert!(page.contains(&format!("not measured: {why}")), "{page}");
        assert_eq!(row(&page, "twice")[2], "250 ms");
        assert!(!page.contains("## Failed"), "{page}");
        assert!(tree.run().plan.row("sequential.mt19937").is_none(), "nothing is there to be compared with it");
    }
}

#[test]
fn a_program_with_other_numbers_is_a_failed_row() {
    let tree = Tree::with_notebook(&["sequential"], &["python-liar", "numpy-liar", "numpy-sequential"]);
    assert_status(&tree.measure(&["--python", "--rounds", "1"]), 1);
    let run = tree.run();
    let message = |name: &str| run.measured(name).unwrap().failure.clone().map(|failure| failure.message);
    let lie = |reference: &str| Some(format!("its digest is ffffffffffffffff, and that of {reference}"));
    assert_eq!(message("python-liar"), lie("sequential.mt19937 is 0000000000019937"));
    assert_eq!(message("numpy-liar"), lie("sequential.mt19937 is 0000000000019937"));
    assert_eq!(message("numpy-liar.default_rng"), lie("numpy-sequential.default_rng is 00000000000064cb"));
    assert_eq!(message("numpy-sequential.default_rng"), None);
    let page = tree.page();
    let table = page.split("## From Python to Rust").nth(1).unwrap();
    assert!(table.lines().any(|line| line.starts_with("| python-liar ") && line.contains(" failed |")), "{page}");
}

#[test]
fn slow_programs_are_timed_in_the_first_ten_rounds_alone() {
    let tree = Tree::with_notebook(&["sequential"], &["python-slow", "python-medium"]);
    let output = tree.measure(&["--python", "--rounds", "11"]);
    assert_status(&output, 0);
    let said = stderr(&output);
    assert!(said.contains("; slow: python-slow\n"), "{said}");
    let run = tree.run();
    let rounds = |name: &str| run.measured(name).unwrap().cold.keys().copied().collect::<Vec<_>>();
    assert_eq!(rounds("python-slow"), (1..=10).collect::<Vec<u32>>());
    assert_eq!(rounds("python-medium").len(), 11);
    let discarded = |name: &str| run.measured(name).unwrap().discarded.is_some();
    assert!(!discarded("python-slow") && discarded("python-medium"));
    let slow = run.plan.cells.iter().find(|cell| cell.name == "python-slow").unwrap();
    assert_eq!((slow.rounds, slow.warm_rounds, slow.batches), (Some(10), Some(3), 2));
    let page = tree.page();
    let used = page.split("## What each row used").nth(1).unwrap();
    for (name, runs) in [
        ("python-slow", "10 + 3"),
        ("python-medium", "11 + 22"),
        ("sequential.mt19937", "11 + 22"),
        ("sequential", "11 + 22"),
    ] {
        let line = used.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap();
        assert_eq!(line.split('|').nth(2).unwrap().trim(), runs, "{line}");
    }
    assert!(!page.contains("cold runs of python-slow"), "it has all that were planned: {page}");

    let before = fs::read(tree.run_dir().join("README.md")).unwrap();
    assert_status(&tree.compare(&["report", tree.run_dir().to_str().unwrap()]).output().unwrap(), 0);
    assert_eq!(fs::read(tree.run_dir().join("README.md")).unwrap(), before);
}

#[test]
fn the_notebook_has_one_job_and_known_programs() {
    let tree = Tree::with_notebook(&["sequential", "process-pool", "twice"], &["python-loky", "python-sequential"]);
    let output = tree.measure(&["--python", "--workload", "sum"]);
    assert_status(&output, 2);
    assert!(stderr(&output).contains("--python needs --workload fill, not sum"), "{}", stderr(&output));
    let output = tree.measure(&["--python", "--only", "python-lokyy"]);
    assert_status(&output, 2);
    assert!(stderr(&output).contains("did you mean `python-loky`?"), "{}", stderr(&output));
    assert_status(&tree.measure(&["--python", "--only", "python-loky", "--rounds", "1"]), 0);
    let names: Vec<String> = tree.run().plan.rows.into_iter().map(|row| row.name).collect();
    let rust = ["process-pool", "sequential", "sequential.mt19937", "process-pool.mt19937"];
    assert_eq!(names, [&rust[..], &["python-loky", "sequential.control"]].concat());
}

/// A workspace whose strategies print what a strategy prints, one of which does not compile.
#[test]
fn strategies_are_built_from_the_folders_in_impls() {
    let tree = Tree::new(&[]);
    let release = r##"fn main() {
    // A comment is no line of code.
    if cfg!(debug_assertions) { std::process::exit(9) }
    println!(r#"{{"strategy":"sequential","workload":"fill","keys":1,"count":100,"skew":"uniform",
        "rng":"xoshiro","seed":42,"profile":"release","workers":2,"start_ns":1,"run_ns":[3,2,2],"drop_ns":[1,1,1],
        "stop_ns":1,"output_bytes":800,"failed":[],"digest":"0123456789abcdef"}}"#);
}
"##;
    fs::write(tree.path("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"impls/*\"]\n").unwrap();
    for (name, main) in [("sequential", release), ("twice", release), ("broken", "fn main() { oops }\n")] {
        let package = tree.path("impls").join(name);
        fs::create_dir_all(package.join("src")).unwrap();
        fs::write(package.join("Cargo.toml"), format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n")).unwrap();
        fs::write(package.join("src/main.rs"), main).unwrap();
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let lock =
        Command::new(cargo).args(["generate-lockfile", "--offline"]).current_dir(tree.dir.path()).output().unwrap();
    assert_status(&lock, 0);

    let mut compare = tree.compare(&["--rounds", "1"]);
    let output = compare.env("CARGO_TARGET_DIR", tree.path("elsewhere")).output().unwrap();
    assert_status(&output, 1);
    assert!(stderr(&output).contains("cannot find value `oops`"), "cargo's output is shown: {}", stderr(&output));
    assert!(tree.path("elsewhere/release/twice").is_file(), "CARGO_TARGET_DIR is respected");
    let run = tree.run();
    assert_eq!(run.measured("broken").unwrap().failure.as_ref().unwrap().stage, Stage::Build);
    assert_eq!(run.measured("twice").unwrap().cold.len(), 1);
    let lines: Vec<_> = run.plan.rows.iter().map(|row| (row.name.as_str(), row.lines)).collect();
    assert!(lines.contains(&("twice", Some(6))), "{lines:?}");
    assert!(run.machine.rustc.is_some() && run.machine.lockfile_xxh3.is_some());
}

#[test]
fn what_cannot_be_is_refused_before_anything_runs() {
    let tree = Tree::new(&["sequential", "twice"]);
    fs::write(tree.path("file"), "").unwrap();
    for (arguments, told) in [
        (
            &["--workload", "fil"][..],
            "invalid value 'fil' for '--workload <WORKLOAD>'; [possible values: fill, sum, wait]",
        ),
        (&["--skew", "zip"], "[possible values: uniform, zipf, one-huge, one-huge-last]"),
        (&["--rng", "mt1993"], "a similar value exists: 'mt19937'"),
        (&["--keys", "0"], "--keys 0: there is nothing to time"),
        (&["--count", "many"], "expected a whole number from 0 to 18446744073709551615"),
        (&["--count", "1000000000000"], "the outputs of --keys and --count need 800.0 TB of memory"),
        (&["--wrokers", "2"], "a similar argument exists: '--workers'"),
        (&["--out", "file"], "--out: no file can be made in "),
        (&["--out", "file/below"], "Not a directory"),
        (&["--out", "/proc/nowhere"], "--out: no file can be made in /proc: "),
        (&["--python=./nowhere/python"], "--python: there is no ./nowhere/python"),
        (&["--within", "0%"], "expected a percentage above 0 and below 100, such as 3%"),
        (&["--budget", "soon"], "expected a time such as 90s, 15m or 1h30m"),
        (&["--rounds", "3", "--within", "1%"], "'--rounds <ROUNDS>' cannot be used with"),
        (&["splice", "strategies", "/"], "splice /: the run must be in this repository"),
        (&["--bin-dir", "nowhere"], "--bin-dir nowhere: No such file or directory"),
        (&["--bin-dir", "file"], "--bin-dir file: Not a directory"),
        (&["report", "nowhere"], "report nowhere: No such file or directory"),
        (&["splice", "strategies", "nowhere"], "splice nowhere: No such file or directory"),
        (&["splice", "strategies"], "strategies takes 1 run, not 0"),
        (&["cmp", "nowhere", "programs"], "cmp nowhere: No such file or directory"),
        (&["cmp", "programs", "programs"], "programs/run.json: No such file or directory"),
        (&["--resume", "nowhere"], "--resume nowhere: No such file or directory"),
        (&["--resume", "programs"], "--resume: "),
        (&["--resume", "programs", "--keys", "3"], "cannot be used with"),
        (&["--only", "nothing-like-it"], "--only: there is no strategy `nothing-like-it`"),
        (&["--publish", "--out", "file"], "'--publish' cannot be used with '--out <DIR>'"),
    ] {
        // Some flags go without, or with another one.
        let bin_dir = if ["--bin-dir", "report", "splice", "cmp"].contains(&arguments[0]) {
            &[][..]
        } else {
            &["--bin-dir", "programs"]
        };
        let output = tree.compare(&[bin_dir, arguments].concat()).output().unwrap();
        assert_status(&output, 2);
        let said = stderr(&output);
        assert!(
            said.starts_with("error: ") && said.contains(told) && said.lines().count() == 1,
            "{arguments:?}: {said}"
        );
    }
    assert!(!tree.path("state/calls").exists() && !tree.path("results").exists());
}

#[test]
fn paths_are_taken_from_where_the_user_is() {
    let tree = Tree::new(&["sequential", "twice"]);
    fs::create_dir(tree.path("here")).unwrap();
    symlink(tree.path("programs"), tree.path("here/carried")).unwrap();
    let from =
        |arguments: &[&str]| tree.compare(arguments).env("FANOUT_CALLED_FROM", tree.path("here")).output().unwrap();
    assert_status(&from(&["--bin-dir", "carried", "--out", "kept", "--rounds", "1"]), 0);
    let kept = fs::read_dir(tree.path("here/kept")).unwrap().map(|entry| entry.unwrap());
    let run = kept.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).next();
    fs::remove_file(tree.path("here/kept/README.md")).unwrap();
    assert_status(&from(&["report", &format!("kept/{}", run.unwrap())]), 0);
    assert!(tree.path("here/kept/README.md").is_file());
    assert_status(&from(&["--bin-dir", "carried", "--rounds", "1"]), 0);
    assert!(tree.run_dir().join("README.md").is_file(), "results are the repository's");
}

#[test]
fn a_run_to_be_committed_is_kept_apart() {
    let tree = Tree::new(&["sequential", "twice"]);
    assert_status(&tree.measure(&["--rounds", "1", "--publish"]), 0);
    assert!(!tree.path("results/local").exists());
    let index = fs::read_to_string(tree.path("results/README.md")).unwrap();
    assert!(index.contains("| twice, 250"), "{index}");
    assert_status(&tree.measure(&["--rounds", "1"]), 0);
    assert_eq!(fs::read_to_string(tree.path("results/README.md")).unwrap(), index);
    assert!(tree.path("results/local/README.md").is_file());
}

#[test]
fn a_folder_that_cannot_be_read_takes_no_other_with_it() {
    let tree = Tree::new(&["sequential", "twice"]);
    let damaged = tree.path("results/local/2026-01-01T00-00-00Z");
    fs::create_dir_all(&damaged).unwrap();
    fs::write(damaged.join("run.json"), "{\"format\": 2").unwrap();
    let output = tree.measure(&["--rounds", "1"]);
    assert_status(&output, 0);
    assert!(String::from_utf8_lossy(&output.stdout).contains("| twice "), "{output:?}");
    let index = fs::read_to_string(tree.path("results/local/README.md")).unwrap();
    assert!(index.contains("| unreadable: 2026-01-01T00-00-00Z/run.json: EOF while parsing"), "{index}");
    assert!(index.contains("| twice, 250"), "{index}");
    assert!(!index.contains(tree.dir.path().to_str().unwrap()), "{index}");
}

/// Runs with its output connected to what `lost` says, after a shell has set that up.
fn with_output(tree: &Tree, lost: &str) -> Output {
    in_a_shell(
        &tree.compare(&["--bin-dir", "programs", "--workers", "2", "--rounds", "1"]),
        tree.dir.path(),
        &format!("\"$@\" {lost}"),
    )
}

#[test]
fn a_run_goes_on_when_nobody_reads() {
    for lost in
        ["2>&1 | true; exit ${PIPESTATUS[0]}", "2>&1 >&2 | head -n 1; exit ${PIPESTATUS[0]}", "2>/dev/full", ">&- 2>&-"]
    {
        let tree = Tree::new(&["sequential", "twice"]);
        let output = with_output(&tree, lost);
        assert_status(&output, 0);
        assert_eq!(row(&tree.page(), "twice")[2], "250 ms", "{lost}");
        assert_eq!(tree.run().plan.ended, Some(Ended::Complete), "{lost}");
    }
    let tree = Tree::new(&["sequential", "twice"]);
    let output = with_output(&tree, ">/dev/full");
    assert_status(&output, 1);
    assert_eq!(stderr(&output).matches("error: standard output: No space left on device").count(), 1, "{output:?}");
    assert!(stderr(&output).contains("all columns: ") && !stderr(&output).contains("makes its page"), "{output:?}");
    assert!(tree.page().contains("| twice "));
}

#[test]
fn a_run_in_which_nothing_was_timed_leaves_nothing() {
    let tree = Tree::new(&["sequential", "waiter"]);
    let mut command = tree.compare(&["--bin-dir", "programs", "--workers", "2"]);
    let mut compare = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("program that is verified", || fs::read_to_string(tree.path("state/pid")).ok());
    assert!(Command::new("kill").args(["-s", "INT", &compare.0.id().to_string()]).status().unwrap().success());
    assert_eq!(until("end", || compare.0.try_wait().unwrap()).code(), Some(130));
    assert!(!tree.path("results/local").exists());
}

#[test]
fn a_hangup_ends_a_run_unless_it_is_ignored() {
    interrupted_by("HUP");

    let tree = Tree::new(&["sequential", "waiter"]);
    let compare = tree.compare(&["--bin-dir", "programs", "--workers", "2", "--rounds", "1"]);
    let mut nohup = Command::new("nohup");
    nohup.arg(compare.get_program()).args(compare.get_args()).current_dir(tree.dir.path());
    nohup.envs(compare.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("FANOUT_WORKERS");
    nohup.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut compare = Killed(nohup.spawn().unwrap());
    let waiter = until("program that is verified", || fs::read_to_string(tree.path("state/pid")).ok());
    let signal = |name: &str, pid: &str| Command::new("kill").args(["-s", name, pid]).status().unwrap().success();
    assert!(signal("HUP", &compare.0.id().to_string()));
    // It waits for this one alone, so that it would be gone by then.
    assert!(signal("TERM", waiter.trim()));
    let status = until("end", || compare.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(1), "the program that was ended is a failed row");
    assert_eq!(tree.run().plan.ended, Some(Ended::Complete));
}

#[test]
fn what_is_carried_with_the_strategies_is_not_measured() {
    let tree = Tree::new(&["sequential", "twice"]);
    for name in ["compare", "new-strategy"] {
        symlink(env!("CARGO_BIN_EXE_compare"), tree.path("programs").join(name)).unwrap();
    }
    fs::rename(tree.path("path/hyperfine"), tree.path("programs/hyperfine")).unwrap();
    assert_status(&tree.measure(&["--rounds", "1"]), 0);
    let names: Vec<String> = tree.run().plan.rows.into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["sequential", "twice", "sequential.control"]);
}

#[test]
fn a_hyperfine_that_cannot_time_is_passed_over() {
    use std::os::unix::fs::PermissionsExt;
    for (script, mode, told) in [
        (
            "#!/bin/sh\necho hyperfine 1.11.0\n",
            0o755,
            "says that it is `hyperfine 1.11.0`, and hyperfine 1.13 or later is needed",
        ),
        ("#!/bin/sh\n", 0o644, "cannot be run: permission denied"),
        ("#!/nowhere\n", 0o755, "cannot be run: No such file or directory"),
    ] {
        let tree = Tree::new(&["sequential"]);
        let first = tree.path("first");
        fs::create_dir(&first).unwrap();
        // Written by another process: one that this process has open for writing cannot be run by it or its children.
        let mut tee = Command::new("tee")
            .arg(first.join("hyperfine"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut tee.stdin.take().unwrap(), script.as_bytes()).unwrap();
        assert!(tee.wait().unwrap().success());
        fs::set_permissions(first.join("hyperfine"), fs::Permissions::from_mode(mode)).unwrap();
        let mut compare = tree.compare(&["--bin-dir", "programs", "--workers", "2", "--rounds", "1"]);
        let path = std::env::var("PATH").unwrap_or_default();
        compare.env("PATH", format!("{}:{}:{path}", first.display(), tree.path("path").display()));
        let output = compare.output().unwrap();
        assert_status(&output, 0);
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
}

#[test]
fn each_warning_is_said_once() {
    let tree = Tree::new(&["sequential", "twice"]);
    let output = tree.measure(&["--rounds", "2"]);
    assert_status(&output, 0);
    let said = [stderr(&output), String::from_utf8_lossy(&output.stdout).into_owned()].concat();
    assert_eq!(said.matches("fewer than 6 rounds").count(), 1, "{said}");
    assert!(!said.contains("](") && !said.contains("**"), "no markdown but the tables: {said}");
    assert!(!said.contains("0 s left"), "{said}");
}

/// A workspace in a folder below `tree`, with the strategies `sequential` and `twice`, whose program is `main`.
fn workspace(tree: &Tree, folder: &str, main: &str) -> PathBuf {
    let root = tree.path(folder);
    for name in ["sequential", "twice"] {
        package(&root.join("impls").join(name), name, "0.0.0", "src/main.rs", main);
    }
    fs::write(root.join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"impls/*\"]\n").unwrap();
    root
}

fn package(folder: &Path, name: &str, version: &str, source: &str, content: &str) {
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2024\"\n");
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join(source), content).unwrap();
}

/// Adds a dependency to the strategy `twice`.
fn depend(root: &Path, dependency: &str) {
    let manifest = root.join("impls/twice/Cargo.toml");
    let old = fs::read_to_string(&manifest).unwrap();
    fs::write(manifest, format!("{old}\n[dependencies]\n{dependency}\n")).unwrap();
}

fn lock(root: &Path) {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo).args(["generate-lockfile", "--offline"]).current_dir(root).output().unwrap();
    assert_status(&output, 0);
}

/// A release build that says so, and nothing that depends on the flags.
const REPORTING: &str = r##"fn main() {
    println!(r#"{{"strategy":"any","workload":"fill","keys":1,"count":100,"skew":"uniform",
        "rng":"xoshiro","seed":42,"profile":"release","workers":2,"start_ns":1,"run_ns":[3,2,2],"drop_ns":[1,1,1],
        "stop_ns":1,"output_bytes":800,"failed":[],"digest":"0123456789abcdef"}}"#);
}
"##;

#[test]
fn a_build_goes_on_when_nobody_reads() {
    for lost in ["2>/dev/full", "2>&1 >&2 | true; exit ${PIPESTATUS[0]}"] {
        let tree = Tree::new(&[]);
        let root = workspace(&tree, "built", REPORTING);
        lock(&root);
        let output = in_a_shell(&tree.compare(&["--rounds", "1"]), &root, &format!("\"$@\" {lost}"));
        assert_status(&output, 0);
        assert!(root.join("target/release/twice").is_file(), "{lost}");
    }
}

#[test]
fn a_strategy_may_depend_on_a_crate_of_its_own_name() {
    let tree = Tree::new(&[]);
    let root = workspace(&tree, "a space", REPORTING);
    package(&tree.path("outside/twice"), "twice", "1.0.0", "src/lib.rs", "");
    depend(&root, "other = { package = \"twice\", path = \"../../../outside/twice\" }");
    lock(&root);
    let output = tree.compare(&["--rounds", "1"]).current_dir(&root).output().unwrap();
    assert_status(&output, 0);
    let results = fs::read_dir(root.join("results/local")).unwrap().map(|entry| entry.unwrap().path());
    let run = Run::read(&results.into_iter().find(|path| path.is_dir()).unwrap()).unwrap();
    assert_eq!(run.measured("twice").unwrap().cold.len(), 1);
}

#[test]
fn a_manifest_that_stops_the_whole_build_is_told_in_cargos_words() {
    let tree = Tree::new(&[]);
    let root = workspace(&tree, ".", REPORTING);
    lock(&root);
    package(&tree.path("outside"), "outside", "1.0.0", "src/lib.rs", "");
    depend(&root, "outside = { path = \"../../outside\", version = \"2\" }");
    let output = tree.compare(&["--rounds", "1"]).output().unwrap();
    assert_status(&output, 1);
    let told = stderr(&output);
    assert!(told.contains("required by package `twice "), "{told}");
    assert!(told.contains("error: cargo did not start to build"), "{told}");
    assert!(!told.contains("sequential"), "{told}");
}
