//! Keys past their deadline, workers that are stopped, and programs that are.

use super::*;

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

/// They cannot exit when they are asked to. The promise is one second for all of them, not for each.
pub fn p05_seven_stopped_workers_are_dropped_within_a_second<S: Subject>(binary: &Binary) {
    let before = Holdings::now();
    let mut strategy = binary.start::<S>(7);
    agrees(&mut strategy, Fill(job(14, 10, Skew::Uniform)));
    for worker in live_workers(process::id()) {
        kill_process(raw(worker), Signal::STOP).unwrap();
    }
    let took = timed(|| drop(strategy));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(settled(&before, Holdings::now).children(), before.children());
}

/// Not how long the workload takes to be sent, nor to be decoded.
pub fn p05_a_deadline_counts_nothing_but_the_key<S: Subject>(binary: &Binary) {
    let context = binary.context(2).with_deadline(Some(Duration::from_secs(1)));
    clean_after(&context, |strategy: &mut S| {
        let slow = of(4, 10, vec![fault(0, FaultKind::SlowLoading)]);
        for faulty in [slow, large(8)] {
            let outcomes = strategy.run(&faulty);
            right_but(&faulty, outcomes, &[]);
        }
    });
}

/// Its answer counts. The next key, in this batch or the next, is asked of another worker, and has its whole time.
pub fn p18_a_worker_stopped_after_its_answer_costs_no_key_its_time<S: Subject>(binary: &Binary) {
    let context = binary.context(1).with_deadline(Some(Duration::from_millis(500)));
    clean_after(&context, |strategy: &mut S| {
        let dies_once = |key, name: &str| fault(key, FaultKind::Kill).once(name);
        rounds_of(3, |round| {
            let faulty = of(4, 10, vec![fault(0, FaultKind::StopAfter), dies_once(1, &round.to_string())]);
            let outcomes = strategy.run(&faulty);
            right_but(&faulty, outcomes, &[]);
        });
        // With a workload to load before its key: a worker has ten seconds for that.
        for faulty in [of(1, 10, vec![fault(0, FaultKind::StopAfter)]), of(2, 10, vec![dies_once(0, "next")])] {
            let start = Instant::now();
            let outcomes = strategy.run(&faulty);
            assert!(start.elapsed() < Duration::from_secs(10) + SOON, "{:?}", start.elapsed());
            right_but(&faulty, outcomes, &[]);
        }
    });
}

/// Its workers go on meanwhile: their answers lie in the channels, or are too large for that and wait to be taken.
pub fn p19_a_pause_of_the_program_is_no_keys_time<S: Subject>(binary: &Binary) {
    for count in [10, 400_000] {
        let flags = format!("--keys 5 --count {count} --workers 3 --deadline 1 --format json --digest");
        let whole = binary.run(&flags);
        rounds_of(3, |round| {
            let released = mark(&format!("released-{count}-{round}"));
            let parent = paused(binary, &flags, &format!("{count}-{round}"), "patient", &released);
            let output = parent.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            assert_eq!(json(&output)["digest"], json(&whole)["digest"]);
        });
    }
}

/// A pause does not make it a longer one than it is.
pub fn p19_a_deadline_is_kept_after_a_pause<S: Subject>(binary: &Binary) {
    let flags = "--keys 5 --count 10 --workers 3 --deadline 1 --format json";
    let parent = paused(binary, flags, "hangs", "hang", &mark("released"));
    let start = Instant::now();
    let output = parent.wait_with_output().unwrap();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(failed(&output), [0, 1, 2]);
    assert!(stderr(&output).contains("key 1: ran past its deadline of 1s"), "{output:?}");
}

/// The strategy's program after a pause that was longer than its deadline. Its first three keys had been taken and did
/// what `kind` says; those that are patient were released while it was stopped.
fn paused(binary: &Binary, flags: &str, name: &str, kind: &str, released: &Path) -> Child {
    let mut command = binary.command(flags);
    let taken: Vec<_> = (0..3).map(|key| mark(&format!("{name}-{key}"))).collect();
    for (key, taken) in taken.iter().enumerate() {
        command.arg("--fault").arg(format!("{key}:mark@{}", taken.display()));
        command.arg("--fault").arg(format!("{key}:{kind}"));
    }
    command.arg("--fault").arg(format!("3:mark@{}", released.display()));
    let parent = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    all_there(&taken);
    kill_process(raw(parent.id()), Signal::STOP).unwrap();
    File::create(released).unwrap();
    thread::sleep(Duration::from_millis(1500));
    kill_process(raw(parent.id()), Signal::CONT).unwrap();
    parent
}
