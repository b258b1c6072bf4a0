//! Which call is next, and which workers there are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{CallError, StartError};
use crate::event::{CallId, Running, Status, WorkerStatus};
use crate::process::resident;
use crate::role::Owner;
use crate::wake::Waker;

/// Bounds how often a worker is asked for in vain while others work: a system that has refused one is asked again after
/// so long. The others take the calls meanwhile. A process start takes about a millisecond.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// What waits for a worker.
pub(crate) trait Queued {
    /// The name of its task.
    fn task(&self) -> &'static str;

    /// What says that nobody wants its outcome any more.
    fn stop(&self) -> Arc<AtomicBool>;

    /// Tells why it has no output.
    fn fail(self, error: CallError);
}

/// What the threads of a pool share.
#[derive(Debug)]
pub(crate) struct Scheduler<C> {
    state: Mutex<State<C>>,
    /// A slot has gone, or a call that waited.
    gone: Condvar,
    /// Whether all that runs or starts is to be ended at once.
    pub(crate) stop: Arc<AtomicBool>,
    idle_timeout: Option<Duration>,
    owner: Owner,
}

#[derive(Debug)]
struct State<C> {
    queue: BTreeMap<Place, C>,
    /// The number of the last call.
    calls: u64,
    slots: BTreeMap<SlotId, Slot>,
    /// The number of the last slot.
    last_slot: SlotId,
    /// Slots that wait to be woken. The last has rested least.
    idle: Vec<SlotId>,
    workers: RangeInclusive<usize>,
    /// Whether no more calls are taken.
    is_closed: bool,
    /// The last refusal of a worker, until it was asked for.
    refusal: Option<(StartError, Instant)>,
    /// Of all slots that there are, and of some that are no more.
    threads: Vec<JoinHandle<()>>,
}

/// A thread with a worker.
#[derive(Debug)]
struct Slot {
    waker: Arc<Waker>,
    pid: Option<u32>,
    calls: u64,
    running: Option<(Running, Place, Arc<AtomicBool>)>,
}

pub(crate) type SlotId = u64;

/// Where a call stands in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    priority: Reverse<i32>,
    pub(crate) number: u64,
}

/// What a slot does next.
pub(crate) enum Next<C> {
    /// This call.
    Call(Place, C),
    /// There is no call, and one of the least number of workers is missing.
    Fill,
    /// Nothing, until it is woken, or for so long.
    Rest(Option<Duration>),
    /// It is needed no more.
    Leave,
}

impl<C: Queued> Scheduler<C> {
    pub(crate) fn new(workers: RangeInclusive<usize>, idle_timeout: Option<Duration>) -> Arc<Self> {
        let state = State {
            queue: BTreeMap::new(),
            calls: 0,
            slots: BTreeMap::new(),
            last_slot: 0,
            idle: Vec::new(),
            workers,
            is_closed: false,
            refusal: None,
            threads: Vec::new(),
        };
        Arc::new(Scheduler {
            state: Mutex::new(state),
            gone: Condvar::new(),
            stop: Arc::default(),
            idle_timeout,
            owner: Owner::here(),
        })
    }

    /// Nothing of a user runs under it.
    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is the process that the pool belongs to.
    pub(crate) fn is_here(&self) -> bool {
        self.owner.is_here()
    }

    /// Puts a call into the queue and wakes a slot for it. Whether a slot must be started for it, too; or the call, if the
    /// pool takes none any more.
    pub(crate) fn submit(&self, priority: i32, call: C) -> Result<(Place, bool), C> {
        let mut state = self.state();
        if state.is_closed {
            return Err(call);
        }
        state.calls += 1;
        let place = Place { priority: Reverse(priority), number: state.calls };
        state.queue.insert(place, call);
        let idle = state.wake_one();
        let wants = idle.is_none() && state.wants_slot();
        drop(state);
        if let Some(waker) = idle {
            waker.wake();
        }
        Ok((place, wants))
    }

