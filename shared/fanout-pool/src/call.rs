//! A call, from the queue to its outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::conversation::{Ordered, refused};
use crate::error::{CallError, Outcome, Stage, StartError, caught};
use crate::event::{CallId, Event};
use crate::options::CallOptions;
use crate::share::SharedBytes;
use crate::slot::{Call, Seat, Starts};
use crate::state::Loss;
use crate::task::{Task, called};
use crate::ticket::Ticket;
use crate::worker::Asked;

/// A call of a task.
pub(crate) struct Submitted<T: Task> {
    /// The name of the task.
    pub(crate) task: &'static str,
    /// Until it is done.
    pub(crate) input: Option<T::Input>,
    pub(crate) shared: Arc<SharedBytes>,
    pub(crate) options: CallOptions,
    pub(crate) outcome: Option<Outcome<T::Output>>,
    pub(crate) ticket: Arc<Ticket<T::Output>>,
}

impl<T: Task> Submitted<T> {
    fn complete(&mut self, outcome: Outcome<T::Output>) {
        // Before whoever waits goes on, so that nothing of a call is left when it is over.
        let input = self.input.take();
        let _told = caught(|| drop(input));
        self.ticket.complete(outcome);
    }

    /// An error if there is no worker, and the call had no part in that.
    fn tried(&self, call: CallId, seat: &mut Seat) -> Result<Outcome<T::Output>, StartError> {
        let mut death = None;
        match self.try_until_told(call, seat, &mut death) {
            // Without another worker, the death is what is told of this call.
            Err(refusal) => death.map_or(Err(refusal), |death| Ok(Err(death))),
            told => told,
        }
    }

    fn try_until_told(
        &self,
        call: CallId,
        seat: &mut Seat,
        death: &mut Option<CallError>,
    ) -> Result<Outcome<T::Output>, StartError> {
        let (mut starts, mut retries, mut attempt) = (Starts::new(), self.options.retries, 0);
        let Some(input) = &self.input else { return Ok(Err(CallError::Closed)) };
        loop {
            if self.ticket.stop.load(Ordering::Acquire) {
                return Ok(Err(if seat.is_closing() { CallError::Closed } else { CallError::Cancelled }));
            }
            // Before a process is started for nothing.
            if let Some(reason) = self.shared.refusal(|| called::<T>(input)) {
                return Ok(Err(refused::<T>(input, &reason)));
            }
            let worker = seat.take()?;
            let pid = worker.id();
            seat.observer().tell(|| Event::CallStarted { call, task: T::name(), pid, attempt });
            let fresh = !worker.has_answered();
            let ordered = Ordered { shared: &self.shared, attempt, deadline: self.options.deadline };
            if !worker.has(&self.shared) {
                self.shared.held_by(&seat.waker);
            }
            match worker.call::<T>(input, &ordered, &self.ticket.stop) {
                Asked::Answered(outcome, worker) => {
                    seat.put(worker, pid);
                    return Ok(outcome);
                }
                Asked::Lost(error, loss) => {
                    seat.lost(pid, &error);
                    match loss {
                        Loss::Death if retries > 0 => {
                            seat.observer().tell(|| Event::CallRetried { call, why: error.to_string() });
                            (retries, attempt) = (retries - 1, attempt + 1);
                            *death = Some(error);
                            // That one was no loss at the start.
                            starts = Starts::new();
                        }
                        Loss::Cancelled if seat.is_closing() => return Ok(Err(CallError::Closed)),
                        _ => return Ok(Err(error)),
                    }
                }
                Asked::Untouched(error) => {
                    seat.lost(pid, &error);
                    if !fresh {
                        continue;
                    }
                    match starts.failed(error) {
                        Ok(()) => {}
                        // Workers can be had. It is this call that they are lost over, or what it shares.
                        Err(error @ StartError::Lost { stage: Stage::Loading | Stage::Waiting, .. }) => {
                            if matches!(error, StartError::Lost { stage: Stage::Loading, .. }) {
                                self.shared.refuse(called::<T>(input), &error.to_string());
                            }
                            return Ok(Err(death.take().unwrap_or(CallError::NotStarted(error))));
                        }
                        Err(error) => return Err(seat.told(error)),
                    }
                }
            }
        }
    }
}

impl<T: Task> Call for Submitted<T> {
    fn run(&mut self, call: CallId, seat: &mut Seat) -> Result<(), StartError> {
        let start = seat.observer().0.is_some().then(Instant::now);
        let outcome = self.tried(call, seat)?;
        seat.observer().tell(|| Event::CallFinished {
            call,
            task: T::name(),
            took: start.map(|start| start.elapsed()).unwrap_or_default(),
            failure: outcome.as_ref().err().map(ToString::to_string),
        });
        self.outcome = Some(outcome);
        Ok(())
    }

    fn tell(mut self: Box<Self>) {
        let outcome = self.outcome.take().unwrap_or(Err(CallError::Closed));
        self.complete(outcome);
    }

    fn fail(mut self: Box<Self>, error: CallError) {
        self.complete(Err(error));
    }

    fn task(&self) -> &'static str {
        self.task
    }

    fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ticket.stop)
    }
}

/// Without an outcome, it was dropped with its pool.
impl<T: Task> Drop for Submitted<T> {
    fn drop(&mut self) {
        if self.input.is_some() {
            self.complete(Err(CallError::Closed));
        }
    }
}
