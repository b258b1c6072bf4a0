//! The scenarios of CPython's tests of `ProcessPoolExecutor`, each as what must happen here. docs/suites.md says which
//! test is whose.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use fanout_pool::{
    CallError, CallOptions, Crossing, Event, Exit, Handle, Here, Incoming, Outcome, Outgoing, Pool, ReceiveError,
    Shared, Stage, Task, Transfer,
};
use rustix::process::Signal;

mod suite;

use suite::*;

/// What the initialiser leaves in a worker.
struct Initialised(String);

/// Does what an environment variable says.
fn prepare(here: &mut Here) -> Result<(), String> {
    match std::env::var("SUITE_INIT") {
        Ok(said) if said == "fail" => Err(String::from("error in initializer")),
        said => {
            here.state(|| Initialised(said.unwrap_or_default()));
            Ok(())
        }
    }
}

/// Says at a gate what the initialiser has left.
struct SayInitialised;

impl Task for SayInitialised {
    type Shared = ();
    type Input = String;
    type Output = ();

    fn call((): &(), gate: String, here: &mut Here) {
        pass(&gate, &here.state(|| Initialised(String::from("uninitialised"))).0);
    }
}

/// Says at a gate that it is dropped, if a worker drops it.
struct Guarded(String);

impl Drop for Guarded {
    fn drop(&mut self) {
        if fanout_pool::is_worker() {
            if let Ok(mut stream) = std::os::unix::net::UnixStream::connect(&self.0) {
                let _test_is_over = writeln!(stream, "dropped");
            }
        }
    }
}

impl Transfer for Guarded {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        to.send(self.0.as_bytes())
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        String::from_utf8(from.read_rest()?).map(Guarded).map_err(|error| ReceiveError::Invalid(error.to_string()))
    }
}

/// What is referred to in the process that sends it.
struct Referred(#[expect(dead_code, reason = "it is kept for its count of references")] Option<Arc<()>>);

impl Transfer for Referred {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        to.send(&[])
    }

    fn receive(_: Incoming<'_>) -> Result<Self, ReceiveError> {
        Ok(Referred(None))
    }
}

/// An output that is known while it lives in the process that received it.
struct Traced(u64);

static TRACED: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

fn traced() -> std::sync::MutexGuard<'static, BTreeSet<u64>> {
    TRACED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Traced {
    fn drop(&mut self) {
        traced().remove(&self.0);
    }
}

impl Transfer for Traced {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        to.send(&self.0.to_le_bytes())
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        let number = u64::from_le_bytes(from.read_array()?);
        traced().insert(number);
        Ok(Traced(number))
    }
}

/// A large input of which a worker receives the start, and dies.
struct Torn;

/// More than any channel holds.
const LARGE: usize = 4 << 20;

impl Transfer for Torn {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        to.announce(LARGE as u64)?.write_all(&vec![b'a'; LARGE])
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        from.read_array::<1000>()?;
        crash_now();
        Ok(Torn)
    }
}

fn power(numbers: (u64, u32)) -> u64 {
    numbers.0.pow(numbers.1)
}

fn divide(numbers: (u64, u64)) -> (u64, u64) {
    (numbers.0 / numbers.1, numbers.0 % numbers.1)
}

fn keep(_guarded: Guarded) -> u32 {
    std::process::id()
}

fn refer(_referred: Referred) {}

fn trace(number: u64) -> Traced {
    Traced(number)
}

fn swallow(_torn: Torn) {}

/// Waits at a gate, and prints then.
fn print_at(gate: String) {
    pass(&gate, "prints");
    println!("apple");
}

/// Waits at the gate, if there is one, and gives the number.
fn number_at(number_gate: (u64, String)) -> u64 {
    pass(&number_gate.1, &number_gate.0.to_string());
    number_gate.0
}

/// Panics over an odd number.
fn even(number: u64) -> u64 {
    assert!(number % 2 == 0, "{number} is odd");
    number
}

/// The same, after a gate.
fn even_at(number_gate: (u64, String)) -> u64 {
    pass(&number_gate.1, "even");
    assert!(number_gate.0 % 2 == 0, "{} is odd", number_gate.0);
    number_gate.0
}
fanout_pool::register!(
    double, wait_at, own_pid, crash, exit, panics, echo, write, SayInitialised, power, divide, keep, refer, trace,
    swallow, print_at, number_at, even, even_at; init = prepare
);

// test_process_pool.py

#[test]
fn a_killed_worker_costs_its_call_and_no_other() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(2), Gate::new());
    let (killed, other) = (pool.submit(wait_at, gate.path()), pool.submit(wait_at, gate.path()));
    let queued = pool.submit(power, (2, 8));
    let arrivals = gate.arrivals(2);
    let running = pool
        .status()
        .workers
        .into_iter()
        .find(|worker| worker.running.as_ref().is_some_and(|running| running.call == killed.id()));
    let pid = running.and_then(|worker| worker.pid).unwrap();
    kill(pid, Signal::TERM);
    let error = outcome(killed).unwrap_err();
    assert!(matches!(error, CallError::Died { exit: Exit::Signal(15), stage: Stage::Computing, .. }), "{error}");
    assert!(error.to_string().contains("SIGTERM"), "{error}");
    assert_eq!(outcome(queued).unwrap(), 256);
    assert_eq!(outcome(pool.submit(power, (2, 9))).unwrap(), 512);
    drop(arrivals);
    assert_ne!(outcome(other).unwrap(), pid);
}

#[test]
fn each_lost_call_has_an_error_of_its_own() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(3), Gate::new());
    let calls: Vec<_> = (0..3).map(|_| pool.submit(wait_at, gate.path())).collect();
    let arrivals = gate.arrivals(3);
    let pids: BTreeSet<_> = arrivals.iter().map(Arrival::pid).collect();
    pids.iter().for_each(|&pid| kill(pid, Signal::TERM));
    let told: BTreeSet<_> = calls
        .into_iter()
        .map(|call| match outcome(call).unwrap_err() {
            CallError::Died { pid, .. } => pid,
            error => panic!("{error}"),
        })
        .collect();
    assert_eq!(told, pids);
}

