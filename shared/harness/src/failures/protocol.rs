//! What comes over a channel that nobody asked for, and where the words of a key go.

use super::*;

/// From a program that says hello as a worker does, and then anything, whatever is waited for. It is killed at once.
pub fn p06_garbage_is_an_error_and_nothing_is_made_of_it<S: Subject>(binary: &Binary) {
    let loaded = [hello(), LOAD.into(), say(&reply(LOADED, 1, 0))].concat();
    let taken = [loaded.as_str(), TAKE, &say(&reply(TAKEN, 2, 0))].concat();
    let after = |said: &str, lie: &[u8]| format!("{said}{}exec sleep 1000", say(lie));
    let unready = "could not be started";
    for (script, told) in [
        // Before it is a worker.
        (after("", b"Password: hunter2"), ["", "it did not say hello"]),
        (after("", &[&b"fanoutWK"[..], &[9, 0, 0, 0], &[0; 4]].concat()), ["", "version 9"]),
        // Where it has been sent the workload.
        (after(&[&hello(), LOAD].concat(), &[b'x'; 24]), [unready, "began with 78787878"]),
        (after(&[&hello(), LOAD].concat(), &reply(9, 1, 0)), [unready, "kind 9"]),
        (after(&[&hello(), LOAD].concat(), &reply(LOADED, 7, 0)), [unready, "call 7"]),
        (after(&[&hello(), LOAD].concat(), &reply(LOADED, 1, 1 << 62)), [unready, "4611686018427387904 bytes"]),
        (after(&[&hello(), LOAD].concat(), &reply(REFUSED, 1, 1 << 20)), [unready, "1048576 bytes"]),
        // Where it has been asked for the key.
        (after(&[&loaded, TAKE].concat(), &[b'x'; 24]), [unready, "began with 78787878"]),
        (after(&[&loaded, TAKE].concat(), &reply(TAKEN, 7, 0)), [unready, "call 7"]),
        (after(&[&loaded, TAKE].concat(), &reply(TAKEN, 2, 1)), [unready, "1 bytes"]),
        (after(&[&loaded, TAKE].concat(), &reply(OUTPUT, 2, 0)), [unready, "output"]),
        // Where it has taken it.
        (after(&taken, &[b'x'; 24]), ["", "began with 78787878"]),
        (after(&taken, &reply(9, 2, 0)), ["", "kind 9"]),
        (after(&taken, &reply(OUTPUT, 7, 0)), ["", "call 7"]),
        (after(&taken, &reply(TAKEN, 2, 0)), ["", "taken"]),
        (after(&taken, &reply(OUTPUT, 2, 1 << 62)), ["", "4611686018427387904 bytes"]),
        (after(&taken, &reply(PANICKED, 2, 1 << 20)), ["", "1048576 bytes"]),
        (after(&taken, &reply(UNSENT, 2, 1 << 20)), ["", "1048576 bytes"]),
        (format!("{taken}cat /dev/zero >&0 2>/dev/null; exec sleep 1000"), ["", "began with 00000000"]),
        (format!("{taken}exec </dev/null; exec sleep 1000"), ["", "it closed its channel and lived on"]),
    ] {
        lies_in_vain::<S>(&binary.context(1), &script, &told);
    }
    // An answer in order, of which the workload's codec can make nothing.
    let undecodable = after(&taken, &[reply(OUTPUT, 2, 7), b"1234567".to_vec()].concat());
    for reason in refusals::<S>(&binary.context(1).with_worker_command(shell(&undecodable)), 1) {
        assert!(reason.contains("its output could not cross: 7 bytes are no f64s"), "{reason}");
    }
}

