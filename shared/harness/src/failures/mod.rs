//! What strategies that run keys in processes survive, one function each. [`failures!`](crate::failures!) owns the list
//! and makes one `#[test]` of each, in a process of its own.
//!
//! Where a scenario is about a strategy that goes on, it is clean after it: the next batch is right, and once it is
//! dropped, no child, no thread, no descriptor and no file is left that was not there before. Where it is about the end of
//! a program, no process is left.

mod deadlines;
mod deaths;
mod limits;
mod parents;
mod protocol;
mod users_code;

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::hash::BuildHasher;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, panic, process, thread};

use kernel::{Context, Exit, KeyError, Outcome, Runs, Stage, Strategy, WorkerCommand, Workload};
use rustix::process::{Signal, WaitOptions, kill_process, kill_process_group};
use workloads::{Fill, Skew, Sum, Verifiable, Wait};

use crate::alone::{
    self, Holdings, SOON, all_there, left_alive, live_children, live_workers, mark, memory, raw, settled, within,
};
use crate::fault::Struck;
use crate::laws::{Binary, Subject, WORKERS, agrees, faulty, few_tasks, job, json, stderr};
use crate::{Fault, FaultKind, Faulty};

pub use self::deadlines::*;
pub use self::deaths::*;
pub use self::limits::*;
pub use self::parents::*;
pub use self::protocol::*;
pub use self::users_code::*;

/// Makes one test of each failure of processes. `tests/failures.rs` of a strategy that runs keys in processes is this
/// one line:
///
/// ```ignore
/// harness::failures!(process_pool::ProcessPool);
/// ```
#[macro_export]
macro_rules! failures {
    ($strategy:ty) => {
        $crate::tests! {
            failures, $strategy, true:
            p01_a_worker_killed_while_it_sends_loses_its_key_alone,
            p01_a_death_is_seen_though_a_grandchild_holds_the_channel_open,
            p01_workers_killed_while_they_send_at_random_moments_lose_no_key,
            p02_a_worker_killed_while_it_computes_loses_its_key_alone,
            p02_workers_killed_while_they_compute_at_random_moments_lose_no_key,
            p02_workers_killed_while_idle_lose_no_key,
            p02_a_worker_that_dies_before_hello_is_an_error_at_once,
            p02_a_silent_worker_is_an_error_in_time,
            p03_whatever_ends_a_worker_is_told_with_its_last_words,
            p03_a_key_that_ended_two_workers_is_given_up,
            p03_the_last_words_hold_what_a_panic_said,
            p03_a_worker_that_closed_its_descriptors_is_not_told_as_killed,
            p04_all_workers_killed_at_once_lose_no_key,
            p04_workers_killed_again_and_again_leave_an_outcome_for_every_key,
            p05_a_key_past_its_deadline_is_stopped_whatever_it_does,
            p05_seven_stopped_workers_are_dropped_within_a_second,
            p05_a_deadline_counts_nothing_but_the_key,
            p06_garbage_is_an_error_and_nothing_is_made_of_it,
            p06_a_worker_that_takes_no_key_is_an_error_in_time,
            p06_a_worker_that_says_more_than_asked_is_not_believed,
            p07_what_a_key_prints_is_on_stderr_and_never_in_the_report,
            p07_a_thread_that_logs_in_an_idle_worker_is_not_held_up,
            p08_workers_end_with_a_killed_parent,
            p08_workers_end_with_a_parent_killed_at_a_random_moment,
            p09_workers_end_with_a_parent_however_it_ends,
            p10_a_signal_ends_the_parent_as_it_always_does_and_the_workers_too,
            p11_too_few_descriptors_are_fewer_workers,
            p11_too_few_processes_are_fewer_workers,
            p11_too_little_memory_fails_the_keys_it_was_short_for,
            p12_a_worker_that_cannot_be_replaced_fails_the_rest_at_once,
            p13_a_worker_has_only_its_own_descriptors,
            p14_a_strategy_outlives_the_thread_it_was_started_on,
            p14_two_strategies_run_at_once,
            p14_a_hundred_starts_and_drops_leave_nothing,
            p14_dropped_by_a_panic_it_leaves_nothing,
            p15_a_key_may_not_start_workers,
            p15_a_program_that_forgot_to_serve_is_told_so,
            p16_there_are_never_more_processes_than_keys,
            p17_a_key_that_forks_and_returns_twice_is_never_mixed,
            p17_a_key_that_forks_and_returns_twice_is_never_reported_as_mixed,
            p18_the_end_of_a_worker_after_its_answer_costs_no_key_a_try,
            p18_a_worker_stopped_after_its_answer_costs_no_key_its_time,
            p18_what_a_child_writes_into_the_channel_costs_no_key,
            p19_a_pause_of_the_program_is_no_keys_time,
            p19_a_deadline_is_kept_after_a_pause,
            p20_no_words_reach_a_channel_where_standard_streams_were_closed,
            p21_stopped_workers_end_with_a_killed_parent,
            p21_what_a_key_started_ends_with_its_worker,
            p21_workers_end_with_a_killed_parent_whose_key_started_something,
            p21_idle_workers_end_with_a_program_that_forks_and_execs,
            p22_an_interrupt_that_the_program_handles_costs_no_key_a_try,
            p22_a_program_that_ignores_the_end_of_its_children_is_served,
            p23_a_panic_beside_the_key_is_its_failure_alone,
            p23_a_panic_where_an_output_is_dropped_costs_nothing,
            p23_a_workload_that_cannot_cross_fails_the_rest_at_once,
            p23_a_workload_that_cannot_be_loaded_starts_few_processes,
            p23_a_workload_that_ends_every_worker_fails_the_rest_at_once,
            p23_a_worker_that_dies_while_it_loads_costs_no_key,
            p24_a_large_workload_is_held_once,
            p25_a_forked_copy_of_the_program_leaves_its_workers_alone,
            p26_without_proc_the_error_names_what_is_missing,
            p26_a_program_that_may_not_be_executed_is_named,
        }
    };
}