#[test]
fn a_map_gives_the_same_whatever_its_window() {
    let _watch = Watch::start();
    let pool = pool(2);
    let inputs = || (0..40).map(|i| (u64::from(i % 7), i % 13));
    let right: Vec<_> = inputs().map(|(base, exponent)| base.pow(exponent)).collect();
    for window in [1, 6, 40, 50] {
        let outputs: Vec<_> = pool.map(power, inputs()).window(window).collect::<Result<_, _>>().unwrap();
        assert_eq!(outputs, right, "{window}");
    }
    let none: Vec<_> = pool.map(power, inputs()).window(0).collect();
    assert!(matches!(none.as_slice(), [Err(CallError::Refused { .. })]), "{none:?}");
}

#[test]
fn a_panic_is_told_with_its_message_and_its_place() {
    let _watch = Watch::start();
    let events = Events::default();
    let pool = builder(1).on_event(events.listener()).start().unwrap();
    let error = outcome(pool.submit(even, 123)).unwrap_err();
    assert!(matches!(&error, CallError::Panicked { message, .. } if message == "123 is odd"), "{error}");
    let place = format!("panicked at {}:", file!());
    let is_place = |event: &Event| matches!(event, Event::Line { line, .. } if line.contains(&place));
    within(PATIENCE, || (events.count(is_place) == 1).then_some(()));
}

#[test]
fn an_exit_is_told_with_its_status() {
    let _watch = Watch::start();
    let error = outcome(pool(1).submit(exit, 99)).unwrap_err();
    assert!(matches!(error, CallError::Died { exit: Exit::Code(99), .. }), "{error}");
    assert!(error.to_string().contains("exited with status 99"), "{error}");
}

#[test]
fn an_input_is_dropped_in_the_worker_with_its_call() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let worker = outcome(pool.submit(keep, Guarded(gate.path()))).unwrap();
    assert_eq!(gate.arrival().said, "dropped");
    assert_eq!(pids(&pool), [worker]);
}

#[test]
fn more_calls_than_workers_start_no_more_workers() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1..=4), Gate::new());
    let calls: Vec<_> = (0..60).map(|_| pool.submit(wait_at, gate.path())).collect();
    let arrivals = gate.arrivals(4);
    let status = pool.status();
    assert_eq!((status.workers.len(), status.queued), (4, 56));
    let workers: BTreeSet<_> = arrivals.iter().map(Arrival::pid).collect();
    drop(arrivals);
    gate.open();
    let ran: BTreeSet<_> = calls.into_iter().map(|call| outcome(call).unwrap()).collect();
    assert!(ran.is_subset(&workers), "{ran:?} {workers:?}");
}

#[test]
fn calls_one_after_another_use_one_worker() {
    let _watch = Watch::start();
    let pool = pool(1..=4);
    for number in 0..200 {
        assert_eq!(outcome(pool.submit(double, number)).unwrap(), 2 * number);
        assert_eq!(pool.status().workers.len(), 1, "after call {number}");
    }
}

#[test]
fn there_are_no_more_workers_than_calls_at_once() {
    let _watch = Watch::start();
    let pool = pool(0..=5);
    let mut late = Vec::new();
    for number in 0..3 {
        if number > 0 {
            late.push(pool.submit(double, number));
        }
        assert_eq!(outcome(pool.submit(double, 10 * number)).unwrap(), 20 * number);
    }
    assert!(pool.status().workers.len() <= 3, "{:?}", pool.status());
    late.into_iter().for_each(|call| assert!(outcome(call).is_ok()));
}

#[test]
fn a_worker_is_replaced_after_so_many_calls() {
    let _watch = Watch::start();
    let pool = builder(1).max_calls(3).start().unwrap();
    let ran: Vec<_> = (0..7).map(|_| outcome(pool.submit(own_pid, ())).unwrap()).collect();
    assert!(ran[..3].iter().all(|&pid| pid == ran[0]), "{ran:?}");
    assert!(ran[3..6].iter().all(|&pid| pid == ran[3]), "{ran:?}");
    assert!(ran[0] != ran[3] && ran[3] != ran[6], "{ran:?}");
    assert_eq!(pool.status().workers.len(), 1);
}

#[test]
fn no_call_is_left_behind_when_workers_are_replaced() {
    let _watch = Watch::start();
    for (workers, max_calls, calls) in [(1, 2, 6), (2, 2, 8), (2, 1, 9)] {
        let pool = builder(workers).max_calls(max_calls).start().unwrap();
        let handles: Vec<_> = (0..calls).map(|number| pool.submit(double, number)).collect();
        let outputs: Vec<_> = handles.into_iter().map(|handle| outcome(handle).unwrap()).collect();
        assert_eq!(outputs, (0..calls).map(|number| 2 * number).collect::<Vec<_>>());
        pool.shutdown(GRACE);
    }
}

#[test]
fn a_shutdown_runs_what_waits_for_a_new_worker() {
    let watch = Watch::start();
    let gate = Gate::new();
    let pool = builder(1).max_calls(1).start().unwrap();
    let calls: Vec<_> = (0..3).map(|number| pool.submit(number_at, (number, gate.path()))).collect();
    let first = gate.arrival();
    thread::scope(|scope| {
        scope.spawn(|| pool.shutdown(GRACE));
        wait_closed(&pool);
        first.go();
        gate.open();
        let outputs: Vec<_> = calls.into_iter().map(|call| outcome(call).unwrap()).collect();
        assert_eq!(outputs, [0, 1, 2]);
        watch.now("it waits for the shutdown");
    });
}

#[test]
fn dropping_the_pool_fails_what_is_not_done() {
    let _watch = Watch::start();
    let gate = Gate::new();
    let pool = builder(1).max_calls(1).start().unwrap();
    let calls: Vec<_> = (0..3).map(|number| pool.submit(number_at, (number, gate.path()))).collect();
    let first = gate.arrival();
    drop(pool);
    for call in calls {
        assert!(call.is_done());
        assert!(matches!(outcome(call), Err(CallError::Closed)));
    }
    first.wait_gone();
    assert!(gate.look().is_none());
}

