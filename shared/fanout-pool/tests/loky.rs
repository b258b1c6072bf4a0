//! The scenarios of loky's tests that CPython's do not have, each as what must happen here. docs/suites.md says which
//! test is whose.
#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::future::Future;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use fanout_pool::{
    CallError, Crossing, Event, Exit, Handle, Here, Incoming, Outgoing, Pool, ReceiveError, StartError, Task, Transfer,
};
use rustix::process::Signal;

mod suite;

use suite::*;

/// A number that says itself how it crosses: 5 more to a worker, 7 times as much back.
struct Number(u64);

impl Transfer for Number {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        let sent = if fanout_pool::is_worker() { 7 * self.0 } else { self.0 + 5 };
        to.send(&sent.to_le_bytes())
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        from.read_array().map(u64::from_le_bytes).map(Number)
    }
}

/// An input of so many zeros, which nobody holds whole.
struct Zeros(u64);

/// What is sent, and received, of it at once.
const PIECE: usize = 1 << 20;

impl Transfer for Zeros {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        let (mut to, piece, mut left) = (to.announce(self.0)?, vec![0; PIECE], self.0);
        while left > 0 {
            let next = left.min(PIECE as u64);
            to.write_all(&piece[..next as usize])?;
            left -= next;
        }
        Ok(())
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        let (bytes, mut piece) = (from.left(), vec![MaybeUninit::uninit(); PIECE]);
        while from.left() > 0 {
            let next = from.left().min(PIECE as u64) as usize;
            from.read(&mut piece[..next])?;
        }
        Ok(Zeros(bytes))
    }
}

/// A number that takes its time to be sent.
struct Slow(u64);

impl Transfer for Slow {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        thread::sleep(Duration::from_millis(20));
        to.send(&self.0.to_le_bytes())
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        from.read_array().map(u64::from_le_bytes).map(Slow)
    }
}

/// Answers, and ends its worker then.
struct AnswerAndEnd;

impl Task for AnswerAndEnd {
    type Shared = ();
    type Input = Trouble;
    type Output = u64;

    fn call((): &(), _: Trouble, _: &mut Here) -> u64 {
        42
    }

    fn answer(shared: &(), input: Trouble, here: &mut Here, to: Outgoing<'_>) -> io::Result<()> {
        Self::call(shared, input, here).send(to)?;
        input.strike(Place::Computed).map_err(io::Error::other)
    }
}

/// Keeps so many bytes in its worker, more with each call. Its worker's id.
struct Leak;

impl Task for Leak {
    type Shared = ();
    type Input = usize;
    type Output = u32;

    fn call((): &(), bytes: usize, here: &mut Here) -> u32 {
        // Ones: pages that were only asked for are no memory yet.
        here.state(Vec::<Vec<u8>>::new).push(vec![1; bytes]);
        std::process::id()
    }
}

/// What the initialiser leaves in a worker.
struct Initialised(String);

fn prepare(here: &mut Here) -> Result<(), String> {
    let said = std::env::var("SUITE_INIT").unwrap_or_default();
    here.state(|| Initialised(said));
    Ok(())
}

/// What the initialiser has left, and the worker's id.
struct WhatIsInitialised;

impl Task for WhatIsInitialised {
    type Shared = ();
    type Input = ();
    type Output = (String, u32);

    fn call((): &(), (): (), here: &mut Here) -> (String, u32) {
        (here.state(|| Initialised(String::from("uninitialised"))).0.clone(), std::process::id())
    }
}

fn square(number: u64) -> u64 {
    number * number
}

fn give(name_count: (String, u64)) -> (String, u64) {
    name_count
}

fn cross(number: Number) -> Number {
    number
}

fn length(zeros: Zeros) -> u64 {
    zeros.0
}

fn take_slow(slow: Slow) -> u64 {
    slow.0
}

fn variable(name: String) -> Option<String> {
    std::env::var(name).ok()
}

/// Waits at a gate, and crashes then.
fn crash_at(gate: String) {
    pass(&gate, "crashes");
    crash_now();
}

/// Kills a process.
fn kill_other(pid: u32) {
    kill(pid, Signal::KILL);
}

/// Starts a pool in a worker.
fn nested(_input: ()) -> String {
    Pool::builder().workers(1).start().map(|_| ()).unwrap_err().to_string()
}

