//! What the documentation promises, in plain tests with nothing in any `main`.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::process;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use fanout_pool::{Bytes, CallError, CallOptions, Crossing, Event, Here, Json, Pool, Raw, Shared, StartError, Task};
use serde::{Deserialize, Serialize};

mod common;
use common::within;

fn double(number: u64) -> u64 {
    2 * number
}
/// Called as what `register!` might call something of its own.
fn add((one, other): (u64, u64)) -> u64 {
    one + other
}

fn pid() -> u32 {
    process::id()
}
fn sleep(millis: u64) -> u64 {
    thread::sleep(Duration::from_millis(millis));
    millis
}
fn abort() {
    process::abort()
}
fn panics(text: String) {
    panic!("{text}")
}
fn at(numbers: &[f64], index: usize) -> f64 {
    numbers[index]
}
fn sum(numbers: &[u8], _: ()) -> u64 {
    numbers.iter().map(|&number| u64::from(number)).sum()
}
fn length(texts: &Texts, index: usize) -> usize {
    texts.0[index].len()
}
fn variable(name: String) -> Option<String> {
    std::env::var(name).ok()
}
fn folder() -> String {
    std::env::current_dir().unwrap_or_default().display().to_string()
}
fn status(field: String) -> String {
    common::status("self", &field).unwrap_or_default()
}
fn allocate(bytes: usize) -> usize {
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(bytes).map_or(0, |()| bytes)
}
fn keep(bytes: usize) -> usize {
    Box::leak(vec![1_u8; bytes].into_boxed_slice()).len()
}
fn print(text: String) {
    eprintln!("{text}");
    println!("{text} too");
}
fn halves(values: Raw<f64>) -> Raw<f64> {
    Raw(values.0.iter().map(|value| value / 2.0).collect())
}
fn reversed(bytes: Bytes) -> Bytes {
    Bytes(bytes.0.into_iter().rev().collect())
}
fn json(value: Json<Flat>) -> Json<Flat> {
    value
}
fn by_postcard(value: Flat) -> Flat {
    value
}

/// What postcard refuses, since it does not know how long it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, u32>,
}

/// What each worker makes its own of.
#[derive(Serialize, Deserialize)]
struct Texts(Vec<String>);

/// How often this worker was asked, and how often this call was tried.
struct Counted;

impl Task for Counted {
    type Shared = ();
    type Input = ();
    type Output = (u32, u32);

    fn call(_: &(), (): (), here: &mut Here) -> (u32, u32) {
        let count: &mut u32 = here.state(|| 0);
        *count += 1;
        (*count, here.attempt())
    }
}

/// Dies until it was tried so often.
struct Stubborn;

impl Task for Stubborn {
    type Shared = ();
    type Input = u32;
    type Output = u32;

    fn call(_: &(), tries: u32, here: &mut Here) -> u32 {
        if here.attempt() < tries {
            process::abort();
        }
        here.attempt()
    }
}

/// An output that has more bytes than it may.
struct Long;

impl Task for Long {
    type Shared = ();
    type Input = u64;
    type Output = Bytes;

    fn call(_: &(), bytes: u64, _: &mut Here) -> Bytes {
        Bytes(vec![0; bytes as usize])
    }

    fn limit(_: &u64) -> u64 {
        1_000
    }
}

/// In no list.
struct Unknown;

impl Task for Unknown {
    type Shared = ();
    type Input = ();
    type Output = ();

    fn call(_: &(), (): (), _: &mut Here) {}
}

fanout_pool::register!(
    add,
    double,
    touch,
    pid,
    sleep,
    abort,
    panics,
    at,
    sum,
    length,
    variable,
    folder,
    status,
    allocate,
    keep,
    print,
    halves,
    reversed,
    json,
    by_postcard,
    Counted,
    Stubborn,
    Long
);

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).quiet(true).start().expect("a pool")
}