#[test]
fn shutdown_now_starts_no_worker_in_the_place_of_one() {
    let _watch = Watch::start();
    let (gate, events) = (Gate::new(), Events::default());
    let pool = builder(1).max_calls(1).on_event(events.listener()).start().unwrap();
    let calls: Vec<_> = (0..3).map(|number| pool.submit(number_at, (number, gate.path()))).collect();
    gate.arrival().go();
    // The second worker is there, or starts.
    within(PATIENCE, || calls[0].is_done().then_some(()));
    pool.shutdown(Duration::ZERO);
    let starts = events.count(|event| matches!(event, Event::WorkerStarted { .. }));
    let mut outcomes: Vec<_> = calls.into_iter().map(outcome).collect();
    assert_eq!(outcomes.remove(0).unwrap(), 0);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(CallError::Closed))), "{outcomes:?}");
    assert!(starts <= 2, "{starts} workers were started");
    assert!(pool.status().workers.is_empty());
}

#[test]
fn calls_fail_when_no_worker_can_be_started() {
    let _watch = Watch::start();
    let (gate, folder) = (Gate::new(), tempfile::tempdir().unwrap());
    let program = folder.path().join("worker");
    std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &program).unwrap();
    let pool = builder(1).max_calls(1).program(&program).start().unwrap();
    let mut calls = (0..3).map(|number| pool.submit(number_at, (number, gate.path()))).collect::<Vec<_>>().into_iter();
    let first = gate.arrival();
    fs::remove_file(&program).unwrap();
    first.go();
    assert_eq!(outcome(calls.next().unwrap()).unwrap(), 0);
    for call in calls {
        let error = outcome(call).unwrap_err();
        assert!(matches!(error, CallError::NotStarted(_)), "{error}");
        assert!(error.to_string().contains("cannot be started"), "{error}");
    }
}

#[test]
fn a_shutdown_gives_each_call_a_worker_of_its_own() {
    let _watch = Watch::start();
    let pool = builder(3).max_calls(1).start().unwrap();
    let calls: Vec<_> = (0..6).map(|_| pool.submit(own_pid, ())).collect();
    pool.shutdown(GRACE);
    let ran: BTreeSet<_> = calls.into_iter().map(|call| outcome(call).unwrap()).collect();
    assert_eq!(ran.len(), 6);
}

#[test]
fn shutdown_now_ends_a_running_call() {
    let watch = Watch::start();
    // Often, since the call may have just begun or run for a while.
    for _ in 0..30 {
        let (pool, gate) = (pool(1), Gate::new());
        let call = pool.submit(wait_at, gate.path());
        let arrival = gate.arrival();
        watch.now("it shuts down");
        pool.shutdown(Duration::ZERO);
        assert!(is_gone(arrival.pid()));
        arrival.wait_gone();
        assert!(matches!(outcome(call), Err(CallError::Closed)));
    }
}

#[test]
fn shutdown_now_after_a_death_is_no_error() {
    let _watch = Watch::start();
    let pool = pool(1);
    assert!(matches!(outcome(pool.submit(exit, 1)), Err(CallError::Died { .. })));
    pool.shutdown(Duration::ZERO);
    pool.shutdown(Duration::ZERO);
}

#[test]
fn shutdown_now_before_any_worker_is_no_error() {
    let _watch = Watch::start();
    let events = Events::default();
    let pool = builder(0..=1).on_event(events.listener()).start().unwrap();
    pool.shutdown(Duration::ZERO);
    drop(pool);
    assert_eq!(events.count(|_| true), 0);
}

#[test]
fn after_shutdown_now_nothing_is_taken_and_no_worker_lives() {
    let _watch = Watch::start();
    let pool = pool(1);
    let worker = outcome(pool.submit(own_pid, ())).unwrap();
    pool.shutdown(Duration::ZERO);
    assert!(matches!(outcome(pool.submit(own_pid, ())), Err(CallError::Closed)));
    assert!(is_gone(worker));
}

// executor.py

#[test]
fn a_call_gives_what_its_task_returns() {
    let _watch = Watch::start();
    assert_eq!(outcome(pool(1).submit(power, (2, 8))).unwrap(), 256);
}

#[test]
fn a_map_gives_outputs_in_the_order_of_inputs() {
    let _watch = Watch::start();
    let outputs: Vec<_> = pool(2).map(power, (0..10).map(|i| (u64::from(i), i))).collect::<Result<_, _>>().unwrap();
    assert_eq!(outputs, (0..10).map(|i| u64::from(i).pow(i)).collect::<Vec<_>>());
}

#[test]
fn a_failure_in_a_map_is_that_of_its_input() {
    let _watch = Watch::start();
    let pool = pool(2);
    let mut map = pool.map(divide, [(5, 2), (5, 3), (5, 0), (5, 5)]);
    let outcomes: Vec<_> = map.by_ref().collect();
    match outcomes.as_slice() {
        [Ok((2, 1)), Ok((1, 2)), Err(CallError::Panicked { message, .. }), Ok((1, 0))] => {
            assert!(message.contains("divide by zero"), "{message}");
        }
        outcomes => panic!("{outcomes:?}"),
    }
    assert!(map.next().is_none() && map.next().is_none());
}

#[test]
fn a_panic_about_a_deadline_is_a_panic() {
    let _watch = Watch::start();
    let pool = pool(2);
    let told = CallError::Closed.to_string();
    for deadline in [None, Some(PATIENCE)] {
        let options = deadline.map_or_else(CallOptions::new, |deadline| CallOptions::new().deadline(deadline));
        let inputs = [told.clone(), String::from("ran past its deadline of 60s")];
        for outcome in pool.map_with(panics, &Shared::nothing(), inputs, options) {
            assert!(matches!(outcome, Err(CallError::Panicked { .. })), "{outcome:?}");
        }
    }
}

#[test]
fn a_map_of_endless_inputs_gives_its_start() {
    let _watch = Watch::start();
    let pool = pool(2);
    let start: Vec<_> = pool.map(double, 0..).window(2).take(3).collect::<Result<_, _>>().unwrap();
    assert_eq!(start, [0, 2, 4]);
}

#[test]
fn a_map_of_no_inputs_gives_nothing() {
    let _watch = Watch::start();
    let pool = pool(1);
    assert!(pool.map(double, []).window(2).next().is_none());
    assert!(pool.map(double, []).unordered().next().is_none());
}