    /// Enters a slot and starts its thread, if one is wanted: one is, if there are fewer than `least`, or calls wait. Whether
    /// it was.
    pub(crate) fn enter(
        &self,
        waker: &Arc<Waker>,
        least: usize,
        start: impl FnOnce(SlotId) -> io::Result<JoinHandle<()>>,
    ) -> io::Result<bool> {
        let mut state = self.state();
        let wanted = state.slots.len() < least || state.wants_slot();
        // A pool that closes has what waits done, and starts nothing else.
        if !wanted || state.is_closed && state.queue.is_empty() {
            return Ok(false);
        }
        let id = state.last_slot + 1;
        // It waits for this lock before anything else.
        let thread = start(id)?;
        state.last_slot = id;
        state.slots.insert(id, Slot { waker: Arc::clone(waker), pid: None, calls: 0, running: None });
        let (over, mut threads): (Vec<_>, Vec<_>) =
            mem::take(&mut state.threads).into_iter().partition(JoinHandle::is_finished);
        threads.push(thread);
        state.threads = threads;
        drop(state);
        // One that panicked has said so.
        over.into_iter().for_each(|thread| _ = thread.join());
        Ok(true)
    }

    /// What a slot does next. What it did before is done.
    pub(crate) fn next(&self, id: SlotId, has_worker: bool, rested: Option<Instant>) -> Next<C> {
        let mut state = self.state();
        state.idle.retain(|&idle| idle != id);
        let (slots, least) = (state.slots.len(), *state.workers.start());
        let Some(slot) = state.slots.get_mut(&id) else { return Next::Leave };
        slot.running = None;
        if self.stop.load(Ordering::Acquire) || slots > *state.workers.end() {
            return state.leave(id);
        }
        if let Some((place, call)) = state.queue.pop_first() {
            let slot = state.slots.get_mut(&id).expect("it was there");
            slot.calls += 1;
            let running = Running { call: CallId(place.number), task: call.task(), since: Instant::now() };
            slot.running = Some((running, place, call.stop()));
            return Next::Call(place, call);
        }
        if state.is_closed {
            return state.leave(id);
        }
        if !has_worker && slots <= least {
            return Next::Fill;
        }
        let left = self
            .idle_timeout
            .filter(|_| slots > least)
            .map(|timeout| timeout.saturating_sub(rested.map(|rested| rested.elapsed()).unwrap_or_default()));
        if left == Some(Duration::ZERO) {
            return state.leave(id);
        }
        state.idle.push(id);
        Next::Rest(left)
    }

    /// Puts back a call that its slot can find no worker for. Without another slot, it fails with that refusal.
    pub(crate) fn put_back(&self, place: Place, call: C, refusal: &StartError) {
        let mut state = self.state();
        // One that was cancelled meanwhile is not run again.
        let is_stopped = call.stop().load(Ordering::Acquire);
        if is_stopped || state.slots.len() < 2 || self.stop.load(Ordering::Acquire) {
            drop(state);
            call.fail(if is_stopped { CallError::Cancelled } else { CallError::NotStarted(refusal.again()) });
            return;
        }
        state.queue.insert(place, call);
    }

    pub(crate) fn has_worker(&self, id: SlotId, pid: Option<u32>) {
        let mut state = self.state();
        if let Some(slot) = state.slots.get_mut(&id) {
            slot.pid = pid;
            slot.calls = u64::from(pid.is_some() && slot.running.is_some());
        }
    }

    /// Why a slot has no worker.
    pub(crate) fn refused(&self, refusal: &StartError) {
        self.state().refusal = Some((refusal.again(), Instant::now()));
    }

    /// No slot can be started. If there is none, what waits can only fail.
    pub(crate) fn refuse(&self, refusal: &StartError) {
        let mut state = self.state();
        state.refusal = Some((refusal.again(), Instant::now()));
        let hopeless = state.hopeless();
        drop(state);
        self.gone.notify_all();
        hopeless.into_values().for_each(|call| call.fail(CallError::NotStarted(refusal.again())));
    }

    /// The thread of a slot ends, and perhaps for want of a worker. If that was the last, what waits can only fail. Whether
    /// another slot must be started for what waits.
    pub(crate) fn left(&self, id: SlotId, refusal: Option<&StartError>) -> bool {
        let mut state = self.state();
        state.leave(id);
        let hopeless = refusal.map(|refusal| (state.hopeless(), refusal));
        // What it was woken for is another's.
        let next = if state.queue.is_empty() { None } else { state.wake_one() };
        let wants_slot = next.is_none() && !state.queue.is_empty() && !state.is_closed && state.wants_slot();
        drop(state);
        self.gone.notify_all();
        if let Some(waker) = next {
            waker.wake();
        }
        if let Some((hopeless, refusal)) = hopeless {
            hopeless.into_values().for_each(|call| call.fail(CallError::NotStarted(refusal.again())));
        }
        wants_slot
    }

