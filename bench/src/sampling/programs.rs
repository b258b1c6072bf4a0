//! The programs that a run needs: found or built, before anything is measured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::entrants::contender::Contender;
use crate::entrants::manifest::Lacking;
use crate::entrants::selection::{self, Notebook, Selected, Selection, Strategies};
use crate::entrants::toolchain::{self, Toolchain};
use crate::process::interrupt::Interrupt;
use crate::process::tell;
use crate::run::allocator::Allocator;
use crate::run::job::Job;
use crate::run::plan::{Cell, Kind, Row, SEQUENTIAL, Stop};
use crate::run::sweep::{Sweep, Timed};
use crate::sampling::own::Prepared;
use crate::sampling::{hyperfine, setup};

/// What is to be measured, with nothing left open.
#[derive(Clone, Debug)]
pub struct Request {
    /// The rows that were asked for; all if there are none.
    pub only: Vec<String>,
    /// What the strategies are to have as their allocator, each in its turn.
    pub allocators: Vec<Allocator>,
    /// The sweep that the jobs are of.
    pub sweep: Option<String>,
    /// Whether the sweeps of a full run are to follow.
    pub full: bool,
    /// What the run's folder is called, if not by the time.
    pub name: Option<String>,
    /// The interpreter that runs the programs of the notebook, if they take part.
    pub python: Option<String>,
    /// The jobs.
    pub jobs: Vec<Job>,
    /// The job of the reader's that they are of.
    pub own: Option<Arc<Prepared>>,
    /// Rows that the run which this is a sweep of did not measure.
    pub left_out: Vec<Row>,
    /// Whether it is a first look at it, which leaves out what is no sample.
    pub is_brief: bool,
    /// When there are rounds enough.
    pub stop: Stop,
    /// The seed of the order within the rounds.
    pub shuffle_seed: u64,
    /// Whether memory is touched before each timed process.
    pub condition: bool,
    /// Where the programs are, if they are not to be built.
    pub bin_dir: Option<PathBuf>,
    /// The folder in which the run's own is made.
    pub results: PathBuf,
    /// How compare was called, with paths as results may show them.
    pub command: String,
}

/// The programs that take part, and all that is needed to time them.
pub struct Programs {
    /// All that are to be measured, the control last if there is one.
    pub contenders: Vec<Contender>,
    /// Those that cannot be, and why.
    pub not_measured: Vec<(Contender, String)>,
    /// Rows that did not build.
    pub unbuilt: Vec<String>,
    /// The reference of all others.
    pub sequential: Contender,
    /// XXH3-128 of what pins the notebook's packages.
    pub requirements_xxh3: String,
    /// The job that they are of, if it is the reader's.
    pub own: Option<Arc<Prepared>>,
    /// What the programs were built with, if they were built here.
    pub toolchain: Option<Toolchain>,
    /// The timer.
    pub hyperfine: hyperfine::Timer,
}

