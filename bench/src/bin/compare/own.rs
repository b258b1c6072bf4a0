//! A job of the reader's, up to what is measured of it.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::Result;
use bench::advice;
use bench::entrants::contender::Contender;
use bench::process::interrupt::Interrupt;
use bench::process::tell::{self, Usage};
use bench::run::advised::Advised;
use bench::run::allocator::Allocator;
use bench::run::alone::Alone;
use bench::run::plan::{Plan, Stop};
use bench::sampling::own::{self, Asked, Prepared};
use bench::text;

use crate::options::Measuring;

/// Seconds that a first look should take at most, but for its passes before the rounds.
const FIRST_LOOK: f64 = 30.0;

/// Rounds of a first look.
const FEW_ROUNDS: u32 = 3;

/// Builds the job and runs its keys alone, if there is one, and says what comes of that.
pub(crate) fn prepare(
    measuring: &Measuring,
    only: &[String],
    allocators: &[Allocator],
    root: &Path,
    interrupt: &Interrupt,
) -> Result<Option<Arc<Prepared>>> {
    let Some(path) = &measuring.own else { return Ok(None) };
    let asked = Asked {
        path: path.clone(),
        arguments: measuring.arguments.clone(),
        features: measuring.features.clone(),
        is_compared: !measuring.not_deterministic,
    };
    let carried = carried(measuring)?;
    prepared(asked, only, allocators, carried.as_deref(), measuring.workers()?, root, interrupt).map(Some)
}

/// The same for a run that goes on, by what its plan says; `path` is where the job is now.
pub(crate) fn prepare_again(
    measuring: &Measuring,
    plan: &Plan,
    root: &Path,
    interrupt: &Interrupt,
) -> Result<Option<Arc<Prepared>>> {
    let path = measuring.own.as_ref();
    let (own, job) = match (&plan.own, plan.job()) {
        (Some(own), Some(job)) => (own, job),
        _ if path.is_some() => return Err(Usage("--resume: that run is of no job of your own".to_owned()).into()),
        _ => return Ok(None),
    };
    let Some(path) = path else {
        let place = &own.place;
        return Err(Usage(format!("--resume: that run is of the job {place}; say where it is: --job PATH")).into());
    };
    let asked = Asked {
        path: path.clone(),
        arguments: job.own.as_ref().map(|own| own.arguments.clone()).unwrap_or_default(),
        features: own.features.clone(),
        is_compared: own.is_compared,
    };
    let carried = carried(measuring)?;
    prepared(asked, &plan.names(), &plan.allocators(), carried.as_deref(), job.workers, root, interrupt).map(Some)
}

/// Where the programs are, if they are not to be built.
fn carried(measuring: &Measuring) -> Result<Option<PathBuf>, Usage> {
    measuring.bin_dir.as_deref().map(|dir| crate::folder("--bin-dir", dir)).transpose()
}

fn prepared(
    asked: Asked,
    only: &[String],
    allocators: &[Allocator],
    carried: Option<&Path>,
    workers: usize,
    root: &Path,
    interrupt: &Interrupt,
) -> Result<Arc<Prepared>> {
    let prepared = own::prepare(
        asked,
        only,
        allocators,
        carried,
        root,
        &|alone, can| heard(alone, can, workers, root),
        interrupt,
    )?;
    Ok(Arc::new(prepared))
}

/// Says what keys take alone, and what strategies are expected to take by the newest model.
fn heard(alone: &Alone, can: &[Contender], workers: usize, root: &Path) -> Option<Advised> {
    tell::say(text::own::told(alone).trim_end());
    let model = advice::newest(root).and_then(|dir| advice::load(&dir).ok());
    let cpus = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let advised = model.map(|model| {
        let takes_part = |name: &str| can.iter().any(|contender| contender.name == name);
        advice::own::advised(&model, alone, cpus, workers, takes_part)
    });
    tell::say(text::own::beforehand(advised.as_ref()).trim_end());
    advised
}

/// When a first look has rounds enough: three, or as many as there is time for.
pub(crate) fn first_look(prepared: &Prepared, workers: usize, usual: Stop) -> Stop {
    let rows = prepared.contenders.len() as f64;
    // A cold run, a warm process of two batches, and what is touched before each.
    let batches = 4.0 * prepared.alone.summary().whole / workers as f64;
    let rounds = (FIRST_LOOK / (rows * batches)).clamp(1.0, f64::from(FEW_ROUNDS));
    Stop { rounds: Some(rounds as u32), ..usual }
}
