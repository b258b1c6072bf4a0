//! What strategies that run keys in processes survive, one function each. [`failures!`](crate::failures!) owns the list
//! and makes one `#[test]` of each, in a process of its own.
//!
//! After every scenario the strategy is clean: the next batch is right, and once it is dropped, no child, no thread, no
//! descriptor and no file is left that was not there before.

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

/// Half an output never is one; the key is tried once more, and the second death is its outcome.
pub fn p01_a_worker_killed_while_it_sends_loses_its_key_alone<S: Subject>(binary: &Binary) {
    // Within what the channel buffers, and far beyond it.
    for count in [10, 500_000] {
        clean_after(&binary.context(WORKERS), |strategy: &mut S| {
            let faulty = of(6, count, vec![fault(2, FaultKind::KillSending)]);
            let start = Instant::now();
            let outcomes = strategy.run(&faulty);
            assert!(start.elapsed() < 2 * SOON, "{:?}", start.elapsed());
            died(&outcomes[2], Exit::Signal(9), Stage::Sending);
            right_but(&faulty, outcomes, &[2]);

            let once = fault(2, FaultKind::KillSending).once(&format!("once-{count}"));
            let faulty = of(6, count, vec![once]);
            let outcomes = strategy.run(&faulty);
            right_but(&faulty, outcomes, &[]);
        });
    }
}

/// End-of-file never comes then.
pub fn p01_a_death_is_seen_though_a_grandchild_holds_the_channel_open<S: Subject>(binary: &Binary) {
    let mut strategy = binary.start::<S>(WORKERS);
    let faulty = of(6, 100, vec![fault(2, FaultKind::KillLeavingChild)]);
    let start = Instant::now();
    let outcomes = strategy.run(&faulty);
    assert!(start.elapsed() < 2 * SOON, "{:?}", start.elapsed());
    died(&outcomes[2], Exit::Signal(9), Stage::Computing);
    right_but(&faulty, outcomes, &[2]);
    drop(strategy);
    // The grandchildren came to this process when their parents died, one for each try.
    let left = live_children(process::id());
    assert_eq!(left.len(), 2);
    left.into_iter().for_each(alone::end);
    assert_eq!(left_alive(), NOBODY);
}

/// A key is tried once more, and each race kills once.
pub fn p01_workers_killed_while_they_send_at_random_moments_lose_no_key<S: Subject>(binary: &Binary) {
    // Blocks that take several turns to send and almost nothing to compute.
    let specials = (0..30).map(|key| fault(key, FaultKind::Specials)).collect();
    let faulty = of(30, 100_000, specials);
    let length = length::<S, _>(binary, &faulty);
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        killed_at_random(
            length,
            |workers| vec![workers[random(workers.len())]],
            || {
                for (key, outcome) in strategy.run(&faulty).into_iter().enumerate() {
                    let block = outcome.unwrap_or_else(|error| panic!("key {key}: {error}")).block;
                    let same = |(value, special): (&f64, &f64)| value.to_bits() == special.to_bits();
                    assert!(block.len() == 100_000 && block.iter().zip(Faulty::SPECIALS.iter().cycle()).all(same));
                }
            },
        );
    });
}

/// The death of a worker is the failure of the key it had, and of no other.
pub fn p02_a_worker_killed_while_it_computes_loses_its_key_alone<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        let faulty = of(9, 100, vec![fault(0, FaultKind::Kill), fault(7, FaultKind::Kill).once("once")]);
        let outcomes = strategy.run(&faulty);
        died(&outcomes[0], Exit::Signal(9), Stage::Computing);
        right_but(&faulty, outcomes, &[0]);
    });
}

/// Compared with the plain loop: no key is lost, and none is another's.
pub fn p02_workers_killed_while_they_compute_at_random_moments_lose_no_key<S: Subject>(binary: &Binary) {
    let sum = || Sum(job(30, 20_000, Skew::Zipf));
    let length = length::<S, _>(binary, &Arc::new(sum()));
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        killed_at_random(length, |workers| vec![workers[random(workers.len())]], || agrees(strategy, sum()));
    });
}

