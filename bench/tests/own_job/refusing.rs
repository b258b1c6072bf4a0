//! What is wrong with a job is told in one line, before anything is measured.

use std::process::{Command, Output};
use std::time::Duration;

use crate::told::{Owner, STRATEGIES, alone, ends, interrupted, shared, stderr, stdout};

/// The last line, before which there are only cargo's errors.
fn error(output: &Output) -> String {
    let said = stderr(output);
    let is_error = |line: &&str| line.starts_with("error: ") && !line.starts_with("error: could not compile `run-");
    let errors: Vec<&str> = said.lines().filter(is_error).collect();
    assert_eq!(said.lines().last(), errors.last().copied(), "{said}");
    errors.last().map(|line| (*line).to_owned()).unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn what_a_job_has_against_its_arguments_is_told_in_a_line() {
    let (_programs, owner) = (shared(), Owner::new());
    for (told, status, reason) in [
        ("refuse", 2, "told/src/lib.rs:PLACE: there is no such thing"),
        ("panic-in-constructor", 1, "told/src/lib.rs:PLACE: making the job from its arguments panicked: no table"),
        ("nothing", 2, "told/src/lib.rs: the job has no keys with these arguments: there is nothing to time"),
        ("panic", 1, "told/src/lib.rs:PLACE: key 2: panicked: key 2 panics"),
    ] {
        let output = ends(owner.asks(&format!("--only {STRATEGIES} --rounds 1"), &[told]), status);
        let place = place(0).to_string();
        assert_eq!(error(&output), format!("error: {}", reason.replace("PLACE", &place)), "{told}");
        assert_eq!(stdout(&output), "");
    }
    assert!(owner.runs().is_empty());
}

/// The line of that declaration of the job.
fn place(declaration: usize) -> usize {
    let source = include_str!("told/lib.rs");
    let lines = source.lines().zip(1..).filter(|(line, _)| line.starts_with("fanout::job!"));
    lines.map(|(_, number)| number).nth(declaration).unwrap()
}

#[test]
fn a_key_that_takes_more_memory_than_there_is_is_told_of() {
    let (_programs, owner) = (shared(), Owner::new());
    // So that no machine tries to give it.
    let compare = owner.asks(&format!("--only {STRATEGIES}"), &["memory"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -c 0; ulimit -v 16777216; exec \"$@\"", "sh"]);
    limited.arg(compare.get_program()).args(compare.get_args()).current_dir(compare.get_current_dir().unwrap());
    limited.env_remove("FANOUT_WORKERS").env_remove("RUSTFLAGS");
    limited.envs(compare.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let told = error(&ends(limited, 1));
    assert!(told.starts_with("error: told/src/lib.rs: a key ended the program (signal: 6 (SIGABRT)"), "{told}");
    assert!(told.ends_with("): memory allocation of 1099511627776 bytes failed"), "{told}");
}

#[test]
fn a_key_that_does_not_end_is_told_of_and_can_be_interrupted() {
    let (_programs, owner) = (shared(), Owner::new());
    for (told, word, there_is) in [
        ("slow", "running keys alone", "no key was done by then\n"),
        ("slow-but-for-the-first", "a key still runs, after 5 s; Ctrl-C ends it", "one key alone: "),
    ] {
        let (status, said, took) = interrupted(owner.asks(&format!("--only {STRATEGIES}"), &[told]), word);
        assert_eq!(status, Some(130), "{said}");
        assert!(said.starts_with(there_is), "{told}: {said}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        let left =
            Command::new("pgrep").args(["-f", &format!("^[^ ]*/own-job/jobs/.*--argument={told}$")]).output().unwrap();
        assert_eq!(stdout(&left), "", "{told}");
    }
    assert!(owner.runs().is_empty());
}

#[test]
fn a_path_without_a_job_is_told_of() {
    let owner = Owner::new();
    for (path, reason) in [
        ("nowhere", "nowhere: no such file or folder"),
        ("told/src/lib.rs", "told/src/lib.rs: neither a folder nor a Cargo.toml; a job is a library crate"),
    ] {
        let output = ends(owner.compare(&["--job", path]), 2);
        assert_eq!(stderr(&output), format!("error: --job: {reason}\n"));
    }
}

#[test]
fn what_the_compiler_has_against_a_job_is_told_in_a_line() {
    let (_programs, owner) = (alone(), Owner::new());
    for (feature, reason) in [
        (
            "none",
            "told/src/lib.rs: no `fanout::job!` at the root of the library; `fanout::job!(TYPE, |arguments| Ok(…));` declares the job",
        ),
        ("twice", "told/src/lib.rs: more than one `fanout::job!`; a library declares one job"),
        ("broken", "told/src/lib.rs: `told` does not build: see above"),
    ] {
        let output = ends(owner.asks(&format!("--only {STRATEGIES} --features {feature}"), &[]), 1);
        assert_eq!(error(&output), format!("error: {reason}"));
    }
    let output =
        ends(owner.asks("--only rayon-iter,process-pool --rounds 1 --no-condition --features threads", &[]), 0);
    let why = format!("cannot cross a process: told/src/lib.rs:{} declares it with `threads:`", place(2));
    let page = owner.page();
    let (_, not_measured) = page.split_once("## Not measured").unwrap_or_else(|| panic!("{page}"));
    let row = not_measured.lines().find(|line| line.contains("process-pool")).unwrap_or_else(|| panic!("{page}"));
    assert!(row.contains(&why), "{row}\n{}", stderr(&output));
    assert!(stdout(&output).contains("| rayon-iter "), "{}", stdout(&output));
}
