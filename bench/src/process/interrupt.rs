//! The signal that ends a run early.

use std::ffi::c_int;
use std::{io, thread};

use crossbeam::channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// SIGINT, SIGTERM or SIGHUP, once it has come: a channel on which nothing is ever sent, and which closes with the signal,
/// so that everybody who waits for something else can wait for it too.
#[derive(Clone, Debug)]
pub struct Interrupt {
    closes: Receiver<std::convert::Infallible>,
}

/// The user wants the run to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl Interrupt {
    /// Listens from now on; once per process. A signal that is ignored stays ignored: under `nohup` a run outlives its
    /// terminal, and in the background of a script it outlives a Ctrl-C.
    ///
    /// # Errors
    ///
    /// If the system takes no handler, or has no thread to wait for signals.
    pub fn listen() -> io::Result<Interrupt> {
        let (held, interrupt) = Interrupt::channel();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)))?;
        thread::Builder::new().spawn(move || {
            signals.forever().next();
            drop(held);
            // Further ones change nothing: the run is ending already.
            signals.forever().for_each(drop);
        })?;
        Ok(interrupt)
    }

    /// An interrupt that comes when the sender is dropped.
    pub fn channel() -> (Sender<std::convert::Infallible>, Interrupt) {
        let (held, closes) = bounded(0);
        (held, Interrupt { closes })
    }

    /// Fails once the signal has come.
    pub fn check(&self) -> Result<(), Interrupted> {
        match self.closes.try_recv() {
            Err(crossbeam::channel::TryRecvError::Disconnected) => Err(Interrupted),
            _ => Ok(()),
        }
    }

    /// For `select!`: ready once the signal has come.
    pub fn closes(&self) -> &Receiver<std::convert::Infallible> {
        &self.closes
    }
}

/// Whether this process was started with the signal ignored.
#[cfg(target_os = "linux")]
fn is_ignored(signal: c_int) -> bool {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign >> (signal - 1) & 1 == 1)
}

/// It cannot be asked here without `unsafe`. A hangup is left as it is found, which is what `nohup` needs.
#[cfg(not(target_os = "linux"))]
fn is_ignored(signal: c_int) -> bool {
    signal == SIGHUP
}