/// No key had them.
pub fn p02_workers_killed_while_idle_lose_no_key<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        for _ in 0..ROUNDS {
            let idle = live_children(process::id());
            assert!(idle.len() <= WORKERS);
            killed(&idle);
            agrees(strategy, Fill(job(10, 100, Skew::Uniform)));
            let replaced = live_children(process::id());
            assert_eq!(replaced.len(), idle.len());
            assert!(idle.iter().all(|worker| !replaced.contains(worker)));
        }
    });
}

/// By its own exit and by a signal; and when there is no such program.
pub fn p02_a_worker_that_dies_before_hello_is_an_error_at_once<S: Subject>(binary: &Binary) {
    for (script, told) in [
        ("exit 0", "exited with status 0"),
        ("kill -9 $$", "was ended by SIGKILL"),
        ("echo the reason >&2; exit 3", "the reason"),
    ] {
        let start = Instant::now();
        for reason in refusals::<S>(&binary.context(WORKERS).with_worker_command(shell(script)), 20) {
            assert!(reason.contains(told), "{script}: {reason}");
        }
        assert!(start.elapsed() < 2 * SOON, "{script}: {:?}", start.elapsed());
    }
    let nowhere = WorkerCommand::of("/nowhere/at/all");
    for reason in refusals::<S>(&binary.context(WORKERS).with_worker_command(nowhere), 20) {
        assert!(reason.contains("No such file or directory"), "{reason}");
    }
}

/// Ten seconds, however many are silent: they are waited for together, and not again for each key.
pub fn p02_a_silent_worker_is_an_error_in_time<S: Subject>(binary: &Binary) {
    let start = Instant::now();
    let silent = shell("exec sleep 1000");
    for reason in refusals::<S>(&binary.context(WORKERS).with_worker_command(silent), 20) {
        assert!(reason.contains("said nothing for 10s"), "{reason}");
    }
    assert!(start.elapsed() < Duration::from_secs(10) + SOON, "{:?}", start.elapsed());
}

/// By which signal or status, and what it wrote last. `exit(0)` without an output is a death like any other.
pub fn p03_whatever_ends_a_worker_is_told_with_its_last_words<S: Subject>(binary: &Binary) {
    for (kind, exit, words) in [
        (FaultKind::Segv, Exit::Signal(11), ""),
        (FaultKind::Abort, Exit::Signal(6), ""),
        (FaultKind::StackOverflow, Exit::Signal(6), "has overflowed its stack"),
        (FaultKind::Exit0, Exit::Code(0), ""),
        (FaultKind::Exit42, Exit::Code(42), "first of the last words | and these are the last"),
    ] {
        clean_after(&binary.context(WORKERS), |strategy: &mut S| {
            let faulty = of(10, 100, vec![fault(3, kind), fault(4, kind)]);
            let outcomes = strategy.run(&faulty);
            for key in [3, 4] {
                let stderr = died(&outcomes[key], exit, Stage::Computing);
                assert!(stderr.contains(words), "{kind:?}: {stderr}");
            }
            right_but(&faulty, outcomes, &[3, 4]);
        });
    }
}

/// Two tries, and then the next key.
pub fn p03_a_key_that_ended_two_workers_is_given_up<S: Subject>(binary: &Binary) {
    let output = binary.run("--keys 5 --count 10 --workers 1 --fault 1:exit42 --fault 3:exit42 --format json");
    let told = stderr(&output);
    assert_eq!(told.lines().filter(|line| *line == "first of the last words").count(), 4, "{told}");
    assert_eq!(failed(&output), [1, 3]);
    assert_eq!(json(&output)["output_bytes"], 240);
}

/// All have a replacement, and each key is tried once more.
pub fn p04_all_workers_killed_at_once_lose_no_key<S: Subject>(binary: &Binary) {
    let wait = || Wait(job(30, 2_000, Skew::Uniform));
    let length = length::<S, _>(binary, &Arc::new(wait()));
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        killed_at_random(length, <[u32]>::to_vec, || agrees(strategy, wait()));
    });
}