#[test]
fn a_map_ends_a_call_at_its_deadline() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(2), Gate::new());
    let inputs = [(0, String::new()), (1, String::new()), (2, gate.path())];
    let deadline = Duration::from_secs(2);
    let options = CallOptions::new().deadline(deadline);
    let outcomes: Vec<_> = pool.map_with(number_at, &Shared::nothing(), inputs, options).collect();
    assert!(matches!(outcomes.as_slice(), [Ok(0), Ok(1), Err(CallError::TimedOut { .. })]), "{outcomes:?}");
    gate.arrival().wait_gone();
}

#[test]
fn a_shutdown_with_more_calls_than_workers_returns() {
    let _watch = Watch::start();
    let events = Events::default();
    let pool = builder(2).on_event(events.listener()).start().unwrap();
    (0..3).for_each(|number| pool.submit(double, number).detach());
    pool.shutdown(GRACE);
    assert_eq!(events.count(|event| matches!(event, Event::CallFinished { failure: None, .. })), 3);
}

#[test]
fn an_input_is_dropped_in_the_parent_when_its_call_is_over() {
    let _watch = Watch::start();
    let pool = pool(1);
    let referred = Arc::new(());
    let weak = Arc::downgrade(&referred);
    pool.submit(refer, Referred(Some(referred))).detach();
    within(PATIENCE, || (Weak::strong_count(&weak) == 0).then_some(()));
}

#[test]
fn a_pool_of_no_workers_is_refused() {
    let _watch = Watch::start();
    #[expect(clippy::reversed_empty_ranges, reason = "it is what must be refused")]
    let ranges = [(0..=0, "at least 1"), (3..=2, "ends before it begins")];
    for (workers, told) in ranges {
        let error = Pool::builder().workers(workers).start().unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn a_map_keeps_no_output_that_it_gave() {
    let _watch = Watch::start();
    for output in pool(2).map(trace, 0..10) {
        let output = output.unwrap();
        let number = output.0;
        assert!(traced().contains(&number));
        drop(output);
        assert!(!traced().contains(&number));
    }
    assert_eq!(traced().range(0..10).count(), 0);
}

// test_deadlock.py

/// What comes of a value that gives trouble; after it the pool must work, and end.
fn trouble(place: Place, how: How) -> CallError {
    let watch = Watch::start();
    let pool = pool(2);
    watch.now("it waits for the trouble");
    let error = outcome(pool.submit(echo, Trouble(place, how))).unwrap_err();
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
    watch.now("it shuts down");
    pool.shutdown(GRACE);
    error
}

#[test]
fn an_input_that_cannot_be_sent_fails_its_call() {
    let error = trouble(Place::InputSent, How::Error);
    assert!(matches!(error, CallError::NotCrossed { value: Crossing::Input, .. }), "{error}");
    assert!(error.to_string().contains(SAID), "{error}");
}

#[test]
fn an_exit_while_an_input_is_received_is_a_death() {
    let error = trouble(Place::InputReceived, How::Exit);
    assert!(matches!(error, CallError::Died { exit: Exit::Code(1), .. }), "{error}");
}

#[test]
fn an_input_that_cannot_be_received_fails_its_call() {
    let error = trouble(Place::InputReceived, How::Error);
    assert!(matches!(error, CallError::NotCrossed { value: Crossing::Input, .. }), "{error}");
    assert!(error.to_string().contains(SAID), "{error}");
}

#[test]
fn a_crash_while_an_input_is_received_is_a_death() {
    let error = trouble(Place::InputReceived, How::Crash);
    assert!(matches!(error, CallError::Died { exit: Exit::Signal(11), .. }), "{error}");
}

#[test]
fn a_crash_of_a_task_is_a_death() {
    let error = trouble(Place::Computed, How::Crash);
    assert!(matches!(error, CallError::Died { exit: Exit::Signal(11), stage: Stage::Computing, .. }), "{error}");
}

#[test]
fn an_exit_of_a_task_is_a_death() {
    let error = trouble(Place::Computed, How::Exit);
    assert!(matches!(error, CallError::Died { exit: Exit::Code(1), stage: Stage::Computing, .. }), "{error}");
}

#[test]
fn a_panic_of_a_task_is_told() {
    let error = trouble(Place::Computed, How::Panic);
    assert!(matches!(&error, CallError::Panicked { message, .. } if message == SAID), "{error}");
}

#[test]
fn a_crash_while_an_output_is_sent_is_a_death() {
    let error = trouble(Place::OutputSent, How::Crash);
    assert!(matches!(error, CallError::Died { exit: Exit::Signal(11), .. }), "{error}");
}

#[test]
fn an_exit_while_an_output_is_sent_is_a_death() {
    let error = trouble(Place::OutputSent, How::Exit);
    assert!(matches!(error, CallError::Died { exit: Exit::Code(1), .. }), "{error}");
}

#[test]
fn an_output_that_cannot_be_sent_fails_its_call() {
    let error = trouble(Place::OutputSent, How::Error);
    assert!(matches!(error, CallError::NotCrossed { value: Crossing::Output, .. }), "{error}");
    assert!(error.to_string().contains(SAID), "{error}");
}

#[test]
fn an_output_that_cannot_be_received_fails_its_call() {
    let error = trouble(Place::OutputReceived, How::Error);
    assert!(matches!(error, CallError::NotCrossed { value: Crossing::Output, .. }), "{error}");
    assert!(error.to_string().contains(SAID), "{error}");
}

#[test]
fn a_panic_while_an_output_is_received_fails_its_call() {
    let error = trouble(Place::OutputReceived, How::Panic);
    assert!(matches!(&error, CallError::Panicked { message, .. } if message.contains("in the parent")), "{error}");
}

#[test]
fn a_worker_that_dies_after_the_shutdown_began_is_told() {
    let watch = Watch::start();
    let (pool, gate) = (pool(2), Gate::new());
    let call = pool.submit(wait_at, gate.path());
    let arrival = gate.arrival();
    thread::scope(|scope| {
        scope.spawn(|| pool.shutdown(GRACE));
        wait_closed(&pool);
        kill(arrival.pid(), Signal::SEGV);
        assert!(matches!(outcome(call), Err(CallError::Died { exit: Exit::Signal(11), .. })));
        watch.now("it waits for the shutdown");
    });
}

#[test]
fn a_shutdown_after_an_input_that_cannot_be_sent_returns() {
    let watch = Watch::start();
    let pool = pool(2);
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
    let call = pool.submit(echo, Trouble(Place::InputSent, How::Error));
    watch.now("it shuts down");
    pool.shutdown(GRACE);
    assert!(matches!(outcome(call), Err(CallError::NotCrossed { .. })));
}

#[test]
fn a_crash_amid_a_large_input_is_a_death() {
    let watch = Watch::start();
    let pool = pool(2);
    for outcome in pool.map(swallow, (0..10).map(|_| Torn)) {
        let error = outcome.unwrap_err();
        assert!(matches!(error, CallError::Died { exit: Exit::Signal(11), .. }), "{error}");
    }
    watch.now("it runs one more call");
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
}

#[test]
fn whoever_wakes_a_busy_thread_of_the_pool_does_not_wait_for_it() {
    let watch = Watch::start();
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let (begun, begins) = mpsc::channel();
    let listener = move |event| {
        if matches!(event, Event::CallStarted { .. }) {
            let _test_is_over = begun.send(());
            let _never_sent = gone.lock().unwrap().recv();
        }
    };
    let pool = builder(1).on_event(listener).start().unwrap();
    let gate = Gate::new();
    let first = pool.submit(wait_at, gate.path());
    begins.recv_timeout(PATIENCE).unwrap();
    let calls: Vec<_> = (0..100).map(|number| pool.submit(double, number)).collect();
    watch.now("it cancels a call more often than a pipe has bytes");
    (0..70_000).for_each(|_| first.cancel());
    drop(go);
    watch.now("it waits for all outcomes");
    assert!(matches!(outcome(first), Err(CallError::Cancelled)));
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(outcome(call).unwrap(), 2 * number as u64);
    }
}

// test_init.py

#[test]
fn each_worker_is_initialised() {
    let _watch = Watch::start();
    let gate = Gate::new();
    let pool = builder(2).env("SUITE_INIT", "initialised").start().unwrap();
    let calls = [(); 2].map(|()| pool.submit(SayInitialised, gate.path()));
    for arrival in gate.arrivals(2) {
        assert_eq!(arrival.said, "initialised");
    }
    assert!(calls.into_iter().all(|call| outcome(call).is_ok()));
}

#[test]
fn a_failing_initialiser_is_told() {
    let _watch = Watch::start();
    let error = builder(2).env("SUITE_INIT", "fail").start().unwrap_err();
    assert!(error.to_string().contains("error in initializer"), "{error}");
    let pool = builder(0..=2).env("SUITE_INIT", "fail").start().unwrap();
    for _ in 0..2 {
        let error = outcome(pool.submit(double, 1)).unwrap_err();
        assert!(matches!(error, CallError::NotStarted(_)), "{error}");
        assert!(error.to_string().contains("error in initializer"), "{error}");
    }
}

#[test]
fn a_failed_start_leaves_no_process_and_no_descriptor() {
    let _watch = Watch::start();
    if given().is_none() {
        let (status, said) = ended(program("a_failed_start_leaves_no_process_and_no_descriptor", "").spawn().unwrap());
        assert!(status.success(), "{said}");
        return;
    }
    let descriptors = || fs::read_dir("/dev/fd").unwrap().count();
    let fail = || builder(2).env("SUITE_INIT", "fail").start().unwrap_err();
    let before = descriptors();
    for _ in 0..5 {
        fail();
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let child = waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT);
        assert_eq!(child.unwrap_err(), rustix::io::Errno::CHILD);
    }
    assert_eq!(descriptors(), before);
}

