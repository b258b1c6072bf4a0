//! All programs of a job in one release build.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::camino::Utf8PathBuf;
use cargo_metadata::{MetadataCommand, PackageId};

use crate::entrants::building;
use crate::entrants::own::diagnosis::Heard;
use crate::entrants::own::{OwnJob, OwnJobError, programs};
use crate::process::interrupt::Interrupt;
use crate::process::{self, tell};
use crate::run::allocator::Allocator;

/// Beside the workspaces of jobs, what cargo makes for all of them.
const BUILD: &str = "build";

/// The programs of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// By strategy.
    pub programs: BTreeMap<String, PathBuf>,
    /// Strategies that were asked for, and whose program did not build. What cargo says of them was shown.
    pub failed: Vec<String>,
    /// The workspace that was made of them.
    pub root: PathBuf,
    /// The job's profile has `panic = "abort"`: a key that panics ends the program.
    pub panics_abort: bool,
}

/// Builds the programs of `job` for these `strategies` of the workspace at `root`, with these `features` of the job. Shows cargo's
/// output. A strategy whose program does not build is not among the programs; the others are.
///
/// cargo runs in the job's folder, so that its config there counts. With another allocator than the system's, the programs are in a
/// folder of their own, as [`building::build`] has them.
///
/// # Errors
///
/// Why there is no program at all, in a line; what that line is about was shown before.
pub fn build(
    job: &OwnJob,
    root: &Path,
    strategies: &[String],
    features: &[String],
    allocator: Allocator,
    interrupt: &Interrupt,
) -> Result<Built, OwnJobError> {
    let written = programs::write(job, root, building::target_directory(root)?.as_std_path(), features)?;
    let manifest = written.root.join("Cargo.toml");
    let ids = ids(&manifest, job)?;
    let wanted: BTreeMap<_, _> = ids.iter().filter(|(_, strategy)| strategies.contains(strategy)).collect();
    let base = written.root.join("target");
    let target = match allocator.is_system() {
        true => base.clone(),
        false => base.join(building::ALLOCATORS).join(allocator.name()),
    };
    let mut command = Command::new(building::cargo());
    command.args(["build", "--release", "--keep-going", "--message-format", message_format()]);
    command.arg("--manifest-path").arg(&manifest).arg("--target-dir").arg(&target);
    // Not by package, for the reason that the build of the strategies has.
    command.args(wanted.values().flat_map(|strategy| ["--bin", strategy]));
    if !allocator.is_system() {
        command.args(["--features", allocator.name()]);
    }
    // One for all jobs: what they have in common is compiled once, unless their profiles differ.
    let shared = written.root.with_file_name(BUILD);
    command.env("CARGO_BUILD_BUILD_DIR", shared).current_dir(&job.dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(process::shown());

    let target = Utf8PathBuf::try_from(target).map_err(|error| io::Error::other(error.to_string()));
    let target = target.map_err(OwnJobError::io(&base))?;
    let mut heard = Heard::default();
    let mut cargo = command.spawn().map_err(building::BuildError::Io)?;
    let said = process::pass_on(&mut cargo);
    let built = process::interruptible(cargo.id(), interrupt, || {
        let messages = cargo.stdout.take().ok_or_else(|| io::Error::other("no pipe to cargo"))?;
        let hear = |message| heard.hear(message, &ids, &job.dir);
        let made = building::executables(BufReader::new(messages), &ids, &target, hear);
        if made.is_err() {
            // It may have ended by itself.
            let _ended = cargo.kill();
        }
        let status = cargo.wait()?;
        made.map(|made| (made, status))
    });
    said.finish();
    interrupt.check()?;
    let (made, status) = built?;
    // After cargo's own words, whose progress they would be mixed with.
    for rendered in heard.shown.iter().chain(heard.of_programs()) {
        tell::say(rendered.trim_end());
        tell::say("");
    }
    let Some(programs) = made else { return Err(OwnJobError::Unresolved { manifest: job.manifest.clone(), status }) };
    if programs.is_empty() {
        return Err(heard.reason(job, status));
    }
    let failed = strategies.iter().filter(|strategy| !programs.contains_key(*strategy)).cloned().collect();
    Ok(Built { programs, failed, root: written.root, panics_abort: written.panics_abort })
}

/// The strategy of each package of the programs.
fn ids(manifest: &Path, job: &OwnJob) -> Result<BTreeMap<PackageId, String>, OwnJobError> {
    let mut command = MetadataCommand::new();
    let metadata =
        command.cargo_path(building::cargo()).manifest_path(manifest).no_deps().current_dir(&job.dir).exec()?;
    let members = metadata.packages.iter().filter_map(|member| {
        let program = member.targets.iter().find(|target| target.is_bin())?;
        Some((member.id.clone(), program.name.clone()))
    });
    Ok(members.collect())
}

/// Messages as they are shown later, in colour where that is seen.
fn message_format() -> &'static str {
    let is_colourless = env::var_os("NO_COLOR").is_some_and(|set| set != OsStr::new(""));
    if io::stderr().is_terminal() && !is_colourless { "json-diagnostic-rendered-ansi" } else { "json" }
}
