//! A soak: batch after batch with random faults, while something outside kills workers, stops them and takes descriptors
//! away. Each outcome is judged, and so is what the strategy holds after each batch.
//!
//! A *round* is the life of one strategy: start, forty batches, drop. All that a round does follows from its seed,
//! but for the moments at which it happens. So a breach comes with the seed of its round, and
//! `FANOUT_SOAK_SEED=SEED scripts/soak.sh` runs that round again and again.

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::process::{self, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fmt, fs, io, thread};

use clap::ValueEnum;
use kernel::{Digest, Exit, KeyError, Outcome, Workload};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use workloads::{Fill, Job, Parameters, Skew, Verifiable};

use crate::alone::{
    self, Holdings, SOON, left_alive, live_workers, mark, raw, settled, tell, whereabouts, within, zombies,
};
use crate::fault::Struck;
use crate::laws::{Binary, Subject};
use crate::{Fault, FaultKind, Faulty};

/// Makes the soak of a strategy that runs keys in processes. Its `tests/soak.rs` is this one line, by which
/// `scripts/soak.sh` finds it:
///
/// ```ignore
/// harness::soak!(process_pool::ProcessPool);
/// ```
///
/// As a test among others it is two short rounds with fixed seeds.
#[macro_export]
macro_rules! soak {
    ($strategy:ty) => {
        #[test]
        fn soak() {
            $crate::alone::alone_for_long("soak", || {
                $crate::soak::soak::<$strategy>(&$crate::laws::Binary {
                    path: env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))),
                    test: "soak",
                    balances: true,
                });
            });
        }
    };
}

/// How long to soak, in minutes. Unset in an ordinary test.
const MINUTES: &str = "FANOUT_SOAK_MINUTES";

/// The seed of the one round that is run again and again.
const SEED: &str = "FANOUT_SOAK_SEED";

/// Bounds a batch. When it passes, the soak ends with what each thread and process was doing. It is no measure of speed:
/// the longest batches take six seconds on two busy CPUs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many batches one strategy runs. A leak of one descriptor or process a batch is then well above what a strategy may
/// hold, and a strategy is started and dropped a few times a minute.
const BATCHES: usize = 40;

/// How many batches a round of an ordinary test has: each kind of attack comes about twice, in a few seconds.
const FEW_BATCHES: usize = 8;

/// The deadline where there is one. A key that runs past it without a fault of its own is a breach, so it is three orders
/// of magnitude above what the keys of such a round take to compute: with 300 ms, on two CPUs with four busy processes
/// beside the soak, one key in 10,000 was late.
const DEADLINE: Duration = Duration::from_secs(1);

/// After how many batches the memory that the program holds is taken as its level.
const SETTLING: u64 = 20;

/// Bounds the growth of the program's resident memory over its level, in kB. When it is exceeded, the soak ends. Outputs
/// are given back when they are dropped, since `alone_for_long` tells the allocator so, and a batch's smaller pieces are
/// 4 MB at most: without a leak the level moves by less than 10 MiB. A batch has 7 MB of outputs on average, so a leak of
/// a thousandth of them exceeds this bound within half an hour.
const MEMORY_SLACK: u64 = 64 << 10;

/// How many workers are lost at their start before a slot gives up.
const LOST_STARTS: u64 = 3;

/// What a key with a fault comes to where nothing else strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    /// To its output.
    ComeBack,
    /// To a failure of its own code, told with these words.
    Tell(&'static str),
    /// To its process's end; tried again, since a fault may strike once.
    Die(Exit),
    /// To the end of its deadline. It takes one.
    TimeOut,
}