// test_shutdown.py

/// Waits until the pool takes no more calls.
#[track_caller]
fn wait_closed(pool: &Pool) {
    within(PATIENCE, || {
        matches!(pool.submit(double, 1).wait_for(Duration::ZERO), Some(Err(CallError::Closed))).then_some(())
    });
}

#[test]
fn after_a_shutdown_no_call_is_taken() {
    let _watch = Watch::start();
    let pool = pool(1);
    let clone = pool.clone();
    pool.shutdown(GRACE);
    assert!(matches!(outcome(clone.submit(power, (2, 5))), Err(CallError::Closed)));
    assert!(matches!(clone.map(double, [1]).next(), Some(Err(CallError::Closed))));
}

#[test]
fn a_program_can_let_its_calls_be_done_before_it_ends() {
    let _watch = Watch::start();
    if let Some(gate) = given() {
        let pool = Pool::builder().workers(2).start().unwrap();
        pool.submit(print_at, gate).detach();
        return pool.shutdown(GRACE);
    }
    let gate = Gate::new();
    let program = program("a_program_can_let_its_calls_be_done_before_it_ends", &gate.path()).spawn().unwrap();
    gate.arrival().go();
    let (status, said) = ended(program);
    assert!(status.success(), "{said}");
    assert_eq!(said.trim(), "apple");
}

#[test]
fn a_program_that_ends_with_a_running_call_ends() {
    let watch = Watch::start();
    if let Some(gate) = given() {
        let pool = pool(3);
        pool.submit(wait_at, gate.clone()).detach();
        pass(&gate, "program");
        return std::mem::forget(pool);
    }
    let gate = Gate::new();
    let program = program("a_program_that_ends_with_a_running_call_ends", &gate.path()).spawn().unwrap();
    let (ends, runs): (Vec<_>, Vec<_>) = gate.arrivals(2).into_iter().partition(|arrival| arrival.said == "program");
    drop(ends);
    watch.now("it waits for the program");
    let (status, said) = ended(program);
    assert!(status.success(), "{said}");
    runs.iter().for_each(Arrival::wait_gone);
}

#[test]
fn a_shutdown_waits_for_fifty_calls() {
    let watch = Watch::start();
    let pool = pool(2);
    let calls: Vec<_> = (0..50).map(|number| pool.submit(double, number)).collect();
    watch.now("it shuts down");
    pool.shutdown(GRACE);
    for (number, call) in calls.into_iter().enumerate() {
        assert!(call.is_done());
        assert_eq!(outcome(call).unwrap(), 2 * number as u64);
    }
}