#[test]
fn a_call_is_submitted_and_waited_for_from_many_threads() {
    let pool = pool(2);
    let all: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u64)
            .map(|thread| {
                let pool = pool.clone();
                scope.spawn(move || {
                    let handles: Vec<_> = (0..50).map(|number| pool.submit(double, 50 * thread + number)).collect();
                    handles.into_iter().map(|handle| handle.wait().unwrap()).sum::<u64>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(pool.submit(add, (1, 2)).wait().unwrap(), 3);
    assert_eq!(all, (0..400_u64).map(|number| 2 * number).sum::<u64>());
}

#[test]
fn each_failure_is_one_calls_and_the_pool_goes_on() {
    let pool = pool(2);
    let died = pool.submit(abort, ()).wait().unwrap_err();
    assert!(matches!(died, CallError::Died { .. }), "{died}");
    let panicked = pool.submit(panics, String::from("why not")).wait().unwrap_err();
    assert_eq!(panicked.to_string(), "panicked: why not");
    let soon = CallOptions::new().deadline(Duration::from_millis(50));
    let late = pool.submit_with(sleep, &Shared::nothing(), 60_000, soon).wait().unwrap_err();
    assert!(matches!(late, CallError::TimedOut { .. }), "{late}");
    let long = pool.submit(Long, 1_001).wait().unwrap_err();
    assert_eq!(long.to_string(), "its output could not cross: it has 1001 bytes where its limit allows 1000");
    assert_eq!(pool.submit(Long, 1_000).wait().unwrap().0.len(), 1_000);
    let unknown = pool.submit(Unknown, ()).wait().unwrap_err();
    assert!(unknown.to_string().contains("give it to `register!`"), "{unknown}");
    assert_eq!(pool.submit(double, 1).wait().unwrap(), 2);
}

#[test]
fn a_call_is_tried_again_if_it_may_and_knows_it() {
    let pool = pool(1);
    let tried = |retries| {
        let options = CallOptions::new().retries(retries);
        pool.submit_with(Stubborn, &Shared::nothing(), 2, options).wait()
    };
    assert!(matches!(tried(1), Err(CallError::Died { .. })));
    assert_eq!(tried(2).unwrap(), 2);
}

#[test]
fn what_is_cancelled_ends_and_costs_no_other() {
    let pool = pool(1);
    let running = pool.submit(sleep, 600_000);
    let runs = || pool.status().workers.iter().any(|worker| worker.running.is_some()).then_some(());
    within("it runs", runs);
    let [queued, dropped, last] = [1, 2, 3].map(|number| pool.submit(double, number));
    queued.cancel();
    assert!(matches!(queued.wait(), Err(CallError::Cancelled)));
    drop(dropped);
    assert_eq!(pool.status().queued, 1);
    running.cancel();
    assert!(matches!(running.wait(), Err(CallError::Cancelled)));
    assert_eq!(last.wait().unwrap(), 6);
}

#[test]
fn a_running_call_ends_with_its_handle_and_goes_on_when_that_is_detached() {
    let events: Arc<Mutex<Vec<Event>>> = Arc::default();
    let log = Arc::clone(&events);
    let pool = Pool::builder().workers(1).on_event(move |event| log.lock().unwrap().push(event)).start().unwrap();
    pool.submit(double, 1).detach();
    drop(pool.submit(sleep, 600_000));
    let handle = pool.submit(sleep, 600_000);
    // It, and not one of those before it.
    let runs =
        || pool.status().workers.iter().any(|worker| worker.running.as_ref().is_some_and(|it| it.call == handle.id()));
    within("it runs", || runs().then_some(()));
    drop(handle);
    assert_eq!(pool.submit(double, 2).wait().unwrap(), 4);
    let finished = || {
        let events = events.lock().unwrap();
        let told = events.iter().filter_map(|event| match event {
            Event::CallFinished { task, failure, .. } => Some((*task, failure.clone())),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    let finished = finished();
    assert!(finished[0].0.ends_with("double") && finished[0].1.is_none(), "{finished:?}");
    assert!(finished.contains(&("pool::sleep", Some(String::from("was cancelled")))), "{finished:?}");
}

#[test]
fn an_outcome_is_waited_for_with_a_limit_and_given_out_once() {
    let pool = pool(1);
    let mut slow = pool.submit(sleep, 600_000);
    assert!(slow.wait_for(Duration::from_millis(10)).is_none() && !slow.is_done());
    drop(slow);
    let mut quick = pool.submit(double, 4);
    assert_eq!(quick.wait_for(Duration::from_secs(60)).unwrap().unwrap(), 8);
    assert!(matches!(quick.wait_for(Duration::ZERO), Some(Err(CallError::Taken))));
    assert!(matches!(quick.wait(), Err(CallError::Taken)));
}

/// Wakes the thread that it was made on.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn a_handle_is_a_future_on_any_runtime() {
    let pool = pool(1);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut handle = pool.submit(sleep, 20);
    let outcome = loop {
        match Pin::new(&mut handle).poll(&mut context) {
            Poll::Ready(outcome) => break outcome,
            Poll::Pending => thread::park(),
        }
    };
    assert_eq!(outcome.unwrap(), 20);
    assert!(matches!(Pin::new(&mut handle).poll(&mut context), Poll::Ready(Err(CallError::Taken))));
}

#[test]
fn calls_of_a_higher_priority_are_taken_first() {
    let order: Arc<Mutex<Vec<u64>>> = Arc::default();
    let log = Arc::clone(&order);
    let pool = Pool::builder().workers(1).on_event(move |event| {
        if let Event::CallStarted { call, .. } = event {
            log.lock().unwrap().push(call.to_string().parse().unwrap());
        }
    });
    let pool = pool.start().unwrap();
    let first = pool.submit(sleep, 100);
    within("it runs", || pool.status().workers.iter().any(|worker| worker.running.is_some()).then_some(()));
    let submit = |priority| pool.submit_with(double, &Shared::nothing(), 1, CallOptions::new().priority(priority));
    let handles = [submit(0), submit(-1), submit(5), submit(5)];
    first.wait().unwrap();
    handles.into_iter().for_each(|handle| assert_eq!(handle.wait().unwrap(), 2));
    assert_eq!(*order.lock().unwrap(), [1, 4, 5, 2, 3]);
}

#[test]
fn a_map_gives_outcomes_in_order_and_pulls_no_more_than_its_window() {
    let pool = pool(2);
    let pulled = std::cell::Cell::new(0_u64);
    let inputs = (0..1_000).inspect(|_| pulled.set(pulled.get() + 1));
    for (index, outcome) in pool.map(double, inputs).window(10).enumerate() {
        assert_eq!(outcome.unwrap(), 2 * index as u64);
        assert!(pulled.get() <= index as u64 + 10, "{} were pulled when {index} was given out", pulled.get());
    }
    assert_eq!(pulled.get(), 1_000);
    let indices = pool.map(double, 0..500).unordered().map(|(index, outcome)| {
        assert_eq!(outcome.unwrap(), 2 * index as u64);
        index
    });
    let indices: BTreeSet<_> = indices.collect();
    assert_eq!(indices.len(), 500);
}

#[test]
fn a_map_ends_with_its_first_failure_or_gives_all() {
    let pool = pool(2);
    let inputs = || ["one", "two", "three"].map(String::from);
    let first: Result<Vec<()>, CallError> = pool.map(panics, inputs()).collect();
    assert_eq!(first.unwrap_err().to_string(), "panicked: one");
    let all: Vec<_> = pool.map(panics, inputs()).collect();
    assert_eq!(all.iter().filter(|outcome| outcome.is_err()).count(), 3);
    let none: Vec<_> = pool.map(double, 0..10).window(0).collect();
    let [Err(error)] = none.as_slice() else { panic!("{none:?}") };
    assert!(error.to_string().contains("give it at least 1"), "{error}");
}

/// A pool of one worker that sleeps: all of them wait.
#[test]
fn a_million_handles_can_be_alive() {
    let pool = pool(1);
    let before = common::kilobytes("self", "VmRSS");
    let _busy = pool.submit(sleep, 600_000);
    let handles: Vec<_> = (0..1_000_000).map(|number| pool.submit(double, number)).collect();
    let each = 1024 * (common::kilobytes("self", "VmRSS") - before) / 1_000_000;
    assert!(each < 1_000, "{each} bytes each");
    drop(pool);
    assert!(handles.into_iter().all(|handle| matches!(handle.wait(), Err(CallError::Closed))));
}

#[test]
fn whatever_crosses_is_the_same_on_the_other_side() {
    let pool = pool(1);
    let values = vec![f64::MIN_POSITIVE, -0.0, 1e300];
    let halves = pool.submit(halves, Raw(values.clone())).wait().unwrap().0;
    assert!(halves.iter().zip(&values).all(|(half, value)| half.to_bits() == (value / 2.0).to_bits()));
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| i as u8).collect();
    let reversed = pool.submit(reversed, Bytes(bytes.clone())).wait().unwrap().0;
    assert!(reversed.iter().rev().eq(&bytes));
    let flat = Flat { name: String::from("a"), rest: [(String::from("b"), 3)].into() };
    assert_eq!(pool.submit(json, Json(flat.clone())).wait().unwrap().0, flat);
    let refused = pool.submit(by_postcard, flat).wait().unwrap_err();
    assert!(matches!(refused, CallError::NotCrossed { value: Crossing::Input, .. }), "{refused}");
}

#[test]
fn a_shared_value_is_sent_once_and_forgotten_with_its_last_clone() {
    let pool = pool(1);
    let texts: Vec<String> = (0..100_000).map(|length| "x".repeat(length % 7)).collect();
    let shared = Shared::new(&Texts(texts)).unwrap();
    let call = |index| pool.submit_with(length, &shared, index, CallOptions::new()).wait().unwrap();
    assert_eq!((0..10).map(call).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 0, 1, 2]);
    let held = || pool.submit(status, "VmRSS".into()).wait().unwrap().trim_end_matches(" kB").parse::<u64>().unwrap();
    let before = held();
    drop(shared);
    within("the worker has let it go", || (held() < before - 2_000).then_some(()));
}

/// Kills whoever makes it of its bytes.
#[derive(Serialize)]
struct Deadly(u8);

impl<'de> Deserialize<'de> for Deadly {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        process::abort()
    }
}

fn touch(_: &Deadly, _: ()) {}

#[test]
fn a_shared_value_that_kills_workers_costs_the_calls_that_use_it_alone() {
    let pool = pool(1);
    let shared = Shared::new(&Deadly(1)).unwrap();
    let touched = || pool.submit_with(touch, &shared, (), CallOptions::new());
    let (first, second) = (touched(), touched());
    let others: Vec<_> = (0..20).map(|number| pool.submit(double, number)).collect();
    assert!(matches!(first.wait(), Err(CallError::NotStarted(_))));
    assert!(matches!(second.wait(), Err(CallError::Refused { .. })));
    assert!(others.into_iter().all(|other| other.wait().is_ok()));
}

/// Memory that workers share is counted once for each of them by what is resident, and in parts by what is theirs.
#[test]
#[cfg(target_os = "linux")]
fn shared_numbers_are_in_memory_once() {
    const BYTES: usize = 100 << 20;
    let pool = pool(2);
    let shared = Shared::<[u8]>::new(&vec![1; BYTES]).unwrap();
    let calls: Vec<_> = (0..2).map(|_| pool.submit_with(sum, &shared, (), CallOptions::new())).collect();
    for call in calls {
        assert_eq!(call.wait().unwrap(), BYTES as u64);
    }
    let held = |kind: &str| -> u64 {
        let pids = pool.status().workers.into_iter().filter_map(|worker| worker.pid);
        pids.map(|pid| common::kilobytes(&pid.to_string(), kind)).sum()
    };
    assert!(held("RssShmem") >= BYTES as u64 / 1024, "nobody has mapped it, so this measures nothing");
    assert!(held("RssAnon") < 20 << 10, "{} kB", held("RssAnon"));
    drop(shared);
    within("the workers have let it go", || (held("RssShmem") < 1 << 10).then_some(()));
}

#[test]
fn workers_start_when_there_are_calls_and_end_when_there_are_none() {
    let pool = Pool::builder().workers(0..=3).idle_timeout(Duration::from_millis(100)).start().unwrap();
    assert!(pool.status().workers.is_empty());
    let handles: Vec<_> = (0..6).map(|_| pool.submit(sleep, 50)).collect();
    assert_eq!(pool.status().workers.len(), 3);
    handles.into_iter().for_each(|handle| assert_eq!(handle.wait().unwrap(), 50));
    within("they end", || pool.status().workers.is_empty().then_some(()));
    assert_eq!(pool.submit(double, 3).wait().unwrap(), 6);
}

#[test]
fn a_worker_is_replaced_after_so_many_calls_and_above_so_much_memory() {
    let pool = Pool::builder().workers(1).max_calls(3).start().unwrap();
    let pids: Vec<u32> = (0..9).map(|_| pool.submit(pid, ()).wait().unwrap()).collect();
    assert!(pids.chunks(3).all(|three| three.iter().all(|pid| *pid == three[0])), "{pids:?}");
    assert_eq!(pids.into_iter().collect::<BTreeSet<_>>().len(), 3);

    let pool = Pool::builder().workers(1).max_resident(50 << 20).start().unwrap();
    let first = pool.submit(pid, ()).wait().unwrap();
    pool.submit(keep, 1 << 20).wait().unwrap();
    assert_eq!(pool.submit(pid, ()).wait().unwrap(), first);
    pool.submit(keep, 60 << 20).wait().unwrap();
    assert_ne!(pool.submit(pid, ()).wait().unwrap(), first);
}

#[test]
fn a_pool_is_resized_while_it_runs() {
    let pool = pool(1);
    let workers = || pool.status().workers.iter().filter(|worker| worker.pid.is_some()).count();
    pool.resize(3).unwrap();
    within("three are there", || (workers() == 3).then_some(()));
    let running = pool.submit(sleep, 200);
    pool.resize(1).unwrap();
    assert_eq!(running.wait().unwrap(), 200);
    within("one is there", || (workers() == 1).then_some(()));
    for wrong in [0..=0, std::ops::RangeInclusive::new(3, 2)] {
        let error = pool.resize(wrong).unwrap_err();
        assert!(matches!(error, StartError::Settings(_)), "{error}");
    }
}

#[test]
fn a_shutdown_lets_calls_be_done_and_takes_no_more() {
    let pool = pool(1);
    let handles: Vec<_> = (0..5).map(|_| pool.submit(sleep, 20)).collect();
    pool.clone().shutdown(Duration::from_secs(60));
    assert!(handles.into_iter().all(|handle| handle.wait().is_ok()));
    assert!(pool.status().workers.is_empty());
    assert!(matches!(pool.submit(double, 1).wait(), Err(CallError::Closed)));
}

#[test]
fn a_shutdown_ends_what_is_not_done_in_time() {
    let pool = pool(1);
    let [running, queued] = [(); 2].map(|()| pool.submit(sleep, 600_000));
    let start = Instant::now();
    pool.shutdown(Duration::from_millis(50));
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(matches!(running.wait(), Err(CallError::Closed)));
    assert!(matches!(queued.wait(), Err(CallError::Closed)));
}

#[test]
fn a_pool_is_dropped_while_others_submit() {
    let pool = pool(2);
    let (tell, told) = mpsc::channel();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (pool, tell) = (pool.clone(), tell.clone());
            thread::spawn(move || {
                for number in 0.. {
                    let outcome = pool.submit(double, number).wait();
                    if number == 10 {
                        tell.send(()).unwrap();
                    }
                    match outcome {
                        Ok(double) => assert_eq!(double, 2 * number),
                        Err(CallError::Closed) => return,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    (0..4).for_each(|_| told.recv().unwrap());
    pool.shutdown(Duration::ZERO);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn each_worker_keeps_a_state_of_its_own() {
    let pool = pool(1);
    let counts: Vec<_> = (0..3).map(|_| pool.submit(Counted, ()).wait().unwrap()).collect();
    assert_eq!(counts, [(1, 0), (2, 0), (3, 0)]);
}

#[test]
#[cfg(target_os = "linux")]
fn workers_have_the_environment_folder_and_limits_that_they_are_given() {
    let cpu: usize =
        common::status("self", "Cpus_allowed_list").unwrap().split([',', '-']).next().unwrap().parse().unwrap();
    let builder = Pool::builder().workers(1).env("FANOUT_POOL_TEST", "set").env_remove("PATH").current_dir("/");
    let pool = builder.cpus([cpu]).nice(3).limit_address_space(2 << 30).start().unwrap();
    assert_eq!(pool.submit(variable, "FANOUT_POOL_TEST".into()).wait().unwrap().as_deref(), Some("set"));
    assert_eq!(pool.submit(variable, "PATH".into()).wait().unwrap(), None);
    assert_eq!(pool.submit(folder, ()).wait().unwrap(), "/");
    assert_eq!(pool.submit(status, "Cpus_allowed_list".into()).wait().unwrap(), cpu.to_string());
    assert_eq!(pool.submit(allocate, 1 << 20).wait().unwrap(), 1 << 20);
    assert_eq!(pool.submit(allocate, 3 << 30).wait().unwrap(), 0);
    let pid = pool.submit(pid, ()).wait().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert_eq!(stat.rsplit(')').next().unwrap().split_whitespace().nth(16), Some("3"), "{stat}");
    let nowhere = Pool::builder().workers(1).current_dir("/nowhere").start().unwrap_err();
    assert!(nowhere.to_string().contains("/nowhere"), "{nowhere}");
    let none = Pool::builder().workers(1).cpus([4_000]).start().unwrap_err();
    assert!(none.to_string().contains("CPUs [4000]"), "{none}");
    assert!(matches!(Pool::builder().max_calls(0).start(), Err(StartError::Settings(_))));
}

#[test]
fn what_workers_print_is_told_by_line_with_its_call() {
    let lines: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
    let log = Arc::clone(&lines);
    let pool = Pool::builder().workers(1).quiet(true).on_event(move |event| {
        if let Event::Line { line, call, .. } = event {
            log.lock().unwrap().push((line, call.is_some()));
        }
    });
    let pool = pool.start().unwrap();
    pool.submit(print, String::from("one\ntwo")).wait().unwrap();
    drop(pool);
    let told = lines.lock().unwrap().clone();
    let expected = ["one", "two", "one", "two too"].map(|line| (String::from(line), true));
    assert_eq!(told, expected);
}

#[test]
fn a_pool_can_be_printed_and_says_what_it_does() {
    let pool = pool(1);
    let _handle = pool.submit(sleep, 600_000);
    within("it runs", || pool.status().workers[0].running.as_ref().map(|running| running.task.ends_with("sleep")));
    let status = pool.status();
    assert!(status.workers[0].resident.is_none_or(|resident| resident > 0) && status.queued == 0, "{status:?}");
    assert!(format!("{pool:?}").contains("Running"), "{pool:?}");
}

/// A process that was forked has none of the pool's threads, and owns none of its workers.
#[test]
#[cfg(target_os = "linux")]
fn a_pool_that_is_used_after_a_fork_says_so_and_loses_nothing() {
    let pool = pool(1);
    let handle = pool.submit(sleep, 300);
    let code = common::forked(|| {
        let submitted = pool.submit(double, 1).wait();
        let waited = handle.wait();
        drop(pool.clone());
        matches!((submitted, waited), (Err(CallError::Forked), Err(CallError::Forked)))
    });
    assert_eq!(code, Some(true));
    assert_eq!(pool.submit(double, 1).wait().unwrap(), 2);
}