/// Starts a program of this test, which starts more, and waits for it.
fn start_program(test_given: (String, String)) {
    start_and_wait(&test_given.0, &test_given.1);
}

/// Starts a program that reads its standard input to the end. What it read, and whether it did well.
fn read_stdin(_input: ()) -> (String, bool) {
    let output = Command::new("cat").stdin(Stdio::inherit()).output().unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
}

/// Says something, and crashes.
fn say_and_crash(message: String) {
    eprintln!("{message}");
    crash_now();
}

/// Whether this descriptor is open.
fn is_open(descriptor: i32) -> bool {
    fs::exists(format!("/dev/fd/{descriptor}")).unwrap()
}

/// Waits at a gate when the call is over, as long as the worker lives.
fn linger(gate: String) {
    thread::spawn(move || pass(&gate, "lingers"));
}

/// Ends itself, by and by.
fn end_soon(gate: String) {
    thread::spawn(move || {
        pass(&gate, "ends");
        kill(std::process::id(), Signal::TERM);
    });
}
fanout_pool::register!(
    double, wait_at, own_pid, crash, exit, panics, echo, write, square, give, cross, length, take_slow, variable,
    crash_at, kill_other, nested, linger, start_program, read_stdin, say_and_crash, is_open, end_soon, AnswerAndEnd,
    Leak, WhatIsInitialised; init = prepare
);

/// Starts a test as a program, and waits for it: in a worker, or in a program that a worker started.
fn start_and_wait(test: &str, given: &str) {
    let _status = program(test, given).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// A future that is polled on whichever thread wakes it: what a callback does elsewhere. No thread waits for another.
struct Inline {
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// How often it was woken since the poll began that now goes on.
    wakes: AtomicUsize,
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        if self.wakes.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let waker = Waker::from(Arc::clone(&self));
        loop {
            let seen = self.wakes.load(Ordering::Acquire);
            let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
            if future.as_mut().is_some_and(|future| future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()) {
                *future = None;
            }
            drop(future);
            if self.wakes.compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return;
            }
        }
    }
}

/// Polls it here, and then on the threads of the pool whose calls it awaits. What it gives comes here.
fn go_on<R: Send + 'static>(future: impl Future<Output = R> + Send + 'static) -> Receiver<R> {
    let (sender, given) = mpsc::channel();
    let future = async move {
        let _test_is_over = sender.send(future.await);
    };
    Waker::from(Arc::new(Inline { future: Mutex::new(Some(Box::pin(future))), wakes: AtomicUsize::new(0) })).wake();
    given
}

// _test_process_executor.py: ExecutorShutdownTest

#[test]
fn a_shutdown_after_an_input_that_failed_returns_each_time() {
    let watch = Watch::start();
    for _ in 0..5 {
        let pool = pool(4);
        let error = outcome(pool.submit(echo, Trouble(Place::InputSent, How::Error))).unwrap_err();
        assert!(matches!(error, CallError::NotCrossed { value: Crossing::Input, .. }), "{error}");
        watch.now("it shuts down");
        pool.shutdown(GRACE);
    }
}

#[test]
fn a_shutdown_after_an_input_that_panicked_returns_each_time() {
    let watch = Watch::start();
    for _ in 0..5 {
        let pool = pool(4);
        let error = outcome(pool.submit(echo, Trouble(Place::InputSent, How::Panic))).unwrap_err();
        assert!(matches!(&error, CallError::Panicked { message, .. } if message == SAID), "{error}");
        watch.now("it shuts down");
        pool.shutdown(GRACE);
    }
}

