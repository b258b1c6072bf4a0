//! The workspace of this repository, which whatever is new must get along with.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{MetadataCommand, TargetKind};
use serde::Deserialize;

use super::ScaffoldError;
use crate::entrants::contender::strategies;
use crate::entrants::name::{Name, NameError};

/// What is in the workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    pub(super) root: PathBuf,
    pub(super) strategies: Vec<String>,
    /// Packages of the workspace.
    members: BTreeSet<String>,
    /// Name of a program or library, and the package that it is of.
    programs: Vec<(String, String)>,
    /// Packages from elsewhere.
    dependencies: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    /// What the workspace has itself, has none.
    source: Option<String>,
}

/// Reads the workspace that `dir` is in. Nothing is changed, and nothing downloaded.
///
/// # Errors
///
/// What is missing or cannot be read.
pub fn read(dir: &Path) -> Result<Workspace, ScaffoldError> {
    let metadata = MetadataCommand::new().current_dir(dir).no_deps().other_options(["--offline".to_owned()]).exec()?;
    let root = metadata.workspace_root.into_std_path_buf();
    let impls = root.join("impls");
    let lock = root.join("Cargo.lock");
    let lock: Lock = toml::from_str(&fs::read_to_string(&lock).map_err(ScaffoldError::io(&lock))?)?;
    let mut programs = Vec::new();
    for package in &metadata.packages {
        let kept = |kind: &TargetKind| matches!(kind, TargetKind::Bin | TargetKind::Lib | TargetKind::ProcMacro);
        let kept = package.targets.iter().filter(|target| target.kind.iter().any(kept));
        programs.extend(kept.map(|target| (target.name.clone(), package.name.to_string())));
    }
    Ok(Workspace {
        strategies: strategies(&impls).map_err(ScaffoldError::io(&impls))?,
        members: metadata.packages.iter().map(|package| package.name.to_string()).collect(),
        programs,
        dependencies: lock.package.into_iter().filter(|it| it.source.is_some()).map(|it| it.name).collect(),
        root,
    })
}

impl Workspace {
    /// Where it is for whoever is in `here`: nowhere else, or at an absolute path.
    pub fn seen_from(&self, here: &Path) -> PathBuf {
        match (here.canonicalize(), self.root.canonicalize()) {
            (Ok(here), Ok(root)) if here == root => PathBuf::new(),
            _ => self.root.clone(),
        }
    }

    /// Fails if a package of the workspace has the name.
    pub(super) fn has_no_member(&self, name: &Name) -> Result<(), NameError> {
        match self.members.iter().any(|member| is(member, name)) {
            true => Err(NameError::Member(name.clone())),
            false => Ok(()),
        }
    }

    /// Fails if a program or a library of the workspace has the name.
    pub(super) fn has_no_program(&self, name: &Name) -> Result<(), NameError> {
        match self.programs.iter().find(|(program, _)| is(program, name)) {
            Some((_, package)) => Err(NameError::Program { name: name.clone(), package: package.clone() }),
            None => Ok(()),
        }
    }

    /// Fails if something that the workspace depends on has the name.
    pub(super) fn has_no_dependency(&self, name: &Name) -> Result<(), NameError> {
        match self.dependencies.iter().find(|dependency| is(dependency, name)) {
            Some(dependency) => Err(NameError::Dependency { name: name.clone(), dependency: dependency.clone() }),
            None => Ok(()),
        }
    }
}

/// Whether a crate of the one name would be called in Rust what one of the other is.
fn is(existing: &str, name: &Name) -> bool {
    existing.replace('_', "-") == name.kebab()
}
