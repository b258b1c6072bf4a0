//! All strategies in one release build.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{CompilerMessage, Message, Metadata, MetadataCommand, PackageId};

use crate::process;
use crate::process::interrupt::Interrupt;
use crate::run::allocator::Allocator;
use crate::run::plan::LIMIT;

/// Below the target folder, the folder of programs with another allocator, each allocator's in one of its own.
pub(crate) const ALLOCATORS: &str = "allocators";

/// Why there is nothing to measure.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// cargo does not know where it builds.
    #[error(transparent)]
    Metadata(#[from] cargo_metadata::Error),
    /// cargo could not be run.
    #[error("cargo could not be run: {0}")]
    Io(#[from] io::Error),
    /// cargo compiled nothing. One manifest whose dependencies cannot be resolved is enough for that.
    #[error("cargo did not start to build ({0}); what it says above concerns the whole workspace")]
    Refused(ExitStatus),
    /// What came out is not where release builds are.
    #[error("{0} was built outside of the release profile's folder; its times mean nothing")]
    Elsewhere(PathBuf),
    /// What came out checks itself.
    #[error(
        "{0} was built with debug assertions, so its times mean nothing; what sets them is the release profile of \
         Cargo.toml or of cargo's config, or CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS"
    )]
    DebugAssertions(PathBuf),
    /// Each strategy came out more than once.
    #[error("cargo's config names several targets, and one is measured: let CARGO_BUILD_TARGET be that one")]
    SeveralTargets,
}

/// Builds the packages `names` of the workspace at `root` in one go, and the program of the machine's limit if the workspace
/// has it. Shows cargo's output, and returns the executables that came out by name. A package that does not compile is not
/// among them; the others still are.
///
/// One go, so that all are built from the same dependencies with the same features.
///
/// With another allocator than the system's, the harness has the feature of that name, and the programs are in a folder of
/// their own below the target folder; cargo's intermediate files are not. So none takes another's place, cargo keeps what it has
/// compiled for each, and all that does not depend on the harness is compiled once.
pub fn build(
    root: &Path,
    names: &[String],
    allocator: Allocator,
    interrupt: &Interrupt,
) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let metadata = metadata(root)?;
    // A strategy may depend on a crate that is called the same: what a member made is told by its id.
    let programs = metadata.workspace_packages().into_iter().filter_map(|package| {
        let has_limit =
            allocator.is_system() && package.targets.iter().any(|target| target.is_bin() && target.name == LIMIT);
        let name = if has_limit { LIMIT } else { names.iter().find(|name| **name == *package.name)? };
        Some((package.id.clone(), name.to_owned()))
    });
    let programs: BTreeMap<PackageId, String> = programs.collect();
    let mut command = Command::new(cargo());
    command.args(["build", "--release", "--locked", "--keep-going", "--message-format", "json-render-diagnostics"]);
    // Of the whole workspace, by program: `-p NAME` would be ambiguous then, and with `-p` the features of dependencies would
    // be those of the selected packages, so that all would be built again for another selection.
    command.args(programs.values().flat_map(|name| ["--bin", name]));
    let mut target = metadata.target_directory.clone();
    if !allocator.is_system() {
        command.env("CARGO_BUILD_BUILD_DIR", metadata.build_directory.as_ref().unwrap_or(&target));
        target.extend([ALLOCATORS, allocator.name()]);
        command.args(["--features", &format!("harness/{}", allocator.name()), "--target-dir", target.as_str()]);
    }
    command.current_dir(root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(process::shown());
    let mut cargo = command.spawn()?;
    let said = process::pass_on(&mut cargo);
    let built = process::interruptible(cargo.id(), interrupt, || {
        let messages = cargo.stdout.take().ok_or_else(|| io::Error::other("no pipe to cargo"))?;
        let made = executables(BufReader::new(messages), &programs, &target, drop);
        if made.is_err() {
            // It may have ended by itself.
            let _ended = cargo.kill();
        }
        let status = cargo.wait()?;
        // A build that has started tells of its success by what it built.
        made?.ok_or(BuildError::Refused(status))
    });
    said.finish();
    built
}

/// The cargo that this program was started by, so that all is built by one.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The folder in which cargo builds the workspace at `root`.
pub(crate) fn target_directory(root: &Path) -> Result<Utf8PathBuf, cargo_metadata::Error> {
    Ok(metadata(root)?.target_directory)
}

/// The folder in which cargo builds the workspace at `root`, and whether the workspace has the program of the machine's limit.
pub(crate) fn expected(root: &Path) -> Result<(PathBuf, bool), cargo_metadata::Error> {
    let metadata = metadata(root)?;
    let mut targets = metadata.workspace_packages().into_iter().flat_map(|package| &package.targets);
    let has_limit = targets.any(|target| target.is_bin() && target.name == LIMIT);
    Ok((metadata.target_directory.into_std_path_buf(), has_limit))
}

