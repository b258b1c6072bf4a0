//! The files of one run: written as the samples come, and all that tables are made from.
//!
//! ```text
//! results/STAMP/
//!     run.json                  the plan: job, rows, rounds, seed; and how the run ended
//!     machine.json              the machine and the build
//!     raw/verify-NAME.json      the strategy's answer with its digest, before anything was timed
//!     raw/memory-NAME.json      peak memory, threads, processes, keys in flight
//!     raw/cold-RR-NAME.json     hyperfine's export of the one run of round RR, as it is
//!     raw/warm-RR-NAME.json     the strategy's answer to `--repeat`, as it is
//!     raw/round-RR.json         the order of round RR, written when the round is complete
//!     raw/failed-NAME.json      why a row has no place in the table
//!     README.md                 the tables
//! ```

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::run::answer::Answer;
use crate::run::footprint::Footprint;
use crate::run::job::Job;
use crate::run::machine::{Machine, Others};
use crate::sampling::hyperfine::export::{self, ExportError, Sample};

/// What was going to be measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of these files.
    pub format: u32,
    /// The run's name: the UTC second in which it started.
    pub stamp: String,
    /// The command that made this run.
    pub command: String,
    /// The job.
    pub job: Job,
    /// How many rounds.
    pub rounds: u32,
    /// Batches per warm process, the first of which is cold.
    pub repeat: u32,
    /// The seed of the order within the rounds.
    pub shuffle_seed: u64,
    /// The rows, the control last.
    pub rows: Vec<Row>,
    /// `None` while the run goes on, and for good if it was killed.
    pub ended: Option<Ended>,
}

/// The current version of these files.
pub const FORMAT: u32 = 1;

/// A row of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// The timed command.
    pub command: String,
    /// In how many rounds it takes part: of a slow row, some that are spread over the run.
    pub rounds: u32,
    /// In how many of them it has a warm process; in all if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_rounds: Option<u32>,
    /// Batches per warm process, if they are not as many as the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// Lines of code, where there was source to count.
    pub lines: Option<usize>,
    /// The generator, if it is not the job's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rng: Option<String>,
    /// It is a program of the notebook.
    #[serde(default, skip_serializing_if = "is_false")]
    pub notebook: bool,
    /// Why it was not to be measured at all, which is no failure of the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_measured: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_false(value: &bool) -> bool {
    !value
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// All rounds were run.
    Complete,
    /// A signal came first.
    Interrupted,
}

/// What a row was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Being built.
    Build,
    /// Being compared with `sequential`, before anything was timed.
    Verify,
    /// Being watched, untimed.
    Memory,
    /// A timed run of the whole process.
    Cold,
    /// Repeated batches in one process.
    Warm,
    /// The untimed check of a round.
    Check,
}

/// Why a row has no place in the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What it was doing.
    pub stage: Stage,
    /// In which round, if rounds had begun.
    pub round: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// How the process ended, if it did.
    pub exit: Option<String>,
    /// The last line that it wrote on standard error.
    pub stderr: Option<String>,
}

/// The order of a round, written when the round is complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The rows' names.
    pub order: Vec<String>,
    /// What others did meanwhile, or since the last round that has this; `None` where it was too short to tell.
    #[serde(default)]
    pub others: Option<Others>,
}

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// By the operating system's word.
    #[error("{}: {why}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// It does not hold what it should.
    #[error("{}: {why}", .path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        why: serde_json::Error,
    },
    /// It is no export of hyperfine.
    #[error("{}: {why}", .path.display())]
    Export {
        /// Which.
        path: PathBuf,
        /// Why.
        why: ExportError,
    },
    /// It was written by a later version of this tool.
    #[error("{}: format {format}, and only {FORMAT} is known", .path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// What it says.
        format: u32,
    },
}

impl RecordError {
    /// Of the file at `path`.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> RecordError {
        move |why| RecordError::Io { path: path.to_owned(), why }
    }

    fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> RecordError {
        move |why| RecordError::Json { path: path.to_owned(), why }
    }

    fn export(path: &Path) -> impl FnOnce(ExportError) -> RecordError {
        move |why| RecordError::Export { path: path.to_owned(), why }
    }
}

/// The folder of a run, for writing.
#[derive(Clone, Debug)]
pub struct Folder {
    dir: PathBuf,
}

