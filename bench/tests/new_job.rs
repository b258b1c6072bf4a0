//! The real `new-job`, for this repository and for a small one.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench::entrants::name::LONGEST;
use bench::scaffold::FILL_IN;
use cargo_metadata::MetadataCommand;
use tempfile::TempDir;

mod scaffold;

#[path = "scaffold/names.rs"]
mod names;

use names::badly_named;
use scaffold::{assert_success, built_in, root, sources, stderr, stdout};

/// Asks for a job as a user in the folder `here` does whose repository is `clone`.
fn new_job(clone: &Path, here: &Path, arguments: &[&OsStr]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_new-job"));
    command.env("CARGO_NET_OFFLINE", "true").env("FANOUT_CALLED_FROM", here);
    command.args(arguments).current_dir(clone).stdin(Stdio::null()).output().unwrap()
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A user's folder, and a repository that has what a job needs and nothing to be built.
struct Small {
    dir: TempDir,
}

impl Small {
    fn new() -> Small {
        let small = Small { dir: tempfile::tempdir().unwrap() };
        let package = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        let clone = small.clone();
        let members =
            "[workspace]\nresolver = \"3\"\nmembers = [\"impls/*\", \"shared/*\"]\nexclude = [\"examples\"]\n";
        write(&clone.join("Cargo.toml"), members);
        let locked = |name: &str| format!("\n[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
        write(&clone.join("Cargo.lock"), &format!("version = 4\n{}{}", locked("fanout"), locked("sequential")));
        for (folder, name) in [("shared/fanout", "fanout"), ("impls/sequential", "sequential")] {
            write(&clone.join(folder).join("Cargo.toml"), &package(name));
            write(&clone.join(folder).join("src/lib.rs"), "");
        }
        small.set_template("fanout = { path = \"../../../shared/fanout\" }\n");
        write(&clone.join("examples/jobs/primes/src/lib.rs"), "//! Primes.\n\npub struct Primes;\n");
        write(&clone.join("examples/jobs/primes/README.md"), "# primes\n\nPrimes.\n");
        fs::create_dir(small.here()).unwrap();
        small
    }

    /// A path that has to be quoted wherever it stands.
    fn clone(&self) -> PathBuf {
        self.dir.path().join("a \"clone\"")
    }

    fn here(&self) -> PathBuf {
        self.dir.path().join("here")
    }

    fn set_template(&self, dependencies: &str) {
        let manifest = format!(
            "[package]\nname = \"primes\"\ndescription = \"Template\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependencies}"
        );
        write(&self.clone().join("examples/jobs/primes/Cargo.toml"), &manifest);
    }

    fn new_job(&self, arguments: &[&str]) -> Output {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        new_job(&self.clone(), &self.here(), &arguments)
    }

    /// Which workspace cargo takes a folder here to be in.
    fn workspace_of(&self, folder: &str) -> PathBuf {
        let mut command = MetadataCommand::new();
        command.current_dir(self.here().join(folder)).other_options(["--offline".to_owned(), "--locked".to_owned()]);
        command.exec().unwrap().workspace_root.into_std_path_buf()
    }
}

#[test]
fn a_new_job_is_whole_from_the_start() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("my jobs")).unwrap();
    // The first name of all, the last, the longest, and the template's own.
    let longest = "m".repeat(LONGEST);
    let names = ["a", "word-counts", "zz-top", &longest, "primes"];
    let cargo = |name: &str, arguments: &str| {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments.split(' ')).current_dir(home.path().join("my jobs").join(name));
        command.env("CARGO_TARGET_DIR", built_in("examples")).env("CARGO_BUILD_BUILD_DIR", built_in("."));
        // As scripts/test-examples.sh has it.
        let debug = std::env::var("CARGO_PROFILE_DEV_DEBUG").unwrap_or_else(|_| "line-tables-only".to_owned());
        command.env("CARGO_PROFILE_DEV_DEBUG", debug);
        command.stdin(Stdio::null()).output().unwrap()
    };
    for name in names {
        let output = new_job(root(), home.path(), &[name.as_ref(), "my jobs".as_ref()]);
        assert_success(&output);
        let script = shell_words::quote(root().join("scripts/compare.sh").to_str().unwrap()).into_owned();
        for next in [
            format!("  my jobs/{name}/src/lib.rs "),
            format!("  my jobs/{name}/README.md "),
            format!("  my jobs/{name}/Cargo.toml "),
            format!("  grep -rn '{FILL_IN}' 'my jobs/{name}'\n"),
            format!("  cargo test --manifest-path 'my jobs/{name}/Cargo.toml'\n"),
            format!("  {script} --job 'my jobs/{name}' -- "),
        ] {
            assert!(stdout(&output).contains(&next), "{next}: {}", stdout(&output));
        }
        assert_success(&cargo(name, "fmt --check"));
    }
    let name = "word-counts";
    let tested = cargo(name, "test --locked --offline");
    assert_success(&tested);
    assert!(stdout(&tested).contains("test tests::"), "{}", stdout(&tested));
    assert_success(&cargo(name, "clippy --locked --offline --all-targets -- -D warnings"));

    let files = sources(&home.path().join("my jobs").join(name));
    let text = |path: &str| String::from_utf8(files[Path::new(path)].clone()).unwrap();
    assert!(text("src/lib.rs").contains("pub struct WordCounts") && text("Cargo.toml").contains("\"word-counts\""));
    assert!(text("README.md").starts_with("# word-counts\n"), "{}", text("README.md"));
    for path in ["Cargo.toml", "README.md", "src/lib.rs"] {
        assert!(text(path).contains(FILL_IN), "{path}");
        assert!(!text(path).contains("Primes") && !text(path).contains("../"), "{}", text(path));
    }
}