/// What a key with a fault of this kind comes to. Nothing for a kind that the soak leaves out.
fn must(kind: FaultKind) -> Option<Must> {
    Some(match kind {
        FaultKind::Panic | FaultKind::PanicString => Must::Tell("a fault"),
        FaultKind::PanicOther => Must::Tell("a payload that is no string"),
        FaultKind::PanicLong => Must::Tell("(1000000 bytes in all)"),
        FaultKind::PanicReceiving => Must::Tell("a fault in the parent"),
        FaultKind::Nested => Must::Tell("a worker process may not start workers"),
        FaultKind::PanicSending => Must::Tell("a fault where the output is sent"),
        FaultKind::PanicLimiting => Must::Tell("a fault in the limit"),
        FaultKind::PanicDecoding => Must::Tell("a fault where the output is decoded"),
        FaultKind::TooLong => Must::Tell("could not cross"),
        FaultKind::Abort | FaultKind::StackOverflow | FaultKind::AbortWithPanic => Must::Die(Exit::Signal(6)),
        FaultKind::Segv => Must::Die(Exit::Signal(11)),
        FaultKind::Kill | FaultKind::KillSending => Must::Die(Exit::Signal(9)),
        FaultKind::Exit0 => Must::Die(Exit::Code(0)),
        FaultKind::Exit42 => Must::Die(Exit::Code(42)),
        FaultKind::CloseAll => Must::Die(Exit::Code(1)),
        FaultKind::Stop | FaultKind::Hang | FaultKind::Sleep => Must::TimeOut,
        FaultKind::SendTwice | FaultKind::SendGarbage => Must::ComeBack,
        FaultKind::DieAfter | FaultKind::PanicDropping => Must::ComeBack,
        FaultKind::Slow | FaultKind::Print | FaultKind::Mark | FaultKind::Specials => Must::ComeBack,
        // What they leave becomes this program's child when its worker ends, and nobody here waits for it.
        FaultKind::KillLeavingChild | FaultKind::LeaveChild | FaultKind::Fork => return None,
        // What it writes may fall into the middle of an answer, and nothing tells it from that.
        FaultKind::ChildWrites => return None,
        // No key of the batch comes back, or all of them late.
        FaultKind::PanicEncoding | FaultKind::FailEncoding | FaultKind::PanicLoading => return None,
        FaultKind::FailLoading | FaultKind::AbortLoading | FaultKind::SlowLoading => return None,
        // Without a deadline it is waited for, as it should be.
        FaultKind::StopAfter => return None,
        // A megabyte each time.
        FaultKind::LogLater => return None,
        // They wait for keys that other faults may have ended.
        FaultKind::Patient | FaultKind::Impatient => return None,
    })
}

/// Soaks the strategy for as long as the environment says.
///
/// # Panics
///
/// At the first breach, having told of it.
pub fn soak<S: Subject>(binary: &Binary) {
    let number = |name: &str| {
        let text = env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name}: `{text}` is no number")))
    };
    let (minutes, seed) = (number(MINUTES), number(SEED));
    let mut soak = Soak::new(binary.name());
    let ended = match minutes {
        None => [2, 5].into_iter().try_for_each(|seed| soak.round::<S>(binary, seed, FEW_BATCHES)),
        Some(minutes) => soak.for_long::<S>(binary, Duration::from_secs(60 * minutes), seed),
    };
    if let Err(breach) = ended {
        soak.tell();
        let step = soak.step.lock().expect("nothing under it panics").0.clone();
        tell(&format!("BREACH by {}, {step}:\n{breach}", binary.name()));
        panic!("a breach");
    }
}

/// What is watched and counted from the first batch to the last.
struct Soak {
    name: String,
    start: Instant,
    figures: Figures,
    /// Resident memory that was reached while it settled, in kB.
    level: u64,
    /// What is done now, and since when.
    step: Arc<Mutex<(String, Instant)>>,
    interrupted: Arc<AtomicBool>,
    /// When figures were told last, in minutes.
    told: u64,
    ends: Option<Duration>,
}

