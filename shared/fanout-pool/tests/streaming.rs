//! Outputs that are sent while they are made, by real worker processes: what they cost the worker, and what becomes of the
//! call where one breaks off.

use std::io::{self, BufWriter, Write};

use fanout_pool::{CallError, Exit, Here, Outcome, Outgoing, PIECE, Pool, Raw, Stage, Task};
use serde::{Deserialize, Serialize};

/// Does what it is told.
struct Play;

#[derive(Clone, Serialize, Deserialize)]
enum Act {
    /// So many numbers, in pieces.
    Numbers(usize),
    /// So many, whole.
    Whole(usize),
    /// What the system says of the worker: its minor page faults so far, and the most memory it had, in bytes.
    Account,
    /// So many zeros are announced, and so many bytes written.
    Write { announced: usize, bytes: usize, then: Then },
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Then {
    Return,
    Fail,
    Panic,
}

impl Task for Play {
    type Shared = ();
    type Input = Act;
    type Output = Raw<f64>;

    fn call(_: &(), act: Act, _: &mut Here) -> Raw<f64> {
        match act {
            Act::Numbers(count) | Act::Whole(count) | Act::Write { announced: count, .. } => {
                Raw(numbers(count).collect())
            }
            Act::Account => account(),
        }
    }

    fn limit(act: &Act) -> u64 {
        match *act {
            Act::Numbers(count) | Act::Whole(count) | Act::Write { announced: count, .. } => 8 * count as u64,
            Act::Account => 16,
        }
    }

    fn answer(shared: &(), act: Act, here: &mut Here, to: Outgoing<'_>) -> io::Result<()> {
        match act {
            Act::Numbers(count) => {
                let mut pieces = BufWriter::with_capacity(PIECE, to.announce(8 * count as u64)?);
                numbers(count).try_for_each(|number| pieces.write_all(&number.to_ne_bytes()))?;
                pieces.flush()
            }
            Act::Write { announced, bytes, then } => {
                let mut pieces = BufWriter::with_capacity(64, to.announce(8 * announced as u64)?);
                pieces.write_all(&vec![0; bytes])?;
                pieces.flush()?;
                match then {
                    Then::Return => Ok(()),
                    Then::Fail => Err(io::Error::other("the rest is lost")),
                    Then::Panic => panic!("in the midst of it"),
                }
            }
            whole => fanout_pool::Transfer::send(&Self::call(shared, whole, here), to),
        }
    }
}
/// Announces more than its limit.
struct Excess;

impl Task for Excess {
    type Shared = ();
    type Input = ();
    type Output = Raw<u8>;

    fn call(_: &(), (): (), _: &mut Here) -> Raw<u8> {
        Raw(vec![7; 11])
    }

    fn limit((): &()) -> u64 {
        10
    }

    fn answer(_: &(), (): (), _: &mut Here, to: Outgoing<'_>) -> io::Result<()> {
        to.announce(11)?.write_all(&[7; 11])
    }
}

fanout_pool::register!(Play, Excess);

fn numbers(count: usize) -> impl Iterator<Item = f64> {
    (0..count).map(|index| 0.5 * index as f64)
}

fn account() -> Raw<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("of Linux");
    // After the name, which is in parentheses and may be anything.
    let faults = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(7)).expect("a tenth field");
    let status = std::fs::read_to_string("/proc/self/status").expect("of Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()).expect("a peak");
    Raw(vec![faults.parse().expect("a number"), 1024.0 * peak.parse::<f64>().expect("a number")])
}

/// What becomes of the calls, one after the other in one worker.
fn run<const N: usize>(pool: &Pool, acts: [Act; N]) -> [Outcome<Vec<f64>>; N] {
    acts.map(|act| pool.submit(Play, act).wait().map(|Raw(output)| output))
}

fn pool() -> Pool {
    Pool::builder().workers(1).quiet(true).start().expect("a pool")
}

/// The process of the one worker.
fn pid(pool: &Pool) -> Option<u32> {
    pool.status().workers[0].pid
}

/// Twice 40 MB: glibc maps each block of over 32 MiB anew, so a worker that held whole outputs would touch them anew.
#[test]
#[cfg(target_os = "linux")]
fn the_worker_holds_a_piece_of_an_output_and_keeps_its_memory_from_call_to_call() {
    const COUNT: usize = 5_000_000;
    let acts = [Act::Numbers(COUNT), Act::Account, Act::Numbers(COUNT), Act::Numbers(COUNT), Act::Account];
    let [first, before, second, third, after] = run(&pool(), acts).map(|outcome| outcome.expect("an output"));
    let whole: Vec<f64> = numbers(COUNT).collect();
    assert!([first, second, third].iter().all(|output| *output == whole), "another output");
    let faults = after[0] - before[0];
    assert!(faults < 2.0 * PIECE as f64 / 4096.0, "{faults} page faults for two more outputs");
    assert!(after[1] < 8.0 * COUNT as f64 / 2.0, "the worker had {} bytes", after[1]);
}

#[test]
fn an_answer_that_breaks_off_loses_its_worker_and_no_other_call() {
    let pool = pool();
    for (then, words) in [
        (Then::Return, "100 bytes of an answer were left unsent"),
        (Then::Fail, "the rest is lost"),
        (Then::Panic, "a panic left 100 bytes unsent: in the midst of it"),
    ] {
        let broken = Act::Write { announced: 1000, bytes: 7900, then };
        let [before, lost, after, next] = run(&pool, [Act::Numbers(100_000), broken, Act::Whole(9), Act::Whole(3)]);
        assert!(before.is_ok());
        let Err(CallError::Died { exit: Exit::Code(1), stage: Stage::Sending, stderr, .. }) = lost else {
            panic!("{lost:?}")
        };
        assert!(stderr.contains(words), "{stderr}");
        assert_eq!([after, next].map(|outcome| outcome.expect("an output").len()), [9, 3]);
    }
}

/// And what goes wrong when all of the answer is there changes nothing in it.
#[test]
fn an_answer_is_whole_when_its_last_byte_is_sent() {
    let pool = pool();
    let first = pid(&pool);
    let write = |announced, then| Act::Write { announced, bytes: 8 * announced, then };
    let outcomes = run(
        &pool,
        [
            write(100, Then::Return),
            write(0, Then::Return),
            write(100, Then::Panic),
            write(100, Then::Fail),
            Act::Whole(3),
        ],
    );
    assert_eq!(outcomes.map(|outcome| outcome.expect("an output").len()), [100, 0, 100, 100, 3]);
    assert_eq!(pid(&pool), first, "the worker lives on");
}

/// Nor does the answer begin.
#[test]
fn more_than_the_limit_is_not_announced() {
    let pool = pool();
    let first = pid(&pool);
    let lost = pool.submit(Excess, ()).wait();
    let Err(CallError::NotCrossed { reason, .. }) = lost else { panic!("{lost:?}") };
    assert_eq!(reason, "it has 11 bytes where its limit allows 10");
    assert_eq!(run(&pool, [Act::Whole(3)]).map(|outcome| outcome.expect("an output").len()), [3]);
    assert_eq!(pid(&pool), first, "the worker lives on");
}

#[test]
fn more_than_was_announced_is_not_sent() {
    let acts = [Act::Write { announced: 1000, bytes: 8001, then: Then::Return }, Act::Whole(3)];
    let [lost, next] = run(&pool(), acts);
    let Err(CallError::Died { stderr, .. }) = lost else { panic!("{lost:?}") };
    assert!(stderr.contains("8001 bytes were written to a value of which 8000 were left"), "{stderr}");
    assert_eq!(next.expect("an output").len(), 3);
}
