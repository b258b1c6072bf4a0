//! New crates, each made from a template under a name of its own: a [`strategy`] in this workspace, and a [`job`] anywhere.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

pub mod crates_io;
pub mod door;
pub mod job;
pub mod strategy;
pub mod workspace;

mod folder;
mod rename;
mod template;

/// Marks each place that only the author can fill in. No other file has it, so that grep finds them all.
pub const FILL_IN: &str = "FILL IN";

/// Why there is nothing that a crate could be made for or from, or why making it failed.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// Nothing can be made under this name.
    #[error(transparent)]
    Name(#[from] crate::entrants::name::NameError),
    /// It is to be made in no folder.
    #[error("DIR must be a folder that exists: {}: {source}", .dir.display())]
    Dir {
        /// As it was named.
        dir: PathBuf,
        /// Why it is none.
        source: io::Error,
    },
    /// It would be a crate of fanout's own.
    #[error("{} would be a crate of fanout's own workspace: name another DIR", .0.display())]
    Own(PathBuf),
    /// The current folder is gone.
    #[error("the folder that you are in: {0}")]
    Here(#[source] io::Error),
    /// cargo does not see a workspace here.
    #[error(transparent)]
    Metadata(#[from] cargo_metadata::Error),
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Cargo.lock is not what cargo writes.
    #[error("Cargo.lock: {0}")]
    Lock(#[from] toml::de::Error),
    /// A template is not what its module expects.
    #[error("{}: {why}", .path.display())]
    Template {
        /// Which of its files.
        path: PathBuf,
        /// What was expected.
        why: String,
    },
    /// cargo does not take the new package.
    #[error("cargo could not add it to Cargo.lock: {0}")]
    Update(String),
    /// cargo does not take the folder for a package.
    #[error("cargo refuses the new crate: {0}")]
    Refused(String),
    /// And what had been made is still there.
    #[error("{failure}; and {} could not be removed: {source}", .folder.display())]
    Left {
        /// Why it was not to stay.
        failure: Box<ScaffoldError>,
        /// What was made.
        folder: PathBuf,
        /// Why it is still there.
        source: io::Error,
    },
}

impl ScaffoldError {
    /// Whether it is for what was asked, not for how it went.
    pub fn is_usage(&self) -> bool {
        matches!(self, ScaffoldError::Name(_) | ScaffoldError::Dir { .. } | ScaffoldError::Own(_))
    }

    fn io(path: &Path) -> impl FnOnce(io::Error) -> ScaffoldError {
        move |source| ScaffoldError::Io { path: path.to_owned(), source }
    }
}

/// The cargo that runs this program, or the one that is found.
fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
