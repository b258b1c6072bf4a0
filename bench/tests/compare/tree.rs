//! A folder in which `compare` finds all that it needs, and what a test asks of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bench::run::Run;
use tempfile::TempDir;

/// For what happens within a second on an idle machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// A folder with `programs/NAME` for each name, a hyperfine on its PATH, and nothing else.
pub(crate) struct Tree {
    pub(crate) dir: TempDir,
}

impl Tree {
    pub(crate) fn new(names: &[&str]) -> Tree {
        let tree = Tree { dir: tempfile::tempdir().unwrap() };
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes");
        for folder in ["programs", "path", "state"] {
            fs::create_dir(tree.path(folder)).unwrap();
        }
        // Links, not copies: a file that was just written cannot be run while any other test is starting a process.
        for name in names {
            symlink(fakes.join("strategy.sh"), tree.path("programs").join(name)).unwrap();
        }
        symlink(fakes.join("hyperfine.sh"), tree.path("path/hyperfine")).unwrap();
        tree
    }

    /// With a notebook of these programs, and a Python on the PATH that runs them.
    pub(crate) fn with_notebook(names: &[&str], programs: &[&str]) -> Tree {
        let tree = Tree::new(names);
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes");
        symlink(fakes.join("python.sh"), tree.path("path/python3")).unwrap();
        let notebook = tree.path("bench/notebook");
        fs::create_dir_all(&notebook).unwrap();
        fs::write(notebook.join("requirements.txt"), "pinned==1\n").unwrap();
        fs::write(notebook.join("harness.py"), "shared = 1\n").unwrap();
        for name in programs {
            fs::write(notebook.join(name).with_extension("py"), "\"\"\"About.\"\"\"\n\nimport harness\n").unwrap();
        }
        tree
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn compare(&self, arguments: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", self.path("path").display())).env("FAKE_STATE", self.path("state"));
        // A fake cargo puts fake programs where it is told to.
        command.env_remove("FANOUT_WORKERS").env_remove("RUSTFLAGS").env_remove("CARGO_TARGET_DIR");
        command
    }

    pub(crate) fn measure(&self, arguments: &[&str]) -> Output {
        self.compare(&[&["--bin-dir", "programs", "--workers", "2"], arguments].concat()).output().unwrap()
    }

    /// The folder of the only run.
    pub(crate) fn run_dir(&self) -> PathBuf {
        let entries = fs::read_dir(self.path("results/local")).unwrap().map(|entry| entry.unwrap().path());
        let runs: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs[0].clone()
    }

    pub(crate) fn run(&self) -> Run {
        Run::read(&self.run_dir()).unwrap()
    }

    pub(crate) fn page(&self) -> String {
        fs::read_to_string(self.run_dir().join("README.md")).unwrap()
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.path("state/calls")).unwrap().lines().map(str::to_owned).collect()
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
pub(crate) fn assert_status(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
}

/// The line of the first table that begins with this row.
pub(crate) fn row<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    page.lines().map(cells).find(|cells| cells.get(1) == Some(&name)).unwrap_or_else(|| panic!("no {name} in:\n{page}"))
}

/// Ends a child whatever becomes of the test.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
pub(crate) fn until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(started.elapsed() < DEADLINE, "no {what} after {DEADLINE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs what `compare` would run in a shell, as a part of `line`.
pub(crate) fn in_a_shell(compare: &Command, dir: &Path, line: &str) -> Output {
    let mut shell = Command::new("bash");
    shell.args(["-c", line, "bash"]).arg(compare.get_program()).args(compare.get_args());
    shell.current_dir(dir).stdin(Stdio::null());
    shell.envs(compare.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env_remove("FANOUT_WORKERS").env_remove("CARGO_TARGET_DIR").output().unwrap()
}
