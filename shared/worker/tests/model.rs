//! The state machine of a worker against a model of it: real processes that do, in each state, what a script says, and a
//! model in a page of code that says what must become of each key.
//!
//! The process speaks the protocol by hand, from its description alone. The model knows nothing of channels and clocks: it
//! has the table of `worker`'s documentation. After each case no process is left.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kernel::{KeyError, Outcome, Stage, WorkerCommand, Workload};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rustix::process::{Signal, WaitOptions, getpid, kill_process, wait};
use serde::{Deserialize, Serialize};
use worker::{Load, Parker, Portable, Raw, SpawnError, Supervisor};

/// What a process does instead of its hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Start {
    Hello,
    Die,
    Exit,
    Garbage,
}

/// What it does when it is sent a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Loading {
    Load,
    Refuse,
    Die,
    Garbage,
}

/// What it does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Turn {
    /// Before it has taken the key.
    Untaken(Lapse),
    /// After that.
    Computing(Lapse),
    /// With half of the answer sent, after which any bytes would be its rest.
    DieSending,
    StopSending,
    /// A reply to the call before.
    Stale,
    /// An answer that is longer than allowed.
    TooLong,
    Panic,
    Answer,
    /// An answer, and then this.
    AnswerThen(Lapse),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Lapse {
    Die,
    Garbage,
    Stop,
}

/// One process's life. When its turns are over it answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Script {
    start: Start,
    loading: Loading,
    turns: Vec<Turn>,
}

/// A quarter of the time after which a worker is given up that does not take its key; and long enough for whoever answers on
/// a busy machine.
const DEADLINE: Duration = Duration::from_millis(250);

/// What the program must do, in the words of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Right,
    Panicked,
    DiedComputing,
    DiedSending,
    TimedOut,
    Protocol,
    /// No worker, or none that loads the workload.
    NotStarted,
}

/// Each key's output is its index, three times.
#[derive(Serialize, Deserialize)]
struct Indices(usize);

impl Workload for Indices {
    type Output = Vec<f64>;

    fn keys(&self) -> usize {
        self.0
    }

    fn expand(&self, index: usize) -> Vec<f64> {
        vec![index as f64; 3]
    }
}

impl Portable for Indices {
    const NAME: &'static str = "indices";
    type Codec = Raw;

    fn max_bytes(&self, _: usize) -> u64 {
        24
    }
}

