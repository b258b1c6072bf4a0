//! Long-lived threads, fed by a bounded channel: the thread pool that everyone writes once.
//!
//! Decisions: a key travels as a boxed closure, because the threads outlive the batch and so cannot name its type; the
//! channel holds some keys per worker, so that threads seldom sleep and a million keys are not boxed ahead; outcomes
//! come back over an unbounded channel, so that no worker waits for the caller, who may be waiting for it.

use std::mem;
use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};

use crossbeam::channel::{self, Sender};
use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};

/// One key to run, its workload and the way back included.
type Job = Box<dyn FnOnce() + Send>;

/// Bounds the keys that wait in the channel, per worker: when it is full, the caller sleeps, and a worker that finds it empty
/// does too. Hard coded, since it depends on no job. Each sleep costs two switches of threads, so it is the overhead of tiny
/// keys: an empty one took 2,000 ns with one per worker, 390 with 16, 120 with 128 and 80 with 1,024 (two CPUs). 128 boxes
/// are 10 kB.
const WAITING: usize = 128;

/// The threads, and the channel that feeds them.
pub struct ChannelWorkers {
    jobs: Sender<Job>,
    threads: Vec<JoinHandle<()>>,
    shortfall: Option<StartError>,
}

impl Strategy for ChannelWorkers {
    fn start(context: &Context) -> Result<Self, StartError> {
        let (jobs, queue) = channel::bounded::<Job>(WAITING * context.workers.get());
        let mut started = ChannelWorkers { jobs, threads: Vec::new(), shortfall: None };
        for _ in 0..context.workers.get() {
            let queue = queue.clone();
            match Builder::new().spawn(move || queue.into_iter().for_each(|job| job())) {
                Ok(thread) => started.threads.push(thread),
                Err(refused) if started.threads.is_empty() => return Err(StartError::new(refused)),
                Err(refused) => started.shortfall = Some(StartError::new(refused)),
            }
        }
        Ok(started)
    }

    fn shortfall(&self) -> Option<&StartError> {
        self.shortfall.as_ref()
    }
}

impl<W: Workload> Runs<W> for ChannelWorkers {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        let (done, outcomes) = mpsc::channel();
        for index in 0..workload.keys() {
            let (workload, done) = (Arc::clone(workload), done.clone());
            let job = move || {
                let outcome = workload.attempt(index);
                // Let go of first: once its last outcome is there, the batch holds the workload no more.
                drop(workload);
                // The receiver is gone only if the caller is.
                let _ = done.send((index, outcome));
            };
            self.jobs.send(Box::new(job)).expect("the workers leave only when this sender is dropped");
        }
        drop(done);
        kernel::in_key_order(workload.keys(), outcomes)
    }
}

impl Drop for ChannelWorkers {
    fn drop(&mut self) {
        // The workers leave when no sender is left; a new channel in place of the old one drops it.
        drop(mem::replace(&mut self.jobs, channel::bounded(0).0));
        for thread in self.threads.drain(..) {
            // No key's panic gets this far, and Drop must not panic.
            let _ = thread.join();
        }
    }
}
