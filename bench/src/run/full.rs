//! A run with all its sweeps: `results/STAMP/`, and `results/STAMP/SWEEP/` for each, which is a run of its own.

use std::path::Path;

use crate::run::Run;
use crate::run::folder::{FileError, PLAN};
use crate::run::sweep::SWEEPS;

/// A run with all its sweeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Full {
    /// The run itself.
    pub run: Run,
    /// Its sweeps, in the order of [`SWEEPS`]. A run that is itself a sweep has none.
    pub sweeps: Vec<Run>,
}

/// The sweeps that are there below the run in `dir`, in the order of [`SWEEPS`]: the name of each, and the run if it can be read.
pub fn sweeps(dir: &Path) -> impl Iterator<Item = (&'static str, Result<Run, FileError>)> {
    let below = SWEEPS.iter().map(|sweep| (sweep.name, dir.join(sweep.name)));
    below.filter(|(_, dir)| dir.join(PLAN).is_file()).map(|(name, dir)| (name, Run::read(&dir)))
}

impl Full {
    /// Reads the folder of a run, and those of its sweeps that are there.
    ///
    /// # Errors
    ///
    /// As [`Run::read`].
    pub fn read(dir: &Path) -> Result<Full, FileError> {
        Ok(Full { run: Run::read(dir)?, sweeps: sweeps(dir).map(|(_, run)| run).collect::<Result<_, _>>()? })
    }

    /// The sweep called `name`, if it was measured.
    pub fn sweep(&self, name: &str) -> Option<&Run> {
        self.sweeps.iter().chain([&self.run]).find(|run| run.plan.sweep.as_deref() == Some(name))
    }
}