#[test]
fn a_program_that_shuts_down_has_done_all_its_calls() {
    let _watch = Watch::start();
    let files = |folder: &str| (0..8).map(|number| format!("{folder}/{number}")).collect::<Vec<_>>();
    if let Some(folder) = given() {
        let pool = pool(4);
        files(&folder).into_iter().for_each(|file| pool.submit(write, file).detach());
        return pool.shutdown(GRACE);
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let (status, said) = ended(program("a_program_that_shuts_down_has_done_all_its_calls", folder).spawn().unwrap());
    assert!(status.success() && said.is_empty(), "{said}");
    for file in files(folder) {
        assert!(fs::read_to_string(&file).unwrap().trim().parse::<u32>().is_ok(), "{file}");
    }
}

#[test]
fn a_crash_during_a_shutdown_is_told_and_what_was_done_stays() {
    let watch = Watch::start();
    let (pool, gate) = (pool(5), Gate::new());
    let workers = pids(&pool);
    let easy: Vec<_> = (0..5).map(|number| pool.submit(double, number)).collect();
    let crashing = pool.submit(crash_at, gate.path());
    let arrival = gate.arrival();
    thread::scope(|scope| {
        scope.spawn(|| pool.shutdown(GRACE));
        for (number, call) in easy.into_iter().enumerate() {
            assert_eq!(outcome(call).unwrap(), 2 * number as u64);
        }
        assert!(!crashing.is_done());
        arrival.go();
        let error = outcome(crashing).unwrap_err();
        assert!(matches!(error, CallError::Died { exit: Exit::Signal(11), .. }), "{error}");
        assert!(error.to_string().contains("SIGSEGV"), "{error}");
        watch.now("it waits for the shutdown");
    });
    assert!(workers.into_iter().all(is_gone));
}

#[test]
fn shutdown_now_ends_what_calls_have_started() {
    let watch = Watch::start();
    const NAME: &str = "shutdown_now_ends_what_calls_have_started";
    if let Some(gate) = given() {
        return pass(&gate, "program");
    }
    let (pool, gate) = (pool(1), Gate::new());
    let call = pool.submit(start_program, (NAME.into(), gate.path()));
    let started = gate.arrival();
    assert_eq!(started.said, "program");
    watch.now("it shuts down");
    pool.shutdown(Duration::ZERO);
    assert!(matches!(outcome(call), Err(CallError::Closed)));
    started.wait_gone();
}

// _test_process_executor.py: ExecutorTest

#[test]
fn threads_may_use_one_pool() {
    let watch = Watch::start();
    let pool = pool(2);
    watch.now("ten threads use it");
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let first = pool.map(square, 0..40);
                let calls: Vec<_> = (0..20).map(|number| pool.submit(double, number)).collect();
                calls.iter().step_by(2).for_each(Handle::cancel);
                let second = pool.map(square, 0..40);
                let right: Vec<_> = (0..40).map(|number| number * number).collect();
                assert_eq!(first.collect::<Result<Vec<_>, _>>().unwrap(), right);
                assert_eq!(second.collect::<Result<Vec<_>, _>>().unwrap(), right);
                for (number, call) in calls.into_iter().enumerate() {
                    match outcome(call) {
                        Err(CallError::Cancelled) if number % 2 == 0 => {}
                        outcome => assert_eq!(outcome.unwrap(), 2 * number as u64),
                    }
                }
            });
        }
    });
}

#[test]
fn calls_can_be_submitted_where_others_end() {
    let watch = Watch::start();
    let (pool, gate) = (pool(2), Gate::new());
    let chains = [("chain a", 100), ("chain b", 50), ("chain c", 60)].map(|(name, first)| {
        let (pool, held) = (pool.clone(), pool.submit(wait_at, gate.path()));
        let chain = go_on(async move {
            let mut counts = Vec::new();
            held.await.unwrap();
            for count in (0..=first).rev() {
                counts.push(pool.submit(give, (String::from(name), count)).await.unwrap());
            }
            counts
        });
        (name, first, chain)
    });
    gate.open();
    watch.now("it waits for the chains");
    for (name, first, chain) in chains {
        let right: Vec<_> = (0..=first).rev().map(|count| (String::from(name), count)).collect();
        assert_eq!(chain.recv_timeout(PATIENCE).unwrap(), right);
    }
}

#[test]
fn workers_that_rest_too_long_end() {
    let watch = Watch::start();
    let pool = builder(0..=4).idle_timeout(Duration::from_millis(10)).start().unwrap();
    for _ in 0..5 {
        watch.now("it runs eight calls");
        let outputs: Vec<_> = pool.map(square, 0..8).collect::<Result<_, _>>().unwrap();
        assert_eq!(outputs, [0, 1, 4, 9, 16, 25, 36, 49]);
        within(PATIENCE, || pool.status().workers.is_empty().then_some(()));
    }
}

#[test]
fn a_type_says_itself_how_it_crosses() {
    let _watch = Watch::start();
    assert_eq!(outcome(pool(1).submit(cross, Number(1))).unwrap().0, 42);
}

#[test]
fn a_worker_can_start_no_pool() {
    let _watch = Watch::start();
    let told = outcome(pool(1).submit(nested, ())).unwrap();
    assert_eq!(told, StartError::Nested.to_string());
}

