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
    for _ in 0..often::<S>() {
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
        let workers = live_workers(process::id());
        agrees(&mut strategy, Fill(job(9, 100, Skew::Uniform)));
        assert_eq!(live_workers(process::id()), workers, "workers ended with the thread");
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
        for _ in 0..often::<S>() {
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
        // A thread that was waited for may be listed for a moment more. What adds up over a hundred is not gone then.
        assert_eq!(settled(&before, Holdings::now), before);
    });
}

/// No batch can be left half-way but with the process itself, since `run` borrows: see P9. What is left to drop by a
/// panic is a strategy that has just lost some workers and has others.
pub fn p14_dropped_by_a_panic_it_leaves_nothing<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(1), |_: &mut S| {
        for _ in 0..often::<S>() {
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

/// Stopped in a key, or while idle: a signal is the only thing that ends them.
pub fn p21_stopped_workers_end_with_a_killed_parent<S: Subject>(binary: &Binary) {
    for third in ["stop", "mark"] {
        rounds::<S>(|round| {
            let mut parent = busy(binary, &format!("{third}-{round}"), third, |_| {});
            for worker in live_workers(parent.id()) {
                // One whose key is done may have ended by now.
                let _already_gone = kill_process(raw(worker), Signal::STOP);
            }
            parent.kill().unwrap();
            parent.wait().unwrap();
            let left = left_alive();
            left.iter().copied().for_each(alone::end);
            assert_eq!(left, NOBODY);
        });
    }
}

/// When the deadline of its key passes, and when the worker is killed.
pub fn p21_what_a_key_started_ends_with_its_worker<S: Subject>(binary: &Binary) {
    let deadline = Duration::from_millis(500);
    clean_after_orphans(&binary.context(WORKERS).with_deadline(Some(deadline)), |strategy: &mut S| {
        rounds_of(5, |_| {
            let faulty = of(6, 10, vec![fault(1, FaultKind::LeaveChild)]);
            let outcomes = strategy.run(&faulty);
            assert!(matches!(outcomes[1], Err(KeyError::TimedOut { .. })), "{:?}", outcomes[1]);
            right_but(&faulty, outcomes, &[1]);
            tools_gone();
        });
    });
    clean_after_orphans(&binary.context(WORKERS), |strategy: &mut S| {
        rounds::<S>(|round| {
            let faulty = of(6, 10, vec![fault(1, FaultKind::LeaveChild).once(&format!("left-{round}"))]);
            let outcomes = thread::scope(|scope| {
                scope.spawn(|| {
                    tools_there();
                    killed(&live_workers(process::id()));
                });
                strategy.run(&faulty)
            });
            right_but(&faulty, outcomes, &[]);
            tools_gone();
        });
    });
}

/// The workers do. What a key started is a limit where its parent is killed: the system ends the worker, and nobody is
/// left to end the rest of the worker's group.
pub fn p21_workers_end_with_a_killed_parent_whose_key_started_something<S: Subject>(binary: &Binary) {
    rounds::<S>(|round| {
        let mut parent = busy(binary, &round.to_string(), "leave-child", |_| {});
        tools_there();
        let workers = live_workers(parent.id());
        parent.kill().unwrap();
        parent.wait().unwrap();
        let still = || workers.iter().copied().filter(|&worker| alone::is_alive(worker)).collect::<Vec<_>>();
        assert_eq!(settled(&Vec::new(), still), NOBODY);
        let left = || alone::descendants(process::id()).into_iter().filter(|&process| alone::is_alive(process));
        left().for_each(alone::end);
        assert_eq!(left_alive(), NOBODY);
    });
}

/// The child has copies of all descriptors, and the program's process goes on as another program: no end of a channel
/// tells of it.
pub fn p21_idle_workers_end_with_a_program_that_forks_and_execs<S: Subject>(binary: &Binary) {
    let told = mark("child");
    if alone::part().is_some() {
        let mut strategy = binary.start::<S>(WORKERS);
        agrees(&mut strategy, Fill(job(6, 10, Skew::Uniform)));
        let child = forked(|| {
            loop {
                thread::park();
            }
        });
        fs::write(&told, child.to_string()).unwrap();
        panic!("{}", Command::new("sleep").arg("1000").exec());
    }
    let mut program = alone::play(binary.test, "execs").spawn().unwrap();
    let child = within(10 * SOON, || fs::read_to_string(&told).ok()?.parse().ok()).expect("the child's id");
    let name = || fs::read_to_string(format!("/proc/{}/comm", program.id())).unwrap();
    assert_eq!(settled(&String::from("sleep\n"), name), "sleep\n");
    assert_eq!(settled(&vec![child], || live_children(program.id())), [child]);
    program.kill().unwrap();
    program.wait().unwrap();
    alone::end(child);
    assert_eq!(left_alive(), NOBODY);
}

/// It goes to the whole group, as the terminal sends it. Each key prints once: none is run again.
pub fn p22_an_interrupt_that_the_program_handles_costs_no_key_a_try<S: Subject>(binary: &Binary) {
    let marks = |part: &str| (0..WORKERS).map(|key| format!("{part}-{key}")).collect::<Vec<_>>();
    let released = |part: &str| format!("{part}-released");
    if let Some(part) = alone::part() {
        handle_interrupts();
        let mut strategy = binary.start::<S>(WORKERS);
        let waiting = marks(&part).into_iter().enumerate().flat_map(|(key, mark)| {
            [fault(key, FaultKind::Mark).once(&mark), fault(key, FaultKind::Print), fault(key, FaultKind::Patient)]
        });
        let last = fault(WORKERS, FaultKind::Mark).once(&released(&part));
        let faulty = of(WORKERS + 1, 100, waiting.chain([last]).collect());
        let outcomes = strategy.run(&faulty);
        right_but(&faulty, outcomes, &[]);
        return;
    }
    rounds::<S>(|round| {
        let part = round.to_string();
        let mut program = alone::play(binary.test, &part);
        let program = program.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        all_there(&marks(&part).iter().map(|name| mark(name)).collect::<Vec<_>>());
        kill_process_group(raw(program.id()), Signal::INT).unwrap();
        File::create(mark(&released(&part))).unwrap();
        let output = program.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let told = stderr(&output);
        assert_eq!(told.lines().filter(|line| line.starts_with("printed in key")).count(), WORKERS, "{told}");
    });
}

/// Has SIGINT interrupt system calls, and nothing else.
fn handle_interrupts() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    #[expect(unsafe_code, reason = "a program that handles a signal is what is tested")]
    unsafe { sigaction(Signal::SIGINT, &action) }.expect("SIGINT may be handled");
}

/// Nobody then keeps how they ended.
pub fn p22_a_program_that_ignores_the_end_of_its_children_is_served<S: Subject>(binary: &Binary) {
    let start = Instant::now();
    let flags = "--keys 9 --count 10 --workers 3 --fault 2:kill --fault 5:kill-sending --format json";
    let output = binary.limited(r#"exec env --ignore-signal=CHLD "$@""#, flags);
    assert!(start.elapsed() < 2 * SOON, "{:?}", start.elapsed());
    assert_eq!(failed(&output), [2, 5], "{output:?}");
    assert_eq!(json(&output)["output_bytes"], 560);
    assert_eq!(left_alive(), NOBODY);
}

/// The child exits, or drops its copy, or runs it: each key then is right or is told why it is not. The program's own
/// workers are the same after it, and go on.
pub fn p25_a_forked_copy_of_the_program_leaves_its_workers_alone<S: Subject>(binary: &Binary) {
    for what in ["exits", "drops", "runs"] {
        clean_after_orphans(&binary.context(1), |_: &mut S| {
            let mut strategy = Some(binary.start::<S>(WORKERS));
            rounds::<S>(|_| {
                agrees(strategy.as_mut().unwrap(), Fill(job(9, 100, Skew::Uniform)));
                let workers = live_workers(process::id());
                let child = forked(|| {
                    match what {
                        "exits" => {}
                        "drops" => drop(strategy.take()),
                        _ => right_or_not_started(strategy.as_mut().unwrap()),
                    }
                    0
                });
                assert_eq!(status_of(child), Some(0), "the child that {what}");
                assert_eq!(live_workers(process::id()), workers, "after the child that {what}");
                agrees(strategy.as_mut().unwrap(), Fill(job(9, 100, Skew::Uniform)));
                assert_eq!(live_workers(process::id()), workers, "after the child that {what}");
            });
        });
    }

    fn right_or_not_started<S: Subject>(strategy: &mut S) {
        let fill = Arc::new(Fill(job(9, 100, Skew::Uniform)));
        for (key, outcome) in strategy.run(&fill).into_iter().enumerate() {
            match outcome {
                Ok(block) => assert_eq!(block, fill.expand(key)),
                Err(KeyError::NotStarted(_)) => {}
                Err(error) => panic!("key {key}: {error}"),
            }
        }
    }
}

/// The status that a child exits with. Nothing if it does not in time; it is killed then.
fn status_of(child: u32) -> Option<i32> {
    use rustix::process::waitpid;
    let status = within(SOON, || waitpid(Some(raw(child)), WaitOptions::NOHANG).unwrap()?.1.exit_status());
    if status.is_none() {
        alone::end(child);
        let _already_gone = waitpid(Some(raw(child)), WaitOptions::empty());
    }
    status
}