fn main() -> ExitCode {
    if worker::is_worker() {
        // The channel's end is the end of the worker.
        let _end = play();
        return ExitCode::SUCCESS;
    }
    // As a test runner asks whether there is anything to run.
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<_> = asked.iter().filter(|argument| !argument.starts_with('-')).collect();
    if asked.iter().any(|argument| argument == "--list")
        || !filters.is_empty() && !filters.iter().any(|filter| "model".contains(filter.as_str()))
    {
        return ExitCode::SUCCESS;
    }
    let config = ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() };
    let lives = (prop::collection::vec(script(), 0..6), 1..6_usize, 0..3_u32, any::<bool>());
    let result = TestRunner::new(config).run(&lives, |(scripts, keys, retries, rests)| {
        let expected = Model::fates(&scripts, keys, retries, rests);
        let happened = happens(&scripts, keys, retries, rests);
        prop_assert!(expected.contains(&happened), "{:?} happened, and one of {:?} must", happened, expected);
        prop_assert!(matches!(wait(WaitOptions::NOHANG), Err(rustix::io::Errno::CHILD)), "a process is left");
        Ok(())
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _closed = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// A case starts a handful of processes, and sometimes waits a second for one that was stopped.
fn cases() -> u32 {
    let told = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    told.unwrap_or(300)
}

fn script() -> impl Strategy<Value = Script> {
    let start = prop_oneof![
        8 => Just(Start::Hello), 2 => Just(Start::Die), 1 => Just(Start::Exit), 1 => Just(Start::Garbage)
    ];
    let loading = prop_oneof![
        12 => Just(Loading::Load), 1 => Just(Loading::Refuse), 2 => Just(Loading::Die), 1 => Just(Loading::Garbage)
    ];
    // Who is stopped before it takes a key is waited for, for a second.
    let lapse = |stop| prop_oneof![15 => Just(Lapse::Die), 15 => Just(Lapse::Garbage), stop => Just(Lapse::Stop)];
    let turn = prop_oneof![
        4 => lapse(1).prop_map(Turn::Untaken),
        6 => lapse(2).prop_map(Turn::Computing),
        4 => Just(Turn::DieSending),
        1 => Just(Turn::StopSending),
        2 => Just(Turn::Stale),
        2 => Just(Turn::TooLong),
        2 => Just(Turn::Panic),
        8 => Just(Turn::Answer),
        6 => lapse(1).prop_map(Turn::AnswerThen),
    ];
    (start, loading, prop::collection::vec(turn, 0..4)).prop_map(|(start, loading, turns)| Script {
        start,
        loading,
        turns,
    })
}

/// Runs the keys in one slot, one after the other, with processes that live by the scripts in turn. If the worker rests
/// between two keys, it is looked at there.
fn happens(scripts: &[Script], keys: usize, retries: u32, rests: bool) -> Vec<Fate> {
    let (mut parker, mut unparker) = Parker::new().expect("a pipe");
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("scripts"), postcard::to_stdvec(scripts).expect("plain data")).expect("a file");
    let command = WorkerCommand {
        arguments: vec![folder.path().into()],
        ..WorkerCommand::of(std::env::current_exe().expect("this program"))
    };
    let supervisor = Supervisor { command, deadline: Some(DEADLINE), retries };
    let workload = Arc::new(Indices(keys));
    let load = Load::new(&workload);
    let mut slot = None;
    let mut fates = Vec::new();
    for index in 0..keys {
        if rests {
            unparker.unpark();
            parker.park(&mut slot);
        }
        let told = supervisor.fill(&mut slot).and_then(|()| supervisor.expand(&mut slot, &load, index));
        let gone = told.is_err();
        fates.push(fate(index, told));
        if gone {
            break;
        }
    }
    fates.resize(keys, Fate::NotStarted);
    fates
}

fn fate(index: usize, told: Result<Outcome<Vec<f64>>, SpawnError>) -> Fate {
    match told {
        Ok(Ok(output)) => {
            assert_eq!(output, vec![index as f64; 3], "another key's output");
            Fate::Right
        }
        Ok(Err(KeyError::Panicked { .. })) => Fate::Panicked,
        Ok(Err(KeyError::Died { stage: Stage::Computing, .. })) => Fate::DiedComputing,
        Ok(Err(KeyError::Died { stage: Stage::Sending, .. })) => Fate::DiedSending,
        Ok(Err(KeyError::TimedOut { .. })) => Fate::TimedOut,
        Ok(Err(KeyError::Protocol { .. })) => Fate::Protocol,
        Ok(Err(KeyError::NotStarted(_))) | Err(SpawnError::Lost { .. }) => Fate::NotStarted,
        other => panic!("{other:?}"),
    }
}

/// Where the program is in the scripts.
#[derive(Clone)]
struct Model<'a> {
    scripts: std::slice::Iter<'a, Script>,
    worker: Option<Life>,
    refused: bool,
}

#[derive(Clone)]
struct Life {
    script: Script,
    turns: std::vec::IntoIter<Turn>,
    ready: bool,
    loaded: bool,
    answered: bool,
    /// What it has done after its last answer.
    lapsed: Option<Lapse>,
}

/// What asking a worker comes to.
enum Told {
    Fate(Fate),
    /// The worker is lost with the key; a death may be tried again.
    Lost(Fate),
    /// The worker is lost without it. Whether another of its kind may do better.
    Untouched {
        by_chance: bool,
    },
}

impl<'a> Model<'a> {
    /// All that may become of the keys. It is more than one course of things since what a worker does after its answer may
    /// be seen while it rests, or when the next key is sent.
    fn fates(scripts: &'a [Script], keys: usize, retries: u32, rests: bool) -> BTreeSet<Vec<Fate>> {
        let start = Model { scripts: scripts.iter(), worker: None, refused: false };
        let mut courses = vec![(start, Vec::new())];
        for _ in 0..keys {
            courses = courses
                .into_iter()
                .flat_map(|(model, fates)| [rests, false].map(|seen| (model.clone(), fates.clone(), seen)))
                .map(|(mut model, mut fates, seen)| {
                    let over = fates.last() == Some(&None);
                    let fate = if over { None } else { model.fill(seen).and_then(|()| model.key(retries)) };
                    fates.push(fate);
                    (model, fates)
                })
                .collect();
        }
        let told = |fates: Vec<Option<Fate>>| fates.into_iter().map(|fate| fate.unwrap_or(Fate::NotStarted)).collect();
        courses.into_iter().map(|(_, fates)| told(fates)).collect()
    }

