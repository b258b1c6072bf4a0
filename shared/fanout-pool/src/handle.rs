//! A call that was submitted.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::error::{CallError, Outcome};
use crate::event::CallId;
use crate::scheduler::Place;
use crate::slot::Calls;
use crate::ticket::Ticket;

/// A call that was submitted. [`wait`](Handle::wait) for it, or `await` it on any runtime; it blocks no thread of one.
///
/// Dropping it cancels the call: one that waits for a worker is never run, and one that runs has its worker killed. So a
/// request that nobody waits for any more costs nothing any more. [`detach`](Handle::detach) lets it run on.
#[must_use = "dropping a handle cancels its call; `detach` it to let it run"]
pub struct Handle<R> {
    ticket: Arc<Ticket<R>>,
    /// Where it can be cancelled; nothing if it never got that far.
    at: Option<(Arc<Calls>, Place)>,
    is_detached: bool,
}

impl<R> Handle<R> {
    pub(crate) fn new(ticket: Arc<Ticket<R>>, at: Option<(Arc<Calls>, Place)>) -> Self {
        Handle { ticket, at, is_detached: false }
    }

    /// Wakes `waker` when the outcome is there.
    pub(crate) fn when_done(&self, waker: &Waker) {
        self.ticket.when_done(waker);
    }

    /// In a process that was forked from the pool's, nobody will ever tell.
    fn is_forked(&self) -> bool {
        self.at.as_ref().is_some_and(|(scheduler, _)| !scheduler.is_here())
    }

    /// The number of the call, by which events speak of it; 0 if the pool was closed already.
    pub fn id(&self) -> CallId {
        CallId(self.at.as_ref().map_or(0, |(_, place)| place.number))
    }

    /// Waits for the outcome.
    ///
    /// # Errors
    ///
    /// Why the call has no output.
    pub fn wait(self) -> Outcome<R> {
        if self.is_forked() {
            return Err(CallError::Forked);
        }
        self.ticket.wait(None).unwrap_or(Err(CallError::Taken))
    }

    /// Waits for the outcome, but not longer than so long: nothing if it is not there then, and the call goes on. Once it was
    /// given out, it is [`Taken`](crate::CallError::Taken).
    pub fn wait_for(&mut self, most: Duration) -> Option<Outcome<R>> {
        if self.is_forked() {
            return Some(Err(CallError::Forked));
        }
        let until = Instant::now().checked_add(most);
        self.ticket.wait(until)
    }

    /// Whether the outcome is there, or was taken.
    pub fn is_done(&self) -> bool {
        !self.ticket.is_open()
    }

    /// Cancels the call, unless it is done: whoever waits has [`Cancelled`](crate::CallError::Cancelled).
    pub fn cancel(&self) {
        if let Some((scheduler, place)) = &self.at {
            if !self.is_forked() && self.ticket.is_open() {
                self.ticket.stop();
                scheduler.cancel(place);
            }
        }
    }

    /// Lets the call run, whatever comes of it, as long as the pool lives.
    pub fn detach(mut self) {
        self.is_detached = true;
    }
}

impl<R> Drop for Handle<R> {
    fn drop(&mut self) {
        if !self.is_detached {
            self.cancel();
        }
    }
}

impl<R> Future for Handle<R> {
    type Output = Outcome<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<R>> {
        if self.is_forked() {
            return Poll::Ready(Err(CallError::Forked));
        }
        self.ticket.poll(context.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}

impl<R> Unpin for Handle<R> {}

impl<R> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id()).field("is_done", &self.is_done()).finish_non_exhaustive()
    }
}