/// Whether the folder of a run could be made in `parent`, which need not be there itself. Leaves nothing.
pub fn check_writable(parent: &Path) -> Result<(), RecordError> {
    let there = parent.ancestors().find(|dir| dir.symlink_metadata().is_ok()).unwrap_or(parent);
    tempfile::tempfile_in(there).map(drop).map_err(RecordError::io(there))
}

/// Makes the folder of a new run in `parent`. What was measured is never overwritten: if the stamp is taken, the folder is
/// called `STAMP-2`, and so on.
pub fn create(parent: &Path, stamp: &str) -> Result<(Folder, String), RecordError> {
    fs::create_dir_all(parent).map_err(RecordError::io(parent))?;
    let names = std::iter::once(stamp.to_owned()).chain((2u32..).map(|again| format!("{stamp}-{again}")));
    for name in names {
        let dir = parent.join(&name);
        match fs::create_dir(&dir).and_then(|()| fs::create_dir(dir.join("raw"))) {
            Ok(()) => return Ok((Folder { dir }, name)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(RecordError::Io { path: dir, why }),
        }
    }
    unreachable!("the names do not end")
}

impl Folder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Whether there is room for one more file.
    pub fn check_room(&self) -> Result<(), RecordError> {
        let file = || tempfile::tempfile_in(&self.dir)?.write_all(&[0; 4096]);
        file().map_err(RecordError::io(&self.dir))
    }

    /// Takes away what a stopped step has left.
    pub fn tidy(&self) {
        let _not_there = fs::remove_file(self.cold_export());
    }

    /// Takes the folder away, with all that is in it.
    pub fn remove(&self) -> Result<(), RecordError> {
        fs::remove_dir_all(&self.dir).map_err(RecordError::io(&self.dir))
    }

    /// Writes the plan, again when the run has ended.
    pub fn write_plan(&self, plan: &Plan) -> Result<(), RecordError> {
        self.write_json("run.json", plan)
    }

    /// Writes the machine, again when the run has ended.
    pub fn write_machine(&self, machine: &Machine) -> Result<(), RecordError> {
        self.write_json("machine.json", machine)
    }

    /// Keeps what `name` printed when it was verified.
    pub fn write_verified(&self, name: &str, json: &[u8]) -> Result<(), RecordError> {
        self.write(&format!("raw/verify-{name}.json"), json)
    }

    /// Writes what `name` holds.
    pub fn write_footprint(&self, name: &str, footprint: &Footprint) -> Result<(), RecordError> {
        self.write_json(&format!("raw/memory-{name}.json"), footprint)
    }

    /// Where hyperfine is to export the cold run of `name`: a file that no table is made from until it is complete.
    pub fn cold_export(&self) -> PathBuf {
        self.dir.join("raw/.cold.json")
    }

    /// Keeps hyperfine's export as the cold run of `name`.
    pub fn keep_cold(&self, round: u32, name: &str) -> Result<Sample, RecordError> {
        let (from, to) = (self.cold_export(), self.dir.join(format!("raw/cold-{round:02}-{name}.json")));
        let json = fs::read(&from).map_err(RecordError::io(&from))?;
        let sample = export::read_one(&json).map_err(RecordError::export(&from))?;
        fs::rename(&from, &to).map_err(RecordError::io(&to))?;
        Ok(sample)
    }

    /// Keeps what `name` printed about its repeated batches.
    pub fn write_warm(&self, round: u32, name: &str, json: &[u8]) -> Result<(), RecordError> {
        self.write(&format!("raw/warm-{round:02}-{name}.json"), json)
    }

    /// Marks a round as complete.
    pub fn write_round(&self, number: u32, round: &Round) -> Result<(), RecordError> {
        self.write_json(&format!("raw/round-{number:02}.json"), round)
    }

    /// Writes why `name` has no place in the table.
    pub fn write_failure(&self, name: &str, failure: &Failure) -> Result<(), RecordError> {
        self.write_json(&format!("raw/failed-{name}.json"), failure)
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), RecordError> {
        let mut json = serde_json::to_vec_pretty(value).map_err(RecordError::json(&self.dir.join(name)))?;
        json.push(b'\n');
        self.write(name, &json)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RecordError> {
        write_whole(&self.dir.join(name), bytes)
    }
}

/// Writes a file so that it is either there with all of `bytes` or as it was before.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    let part = path.with_extension("part");
    let written =
        fs::File::create(&part).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&part, path));
    written.map_err(|why| {
        // On a full disk the half of a file is what the next one has no room for.
        let _not_even_begun = fs::remove_file(&part);
        RecordError::Io { path: path.to_owned(), why }
    })
}