#[test]
fn an_input_may_be_larger_than_two_gibibytes() {
    let _watch = Watch::start();
    let bytes = (2 << 30) + 1;
    assert_eq!(outcome(pool(1).submit(length, Zeros(bytes))).unwrap(), bytes);
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_that_leaks_is_replaced() {
    let _watch = Watch::start();
    let bytes = 8 << 20;
    let pool = builder(1).max_resident(8 * bytes as u64).start().unwrap();
    let mut ran = HashMap::<_, usize>::new();
    for _ in 0..20 {
        *ran.entry(outcome(pool.submit(Leak, bytes)).unwrap()).or_default() += 1;
    }
    assert!(ran.len() > 1 && ran.values().all(|&calls| calls <= 9), "{ran:?}");
}

#[test]
fn workers_have_the_variables_that_they_are_given() {
    let _watch = Watch::start();
    let pool = builder(1).env("SUITE_SET", "variable set").env_remove("PATH").start().unwrap();
    let read = |name: &str| outcome(pool.submit(variable, name.into())).unwrap();
    assert_eq!(read("SUITE_SET").as_deref(), Some("variable set"));
    assert_eq!(read("PATH"), None);
    assert_eq!(read("CARGO_MANIFEST_DIR"), std::env::var("CARGO_MANIFEST_DIR").ok());
}

// test_reusable_executor.py: TestExecutorDeadLock

/// Whether an error is what must be told.
type IsRight = fn(&CallError) -> bool;

/// All that can go wrong with a value, and what is told then.
fn troubles() -> Vec<(Trouble, IsRight)> {
    let exited: IsRight = |error| matches!(error, CallError::Died { exit: Exit::Code(1), .. });
    let crashed: IsRight = |error| matches!(error, CallError::Died { exit: Exit::Signal(11), .. });
    let panicked: IsRight = |error| matches!(error, CallError::Panicked { message, .. } if message.contains(SAID));
    let no_input: IsRight =
        |error| matches!(error, CallError::NotCrossed { value: Crossing::Input, reason, .. } if reason.contains(SAID));
    let no_output: IsRight =
        |error| matches!(error, CallError::NotCrossed { value: Crossing::Output, reason, .. } if reason.contains(SAID));
    vec![
        (Trouble(Place::InputSent, How::Error), no_input),
        (Trouble(Place::InputSent, How::Panic), panicked),
        (Trouble(Place::InputReceived, How::Error), no_input),
        (Trouble(Place::InputReceived, How::Panic), panicked),
        (Trouble(Place::InputReceived, How::Exit), exited),
        (Trouble(Place::InputReceived, How::Crash), crashed),
        (Trouble(Place::Computed, How::Panic), panicked),
        (Trouble(Place::Computed, How::Exit), exited),
        (Trouble(Place::Computed, How::Crash), crashed),
        (Trouble(Place::OutputSent, How::Error), no_output),
        (Trouble(Place::OutputSent, How::Panic), panicked),
        (Trouble(Place::OutputSent, How::Exit), exited),
        (Trouble(Place::OutputSent, How::Crash), crashed),
        (Trouble(Place::OutputReceived, How::Error), no_output),
        (Trouble(Place::OutputReceived, How::Panic), panicked),
    ]
}

#[test]
fn whatever_goes_wrong_costs_one_call_and_never_the_pool() {
    let _watch = Watch::start();
    let pool = pool(2);
    for (trouble, is_right) in troubles() {
        let error = outcome(pool.submit(echo, trouble)).unwrap_err();
        assert!(is_right(&error), "{trouble:?}: {error}");
        assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42, "after {trouble:?}");
    }
}

#[test]
fn whatever_goes_wrong_may_be_submitted_where_another_call_ends() {
    let _watch = Watch::start();
    let pool = pool(2);
    for (trouble, is_right) in troubles() {
        let gate = Gate::new();
        let (clone, held) = (pool.clone(), pool.submit(wait_at, gate.path()));
        let given = go_on(async move {
            held.await.unwrap();
            clone.submit(echo, trouble).await
        });
        gate.open();
        let error = given.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert!(is_right(&error), "{trouble:?}: {error}");
    }
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
}