#[test]
fn shutdown_now_fails_what_is_not_done_and_nothing_else() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(2), Gate::new());
    let done: Vec<_> = (0..10).map(|number| pool.submit(double, number)).collect();
    let open: Vec<_> = (0..40).map(|_| pool.submit(wait_at, gate.path())).collect();
    let arrivals = gate.arrivals(2);
    pool.shutdown(Duration::ZERO);
    assert!(done.into_iter().enumerate().all(|(number, call)| outcome(call).unwrap() == 2 * number as u64));
    for call in open {
        assert!(call.is_done());
        assert!(matches!(outcome(call), Err(CallError::Closed)));
    }
    arrivals.iter().for_each(Arrival::wait_gone);
}

#[test]
fn a_shutdown_right_after_a_cancelled_call_returns() {
    let watch = Watch::start();
    for _ in 0..20 {
        let pool = pool(1);
        assert_eq!(outcome(pool.submit(double, 1)).unwrap(), 2);
        let call = pool.submit(double, 2);
        call.cancel();
        watch.now("it shuts down");
        pool.shutdown(GRACE);
        assert!(matches!(outcome(call), Ok(4) | Err(CallError::Cancelled)));
    }
}

#[test]
fn a_shutdown_leaves_no_process() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(0..=5), Gate::new());
    let calls: Vec<_> = (0..3).map(|_| pool.submit(wait_at, gate.path())).collect();
    let arrivals = gate.arrivals(3);
    assert_eq!(pool.status().workers.len(), 3);
    let workers: Vec<_> = arrivals.iter().map(Arrival::pid).collect();
    drop(arrivals);
    pool.shutdown(GRACE);
    assert!(calls.into_iter().all(|call| outcome(call).is_ok()));
    assert!(workers.into_iter().all(is_gone));
    assert!(pool.status().workers.is_empty());
}

#[test]
fn a_dropped_pool_leaves_no_process() {
    let _watch = Watch::start();
    let workers = {
        let pool = pool(5);
        let outputs: Vec<_> = pool.map(double, 0..10).collect::<Result<_, _>>().unwrap();
        assert_eq!(outputs, (0..10).map(|number| 2 * number).collect::<Vec<_>>());
        pids(&pool)
    };
    assert_eq!(workers.len(), 5);
    assert!(workers.into_iter().all(is_gone));
}

#[test]
fn a_map_keeps_its_pool_alive() {
    let _watch = Watch::start();
    let pool = pool(5);
    let workers = pids(&pool);
    let mut map = pool.map(double, 0..10);
    drop(pool);
    let outputs: Vec<_> = map.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!(outputs, (0..10).map(|number| 2 * number).collect::<Vec<_>>());
    drop(map);
    assert!(workers.into_iter().all(is_gone));
}

#[test]
fn a_shutdown_on_another_thread_lets_calls_be_done() {
    let watch = Watch::start();
    let (pool, gate) = (pool(5), Gate::new());
    let workers = pids(&pool);
    let calls: Vec<_> = (0..10).map(|number| pool.submit(number_at, (number, gate.path()))).collect();
    let arrivals = gate.arrivals(5);
    thread::scope(|scope| {
        let shutdown = scope.spawn(|| pool.shutdown(GRACE));
        wait_closed(&pool);
        assert!(!shutdown.is_finished());
        assert!(calls.iter().all(|call| !call.is_done()));
        drop(arrivals);
        gate.open();
        watch.now("it waits for the shutdown");
    });
    let outputs: Vec<_> = calls.into_iter().map(|call| outcome(call).unwrap()).collect();
    assert_eq!(outputs, (0..10).collect::<Vec<_>>());
    assert!(workers.into_iter().all(is_gone));
}

#[test]
fn a_shutdown_after_a_panic_returns_also_with_a_worker_for_each_call() {
    let watch = Watch::start();
    for workers in [2, 4] {
        let pool = builder(workers).max_calls(1).start().unwrap();
        let calls = [2, 1, 4].map(|number| pool.submit(even, number));
        let [first, panicked, last] = calls.map(outcome);
        watch.now("it shuts down");
        pool.shutdown(GRACE);
        assert!(matches!((first, panicked, last), (Ok(2), Err(CallError::Panicked { .. }), Ok(4))));
    }
}

// test_as_completed.py

#[test]
fn an_unordered_map_gives_each_outcome_once() {
    let _watch = Watch::start();
    let mut outcomes: Vec<_> = pool(2).map(even, [0, 1, 2, 3, 4]).unordered().collect();
    outcomes.sort_by_key(|(index, _)| *index);
    for (index, (told, outcome)) in outcomes.into_iter().enumerate() {
        assert_eq!(told, index);
        assert_eq!(outcome.ok(), (index % 2 == 0).then_some(index as u64));
    }
}

#[test]
fn a_call_that_is_not_done_in_time_goes_on() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let mut done = [pool.submit(even, 2), pool.submit(even, 3)];
    let mut running = pool.submit(number_at, (7, gate.path()));
    let arrival = gate.arrival();
    for most in [Duration::ZERO, Duration::from_millis(20)] {
        assert!(running.wait_for(most).is_none());
    }
    let at_once: Vec<_> = done.iter_mut().map(|call| call.wait_for(Duration::ZERO)).collect();
    assert!(matches!(at_once.as_slice(), [Some(Ok(2)), Some(Err(CallError::Panicked { .. }))]), "{at_once:?}");
    arrival.go();
    assert_eq!(outcome(running).unwrap(), 7);
}

#[test]
fn an_outcome_is_given_once() {
    let _watch = Watch::start();
    let pool = pool(1);
    let mut call = pool.submit(double, 1);
    assert!(call.wait_for(PATIENCE).is_some());
    assert!(matches!(call.wait_for(PATIENCE), Some(Err(CallError::Taken))));
    assert!(matches!(call.wait(), Err(CallError::Taken)));
}

#[test]
fn an_unordered_map_keeps_no_output_that_it_gave() {
    let _watch = Watch::start();
    for (index, output) in pool(2).map(trace, 100..110).unordered() {
        let number = 100 + index as u64;
        assert!(traced().contains(&number));
        drop(output.unwrap());
        assert!(!traced().contains(&number));
    }
    assert_eq!(traced().range(100..110).count(), 0);
}

// test_wait.py