/// Replacements too, before they said hello and after. What becomes of a key then is luck; that something does is not.
pub fn p04_workers_killed_again_and_again_leave_an_outcome_for_every_key<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        let over = AtomicBool::new(false);
        let (outcomes, hits) = thread::scope(|scope| {
            let killer = scope.spawn(|| {
                let mut hits = 0;
                while hits < ROUNDS && !over.load(Ordering::Relaxed) {
                    let workers = live_children(process::id());
                    hits += usize::from(!workers.is_empty());
                    killed(&workers);
                }
                hits
            });
            let outcomes = strategy.run(&Arc::new(Wait(job(200, 1_000, Skew::Uniform))));
            over.store(true, Ordering::Relaxed);
            (outcomes, killer.join().expect("a killer does not panic"))
        });
        assert!(hits > 0 && outcomes.len() == 200);
        for (key, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(output) => assert_eq!(output, key as u64),
                Err(KeyError::Died { exit: Exit::Signal(9), .. } | KeyError::NotStarted(_)) => {}
                Err(error) => panic!("key {key}: {error}"),
            }
        }
    });
}

/// It loops, it sleeps, its process is stopped. The time is that of one deadline after another, not of the keys.
pub fn p05_a_key_past_its_deadline_is_stopped_whatever_it_does<S: Subject>(binary: &Binary) {
    // Three orders of magnitude above what the other keys need.
    let deadline = Duration::from_secs(1);
    clean_after(&binary.context(WORKERS).with_deadline(Some(deadline)), |strategy: &mut S| {
        let faults = vec![fault(1, FaultKind::Hang), fault(4, FaultKind::Stop), fault(5, FaultKind::Sleep)];
        let faulty = of(10, 100, faults);
        let start = Instant::now();
        let outcomes = strategy.run(&faulty);
        let took = start.elapsed();
        assert!(took >= deadline && took < 3 * deadline + SOON, "{took:?}");
        for key in [1, 4, 5] {
            let told = matches!(outcomes[key], Err(KeyError::TimedOut { deadline: told }) if told == deadline);
            assert!(told, "key {key}: {:?}", outcomes[key]);
        }
        right_but(&faulty, outcomes, &[1, 4, 5]);
    });
}

/// It cannot exit when it is asked to.
pub fn p05_a_stopped_worker_does_not_hold_up_drop<S: Subject>(binary: &Binary) {
    let before = Holdings::now();
    let mut strategy = binary.start::<S>(WORKERS);
    agrees(&mut strategy, Fill(job(5, 10, Skew::Uniform)));
    for worker in live_children(process::id()) {
        kill_process(raw(worker), Signal::STOP).unwrap();
    }
    let took = timed(|| drop(strategy));
    assert!(took < SOON, "{took:?}");
    assert_eq!(settled(&before, Holdings::now).children(), before.children());
}