#[test]
fn a_listener_that_panics_costs_nothing() {
    let _watch = Watch::start();
    let pool = builder(2).on_event(|event| panic!("over {event:?}")).start().unwrap();
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
    assert!(matches!(outcome(pool.submit(crash, ())), Err(CallError::Died { .. })));
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
}

#[test]
fn a_worker_that_is_killed_while_the_pool_grows_costs_its_call() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(1), Gate::new());
    let call = pool.submit(wait_at, gate.path());
    let arrival = gate.arrival();
    pool.resize(2).unwrap();
    kill(arrival.pid(), Signal::KILL);
    let error = outcome(call).unwrap_err();
    assert!(matches!(error, CallError::Died { exit: Exit::Signal(9), .. }), "{error}");
    let calls = [(); 2].map(|()| pool.submit(wait_at, gate.path()));
    drop(gate.arrivals(2));
    assert!(calls.into_iter().all(|call| outcome(call).is_ok()));
}

#[test]
fn workers_that_kill_each_other_cost_at_most_their_calls() {
    let watch = Watch::start();
    for workers in [1, 2, 5, 13] {
        let pool = pool(workers);
        let victims = pids(&pool);
        assert_eq!(victims.len(), workers);
        watch.now("each kills another");
        let calls: Vec<_> = victims.into_iter().rev().map(|victim| pool.submit(kill_other, victim)).collect();
        for call in calls {
            assert!(matches!(outcome(call), Ok(()) | Err(CallError::Died { exit: Exit::Signal(9), .. })));
        }
        watch.now("all go on");
        let outputs: Vec<_> = pool.map(double, 0..2 * workers as u64).collect::<Result<_, _>>().unwrap();
        assert_eq!(outputs.len(), 2 * workers);
    }
}

#[test]
fn inputs_that_panic_are_told_to_whoever_asked_for_them() {
    let watch = Watch::start();
    let pool = pool(2);
    for (when, window) in [(3, 1), (7, 2), (7, 4)] {
        let inputs = (0..20).inspect(|&input| assert!(input != when, "Somebody said when"));
        let mut map = pool.map(double, inputs).window(window);
        watch.now("the inputs panic");
        let caught = catch_unwind(AssertUnwindSafe(|| map.by_ref().map(Result::unwrap).collect::<Vec<_>>()));
        assert!(caught.unwrap_err().downcast_ref::<&str>().is_some_and(|said| *said == "Somebody said when"));
        drop(map);
        assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
    }
}

#[test]
fn a_hundred_inputs_that_fail_hold_up_nothing() {
    let _watch = Watch::start();
    let pool = pool(1);
    let failing: Vec<_> = (0..100).map(|_| pool.submit(echo, Trouble(Place::InputSent, How::Error))).collect();
    let good: Vec<_> = (0..100).map(|number| pool.submit(double, number)).collect();
    assert!(failing.into_iter().all(|call| matches!(outcome(call), Err(CallError::NotCrossed { .. }))));
    assert!(good.into_iter().enumerate().all(|(number, call)| outcome(call).unwrap() == 2 * number as u64));
}

// test_reusable_executor.py: TestTerminateExecutor

#[test]
fn shutdown_now_ends_long_calls_after_short_ones() {
    let watch = Watch::start();
    let (pool, gate) = (pool(5), Gate::new());
    let short: Vec<_> = (0..100).map(|number| pool.submit(double, number)).collect();
    let long: Vec<_> = (0..100).map(|_| pool.submit(wait_at, gate.path())).collect();
    for (number, call) in short.into_iter().enumerate() {
        assert_eq!(outcome(call).unwrap(), 2 * number as u64);
    }
    let arrivals = gate.arrivals(5);
    watch.now("it shuts down");
    pool.shutdown(Duration::ZERO);
    assert!(long.into_iter().all(|call| matches!(outcome(call), Err(CallError::Closed))));
    arrivals.iter().for_each(Arrival::wait_gone);
}

#[test]
fn a_shutdown_while_one_worker_kills_another_returns() {
    let watch = Watch::start();
    for _ in 0..5 {
        let pool = pool(2);
        pool.submit(kill_other, pids(&pool)[0]).detach();
        watch.now("it shuts down");
        pool.shutdown(GRACE);
    }
}

