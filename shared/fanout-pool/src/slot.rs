//! A thread with a worker: what it does all its life.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::{CallError, Exit, Stage, StartError};
use crate::event::{CallId, Event, Observer};
use crate::process::resident;
use crate::scheduler::{Next, Queued, Scheduler, SlotId};
use crate::wake::{Waker, Woken};
use crate::words::{Listener, OnLine};
use crate::worker::{Worker, WorkerCommand};

/// Bounds how many fresh workers in a row may be lost before they take a call. One such loss may be somebody else's doing,
/// such as the system's out-of-memory killer's; after three the next will be lost too, over a shared value that ends
/// whoever loads it. Hard coded: it costs two process starts, and only when something is wrong.
const STARTS: u32 = 3;

/// How the workers of a pool live.
#[derive(Debug, Clone)]
pub(crate) struct Lives {
    pub(crate) command: WorkerCommand,
    /// After so many calls a worker is replaced.
    pub(crate) max_calls: Option<u64>,
    /// A worker that has more memory than so many bytes after a call is replaced.
    pub(crate) max_resident: Option<u64>,
    pub(crate) observer: Observer,
    /// Whether what workers print is not passed on.
    pub(crate) is_quiet: bool,
}

/// A call of whatever task. Dropping it without an outcome makes it [`CallError::Closed`].
pub(crate) trait Call: Send {
    /// Runs it by the worker of this seat. An error if there is no worker, and the call had no part in that: another slot may
    /// run it.
    fn run(&mut self, call: CallId, seat: &mut Seat) -> Result<(), StartError>;

    /// Tells what came of it.
    fn tell(self: Box<Self>);

    /// Tells why it has no output.
    fn fail(self: Box<Self>, error: CallError);

    /// The name of its task.
    fn task(&self) -> &'static str;

    /// What says that nobody wants its outcome any more.
    fn stop(&self) -> Arc<AtomicBool>;
}

impl Queued for Box<dyn Call> {
    fn task(&self) -> &'static str {
        (**self).task()
    }

    fn stop(&self) -> Arc<AtomicBool> {
        (**self).stop()
    }

    fn fail(self, error: CallError) {
        Call::fail(self, error);
    }
}

impl fmt::Debug for dyn Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.task()).finish()
    }
}

/// What the slots of a pool share.
pub(crate) type Calls = Scheduler<Box<dyn Call>>;

/// Where a slot's worker is, if it has one.
pub(crate) struct Seat {
    lives: Lives,
    worker: Option<Worker>,
    /// How many calls it was given.
    calls: u64,
    id: SlotId,
    scheduler: Arc<Calls>,
    woken: Rc<Woken>,
    pub(crate) waker: Arc<Waker>,
    /// What runs.
    call: Rc<Cell<Option<CallId>>>,
}

/// Tells what became of a slot's first worker: that it was started, and then that it is ready.
pub(crate) type Reports = Receiver<Result<(), StartError>>;

/// Starts a thread, if one is wanted: if there are fewer than `least`, or calls wait. If it is one of the least it has its
/// process when this returns; whether that becomes ready comes later.
pub(crate) fn start(scheduler: &Arc<Calls>, lives: &Lives, least: usize) -> Result<Option<Reports>, StartError> {
    let refused = |error: io::Error| {
        let error = StartError::from(error);
        scheduler.refuse(&error);
        error
    };
    let (woken, waker) = Woken::new().map_err(refused)?;
    let (report, reports) = mpsc::channel();
    let (entered, theirs) = (Arc::clone(scheduler), Arc::clone(&waker));
    let (lives, again) = (lives.clone(), lives.clone());
    let run = move |id| {
        let attend = AssertUnwindSafe(|| attend(&entered, lives, id, woken, &theirs, report, least > 0));
        let refusal = panic::catch_unwind(attend).unwrap_or_else(|_| {
            let refusal = StartError::System(io::Error::other("a thread of the pool panicked"));
            entered.refused(&refusal);
            Err(refusal)
        });
        // Its descriptor, before anybody is told that this thread is gone.
        drop(theirs);
        if entered.left(id, refusal.as_ref().err()) {
            // Its refusal is told to what waits.
            let _told = start(&entered, &again, 0);
        }
    };
    let thread = |id| thread::Builder::new().name(String::from("fanout-pool")).spawn(move || run(id));
    if !scheduler.enter(&waker, least, thread).map_err(refused)? {
        return Ok(None);
    }
    // The process of one of the least before the next slot's thread: where the system limits both together, threads alone
    // are no use.
    match reports.recv() {
        Ok(Err(error)) => Err(error),
        _ => Ok(Some(reports)),
    }
}

