//! The workspace of the programs: a package for each strategy, so that one that does not build leaves the others.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use toml::{Table, Value};
use xxhash_rust::xxh3::xxh3_64;

use crate::entrants::contender::strategies;
use crate::entrants::name::Name;
use crate::entrants::own::{OwnJob, OwnJobError, inherited, lock, read_if_there};
use crate::run::allocator::Allocator;

/// Below the target folder, the workspaces of jobs.
const JOBS: &str = "jobs";

/// What the name of each generated package begins with.
pub(super) const PROGRAM: &str = "run-";

/// What the job is called in a program: one line then fits all.
const JOB: &str = "own_job";

/// What all of a workspace was last written from. What cargo has added to the lockfile since stays until that changes.
const WRITTEN_FROM: &str = "written-from";

/// A workspace that was written.
pub(super) struct Programs {
    pub(super) root: PathBuf,
    pub(super) panics_abort: bool,
}

/// Writes the programs of all strategies below `target`, the target folder of the workspace at `root`. Of all, since the features of
/// a dependency, and the versions that the lockfile keeps, would be others for another selection.
pub(super) fn write(job: &OwnJob, root: &Path, target: &Path, features: &[String]) -> Result<Programs, OwnJobError> {
    // Other features make other programs, and a run that goes on needs its own.
    let told_apart = [job.dir.as_os_str().as_encoded_bytes(), features.join(",").as_bytes()].join(&0);
    let hash = xxh3_64(&told_apart);
    let programs = target.join(JOBS).join(format!("{}-{hash:016x}", job.name));
    let impls = root.join("impls");
    let names = strategies(&impls).map_err(OwnJobError::io(&impls))?;
    // Other names are no strategies' that could have been made, and none are built.
    let names: Vec<Name> = names.iter().filter_map(|name| Name::new(name).ok()).collect();

    let of_job = toml(&job.workspace.join("Cargo.toml"))?.unwrap_or_default();
    let locked = lock::merged(
        toml(&job.workspace.join("Cargo.lock"))?.as_ref(),
        &toml(&root.join("Cargo.lock"))?.unwrap_or_default(),
    );
    let mut files =
        vec![(PathBuf::from("Cargo.toml"), workspace(&names, &inherited::inherited(&of_job, &job.workspace)))];
    for name in &names {
        let folder = Path::new(name.kebab());
        files.push((folder.join("Cargo.toml"), manifest(job, name, features)));
        files.push((folder.join("src/main.rs"), main(job, name)));
    }
    files.push((PathBuf::from("Cargo.lock"), locked.to_string()));
    let panics_abort = inherited::panics_abort(&of_job);

    let all: String = files.iter().map(|(path, text)| format!("{}\n{text}\n", path.display())).collect();
    let written_from = programs.join(WRITTEN_FROM);
    if read_if_there(&written_from)?.as_ref() != Some(&all) {
        for (path, text) in &files {
            put(&programs.join(path), text)?;
        }
        // The last, so that a run that ends before is done again.
        put(&written_from, &all)?;
    }
    Ok(Programs { root: programs, panics_abort })
}

/// The package of a strategy's program.
pub(super) fn package(strategy: &str) -> String {
    format!("{PROGRAM}{strategy}")
}

fn toml(path: &Path) -> Result<Option<Table>, OwnJobError> {
    let parse = |text: String| text.parse::<Table>();
    let parsed = read_if_there(path)?.map(parse).transpose();
    parsed.map_err(|error| OwnJobError::Toml { path: path.to_owned(), why: error.message().to_owned() })
}

