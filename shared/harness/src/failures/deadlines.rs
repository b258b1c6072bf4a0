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