/// What came of the soak so far.
#[derive(Default)]
struct Figures {
    batches: u64,
    keys: u64,
    failed: u64,
    kills: u64,
    stops: u64,
    deadlines: u64,
    panics: u64,
    starvations: u64,
    /// Keys that were not started, for want of descriptors or because their workers were killed at their start.
    refused: u64,
    parents: u64,
    slowest: Duration,
    /// After the last batch: threads, children, descriptors.
    holds: [usize; 3],
    zombies: usize,
    orphans: usize,
}

/// How a breach is told.
type Kept = Result<(), String>;

impl Soak {
    fn new(name: &str) -> Self {
        let step = Arc::new(Mutex::new((String::from("before the first round"), Instant::now())));
        let soak = Soak {
            name: name.to_owned(),
            start: Instant::now(),
            figures: Figures::default(),
            level: 0,
            step: Arc::clone(&step),
            interrupted: alone::interruption(),
            told: 0,
            ends: None,
        };
        let name = name.to_owned();
        thread::spawn(move || end_what_hangs(&name, &step));
        soak
    }

    fn for_long<S: Subject>(&mut self, binary: &Binary, length: Duration, seed: Option<u64>) -> Kept {
        self.ends = Some(length);
        let first = seed.unwrap_or_else(|| u64::from(process::id()) ^ since_the_epoch());
        let mut seeds = Random::new(first);
        if seed.is_none() {
            tell(&format!("{}: the seed of the first round is {first}", self.name));
        }
        let mut next = first;
        while !self.is_over() {
            self.round::<S>(binary, next, BATCHES)?;
            next = seed.unwrap_or_else(|| seeds.next());
        }
        self.tell();
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.ends.is_some_and(|length| self.start.elapsed() > length)
    }

    /// One strategy from its start to its drop, which leaves nothing; and then a program of its own, killed.
    fn round<S: Subject>(&mut self, binary: &Binary, seed: u64, batches: usize) -> Kept {
        let mut random = Random::new(seed);
        let workers = random.between(1, 6) as usize;
        let deadline = (random.below(3) == 0).then_some(DEADLINE);
        let context = binary.context(workers).with_deadline(deadline);
        self.step(format!("at the start of the round with seed {seed}"));
        let before = Holdings::after(|| drop(S::start(&context)));
        let mut strategy = S::start(&context).map_err(|error| format!("it did not start: {error}"))?;
        quiet(&mut strategy, workers)?;
        let level = Holdings::now();
        for batch in 0..batches {
            if self.is_over() {
                break;
            }
            let plan = Plan::draw(&mut random, workers, deadline);
            self.step(format!("batch {} in all, batch {batch} of the round with seed {seed}", self.figures.batches));
            self.batch(&mut strategy, &plan).map_err(|breach| format!("{breach}\n{plan}\n{}", replay(seed)))?;
            quiet(&mut strategy, workers)
                .and_then(|()| self.clean(&level))
                .map_err(|breach| format!("after the batch: {breach}\n{plan}\n{}", replay(seed)))?;
            forget_what_was_said();
            let minutes = self.start.elapsed().as_secs() / 60;
            if self.ends.is_some() && minutes > self.told {
                self.told = minutes;
                self.tell();
            }
        }
        self.step(format!("at the end of the round with seed {seed}"));
        drop(strategy);
        let after = settled(&before, Holdings::now);
        if after != before {
            return Err(format!(
                "left after Drop: {after:?}, and before the start there was {before:?}\n{}",
                replay(seed)
            ));
        }
        self.kill_a_parent(binary, &mut random).map_err(|breach| format!("{breach}\n{}", replay(seed)))
    }

