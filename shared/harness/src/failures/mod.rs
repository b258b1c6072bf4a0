//! What strategies that run keys in processes survive, one function each. [`failures!`](crate::failures!) owns the list
//! and makes one `#[test]` of each, in a process of its own.
//!
//! After every scenario the strategy is clean: the next batch is right, and once it is dropped, no child, no thread, no
//! descriptor and no file is left that was not there before.

mod deadlines;
mod deaths;
mod limits;
mod parents;
mod protocol;
mod users_code;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::hash::BuildHasher;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, panic, process, thread};

use kernel::{
    Context, Exit, Fill, KeyError, Outcome, Runs, Skew, Stage, Sum, Verifiable, Wait, WorkerCommand, Workload,
};
use rustix::process::{Signal, kill_process, kill_process_group};

use crate::alone::{self, Holdings, SOON, all_there, left_alive, live_children, mark, raw, settled, within};
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
            p04_all_workers_killed_at_once_lose_no_key,
            p04_workers_killed_again_and_again_leave_an_outcome_for_every_key,
            p05_a_key_past_its_deadline_is_stopped_whatever_it_does,
            p05_a_stopped_worker_does_not_hold_up_drop,
            p06_garbage_is_an_error_and_nothing_is_made_of_it,
            p06_a_worker_that_says_more_than_asked_is_not_believed,
            p07_what_a_key_prints_is_on_stderr_and_never_in_the_report,
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
            p14_a_panic_where_an_output_is_received_is_its_keys_alone,
            p14_dropped_by_a_panic_it_leaves_nothing,
            p15_a_key_may_not_start_workers,
            p15_a_program_that_forgot_to_serve_is_told_so,
            p16_there_are_never_more_processes_than_keys,
        }
    };
}

/// How often a race is run. A hang that one run in five shows is missed once in a hundred.
const ROUNDS: usize = 20;

/// No process.
const NOBODY: [u32; 0] = [];

/// Runs the scenario on a strategy. After it the next batch is right; after `Drop` nothing is left that was not there
/// before `start`.
fn clean_after<S: Subject>(context: &Context, scenario: impl FnOnce(&mut S)) {
    let before = Holdings::after(|| right_after_all(&mut S::start(context).unwrap()));
    let mut strategy = S::start(context).unwrap();
    let workers = live_children(process::id()).len();
    scenario(&mut strategy);
    right_after_all(&mut strategy);
    assert_eq!(live_children(process::id()).len(), workers, "a worker was lost, or one too many is there");
    drop(strategy);
    let after = settled(&before, Holdings::now);
    assert_eq!(after, before, "left behind a second after Drop");

    fn right_after_all<S: Subject>(strategy: &mut S) {
        agrees(strategy, Fill(job(9, 1_000, Skew::Zipf)));
        assert!(strategy.shortfall().is_none(), "a worker could not be replaced");
    }
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
fn killed_at_random(length: Duration, which: impl Fn(&[u32]) -> Vec<u32> + Sync, mut batch: impl FnMut()) {
    let mut hits = 0;
    while hits < ROUNDS {
        thread::scope(|scope| {
            let killer = scope.spawn(|| {
                thread::sleep(length.mul_f64(random(1000) as f64 / 1000.0));
                let workers = live_children(process::id());
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
    let dead = || live_children(process::id()).iter().all(|live| !workers.contains(live));
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
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse().ok()).expect("a number")
}
