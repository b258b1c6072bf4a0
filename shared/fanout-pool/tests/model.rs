//! A pool of one worker against a model of it: real processes that do, in each state, what a script says, and a model in two
//! pages of code that says what may become of each call.
//!
//! The process speaks the protocol by hand, from its description alone. The model knows nothing of channels and clocks: it
//! has a worker's states, and who pays when it is lost in one. After each case no process is left.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use fanout_pool::{CallError, CallOptions, Here, Outcome, Pool, Raw, Shared, Stage, StartError, Task};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rustix::process::{Signal, WaitOptions, getpid, kill_process, wait};
use serde::{Deserialize, Serialize};

/// What a process does instead of its hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Start {
    Hello,
    Die,
    Exit,
    Garbage,
}

/// What it does when it is sent a shared value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Loading {
    Load,
    Refuse,
    Die,
    Garbage,
}

/// What it does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Turn {
    /// Before it has taken the call.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Lapse {
    Die,
    Garbage,
    Stop,
}

/// One process's life. When its turns are over it answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Script {
    start: Start,
    loading: Loading,
    turns: Vec<Turn>,
}

/// A quarter of the time after which a worker is given up that does not take its call; and long enough for whoever answers on
/// a busy machine.
const DEADLINE: Duration = Duration::from_millis(250);

/// What the pool must tell, in the words of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// After so many deaths.
    Right {
        attempt: u32,
    },
    Panicked,
    DiedComputing,
    DiedSending,
    TimedOut,
    Protocol,
    /// No worker loads the shared value.
    Refused,
    /// No worker.
    NotStarted,
}

/// Each call's output is its input, twice, and how often the call was tried before.
struct Twice;

impl Task for Twice {
    type Shared = u8;
    type Input = u8;
    type Output = Raw<f64>;

    fn call(_: &u8, _: u8, _: &mut Here) -> Raw<f64> {
        unreachable!("its workers speak the protocol by hand")
    }

    fn limit(_: &u8) -> u64 {
        24
    }
}