    /// Runs one batch under attack, and judges each outcome.
    fn batch<S: Subject>(&mut self, strategy: &mut S, plan: &Plan) -> Kept {
        let faulty = Arc::new(plan.faulty());
        let over = AtomicBool::new(false);
        let start = Instant::now();
        let (outcomes, hits) = thread::scope(|scope| {
            let attacker = scope.spawn(|| plan.attack.carry_out(&over));
            let fed = plan.attack.starve();
            let outcomes = panic::catch_unwind(AssertUnwindSafe(|| strategy.run(&faulty)));
            drop(fed);
            over.store(true, Ordering::Relaxed);
            (outcomes, attacker.join().expect("an attacker does not panic"))
        });
        let took = start.elapsed();
        let outcomes = outcomes.map_err(|panic| format!("run {}", KeyError::from_panic(panic)))?;
        let figures = &mut self.figures;
        figures.batches += 1;
        figures.keys += plan.keys as u64;
        figures.kills += hits.kills;
        figures.stops += hits.stops;
        figures.starvations += u64::from(plan.attack.spare_descriptors.is_some());
        figures.slowest = figures.slowest.max(took);
        if outcomes.len() != plan.keys {
            return Err(format!("{} outcomes of {} keys", outcomes.len(), plan.keys));
        }
        for (key, outcome) in outcomes.iter().enumerate() {
            plan.judge(&faulty, key, outcome, &hits)?;
            figures.failed += u64::from(outcome.is_err());
            figures.deadlines += u64::from(matches!(outcome, Err(KeyError::TimedOut { .. })));
            figures.refused += u64::from(matches!(outcome, Err(KeyError::NotStarted(_))));
            figures.panics += u64::from(matches!(outcome, Err(KeyError::Panicked { .. })));
        }
        Ok(())
    }

    /// What the program holds between batches is what it held after the round's first.
    fn clean(&mut self, level: &Holdings) -> Kept {
        let now = || (Holdings::now(), zombies(process::id()).len());
        let is_level = |(now, zombies): &(Holdings, usize)| {
            now.counts() == level.counts() && now.files() == level.files() && *zombies == 0
        };
        let at_level = within(SOON, || Some(now()).filter(is_level));
        let is_clean = at_level.is_some();
        let (holds, zombies) = at_level.unwrap_or_else(now);
        let figures = &mut self.figures;
        figures.holds = holds.counts();
        figures.zombies = zombies;
        figures.orphans = holds.counts()[1].saturating_sub(level.counts()[1]);
        if !is_clean {
            return Err(format!("{zombies} zombies and {holds:?}, and at the round's start there was {level:?}"));
        }
        let memory = resident();
        if figures.batches <= SETTLING {
            self.level = self.level.max(memory);
        } else if memory > self.level + MEMORY_SLACK {
            return Err(format!("the program holds {memory} kB, and held {} kB at first", self.level));
        }
        Ok(())
    }

    /// Starts the strategy's program and kills it at a random moment: nobody is left.
    fn kill_a_parent(&mut self, binary: &Binary, random: &mut Random) -> Kept {
        let mut program = binary.command("--keys 30 --count 20000 --workers 3 --fault 7:slow --fault 11:hang");
        program.stdout(Stdio::null()).stderr(Stdio::null());
        let mut parent = program.spawn().map_err(|error| format!("the strategy's program: {error}"))?;
        thread::sleep(Duration::from_millis(random.below(300)));
        parent.kill().and_then(|()| parent.wait()).map_err(|error| format!("the strategy's program: {error}"))?;
        self.figures.parents += 1;
        let left = left_alive();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?} live on though the program was killed")) }
    }

    fn step(&self, what: String) {
        *self.step.lock().expect("nothing under it panics") = (what, Instant::now());
    }

    /// Shows the figures so far.
    fn tell(&self) {
        let (name, seconds, memory) = (&self.name, self.start.elapsed().as_secs(), resident() >> 10);
        tell(&format!("{name}: {}:{:02} min, {}, {memory} MiB", seconds / 60, seconds % 60, self.figures));
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { batches, keys, failed, kills, stops, deadlines, panics, starvations, refused, parents, .. } =
            self;
        let (slowest, [threads, _, descriptors]) = (self.slowest.as_secs_f64(), self.holds);
        write!(f, "{batches} batches, {keys} keys, {failed} failed as they should, {kills} kills, {stops} stops, ")?;
        write!(f, "{deadlines} deadlines, {panics} panics, {starvations} starvations, ")?;
        write!(f, "{refused} not started, {parents} parents killed, ")?;
        write!(f, "slowest batch {slowest:.2} s, {descriptors} descriptors, {threads} threads, ")?;
        write!(f, "{} zombies, {} orphans", self.zombies, self.orphans)
    }
}