/// What the thread of a slot does. The worker lives here: the system ends it when this thread ends.
fn attend(
    scheduler: &Arc<Calls>,
    lives: Lives,
    id: SlotId,
    woken: Woken,
    waker: &Arc<Waker>,
    report: Sender<Result<(), StartError>>,
    is_of_the_least: bool,
) -> Result<(), StartError> {
    let mut seat = Seat {
        lives,
        worker: None,
        calls: 0,
        id,
        scheduler: Arc::clone(scheduler),
        woken: Rc::new(woken),
        waker: Arc::clone(waker),
        call: Rc::default(),
    };
    // One that is started for a call starts its process with it: another slot may have taken the call meanwhile.
    let steps = [Seat::hire, Seat::fill];
    for step in steps.iter().filter(|_| is_of_the_least) {
        if let Err(error) = step(&mut seat) {
            let _nobody_waits = report.send(Err(error.again()));
            return Err(error);
        }
        let _nobody_waits = report.send(Ok(()));
    }
    drop(report);
    let mut rested = None;
    let mut done: Option<Box<dyn Call>> = None;
    loop {
        let next = scheduler.next(id, seat.worker.is_some(), rested);
        // When this slot counts as free: whoever hears of it, and submits another call, needs no other slot.
        if let Some(call) = done.take() {
            call.tell();
        }
        match next {
            Next::Leave => break,
            Next::Fill => seat.fill()?,
            Next::Call(place, mut call) => {
                rested = None;
                seat.call.set(Some(CallId(place.number)));
                let run = call.run(CallId(place.number), &mut seat);
                seat.call.set(None);
                if let Err(refusal) = run {
                    scheduler.put_back(place, call, &refusal);
                    return Err(refusal);
                }
                // Before it is told, so that whoever hears of it finds nothing of it.
                seat.retire();
                done = Some(call);
            }
            Next::Rest(most) => {
                rested = rested.or_else(|| Some(Instant::now()));
                seat.rest(most);
            }
        }
    }
    if let Some(worker) = seat.worker.take() {
        seat.end(worker, "it was needed no more");
    }
    Ok(())
}

impl Seat {
    /// Who is told of events.
    pub(crate) fn observer(&self) -> &Observer {
        &self.lives.observer
    }

    /// Whether the pool ends.
    pub(crate) fn is_closing(&self) -> bool {
        self.scheduler.stop.load(Ordering::Acquire)
    }

    fn spawn(&self) -> Result<Worker, StartError> {
        let pid = Rc::new(Cell::new(0));
        let line: Option<OnLine> = self.observer().0.is_some().then(|| {
            let (observer, call, pid) = (self.observer().clone(), Rc::clone(&self.call), Rc::clone(&pid));
            Rc::new(move |line: &str| {
                observer.tell(|| Event::Line { pid: pid.get(), call: call.get(), line: line.to_owned() });
            }) as OnLine
        });
        let listener = Listener { is_quiet: self.lives.is_quiet, line };
        let worker = Worker::spawn(&self.lives.command, &self.woken, &self.scheduler.stop, listener)?;
        pid.set(worker.id());
        Ok(worker)
    }