/// From a program that says hello as a worker does, and then anything. It is killed at once.
pub fn p06_garbage_is_an_error_and_nothing_is_made_of_it<S: Subject>(binary: &Binary) {
    const ZERO: &str = r"\000\000\000\000\000\000\000\000";
    const HELLO: &str = r"fanoutWK\001\000\000\000\000\000\000\000";
    let answer =
        |head: &str| format!("printf '{HELLO}' >&0; head -c 1 >/dev/null; printf '{head}' >&0; exec sleep 1000");
    for (script, told) in [
        (String::from("printf 'Password: hunter2' >&0; exec sleep 1000"), "it did not say hello"),
        (format!("printf '{}' >&0; exec sleep 1000", HELLO.replacen("001", "011", 1)), "version 9"),
        (answer(&"x".repeat(24)), "an answer began with 78787878"),
        (answer(&format!(r"fan:\011\000\000\000{ZERO}{ZERO}")), "an answer of kind 9"),
        (
            answer(&format!(r"fan:\001\000\000\000\007\000\000\000\000\000\000\000{ZERO}")),
            "for key 7 when key 0 was asked",
        ),
        (
            answer(&format!(r"fan:\001\000\000\000{ZERO}\000\000\000\000\000\000\000\100")),
            "an answer of 4611686018427387904 bytes where",
        ),
        (
            answer(&format!(r"fan:\002\000\000\000{ZERO}\000\000\020\000\000\000\000\000")),
            "an answer of 1048576 bytes where",
        ),
        (answer(&format!(r"fan:\001\000\000\000{ZERO}\007\000\000\000\000\000\000\0001234567")), "7 bytes are no f64s"),
        (
            format!("printf '{HELLO}' >&0; head -c 1 >/dev/null; cat /dev/zero >&0 2>/dev/null; exec sleep 1000"),
            "an answer began with 00000000",
        ),
        (
            format!("printf '{HELLO}' >&0; head -c 1 >/dev/null; exec </dev/null; exec sleep 1000"),
            "it closed its channel and lived on",
        ),
    ] {
        let (start, before, memory) = (Instant::now(), Holdings::now(), peak());
        for reason in refusals::<S>(&binary.context(1).with_worker_command(shell(&script)), 1) {
            assert!(reason.contains(told) && reason.contains("protocol"), "{script}: {reason}");
        }
        assert!(start.elapsed() < SOON, "{script}: {:?}", start.elapsed());
        // Threads reserve more than a block of 800 bytes does.
        assert!(peak() - memory < 1 << 20, "{script}: {} kB", peak() - memory);
        // `head` or `cat` may outlive the shell that started it by a moment, and then ends without its channel.
        let gone = settled(&before.children(), || {
            let _reaped = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
            Holdings::now().children()
        });
        assert_eq!(gone, before.children(), "{script}");
    }
}

/// What comes after an answer is never another's: not the same answer again, in this batch or the next, not garbage.
pub fn p06_a_worker_that_says_more_than_asked_is_not_believed<S: Subject>(binary: &Binary) {
    for kind in [FaultKind::SendTwice, FaultKind::SendGarbage] {
        clean_after(&binary.context(1), |strategy: &mut S| {
            let faulty = of(6, 100, vec![fault(2, kind)]);
            let outcomes = strategy.run(&faulty);
            let broken = |outcome: &Outcome<Struck>| matches!(outcome, Err(KeyError::Protocol { .. }));
            let keys: Vec<_> = (0..6).filter(|&key| broken(&outcomes[key])).collect();
            assert!(keys.iter().all(|&key| key == 3), "{keys:?}");
            right_but(&faulty, outcomes, &keys);

            // A key of the same index in a batch of its own: the first answer would fit it.
            let before = of(1, 50, vec![fault(0, kind)]);
            let outcomes = strategy.run(&before);
            right_but(&before, outcomes, &[]);
            agrees(
                strategy,
                Fill(
                    kernel::Job::new(kernel::Parameters { keys: 1, count: 50, seed: 7, ..Default::default() }).unwrap(),
                ),
            );
        });
    }
}

/// Also what its process prints by itself.
pub fn p07_what_a_key_prints_is_on_stderr_and_never_in_the_report<S: Subject>(binary: &Binary) {
    let output = binary.run("--keys 4 --count 10 --fault 0:print --fault 3:print --format json");
    assert!(output.status.success());
    assert_eq!(json(&output)["keys"], 4);
    let told = stderr(&output);
    assert!(told.contains("printed in key 0\n") && told.contains("printed in key 3\n"), "{told}");
    let dumped = binary.run("--keys 4 --count 10 --fault 0:print --dump");
    assert_eq!(dumped.stdout, binary.run("--keys 4 --count 10 --dump").stdout);
}

/// One loops, one sleeps, one is idle: all are gone a second after the parent.
pub fn p08_workers_end_with_a_killed_parent<S: Subject>(binary: &Binary) {
    for round in 0..5 {
        let mut parent = busy(binary, &round.to_string(), "mark", |_| {});
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert_eq!(left_alive(), NOBODY);
    }
}