#[test]
fn a_pool_in_the_place_of_another_ends_its_calls() {
    let _watch = Watch::start();
    let gate = Gate::new();
    let mut kept = pool(2);
    let call = kept.submit(wait_at, gate.path());
    let arrival = gate.arrival();
    kept = builder(0..=2).idle_timeout(Duration::from_secs(5)).start().unwrap();
    assert!(matches!(outcome(call), Err(CallError::Closed)));
    arrival.wait_gone();
    assert_eq!(outcome(kept.submit(double, 21)).unwrap(), 42);
}

#[test]
fn a_worker_that_ends_after_its_answer_costs_nothing() {
    let _watch = Watch::start();
    let pool = pool(1);
    for round in 0..20 {
        let how = if round % 2 == 0 { How::Crash } else { How::Exit };
        assert_eq!(outcome(pool.submit(AnswerAndEnd, Trouble(Place::Computed, how))).unwrap(), 42);
        assert_eq!(outcome(pool.submit(double, round)).unwrap(), 2 * round);
    }
}

#[test]
fn a_killed_program_leaves_no_worker() {
    let _watch = Watch::start();
    if let Some(gate) = given() {
        let pool = pool(3);
        outcome(pool.submit(linger, gate.clone())).unwrap();
        let _calls = [(); 2].map(|()| pool.submit(wait_at, gate.clone()));
        return thread::sleep(PATIENCE);
    }
    let gate = Gate::new();
    let mut program = program("a_killed_program_leaves_no_worker", &gate.path()).spawn().unwrap();
    // One whose call is over, and two that run.
    let arrivals = gate.arrivals(3);
    program.kill().unwrap();
    program.wait().unwrap();
    arrivals.iter().for_each(Arrival::wait_gone);
}

// test_reusable_executor.py: TestResizeExecutor

#[test]
fn a_resized_pool_keeps_the_workers_that_it_may() {
    let _watch = Watch::start();
    let (pool, gate) = (pool(2), Gate::new());
    let call = pool.submit(wait_at, gate.path());
    let arrival = gate.arrival();
    pool.resize(1).unwrap();
    within(PATIENCE, || (pids(&pool) == [arrival.pid()]).then_some(()));
    let kept = arrival.pid();
    arrival.go();
    assert_eq!(outcome(call).unwrap(), kept);
    pool.resize(1).unwrap();
    assert_eq!(outcome(pool.submit(own_pid, ())).unwrap(), kept);
    pool.resize(2).unwrap();
    within(PATIENCE, || (pids(&pool).len() == 2).then_some(()));
    assert!(pids(&pool).contains(&kept));
}

#[test]
fn a_pool_may_be_resized_many_times() {
    let watch = Watch::start();
    for grace in [GRACE, Duration::ZERO] {
        let events = Events::default();
        let pool = builder(1).on_event(events.listener()).start().unwrap();
        for size in [12, 2, 1, 12, 6, 1, 8, 5] {
            watch.now("it resizes");
            pool.resize(size).unwrap();
            (0..6).for_each(|number| pool.submit(double, number).detach());
        }
        watch.now("it shuts down");
        pool.shutdown(grace);
        let done = events.count(|event| matches!(event, Event::CallFinished { failure: None, .. }));
        assert!(done == 48 || grace.is_zero(), "{done} calls were done");
    }
}

#[test]
fn a_worker_that_is_killed_while_the_pool_shrinks_costs_nothing_else() {
    let _watch = Watch::start();
    for _ in 0..5 {
        let pool = pool(2);
        let killer = pool.submit(kill_other, pids(&pool)[0]);
        pool.resize(1).unwrap();
        assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
        assert!(matches!(outcome(killer), Ok(()) | Err(CallError::Died { .. })));
        pool.shutdown(GRACE);
    }
}

#[test]
fn a_pool_may_be_resized_after_its_workers_have_ended() {
    let _watch = Watch::start();
    let pool = builder(0..=2).idle_timeout(Duration::from_millis(1)).start().unwrap();
    for most in [8, 2, 1] {
        assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
        within(PATIENCE, || pool.status().workers.is_empty().then_some(()));
        pool.resize(0..=most).unwrap();
    }
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
}

// test_reusable_executor.py: TestGetReusableExecutor and what follows

#[test]
fn a_pool_cannot_be_resized_to_no_workers() {
    let _watch = Watch::start();
    let pool = pool(1);
    assert!(matches!(pool.resize(0), Err(StartError::Settings(_))));
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
}

