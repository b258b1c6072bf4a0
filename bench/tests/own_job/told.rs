//! A job that does what it is told, below a folder with a space in its name, and `compare` as its owner calls it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A thread, a process, and what both are compared with.
pub(crate) const STRATEGIES: &str = "sequential,rayon-iter,process-pool";

/// The manifest, but for the dependency. What its profile says builds fastest.
const MANIFEST: &str = "\
[package]
name = \"told\"
edition = \"2024\"

[features]
broken = []
none = []
threads = []
twice = []

[profile.release]
codegen-units = 256
debug = false
incremental = true
opt-level = 0

[workspace]
";

/// The programs of a job have one place, whatever its features are: those who run them share it, and who builds others has it alone.
static PROGRAMS: RwLock<()> = RwLock::new(());

pub(crate) fn shared() -> RwLockReadGuard<'static, ()> {
    PROGRAMS.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    PROGRAMS.write().unwrap_or_else(PoisonError::into_inner)
}

/// What a test has for itself: a folder for runs, and a hyperfine.
pub(crate) struct Owner {
    dir: TempDir,
}

impl Owner {
    /// Beside the job, which is written once: cargo then builds it once.
    pub(crate) fn new() -> Owner {
        let manifest =
            format!("{MANIFEST}\n[dependencies]\nfanout = {{ path = {:?} }}\n", root().join("shared/fanout"));
        for (path, text) in [("Cargo.toml", &*manifest), ("src/lib.rs", include_str!("told/lib.rs"))] {
            let path = jobs().join("told").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if fs::read_to_string(&path).ok().as_deref() != Some(text) {
                // In one step: another test may be reading it.
                let written = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
                fs::write(written.path(), text).unwrap();
                written.persist(&path).unwrap();
            }
        }
        let owner = Owner { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(owner.path("path")).unwrap();
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes");
        symlink(fakes.join("hyperfine.sh"), owner.path("path/hyperfine")).unwrap();
        owner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `compare`, called from the folder of jobs.
    pub(crate) fn compare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
        command.args(arguments).current_dir(root()).stdin(Stdio::null()).env("FANOUT_CALLED_FROM", jobs());
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.path("path").display())).env("FAKE_STATE", self.dir.path());
        // No test asks crates.io, and words are the last whether there is a backtrace or not.
        command.env("CARGO_TARGET_DIR", target()).env("CARGO_NET_OFFLINE", "true").env("RUST_BACKTRACE", "1");
        command.env_remove("FANOUT_WORKERS").env_remove("RUSTFLAGS");
        command
    }

    /// The same with the job, these flags, and the words after `--`.
    pub(crate) fn asks(&self, flags: &str, told: &[&str]) -> Command {
        let flags: Vec<&str> = flags.split_whitespace().collect();
        let out = self.path("runs");
        let mut command = self.compare(&[&flags, &["--job", "told", "--out", out.to_str().unwrap()][..]].concat());
        if !told.is_empty() {
            command.arg("--").args(told);
        }
        command
    }

    /// The folders of runs, the first one first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path("runs")) else { return Vec::new() };
        let mut runs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
        runs.sort();
        runs
    }

    pub(crate) fn page(&self) -> String {
        fs::read_to_string(self.runs()[0].join("README.md")).unwrap()
    }
}

/// Where this repository is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What is built stays beside what the outer cargo builds, so that only the first run is slow.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("own-job")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The folder that the owner of the job is in.
pub(crate) fn jobs() -> PathBuf {
    target().join("my jobs")
}

/// Runs `command` to its end.
#[track_caller]
pub(crate) fn ends(mut command: Command, status: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
    output
}

/// Interrupts `command` once it has said a line that begins with `word`. Returns its status, what else it said, and how long that took.
#[track_caller]
pub(crate) fn interrupted(mut command: Command, word: &str) -> (Option<i32>, String, Duration) {
    let mut compare = Killed(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(compare.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with(word) {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended without saying: {word}");
    }
    assert!(Command::new("kill").args(["-INT", &compare.0.id().to_string()]).status().unwrap().success());
    let began = Instant::now();
    let mut rest = String::new();
    // Processes that it leaves behind would hold this pipe, or be found by their file.
    said.read_to_string(&mut rest).unwrap();
    (compare.0.wait().unwrap().code(), rest, began.elapsed())
}

/// Ends a child whatever becomes of the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