/// It says hello, and has all the time that the workload takes to be loaded; but not to take a key, or there would be no
/// deadline.
pub fn p06_a_worker_that_takes_no_key_is_an_error_in_time<S: Subject>(binary: &Binary) {
    let silent = [&hello(), LOAD, &say(&reply(LOADED, 1, 0)), "exec sleep 1000"].concat();
    let context = binary.context(1).with_deadline(Some(Duration::from_millis(200)));
    let start = Instant::now();
    for reason in refusals::<S>(&context.with_worker_command(shell(&silent)), 1) {
        assert!(reason.contains("could not be started"), "{reason}");
        assert!(!reason.contains("10s"), "{reason}");
    }
    assert!(start.elapsed() < 2 * SOON, "{:?}", start.elapsed());
}

/// The one key fails with what is told, soon, and in no more memory than threads reserve; and nobody is left.
fn lies_in_vain<S: Subject>(context: &Context, script: &str, told: &[&str]) {
    let (start, before, memory) = (Instant::now(), Holdings::now(), peak());
    for reason in refusals::<S>(&context.clone().with_worker_command(shell(script)), 1) {
        let all = told.iter().all(|told| reason.contains(told));
        assert!(all && reason.contains("broke the protocol"), "{script}: {reason}");
    }
    assert!(start.elapsed() < SOON, "{script}: {:?}", start.elapsed());
    // Threads reserve more than a block of 800 bytes does.
    assert!(peak() - memory < 1 << 20, "{script}: {} kB", peak() - memory);
    // `head` or `cat` may outlive the shell that started it by a moment, and then ends without its channel.
    let gone = settled(&before.children(), || {
        let _reaped = rustix::process::wait(WaitOptions::NOHANG);
        Holdings::now().children()
    });
    assert_eq!(gone, before.children(), "{script}");
}

/// Takes the workload as a worker does: a request's head, and as many bytes as its third number says.
const LOAD: &str = "n=$(head -c 56 | od -An -tu8 -j16 -N8); head -c $n >/dev/null; ";

/// Takes the request for a key, which has eight bytes behind its head.
const TAKE: &str = "head -c 64 >/dev/null; ";

// The kinds of replies: shared/fanout-pool/src/protocol.rs.
const OUTPUT: u32 = 1;
const PANICKED: u32 = 2;
const UNSENT: u32 = 3;
const LOADED: u32 = 4;
const REFUSED: u32 = 5;
const TAKEN: u32 = 6;

/// Says hello.
fn hello() -> String {
    say(&[&b"fanoutWK"[..], &[3, 0, 0, 0], &[0; 4]].concat())
}

/// The head of a reply.
fn reply(kind: u32, call: u64, length: u64) -> Vec<u8> {
    [&b"fan:"[..], &kind.to_le_bytes(), &call.to_le_bytes(), &length.to_le_bytes()].concat()
}

/// A command of the shell that writes these bytes to the channel.
fn say(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!(r"\{byte:03o}")).collect();
    format!("printf '{escaped}' >&0; ")
}

