//! What comes over a channel that nobody asked for, and where the words of a key go.

use super::*;

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