/// Finds or builds everything.
pub fn find(request: &Request, root: &Path, interrupt: &Interrupt) -> Result<Programs> {
    // What can be refused is refused before anything is built.
    let selection = Selection::of(&request.only, root, request.python.is_some())?;
    let carried = request.bin_dir.as_deref();
    let selected = match carried {
        Some(dir) => selection.carried(dir, root)?,
        None => selection.in_source(root)?,
    };
    let own = request.own.as_deref();
    // Before its keys ran alone, it was said which strategies cannot run a job of the reader's.
    let (mut not_measured, names) = match own {
        Some(own) => (own.cannot.clone(), selected.names),
        None => (selected.not_measured(root, &request.allocators), selected.told()),
    };
    let hyperfine = setup::find_hyperfine(root, carried, interrupt)?;
    let Strategies { mut contenders, unbuilt } = match (own, carried) {
        (Some(own), _) => Strategies { contenders: own.contenders_of(&names), unbuilt: own.unbuilt.clone() },
        (None, Some(dir)) => selection::carried(dir, root, &names, &request.allocators)?,
        (None, None) => {
            let built = selection::built(root, &names, &request.allocators, interrupt);
            // An interrupt ends cargo too; what cargo then did not do is no error.
            interrupt.check()?;
            built?
        }
    };
    let toolchain = match carried {
        Some(_) => None,
        None => toolchain::used(own.map_or(root, |own| &own.root), own.map_or(root, |own| &own.job.dir), interrupt)?
            .inspect_err(|why| tell::warn(format_args!("what cargo builds with is not recorded: {why}")))
            .ok(),
    };
    let notebook = match &request.python {
        Some(python) => selection::notebook(root, python, &selection, &contenders, interrupt)?,
        None => Notebook::default(),
    };
    contenders.retain(|contender| request.is_for(contender));
    let sequential = contenders.iter().find(|contender| contender.name == SEQUENTIAL).context("no sequential")?.clone();
    let Notebook { counterparts, programs, missing, requirements_xxh3 } = notebook;
    contenders.extend(counterparts);
    match missing {
        Some(missing) => not_measured.extend(programs.into_iter().map(|program| (program, missing.to_string()))),
        None => contenders.extend(programs),
    }
    if request.has_control() {
        contenders.push(sequential.control());
    }
    Ok(Programs {
        contenders,
        not_measured,
        unbuilt,
        sequential,
        requirements_xxh3,
        own: request.own.clone(),
        toolchain,
        hyperfine,
    })
}

/// What is known of a run before anything is built or installed.
pub struct Expected {
    /// Its rows, the control last if there is one.
    pub contenders: Vec<Contender>,
    /// Strategies that cannot run here.
    pub lacking: Vec<Lacking>,
}

/// What is asked for, as far as that is known before anything is built or installed.
///
/// # Errors
///
/// What is wrong with the request.
pub fn expected(request: &Request, root: &Path) -> Result<Expected> {
    let selection = Selection::of(&request.only, root, request.python.is_some())?;
    let (mut contenders, lacking) = match request.bin_dir.as_deref() {
        Some(dir) => {
            let Selected { names, lacking } = selection.carried(dir, root)?;
            (selection::carried(dir, root, &names, &request.allocators)?.contenders, lacking)
        }
        None => {
            let Selected { names, lacking } = selection.in_source(root)?;
            (selection::to_be_built(root, &names, &request.allocators)?, lacking)
        }
    };
    contenders.retain(|contender| request.is_for(contender));
    let control = contenders.iter().find(|contender| contender.name == SEQUENTIAL).map(Contender::control);
    if request.python.is_some() {
        contenders.extend(selection::counterparts(&selection, &contenders));
        contenders.extend(selection::notebook_programs(root, &selection));
    }
    contenders.extend(control.filter(|_| request.has_control()));
    Ok(Expected { contenders, lacking })
}

impl Request {
    /// What is timed of each cell, if it is of a sweep.
    pub(crate) fn timed(&self) -> Option<Timed> {
        self.sweep.as_deref().and_then(Sweep::named).map(|sweep| sweep.timed)
    }

    /// Batches of a process that times itself, unless few are enough.
    pub(crate) fn batches(&self, usual: u32) -> u32 {
        const FEW: u32 = 2;
        self.timed().map_or(if self.is_brief { FEW } else { usual }, Timed::batches)
    }

    /// Whether `sequential` is entered a second time: cold runs tell whether equal rows come out equal.
    fn has_control(&self) -> bool {
        self.timed().is_none_or(Timed::is_cold)
    }

    /// Whether a row belongs to it. The machine's limit is that of memory, and the other workloads hardly use any. A sweep asks
    /// how rows differ, not how far they are from it.
    fn is_for(&self, contender: &Contender) -> bool {
        contender.kind != Kind::Limit || (self.sweep.is_none() && self.jobs.iter().all(|job| job.workload == "fill"))
    }
}

impl Programs {
    /// The workspace whose lockfile they were built with.
    pub fn locked<'a>(&'a self, root: &'a Path) -> &'a Path {
        self.own.as_deref().map_or(root, |own| &own.root)
    }

    /// The program of a cell.
    pub fn of(&self, cell: &Cell) -> Option<&Contender> {
        self.contenders.iter().find(|contender| contender.name == cell.row)
    }
}