/// What comes after an answer is never another's: not the same answer again, in this batch or the next, not garbage. Nor
/// is it another's fault.
pub fn p06_a_worker_that_says_more_than_asked_is_not_believed<S: Subject>(binary: &Binary) {
    for kind in [FaultKind::SendTwice, FaultKind::SendGarbage] {
        clean_after(&binary.context(1), |strategy: &mut S| {
            let faulty = of(6, 100, vec![fault(2, kind)]);
            let outcomes = strategy.run(&faulty);
            right_but(&faulty, outcomes, &[]);

            // A key of the same index in a batch of its own: the first answer would fit it.
            let before = of(1, 50, vec![fault(0, kind)]);
            let outcomes = strategy.run(&before);
            right_but(&before, outcomes, &[]);
            agrees(
                strategy,
                Fill(
                    workloads::Job::new(workloads::Parameters { keys: 1, count: 50, seed: 7, ..Default::default() })
                        .unwrap(),
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

/// Its thread writes while nobody runs a batch: the program takes what it says all the same.
pub fn p07_a_thread_that_logs_in_an_idle_worker_is_not_held_up<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(1), |strategy: &mut S| {
        rounds_of(3, |round| {
            let name = format!("logged-{round}");
            let faulty = of(2, 10, vec![fault(1, FaultKind::LogLater).once(&name)]);
            let outcomes = strategy.run(&faulty);
            right_but(&faulty, outcomes, &[]);
            // A worker that ends with its key takes its threads with it.
            if !live_workers(process::id()).is_empty() {
                all_there(&[mark(&name)]);
            }
        });
    });
}

/// The process that was started is heard, and no other.
pub fn p17_a_key_that_forks_and_returns_twice_is_never_mixed<S: Subject>(binary: &Binary) {
    // Within what the channel buffers, and far beyond it.
    for count in [10, 500_000] {
        clean_after_orphans(&binary.context(WORKERS), |strategy: &mut S| {
            rounds::<S>(|_| {
                let faulty = of(6, count, vec![fault(1, FaultKind::Fork), fault(4, FaultKind::Fork)]);
                let start = Instant::now();
                let outcomes = strategy.run(&faulty);
                assert!(start.elapsed() < 2 * SOON, "{:?}", start.elapsed());
                right_but(&faulty, outcomes, &[]);
            });
        });
    }
}

/// The program's status and digest say the same as its outputs.
pub fn p17_a_key_that_forks_and_returns_twice_is_never_reported_as_mixed<S: Subject>(binary: &Binary) {
    let flags = "--keys 6 --count 500000 --workers 3 --format json --digest";
    let whole = binary.run(flags);
    assert!(whole.status.success(), "{whole:?}");
    rounds::<S>(|_| {
        let output = binary.run(&format!("{flags} --fault 2:fork"));
        assert!(output.status.success(), "{output:?}");
        assert_eq!(json(&output)["digest"], json(&whole)["digest"]);
        assert_eq!(left_alive(), NOBODY);
    });
}

/// Not the key that the worker has then, nor the one that it is asked for next, in this batch or another.
pub fn p18_what_a_child_writes_into_the_channel_costs_no_key<S: Subject>(binary: &Binary) {
    clean_after_orphans(&binary.context(1), |strategy: &mut S| {
        rounds::<S>(|_| {
            let faults = [(0, FaultKind::ChildWrites), (1, FaultKind::Slow), (3, FaultKind::ChildWrites)];
            let faulty = of(4, 100, faults.map(|(key, kind)| fault(key, kind)).to_vec());
            let outcomes = strategy.run(&faulty);
            right_but(&faulty, outcomes, &[]);
            // The second child has written when only workers are left.
            let writing = || {
                let workers = live_workers(process::id());
                let mut below = workers.iter().flat_map(|&worker| live_children(worker));
                below.next().is_some()
            };
            assert!(!settled(&false, writing));
            agrees(strategy, Fill(job(3, 100, Skew::Uniform)));
        });
    });
}

/// What a program does that runs in the background. A key's words go to the stderr that there is, or nowhere.
pub fn p20_no_words_reach_a_channel_where_standard_streams_were_closed<S: Subject>(binary: &Binary) {
    let why = mark("why");
    let Some(part) = alone::part() else {
        for part in ["2", "0", "012"] {
            let output = alone::play(binary.test, part).output().unwrap();
            let why = fs::read_to_string(&why).unwrap_or_default();
            assert!(output.status.success(), "without {part}: {why} {output:?}");
        }
        return;
    };
    panic::set_hook(Box::new(move |panic| drop(fs::write(&why, panic.to_string()))));
    for digit in part.bytes() {
        // SAFETY: std writes to what is closed as to nothing.
        #[expect(unsafe_code, reason = "a program that closes its standard streams is what is tested")]
        unsafe {
            rustix::io::close(i32::from(digit - b'0'));
        }
    }
    rounds::<S>(|_| {
        let mut strategy = binary.start::<S>(WORKERS);
        let faulty = of(12, 100, (0..12).map(|key| fault(key, FaultKind::Print)).collect());
        for _ in 0..2 {
            let outcomes = strategy.run(&faulty);
            right_but(&faulty, outcomes, &[]);
        }
    });
}