/// Before, while and after its workers start, run and end.
pub fn p08_workers_end_with_a_parent_killed_at_a_random_moment<S: Subject>(binary: &Binary) {
    let flags = "--keys 30 --count 10000 --workers 3";
    let length = timed(|| drop(binary.run(flags)));
    for _ in 0..ROUNDS {
        let mut parent = binary.command(flags).stdout(Stdio::null()).spawn().unwrap();
        thread::sleep(length.mul_f64(random(1000) as f64 / 1000.0));
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert_eq!(left_alive(), NOBODY);
    }
}

/// While a batch runs on another thread, and with idle workers.
pub fn p09_workers_end_with_a_parent_however_it_ends<S: Subject>(binary: &Binary) {
    let Some(part) = alone::part() else {
        for (part, status) in [("returns", 0), ("panics", 101), ("exits", 3), ("panics-idle", 101), ("exits-idle", 3)] {
            let output = alone::play(binary.test, part).output().unwrap();
            assert_eq!(output.status.code(), Some(status), "{part}: {output:?}");
            assert_eq!(left_alive(), NOBODY, "{part}");
        }
        return;
    };
    let mut strategy = binary.start::<S>(WORKERS);
    agrees(&mut strategy, Fill(job(5, 10, Skew::Uniform)));
    let idle = part.ends_with("idle").then_some(&mut strategy);
    if idle.is_none() {
        let marks: Vec<_> = (0..2).map(|key| format!("{part}-{key}")).collect();
        let faults = marks.iter().enumerate().map(|(key, mark)| fault(key, FaultKind::Sleep).once(mark)).collect();
        let faulty = of(6, 10, faults);
        thread::spawn(move || strategy.run(&faulty));
        all_there(&marks.iter().map(|name| mark(name)).collect::<Vec<_>>());
    }
    match part.trim_end_matches("-idle") {
        "returns" => {}
        "panics" => panic!("the parent"),
        _ => process::exit(3),
    }
}

/// To the group, as the terminal sends it, once and twice, and to the parent alone: no report, and nobody is left.
pub fn p10_a_signal_ends_the_parent_as_it_always_does_and_the_workers_too<S: Subject>(binary: &Binary) {
    for (name, signal, times, group) in [
        ("interrupted", Signal::INT, 1, true),
        ("interrupted-twice", Signal::INT, 2, true),
        ("terminated", Signal::TERM, 1, true),
        ("parent-terminated", Signal::TERM, 1, false),
        ("parent-interrupted", Signal::INT, 1, false),
    ] {
        let parent = busy(binary, name, "mark", |command| {
            // A shell's background jobs are born with an interrupt ignored, and so would be this test's programs.
            let mut default = Command::new("env");
            default.arg("--default-signal=INT,TERM").arg(command.get_program()).args(command.get_args());
            *command = default;
            command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        });
        for _ in 0..times {
            let to = if group { kill_process_group } else { kill_process };
            // The second finds nobody if the first was quick.
            let _already_gone = to(raw(parent.id()), signal);
        }
        let output = parent.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(signal.as_raw()), "{name}: {output:?}");
        assert!(output.stdout.is_empty(), "{name}: {output:?}");
        assert_eq!(left_alive(), NOBODY, "{name}");
    }
}

/// It goes on with the workers it got, and says so. None is an error.
pub fn p11_too_few_descriptors_are_fewer_workers<S: Subject>(binary: &Binary) {
    let flags = "--keys 60 --count 20000 --workers 20 --format json --digest";
    let whole = binary.run(flags);
    assert!(whole.status.success() && whole.stderr.is_empty(), "{whole:?}");
    let fewer = binary.limited("ulimit -n 30", flags);
    assert!(stderr(&fewer).contains("fewer than 20 workers could be started"), "the limit did not bite: {fewer:?}");
    assert!(stderr(&fewer).contains("Too many open files"), "{fewer:?}");
    assert!(fewer.status.success(), "{fewer:?}");
    assert_eq!(json(&fewer)["digest"], json(&whole)["digest"]);

    let none = binary.limited("ulimit -n 5", flags);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("Too many open files"), "{none:?}");
    if !none.stdout.is_empty() {
        assert_eq!(failed(&none), (0..60).collect::<Vec<_>>());
    }
}

