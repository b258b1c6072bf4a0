//! How the program ends that workers belong to, what else it does, and that no worker outlives it.

use super::*;

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