fn replay(seed: u64) -> String {
    format!("to run this round again and again: {SEED}={seed} scripts/soak.sh")
}

/// One batch, and what is done to it.
#[derive(Debug)]
struct Plan {
    keys: usize,
    count: u64,
    skew: Skew,
    seed: u64,
    faults: Vec<Fault>,
    deadline: Option<Duration>,
    attack: Attack,
}

/// What is done from outside while a batch runs.
#[derive(Debug)]
struct Attack {
    kills: u64,
    stops: u64,
    /// Bounds the time between two of these, in microseconds.
    pace: u64,
    /// How many descriptors the program may open more than it has, where that is limited.
    spare_descriptors: Option<u64>,
    seed: u64,
}

/// How often an attack hit.
#[derive(Debug, Default)]
struct Hits {
    kills: u64,
    stops: u64,
}

impl Plan {
    fn draw(random: &mut Random, workers: usize, deadline: Option<Duration>) -> Self {
        let keys = random.between(1, 60) as usize;
        // As many batches of tens as of thousands.
        let most = if deadline.is_some() { 3_000.0 } else { 300_000.0_f64 };
        let count = (10.0 * (most / 10.0).powf(random.unit())) as u64;
        let skew = if random.below(2) == 0 { Skew::Uniform } else { Skew::Zipf };
        let fits = |kind: &FaultKind| must(*kind).is_some_and(|must| must != Must::TimeOut || deadline.is_some());
        let kinds: Vec<_> = FaultKind::value_variants().iter().copied().filter(fits).collect();
        let mut faults = Vec::new();
        for key in 0..keys {
            if random.below(5) == 0 {
                let kind = kinds[random.below(kinds.len() as u64) as usize];
                let once = (random.below(3) == 0).then(|| mark(&format!("once-{key}")));
                faults.push(Fault { key, kind, once });
            }
        }
        let mut some = |most| if random.below(2) == 0 { 0 } else { random.between(1, most) };
        let (kills, stops) = (some(6), some(6));
        let attack = Attack {
            kills,
            // A worker that is stopped may rightly run past its deadline.
            stops: if deadline.is_some() { 0 } else { stops },
            pace: [1_000, 5_000, 40_000][random.below(3) as usize],
            // A worker takes a few. Half the time there is not enough for one.
            spare_descriptors: (random.below(12) == 0).then(|| {
                let most = [4, 4 * workers as u64][random.below(2) as usize];
                random.below(most)
            }),
            seed: random.next(),
        };
        Plan { keys, count, skew, seed: random.next(), faults, deadline, attack }
    }

    fn faulty(&self) -> Faulty {
        for file in self.faults.iter().filter_map(|fault| fault.once.as_ref()) {
            let _not_there = fs::remove_file(file);
        }
        let Plan { keys, count, skew, seed, .. } = *self;
        let parameters = Parameters { keys, count, skew, seed, ..Parameters::default() };
        Faulty::new(Fill(Job::new(parameters).expect("in range")), self.faults.clone())
    }

