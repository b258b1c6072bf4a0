//! Wakes a thread that waits for descriptors.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::descriptors::{StandardHeld, pipe};

/// What is waited for.
#[derive(Debug)]
pub(crate) struct Woken(OwnedFd);

/// Wakes whoever waits, from any thread.
#[derive(Debug)]
pub(crate) struct Waker(OwnedFd);

impl Woken {
    /// The two ends.
    pub(crate) fn new() -> io::Result<(Woken, Arc<Waker>)> {
        let _held = StandardHeld::new()?;
        let (woken, waker) = pipe()?;
        for end in [&woken, &waker] {
            rustix::io::ioctl_fionbio(end, true)?;
        }
        Ok((Woken(woken), Arc::new(Waker(waker))))
    }

    /// It can be read when somebody woke this.
    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.0
    }

    /// Waits for the next time.
    pub(crate) fn rest(&self) {
        let mut buffer = [0; 64];
        while rustix::io::read(&self.0, &mut buffer).is_ok_and(|read| read == buffer.len()) {}
    }
}

impl Waker {
    pub(crate) fn wake(&self) {
        // A pipe that is full wakes too; and nobody is left to wake when the other end is gone.
        let _full_or_gone = rustix::io::write(&self.0, &[0]);
    }
}