#[test]
fn a_bad_name_is_refused_with_one_that_would_do() {
    let home = tempfile::tempdir().unwrap();
    let of_jobs = [
        ("rayon-iter", "`rayon-iter` is a strategy, and a program that runs a job on it needs both"),
        ("sum", "`sum` is a workload of fanout's own, and results could not tell the two apart"),
        ("workload", "the type of `workload` would be `Workload`, which means something else in its file already"),
    ]
    .map(|(name, reason)| (name.to_owned(), reason.to_owned()));
    for (name, reason) in of_jobs.into_iter().chain(badly_named()) {
        let output = new_job(root(), home.path(), &[name.as_ref()]);
        let instead = match &*name {
            "4a" => "; `my-4a` would do".to_owned(),
            // No ending makes a name of what is none.
            _ if reason.contains("kebab-case") || reason.contains("characters") => String::new(),
            _ => format!("; `{name}-job` would do"),
        };
        assert_eq!(stderr(&output), format!("error: {reason}{instead}\n"), "{name}");
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{name}");
    }
    for (name, reason) in [
        ("fanout", "`fanout` is a crate of fanout's own; `my-fanout` would do"),
        (
            "fanout-job",
            "the type of `fanout-job` would be `FanoutJob`, which means something else in its file already; \
             `fanout-job-job` would do",
        ),
    ] {
        let output = new_job(root(), home.path(), &[name.as_ref()]);
        assert_eq!(stderr(&output), format!("error: {reason}\n"), "{name}");
    }
    assert!(sources(home.path()).is_empty() && fs::read_dir(home.path()).unwrap().next().is_none());
}