#[test]
fn threads_may_resize_the_pool_that_others_use() {
    let watch = Watch::start();
    for (varies, breaks) in [(false, false), (false, true), (true, false), (true, true)] {
        let pool = pool(2);
        assert!(!breaks || outcome(pool.submit(crash, ())).is_err());
        watch.now("ten threads use and resize it");
        thread::scope(|scope| {
            for thread in 0..10 {
                let pool = &pool;
                scope.spawn(move || {
                    pool.resize(if varies { 1 + thread % 4 } else { 2 }).unwrap();
                    for _ in 0..5 {
                        let squares: Vec<_> = pool.map(square, 0..10).collect::<Result<_, _>>().unwrap();
                        assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
                    }
                });
            }
        });
    }
}

#[test]
fn a_call_is_taken_before_a_shutdown_or_refused_after_it() {
    let watch = Watch::start();
    for _ in 0..10 {
        let pool = pool(1);
        let submitted = thread::scope(|scope| {
            let (begun, begins) = mpsc::channel();
            let submits = scope.spawn(|| {
                let begun = begun;
                let submit = |number| {
                    let call = pool.submit(double, number);
                    let _shut_down = begun.send(());
                    call
                };
                (0..100).map(submit).collect::<Vec<_>>()
            });
            begins.recv_timeout(PATIENCE).unwrap();
            watch.now("it shuts down");
            pool.shutdown(GRACE);
            submits.join().unwrap()
        });
        let outcomes: Vec<_> = submitted.into_iter().map(outcome).collect();
        let taken = outcomes.iter().take_while(|outcome| outcome.is_ok()).count();
        assert!(taken > 0);
        assert!(outcomes[taken..].iter().all(|outcome| matches!(outcome, Err(CallError::Closed))), "{outcomes:?}");
    }
}

#[test]
fn pools_of_different_environments_do_not_mix() {
    let _watch = Watch::start();
    thread::scope(|scope| {
        for thread in 0..5 {
            scope.spawn(move || {
                for round in 0..2 {
                    let value = format!("{thread}-{round}");
                    let pool = builder(1).env("SUITE_SET", &value).start().unwrap();
                    assert_eq!(outcome(pool.submit(variable, "SUITE_SET".into())).unwrap(), Some(value));
                }
            });
        }
    });
}

#[test]
fn a_program_that_a_call_starts_reads_an_empty_standard_input() {
    let _watch = Watch::start();
    assert_eq!(outcome(pool(1).submit(read_stdin, ())).unwrap(), (String::new(), true));
}

#[test]
fn the_last_words_of_a_crashed_worker_are_told() {
    let _watch = Watch::start();
    let error = outcome(pool(1).submit(say_and_crash, "thread 5 had no more room".into())).unwrap_err();
    match &error {
        CallError::Died { exit: Exit::Signal(11), stderr, .. } => assert_eq!(stderr, "thread 5 had no more room"),
        error => panic!("{error}"),
    }
}

#[test]
fn more_workers_than_cpus_run_at_once() {
    let _watch = Watch::start();
    for workers in [4, 10] {
        let (pool, gate) = (pool(workers), Gate::new());
        let calls: Vec<_> = (0..workers).map(|_| pool.submit(wait_at, gate.path())).collect();
        let arrivals = gate.arrivals(workers);
        assert_eq!(arrivals.iter().map(Arrival::pid).collect::<BTreeSet<_>>().len(), workers);
        drop(arrivals);
        assert!(calls.into_iter().all(|call| outcome(call).is_ok()));
    }
}

#[test]
fn each_pool_has_its_initialiser_also_in_a_worker_that_replaces_another() {
    let _watch = Watch::start();
    let pools = ["done", "42"].map(|said| (said, builder(1).env("SUITE_INIT", said).start().unwrap()));
    for (said, pool) in &pools {
        let (first, worker) = outcome(pool.submit(WhatIsInitialised, ())).unwrap();
        assert!(outcome(pool.submit(exit, 0)).is_err());
        let (second, other) = outcome(pool.submit(WhatIsInitialised, ())).unwrap();
        assert_eq!([&first, &second], [said; 2]);
        assert_ne!(worker, other);
    }
}

#[test]
fn a_pool_may_have_more_workers_than_windows_can() {
    let _watch = Watch::start();
    let pool = pool(62);
    assert_eq!(pids(&pool).len(), 62);
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
    pool.resize(61).unwrap();
    within(PATIENCE, || (pids(&pool).len() == 61).then_some(()));
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
}

