//! Workers that die: while they compute, while they send, while they are idle, before they are workers.

use super::*;

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

/// End-of-file never comes then. The grandchildren end with their workers.
pub fn p01_a_death_is_seen_though_a_grandchild_holds_the_channel_open<S: Subject>(binary: &Binary) {
    let mut strategy = binary.start::<S>(WORKERS);
    let faulty = of(6, 100, vec![fault(2, FaultKind::KillLeavingChild)]);
    let start = Instant::now();
    let outcomes = strategy.run(&faulty);
    assert!(start.elapsed() < 2 * SOON, "{:?}", start.elapsed());
    died(&outcomes[2], Exit::Signal(9), Stage::Computing);
    right_but(&faulty, outcomes, &[2]);
    drop(strategy);
    assert_eq!(left_alive(), NOBODY);
}

/// A key is tried once more, and each race kills once.
pub fn p01_workers_killed_while_they_send_at_random_moments_lose_no_key<S: Subject>(binary: &Binary) {
    // Blocks that take several turns to send and almost nothing to compute.
    let specials = (0..30).map(|key| fault(key, FaultKind::Specials)).collect();
    let faulty = of(30, 100_000, specials);
    let length = length::<S, _>(binary, &faulty);
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        killed_at_random::<S>(
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
        killed_at_random::<S>(length, |workers| vec![workers[random(workers.len())]], || agrees(strategy, sum()));
    });
}

/// No key had them.
pub fn p02_workers_killed_while_idle_lose_no_key<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        let workers = live_workers(process::id()).len();
        for _ in 0..often::<S>() {
            let idle = live_workers(process::id());
            assert_eq!(idle.len(), workers);
            killed(&idle);
            agrees(strategy, Fill(job(10, 100, Skew::Uniform)));
            let others = |now: &Vec<u32>| now.len() == idle.len() && idle.iter().all(|worker| !now.contains(worker));
            let replaced = within(SOON, || Some(live_workers(process::id())).filter(others));
            assert!(replaced.is_some(), "{idle:?} became {:?}", live_workers(process::id()));
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
        assert!(reason.contains("No such file or directory") && reason.contains("/nowhere/at/all"), "{reason}");
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

/// Its message and place, whether a backtrace or the advice to ask for one comes after them.
pub fn p03_the_last_words_hold_what_a_panic_said<S: Subject>(binary: &Binary) {
    for backtrace in [None, Some("0"), Some("1"), Some("full")] {
        let mut command = binary.command("--keys 3 --count 10 --workers 1 --fault 1:abort-with-panic --format json");
        command.env_remove("RUST_BACKTRACE").envs(backtrace.map(|value| ("RUST_BACKTRACE", value)));
        let output = command.output().unwrap();
        assert_eq!(failed(&output), [1]);
        let reason = json(&output)["failed"][0]["reason"].to_string();
        for told in ["SIGABRT", "a fault that ends the process", "acts.rs:"] {
            assert!(reason.contains(told), "RUST_BACKTRACE={backtrace:?}: {reason}");
        }
    }
}

/// It has nothing to answer with, and nobody killed it.
pub fn p03_a_worker_that_closed_its_descriptors_is_not_told_as_killed<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        rounds::<S>(|round| {
            // At once, and a while after it.
            let kinds = [FaultKind::CloseAll, [FaultKind::Mark, FaultKind::Slow][round % 2]];
            let faulty = of(6, 100, kinds.map(|kind| fault(3, kind)).to_vec());
            let start = Instant::now();
            let outcomes = strategy.run(&faulty);
            assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
            died(&outcomes[3], Exit::Code(1), Stage::Computing);
            right_but(&faulty, outcomes, &[3]);
        });
    });
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
    let wait = || Wait::from(job(30, 2_000, Skew::Uniform));
    let length = length::<S, _>(binary, &Arc::new(wait()));
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        killed_at_random::<S>(length, <[u32]>::to_vec, || agrees(strategy, wait()));
    });
}

/// Replacements too, before they said hello and after. What becomes of a key then is luck; that something does is not.
pub fn p04_workers_killed_again_and_again_leave_an_outcome_for_every_key<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        let over = AtomicBool::new(false);
        let (outcomes, hits) = thread::scope(|scope| {
            let killer = scope.spawn(|| {
                let mut hits = 0;
                while hits < often::<S>() && !over.load(Ordering::Relaxed) {
                    let workers = live_workers(process::id());
                    hits += usize::from(!workers.is_empty());
                    killed(&workers);
                }
                hits
            });
            let outcomes = strategy.run(&Arc::new(Wait::from(job(200, 1_000, Skew::Uniform))));
            over.store(true, Ordering::Relaxed);
            (outcomes, killer.join().expect("a killer does not panic"))
        });
        assert!(hits > 0 && outcomes.len() == 200);
        for (key, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(output) => assert_eq!(output, [key as u64]),
                Err(KeyError::Died { exit: Exit::Signal(9), .. } | KeyError::NotStarted(_)) => {}
                Err(error) => panic!("key {key}: {error}"),
            }
        }
    });
}

/// Its answer counts. The key after it has a death of its own, and the one try more that it costs: none is left for
/// another's. The last key of a batch and the first of the next are such a pair too.
pub fn p18_the_end_of_a_worker_after_its_answer_costs_no_key_a_try<S: Subject>(binary: &Binary) {
    for kind in [FaultKind::DieAfter, FaultKind::PanicDropping] {
        for workers in [1, WORKERS] {
            clean_after(&binary.context(workers), |strategy: &mut S| {
                rounds::<S>(|round| {
                    let dies_once =
                        |key| fault(key, FaultKind::Kill).once(&format!("{kind:?}-{workers}-{round}-{key}"));
                    let first = (0..10).filter(|key| key % 3 < 2);
                    let first = first.map(|key| if key % 3 == 0 { fault(key, kind) } else { dies_once(key) });
                    for faulty in [of(10, 100, first.collect()), of(3, 100, vec![dies_once(0)])] {
                        let outcomes = strategy.run(&faulty);
                        right_but(&faulty, outcomes, &[]);
                    }
                });
            });
        }
    }
}
