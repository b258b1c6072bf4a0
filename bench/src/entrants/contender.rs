//! A row of the tables: a program that honours a strategy's command line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::allocator::Allocator;
use crate::run::job::Job;
use crate::run::plan::{CONTROL, Cell, Kind, LIMIT, LIMIT_OF_ONE, Row, SEQUENTIAL};

/// A row: a name, a command, and the generator that it draws from. Nothing else of the tool knows what is behind the
/// command, so a row can be any program that takes the flags and prints the JSON of a strategy.
#[derive(Clone, Debug)]
pub struct Contender {
    /// The name of the row.
    pub name: String,
    /// The program and its leading arguments, as they are run in `dir`.
    pub argv: Vec<String>,
    /// Where it runs. Not recorded: it is an absolute path of this machine.
    pub dir: PathBuf,
    /// The program as results show it, quoted.
    pub shown: String,
    /// What the row is.
    pub kind: Kind,
    /// It draws from this generator instead of the job's.
    pub rng: Option<String>,
    /// What gives it memory.
    pub allocator: Allocator,
    /// It has so many workers instead of the job's.
    pub workers: Option<usize>,
    /// Lines of code, where there is source to count.
    pub lines: Option<usize>,
}

impl Contender {
    /// A compiled program, run in its own folder as `./NAME`, so that no export of any tool holds a path of this machine.
    pub fn program(path: &Path, shown: &str) -> Contender {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let dir = path.parent().unwrap_or(Path::new(".")).to_owned();
        let shown = shell_words::quote(shown).into_owned();
        Contender {
            argv: vec![format!("./{name}")],
            name,
            dir,
            shown,
            kind: Kind::Strategy,
            rng: None,
            allocator: Allocator::System,
            workers: None,
            lines: None,
        }
    }

    /// A compiled program by its whole path, run in the folder `dir`: of a job of the reader's, whose arguments may name files there.
    pub fn elsewhere(path: &Path, shown: &str, dir: &Path) -> Contender {
        let argv = vec![path.to_string_lossy().into_owned()];
        Contender { argv, dir: dir.to_owned(), ..Contender::program(path, shown) }
    }

    /// The program of the notebook at `script`, run by `python`: both paths below `root`, where it runs and is shown so.
    pub fn notebook(root: &Path, python: &str, script: &str) -> Contender {
        let name = Path::new(script).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let argv = vec![python.to_owned(), script.to_owned()];
        let shown = shell_words::join(&argv);
        Contender {
            argv,
            name,
            dir: root.to_owned(),
            shown,
            kind: Kind::Notebook,
            rng: None,
            allocator: Allocator::System,
            workers: None,
            lines: None,
        }
    }

    /// The same program drawing from `rng`, as a row of its own. The dot keeps its name clear of every package's.
    pub fn drawing_from(&self, rng: &str) -> Contender {
        Contender { name: format!("{}.{rng}", self.name), rng: Some(rng.to_owned()), ..self.clone() }
    }

    /// The program of `strategy` that was built with `allocator`, as a row of its own.
    pub fn with(self, strategy: &str, allocator: Allocator) -> Contender {
        Contender { name: allocator.row_of(strategy), allocator, ..self }
    }

    /// The command with `arguments`, ready to be started.
    pub fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).args(arguments).current_dir(&self.dir);
        command
    }

    /// The same as one line, quoted the way hyperfine takes it apart.
    pub fn command_line(&self, arguments: &[String]) -> String {
        shell_words::join(self.argv.iter().chain(arguments))
    }

    /// The command as results show it.
    pub fn shown_line(&self, arguments: &[String]) -> String {
        format!("{} {}", self.shown, shell_words::join(arguments))
    }

    /// The A/A control of this contender.
    pub fn control(&self) -> Contender {
        Contender { name: CONTROL.to_owned(), kind: Kind::Control, ..self.clone() }
    }

    /// This program as the machine's limit: with the job's workers, and with one.
    pub fn limits(&self) -> [Contender; 2] {
        let limit = Contender { name: LIMIT.to_owned(), kind: Kind::Limit, ..self.clone() };
        [limit.clone(), Contender { name: LIMIT_OF_ONE.to_owned(), workers: Some(1), ..limit }]
    }

    /// The row of the plan.
    pub fn row(&self, not_measured: Option<String>) -> Row {
        let (name, kind, lines, rng) = (self.name.clone(), self.kind, self.lines, self.rng.clone());
        Row { name, kind, lines, rng, allocator: self.allocator, not_measured }
    }

    /// This row at the job `at` of `jobs`, with `batches` per warm process.
    pub fn at(&self, at: usize, jobs: &[Job], batches: u32) -> Cell {
        let job = &jobs[at];
        let own = Job {
            rng: self.rng.clone().unwrap_or_else(|| job.rng.clone()),
            workers: self.workers.unwrap_or(job.workers),
            ..job.clone()
        };
        Cell {
            name: if jobs.len() > 1 { format!("{}#{}", self.name, at + 1) } else { self.name.clone() },
            row: self.name.clone(),
            at,
            command: self.shown_line(&own.flags()),
            job: own,
            rounds: None,
            cold_rounds: None,
            // Whether equal rows come out equal is judged by cold runs, and a run of several jobs is long as it is.
            warm_rounds: (self.kind == Kind::Control && jobs.len() > 1).then_some(0),
            batches,
        }
    }
}