#[test]
fn the_first_that_is_done_comes_first() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(2), Gate::new());
    let mut outcomes = pool.map(number_at, [(1, gate.path()), (42, String::new())]).unordered();
    assert!(matches!(outcomes.next(), Some((1, Ok(42)))));
    gate.arrival().go();
    assert!(matches!(outcomes.next(), Some((0, Ok(1)))));
    assert!(outcomes.next().is_none());
}

#[test]
fn what_is_done_can_be_told_from_what_is_not() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let (done, cancelled) = (pool.submit(double, 21), pool.submit(double, 1));
    within(PATIENCE, || done.is_done().then_some(()));
    let running = pool.submit(wait_at, gate.path());
    cancelled.cancel();
    let arrival = gate.arrival();
    assert!(done.is_done() && cancelled.is_done() && !running.is_done());
    arrival.go();
    assert!(outcome(running).is_ok());
}

#[test]
fn the_first_failure_comes_while_others_run() {
    let _watch = Watch::start();
    let (pool, second, third) = (pool(3), Gate::new(), Gate::new());
    let inputs = [(2, String::new()), (3, second.path()), (4, third.path())];
    let mut outcomes = pool.map(even_at, inputs).unordered();
    assert!(matches!(outcomes.next(), Some((0, Ok(2)))));
    second.arrival().go();
    assert!(matches!(outcomes.next(), Some((1, Err(CallError::Panicked { .. })))));
    let running = third.arrival();
    drop(outcomes);
    running.wait_gone();
}

#[test]
fn a_failure_comes_before_what_runs() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(2), Gate::new());
    let mut outcomes = pool.map(even_at, [(2, gate.path()), (3, String::new())]).unordered();
    assert!(matches!(outcomes.next(), Some((1, Err(CallError::Panicked { .. })))));
    gate.arrival().go();
    assert!(matches!(outcomes.next(), Some((0, Ok(2)))));
}

#[test]
fn a_call_that_failed_before_is_done_at_once() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let mut failed = pool.submit(even, 3);
    let running = pool.submit(wait_at, gate.path());
    let arrival = gate.arrival();
    assert!(matches!(failed.wait_for(Duration::ZERO), Some(Err(CallError::Panicked { .. }))));
    assert!(!running.is_done());
    arrival.go();
    assert!(outcome(running).is_ok());
}

#[test]
fn all_outcomes_can_be_waited_for_whatever_they_are() {
    let _watch = Watch::start();
    let pool = pool(2);
    let calls = [pool.submit(divide, (2, 0)), pool.submit(divide, (42, 2)), pool.submit(divide, (1, 1))];
    calls[2].cancel();
    let [failed, done, cancelled] = calls.map(outcome);
    assert!(matches!(failed, Err(CallError::Panicked { .. })));
    assert!(matches!(done, Ok((21, 0))));
    assert!(matches!(cancelled, Ok((1, 0)) | Err(CallError::Cancelled)));
}

#[test]
fn a_hundred_calls_that_end_together_are_all_told() {
    let watch = Watch::start();
    let (pool, gate) = (pool(4), Gate::new());
    let calls: Vec<_> = (0..100).map(|number| pool.submit(number_at, (number, gate.path()))).collect();
    let arrivals = gate.arrivals(4);
    watch.now("a thread waits for each call");
    thread::scope(|scope| {
        let waits: Vec<_> = calls.into_iter().map(|call| scope.spawn(|| call.wait().unwrap())).collect();
        drop(arrivals);
        gate.open();
        let outputs: Vec<_> = waits.into_iter().map(|wait| wait.join().unwrap()).collect();
        assert_eq!(outputs, (0..100).collect::<Vec<_>>());
    });
}

// test_future.py

/// Tells when it is woken.
struct Bell(Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _test_is_over = self.0.send(());
    }
}

fn bell() -> (Waker, Receiver<()>) {
    let (sender, rings) = mpsc::channel();
    (Waker::from(Arc::new(Bell(sender))), rings)
}

fn poll<R>(handle: &mut Handle<R>, waker: &Waker) -> Poll<Outcome<R>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

#[test]
fn whoever_polled_is_woken_for_an_output() {
    let _watch = Watch::start();
    let (pool, gate, (waker, rings)) = (pool(1), Gate::new(), bell());
    let mut call = pool.submit(number_at, (5, gate.path()));
    assert!(poll(&mut call, &waker).is_pending());
    gate.arrival().go();
    rings.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(poll(&mut call, &waker), Poll::Ready(Ok(5))));
}

#[test]
fn whoever_polled_is_woken_for_a_failure() {
    let _watch = Watch::start();
    let (pool, gate, (waker, rings)) = (pool(1), Gate::new(), bell());
    let mut call = pool.submit(even_at, (5, gate.path()));
    assert!(poll(&mut call, &waker).is_pending());
    gate.arrival().go();
    rings.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(poll(&mut call, &waker), Poll::Ready(Err(CallError::Panicked { .. }))));
}

#[test]
fn whoever_polled_is_woken_when_the_call_is_cancelled() {
    let _watch = Watch::start();
    let (pool, gate, (waker, rings)) = (pool(1), Gate::new(), bell());
    let running = pool.submit(wait_at, gate.path());
    let mut call = pool.submit(double, 5);
    assert!(poll(&mut call, &waker).is_pending());
    call.cancel();
    rings.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(poll(&mut call, &waker), Poll::Ready(Err(CallError::Cancelled))));
    gate.arrival().go();
    assert!(outcome(running).is_ok());
}

/// Panics when it is woken, and counts that.
struct Bomb(AtomicUsize);

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Release);
        panic!("doh!");
    }
}

#[test]
fn a_waker_that_panics_costs_nothing() {
    let _watch = Watch::start();
    let (pool, gate, bomb) = (pool(1), Gate::new(), Arc::new(Bomb(AtomicUsize::new(0))));
    let mut call = pool.submit(number_at, (5, gate.path()));
    assert!(poll(&mut call, &Waker::from(Arc::clone(&bomb))).is_pending());
    gate.arrival().go();
    within(PATIENCE, || (bomb.0.load(Ordering::Acquire) == 1).then_some(()));
    assert_eq!(outcome(call).unwrap(), 5);
    assert_eq!(outcome(pool.submit(double, 5)).unwrap(), 10);
}