// test_worker_timeout.py

#[test]
fn inputs_that_are_slow_to_send_outlast_the_rest_of_workers() {
    let watch = Watch::start();
    for rest in [1, 10, 40] {
        let pool = builder(0..=2).idle_timeout(Duration::from_millis(rest)).start().unwrap();
        watch.now("it runs five calls");
        let outputs: Vec<_> = pool.map(take_slow, (0..5).map(Slow)).collect::<Result<_, _>>().unwrap();
        assert_eq!(outputs, [0, 1, 2, 3, 4]);
    }
}

#[test]
fn a_shutdown_while_an_input_is_slowly_sent_waits_for_it() {
    let watch = Watch::start();
    let pool = builder(0..=2).idle_timeout(Duration::from_millis(1)).start().unwrap();
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
    let call = pool.submit(take_slow, Slow(42));
    watch.now("it shuts down");
    pool.shutdown(GRACE);
    assert_eq!(outcome(call).unwrap(), 42);
}

// test_loky_backend.py, test_loky_module.py

#[test]
fn a_worker_that_ends_between_calls_is_replaced() {
    let _watch = Watch::start();
    let (gate, events) = (Gate::new(), Events::default());
    let pool = builder(1).on_event(events.listener()).start().unwrap();
    let worker = pids(&pool)[0];
    outcome(pool.submit(end_soon, gate.path())).unwrap();
    gate.arrival().go();
    within(PATIENCE, || {
        (events.count(|event| matches!(event, Event::WorkerEnded { pid, .. } if *pid == worker)) == 1).then_some(())
    });
    assert_eq!(events.count(|event| matches!(event, Event::WorkerEnded { why, .. } if why.contains("SIGTERM"))), 1);
    assert_ne!(outcome(pool.submit(own_pid, ())).unwrap(), worker);
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_has_no_descriptor_of_its_parent() {
    use std::os::fd::AsRawFd;

    let _watch = Watch::start();
    let file = fs::File::open("/dev/null").unwrap();
    let high = rustix::io::fcntl_dupfd_cloexec(&file, 300).unwrap();
    rustix::io::fcntl_setfd(&high, rustix::io::FdFlags::empty()).unwrap();
    let pool = pool(1);
    assert!(!outcome(pool.submit(is_open, high.as_raw_fd())).unwrap());
    assert!(outcome(pool.submit(is_open, 2)).unwrap());
}

#[test]
fn a_cancelled_call_ends_all_processes_that_came_of_it() {
    let _watch = Watch::start();
    const NAME: &str = "a_cancelled_call_ends_all_processes_that_came_of_it";
    if let Some(given) = given() {
        let (depth, gate) = given.split_once(' ').unwrap();
        let (depth, gate) = (depth.parse::<u32>().unwrap(), gate.to_owned());
        let next = format!("{} {gate}", depth.saturating_sub(1));
        thread::spawn(move || pass(&gate, "program"));
        if depth > 0 {
            start_and_wait(NAME, &next);
        }
        return thread::sleep(PATIENCE);
    }
    let (pool, gate) = (pool(1), Gate::new());
    let call = pool.submit(start_program, (NAME.into(), format!("2 {}", gate.path())));
    let started = gate.arrivals(3);
    call.cancel();
    started.iter().for_each(Arrival::wait_gone);
    assert!(matches!(outcome(call), Err(CallError::Cancelled)));
    assert_eq!(outcome(pool.submit(double, 21)).unwrap(), 42);
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_on_one_cpu_has_one_worker_by_default() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let _watch = Watch::start();
    if given().is_none() {
        let (status, said) = ended(program("a_program_on_one_cpu_has_one_worker_by_default", "").spawn().unwrap());
        assert!(status.success(), "{said}");
        return;
    }
    let may = sched_getaffinity(None).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|&cpu| may.is_set(cpu)).unwrap());
    sched_setaffinity(None, &one).unwrap();
    let (pool, gate) = (Pool::builder().start().unwrap(), Gate::new());
    let _calls: Vec<_> = (0..4).map(|_| pool.submit(wait_at, gate.path())).collect();
    let _first = gate.arrival();
    let status = pool.status();
    assert_eq!((status.workers.len(), status.queued), (1, 3));
}