/// A run as its files have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The plan.
    pub plan: Plan,
    /// The machine.
    pub machine: Machine,
    /// What was measured of each row of the plan, in its order.
    pub measured: Vec<Measured>,
    /// Rounds that are complete.
    pub complete: BTreeMap<u32, Round>,
}

/// What was measured of one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// What it answered before anything was timed.
    pub verified: Option<Answer>,
    /// The memory pass.
    pub footprint: Option<Footprint>,
    /// Cold runs by round.
    pub cold: BTreeMap<u32, Sample>,
    /// Answers to `--repeat` by round.
    pub warm: BTreeMap<u32, Answer>,
    /// Why it has no place in the table.
    pub failure: Option<Failure>,
}

impl Run {
    /// Reads the folder of a run, whether it has ended or not.
    pub fn read(dir: &Path) -> Result<Run, RecordError> {
        let plan_path = dir.join("run.json");
        let plan: Plan = required(&plan_path)?;
        if plan.format != FORMAT {
            return Err(RecordError::Format { path: plan_path, format: plan.format });
        }
        let machine = required(&dir.join("machine.json"))?;
        let raw = dir.join("raw");
        let measured = plan.rows.iter().map(|row| read_measured(&raw, row, plan.rounds)).collect::<Result<_, _>>()?;
        let mut complete = BTreeMap::new();
        for number in 1..=plan.rounds {
            if let Some(round) = optional(&raw.join(format!("round-{number:02}.json")))? {
                complete.insert(number, round);
            }
        }
        Ok(Run { plan, machine, measured, complete })
    }

    /// The row of the plan called `name`.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.plan.rows.iter().find(|row| row.name == name)
    }

    /// What was measured of the row called `name`.
    pub fn measured(&self, name: &str) -> Option<&Measured> {
        let index = self.plan.rows.iter().position(|row| row.name == name)?;
        self.measured.get(index)
    }
}

fn read_measured(raw: &Path, row: &Row, rounds: u32) -> Result<Measured, RecordError> {
    let name = &row.name;
    let mut measured = Measured {
        verified: optional(&raw.join(format!("verify-{name}.json")))?,
        footprint: optional(&raw.join(format!("memory-{name}.json")))?,
        failure: optional(&raw.join(format!("failed-{name}.json")))?,
        ..Measured::default()
    };
    for round in 1..=rounds {
        let path = raw.join(format!("cold-{round:02}-{name}.json"));
        if let Some(json) = bytes(&path)? {
            let sample = export::read_one(&json).map_err(RecordError::export(&path))?;
            measured.cold.insert(round, sample);
        }
        if let Some(answer) = optional(&raw.join(format!("warm-{round:02}-{name}.json")))? {
            measured.warm.insert(round, answer);
        }
    }
    Ok(measured)
}

fn required<T: DeserializeOwned>(path: &Path) -> Result<T, RecordError> {
    optional(path)?.ok_or_else(|| RecordError::io(path)(io::ErrorKind::NotFound.into()))
}

fn optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RecordError> {
    bytes(path)?.map(|json| serde_json::from_slice(&json).map_err(RecordError::json(path))).transpose()
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>, RecordError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(RecordError::io(path)(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_never_overwritten() {
        let results = tempfile::tempdir().unwrap();
        let parent = results.path().join("results");
        let names: Vec<String> = (0..3).map(|_| create(&parent, "2026-11-22T15-30-00Z").unwrap().1).collect();
        assert_eq!(names, ["2026-11-22T15-30-00Z", "2026-11-22T15-30-00Z-2", "2026-11-22T15-30-00Z-3"]);
    }

    #[test]
    fn where_a_run_could_be_made_is_told_without_making_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        check_writable(&dir.path().join("new/and/below")).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        for parent in [&file, &file.join("below")] {
            let error = check_writable(parent).unwrap_err().to_string();
            assert_eq!(error, format!("{}: Not a directory (os error 20)", file.display()));
        }
    }

    #[test]
    fn a_missing_or_broken_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Run::read(dir.path()).unwrap_err();
        assert!(missing.to_string().contains("run.json: "), "{missing}");
        fs::write(dir.path().join("run.json"), "{").unwrap();
        assert!(matches!(Run::read(dir.path()), Err(RecordError::Json { .. })));
    }
}