/// How often a race is run. A hang that one run in five shows is missed once in a hundred. Less often where each round starts a
/// broker, and races for workers of a pool that another strategy has alone.
const fn often<S: Strategy>() -> usize {
    if S::CLUSTER { 5 } else { 20 }
}

/// No process.
const NOBODY: [u32; 0] = [];

/// Runs the scenario on a strategy. After it the next batch is right; after `Drop` nothing is left that was not there
/// before `start`.
fn clean_after<S: Subject>(context: &Context, scenario: impl FnOnce(&mut S)) {
    let before = dropped_after(context, scenario);
    assert_eq!(settled(&before, Holdings::now), before, "left behind a second after Drop");
}

/// The same where workers leave children, which become this process's when they end.
fn clean_after_orphans<S: Subject>(context: &Context, scenario: impl FnOnce(&mut S)) {
    let before = dropped_after(context, scenario);
    let adopted_and_now = || {
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        Holdings::now()
    };
    assert_eq!(settled(&before, adopted_and_now), before, "left behind a second after Drop");
}

/// Runs the scenario on a strategy, and a batch after it that is right. Soon there are as many workers as there were, whether or
/// not one had to be replaced. What was there before `start`.
fn dropped_after<S: Subject>(context: &Context, scenario: impl FnOnce(&mut S)) -> Holdings {
    let before = Holdings::after(|| right_after_all(&mut S::start(context).unwrap()));
    let mut strategy = S::start(context).unwrap();
    let workers = live_workers(process::id()).len();
    scenario(&mut strategy);
    right_after_all(&mut strategy);
    let as_many = || {
        let are_there = live_workers(process::id()).len() == workers;
        if !are_there && S::CLUSTER {
            // A slot that has its keys one by one starts a worker for a second at once only.
            right_after_all(&mut strategy);
        }
        are_there.then_some(())
    };
    assert!(within(SOON, as_many).is_some(), "a worker was lost, or one too many is there");
    return before;

    fn right_after_all<S: Subject>(strategy: &mut S) {
        agrees(strategy, Fill(job(9, 1_000, Skew::Zipf)));
        assert!(strategy.shortfall().is_none(), "a worker could not be replaced");
    }
}

