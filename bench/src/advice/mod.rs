//! Which strategy to pick, and how long it will take: from a small cost model that is fitted to a run with its sweeps.
//!
//! - [`case`]: what is asked.
//! - [`schedule`]: how long unequal or sleeping keys take, shared out in one way or another.
//! - [`model`]: what a strategy costs beside the keys' own work, and where that was measured.
//! - [`observed`] and [`fit`]: the model, from a run's files. It is stored beside them, as `model.json`.
//! - [`answer`]: the pick, the runner-up and the reasons.
//! - [`check`]: predictions against fresh measurements.
//! - [`traits`]: what counts beside time.
//! - [`own`]: the same for a job of one's own, from what its keys take.

use std::fs;
use std::path::{Path, PathBuf};

use crate::advice::model::{FORMAT, Model};
use crate::advice::observed::{NEEDED, NoModel};
use crate::advice::traits::Traits;
use crate::run::folder::{self, FileError, PLAN, write_json};
use crate::run::full::Full;

pub mod agreement;
pub mod answer;
pub mod case;
pub mod check;
pub mod fit;
pub mod model;
pub mod observed;
pub mod own;
pub mod traits;

// Where it is optimised.
pub use statistics::schedule;

#[cfg(test)]
mod synthetic;

/// The file of a model, in the folder of its run.
pub const MODEL: &str = "model.json";

/// Why a run gives no advice.
#[derive(Debug, thiserror::Error)]
pub enum AdviceError {
    /// It cannot be read, or the model cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It says too little.
    #[error("{}: {why}", .dir.display())]
    NoModel {
        /// The run's folder.
        dir: PathBuf,
        /// What is missing.
        why: NoModel,
    },
}

/// Fits a model to the run in `dir` and stores it there. What manifests say of the strategies is stored with it, so that a carried
/// run keeps it.
///
/// # Errors
///
/// If the run cannot be read, has no sweeps, or the model cannot be written.
pub fn store(dir: &Path) -> Result<Model, AdviceError> {
    let model = fit(dir)?;
    write_json(&dir.join(MODEL), &model)?;
    Ok(model)
}

/// The model of the run in `dir`: as it is stored, or fitted again where it is not, or was stored in another format.
///
/// # Errors
///
/// If the run cannot be read or has no sweeps.
pub fn load(dir: &Path) -> Result<Model, AdviceError> {
    let stored = fs::read(dir.join(MODEL)).ok().and_then(|bytes| serde_json::from_slice::<Model>(&bytes).ok());
    match stored.filter(|model| model.format == FORMAT) {
        Some(model) => Ok(model),
        None => fit(dir),
    }
}

fn fit(dir: &Path) -> Result<Model, AdviceError> {
    let full = Full::read(dir)?;
    let root = root(dir);
    let of_manifest = |name: &str| Traits::read(root.as_deref(), name);
    fit::fit(&full, of_manifest).map_err(|why| AdviceError::NoModel { dir: dir.to_owned(), why })
}

/// The repository that `dir` is in, else the one that we are in.
fn root(dir: &Path) -> Option<PathBuf> {
    let above = |dir: PathBuf| {
        let mut dirs = dir.ancestors();
        dirs.find(|dir| dir.join("impls").is_dir() && dir.join("Cargo.toml").is_file()).map(Path::to_owned)
    };
    let here = || std::env::current_dir().ok().and_then(above);
    dir.canonicalize().ok().and_then(above).or_else(here)
}

/// Whether the run in `dir` has all sweeps that advice needs.
pub fn has_sweeps(dir: &Path) -> bool {
    NEEDED.iter().all(|sweep| dir.join(sweep).join(PLAN).is_file())
}

/// The newest run with all sweeps that advice needs.
pub fn newest(root: &Path) -> Option<PathBuf> {
    folder::newest(root, has_sweeps)
}