    /// Takes the call out of the queue, or has its worker killed.
    pub(crate) fn cancel(&self, place: &Place) {
        if !self.is_here() {
            return;
        }
        let mut state = self.state();
        let queued = state.queue.remove(place);
        let runs = |slot: &&Slot| slot.running.as_ref().is_some_and(|(_, running, _)| running == place);
        let waker = state.slots.values().find(runs).map(|slot| Arc::clone(&slot.waker));
        drop(state);
        self.gone.notify_all();
        if let Some(call) = queued {
            call.fail(CallError::Cancelled);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn resize(&self, workers: RangeInclusive<usize>) {
        let mut state = self.state();
        state.workers = workers;
        let wakers = state.wakers();
        drop(state);
        wakers.iter().for_each(|waker| waker.wake());
    }

    pub(crate) fn most(&self) -> usize {
        *self.state().workers.end()
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.state();
        let workers = |slot: &Slot| WorkerStatus {
            pid: slot.pid,
            calls: slot.calls,
            resident: None,
            running: slot.running.as_ref().map(|(running, _, _)| running.clone()),
        };
        let mut status = Status {
            queued: state.queue.len(),
            workers: state.slots.values().map(workers).collect(),
            refusal: state.refusal.as_ref().map(|(refusal, _)| refusal.to_string()),
        };
        drop(state);
        for worker in &mut status.workers {
            worker.resident = worker.pid.and_then(resident);
        }
        status
    }

    /// The last refusal of a worker, once.
    pub(crate) fn take_refusal(&self) -> Option<StartError> {
        self.state().refusal.take().map(|(refusal, _)| refusal)
    }

    /// Takes no more calls, and waits so long for those that there are. What is not done then fails. When this returns, no
    /// worker and no thread is left.
    pub(crate) fn close(&self, grace: Duration) {
        if !self.is_here() {
            return;
        }
        let until = Instant::now().checked_add(grace);
        let mut state = self.state();
        state.is_closed = true;
        // A queue without a slot would wait in vain.
        state.wakers().iter().for_each(|waker| waker.wake());
        while !(state.slots.is_empty() && state.queue.is_empty()) {
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            state = self.gone.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.stop.store(true, Ordering::Release);
        let failed = mem::take(&mut state.queue);
        for slot in state.slots.values() {
            if let Some((_, _, stop)) = &slot.running {
                stop.store(true, Ordering::Release);
            }
        }
        let (wakers, threads) = (state.wakers(), mem::take(&mut state.threads));
        drop(state);
        wakers.iter().for_each(|waker| waker.wake());
        failed.into_values().for_each(|call| call.fail(CallError::Closed));
        for thread in threads {
            // The pool may be dropped by a slot, with a call's input say. One that panicked has said so.
            if thread.thread().id() != thread::current().id() {
                let _panicked = thread.join();
            }
        }
    }
}

impl<C> State<C> {
    /// From now on the slot counts no more, so that another may be started in its place.
    fn leave(&mut self, id: SlotId) -> Next<C> {
        self.slots.remove(&id);
        self.idle.retain(|&idle| idle != id);
        Next::Leave
    }

    /// What waits, if there is nobody to run it, and nobody can be had.
    fn hopeless(&mut self) -> BTreeMap<Place, C> {
        if self.slots.is_empty() { mem::take(&mut self.queue) } else { BTreeMap::new() }
    }

    fn wake_one(&mut self) -> Option<Arc<Waker>> {
        let id = self.idle.pop()?;
        self.slots.get(&id).map(|slot| Arc::clone(&slot.waker))
    }

    fn wakers(&self) -> Vec<Arc<Waker>> {
        self.slots.values().map(|slot| Arc::clone(&slot.waker)).collect()
    }

    /// Whether another slot may be started: calls wait for which there is none. One that runs no call will take one.
    fn wants_slot(&self) -> bool {
        let was_refused = self.refusal.as_ref().is_some_and(|(_, at)| at.elapsed() < AFTER_REFUSAL);
        let free = self.slots.values().filter(|slot| slot.running.is_none()).count();
        self.slots.len() < *self.workers.end() && self.queue.len() > free && (self.slots.is_empty() || !was_refused)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;
    use crate::wake::Woken;

    /// A call that tells by its name what became of it.
    #[derive(Debug)]
    struct Named {
        name: &'static str,
        stop: Arc<AtomicBool>,
        told: Sender<(&'static str, Result<(), CallError>)>,
    }

    impl Queued for Named {
        fn task(&self) -> &'static str {
            self.name
        }

        fn stop(&self) -> Arc<AtomicBool> {
            Arc::clone(&self.stop)
        }

        fn fail(self, error: CallError) {
            let _nobody_listens = self.told.send((self.name, Err(error)));
        }
    }

    /// A scheduler, and what becomes of its calls.
    struct Pool {
        scheduler: Arc<Scheduler<Named>>,
        tells: Sender<(&'static str, Result<(), CallError>)>,
        told: Receiver<(&'static str, Result<(), CallError>)>,
    }

    impl Pool {
        fn new(workers: RangeInclusive<usize>) -> Self {
            let (tells, told) = channel();
            Pool { scheduler: Scheduler::new(workers, None), tells, told }
        }

        /// Whether another slot is wanted with it.
        fn submit(&self, priority: i32, name: &'static str) -> (Place, bool) {
            let call = Named { name, stop: Arc::default(), told: self.tells.clone() };
            self.scheduler.submit(priority, call).expect("the pool is open")
        }

        /// A slot that does nothing by itself.
        fn enter(&self, least: usize) -> Option<(SlotId, Woken)> {
            let (woken, waker) = Woken::new().unwrap();
            let mut entered = 0;
            let thread = |id| {
                entered = id;
                thread::Builder::new().spawn(|| {})
            };
            self.scheduler.enter(&waker, least, thread).unwrap().then_some((entered, woken))
        }

        /// A slot that does what there is until it is to leave.
        fn works(&self) -> bool {
            let (woken, waker) = Woken::new().unwrap();
            let scheduler = Arc::clone(&self.scheduler);
            let work = move |id| {
                loop {
                    match scheduler.next(id, true, None) {
                        Next::Call(_, Named { name: "endless", stop, told }) => {
                            while !stop.load(Ordering::Acquire) {
                                wait(&woken);
                            }
                            told.send(("endless", Ok(()))).unwrap();
                        }
                        Next::Call(_, Named { name, told, .. }) => told.send((name, Ok(()))).unwrap(),
                        Next::Rest(_) => wait(&woken),
                        Next::Fill | Next::Leave => break,
                    }
                }
                scheduler.left(id, None);
            };
            self.scheduler.enter(&waker, 0, |id| thread::Builder::new().spawn(move || work(id))).unwrap()
        }

        /// What the slot takes, until it is to rest.
        fn takes(&self, id: SlotId) -> Vec<&'static str> {
            let next = || match self.scheduler.next(id, true, None) {
                Next::Call(_, call) => Some(call.name),
                Next::Fill | Next::Rest(_) | Next::Leave => None,
            };
            std::iter::from_fn(next).collect()
        }

        fn told(&self) -> Vec<String> {
            let tell = |(name, told): (&str, Result<(), CallError>)| match told {
                Ok(()) => format!("{name}: done"),
                Err(error) => format!("{name}: {error:?}"),
            };
            self.told.try_iter().map(tell).collect()
        }
    }

    fn wait(woken: &Woken) {
        poll(&mut [PollFd::new(woken.descriptor(), PollFlags::IN)], None).unwrap();
        woken.rest();
    }

    fn is_woken(woken: &Woken) -> bool {
        let ready = poll(&mut [PollFd::new(woken.descriptor(), PollFlags::IN)], Some(&Timespec::default())).unwrap();
        woken.rest();
        ready > 0
    }

    fn refusal() -> StartError {
        StartError::Settings(String::from("none"))
    }

    #[test]
    fn calls_are_taken_by_priority_and_then_in_their_order() {
        let pool = Pool::new(0..=1);
        for (priority, name) in [(0, "a"), (i32::MIN, "b"), (5, "c"), (0, "d"), (i32::MAX, "e"), (5, "f")] {
            pool.submit(priority, name);
        }
        let (id, _woken) = pool.enter(0).unwrap();
        assert_eq!(pool.takes(id), ["e", "c", "f", "a", "d", "b"]);
    }

    #[test]
    fn a_call_that_is_put_back_keeps_its_place() {
        let pool = Pool::new(2..=2);
        let ((one, _one), (other, _other)) = (pool.enter(2).unwrap(), pool.enter(2).unwrap());
        ["a", "b"].into_iter().for_each(|name| _ = pool.submit(0, name));
        let Next::Call(place, call) = pool.scheduler.next(one, true, None) else { panic!("it waits") };
        pool.scheduler.put_back(place, call, &refusal());
        assert_eq!(pool.takes(other), ["a", "b"]);
    }

    #[test]
    fn a_call_that_no_slot_finds_a_worker_for_fails() {
        let pool = Pool::new(0..=2);
        let ((place, _), _) = (pool.submit(0, "a"), pool.submit(0, "b"));
        let (id, _woken) = pool.enter(0).unwrap();
        let Next::Call(taken, call) = pool.scheduler.next(id, true, None) else { panic!("it waits") };
        assert_eq!(taken, place);
        pool.scheduler.put_back(taken, call, &refusal());
        assert_eq!(pool.told(), ["a: NotStarted(none)"]);
        assert!(!pool.scheduler.left(id, Some(&refusal())), "nothing waits");
        assert_eq!(pool.told(), ["b: NotStarted(none)"]);
        // The next is tried again.
        assert!(pool.submit(0, "c").1 && pool.enter(0).is_some());
    }

    #[test]
    fn one_that_was_cancelled_meanwhile_is_not_put_back() {
        let pool = Pool::new(2..=2);
        let ((one, _one), (other, _other)) = (pool.enter(2).unwrap(), pool.enter(2).unwrap());
        pool.submit(0, "a");
        let Next::Call(place, call) = pool.scheduler.next(one, true, None) else { panic!("it waits") };
        call.stop.store(true, Ordering::Release);
        pool.scheduler.put_back(place, call, &refusal());
        assert_eq!(pool.told(), ["a: Cancelled"]);
        assert!(pool.takes(other).is_empty());
    }

    #[test]
    fn a_call_that_waits_is_cancelled_and_no_other() {
        let pool = Pool::new(0..=1);
        let [_, (b, _), _] = ["a", "b", "c"].map(|name| pool.submit(0, name));
        pool.scheduler.cancel(&b);
        assert_eq!(pool.told(), ["b: Cancelled"]);
        pool.scheduler.cancel(&b);
        assert!(pool.told().is_empty());
        let (id, _woken) = pool.enter(0).unwrap();
        assert_eq!(pool.takes(id), ["a", "c"]);
    }

    #[test]
    fn the_slot_that_runs_a_call_is_woken_when_that_is_cancelled() {
        let pool = Pool::new(2..=2);
        let ((one, wakes_one), (other, wakes_other)) = (pool.enter(2).unwrap(), pool.enter(2).unwrap());
        let [(a, _), (b, _)] = ["a", "b"].map(|name| pool.submit(0, name));
        assert!(matches!(pool.scheduler.next(one, true, None), Next::Call(place, _) if place == a));
        assert!(matches!(pool.scheduler.next(other, true, None), Next::Call(place, _) if place == b));
        pool.scheduler.cancel(&b);
        assert_eq!((is_woken(&wakes_one), is_woken(&wakes_other)), (false, true));
        // Not when it has run it.
        assert!(matches!(pool.scheduler.next(one, true, None), Next::Rest(None)));
        pool.scheduler.cancel(&a);
        assert_eq!((is_woken(&wakes_one), is_woken(&wakes_other)), (false, false));
        assert!(pool.told().is_empty());
    }

    #[test]
    fn a_slot_that_rests_is_woken_for_a_call_and_no_other_is_wanted() {
        let pool = Pool::new(0..=2);
        assert!(pool.enter(0).is_none(), "nothing waits");
        assert!(pool.submit(0, "a").1);
        let (id, woken) = pool.enter(0).unwrap();
        assert!(pool.enter(0).is_none(), "one call, one slot");
        assert_eq!(pool.takes(id), ["a"]);
        assert!(!is_woken(&woken));
        assert!(!pool.submit(0, "b").1);
        assert!(is_woken(&woken));
        // It runs, so that the next wants another, and the one after it none: two are the most.
        assert!(matches!(pool.scheduler.next(id, true, None), Next::Call(..)));
        assert!(pool.submit(0, "c").1);
        let (other, _other) = pool.enter(0).unwrap();
        assert!(matches!(pool.scheduler.next(other, true, None), Next::Call(..)));
        assert!(!pool.submit(0, "d").1);
    }

    #[test]
    fn a_slot_that_has_rested_for_long_leaves_unless_it_is_of_the_least() {
        let timeout = Duration::from_secs(60);
        let long_ago = Instant::now().checked_sub(timeout);
        let scheduler = Scheduler::new(1..=2, Some(timeout));
        let (tells, told) = channel();
        let pool = Pool { scheduler, tells, told };
        let (one, _one) = pool.enter(1).unwrap();
        ["a", "b"].into_iter().for_each(|name| _ = pool.submit(0, name));
        assert!(matches!(pool.scheduler.next(one, true, None), Next::Call(..)));
        let (other, _other) = pool.enter(0).unwrap();
        assert_eq!(pool.takes(other), ["b"]);
        assert!(matches!(pool.scheduler.next(one, true, None), Next::Rest(Some(left)) if left <= timeout));
        assert!(matches!(pool.scheduler.next(other, true, long_ago), Next::Leave));
        assert!(matches!(pool.scheduler.next(one, true, long_ago), Next::Rest(None)));
        // It is to have a worker, too.
        assert!(matches!(pool.scheduler.next(one, false, long_ago), Next::Fill));
    }

    #[test]
    fn slots_leave_when_there_are_to_be_fewer() {
        let pool = Pool::new(2..=2);
        let ((one, wakes_one), (other, _other)) = (pool.enter(2).unwrap(), pool.enter(2).unwrap());
        pool.scheduler.resize(1..=1);
        assert!(is_woken(&wakes_one));
        pool.submit(0, "a");
        assert!(matches!(pool.scheduler.next(one, true, None), Next::Leave));
        assert_eq!(pool.takes(other), ["a"]);
    }

    #[test]
    fn a_pool_that_closes_with_grace_has_its_calls_done_and_takes_no_more() {
        let pool = Pool::new(0..=2);
        ["a", "b", "c"].into_iter().for_each(|name| _ = pool.submit(0, name));
        assert!(pool.works());
        pool.scheduler.close(Duration::MAX);
        assert_eq!(pool.told(), ["a: done", "b: done", "c: done"]);
        let call = Named { name: "d", stop: Arc::default(), told: pool.tells.clone() };
        assert!(pool.scheduler.submit(0, call).is_err() && pool.enter(1).is_none());
    }

    #[test]
    fn what_is_not_done_in_time_fails() {
        for grace in [Duration::ZERO, Duration::from_millis(10)] {
            let pool = Pool::new(0..=1);
            let (endless, _) = pool.submit(1, "endless");
            pool.submit(0, "a");
            assert!(pool.works());
            // It must run first: what only waits is failed, and never stopped.
            while pool.scheduler.status().workers.iter().all(|worker| worker.running.is_none()) {
                thread::yield_now();
            }
            pool.scheduler.close(grace);
            let mut told = pool.told();
            told.sort();
            assert_eq!(told, ["a: Closed", "endless: done"]);
            pool.scheduler.cancel(&endless);
        }
    }

    /// The pool is closed before the slot is entered that a call needs, and then none can be.
    #[test]
    fn a_pool_that_closes_does_not_wait_for_what_is_gone() {
        for cancels in [false, true] {
            let pool = Pool::new(0..=1);
            let (a, _) = pool.submit(0, "a");
            thread::scope(|threads| {
                threads.spawn(|| pool.scheduler.close(Duration::MAX));
                while !pool.scheduler.state().is_closed {
                    thread::yield_now();
                }
                if cancels {
                    pool.scheduler.cancel(&a);
                } else {
                    pool.scheduler.refuse(&refusal());
                }
            });
            assert_eq!(pool.told(), [if cancels { "a: Cancelled" } else { "a: NotStarted(none)" }]);
        }
    }

    /// A call is submitted, and the pool closed before the slot is entered that it needs.
    #[test]
    fn a_pool_that_closes_lets_a_slot_enter_for_what_waits() {
        let pool = Pool::new(0..=1);
        assert!(pool.submit(0, "a").1);
        thread::scope(|threads| {
            threads.spawn(|| pool.scheduler.close(Duration::from_secs(60)));
            while !pool.scheduler.state().is_closed {
                thread::yield_now();
            }
            assert!(pool.works(), "nobody else would run it");
        });
        assert_eq!(pool.told(), ["a: done"]);
    }
}
