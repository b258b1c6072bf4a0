//! The lines of `samples.jsonl`.

use serde::{Deserialize, Serialize};

use crate::run::answer::Answer;
use crate::run::footprint::Footprint;
use crate::run::machine::Others;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// What a cell answered before anything was timed.
    Verified {
        /// The cell.
        cell: String,
        /// Its answer, with the digest.
        answer: Answer,
    },
    /// What became of the other keys when one failed.
    Survival {
        /// The row.
        row: String,
        /// What it survived.
        #[serde(flatten)]
        survival: Survival,
    },
    /// What a cell held.
    Footprint {
        /// The cell.
        cell: String,
        /// Memory, threads, processes.
        #[serde(flatten)]
        footprint: Footprint,
    },
    /// A whole process, timed from outside.
    Cold {
        /// The cell.
        cell: String,
        /// From 1; the round 0 is discarded.
        round: u32,
        /// The times.
        #[serde(flatten)]
        cold: Cold,
    },
    /// Some batches of one process, timed by itself.
    Warm {
        /// The cell.
        cell: String,
        /// From 1.
        round: u32,
        /// Its answer, with the digest.
        answer: Answer,
    },
    /// A cell has no place in the table.
    Failed {
        /// The cell.
        cell: String,
        /// Why.
        #[serde(flatten)]
        failure: Failure,
    },
    /// A round is complete.
    Round {
        /// From 1.
        number: u32,
        /// What there is to say of it.
        #[serde(flatten)]
        round: Round,
    },
}

/// One timed process. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cold {
    /// From start to end.
    pub wall: f64,
    /// Of processor time in the program, its waited-for children included.
    pub user: f64,
    /// Of processor time in the kernel for it, likewise.
    pub system: f64,
}

/// What becomes of the other keys when one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survival {
    /// They came back when one panicked.
    pub panic: bool,
    /// They came back when one aborted.
    pub abort: bool,
    /// They came back when one never ended and there was a deadline.
    pub hang: bool,
}

/// What a cell was doing when it failed.
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
}

/// Why a cell has no place in the table.
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

/// A complete round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The cells' names in the order in which they ran.
    pub order: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// What others did meanwhile, or since the last round that has this; `None` where it was too short to tell.
    pub others: Option<Others>,
}