#[test]
fn a_folder_that_cannot_be_is_refused_and_left_as_it_is() {
    let small = Small::new();
    write(&small.here().join("a file"), "");
    write(&small.here().join("taken/mine"), "");
    let before = sources(small.dir.path());
    let impls = small.clone().join("impls");
    for (arguments, reason) in [
        (["sound-name", "nowhere"], "DIR must be a folder that exists: nowhere: No such file or directory"),
        (["sound-name", "a file"], "DIR must be a folder that exists: a file: Not a directory"),
        (["taken", "."], "./taken exists already: take another name, or another DIR\n"),
        (["sound-name", impls.to_str().unwrap()], "would be a crate of fanout's own workspace: name another DIR\n"),
    ] {
        let output = small.new_job(&arguments);
        assert!(stderr(&output).starts_with("error: ") && stderr(&output).contains(reason), "{}", stderr(&output));
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{arguments:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
    assert!(sources(small.dir.path()) == before);
}

#[test]
fn a_job_belongs_to_the_workspace_that_lists_it_and_to_no_other() {
    let small = Small::new();
    let listing = "[workspace]\nresolver = \"3\"\nmembers = [\"jobs/*\"]\n";
    write(&small.here().join("listed/Cargo.toml"), listing);
    write(&small.here().join("listed/jobs/README"), "");
    write(&small.here().join("not listed/Cargo.toml"), "[workspace]\nresolver = \"3\"\n");
    for (dir, says, workspace) in [
        (".", "", "./sound-name"),
        ("not listed", "Its Cargo.toml has a [workspace] of its own", "not listed/sound-name"),
        ("listed/jobs", "It is a member of the workspace in ", "listed"),
    ] {
        let output = small.new_job(&["sound-name", dir]);
        assert_success(&output);
        assert!(stdout(&output).contains(says), "{}", stdout(&output));
        let folder = format!("{dir}/sound-name");
        let manifest = fs::read_to_string(small.here().join(&folder).join("Cargo.toml")).unwrap();
        let is_own = workspace == folder;
        assert_eq!(manifest.contains("\n[workspace]\n"), says.contains("of its own"), "{manifest}");
        assert_eq!(small.here().join(&folder).join("Cargo.lock").exists(), is_own);
        if is_own {
            let expected = small.here().join(workspace).canonicalize().unwrap();
            assert_eq!(small.workspace_of(&folder).canonicalize().unwrap(), expected);
        }
    }
    assert_eq!(fs::read_to_string(small.here().join("listed/Cargo.toml")).unwrap(), listing);
    assert!(!small.here().join("listed/Cargo.lock").exists());
}

#[test]
fn the_commands_are_for_the_folder_that_the_user_is_in() {
    let small = Small::new();
    let clone = small.clone();
    let output = new_job(&clone, &clone, &["sound-name".as_ref()]);
    assert_success(&output);
    assert!(stdout(&output).contains("\n  scripts/compare.sh --job sound-name -- "), "{}", stdout(&output));
    let output = new_job(&clone, &small.here(), &["sound-name".as_ref()]);
    assert_success(&output);
    let script = format!("\n  '{}/scripts/compare.sh' --job sound-name -- ", clone.display());
    assert!(stdout(&output).contains(&script), "{}", stdout(&output));
}

#[test]
fn what_fails_half_way_leaves_nothing() {
    let small = Small::new();
    small.set_template("rayon = \"=999999.0.0\"\n");
    let before = sources(small.dir.path());
    let output = small.new_job(&["sound-name"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).starts_with("error: cargo could not add it to Cargo.lock: "), "{}", stderr(&output));
    assert!(!small.here().join("sound-name").exists());
    assert!(sources(small.dir.path()) == before);
}

#[test]
fn help_has_an_example_and_wrong_usage_says_what_is_wrong() {
    let small = Small::new();
    let help = small.new_job(&["--help"]);
    assert_success(&help);
    let nothing = small.new_job(&[]);
    assert_eq!(nothing.status.code(), Some(2));
    for text in [stdout(&help), stderr(&nothing)] {
        for part in ["Usage: scripts/new-job.sh <NAME> [DIR]", "Examples:\n  scripts/new-job.sh word-counts "] {
            assert!(text.contains(part), "{text}");
        }
    }
    let no_text = OsStr::from_bytes(b"\xff");
    for arguments in [vec!["a".as_ref(), "b".as_ref(), "c".as_ref()], vec![no_text]] {
        let output = new_job(&small.clone(), &small.here(), &arguments);
        assert_eq!((output.status.code(), stderr(&output).lines().count()), (Some(2), 1), "{}", stderr(&output));
        assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
    }
}
