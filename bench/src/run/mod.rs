//! The files of a run: written as the samples come, and all that tables are made from.
//!
//! ```text
//! results/STAMP/
//!     run.json        the plan: jobs, rows, cells, when to stop; and how the run ended
//!     machine.json    the machine and the build
//!     samples.jsonl   one line per sample, appended when it is there
//!     README.md       the tables
//!     model.json      the cost model, of a run with sweeps
//!     alone.json      what one key alone takes, of a job of one's own
//!     advised.json    what was predicted for it before it was measured
//!     check.json      its predictions against fresh measurements, where they were checked
//!     report.html     the same as a page for a browser
//! ```
//!
//! A line of `samples.jsonl` is whole or does not count: a run that was killed has lost the sample in flight and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;

use self::advised::Advised;
use self::alone::Alone;
use self::answer::Answer;
use self::folder::{FileError, MACHINE, PLAN, SAMPLES};
use self::footprint::{Footprint, Peak};
use self::machine::Machine;
use self::plan::{Cell, FORMAT, Plan};
use self::sample::{Cold, Failure, Line, Round, Survival};

pub mod advised;
pub mod allocator;
pub mod alone;
pub mod answer;
pub mod folder;
pub mod footprint;
pub mod full;
pub mod job;
pub mod machine;
pub mod plan;
pub mod sample;
pub mod sweep;

/// A run as its files have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The plan.
    pub plan: Plan,
    /// The machine.
    pub machine: Machine,
    /// What was measured of each cell of the plan, in its order.
    pub measured: Vec<Measured>,
    /// What becomes of the other keys when one fails, by row.
    pub survival: BTreeMap<String, Survival>,
    /// Rounds that are complete, the discarded one not among them.
    pub rounds: BTreeMap<u32, Round>,
    /// What keys of a job of the reader's take alone.
    pub alone: Option<Alone>,
    /// What was said of it beforehand.
    pub advised: Option<Advised>,
    /// Lines that were not whole, or not for this plan.
    pub dropped: usize,
}

/// What was measured of one cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// What it answered before anything was timed.
    pub verified: Option<Answer>,
    /// The memory pass.
    pub footprint: Option<Footprint>,
    /// The cold run of the discarded round.
    pub discarded: Option<Cold>,
    /// Cold runs by round.
    pub cold: BTreeMap<u32, Cold>,
    /// Answers to `--repeat` by round.
    pub warm: BTreeMap<u32, Answer>,
    /// Why it has no place in the table.
    pub failure: Option<Failure>,
}

impl Measured {
    /// The most that was seen at once.
    pub fn peak(&self) -> Option<Peak> {
        self.footprint.and_then(|footprint| footprint.peak)
    }
}

impl Run {
    /// Of which nothing has been measured yet.
    pub fn new(plan: Plan, machine: Machine) -> Run {
        let measured = vec![Measured::default(); plan.cells.len()];
        Run {
            plan,
            machine,
            measured,
            survival: BTreeMap::new(),
            rounds: BTreeMap::new(),
            alone: None,
            advised: None,
            dropped: 0,
        }
    }

    /// Reads the folder of a run, whether it has ended or not.
    ///
    /// # Errors
    ///
    /// Which file is missing, is not what it should be, or was written in another format.
    pub fn read(dir: &Path) -> Result<Run, FileError> {
        let plan_path = dir.join(PLAN);
        let version: Version = json(&plan_path)?;
        if version.format != FORMAT {
            return Err(FileError::Format { path: plan_path, format: version.format });
        }
        let plan: Plan = json(&plan_path)?;
        let machine = json(&dir.join(MACHINE))?;
        let samples = dir.join(SAMPLES);
        let bytes = match fs::read(&samples) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(why) => return Err(FileError::io(&samples)(why)),
        };
        let mut run = Run { alone: Alone::of(dir)?, advised: Advised::of(dir)?, ..Run::new(plan, machine) };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let whole = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice(line).ok());
            if !whole.is_some_and(|line| run.add(line)) {
                run.dropped += 1;
            }
        }
        Ok(run)
    }

    /// Adds what was just measured, and says whether it belongs to the plan. Of two samples for one place the first counts.
    pub fn add(&mut self, line: Line) -> bool {
        match line {
            Line::Survival { row, survival } => {
                self.survival.entry(row).or_insert(survival);
            }
            Line::Round { number, round } => {
                self.rounds.entry(number).or_insert(round);
            }
            Line::Verified { cell, answer } => return self.cell_mut(cell, |it| _ = it.verified.get_or_insert(answer)),
            Line::Footprint { cell, footprint } => {
                return self.cell_mut(cell, |it| _ = it.footprint.get_or_insert(footprint));
            }
            Line::Cold { cell, round: 0, cold } => {
                return self.cell_mut(cell, |it| _ = it.discarded.get_or_insert(cold));
            }
            Line::Cold { cell, round, cold } => {
                return self.cell_mut(cell, |it| _ = it.cold.entry(round).or_insert(cold));
            }
            Line::Warm { cell, round, answer } => {
                return self.cell_mut(cell, |it| _ = it.warm.entry(round).or_insert(answer));
            }
            Line::Failed { cell, failure } => return self.cell_mut(cell, |it| _ = it.failure.get_or_insert(failure)),
        }
        true
    }

    fn cell_mut(&mut self, name: String, add: impl FnOnce(&mut Measured)) -> bool {
        let index = self.plan.cells.iter().position(|cell| cell.name == name);
        index.map(|index| add(&mut self.measured[index])).is_some()
    }

    /// What was measured of the cell called `name`.
    pub fn measured(&self, name: &str) -> Option<&Measured> {
        let index = self.plan.cells.iter().position(|cell| cell.name == name)?;
        self.measured.get(index)
    }

    /// The cells that have not failed, with what was measured of each.
    pub fn whole(&self) -> impl Iterator<Item = (&Cell, &Measured)> {
        self.plan.cells.iter().zip(&self.measured).filter(|(_, measured)| measured.failure.is_none())
    }

    /// Whether a row failed.
    pub fn any_failed(&self) -> bool {
        self.measured.iter().any(|measured| measured.failure.is_some())
    }

    /// Whether anything was timed, but for the discarded round.
    pub fn is_timed(&self) -> bool {
        self.measured.iter().any(|measured| !(measured.cold.is_empty() && measured.warm.is_empty()))
    }
}

/// What every format has had.
#[derive(serde::Deserialize)]
struct Version {
    format: u32,
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let bytes = fs::read(path).map_err(FileError::io(path))?;
    serde_json::from_slice(&bytes).map_err(FileError::json(path))
}

/// Reads a file that not every run has.
pub(crate) fn json_if_any<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    match json(path) {
        Ok(value) => Ok(Some(value)),
        Err(FileError::Io { why, .. }) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_broken_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Run::read(dir.path()).unwrap_err();
        assert!(missing.to_string().contains("run.json: "), "{missing}");
        fs::write(dir.path().join("run.json"), "{").unwrap();
        assert!(matches!(Run::read(dir.path()), Err(FileError::Json { .. })));
        fs::write(dir.path().join("run.json"), r#"{"format": 1}"#).unwrap();
        assert!(matches!(Run::read(dir.path()), Err(FileError::Format { format: 1, .. })));
    }
}
