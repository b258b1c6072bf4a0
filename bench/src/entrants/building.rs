//! All strategies in one release build.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use cargo_metadata::camino::Utf8Path;
use cargo_metadata::{Message, MetadataCommand, PackageId};

use crate::process;
use crate::process::interrupt::Interrupt;

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
    /// What came out is no release build.
    #[error("{0} was built outside of the release profile's folder or with debug assertions; its times mean nothing")]
    NotRelease(PathBuf),
}

/// Builds the packages `names` of the workspace at `root` in one go, showing cargo's output, and returns the executables
/// that came out by name. A package that does not compile is not among them; the others still are.
///
/// One go, so that all are built from the same dependencies with the same features.
pub fn build(root: &Path, names: &[String], interrupt: &Interrupt) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().other_options(["--locked".to_owned()]).exec()?;
    let release = metadata.target_directory.join("release");
    // A strategy may depend on a crate that is called the same: what a member made is told by its id.
    let members = metadata.workspace_packages().into_iter().filter(|package| names.contains(&package.name));
    let members: BTreeMap<PackageId, String> =
        members.map(|package| (package.id.clone(), package.name.to_string())).collect();
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--locked", "--keep-going", "--message-format", "json-render-diagnostics"]);
    // Of the whole workspace, by program: `-p NAME` would be ambiguous then, and with `-p` the features of dependencies would
    // be those of the selected packages, so that all would be built again for another selection.
    command.args(names.iter().flat_map(|name| ["--bin", name]));
    command.current_dir(root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(process::shown());
    let mut cargo = command.spawn()?;
    process::pass_on(&mut cargo);
    process::interruptible(cargo.id(), interrupt, || executables(&mut cargo, &members, &release))
}

/// What cargo says that it has made of `members`, which are to be in `release`.
fn executables(
    cargo: &mut Child,
    members: &BTreeMap<PackageId, String>,
    release: &Utf8Path,
) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let messages = cargo.stdout.take().ok_or_else(|| io::Error::other("no pipe to cargo"))?;
    let mut built = BTreeMap::new();
    let mut started = false;
    for message in Message::parse_stream(BufReader::new(messages)) {
        started = true;
        let Message::CompilerArtifact(artifact) = message? else { continue };
        let Some(executable) = artifact.executable else { continue };
        if artifact.profile.debug_assertions || executable.parent() != Some(release) {
            return Err(BuildError::NotRelease(executable.into_std_path_buf()));
        }
        if let Some(name) = members.get(&artifact.package_id)
            && *name == artifact.target.name
        {
            built.insert(name.clone(), executable.into_std_path_buf());
        }
    }
    let status = cargo.wait()?;
    // A build that has started tells of its success by what it built.
    if !started && !status.success() {
        return Err(BuildError::Refused(status));
    }
    Ok(built)
}
