//! A tokio runtime's blocking threads, one `spawn_blocking` per key.
//!
//! Decisions: a runtime of our own, since tokio wants CPU-bound work away from I/O; `max_blocking_threads` is the limit
//! on computations at once that `spawn_blocking`'s documentation asks for, and needs no semaphore when nothing else
//! uses the runtime; current-thread, because nothing here is async; all threads are made in `start`, where a refused
//! one can still be told; outcomes come back over a std channel, and `Drop` waits on a thread of its own, because tokio's
//! ways to wait panic inside another runtime.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use kernel::{Context, KeyError, Outcome, Runs, StartError, Strategy, Workload};
use tokio::runtime::{Builder, Handle, Runtime};

/// Keeps the runtime, and so its threads, alive between batches.
pub struct TokioBlocking {
    handle: Handle,
    /// There until `Drop`, which must own it.
    runtime: Option<Runtime>,
    shortfall: Option<StartError>,
}

/// How long a blocking thread may be idle before tokio ends it: for ever. Else a pause between two batches would cost
/// threads, and `run` would have to make them again, where tokio panics if the OS then refuses.
const KEEP_ALIVE: Duration = Duration::MAX;

/// How long `start` waits for the next thread to show itself. When none does, the strategy goes on with those that did,
/// and says so. There must be a limit, because tokio keeps a refusal to itself once it has one thread. A thread starts
/// in well under a millisecond: on a machine that takes two seconds, fewer workers is the truth.
const PATIENCE: Duration = Duration::from_secs(2);

impl Strategy for TokioBlocking {
    fn start(context: &Context) -> Result<Self, StartError> {
        let wanted = context.workers.get();
        let mut builder = Builder::new_current_thread();
        let builder = builder.max_blocking_threads(wanted).thread_keep_alive(KEEP_ALIVE);
        let runtime = builder.build().map_err(StartError::new)?;
        let mut started = TokioBlocking { handle: runtime.handle().clone(), runtime: Some(runtime), shortfall: None };
        // tokio panics if the OS refuses the first thread, and says nothing if it refuses a later one.
        let got = panic::catch_unwind(AssertUnwindSafe(|| start_threads(&started.handle, wanted)))
            .map_err(|payload| StartError::new(KeyError::from_panic(payload)))?;
        if got < wanted {
            let refused = io::Error::other(format!("tokio got {got} of {wanted} blocking threads"));
            started.shortfall = Some(StartError::new(refused));
        }
        Ok(started)
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref()
    }
}

/// Makes tokio start its blocking threads now, and returns how many came: each of `wanted` tasks keeps the thread it is
/// on until all have been spawned, so that none finds an idle one.
fn start_threads(handle: &Handle, wanted: usize) -> usize {
    let gate = Arc::new(RwLock::new(()));
    let _closed = gate.write();
    let (hello, hellos) = mpsc::channel();
    for _ in 0..wanted {
        let (gate, hello) = (Arc::clone(&gate), hello.clone());
        handle.spawn_blocking(move || {
            let _ = hello.send(());
            drop(gate.read());
        });
    }
    (0..wanted).take_while(|_| hellos.recv_timeout(PATIENCE).is_ok()).count()
}

impl<W: Workload> Runs<W> for TokioBlocking {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let (done, outcomes) = mpsc::channel();
        for index in 0..workload.keys() {
            let (workload, done) = (Arc::clone(workload), done.clone());
            self.handle.spawn_blocking(move || {
                let outcome = workload.attempt(index);
                // Let go of first: once its last outcome is there, the batch holds the workload no more.
                drop(workload);
                // The receiver is gone only if the caller is.
                let _ = done.send((index, outcome));
            });
        }
        drop(done);
        kernel::in_key_order(workload.keys(), outcomes)
    }
}

impl Drop for TokioBlocking {
    fn drop(&mut self) {
        let mut runtime = self.runtime.take();
        thread::scope(|scope| {
            // Every key is done, so the threads are idle and end at once.
            let _refused = thread::Builder::new().spawn_scoped(scope, || drop(runtime.take()));
        });
        // Still there if a thread was refused. This detaches the blocking threads, which glibc may crash on.
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::num::NonZeroUsize;
    use std::thread::ThreadId;

    use super::*;

    /// A key expands to the thread that ran it.
    struct WhereItRan;

    impl Workload for WhereItRan {
        type Output = ThreadId;

        fn keys(&self) -> usize {
            100
        }

        fn expand(&self, _: usize) -> ThreadId {
            thread::current().id()
        }
    }

    fn threads(strategy: &mut TokioBlocking) -> HashSet<ThreadId> {
        strategy.run(&Arc::new(WhereItRan)).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn t4_starts_runs_and_drops_inside_another_runtime() {
        let context = Context::new(NonZeroUsize::new(3).unwrap());
        let outer = Builder::new_current_thread().build().unwrap();
        let threads = outer.block_on(async { threads(&mut TokioBlocking::start(&context).unwrap()) });
        assert!((1..=3).contains(&threads.len()) && !threads.contains(&thread::current().id()));
    }

    #[test]
    fn start_gets_all_threads_and_batches_share_them() {
        let mut strategy = TokioBlocking::start(&Context::new(NonZeroUsize::new(3).unwrap())).unwrap();
        assert!(strategy.shortfall().is_none());
        let mut seen = threads(&mut strategy);
        for _ in 0..20 {
            seen.extend(threads(&mut strategy));
        }
        assert!(seen.len() <= 3, "{seen:?}");
    }
}