/// Where programs with this allocator are below the target folder, unless cargo was told what to compile for.
pub(crate) fn release(target: &Path, allocator: Allocator) -> PathBuf {
    match allocator.is_system() {
        true => target.join("release"),
        false => target.join(ALLOCATORS).join(allocator.name()).join("release"),
    }
}

fn metadata(root: &Path) -> Result<Metadata, cargo_metadata::Error> {
    MetadataCommand::new().current_dir(root).no_deps().other_options(["--locked".to_owned()]).exec()
}

/// What cargo says that it has made of `members` below `target`, its folder; `None` if it did not start to build. What the compiler
/// says meanwhile goes to `hear`.
pub(super) fn executables(
    messages: impl BufRead,
    members: &BTreeMap<PackageId, String>,
    target: &Utf8Path,
    mut hear: impl FnMut(CompilerMessage),
) -> Result<Option<BTreeMap<String, PathBuf>>, BuildError> {
    let mut built = None;
    for message in Message::parse_stream(messages) {
        let built = built.get_or_insert_with(BTreeMap::new);
        let artifact = match message? {
            Message::CompilerArtifact(artifact) => artifact,
            Message::CompilerMessage(message) => {
                hear(message);
                continue;
            }
            _ => continue,
        };
        let Some(executable) = artifact.executable else { continue };
        if !is_release(&executable, target) {
            return Err(BuildError::Elsewhere(executable.into_std_path_buf()));
        }
        if artifact.profile.debug_assertions {
            return Err(BuildError::DebugAssertions(executable.into_std_path_buf()));
        }
        if let Some(name) = members.get(&artifact.package_id)
            && *name == artifact.target.name
            && built.insert(name.clone(), executable.into_std_path_buf()).is_some()
        {
            return Err(BuildError::SeveralTargets);
        }
    }
    Ok(built)
}

/// Whether cargo has put `executable` where it puts release builds: in `release`, itself in the folder of a target if cargo
/// was told one.
fn is_release(executable: &Utf8Path, target: &Utf8Path) -> bool {
    let release = executable.parent().filter(|folder| folder.file_name() == Some("release"));
    release.and_then(Utf8Path::parent).is_some_and(|above| above == target || above.parent() == Some(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cargo says about one program of the package `sequential`.
    fn artifact(executable: &str, debug_assertions: bool) -> String {
        let id = "path+file:///w/impls/sequential#0.0.0";
        let target = r#"{"kind":["bin"],"crate_types":["bin"],"name":"sequential","src_path":"/w/main.rs"}"#;
        let profile = format!(
            r#"{{"opt_level":"3","debug_assertions":{debug_assertions},"overflow_checks":false,"test":false}}"#
        );
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"{id}","manifest_path":"/w/Cargo.toml","target":{target},"profile":{profile},"features":[],"filenames":["{executable}"],"executable":"{executable}","fresh":true}}"#
        ) + "\n"
    }

    fn made(messages: &str) -> Result<Option<BTreeMap<String, PathBuf>>, BuildError> {
        let id = PackageId { repr: "path+file:///w/impls/sequential#0.0.0".to_owned() };
        executables(
            messages.as_bytes(),
            &BTreeMap::from([(id, "sequential".to_owned())]),
            Utf8Path::new("/w/target"),
            drop,
        )
    }

    #[test]
    fn a_release_build_is_one_for_any_target() {
        for path in ["/w/target/release/sequential", "/w/target/aarch64-unknown-linux-gnu/release/sequential"] {
            assert_eq!(made(&artifact(path, false)).unwrap().unwrap()["sequential"], PathBuf::from(path));
        }
        for path in ["/w/target/debug/sequential", "/elsewhere/release/sequential", "/w/target/a/b/release/sequential"]
        {
            assert!(matches!(made(&artifact(path, false)), Err(BuildError::Elsewhere(_))), "{path}");
        }
        let checked = made(&artifact("/w/target/release/sequential", true));
        assert!(matches!(checked, Err(BuildError::DebugAssertions(_))));
    }

    #[test]
    fn one_target_is_built_for() {
        let both = ["a", "b"].map(|target| artifact(&format!("/w/target/{target}/release/sequential"), false)).concat();
        assert!(matches!(made(&both), Err(BuildError::SeveralTargets)));
    }

    #[test]
    fn a_build_that_has_not_started_is_told_from_one_that_made_nothing() {
        assert!(made("").unwrap().is_none());
        let finished = "{\"reason\":\"build-finished\",\"success\":false}\n";
        assert!(made(finished).unwrap().unwrap().is_empty());
    }
}
