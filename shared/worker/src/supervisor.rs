//! Replaces workers, and decides how often a key is tried.

use std::iter;
use std::time::Duration;

use kernel::{Exit, KeyError, Outcome, Stage, StartError, WorkerCommand};

use crate::load::Load;
use crate::portable::Portable;
use crate::worker::{Asked, SpawnError, Worker};

/// Bounds how many fresh workers in a row may be lost before they take a key. One such loss may be somebody else's doing,
/// such as the system's out-of-memory killer's; after three the next will be lost too, over a workload that ends whoever
/// loads it. Hard coded: it costs two process starts, and only when something is wrong.
const STARTS: u32 = 3;

/// Keeps slots filled with workers, and tries keys again.
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
    /// Sees to it that there is a worker in the slot, and that it is ready.
    ///
    /// # Errors
    ///
    /// When none can be had.
    pub fn fill(&self, slot: &mut Option<Worker>) -> Result<(), SpawnError> {
        let mut starts = Starts(STARTS);
        loop {
            match self.worker(slot)?.ready() {
                Ok(worker) => {
                    *slot = Some(worker);
                    return Ok(());
                }
                Err(error) => starts.failed(error)?,
            }
        }
    }

    /// Expands one key by the worker in the slot, or by a fresh one if there is none or it is lost. The worker that is left
    /// stays there.
    ///
    /// # Errors
    ///
    /// When there is no worker, and the key had no part in that: it may be left to another slot.
    pub fn expand<W: Portable>(
        &self,
        slot: &mut Option<Worker>,
        load: &Load<W>,
        index: usize,
    ) -> Result<Outcome<W::Output>, SpawnError> {
        // Before a process is started for nothing.
        if let Some(refusal) = load.refusal() {
            return Ok(Err(refusal));
        }
        let mut death = None;
        match self.try_until_told(slot, load, index, &mut death) {
            // Without another worker, the death is what is told of this key.
            Err(refusal) => death.map_or(Err(refusal), |death| Ok(Err(death))),
            told => told,
        }
    }

    /// The worker in the slot, or one that was just started.
    fn worker(&self, slot: &mut Option<Worker>) -> Result<Worker, SpawnError> {
        slot.take().map_or_else(|| Worker::spawn(&self.command), Ok)
    }

    fn try_until_told<W: Portable>(
        &self,
        slot: &mut Option<Worker>,
        load: &Load<W>,
        index: usize,
        death: &mut Option<KeyError>,
    ) -> Result<Outcome<W::Output>, SpawnError> {
        let (mut starts, mut retries) = (Starts(STARTS), self.retries);
        loop {
            let worker = self.worker(slot)?;
            let fresh = !worker.has_answered();
            match worker.expand(load, index, self.deadline) {
                Asked::Answered(outcome, worker) => {
                    *slot = Some(worker);
                    return Ok(outcome);
                }
                Asked::Lost(error @ KeyError::Died { .. }) if retries > 0 => {
                    retries -= 1;
                    *death = Some(error);
                    // That one was no loss at the start.
                    starts = Starts(STARTS);
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
        // What exits by itself before its hello, or is silent, or says something else, is no worker. The next would be none.
        let by_chance = match &error {
            SpawnError::Lost { stage: Stage::Starting, exit, .. } => {
                matches!(exit, Some(Exit::Signal(_) | Exit::Unknown))
            }
            SpawnError::Lost { .. } => true,
            _ => false,
        };
        if by_chance && self.0 > 0 { Ok(()) } else { Err(error) }
    }
}

/// The keys that one slot took, each with its outcome; and if its worker was lost and there is no other, why.
pub type Taken<T> = (Vec<(usize, Outcome<T>)>, Option<SpawnError>);

/// The outcomes of all slots in key order, and the first reason why one had no worker: [`kernel::from_workers`] of them.
///
/// # Panics
///
/// If a key's index is not below `keys`.
pub fn in_key_order<T>(
    keys: usize,
    slots: impl IntoIterator<Item = Taken<T>>,
) -> (Vec<Outcome<T>>, Option<StartError>) {
    let parts = slots
        .into_iter()
        .flat_map(|(taken, refusal)| iter::once(Ok(taken)).chain(refusal.map(|refusal| Err(refusal.into()))));
    kernel::from_workers(keys, parts)
}