#[test]
fn an_output_that_is_there_is_ready_at_once() {
    let _watch = Watch::start();
    let (pool, (waker, rings)) = (pool(1), bell());
    let mut call = pool.submit(double, 5);
    within(PATIENCE, || call.is_done().then_some(()));
    assert!(matches!(poll(&mut call, &waker), Poll::Ready(Ok(10))));
    assert!(rings.try_recv().is_err());
}

#[test]
fn a_failure_that_is_there_is_ready_at_once() {
    let _watch = Watch::start();
    let (pool, (waker, _rings)) = (pool(1), bell());
    let mut call = pool.submit(even, 5);
    within(PATIENCE, || call.is_done().then_some(()));
    assert!(matches!(poll(&mut call, &waker), Poll::Ready(Err(CallError::Panicked { .. }))));
}

#[test]
fn a_call_that_was_cancelled_is_ready_at_once() {
    let _watch = Watch::start();
    let (pool, gate, (waker, _rings)) = (pool(1), Gate::new(), bell());
    let _running = pool.submit(wait_at, gate.path());
    let mut call = pool.submit(double, 5);
    call.cancel();
    assert!(matches!(poll(&mut call, &waker), Poll::Ready(Err(CallError::Cancelled))));
}

#[test]
fn a_handle_shows_whether_it_is_done() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let call = pool.submit(wait_at, gate.path());
    assert_eq!(format!("{call:?}"), format!("Handle {{ id: CallId({}), is_done: false, .. }}", call.id()));
    gate.arrival().go();
    within(PATIENCE, || call.is_done().then_some(()));
    assert!(format!("{call:?}").contains("is_done: true"), "{call:?}");
}

#[test]
fn a_call_is_cancelled_unless_it_is_done() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let (done, failed) = (pool.submit(double, 21), pool.submit(even, 3));
    let (running, queued) = (pool.submit(wait_at, gate.path()), pool.submit(double, 1));
    let arrival = gate.arrival();
    for call in [&done, &queued] {
        (0..2).for_each(|_| call.cancel());
    }
    failed.cancel();
    assert_eq!(outcome(done).unwrap(), 42);
    assert!(matches!(outcome(failed), Err(CallError::Panicked { .. })));
    assert!(matches!(outcome(queued), Err(CallError::Cancelled)));
    // All this while it ran.
    assert!(!running.is_done());
    (0..2).for_each(|_| running.cancel());
    assert!(matches!(outcome(running), Err(CallError::Cancelled)));
    arrival.wait_gone();
    assert_eq!(outcome(pool.submit(double, 2)).unwrap(), 4);
}

#[test]
fn a_status_tells_what_runs_and_what_waits() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let (running, queued) = (pool.submit(wait_at, gate.path()), pool.submit(double, 1));
    let arrival = gate.arrival();
    let status = pool.status();
    assert_eq!(status.queued, 1);
    let [worker] = status.workers.as_slice() else { panic!("{status:?}") };
    assert_eq!(worker.pid, Some(arrival.pid()));
    assert_eq!(worker.running.as_ref().map(|running| running.call), Some(running.id()));
    assert_ne!(running.id(), queued.id());
    arrival.go();
    assert!(outcome(running).is_ok() && outcome(queued).is_ok());
    within(PATIENCE, || pool.status().workers.iter().all(|worker| worker.running.is_none()).then_some(()));
}

#[test]
fn whoever_waits_has_the_output_when_it_comes() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let mut call = pool.submit(number_at, (42, gate.path()));
    let (waits, waiting) = mpsc::channel();
    let waiter = thread::spawn(move || {
        assert!(call.wait_for(Duration::from_millis(1)).is_none());
        waits.send(()).unwrap();
        call.wait()
    });
    waiting.recv_timeout(PATIENCE).unwrap();
    gate.arrival().go();
    assert_eq!(waiter.join().unwrap().unwrap(), 42);
}

#[test]
fn whoever_waits_is_told_that_the_pool_is_closed() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let call = pool.submit(number_at, (42, gate.path()));
    let waiter = thread::spawn(|| call.wait());
    let _arrival = gate.arrival();
    pool.shutdown(Duration::ZERO);
    assert!(matches!(waiter.join().unwrap(), Err(CallError::Closed)));
}

// test_pool.py, and of test_thread_pool.py what means something for processes

#[test]
fn a_map_takes_no_more_inputs_than_its_window() {
    let _watch = Watch::start();
    let pool = pool(1);
    for (window, inputs) in [(1, 5), (5, 5), (10, 5), (2, 5)] {
        let taken = Cell::new(0);
        let mut map = pool.map(double, (0..inputs).inspect(|_| taken.set(taken.get() + 1))).window(window);
        assert_eq!(taken.get(), 0);
        for given in 0..inputs {
            assert_eq!(map.next().unwrap().unwrap(), 2 * given);
            assert_eq!(taken.get(), inputs.min(given + window as u64));
        }
        assert!(map.next().is_none());
    }
}

#[test]
fn a_dropped_map_cancels_what_it_submitted() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let inputs = [(0, String::new()), (1, gate.path()), (2, gate.path())];
    let mut map = pool.map(number_at, inputs).window(3);
    assert_eq!(map.next().unwrap().unwrap(), 0);
    let running = gate.arrival();
    drop(map);
    running.wait_gone();
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
    assert!(gate.look().is_none());
}

// docs/suites.md

#[test]
fn the_list_of_scenarios_names_each_test() {
    let tests: BTreeSet<&str> = [include_str!("cpython.rs"), include_str!("loky.rs")]
        .into_iter()
        .flat_map(|file| file.split("\n#[test]\n").skip(1))
        .filter_map(|test| test.split_once("fn ")?.1.split_once('('))
        .map(|(name, _)| name)
        .filter(|name| *name != "the_list_of_scenarios_names_each_test")
        .collect();
    let rows = include_str!("../docs/suites.md").lines().filter(|line| line.starts_with('|'));
    // The third column is ours, in a table that has four.
    let ours = rows.map(|row| row.split('|').collect::<Vec<_>>()).filter(|cells| cells.len() == 6);
    let named: BTreeSet<&str> =
        ours.flat_map(|cells| cells[3].split('`').skip(1).step_by(2).collect::<Vec<_>>()).collect();
    assert_eq!(named, tests);
}
