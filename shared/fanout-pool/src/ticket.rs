//! Where a call's outcome waits for whoever asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::error::{CallError, Outcome, caught};

/// Shared by the handle of a call and by what runs it.
#[derive(Debug)]
pub(crate) struct Ticket<R> {
    state: Mutex<State<R>>,
    told: Condvar,
    /// Whether nobody wants the outcome any more.
    pub(crate) stop: Arc<AtomicBool>,
}

#[derive(Debug)]
enum State<R> {
    /// Whoever is to be woken when it is done.
    Open(Listener),
    Done(Outcome<R>),
    Taken,
}

#[derive(Debug)]
enum Listener {
    Nobody,
    /// Threads wait. Without them, to wake them would be a system call all the same.
    Threads,
    Waker(Waker),
}

impl<R> Ticket<R> {
    pub(crate) fn new() -> Arc<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        Arc::new(Ticket { state: Mutex::new(State::Open(Listener::Nobody)), told: Condvar::new(), stop })
    }

    fn state(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first outcome counts.
    pub(crate) fn complete(&self, outcome: Outcome<R>) {
        let mut state = self.state();
        if !matches!(*state, State::Open(_)) {
            drop(state);
            let _told = caught(|| drop(outcome));
            return;
        }
        let before = std::mem::replace(&mut *state, State::Done(outcome));
        drop(state);
        match before {
            State::Open(Listener::Threads) => self.told.notify_all(),
            State::Open(Listener::Waker(waker)) => _ = caught(|| waker.wake()),
            _ => {}
        }
    }

    /// Has what runs it stop.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.state(), State::Open(_))
    }

    /// The outcome, once; nothing if it is not there when `until` is.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Option<Outcome<R>> {
        let mut state = self.state();
        loop {
            if let Some(outcome) = taken(&mut state) {
                return Some(outcome);
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            *state = State::Open(Listener::Threads);
            state = match left {
                None => self.told.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.told.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    /// Wakes `waker` when the outcome is there: now, if it is.
    pub(crate) fn when_done(&self, waker: &Waker) {
        let mut state = self.state();
        if let State::Open(listener) = &mut *state {
            *listener = Listener::Waker(waker.clone());
            return;
        }
        drop(state);
        waker.wake_by_ref();
    }

    /// The outcome, once; or `waker` is woken when it is there.
    pub(crate) fn poll(&self, waker: &Waker) -> Option<Outcome<R>> {
        let mut state = self.state();
        let outcome = taken(&mut state);
        if let State::Open(listener) = &mut *state {
            match listener {
                Listener::Waker(kept) => kept.clone_from(waker),
                _ => *listener = Listener::Waker(waker.clone()),
            }
        }
        outcome
    }
}

fn taken<R>(state: &mut State<R>) -> Option<Outcome<R>> {
    match std::mem::replace(state, State::Taken) {
        State::Open(listener) => {
            *state = State::Open(listener);
            None
        }
        State::Done(outcome) => Some(outcome),
        State::Taken => Some(Err(CallError::Taken)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counts(AtomicUsize);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Counts {
        fn woken(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn waker() -> (Arc<Counts>, Waker) {
        let counts = Arc::<Counts>::default();
        (Arc::clone(&counts), Waker::from(counts))
    }

    #[test]
    fn whoever_polled_last_is_woken_once() {
        let ticket = Ticket::new();
        let ((first, by_first), (last, by_last)) = (waker(), waker());
        assert!(ticket.poll(&by_first).is_none() && ticket.poll(&by_last).is_none() && ticket.is_open());
        ticket.complete(Ok(7));
        assert_eq!((first.woken(), last.woken()), (0, 1));
        assert!(matches!(ticket.poll(&by_first), Some(Ok(7))));
        assert_eq!((first.woken(), last.woken()), (0, 1));
    }

    #[test]
    fn an_outcome_is_given_out_once() {
        let ticket = Ticket::new();
        let (_, waker) = waker();
        ticket.complete(Ok(7));
        assert!(matches!(ticket.poll(&waker), Some(Ok(7))));
        assert!(matches!(ticket.poll(&waker), Some(Err(CallError::Taken))));
        assert!(matches!(ticket.wait(None), Some(Err(CallError::Taken))));
        assert!(!ticket.is_open());
        // And nothing makes it another.
        ticket.complete(Ok(8));
        assert!(matches!(ticket.poll(&waker), Some(Err(CallError::Taken))));
    }

    #[test]
    fn the_first_outcome_counts() {
        let ticket = Ticket::new();
        ticket.complete(Err(CallError::Cancelled));
        ticket.complete(Ok(7));
        assert!(matches!(ticket.wait(None), Some(Err(CallError::Cancelled))));
    }

    #[test]
    fn what_is_done_already_wakes_at_once() {
        let ticket = Ticket::new();
        let ((early, by_early), (late, by_late)) = (waker(), waker());
        ticket.when_done(&by_early);
        ticket.complete(Ok(7));
        ticket.when_done(&by_late);
        assert_eq!((early.woken(), late.woken()), (1, 1));
        assert!(matches!(ticket.wait(None), Some(Ok(7))));
    }

    #[test]
    fn whoever_waits_with_a_limit_may_wait_again() {
        let ticket = Ticket::new();
        assert!(ticket.wait(Some(Instant::now())).is_none());
        let completed = std::thread::scope(|threads| {
            threads.spawn(|| ticket.complete(Ok(7)));
            ticket.wait(Instant::now().checked_add(Duration::from_secs(60)))
        });
        assert!(matches!(completed, Some(Ok(7))));
    }

    /// Of somebody else's, whose panic is not for whoever completes the call.
    #[test]
    fn a_waker_that_panics_loses_no_outcome() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("a waker's own");
            }
        }
        let ticket = Ticket::new();
        assert!(ticket.poll(&Waker::from(Arc::new(Panics))).is_none());
        ticket.complete(Ok(7));
        assert!(matches!(ticket.wait(None), Some(Ok(7))));
    }
}