    /// Whether the key may come to this.
    fn judge(&self, faulty: &Faulty, key: usize, outcome: &Outcome<Struck>, hits: &Hits) -> Kept {
        let fault = self.faults.iter().find(|fault| fault.key == key);
        let must = fault.map_or(Some(Must::ComeBack), |fault| must(fault.kind)).expect("no fault that is left out");
        let once = fault.is_some_and(|fault| fault.once.is_some());
        let starved = self.attack.spare_descriptors.is_some();
        let disturbed = starved || hits.kills > 0;
        let allowed = match outcome {
            // A fault that struck once is gone when its key is tried again: after its own death, or another, or when its
            // worker was given up for what an earlier key had left on the channel.
            Ok(output) => {
                let misled = self.faults.iter().any(|fault| fault.key < key && says_more(fault.kind));
                let again = once && (matches!(must, Must::Die(_)) || disturbed || misled);
                (must == Must::ComeBack || again) && is_right(faulty, key, output)
            }
            // Two tries, so two deaths; one may be the key's own, or the second process refused.
            Err(KeyError::Died { exit, .. }) => {
                let by_fault = must == Must::Die(*exit) && (!once || disturbed);
                let enough = if starved || matches!(must, Must::Die(_)) { 1 } else { 2 };
                by_fault || (*exit == Exit::Signal(9) && hits.kills >= enough)
            }
            Err(KeyError::TimedOut { deadline }) => must == Must::TimeOut && Some(*deadline) == self.deadline,
            Err(KeyError::NotStarted(error)) => hits.kills >= LOST_STARTS || (starved && tells_of_descriptors(error)),
            Err(error @ (KeyError::Panicked { .. } | KeyError::NotCrossed { .. })) => {
                matches!(must, Must::Tell(words) if error.to_string().contains(words))
            }
            Err(_) => false,
        };
        if allowed {
            return Ok(());
        }
        let came = match outcome {
            Ok(output) if is_right(faulty, key, output) => String::from("came back"),
            Ok(output) => format!("came back wrong, with {} values", output.block.len()),
            Err(error) => error.to_string(),
        };
        Err(format!("key {key} with {fault:?}, after {hits:?}: {came}"))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { keys, count, skew, deadline, attack, .. } = self;
        write!(f, "the batch: {keys} keys × {count}, {skew:?}, deadline {deadline:?}, {attack:?}, faults in keys [")?;
        self.faults.iter().try_for_each(|Fault { key, kind, once }| {
            write!(f, " {key}:{kind:?}{}", if once.is_some() { " once" } else { "" })
        })?;
        f.write_str(" ]")
    }
}

fn says_more(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::SendTwice | FaultKind::SendGarbage)
}

/// Whether these are the key's bytes.
fn is_right(faulty: &Faulty, key: usize, output: &Struck) -> bool {
    let special = faulty.faults.iter().any(|fault| fault.key == key && fault.kind == FaultKind::Specials);
    // Taken by the first try, whatever became of it.
    let once = faulty.faults.iter().any(|fault| fault.key == key && fault.once.is_some());
    let length = faulty.fill.0.share(key) as usize;
    let digest = |block: &Vec<f64>| {
        let mut digest = Digest::new();
        digest.add(faulty.key_bytes(key), &faulty.fill.output_bytes(block));
        digest.hex()
    };
    let came = digest(&output.block);
    let specials = || Faulty::SPECIALS.iter().copied().cycle().take(length).collect();
    (special && came == digest(&specials())) || ((!special || once) && came == digest(&faulty.fill.expand(key)))
}

/// A process that could not be started, or was but could not open what a worker needs.
fn tells_of_descriptors(error: &io::Error) -> bool {
    error.to_string().contains("Too many open files")
}

