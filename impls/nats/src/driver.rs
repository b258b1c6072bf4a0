//! A runtime on a thread of its own.

use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::connect::Trouble;

/// How long tasks may take to end that have nothing to do any more.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// A runtime that one thread drives. With threads of its own, tokio panics where the system gives none.
pub(crate) struct Driver {
    handle: Handle,
    /// Dropped, it lets the thread end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Driver {
    pub(crate) fn start(name: &str) -> Result<Self, Trouble> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Trouble::Thread)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let drive = move || {
            let _it_is_dropped = runtime.block_on(stopped);
            runtime.shutdown_timeout(END_PATIENCE);
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(drive).map_err(Trouble::Thread)?;
        Ok(Driver { handle, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// Waits for something on a runtime. On a thread that runs tasks of another one may not, and so another thread does.
pub(crate) fn wait<T: Send>(on: &Handle, work: impl Future<Output = T> + Send) -> Result<T, Trouble> {
    if Handle::try_current().is_err() {
        return Ok(on.block_on(work));
    }
    thread::scope(|scope| {
        let waits = thread::Builder::new().name("nats-wait".into());
        let thread = waits.spawn_scoped(scope, || on.block_on(work)).map_err(Trouble::Thread)?;
        Ok(thread.join().expect("it does not panic"))
    })
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _no_panic = thread.join();
        }
    }
}
