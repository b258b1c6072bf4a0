//! Who replaces workers, and how often a key is tried.

use std::time::Duration;

use kernel::{Exit, KeyError, Outcome, Stage, WorkerCommand};

use crate::load::Load;
use crate::portable::Portable;
use crate::worker::{Asked, SpawnError, Worker};

/// Bounds how many fresh workers in a row may be lost before they take a key. One such loss is somebody else's doing, the
/// system's out-of-memory killer's say; three say that the next will be lost too, over a workload that ends whoever loads
/// it. Hard coded: it costs two process starts, and only when something is wrong.
const STARTS: u32 = 3;

/// Keeps one place filled with a worker, and gives its keys another try.
#[derive(Debug, Clone)]
pub struct Supervisor {
    /// What a worker is.
    pub command: WorkerCommand,
    /// How long a key may be computed and sent.
    pub deadline: Option<Duration>,
    /// How often a key is tried again whose worker died under it.
    pub retries: u32,
}

impl Supervisor {
    /// Sees to it that there is a worker at `place` that has said hello.
    ///
    /// # Errors
    ///
    /// When none can be had.
    pub fn staff(&self, place: &mut Option<Worker>) -> Result<(), SpawnError> {
        let mut starts = Starts(STARTS);
        loop {
            match self.worker(place)?.greeted() {
                Ok(worker) => {
                    *place = Some(worker);
                    return Ok(());
                }
                Err(error) => starts.failed(error)?,
            }
        }
    }

    /// Expands one key by the worker at `place`, or by a fresh one if there is none or it is lost. The worker that is
    /// left stays there.
    ///
    /// # Errors
    ///
    /// When there is no worker, and the key had no part in that: it may be left to another place.
    pub fn expand<W: Portable>(
        &self,
        place: &mut Option<Worker>,
        load: &Load<W>,
        index: usize,
    ) -> Result<Outcome<W::Output>, SpawnError> {
        // Before a process is started for nothing.
        if let Some(refusal) = load.refusal() {
            return Ok(Err(refusal));
        }
        let mut death = None;
        match self.try_until_told(place, load, index, &mut death) {
            // Without another worker, the death is what is told of this key.
            Err(refusal) => death.map_or(Err(refusal), |death| Ok(Err(death))),
            told => told,
        }
    }

    /// The worker at `place`, or one that was just started.
    fn worker(&self, place: &mut Option<Worker>) -> Result<Worker, SpawnError> {
        place.take().map_or_else(|| Worker::spawn(&self.command), Ok)
    }

    fn try_until_told<W: Portable>(
        &self,
        place: &mut Option<Worker>,
        load: &Load<W>,
        index: usize,
        death: &mut Option<KeyError>,
    ) -> Result<Outcome<W::Output>, SpawnError> {
        let (mut starts, mut retries) = (Starts(STARTS), self.retries);
        loop {
            let worker = self.worker(place)?;
            let fresh = !worker.has_answered();
            match worker.expand(load, index, self.deadline) {
                Asked::Answered(outcome, worker) => {
                    *place = Some(worker);
                    return Ok(outcome);
                }
                Asked::Lost(error @ KeyError::Died { .. }) if retries > 0 => {
                    retries -= 1;
                    *death = Some(error);
                }
                Asked::Lost(error) => return Ok(Err(error)),
                Asked::Untouched(error) if fresh => starts.failed(error)?,
                Asked::Untouched(_) => {}
            }
        }
    }
}

/// How many more fresh workers may be lost before they take a key.
struct Starts(u32);

impl Starts {
    /// An error if it was one too many.
    fn failed(&mut self, error: SpawnError) -> Result<(), SpawnError> {
        self.0 -= 1;
        // What exits by itself before its hello, or says something else, is no worker, and the next would be none either.
        let by_chance = match &error {
            SpawnError::Lost { stage: Stage::Starting, exit, .. } => matches!(exit, Some(Exit::Signal(_))),
            SpawnError::Lost { .. } => true,
            _ => false,
        };
        if by_chance && self.0 > 0 { Ok(()) } else { Err(error) }
    }
}