/// Runs a race often. When it fails, it says how often.
fn rounds<S: Strategy>(race: impl FnMut(usize)) {
    rounds_of(often::<S>(), race);
}

/// The same for what takes seconds.
fn rounds_of(rounds: usize, mut race: impl FnMut(usize)) {
    let mut run = |round| panic::catch_unwind(panic::AssertUnwindSafe(|| race(round))).map_err(KeyError::from_panic);
    let failures: Vec<_> = (0..rounds).filter_map(|round| run(round).err()).collect();
    assert!(failures.is_empty(), "{} of {rounds} rounds failed. The first {}", failures.len(), failures[0]);
}

/// A fault in a key, whenever it is reached.
fn fault(key: usize, kind: FaultKind) -> Fault {
    Fault { key, kind, once: None }
}

impl Fault {
    /// The same, but only when the key is reached first; then the mark is there.
    fn once(self, name: &str) -> Self {
        Fault { once: Some(mark(name)), ..self }
    }
}

fn of(keys: usize, count: u64, faults: Vec<Fault>) -> Arc<Faulty> {
    Arc::new(Faulty::new(Fill(job(keys, count, Skew::Uniform)), faults))
}

/// That all keys but those came back, and each with its own values.
fn right_but(faulty: &Faulty, outcomes: Vec<Outcome<Struck>>, struck: &[usize]) {
    assert_eq!(outcomes.len(), faulty.keys());
    for (key, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Err(_) if struck.contains(&key) => {}
            Ok(output) if !struck.contains(&key) => {
                assert_eq!(output.block.len() as u64 * 8, faulty.output_size(key), "key {key}");
                assert!(output.block == faulty.fill.expand(key), "key {key}: values of another");
            }
            outcome => panic!("key {key}: {:?}", outcome.map(|output| output.block.len())),
        }
    }
}

/// What the worker wrote last, if it died so.
fn died<T>(outcome: &Outcome<T>, expected: Exit, at: Stage) -> &str {
    match outcome {
        Err(KeyError::Died { exit, stage, stderr, .. }) if (*exit, *stage) == (expected, at) => stderr,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it did not die"),
    }
}

/// Why it does not start; or, if it does, what each key is told. All keys fail.
fn refusals<S: Runs<Fill>>(context: &Context, keys: usize) -> Vec<String> {
    match S::start(context) {
        Err(error) => vec![error.to_string()],
        Ok(mut strategy) => {
            let outcomes = strategy.run(&Arc::new(Fill(job(keys, 100, Skew::Uniform))));
            assert_eq!(outcomes.len(), keys);
            outcomes.into_iter().map(|outcome| outcome.expect_err("no key can run").to_string()).collect()
        }
    }
}

/// A worker that is a shell script. Its channel is its standard input.
fn shell(script: &str) -> WorkerCommand {
    WorkerCommand { arguments: vec!["-c".into(), script.into()], ..WorkerCommand::of("/bin/sh") }
}

/// How long a batch takes when nothing strikes.
fn length<S: Runs<W>, W: Workload>(binary: &Binary, workload: &Arc<W>) -> Duration {
    let mut strategy = binary.start::<S>(WORKERS);
    timed(|| drop(strategy.run(workload)))
}

/// Runs batches, each of which takes about `length`, and kills some of the workers at a random moment of each, until
/// that has hit as often as a race is run.
fn killed_at_random<S: Strategy>(length: Duration, which: impl Fn(&[u32]) -> Vec<u32> + Sync, mut batch: impl FnMut()) {
    let mut hits = 0;
    while hits < often::<S>() {
        thread::scope(|scope| {
            let killer = scope.spawn(|| {
                thread::sleep(length.mul_f64(random(1000) as f64 / 1000.0));
                let workers = live_workers(process::id());
                let chosen = if workers.is_empty() { Vec::new() } else { which(&workers) };
                killed(&chosen);
                usize::from(!chosen.is_empty())
            });
            batch();
            hits += killer.join().expect("a killer does not panic");
        });
    }
}