/// The limit is one on processes and threads together, and meets either first.
pub fn p11_too_few_processes_are_fewer_workers<S: Subject>(binary: &Binary) {
    let flags = "--keys 60 --count 20000 --workers 20 --format json --digest";
    let whole = binary.run(flags);
    assert!(whole.status.success() && whole.stderr.is_empty(), "{whole:?}");
    // Odd and even: the last that there is room for is a process, or a thread to serve one.
    for tasks in [6, 7, 16, 17] {
        let Some(limit) = few_tasks(tasks) else { continue };
        let fewer = binary.limited(&limit, flags);
        let told = stderr(&fewer);
        assert!(told.contains("fewer than 20 workers could be started"), "the limit did not bite: {fewer:?}");
        assert!(told.contains("os error 11"), "{tasks} tasks: {fewer:?}");
        assert!(fewer.status.success(), "{tasks} tasks: {fewer:?}");
        assert_eq!(json(&fewer)["digest"], json(&whole)["digest"]);
    }

    let Some(limit) = few_tasks(1) else { return };
    let none = binary.limited(&limit, flags);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("os error 11"), "{none:?}");
}

/// In the parent, whose address space is that of a part of all outputs, while a worker has one at a time.
pub fn p11_too_little_memory_fails_the_keys_it_was_short_for<S: Subject>(binary: &Binary) {
    let flags = "--keys 80 --count 1000000 --workers 2 --format json";
    let output = binary.limited("ulimit -v 300000", flags);
    assert_eq!(output.status.code(), Some(1), "the limit did not bite: {output:?}");
    let report = json(&output);
    let failed = report["failed"].as_array().unwrap();
    assert!(failed.len() < 80, "no output at all: {output:?}");
    for failure in failed {
        assert_eq!(failure["reason"], "this process had no memory for the output of 8000000 bytes");
    }
}

/// The worker program was removed, or may no longer be executed. When it is back, so is the strategy.
pub fn p12_a_worker_that_cannot_be_replaced_fails_the_rest_at_once<S: Subject>(binary: &Binary) {
    let program = mark("program");
    fs::copy(binary.path, &program).unwrap();
    let context = binary.context(2).with_worker_command(WorkerCommand::of(&program));
    let hidden = mark("hidden");
    for (errno, told) in [(2, "No such file"), (13, "Permission denied")] {
        clean_after(&context, |strategy: &mut S| {
            match errno {
                2 => fs::rename(&program, &hidden).unwrap(),
                _ => fs::set_permissions(&program, Permissions::from_mode(0o644)).unwrap(),
            }
            // Each worker that there is gets one.
            let faulty = of(50, 10, vec![fault(0, FaultKind::Kill), fault(1, FaultKind::Kill)]);
            let start = Instant::now();
            let outcomes = strategy.run(&faulty);
            assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
            for (key, outcome) in outcomes.iter().enumerate() {
                match outcome {
                    Err(KeyError::Died { exit: Exit::Signal(9), .. }) if key < 2 => {}
                    Err(KeyError::NotStarted(error)) => assert_eq!(error.raw_os_error(), Some(errno), "key {key}"),
                    outcome => panic!("key {key}: {outcome:?}"),
                }
            }
            let shortfall = strategy.shortfall().expect("no worker is a shortfall").to_string();
            assert!(shortfall.contains(told), "{shortfall}");
            match errno {
                2 => fs::rename(&hidden, &program).unwrap(),
                _ => fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap(),
            }
        });
    }
}