impl Attack {
    /// Kills and stops workers until it has done so as often as it should, or the batch is over; and continues all.
    fn carry_out(&self, over: &AtomicBool) -> Hits {
        let mut random = Random::new(self.seed);
        let mut hits = Hits::default();
        let mut killed = BTreeSet::new();
        let mut stopped: Vec<(u32, Instant)> = Vec::new();
        loop {
            let is_over = over.load(Ordering::Relaxed);
            stopped.retain(|&(worker, until)| {
                let stays = !is_over && Instant::now() < until;
                if !stays {
                    let _already_gone = kill_process(raw(worker), Signal::CONT);
                }
                stays
            });
            if is_over {
                break;
            }
            thread::sleep(Duration::from_micros(random.between(100, self.pace)));
            let (kills, stops) = (self.kills - hits.kills, self.stops - hits.stops);
            let workers = live_workers(process::id());
            if kills + stops == 0 || workers.is_empty() {
                continue;
            }
            let worker = workers[random.below(workers.len() as u64) as usize];
            let signal = if random.below(kills + stops) < kills { Signal::KILL } else { Signal::STOP };
            if kill_process(raw(worker), signal).is_err() {
                continue;
            }
            if signal == Signal::KILL {
                hits.kills += 1;
                killed.insert(worker);
            } else {
                hits.stops += 1;
                stopped.push((worker, Instant::now() + Duration::from_micros(random.below(self.pace))));
            }
        }
        // A strategy may take a process that is still dying for alive.
        within(SOON, || live_workers(process::id()).iter().all(|live| !killed.contains(live)).then_some(()));
        hits
    }

    /// Takes descriptors away until what it returns is dropped.
    fn starve(&self) -> Option<Starved> {
        let spare = self.spare_descriptors?;
        let open = alone::descriptors(process::id());
        let highest = open.iter().filter_map(|(number, _)| number.parse::<u64>().ok()).max()?;
        let fed = getrlimit(Resource::Nofile);
        let limit = Rlimit { current: Some(highest + 1 + spare), maximum: fed.maximum };
        setrlimit(Resource::Nofile, limit).ok().map(|()| Starved(fed))
    }
}

/// While it is there, the program may open few descriptors.
struct Starved(Rlimit);

impl Drop for Starved {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).expect("a limit that was there before");
    }
}

/// A batch that nothing is done to: all of it is right, and each worker was seen to be there.
fn quiet<S: Subject>(strategy: &mut S, workers: usize) -> Kept {
    let job = Job::new(Parameters { keys: 2 * workers, count: 100, ..Parameters::default() }).expect("in range");
    let fill = Arc::new(Fill(job));
    let outcomes = strategy.run(&fill);
    for (key, outcome) in outcomes.into_iter().enumerate() {
        let output = outcome.map_err(|error| format!("key {key} of a quiet batch: {error}"))?;
        if output != fill.expand(key) {
            return Err(format!("key {key} of a quiet batch came back wrong"));
        }
    }
    strategy.shortfall().map_or(Ok(()), |shortfall| Err(format!("a worker is missing: {shortfall}")))
}

/// Ends this process when a step takes too long, with what each thread was doing.
fn end_what_hangs(name: &str, step: &Mutex<(String, Instant)>) {
    loop {
        thread::sleep(Duration::from_secs(1));
        let (what, since) = step.lock().expect("nothing under it panics").clone();
        if since.elapsed() > PATIENCE {
            let limit = getrlimit(Resource::Nofile);
            let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
            let hung = whereabouts(process::id());
            tell(&format!(
                "BREACH by {name}, {what}:
not done after {PATIENCE:?}; {SEED} takes its seed. Where it hung:
{hung}"
            ));
            process::exit(1);
        }
    }
}

/// Empties the file that this process and its workers write to: what is told after a breach is what the last batch said.
fn forget_what_was_said() {
    let _not_a_file = rustix::fs::ftruncate(io::stderr(), 0);
}

/// This process's resident memory, in kB.
fn resident() -> u64 {
    alone::memory(process::id(), "VmRSS")
}

fn since_the_epoch() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_micros() as u64)
}

/// Random choices that come out the same from the same seed.
struct Random(Xoshiro256PlusPlus);

impl Random {
    fn new(seed: u64) -> Self {
        Random(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * 2f64.powi(-53)
    }
}
