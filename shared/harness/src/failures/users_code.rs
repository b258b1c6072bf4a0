//! The user's own code where it is not the key: how workloads and outputs are encoded, decoded and dropped.

use super::*;

/// With its own message, and the worker lives on: it is encoded, decoded or measured on either side.
pub fn p23_a_panic_beside_the_key_is_its_failure_alone<S: Subject>(binary: &Binary) {
    for (kind, told) in [
        (FaultKind::PanicSending, "panicked: a fault where the output is sent"),
        (FaultKind::TooLong, "its output could not cross: "),
        (FaultKind::PanicLimiting, "panicked: a fault in the limit of key"),
        (FaultKind::PanicReceiving, "panicked: a fault in the parent of key"),
        (FaultKind::PanicDecoding, "panicked: in the parent: a fault where the output is decoded"),
    ] {
        clean_after(&binary.context(WORKERS), |strategy: &mut S| {
            let workers = live_workers(process::id());
            let faulty = of(9, 100, vec![fault(2, kind), fault(5, kind)]);
            let outcomes = strategy.run(&faulty);
            for key in [2, 5] {
                let error = outcomes[key].as_ref().expect_err("no output came").to_string();
                assert!(error.starts_with(told), "{kind:?}: {error}");
            }
            right_but(&faulty, outcomes, &[2, 5]);
            assert_eq!(live_workers(process::id()), workers, "{kind:?} cost a worker");
        });
    }
}

/// It has been sent by then: no key fails, and the worker lives on.
pub fn p23_a_panic_where_an_output_is_dropped_costs_nothing<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        rounds::<S>(|_| {
            let workers = live_workers(process::id());
            let faulty = of(9, 100, (0..9).map(|key| fault(key, FaultKind::PanicDropping)).collect());
            let outcomes = strategy.run(&faulty);
            right_but(&faulty, outcomes, &[]);
            assert_eq!(live_workers(process::id()), workers, "a panic cost a worker");
        });
    });
}

/// Nobody is asked again for each key, and each key is told why. It costs no worker.
pub fn p23_a_workload_that_cannot_cross_fails_the_rest_at_once<S: Subject>(binary: &Binary) {
    // A panic is told with its message; postcard keeps none of an error's, so that is told with the workload's name.
    for (kind, told) in [
        (FaultKind::PanicEncoding, "a fault where the workload is encoded"),
        (FaultKind::FailEncoding, "faulty"),
        (FaultKind::PanicLoading, "a fault where the workload is loaded"),
        (FaultKind::FailLoading, "faulty"),
    ] {
        clean_after(&binary.context(WORKERS), |strategy: &mut S| {
            let workers = live_workers(process::id());
            none_starts(strategy, kind, told);
            assert_eq!(live_workers(process::id()), workers, "{kind:?} cost a worker");
        });
    }
}

/// Each worker that is asked to load it says so on stderr.
pub fn p23_a_workload_that_cannot_be_loaded_starts_few_processes<S: Subject>(binary: &Binary) {
    let output = binary.run("--keys 10000 --count 1 --workers 3 --fault 0:panic-loading --format json");
    assert_eq!(failed(&output).len(), 10_000);
    let told = stderr(&output);
    let loads = told.lines().filter(|line| *line == "a fault where the workload is loaded").count();
    assert!((1..=12).contains(&loads), "{loads} processes were asked to load it");
}

/// A few are replaced, since a death may be somebody else's doing. Then each key is told how they ended.
pub fn p23_a_workload_that_ends_every_worker_fails_the_rest_at_once<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        none_starts(strategy, FaultKind::AbortLoading, "SIGABRT");
    });
}

/// It had not been taken: the key has the try left that its own death costs.
pub fn p23_a_worker_that_dies_while_it_loads_costs_no_key<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(1), |strategy: &mut S| {
        rounds::<S>(|round| {
            let once = |kind| fault(0, kind).once(&format!("{kind:?}-{round}"));
            let faulty = of(3, 100, vec![once(FaultKind::AbortLoading), once(FaultKind::Kill)]);
            let outcomes = strategy.run(&faulty);
            right_but(&faulty, outcomes, &[]);
        });
    });
}

/// That none of ten thousand keys is started, and each is told so, all in the time of a few.
fn none_starts<S: Subject>(strategy: &mut S, kind: FaultKind, told: &str) {
    let faulty = of(10_000, 1, vec![fault(0, kind)]);
    let start = Instant::now();
    let outcomes = strategy.run(&faulty);
    assert!(start.elapsed() < SOON, "{kind:?}: {:?}", start.elapsed());
    assert_eq!(outcomes.len(), 10_000);
    for outcome in outcomes {
        let Err(KeyError::NotStarted(error)) = outcome else { panic!("{kind:?}: {outcome:?}") };
        assert!(error.to_string().contains(told), "{kind:?}: {error}");
    }
}