/// Its channel, its pipe for what it prints, an empty input, and a watch on its parent: nothing of a sibling, and nothing
/// that the parent was given across `exec`.
pub fn p13_a_worker_has_only_its_own_descriptors<S: Subject>(binary: &Binary) {
    let mut parent = busy(binary, "inherits", "sleep", |command| {
        let given = r#"exec 7</etc/passwd 8>/dev/full 9</; exec "$@""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", given, "sh"]).arg(command.get_program()).args(command.get_args());
        *command = shell;
    });
    let leads_to = |process| alone::descriptors(process).into_iter().map(|(_, to)| to).collect::<BTreeSet<_>>();
    let parents = leads_to(parent.id());
    assert!(parents.contains(&PathBuf::from("/etc/passwd")), "{parents:?}");
    let workers = live_children(parent.id());
    let mut channels = BTreeSet::new();
    for &worker in &workers {
        let is_known = |to: &PathBuf| {
            let to = to.to_string_lossy();
            ["/dev/null", "pipe:", "socket:", "anon_inode:[pidfd]"].iter().any(|kind| to.starts_with(kind))
        };
        // The mark that it leaves to say where it is may still be open.
        let settled = within(SOON, || Some(leads_to(worker)).filter(|own| own.iter().all(is_known)));
        let own = settled.unwrap_or_else(|| panic!("{:?}", leads_to(worker)));
        let of_kind = |kind: &str| own.iter().filter(|to| to.to_string_lossy().starts_with(kind)).collect::<Vec<_>>();
        assert!(of_kind("pipe:").len() == 1 && of_kind("socket:").len() == 1, "{own:?}");
        assert!(!parents.contains(of_kind("socket:")[0]), "the parent's end: {own:?}");
        channels.extend([of_kind("pipe:")[0].clone(), of_kind("socket:")[0].clone()]);
        assert_eq!(fs::read_link(format!("/proc/{worker}/fd/0")).unwrap(), PathBuf::from("/dev/null"));
    }
    assert_eq!(channels.len(), 2 * workers.len(), "a sibling's: {channels:?}");
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_eq!(left_alive(), NOBODY);
}

/// A death signal would come when that thread ends; and workers are replaced on yet others.
pub fn p14_a_strategy_outlives_the_thread_it_was_started_on<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(1), |_: &mut S| {
        let start = || binary.start::<S>(WORKERS);
        let mut strategy = thread::scope(|scope| scope.spawn(start).join().unwrap());
        let workers = live_children(process::id());
        agrees(&mut strategy, Fill(job(9, 100, Skew::Uniform)));
        assert_eq!(live_children(process::id()), workers, "workers ended with the thread");
        let once = of(9, 100, vec![fault(4, FaultKind::Kill).once("once")]);
        let (strategy, outcomes) = thread::scope(|scope| {
            let run = || {
                let outcomes = strategy.run(&once);
                (strategy, outcomes)
            };
            scope.spawn(run).join().unwrap()
        });
        right_but(&once, outcomes, &[]);
        drop(strategy);
    });
}

/// Neither holds the other's channels open, whichever ends first.
pub fn p14_two_strategies_run_at_once<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |first: &mut S| {
        for _ in 0..ROUNDS {
            let mut second = binary.start::<S>(2);
            thread::scope(|scope| {
                scope.spawn(|| agrees(first, Fill(job(20, 1_000, Skew::Zipf))));
                let faulty = of(20, 100, vec![fault(3, FaultKind::Kill)]);
                let outcomes = second.run(&faulty);
                right_but(&faulty, outcomes, &[3]);
                drop(second);
            });
        }
    });
}

/// Each with a batch, so that there is something to leave.
pub fn p14_a_hundred_starts_and_drops_leave_nothing<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(1), |_: &mut S| {
        let before = Holdings::now();
        for _ in 0..100 {
            let mut strategy = binary.start::<S>(2);
            agrees(&mut strategy, Sum(job(2, 10, Skew::Uniform)));
            drop(strategy);
        }
        // Compared without a wait: what Drop leaves for later must not add up.
        assert_eq!(Holdings::now(), before);
    });
}

/// The caller's own code can panic in the parent too. It is that key's failure, like any other.
pub fn p14_a_panic_where_an_output_is_received_is_its_keys_alone<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        let faulty = of(30, 10_000, vec![fault(0, FaultKind::PanicReceiving), fault(7, FaultKind::PanicReceiving)]);
        let outcomes = strategy.run(&faulty);
        for key in [0, 7] {
            let told = outcomes[key].as_ref().expect_err("the parent panicked").to_string();
            assert!(told.contains(&format!("a fault in the parent of key {key}")), "{told}");
        }
        right_but(&faulty, outcomes, &[0, 7]);
    });
}

