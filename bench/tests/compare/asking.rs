//! What can be asked before anything is measured: what there is, what a run would be, and how to ask.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::tree::{Tree, assert_status, in_a_shell, stderr};

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A workspace with these strategies, which are not built.
fn unbuilt(names: &[&str]) -> Tree {
    let tree = Tree::new(&[]);
    fs::write(tree.path("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"impls/*\"]\n").unwrap();
    for name in names {
        let package = tree.path("impls").join(name);
        fs::create_dir_all(package.join("src")).unwrap();
        let about = format!("description = \"What {name} does\"");
        fs::write(package.join("Cargo.toml"), format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{about}\n"))
            .unwrap();
        fs::write(package.join("src/main.rs"), "fn main() {}\n").unwrap();
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut lock = Command::new(cargo);
    lock.args(["generate-lockfile", "--offline"]).current_dir(tree.dir.path());
    assert_status(&lock.output().unwrap(), 0);
    tree
}

/// Files and folders in the tree, but for the fakes' own.
fn entries(tree: &Tree) -> Vec<String> {
    let entries = fs::read_dir(tree.dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut entries: Vec<String> = entries.collect();
    entries.sort();
    entries
}

#[test]
fn the_list_has_every_strategy_with_what_it_does() {
    let tree = unbuilt(&["sequential", "twice"]);
    let expected = "sequential  What sequential does\ntwice       What twice does\n";
    for folder in [".", "impls/twice"] {
        let mut compare = tree.compare(&["list"]);
        let output = compare.current_dir(tree.path(folder)).env("CLICOLOR_FORCE", "1").output().unwrap();
        assert_status(&output, 0);
        assert_eq!((stdout(&output), stderr(&output)), (expected.to_owned(), String::new()), "{folder}");
    }
    let closed = in_a_shell(&tree.compare(&["list"]), tree.dir.path(), "\"$@\" | true; exit ${PIPESTATUS[0]}");
    assert_status(&closed, 0);

    fs::write(tree.path("impls/twice/Cargo.toml"), "[package\n").unwrap();
    let broken = tree.compare(&["list"]).output().unwrap();
    assert_status(&broken, 1);
    assert!(stderr(&broken).contains("impls/twice/Cargo.toml: ") && stderr(&broken).lines().count() == 1);
}

#[test]
fn there_is_no_list_outside_the_repository() {
    let tree = Tree::new(&[]);
    let output = tree.compare(&["list"]).output().unwrap();
    assert_status(&output, 2);
    assert!(stderr(&output).starts_with("error: list: there is no ") && stderr(&output).lines().count() == 1);
}

#[test]
fn this_repositorys_strategies_all_say_what_they_do() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Tree::new(&[]).compare(&["list"]).current_dir(root).output().unwrap();
    assert_status(&output, 0);
    let folders = fs::read_dir(root.join("impls")).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(stdout(&output).lines().count(), folders.count());
    for line in stdout(&output).lines() {
        let (name, description) = line.split_once("  ").unwrap();
        assert!(root.join("impls").join(name).is_dir() && !description.trim().is_empty(), "{line}");
    }
}

#[test]
fn every_shell_gets_completions() {
    let tree = Tree::new(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = tree.compare(&["completions", shell]).output().unwrap();
        assert_status(&output, 0);
        let script = stdout(&output);
        for word in ["sweep", "splice", "list", "completions", "workload", "allocator"] {
            assert!(script.contains(word), "{shell} has no {word}");
        }
        assert!(!script.contains("touch-memory"), "{shell} is offered what is hidden");
    }
    let unknown = tree.compare(&["completions", "cmd"]).output().unwrap();
    assert_status(&unknown, 2);
    assert!(stderr(&unknown).contains("powershell") && stderr(&unknown).lines().count() == 1, "{}", stderr(&unknown));
    let read = "\"$@\" | head -c 10; exit ${PIPESTATUS[0]}";
    let output = in_a_shell(&tree.compare(&["completions", "zsh"]), tree.dir.path(), read);
    assert_status(&output, 0);
    assert_eq!((output.stdout.len(), stderr(&output)), (10, String::new()));
}

/// By the name that the user calls: the script's, if it was the script that started `compare`.
#[test]
fn bash_completes_the_scripts_flags_and_subcommands() {
    let tree = Tree::new(&[]);
    for (name, from) in [("compare.sh", Some(tree.dir.path())), ("compare", None)] {
        let mut compare = tree.compare(&["completions", "bash"]);
        if let Some(from) = from {
            compare.env("FANOUT_CALLED_FROM", from);
        }
        let line = format!(
            "eval \"$(\"$@\")\"; complete -p {name} >/dev/null || exit 1
            for word in swe --work; do
                COMP_WORDS=(scripts/{name} $word) COMP_CWORD=1
                _{name} scripts/{name} $word scripts/{name}
                echo \"${{COMPREPLY[@]}}\"
            done"
        );
        let output = in_a_shell(&compare, tree.dir.path(), &line);
        assert_status(&output, 0);
        assert_eq!(stdout(&output), "sweep\n--workload --workers\n", "{}", stderr(&output));
    }
}

#[test]
fn every_subcommand_tells_its_exit_statuses() {
    let tree = Tree::new(&[]);
    let help = |arguments: &[&str]| {
        let output = tree.compare(&[arguments, &["--help"]].concat()).output().unwrap();
        assert_status(&output, 0);
        stdout(&output)
    };
    let whole = help(&[]);
    assert!(whole.contains("Exit status:"), "{whole}");
    let commands = whole.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<&str> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"sweep") && names.contains(&"list"), "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let help = help(&[name]);
        assert!(help.contains("Exit status:") && help.contains("2 wrong usage"), "{name}: {help}");
    }
}

#[test]
fn no_color_is_respected() {
    let tree = Tree::new(&[]);
    let help = |variables: &[(&str, &str)]| {
        let output = tree.compare(&["--help"]).envs(variables.iter().copied()).output().unwrap();
        stdout(&output).contains('\u{1b}')
    };
    assert!(!help(&[]), "there is no terminal");
    assert!(help(&[("CLICOLOR_FORCE", "1")]));
    assert!(!help(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn a_plan_runs_sequential_once_and_leaves_nothing() {
    let tree = Tree::new(&["sequential", "twice", "machine-limit"]);
    let before = entries(&tree);
    let output = tree.measure(&["--plan", "--keys", "7"]);
    assert_status(&output, 0);
    assert_eq!(stderr(&output), "");
    let told = stdout(&output);
    let job = "--workload fill --keys 7 --count 1000000 --skew uniform --rng xoshiro --seed 42 --workers 2";
    let rows = "5 rows: sequential, twice, machine-limit, machine-limit.one, sequential.control\n";
    assert!(told.starts_with(&format!("{rows}1 job:\n  {job}\n")), "{told}");
    assert!(told.contains("5 cold processes of one batch and 5 warm ones of 3"), "{told}");
    assert!(told.contains(&format!("  programs/sequential {job}\n")), "{told}");
    assert!(told.contains("\n10 rounds at least, until every ratio is known within 3 %;"), "{told}");
    assert!(told.lines().last().unwrap().starts_with("time: about "), "{told}");
    assert_eq!(tree.calls(), [format!("sequential {job} --format json --digest")]);
    assert_eq!(entries(&tree), before);
}

#[test]
fn a_plan_of_a_sweep_has_every_row_at_every_job() {
    let tree = Tree::new(&["sequential", "twice"]);
    let flags = ["sweep", "skew", "--plan", "--bin-dir", "programs", "--workers", "2", "--rounds", "4"];
    let output = tree.compare(&[&flags[..], &["--only", "twice"]].concat()).output().unwrap();
    assert_status(&output, 0);
    let told = stdout(&output);
    assert!(told.starts_with("3 rows: sequential, twice, sequential.control\n4 jobs:\n"), "{told}");
    for skew in ["uniform", "zipf", "one-huge", "one-huge-last"] {
        assert_eq!(told.matches(&format!("--skew {skew} ")).count(), if skew == "uniform" { 2 } else { 1 }, "{told}");
    }
    assert!(told.contains("each round: 12 cold processes of one batch and 8 warm ones of 2 batches"), "{told}");
    assert!(told.contains("\n4 rounds\n"), "{told}");
    assert!(!tree.path("results").exists());
}

#[test]
fn cases_are_first_batches_on_the_systems_allocator() {
    let tree = Tree::new(&["sequential", "twice"]);
    let flags = ["sweep", "cases", "--plan", "--bin-dir", "programs", "--workers", "2", "--only", "twice"];
    let output = tree.compare(&flags).output().unwrap();
    assert_status(&output, 0);
    let told = stdout(&output);
    assert!(told.starts_with("2 rows: sequential, twice\n48 jobs:\n"), "{told}");
    assert!(told.contains("\neach round: 96 processes of one batch, in shuffled order;"), "{told}");
    assert!(told.contains("\n3 rounds\n"), "{told}");
    let refused = tree.compare(&[&flags[..], &["--allocator", "system,mimalloc"]].concat()).output().unwrap();
    assert_status(&refused, 2);
    let message = "sweep cases is measured with the system's allocator; `sweep allocators` compares it with others";
    assert_eq!(stderr(&refused), format!("error: {message}\n"));
}

#[test]
fn a_plan_builds_nothing() {
    let tree = unbuilt(&["sequential", "twice"]);
    let before = entries(&tree);
    let mut compare = tree.compare(&["--plan", "--allocator", "system,mimalloc"]);
    let output = compare.env_remove("CARGO_TARGET_DIR").output().unwrap();
    assert_status(&output, 0);
    let told = stdout(&output);
    let rows = "5 rows: sequential, twice, sequential.mimalloc, twice.mimalloc, sequential.control\n";
    assert!(told.starts_with(rows), "{told}");
    assert!(told.contains("  target/release/sequential --workload fill "), "{told}");
    assert!(told.ends_with("time: unknown until the programs are built\n"), "{told}");
    assert_eq!(entries(&tree), before);
}

#[test]
fn a_plan_says_why_it_knows_no_time() {
    let tree = Tree::new(&["sequential"]);
    fs::remove_file(tree.path("programs/sequential")).unwrap();
    std::os::unix::fs::symlink("/bin/false", tree.path("programs/sequential")).unwrap();
    let output = tree.measure(&["--plan"]);
    assert_status(&output, 0);
    assert!(stdout(&output).ends_with("time: unknown: sequential was to tell: it failed\n"), "{}", stdout(&output));
}

#[test]
fn a_plan_refuses_what_a_run_refuses() {
    let tree = Tree::new(&["sequential", "twice"]);
    for (flags, told) in [
        (&["--only", "twise"][..], "did you mean `twice`?"),
        (&["--keys", "0"], "--keys 0"),
        (&["--values", "5"], "--values needs --workload wait"),
        (&["--resume", "x"], "--resume"),
    ] {
        let output = tree.measure(&[&["--plan"], flags].concat());
        assert_status(&output, 2);
        assert!(stderr(&output).contains(told) && output.stdout.is_empty(), "{flags:?}: {}", stderr(&output));
    }
}

#[test]
fn in_a_pipe_a_run_tells_how_far_it_is_in_plain_lines() {
    let tree = Tree::new(&["sequential", "twice"]);
    let output = tree.measure(&["--rounds", "2"]);
    assert_status(&output, 0);
    let told = stderr(&output);
    for line in ["comparing digests", "watching memory", "round 1 of 2", "round 2 of 2"] {
        assert!(told.lines().any(|other| other.starts_with(line)), "no {line} in {told}");
    }
    assert!(!told.contains(['\r', '\u{1b}']), "{told:?}");
}