fn main() -> ExitCode {
    if fanout_pool::is_worker() {
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
    let follows = |scripts: &[Script], calls, retries, rests| {
        let may = Model::fates(scripts, calls, retries);
        let happened = happens(scripts, calls, retries, rests);
        prop_assert!(may.contains(&happened), "{:?} happened, and one of {:?} must", happened, may);
        prop_assert!(matches!(wait(WaitOptions::NOHANG), Err(rustix::io::Errno::CHILD)), "a process is left");
        Ok(())
    };
    let config = ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() };
    let lives = (prop::collection::vec(script(), 0..6), 1..6_u8, 0..3_u32, any::<bool>());
    let result = rare().iter().try_for_each(|scripts| follows(scripts, 2, 1, false)).map_err(|error| error.to_string());
    let result = result.and_then(|()| {
        let run = |(scripts, calls, retries, rests): (Vec<_>, _, _, _)| follows(&scripts, calls, retries, rests);
        TestRunner::new(config).run(&lives, run).map_err(|error| error.to_string())
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
    told.unwrap_or(200)
}

/// What chance brings about too rarely.
fn rare() -> [Vec<Script>; 2] {
    let lives = |turns: &[Turn]| {
        let life = |&turn| Script { start: Start::Hello, loading: Loading::Load, turns: vec![turn] };
        turns.iter().map(life).collect()
    };
    let (untaken, death) = (Turn::Untaken(Lapse::Die), Turn::Computing(Lapse::Die));
    // A worker that has taken a call and died is no loss at the start, and time that is over is no death.
    [lives(&[untaken, untaken, death, untaken, untaken]), lives(&[Turn::StopSending, Turn::Computing(Lapse::Stop)])]
}

fn script() -> impl Strategy<Value = Script> {
    let start = prop_oneof![
        8 => Just(Start::Hello), 2 => Just(Start::Die), 1 => Just(Start::Exit), 1 => Just(Start::Garbage)
    ];
    let loading = prop_oneof![
        12 => Just(Loading::Load), 1 => Just(Loading::Refuse), 2 => Just(Loading::Die), 1 => Just(Loading::Garbage)
    ];
    // Who is stopped before it takes a call is waited for, for a second.
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

/// Makes the calls, one after the other, in a pool of one worker, whose processes live by the scripts in turn.
fn happens(scripts: &[Script], calls: u8, retries: u32, rests: bool) -> Vec<Fate> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("scripts"), postcard::to_stdvec(scripts).expect("plain data")).expect("a file");
    let program = std::env::current_exe().expect("this program");
    let pool = match Pool::builder().workers(1).program(program).args([folder.path()]).start() {
        Ok(pool) => pool,
        Err(StartError::Lost { stage: Stage::Starting, .. }) => return vec![Fate::NotStarted; calls.into()],
        Err(other) => panic!("{other:?}"),
    };
    let shared = Shared::new(&7).expect("it is small");
    let options = CallOptions::new().deadline(DEADLINE).retries(retries);
    let call = |input| {
        if rests {
            // Whatever the pool does meanwhile, the model allows: it is more often that it sees what a worker does between
            // two calls.
            thread::sleep(Duration::from_millis(2));
        }
        fate(input, pool.submit_with(Twice, &shared, input, options.clone()).wait())
    };
    (0..calls).map(call).collect()
}

fn fate(input: u8, told: Outcome<Raw<f64>>) -> Fate {
    match told {
        Ok(Raw(output)) => {
            assert_eq!(output[..2], [f64::from(input); 2], "another call's output");
            Fate::Right { attempt: output[2] as u32 }
        }
        Err(CallError::Panicked { .. }) => Fate::Panicked,
        Err(CallError::Died { stage: Stage::Computing, .. }) => Fate::DiedComputing,
        Err(CallError::Died { stage: Stage::Sending, .. }) => Fate::DiedSending,
        Err(CallError::TimedOut { .. }) => Fate::TimedOut,
        Err(CallError::Protocol { .. }) => Fate::Protocol,
        Err(CallError::Refused { .. }) => Fate::Refused,
        Err(CallError::NotStarted(StartError::Lost { .. })) => Fate::NotStarted,
        other => panic!("{other:?}"),
    }
}

/// Where the pool is in the scripts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Model<'a> {
    scripts: &'a [Script],
    worker: Option<Life>,
    /// Whether no worker could be had. The thread that has found that ends, and whatever was submitted before it has ended
    /// fails with it.
    ends: bool,
    refused: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Life {
    start: Start,
    loading: Loading,
    /// Those that are left, the next one last.
    turns: Vec<Turn>,
    ready: bool,
    loaded: bool,
    answered: bool,
    /// What it has done after its last answer.
    lapsed: Option<Lapse>,
}

/// What asking a worker comes to.
enum Told {
    Fate(Fate),
    /// The worker is lost with the call; a death may be tried again.
    Lost(Fate),
    /// The worker is lost without it, in this stage. Whether another of its kind may do better.
    Untouched {
        stage: Stage,
        by_chance: bool,
    },
}

impl<'a> Model<'a> {
    /// All that may become of the calls.
    fn fates(scripts: &'a [Script], calls: u8, retries: u32) -> BTreeSet<Vec<Fate>> {
        let mut start = Model { scripts, worker: None, ends: false, refused: false };
        start.fill();
        if start.ends {
            return BTreeSet::from([vec![Fate::NotStarted; calls.into()]]);
        }
        let mut courses = BTreeSet::from([(start, Vec::new())]);
        for _ in 0..calls {
            let next = |(model, fates): (Model<'a>, Vec<Fate>)| {
                model.meanwhile().into_iter().map(move |mut model| {
                    let fate = model.call(retries);
                    (model, [&fates[..], &[fate]].concat())
                })
            };
            courses = courses.into_iter().flat_map(next).collect();
        }
        courses.into_iter().map(|(_, fates)| fates).collect()
    }

    /// All that it may come to before the next call is taken: that may be early, or late.
    fn meanwhile(self) -> Vec<Self> {
        let mut courses = vec![self];
        // One that is stopped looks like one that waits.
        if courses[0].worker.as_ref().is_some_and(|life| matches!(life.lapsed, Some(Lapse::Die | Lapse::Garbage))) {
            courses.push(Model { worker: None, ..courses[0].clone() });
        }
        // A worker that is missing is replaced.
        let missing = courses.iter().filter(|model| model.worker.is_none() && !model.ends).cloned();
        let filled = missing.map(|mut model| {
            model.fill();
            model
        });
        courses.extend(filled.collect::<Vec<_>>());
        // The thread has ended, and the next call has another.
        let ended = courses.iter().filter(|model| model.ends).map(|model| Model { ends: false, ..model.clone() });
        courses.extend(ended.collect::<Vec<_>>());
        courses
    }

    fn spawn(&mut self) -> Life {
        let perfect = Script { start: Start::Hello, loading: Loading::Load, turns: Vec::new() };
        let (script, scripts) =
            self.scripts.split_first().map_or((perfect, self.scripts), |(script, scripts)| (script.clone(), scripts));
        self.scripts = scripts;
        let Script { start, loading, mut turns } = script;
        turns.reverse();
        Life { start, loading, turns, ready: false, loaded: false, answered: false, lapsed: None }
    }

    /// Has a worker that has said hello, if one is to be had.
    fn fill(&mut self) {
        for _ in 0..3 {
            let mut life = self.spawn();
            match life.start() {
                None => {
                    self.worker = Some(life);
                    return;
                }
                Some(by_chance) if by_chance => {}
                Some(_) => break,
            }
        }
        self.ends = true;
    }

    fn call(&mut self, retries: u32) -> Fate {
        if self.ends {
            self.ends = false;
            return Fate::NotStarted;
        }
        let (mut starts, mut attempt, mut death) = (3, 0, None);
        loop {
            if self.refused {
                return Fate::Refused;
            }
            let mut life = self.worker.take().unwrap_or_else(|| self.spawn());
            let fresh = !life.answered;
            match life.ask(attempt) {
                Told::Fate(fate) => {
                    self.refused = fate == Fate::Refused;
                    self.worker = Some(life);
                    return fate;
                }
                Told::Lost(fate @ (Fate::DiedComputing | Fate::DiedSending)) if attempt < retries => {
                    attempt += 1;
                    death = Some(fate);
                    starts = 3;
                }
                Told::Lost(fate) => return fate,
                Told::Untouched { stage, by_chance } if fresh => {
                    starts -= 1;
                    if starts == 0 || !by_chance {
                        // Those that cannot start end the slot; those that cannot load refuse the shared value.
                        self.ends = stage == Stage::Starting && death.is_none();
                        self.refused = stage == Stage::Loading;
                        return death.unwrap_or(Fate::NotStarted);
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
        match self.start {
            _ if self.ready => None,
            Start::Hello => {
                self.ready = true;
                None
            }
            Start::Die => Some(true),
            Start::Exit | Start::Garbage => Some(false),
        }
    }

    fn ask(&mut self, attempt: u32) -> Told {
        if self.lapsed.is_some() {
            return Told::Untouched { stage: Stage::Waiting, by_chance: true };
        }
        if let Some(by_chance) = self.start() {
            return Told::Untouched { stage: Stage::Starting, by_chance };
        }
        match self.loading {
            _ if self.loaded => {}
            Loading::Load => self.loaded = true,
            Loading::Refuse => return Told::Fate(Fate::Refused),
            Loading::Die | Loading::Garbage => return Told::Untouched { stage: Stage::Loading, by_chance: true },
        }
        let violation = || {
            if self.answered {
                Told::Untouched { stage: Stage::Computing, by_chance: true }
            } else {
                Told::Lost(Fate::Protocol)
            }
        };
        let told = match self.turns.pop().unwrap_or(Turn::Answer) {
            Turn::Untaken(_) => return Told::Untouched { stage: Stage::Waiting, by_chance: true },
            Turn::Computing(Lapse::Die) => return Told::Lost(Fate::DiedComputing),
            Turn::DieSending => return Told::Lost(Fate::DiedSending),
            Turn::Computing(Lapse::Stop) | Turn::StopSending => return Told::Lost(Fate::TimedOut),
            Turn::Computing(Lapse::Garbage) | Turn::Stale | Turn::TooLong => return violation(),
            Turn::Panic => Fate::Panicked,
            Turn::Answer => Fate::Right { attempt },
            Turn::AnswerThen(lapse) => {
                self.lapsed = Some(lapse);
                Fate::Right { attempt }
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
        Start::Hello => channel.say(&[b"fanoutWK", &3_u64.to_le_bytes()[..]].concat()),
        Start::Die => channel.lapse(Lapse::Die),
        Start::Exit => std::process::exit(3),
        Start::Garbage => channel.lapse(Lapse::Garbage),
    }
    let mut turns = script.map(|script| script.turns.clone()).unwrap_or_default().into_iter();
    let mut refuses = false;
    loop {
        let Request { kind, attempt, call, bytes } = channel.request()?;
        match kind {
            1 => match script.map_or(Loading::Load, |script| script.loading) {
                Loading::Load => channel.reply(4, call, &[]),
                Loading::Refuse => {
                    refuses = true;
                    channel.reply(5, call, b"it is refused");
                }
                Loading::Die => channel.lapse(Lapse::Die),
                Loading::Garbage => channel.lapse(Lapse::Garbage),
            },
            2 if refuses => channel.reply(5, call, b"it is refused"),
            2 => {
                let turn = turns.next().unwrap_or(Turn::Answer);
                let input = bytes.first().copied().unwrap_or_default();
                let body = [input, input, attempt as u8].map(f64::from).map(f64::to_le_bytes).concat();
                channel.take(turn, call, &body);
            }
            // It is to forget the shared value.
            _ => {}
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

/// What the worker is asked, as far as it looks at it.
struct Request {
    kind: u32,
    attempt: u32,
    call: u64,
    bytes: Vec<u8>,
}

impl Played {
    fn request(&mut self) -> io::Result<Request> {
        let mut head = [0; 56];
        self.0.read_exact(&mut head)?;
        let [kind, attempt] = [0, 4].map(|start| u32::from_le_bytes(head[start..start + 4].try_into().expect("four")));
        let [call, length] = [8, 16].map(|start| u64::from_le_bytes(head[start..start + 8].try_into().expect("eight")));
        let mut bytes = vec![0; length as usize];
        self.0.read_exact(&mut bytes)?;
        Ok(Request { kind, attempt, call, bytes })
    }

    fn take(&mut self, turn: Turn, call: u64, body: &[u8]) {
        // In one piece with what follows, so that the deadline does not run where this process is kept waiting.
        let taken = head(6, call, 0);
        let reply = |kind, call, body: &[u8]| [&taken[..], &head(kind, call, body.len() as u64), body].concat();
        match turn {
            Turn::Untaken(lapse) => self.lapse(lapse),
            Turn::Computing(lapse) => {
                self.say(&taken);
                self.lapse(lapse);
            }
            Turn::DieSending | Turn::StopSending => {
                let whole = reply(1, call, body);
                self.say(&whole[..whole.len() - 12]);
                self.lapse(if turn == Turn::DieSending { Lapse::Die } else { Lapse::Stop });
            }
            Turn::Stale => self.say(&reply(1, call - 1, body)),
            Turn::TooLong => self.say(&reply(1, call, &[7; 25])),
            Turn::Panic => self.say(&reply(2, call, b"a panic")),
            Turn::Answer => self.say(&reply(1, call, body)),
            Turn::AnswerThen(lapse) => {
                self.say(&reply(1, call, body));
                self.lapse(lapse);
            }
        }
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