/// No batch can be left half-way but with the process itself, since `run` borrows: see P9. What is left to drop by a
/// panic is a strategy that has just lost some workers and has others.
pub fn p14_dropped_by_a_panic_it_leaves_nothing<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(1), |_: &mut S| {
        for _ in 0..ROUNDS {
            let owner = || {
                let mut strategy = binary.start::<S>(WORKERS);
                let outcomes =
                    strategy.run(&of(9, 100, vec![fault(3, FaultKind::Kill), fault(8, FaultKind::SendTwice)]));
                panic!("the owner of {} outcomes", outcomes.len());
            };
            assert!(panic::catch_unwind(panic::AssertUnwindSafe(owner)).is_err());
        }
    });
}

/// It is told so; no process comes of it.
pub fn p15_a_key_may_not_start_workers<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        let keys: Vec<_> = (0..10).map(|key| (key, FaultKind::Nested)).collect();
        for outcome in strategy.run(&Arc::new(faulty(10, &keys))) {
            let Err(KeyError::Panicked { message }) = outcome else { panic!("{outcome:?}") };
            assert!(message.contains("a worker process may not start workers"), "{message}");
        }
    });
}

/// A `main` without the call starts itself as its worker, which would start its own, and so on.
pub fn p15_a_program_that_forgot_to_serve_is_told_so<S: Subject>(binary: &Binary) {
    if alone::part().is_some() {
        // What such a `main` does, whether it is meant to be a worker or not.
        let told = refusals::<S>(&binary.context(WORKERS), 2);
        eprintln!("{}", told[0]);
        assert_eq!(alone::children(process::id()), NOBODY);
        process::exit(1);
    }
    let arguments = ["FANOUT_ALONE_PART=forgets".into(), env::current_exe().unwrap().into_os_string()];
    let arguments = arguments.into_iter().chain(alone::only(binary.test).map(Into::into)).chain(["--".into()]);
    let forgets = WorkerCommand { arguments: arguments.collect(), ..WorkerCommand::of("/usr/bin/env") };
    let start = Instant::now();
    for reason in refusals::<S>(&binary.context(WORKERS).with_worker_command(forgets), 2) {
        assert!(reason.contains("a worker process may not start workers"), "{reason}");
        assert!(reason.contains("worker::serve"), "{reason}");
    }
    assert!(start.elapsed() < 2 * SOON, "{:?}", start.elapsed());
}

/// With fewer keys than workers, with one, and with none.
pub fn p16_there_are_never_more_processes_than_keys<S: Subject>(binary: &Binary) {
    for keys in [1, 3] {
        let mut command = binary.command(&format!("--keys {keys} --count 10 --workers 8"));
        let marks: Vec<_> = (0..keys).map(|key| mark(&format!("{keys}-{key}"))).collect();
        for (key, mark) in marks.iter().enumerate() {
            command.arg("--fault").arg(format!("{key}:sleep@{}", mark.display()));
        }
        let mut parent = command.spawn().unwrap();
        all_there(&marks);
        assert_eq!(live_children(parent.id()).len(), keys);
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert_eq!(left_alive(), NOBODY);
    }
    // Where not one process can be started, none is needed.
    let one = binary.limited("ulimit -n 5", "--keys 1 --count 10 --format json");
    assert_eq!(one.status.code(), Some(1), "the limit did not bite: {one:?}");
    let none = binary.limited("ulimit -n 5", "--keys 0 --format json");
    assert!(none.status.success() && none.stderr.is_empty(), "{none:?}");
    clean_after(&binary.context(2), |strategy: &mut S| {
        let before = alone::children(process::id());
        agrees(strategy, Fill(job(0, 10, Skew::Uniform)));
        assert_eq!(alone::children(process::id()), before);
    });
}

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
    Arc::new(Faulty { fill: Fill(job(keys, count, Skew::Uniform)), faults })
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