/// Writes what is not there yet. A file that is left alone is none that cargo builds again.
fn put(path: &Path, text: &str) -> Result<(), OwnJobError> {
    if read_if_there(path)?.as_deref() == Some(text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(OwnJobError::io(folder))?;
    fs::write(path, text).map_err(OwnJobError::io(path))
}

fn workspace(names: &[Name], inherited: &Table) -> String {
    let mut workspace = Table::new();
    workspace.insert("resolver".to_owned(), "3".into());
    workspace.insert("members".to_owned(), names.iter().map(|name| name.kebab().into()).collect::<Vec<Value>>().into());
    let mut manifest = Table::from_iter([("workspace".to_owned(), workspace.into())]);
    manifest.extend(inherited.clone());
    manifest.to_string()
}

fn manifest(job: &OwnJob, name: &Name, features: &[String]) -> String {
    let (package, program) = (package(name.kebab()), name.kebab());
    let path = |path: &Path| Value::from(path.display().to_string());
    let strategy = path(&job.fanout.join("impls").join(program));
    let harness = path(&job.fanout.join("shared/harness"));
    let (dir, of_job) = (path(&job.dir), Value::from(&*job.name));
    let features = Value::from(features.to_vec());
    // Features of the harness alone would not be among what the lockfile keeps, since it is no member.
    let others = Allocator::value_variants().iter().filter(|allocator| !allocator.is_system());
    let allocators: String = others.map(|other| format!("{0} = [\"harness/{0}\"]\n", other.name())).collect();
    format!(
        "[package]\nname = \"{package}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [[bin]]\nname = \"{program}\"\npath = \"src/main.rs\"\n\n\
         [features]\n{allocators}\n[dependencies]\n{program} = {{ path = {strategy}, default-features = false }}\nharness = {{ path = {harness} }}\n\
         {JOB} = {{ path = {dir}, package = {of_job}, features = {features} }}\n"
    )
}

fn main(job: &OwnJob, name: &Name) -> String {
    let (snake, camel, kebab, of_job) = (name.snake(), name.camel(), name.kebab(), &job.name);
    format!(
        "fn main() -> std::process::ExitCode {{\n    \
         harness::job_main!({snake}::{camel}, \"{kebab}\", {JOB}::FanoutJob, \"{of_job}\")\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(fanout: &Path, dir: &Path) -> OwnJob {
        OwnJob {
            name: "primes".to_owned(),
            lib: "primes".to_owned(),
            dir: dir.to_owned(),
            source: dir.join("src/lib.rs"),
            shown: "src/lib.rs".to_owned(),
            manifest: "Cargo.toml".to_owned(),
            features: std::collections::BTreeSet::new(),
            workspace: dir.to_owned(),
            fanout: fanout.to_owned(),
        }
    }

    #[test]
    fn a_program_depends_on_its_strategy_on_the_harness_and_on_the_job() {
        let name = Name::new("rayon-iter").unwrap();
        let job = job(Path::new("/f"), Path::new("/my \"jobs\"/p"));
        let expected = "[package]\nname = \"run-rayon-iter\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
                        [[bin]]\nname = \"rayon-iter\"\npath = \"src/main.rs\"\n\n\
                        [features]\nmimalloc = [\"harness/mimalloc\"]\njemalloc = [\"harness/jemalloc\"]\n\n\
                        [dependencies]\nrayon-iter = { path = \"/f/impls/rayon-iter\", default-features = false }\n\
                        harness = { path = \"/f/shared/harness\" }\n\
                        own_job = { path = '/my \"jobs\"/p', package = \"primes\", features = [\"fast\"] }\n";
        assert_eq!(manifest(&job, &name, &["fast".to_owned()]), expected);
        let expected = "fn main() -> std::process::ExitCode {\n    \
                        harness::job_main!(rayon_iter::RayonIter, \"rayon-iter\", own_job::FanoutJob, \"primes\")\n}\n";
        assert_eq!(main(&job, &name), expected);
    }

    #[test]
    fn the_workspace_has_a_member_per_strategy_and_what_it_inherits() {
        let inherited: Table = "[profile.release]\nlto = true\n".parse().unwrap();
        let names = ["a", "b"].map(|name| Name::new(name).unwrap());
        let expected = "[workspace]\nresolver = \"3\"\nmembers = [\"a\", \"b\"]\n[profile.release]\nlto = true\n";
        assert_eq!(workspace(&names, &inherited).parse::<Table>(), expected.parse());
    }

    #[test]
    fn nothing_is_written_again_until_something_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = |path: &str| dir.path().join(path);
        put(&path("f/impls/sequential/Cargo.toml"), "").unwrap();
        let job = job(&path("f"), &path("job"));
        let write = |features: &[String]| write(&job, &path("f"), &path("t"), features).unwrap().root;
        let lock = write(&[]).join("Cargo.lock");
        fs::write(&lock, "# cargo's").unwrap();
        assert_eq!(fs::read_to_string(write(&[]).join("Cargo.lock")).unwrap(), "# cargo's");
        put(&path("job/Cargo.lock"), "[[package]]\nname = \"x\"\nversion = \"1.0.0\"\n").unwrap();
        write(&[]);
        assert!(fs::read_to_string(&lock).unwrap().contains("name = \"x\""));
        assert_ne!(write(&["fast".to_owned()]), write(&[]), "the programs of a run that may go on");
    }
}
