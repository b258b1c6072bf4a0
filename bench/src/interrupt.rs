//! The signal that ends a run early.

use std::sync::{Mutex, PoisonError};

use crossbeam::channel::{Receiver, Sender, bounded};

/// SIGINT or SIGTERM, once it has come: a channel on which nothing is ever sent, and which closes with the signal, so that
/// everybody who waits for something else can wait for it too.
#[derive(Clone, Debug)]
pub struct Interrupt {
    closes: Receiver<std::convert::Infallible>,
}

/// The user wants the run to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl Interrupt {
    /// Listens for SIGINT and SIGTERM from now on; once per process.
    pub fn listen() -> Result<Interrupt, ctrlc::Error> {
        let (held, interrupt) = Interrupt::channel();
        let held = Mutex::new(Some(held));
        ctrlc::set_handler(move || drop(held.lock().unwrap_or_else(PoisonError::into_inner).take()))?;
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
