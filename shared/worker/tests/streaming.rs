//! Outputs that are sent while they are made, by real worker processes: what they cost the worker, and what becomes of the
//! key where one breaks off.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use kernel::{Exit, KeyError, Outcome, Stage, WorkerCommand, Workload};
use serde::{Deserialize, Serialize};
use worker::{Answer, Codec, Load, PIECE, Portable, Raw, Supervisor};
use workloads::{Fill, Job, Parameters};

/// What the keys of a test do, one after the other.
#[derive(Serialize, Deserialize)]
struct Script(Vec<Act>);

#[derive(Clone, Serialize, Deserialize)]
enum Act {
    /// Key 0 of [`Fill`], of so many values.
    Fill(u64),
    /// So many zeros, whole.
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

impl Workload for Script {
    type Output = Vec<f64>;

    fn keys(&self) -> usize {
        self.0.len()
    }

    fn expand(&self, index: usize) -> Vec<f64> {
        match self.0[index] {
            Act::Fill(count) => fill(count).expand(0),
            Act::Whole(count) | Act::Write { announced: count, .. } => vec![0.0; count],
            Act::Account => account(),
        }
    }
}

impl Portable for Script {
    const NAME: &'static str = "script";
    type Codec = Raw;

    fn max_bytes(&self, index: usize) -> u64 {
        match self.0[index] {
            Act::Fill(count) => 8 * count,
            Act::Whole(count) | Act::Write { announced: count, .. } => 8 * count as u64,
            Act::Account => 16,
        }
    }

    fn send(&self, index: usize, answer: Answer<'_>) -> io::Result<()> {
        match self.0[index] {
            Act::Fill(count) => fill(count).send(0, answer),
            Act::Whole(_) | Act::Account => Raw::send(&self.expand(index), answer),
            Act::Write { announced, bytes, then } => {
                let mut pieces = BufWriter::with_capacity(64, answer.announce(8 * announced as u64)?);
                pieces.write_all(&vec![0; bytes])?;
                pieces.flush()?;
                match then {
                    Then::Return => Ok(()),
                    Then::Fail => Err(io::Error::other("the rest is lost")),
                    Then::Panic => panic!("in the midst of it"),
                }
            }
        }
    }
}

fn fill(count: u64) -> Fill {
    Fill(Job::new(Parameters { keys: 1, count, ..Parameters::default() }).expect("in range"))
}

fn account() -> Vec<f64> {
    let stat = fs::read_to_string("/proc/self/stat").expect("of Linux");
    // After the name, which is in parentheses and may be anything.
    let faults = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(7)).expect("a tenth field");
    let status = fs::read_to_string("/proc/self/status").expect("of Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()).expect("a peak");
    vec![faults.parse().expect("a number"), 1024.0 * peak.parse::<f64>().expect("a number")]
}

/// What becomes of the keys, one after the other in one slot.
fn run<const N: usize>(script: [Act; N]) -> [Outcome<Vec<f64>>; N] {
    let supervisor = Supervisor { command: WorkerCommand::this_program(), deadline: None, retries: 0 };
    let load = Load::new(&Arc::new(Script(script.to_vec())));
    let mut slot = None;
    std::array::from_fn(|index| supervisor.expand(&mut slot, &load, index).expect("a worker"))
}

/// Twice 40 MB: glibc maps each block of over 32 MiB anew, so a worker that held whole outputs would touch them anew.
fn the_worker_holds_a_piece_of_an_output_and_keeps_its_memory_from_key_to_key() {
    const COUNT: u64 = 5_000_000;
    let outcomes = run([Act::Fill(COUNT), Act::Account, Act::Fill(COUNT), Act::Fill(COUNT), Act::Account]);
    let [first, before, second, third, after] = outcomes.map(|outcome| outcome.expect("an output"));
    let whole = fill(COUNT).expand(0);
    assert!([first, second, third].iter().all(|output| *output == whole), "another output");
    let faults = after[0] - before[0];
    assert!(faults < 2.0 * PIECE as f64 / 4096.0, "{faults} page faults for two more outputs");
    assert!(after[1] < 8.0 * COUNT as f64 / 2.0, "the worker had {} bytes", after[1]);
}

fn an_answer_that_breaks_off_loses_its_worker_and_no_other_key() {
    for (then, words) in [
        (Then::Return, "100 bytes of an answer were left unsent"),
        (Then::Fail, "the rest is lost"),
        (Then::Panic, "a panic left 100 bytes unsent: in the midst of it"),
    ] {
        let broken = Act::Write { announced: 1000, bytes: 7900, then };
        let [before, lost, after, next] = run([Act::Fill(1_000_000), broken, Act::Whole(9), Act::Whole(3)]);
        assert!(before.is_ok());
        let Err(KeyError::Died { exit: Exit::Code(1), stage: Stage::Sending, stderr, .. }) = lost else {
            panic!("{lost:?}")
        };
        assert!(stderr.contains(words), "{stderr}");
        assert_eq!([after, next].map(|outcome| outcome.expect("an output").len()), [9, 3]);
    }
}

/// And what goes wrong when all of the answer is there changes nothing in it.
fn an_answer_is_whole_when_its_last_byte_is_sent() {
    let write = |announced, then| Act::Write { announced, bytes: 8 * announced, then };
    let outcomes = run([
        write(100, Then::Return),
        write(0, Then::Return),
        write(100, Then::Panic),
        write(100, Then::Fail),
        Act::Whole(3),
    ]);
    assert_eq!(outcomes.map(|outcome| outcome.expect("an output").len()), [100, 0, 100, 100, 3]);
}

fn more_than_was_announced_is_not_sent() {
    let [lost, next] = run([Act::Write { announced: 1000, bytes: 8001, then: Then::Return }, Act::Whole(3)]);
    let Err(KeyError::Died { stderr, .. }) = lost else { panic!("{lost:?}") };
    assert!(stderr.contains("bytes were written to an answer of which"), "{stderr}");
    assert_eq!(next.expect("an output").len(), 3);
}

/// By name, for `cargo test`'s filters.
const TESTS: [(&str, fn()); 4] = [
    (
        "the_worker_holds_a_piece_of_an_output_and_keeps_its_memory_from_key_to_key",
        the_worker_holds_a_piece_of_an_output_and_keeps_its_memory_from_key_to_key,
    ),
    (
        "an_answer_that_breaks_off_loses_its_worker_and_no_other_key",
        an_answer_that_breaks_off_loses_its_worker_and_no_other_key,
    ),
    ("an_answer_is_whole_when_its_last_byte_is_sent", an_answer_is_whole_when_its_last_byte_is_sent),
    ("more_than_was_announced_is_not_sent", more_than_was_announced_is_not_sent),
];

fn main() {
    worker::serve(&[worker::job::<Script>()]);
    // As a test runner asks whether there is anything to run.
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<_> = asked.iter().filter(|argument| !argument.starts_with('-')).collect();
    if asked.iter().any(|argument| argument == "--list") {
        return;
    }
    for (name, test) in TESTS {
        if filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str())) {
            test();
        }
    }
}