/// Kills processes, and waits until they are dead: a strategy may take one that is still dying for alive, and rightly
/// sees only with the next key that it is not.
fn killed(workers: &[u32]) {
    workers.iter().copied().for_each(alone::end);
    let dead = || live_workers(process::id()).iter().all(|live| !workers.contains(live));
    assert!(within(SOON, || dead().then_some(())).is_some(), "killed, and not dead");
}

/// A number below `bound`.
fn random(bound: usize) -> usize {
    (std::hash::RandomState::new().hash_one(()) % bound as u64) as usize
}

fn timed(body: impl FnOnce()) -> Duration {
    let start = Instant::now();
    body();
    start.elapsed()
}

/// The strategy's program with three workers: one loops in its key, one sleeps in it, and what the third does is `third`.
/// All have got there.
fn busy(binary: &Binary, name: &str, third: &str, prepare: impl FnOnce(&mut Command)) -> Child {
    let mut command = binary.command("--keys 3 --count 10 --workers 3 --format json");
    let marks: Vec<_> = (0..3).map(|key| mark(&format!("{name}-{key}"))).collect();
    for (key, kind) in ["hang", "sleep", third].into_iter().enumerate() {
        command.arg("--fault").arg(format!("{key}:{kind}@{}", marks[key].display()));
    }
    prepare(&mut command);
    let parent = command.spawn().unwrap();
    all_there(&marks);
    parent
}

/// The keys that the program reported as failed.
fn failed(output: &Output) -> Vec<u64> {
    json(output)["failed"].as_array().unwrap().iter().map(|failure| failure["key"].as_u64().unwrap()).collect()
}

/// The largest that this process's address space was, in kB.
fn peak() -> u64 {
    memory(process::id(), "VmPeak")
}

/// A workload that is many times larger than all else in a test.
const BALLAST: usize = 64 << 20;

/// Keys of ten values whose workload has [`BALLAST`] bytes more.
fn large(keys: usize) -> Arc<Faulty> {
    Arc::new(Faulty { ballast: "b".repeat(BALLAST), ..Faulty::clone(&of(keys, 10, Vec::new())) })
}

/// Runs the code in a forked child, which then exits with the status that it gives.
fn forked(code: impl FnOnce() -> i32) -> u32 {
    use nix::unistd::{ForkResult, fork};
    // SAFETY: the child goes on with this thread alone, as every program's does that forks. glibc makes its allocator
    // usable there, and no other thread of a test that is alone holds a lock of std's for longer than it takes to print.
    #[expect(unsafe_code, reason = "a program that forks without exec is what is tested")]
    match unsafe { fork() }.expect("a forked process") {
        ForkResult::Child => process::exit(panic::catch_unwind(panic::AssertUnwindSafe(code)).unwrap_or(101)),
        ForkResult::Parent { child } => child.as_raw().unsigned_abs(),
    }
}

/// What keys with [`FaultKind::LeaveChild`] left, among the descendants of this process.
fn tools() -> Vec<u32> {
    let is_tool = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"sleep\x001000\0");
    alone::descendants(process::id()).into_iter().filter(is_tool).collect()
}

/// Waits until a key with [`FaultKind::LeaveChild`] has what it leaves.
fn tools_there() {
    let there = within(Duration::from_secs(30), || (!tools().is_empty()).then_some(()));
    assert!(there.is_some(), "the key's program never came");
}

/// That nothing is left of it.
fn tools_gone() {
    let left = settled(&Vec::new(), tools);
    left.iter().copied().for_each(alone::end);
    assert_eq!(left, NOBODY, "what a key started lives on");
}
