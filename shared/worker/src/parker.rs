//! What a thread with a worker waits in, when there is nothing to do.

use std::io::{self, PipeReader, PipeWriter, Read, Write};

use crate::descriptors::StandardHeld;
use crate::worker::Worker;

/// Parks a thread until it is unparked. The worker in its slot is attended to meanwhile: what it prints is passed on, and
/// its end is seen.
pub struct Parker(PipeReader);

/// Unparks the thread of a [`Parker`], from any thread.
pub struct Unparker(PipeWriter);

impl Parker {
    /// The two ends.
    ///
    /// # Errors
    ///
    /// When the system has no more descriptors.
    pub fn new() -> io::Result<(Parker, Unparker)> {
        let _held = StandardHeld::new()?;
        let (parker, unparker) = io::pipe()?;
        Ok((Parker(parker), Unparker(unparker)))
    }

    /// Waits until [`Unparker::unpark`] is called, as often as that was, or until there is no [`Unparker`]. A worker that has
    /// ended, or has said what it was not asked for, leaves the slot empty. It must be ready.
    pub fn park(&mut self, slot: &mut Option<Worker>) {
        *slot = slot.take().and_then(|worker| worker.idle_until(&self.0));
        // An error is the end of the unparker, and nothing is waited for then.
        let _ended = self.0.read_exact(&mut [0]);
    }
}

impl Unparker {
    /// Ends one call of [`Parker::park`], the next if there is none now.
    pub fn unpark(&mut self) {
        // Fails only when nobody is left to be unparked.
        let _nobody = self.0.write_all(&[0]);
    }
}