    /// Sees to it that there is a worker. Its hello is not waited for: it may be sent a call ahead.
    ///
    /// # Errors
    ///
    /// When none can be had.
    fn hire(&mut self) -> Result<(), StartError> {
        if self.worker.is_none() {
            let worker = self.spawn().map_err(|error| self.told(error))?;
            self.calls = 0;
            let pid = worker.id();
            self.scheduler.has_worker(self.id, Some(pid));
            self.observer().tell(|| Event::WorkerStarted { pid });
            self.worker = Some(worker);
        }
        Ok(())
    }

    /// The same, and that it is ready.
    fn fill(&mut self) -> Result<(), StartError> {
        let mut starts = Starts::new();
        loop {
            self.hire()?;
            let Some(worker) = self.worker.take() else { continue };
            let pid = worker.id();
            match worker.ready() {
                Ok(worker) => {
                    self.worker = Some(worker);
                    return Ok(());
                }
                Err(error) => {
                    self.lost(pid, &error);
                    starts.failed(error).map_err(|error| self.told(error))?;
                }
            }
        }
    }

    /// Says that there is no worker.
    pub(crate) fn told(&self, refusal: StartError) -> StartError {
        self.scheduler.refused(&refusal);
        self.observer().tell(|| Event::WorkerRefused { why: refusal.to_string() });
        refusal
    }

    /// The worker, for a call; a fresh one if there is none.
    pub(crate) fn take(&mut self) -> Result<Worker, StartError> {
        loop {
            self.hire()?;
            if let Some(worker) = self.worker.take() {
                self.calls += 1;
                return Ok(worker);
            }
        }
    }

    /// Puts back the worker that was taken, if there is one still.
    pub(crate) fn put(&mut self, worker: Option<Worker>, pid: u32) {
        if worker.is_none() {
            self.lost(pid, &"it was left with half an input");
        }
        self.worker = worker;
    }

    /// The worker that was taken is gone.
    pub(crate) fn lost(&self, pid: u32, why: &dyn ToString) {
        self.scheduler.has_worker(self.id, None);
        self.observer().tell(|| Event::WorkerEnded { pid, why: why.to_string() });
    }

    fn end(&self, worker: Worker, why: &str) {
        let pid = worker.id();
        drop(worker);
        self.lost(pid, &why);
    }

    /// Ends a worker that has done its part.
    fn retire(&mut self) {
        let Some(worker) = self.worker.take() else { return };
        let is_large = |most| resident(worker.id()).is_some_and(|resident| resident > most);
        if self.lives.max_calls.is_some_and(|most| self.calls >= most) {
            self.end(worker, "it has run as many calls as it may");
        } else if self.lives.max_resident.is_some_and(is_large) {
            self.end(worker, "it has more memory than it may");
        } else {
            self.worker = Some(worker);
        }
    }

    /// Waits until this thread is woken, or for so long.
    fn rest(&mut self, most: Option<Duration>) {
        let Some(worker) = self.worker.take() else {
            let most = most.and_then(|most| Timespec::try_from(most).ok());
            let _woken = poll(&mut [PollFd::new(self.woken.descriptor(), PollFlags::IN)], most.as_ref());
            return self.woken.rest();
        };
        let pid = worker.id();
        match worker.idle(most) {
            Ok(worker) => self.worker = Some(worker),
            Err(error) => self.lost(pid, &error),
        }
    }
}

/// How many more fresh workers may be lost before they take a call.
pub(crate) struct Starts(u32);

impl Starts {
    pub(crate) fn new() -> Self {
        Starts(STARTS)
    }

    /// An error if it was one too many.
    pub(crate) fn failed(&mut self, error: StartError) -> Result<(), StartError> {
        self.0 -= 1;
        // What exits by itself before its hello, or is silent, or says something else, is no worker. The next would be none.
        let by_chance = match &error {
            StartError::Lost { stage: Stage::Starting, exit, .. } => {
                matches!(exit, Some(Exit::Signal(_) | Exit::Unknown))
            }
            StartError::Lost { .. } => true,
            _ => false,
        };
        if by_chance && self.0 > 0 { Ok(()) } else { Err(error) }
    }
}