/// Names of the strategies: every folder of `impls` with a manifest, sorted. The folder is the registry.
pub fn strategies(impls: &Path) -> io::Result<Vec<String>> {
    names(impls, |path| path.join("Cargo.toml").is_file())
}

/// Programs that are carried to another machine along with the strategies, and are none: this package's own, and the timer.
/// A program of any other name is taken for a strategy, so that one which does not even start is a failed row.
const CARRIED_ALONG: [&str; 5] = ["compare", "new-strategy", "new-job", LIMIT, "hyperfine"];

/// Names of the strategies among the executable files in `dir`, sorted. One that has its allocator in its name is no strategy
/// of its own.
pub fn programs(dir: &Path) -> io::Result<Vec<String>> {
    let has_allocator = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !Allocator::of_row(&name).1.is_system()
    };
    let is_carried_along = |path: &Path| CARRIED_ALONG.iter().any(|name| path.ends_with(name));
    names(dir, |path| is_executable(path) && !is_carried_along(path) && !has_allocator(path))
}

fn names(dir: &Path, wanted: impl Fn(&Path) -> bool) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && !name.starts_with('.')
            && wanted(&path)
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Whether this user may run it, as far as its permissions tell.
#[cfg(unix)]
pub(crate) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
pub(crate) fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Why a selection cannot be measured.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// A name that is none.
    #[error("there is no strategy `{name}`{}", match .nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => String::new(),
    })]
    Unknown {
        /// As it was asked for.
        name: String,
        /// The name that was most probably meant.
        nearest: Option<String>,
    },
    /// The denominator of every ratio is missing.
    #[error("there is no `{SEQUENTIAL}` among the strategies, and every ratio is taken to it")]
    NoSequential,
}

/// Those of `known` that `only` asks for, or all if it asks for none; `sequential` in any case.
pub fn select(known: &[String], only: &[String]) -> Result<Vec<String>, SelectError> {
    if let Some(name) = only.iter().find(|name| !known.contains(name)) {
        return Err(SelectError::Unknown { name: name.clone(), nearest: nearest(name, known) });
    }
    if !known.iter().any(|name| name == SEQUENTIAL) {
        return Err(SelectError::NoSequential);
    }
    let wanted = |name: &&String| only.is_empty() || only.contains(name) || *name == SEQUENTIAL;
    Ok(known.iter().filter(wanted).cloned().collect())
}

/// The known name that `name` was probably meant to be. Below a similarity of 0.7 a suggestion confuses more than it
/// helps: clap draws its line there too.
pub fn nearest(name: &str, known: &[String]) -> Option<String> {
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["process-pool", "rayon-iter", "sequential", "std-scope"].map(String::from).to_vec()
    }

    fn only(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn sequential_is_always_measured() {
        assert_eq!(select(&known(), &[]).unwrap(), known());
        assert_eq!(select(&known(), &only(&["std-scope"])).unwrap(), ["sequential", "std-scope"]);
        assert_eq!(select(&known(), &only(&["sequential"])).unwrap(), ["sequential"]);
        assert_eq!(select(&only(&["a"]), &[]), Err(SelectError::NoSequential));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one() {
        let error = |name| select(&known(), &only(&[name])).unwrap_err().to_string();
        assert_eq!(error("rayon_iter"), "there is no strategy `rayon_iter`; did you mean `rayon-iter`?");
        assert_eq!(error("proces-pol"), "there is no strategy `proces-pol`; did you mean `process-pool`?");
        assert_eq!(error("xyz"), "there is no strategy `xyz`");
    }

    #[test]
    fn the_folder_is_the_registry() {
        let impls = tempfile::tempdir().unwrap();
        for name in ["b", "a", "no-manifest", ".hidden"] {
            fs::create_dir(impls.path().join(name)).unwrap();
        }
        for name in ["b", "a", ".hidden"] {
            fs::write(impls.path().join(name).join("Cargo.toml"), "").unwrap();
        }
        fs::write(impls.path().join("clippy.toml"), "").unwrap();
        assert_eq!(strategies(impls.path()).unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_is_carried_along_is_no_strategy() {
        use std::os::unix::fs::PermissionsExt;
        let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
        let own = manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap());
        let dir = tempfile::tempdir().unwrap();
        for name in own.chain(["hyperfine", "b", "a", "a.mimalloc"]) {
            fs::write(dir.path().join(name), "").unwrap();
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(dir.path().join("a.d"), "").unwrap();
        assert_eq!(programs(dir.path()).unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_command_line_survives_being_taken_apart() {
        let mut contender = Contender::program(Path::new("/somewhere/python"), "python");
        contender.argv.push("a file.py".into());
        assert_eq!(contender.command_line(&["--keys".into(), "1".into()]), "./python 'a file.py' --keys 1");
        assert_eq!(contender.shown_line(&["--keys".into()]), "python --keys");
    }

    #[test]
    fn a_program_of_the_notebook_is_shown_as_it_is_run() {
        let contender = Contender::notebook(Path::new("/somewhere"), "target/python/bin/python", "a b/numpy-x.py");
        let other = contender.drawing_from("default_rng");
        assert_eq!((contender.name.as_str(), other.name.as_str()), ("numpy-x", "numpy-x.default_rng"));
        let line = "target/python/bin/python 'a b/numpy-x.py' --keys 1";
        let flags = ["--keys".to_owned(), "1".to_owned()];
        assert_eq!((contender.command_line(&flags).as_str(), other.shown_line(&flags).as_str()), (line, line));
    }
}