    fn spawn(&mut self) -> Life {
        let perfect = Script { start: Start::Hello, loading: Loading::Load, turns: Vec::new() };
        let script = self.scripts.next().cloned().unwrap_or(perfect);
        let turns = script.turns.clone().into_iter();
        Life { script, turns, ready: false, loaded: false, answered: false, lapsed: None }
    }

    /// A worker that has said hello; nothing if there is none to be had.
    fn fill(&mut self, seen: bool) -> Option<()> {
        // One that is stopped looks like one that waits.
        self.worker = self.worker.take().filter(|life| !seen || matches!(life.lapsed, None | Some(Lapse::Stop)));
        for _ in 0..3 {
            let mut life = self.worker.take().unwrap_or_else(|| self.spawn());
            match life.start() {
                None => {
                    self.worker = Some(life);
                    return Some(());
                }
                Some(by_chance) if by_chance => {}
                Some(_) => return None,
            }
        }
        None
    }

    fn key(&mut self, mut retries: u32) -> Option<Fate> {
        let (mut starts, mut death) = (3, None);
        loop {
            let mut life = self.worker.take().unwrap_or_else(|| self.spawn());
            let fresh = !life.answered;
            match life.ask(&mut self.refused) {
                Told::Fate(fate) => {
                    self.worker = Some(life);
                    return Some(fate);
                }
                Told::Lost(fate @ (Fate::DiedComputing | Fate::DiedSending)) if retries > 0 => {
                    retries -= 1;
                    death = Some(fate);
                    starts = 3;
                }
                Told::Lost(fate) => return Some(fate),
                Told::Untouched { by_chance } if fresh => {
                    starts -= 1;
                    if starts == 0 || !by_chance {
                        return death;
                    }
                }
                Told::Untouched { .. } => {}
            }
        }
    }
}

impl Life {
    /// Nothing if it has said hello; if not, whether another may.
    fn start(&mut self) -> Option<bool> {
        match self.script.start {
            _ if self.ready => None,
            Start::Hello => {
                self.ready = true;
                None
            }
            Start::Die => Some(true),
            Start::Exit | Start::Garbage => Some(false),
        }
    }

    fn ask(&mut self, refused: &mut bool) -> Told {
        if *refused {
            return Told::Fate(Fate::NotStarted);
        }
        if self.lapsed.is_some() {
            return Told::Untouched { by_chance: true };
        }
        if let Some(by_chance) = self.start() {
            return Told::Untouched { by_chance };
        }
        match self.script.loading {
            _ if self.loaded => {}
            Loading::Load => self.loaded = true,
            Loading::Refuse => {
                *refused = true;
                return Told::Fate(Fate::NotStarted);
            }
            Loading::Die | Loading::Garbage => return Told::Untouched { by_chance: true },
        }
        let violation = || if self.answered { Told::Untouched { by_chance: true } } else { Told::Lost(Fate::Protocol) };
        let told = match self.turns.next().unwrap_or(Turn::Answer) {
            Turn::Untaken(_) => return Told::Untouched { by_chance: true },
            Turn::Computing(Lapse::Die) => return Told::Lost(Fate::DiedComputing),
            Turn::DieSending => return Told::Lost(Fate::DiedSending),
            Turn::Computing(Lapse::Stop) | Turn::StopSending => return Told::Lost(Fate::TimedOut),
            Turn::Computing(Lapse::Garbage) | Turn::Stale | Turn::TooLong => return violation(),
            Turn::Panic => Fate::Panicked,
            Turn::Answer => Fate::Right,
            Turn::AnswerThen(lapse) => {
                self.lapsed = Some(lapse);
                Fate::Right
            }
        };
        self.answered = true;
        Told::Fate(told)
    }
}

