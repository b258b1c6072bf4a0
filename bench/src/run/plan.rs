//! What a run is going to measure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::run::allocator::Allocator;
use crate::run::job::Job;

/// The current version of the files of a run.
pub const FORMAT: u32 = 2;

/// The row that every ratio is taken to, and whose digest all others must have.
pub const SEQUENTIAL: &str = "sequential";

/// The A/A control: `sequential`, entered a second time. The dot keeps the name clear of every package's.
pub const CONTROL: &str = "sequential.control";

/// The program that does what the job cannot avoid and nothing else, and the row in which it has as many threads as the job
/// has workers.
pub const LIMIT: &str = "machine-limit";

/// The same program with one thread: the limit of [`SEQUENTIAL`].
pub const LIMIT_OF_ONE: &str = "machine-limit.one";

/// What was going to be measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of these files.
    pub format: u32,
    /// The run's name: the UTC second in which it started.
    pub stamp: String,
    /// The command that made this run.
    pub command: String,
    /// The sweep that its jobs are of, if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<String>,
    /// The job, if it is the reader's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
    /// Whether the sweeps of a full run are to follow, each in a folder below this run's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub full: bool,
    /// The programs.
    pub rows: Vec<Row>,
    /// Each program at each of its jobs, the control last.
    pub cells: Vec<Cell>,
    /// When there are rounds enough.
    pub stop: Stop,
    /// Whether passes are left out that are no samples, for a first look at a job of the reader's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub brief: bool,
    /// Batches per warm process, the first of which is cold.
    pub repeat: u32,
    /// The seed of the order within the rounds.
    pub shuffle_seed: u64,
    /// Whether memory is touched before each timed process.
    pub condition: bool,
    /// `None` while the run goes on, and for good if it was killed.
    pub ended: Option<Ended>,
}

/// A job of the reader's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// Its source, as it was found from the folder in which compare was called.
    pub place: String,
    /// Features of its crate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Whether all strategies had to give the same.
    pub is_compared: bool,
}

/// A program that takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Lines of code, where there was source to count.
    pub lines: Option<usize>,
    /// The generator that it draws from instead of the job's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rng: Option<String>,
    /// What gives it memory.
    #[serde(default, skip_serializing_if = "Allocator::is_system")]
    pub allocator: Allocator,
    /// Why it was not to be measured at all, which is no failure of the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_measured: Option<String>,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One of `impls/`.
    Strategy,
    /// `sequential` a second time.
    Control,
    /// What the machine can do at most.
    Limit,
    /// A Python program of the notebook.
    Notebook,
}

/// A row at a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The row's name; with several jobs, the job as well.
    pub name: String,
    /// The row.
    pub row: String,
    /// Which of the run's jobs it is at, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at: usize,
    /// The job, with the row's own generator and workers.
    pub job: Job,
    /// The timed command.
    pub command: String,
    /// In how many rounds it takes part; in all if it is not said. A slow one has enough in the first few. With none, an earlier
    /// job of the sweep has shown that there is nothing to learn here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// In how many of them it has a cold run, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_rounds: Option<u32>,
    /// In how many of them it has a warm process, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_rounds: Option<u32>,
    /// Batches per warm process.
    pub batches: u32,
}

/// When there are rounds enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// So many rounds, whatever the intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// The fewest rounds, if that is another number than usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<u32>,
    /// How far an interval may reach from its ratio.
    pub within: f64,
    /// Seconds that rounds may take.
    pub budget: f64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// There were rounds enough.
    Complete,
    /// A signal came first.
    Interrupted,
}

fn is_zero(at: &usize) -> bool {
    *at == 0
}

fn is_false(full: &bool) -> bool {
    !full
}

impl Row {
    /// Whether it is a strategy as everybody has it: with the system's allocator, drawing from the job's generator.
    pub fn is_plain(&self) -> bool {
        self.kind == Kind::Strategy && self.allocator.is_system() && self.rng.is_none()
    }
}

impl Kind {
    /// Whether such a row has a rank: it does the job, and is there once.
    pub fn is_ranked(self) -> bool {
        matches!(self, Kind::Strategy | Kind::Notebook)
    }
}

impl Plan {
    /// The row called `name`.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The jobs of `sequential`, which is what the run is about.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.cells.iter().filter(|cell| cell.row == SEQUENTIAL).map(|cell| &cell.job)
    }

    /// The job, or the first of several.
    pub fn job(&self) -> Option<&Job> {
        self.jobs().next()
    }

    /// Whether there are several jobs.
    pub fn has_several_jobs(&self) -> bool {
        self.jobs().nth(1).is_some()
    }

    /// Whether whole processes are timed from outside; otherwise what counts is the first batch of each process.
    pub fn has_cold_runs(&self) -> bool {
        self.cells.is_empty() || self.cells.iter().any(|cell| cell.cold_rounds != Some(0))
    }

    /// Whether memory is seen while outputs are compared, and no round is discarded: of sweeps, and of a first look.
    pub fn is_brief(&self) -> bool {
        self.brief || self.sweep.is_some()
    }

    /// The strategies that it measures, and the notebook's programs of it, each once: one is a row for each generator and each
    /// allocator.
    pub fn names(&self) -> Vec<String> {
        let rows = self.rows.iter().filter(|row| row.rng.is_none() || row.kind == Kind::Notebook);
        let rows = rows.filter(|row| match row.kind {
            Kind::Strategy => row.not_measured.is_none(),
            kind => kind == Kind::Notebook,
        });
        let names: BTreeSet<&str> = rows.map(|row| row.name.split('.').next().unwrap_or(&row.name)).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// The allocators that its strategies have. `sequential` is in every plan with the system's.
    pub fn allocators(&self) -> Vec<Allocator> {
        let strategies = self.rows.iter().filter(|row| row.kind == Kind::Strategy && row.name != SEQUENTIAL);
        let found: BTreeSet<Allocator> = strategies.map(|row| row.allocator).collect();
        if found.is_empty() { vec![Allocator::System] } else { found.into_iter().collect() }
    }

    /// Whether outputs are compared.
    pub fn is_compared(&self) -> bool {
        self.own.as_ref().is_none_or(|own| own.is_compared)
    }

    /// The cell of a row at one of the jobs.
    pub fn cell(&self, row: &str, at: usize) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.row == row && cell.at == at)
    }

    /// Whether strategies with another allocator than the system's are among the rows.
    pub fn has_allocators(&self) -> bool {
        self.rows.iter().any(|row| !row.allocator.is_system())
    }

    /// Whether programs of the notebook are among the rows.
    pub fn has_notebook(&self) -> bool {
        self.rows.iter().any(|row| row.kind == Kind::Notebook)
    }
}

impl Cell {
    /// Whether it is not timed at all.
    pub fn is_left_out(&self) -> bool {
        self.rounds == Some(0)
    }

    /// Whether it takes part in this round. The discarded one, 0, is for what is fast: it is the machine that needs it.
    pub fn is_in(&self, round: u32) -> bool {
        self.rounds.is_none_or(|rounds| (1..=rounds).contains(&round))
    }

    /// Whether it has a cold run in this round.
    pub fn is_cold_in(&self, round: u32) -> bool {
        self.is_in(round) && self.cold_rounds.is_none_or(|rounds| round <= rounds && rounds > 0)
    }

    /// Whether it has a warm process in this round.
    pub fn is_warm_in(&self, round: u32) -> bool {
        round > 0 && self.is_in(round) && self.warm_rounds.is_none_or(|rounds| round <= rounds)
    }
}
