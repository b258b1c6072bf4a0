//! A job of the reader's: its crate is found, a program of it is made for each strategy, and all are built.
//!
//! The programs are a workspace of their own below the target folder. It takes its profile, its patches and its versions from the
//! job's workspace, so that a key computes with what it would have at home. Nothing is written beside the job.

mod building;
mod diagnosis;
mod finding;
mod inherited;
mod lock;
mod programs;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

pub use building::{Built, build};

use crate::entrants::building::BuildError;
use crate::process::interrupt::Interrupted;

/// A library crate with `fanout::job!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnJob {
    /// Its package.
    pub name: String,
    /// Its library's name in Rust.
    pub lib: String,
    /// The folder of its manifest.
    pub dir: PathBuf,
    /// The root of its library.
    pub source: PathBuf,
    /// `source` as the user would type it in the current folder.
    pub shown: String,
    /// Its manifest, likewise.
    pub manifest: String,
    /// Where cargo finds the workspace that it is in: the profile, the patches and the lockfile are there.
    pub workspace: PathBuf,
    /// Features that its crate has.
    pub features: BTreeSet<String>,
    /// The workspace of the strategies, as the job's manifest writes it. Another way of writing it would be another crate `fanout`
    /// to cargo.
    pub fanout: PathBuf,
}

impl OwnJob {
    /// That its crate has these features; one of a dependency, `crate/feature`, is cargo's to judge.
    ///
    /// # Errors
    ///
    /// Which it has not.
    pub fn check_features(&self, features: &[String]) -> Result<(), OwnJobError> {
        let unknown = features.iter().find(|it| !it.contains('/') && !self.features.contains(*it));
        unknown.map_or(Ok(()), |feature| {
            Err(OwnJobError::NoFeature {
                manifest: self.manifest.clone(),
                name: self.name.clone(),
                feature: feature.clone(),
                known: self.features.iter().cloned().collect(),
            })
        })
    }

    /// A job whose programs were built elsewhere: of its crate nothing is known but where it was, which may be nowhere here.
    pub fn carried(path: &Path) -> OwnJob {
        let shown = path.display().to_string();
        let path = path.to_owned();
        OwnJob {
            name: String::new(),
            lib: String::new(),
            dir: path.clone(),
            source: path.clone(),
            manifest: shown.clone(),
            shown,
            workspace: path.clone(),
            features: BTreeSet::new(),
            fanout: path,
        }
    }
}

/// Why a job cannot be measured.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what its variant and fields are")]
pub enum OwnJobError {
    #[error("{}: no such file or folder", .0.display())]
    Missing(PathBuf),
    #[error("{}: no Cargo.toml in this folder; a job is a library crate", .0.display())]
    NoManifest(PathBuf),
    #[error("{}: neither a folder nor a Cargo.toml; a job is a library crate", .0.display())]
    NotAManifest(PathBuf),
    #[error("{manifest}: {why}")]
    Manifest { manifest: String, why: String },
    #[error("{manifest}: a workspace without a package of its own; give the path of one of its crates: {}", .members.join(", "))]
    Several { manifest: String, members: Vec<String> },
    #[error("{manifest}: `{name}` has no library target; a job is a library, src/lib.rs")]
    NoLibrary { manifest: String, name: String },
    #[error("{manifest}: `{name}` does not depend on `fanout`; write `{line}` below [dependencies]")]
    NoFanout { manifest: String, name: String, line: String },
    #[error("{manifest}: `{name}` depends on another `fanout` ({found}); write `{line}` below [dependencies]")]
    AnotherFanout { manifest: String, name: String, found: String, line: String },
    #[error("{manifest}: `{name}` has no feature `{feature}`{}", match .known.as_slice() {
        [] => "; it has none".to_owned(),
        known => format!("; it has {}", known.join(", ")),
    })]
    NoFeature { manifest: String, name: String, feature: String, known: Vec<String> },
    #[error("{manifest}: `{name}` is the name of a crate of fanout's; give the package another `name`")]
    Taken { manifest: String, name: String },
    #[error("{}: {why}", .path.display())]
    Io { path: PathBuf, why: io::Error },
    #[error("{}: {why}", .path.display())]
    Toml { path: PathBuf, why: String },
    #[error(transparent)]
    Metadata(#[from] cargo_metadata::Error),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error(
        "{manifest}: cargo did not start to build ({status}); what it says above concerns the dependencies of the job beside those \
         of the strategies"
    )]
    Unresolved { manifest: String, status: ExitStatus },
    #[error(
        "{shown}: no `fanout::job!` at the root of the library; `fanout::job!(TYPE, |arguments| Ok(…));` declares the job"
    )]
    NoJob { shown: String },
    #[error("{shown}: more than one `fanout::job!`; a library declares one job")]
    SeveralJobs { shown: String },
    #[error("{shown}: `{name}` does not build: see above")]
    JobDoesNotBuild { shown: String, name: String },
    #[error("{manifest}: `{name}` cannot be built, since `{}` does not build: see above", .crates.join("`, `"))]
    DependencyDoesNotBuild { manifest: String, name: String, crates: Vec<String> },
    #[error("{shown}: no strategy takes the job: see above")]
    NotTaken { shown: String },
    #[error("{manifest}: cargo built no program ({status}): see above")]
    Nothing { manifest: String, status: ExitStatus },
}

impl OwnJobError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> OwnJobError {
        move |why| OwnJobError::Io { path: path.to_owned(), why }
    }
}

/// The text of the file at `path`, and nothing where there is none.
fn read_if_there(path: &Path) -> Result<Option<String>, OwnJobError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OwnJobError::io(path)(error)),
    }
}