/// The next script, played.
fn play() -> io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("the folder of the scripts"));
    let scripts: Vec<Script> = postcard::from_bytes(&fs::read(folder.join("scripts"))?).map_err(io::Error::other)?;
    let script = scripts.get(next(&folder));
    let mut channel = Played(File::from(io::stdin().as_fd().try_clone_to_owned()?));
    match script.map_or(Start::Hello, |script| script.start) {
        Start::Hello => channel.say(&[b"fanoutWK", &2_u64.to_le_bytes()[..]].concat()),
        Start::Die => channel.lapse(Lapse::Die),
        Start::Exit => std::process::exit(3),
        Start::Garbage => channel.lapse(Lapse::Garbage),
    }
    let mut turns = script.map(|script| script.turns.clone()).unwrap_or_default().into_iter();
    let mut refuses = false;
    loop {
        let [kind, call, number] = channel.request()?;
        if kind == 1 {
            io::copy(&mut (&channel.0).take(number), &mut io::sink())?;
            match script.map_or(Loading::Load, |script| script.loading) {
                Loading::Load => channel.reply(4, call, &[]),
                Loading::Refuse => {
                    refuses = true;
                    channel.reply(5, call, b"it is refused");
                }
                Loading::Die => channel.lapse(Lapse::Die),
                Loading::Garbage => channel.lapse(Lapse::Garbage),
            }
            continue;
        }
        if refuses {
            channel.reply(5, call, b"it is refused");
            continue;
        }
        let turn = turns.next().unwrap_or(Turn::Answer);
        if let Turn::Untaken(lapse) = turn {
            channel.lapse(lapse);
        }
        // In one piece with what follows, so that the deadline does not run where this process is kept waiting.
        let taken = head(6, call, 0);
        let body = (number as f64).to_le_bytes().repeat(3);
        let reply = |kind, call, body: &[u8]| [&taken[..], &head(kind, call, body.len() as u64), body].concat();
        match turn {
            Turn::Untaken(_) => {}
            Turn::Computing(lapse) => {
                channel.say(&taken);
                channel.lapse(lapse);
            }
            Turn::DieSending | Turn::StopSending => {
                let whole = reply(1, call, &body);
                channel.say(&whole[..whole.len() - 12]);
                channel.lapse(if turn == Turn::DieSending { Lapse::Die } else { Lapse::Stop });
            }
            Turn::Stale => channel.say(&reply(1, call - 1, &body)),
            Turn::TooLong => channel.say(&reply(1, call, &[7; 25])),
            Turn::Panic => channel.say(&reply(2, call, b"a panic")),
            Turn::Answer => channel.say(&reply(1, call, &body)),
            Turn::AnswerThen(lapse) => {
                channel.say(&reply(1, call, &body));
                channel.lapse(lapse);
            }
        }
    }
}

/// Which process this is, from 0 on: the first that makes a file of that name.
fn next(folder: &Path) -> usize {
    (0..).find(|number| File::create_new(folder.join(number.to_string())).is_ok()).expect("numbers do not end")
}

fn head(kind: u32, call: u64, length: u64) -> Vec<u8> {
    [b"fan:", &kind.to_le_bytes()[..], &call.to_le_bytes(), &length.to_le_bytes()].concat()
}

/// The worker's end of the channel.
struct Played(File);

impl Played {
    fn request(&mut self) -> io::Result<[u64; 3]> {
        let mut bytes = [0; 24];
        self.0.read_exact(&mut bytes)?;
        Ok([0, 8, 16].map(|start| u64::from_le_bytes(bytes[start..start + 8].try_into().expect("eight bytes"))))
    }

    fn say(&mut self, bytes: &[u8]) {
        // Nobody listens when the parent has had enough.
        let _closed = self.0.write_all(bytes);
    }

    fn reply(&mut self, kind: u32, call: u64, body: &[u8]) {
        self.say(&head(kind, call, body.len() as u64));
        self.say(body);
    }

    fn lapse(&mut self, lapse: Lapse) {
        match lapse {
            Lapse::Die => _ = kill_process(getpid(), Signal::KILL),
            Lapse::Stop => _ = kill_process(getpid(), Signal::STOP),
            Lapse::Garbage => self.say(&[b'x'; 40]),
        }
    }
}
