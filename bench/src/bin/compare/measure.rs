//! One run: build, verify, watch, time, write.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench::answer::{Answer, Reference, Unusable, seconds};
use bench::contender::{CONTROL, Contender, SEQUENTIAL};
use bench::interrupt::{Interrupt, Interrupted};
use bench::job::Job;
use bench::machine::{self, Machine, Python};
use bench::memory::{self, Footprint, Peak};
use bench::notebook::{self, Clock, SAME_BITS};
use bench::process::{self, RunError, Running};
use bench::record::{self, Ended, FORMAT, Failure, Folder, Plan, Row, Stage};
use bench::schedule::{self, Runs};
use bench::{hyperfine, index, page};

use crate::options::Options;
use crate::progress::Progress;
use crate::rows::{self, Notebook, Wanted, shown};

/// Batches per warm process. The first is cold, which leaves two warm samples per round from each of ten processes: more
/// batches in one process would say more about that process and less about the strategy.
const REPEAT: u32 = 3;

/// How long a process may take before it counts as hanging: this, and 20 times what `sequential` took for one batch, or
/// what a program of the notebook took itself. Far beyond what any strategy needs that is worth a row; without a limit one
/// deadlock would cost the whole run.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bounds the first run of a program of the notebook, of which nothing is known yet, per value: ten times what the slowest
/// takes.
const PATIENCE_PER_VALUE: f64 = 3e-6;

/// What a program of the notebook is thought to take per value until it has shown. Progress alone depends on it.
const GUESS_PER_VALUE: f64 = 0.3e-6;

/// How a run ended, for the exit status.
pub(crate) enum End {
    AllMeasured,
    SomeFailed,
    Interrupted,
}

/// What every stage needs.
struct Session<'a> {
    entries: Vec<Entry>,
    job: Job,
    /// What the rows of each generator must have as their digest.
    references: BTreeMap<String, Reference>,
    plan: Plan,
    machine: Machine,
    hyperfine: PathBuf,
    folder: Folder,
    interrupt: &'a Interrupt,
    progress: Progress,
}

/// A row that takes part.
struct Entry {
    contender: Contender,
    runs: Runs,
    /// What one process with one batch and its digest takes.
    batch: Duration,
    /// How long one process may take.
    limit: Duration,
    /// It takes no further part.
    failed: bool,
}

pub(crate) fn measure(options: &Options, root: &Path, interrupt: &Interrupt) -> Result<End> {
    let before = machine::activity();
    let job = options.job();
    let wanted = Wanted::of(&options.only, root, options.python.is_some())?;
    let found = match &options.bin_dir {
        Some(dir) => rows::carried(dir, root, &wanted).map(|contenders| (contenders, Vec::new())),
        None => rows::built(root, &wanted),
    };
    // A Ctrl-C ends cargo too; what cargo then did not do is no error.
    interrupt.check()?;
    let (mut contenders, unbuilt) = found?;
    let hyperfine = find_hyperfine(root, options.bin_dir.is_none());
    interrupt.check()?;
    let hyperfine = hyperfine?;
    let notebook = match &options.python {
        Some(python) => rows::notebook(root, python, &wanted, &contenders, interrupt)?,
        None => Notebook::default(),
    };

    let sequential = contenders.iter().find(|contender| contender.name == SEQUENTIAL).context("no sequential")?.clone();
    let Notebook { counterparts, programs, missing, requirements_xxh3 } = notebook;
    contenders.extend(counterparts);
    let not_measured = match missing {
        Some(missing) => programs.iter().map(|program| not_measured(program, &job, &missing.to_string())).collect(),
        None => {
            contenders.extend(programs);
            Vec::new()
        }
    };
    contenders.push(sequential.control());
    let began = Instant::now();
    let reference = ask(&sequential, &with(&job.flags(), &["--format", "json", "--digest"]), None, None, interrupt)?;
    let (reference, json) = reference.map_err(|trouble| {
        let said = trouble.stderr.map(|line| format!("\n{line}")).unwrap_or_default();
        anyhow::anyhow!("sequential is the reference, and it did not do this job: {}{said}", trouble.message)
    })?;
    let digest = reference.digest.unwrap_or_default();
    let references = BTreeMap::from([(job.rng.clone(), Reference { name: SEQUENTIAL.to_owned(), digest })]);
    let batch = began.elapsed();
    let entries: Vec<Entry> =
        contenders.into_iter().map(|contender| Entry::new(contender, &job, options.rounds(), batch)).collect();

    let stamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    let results = options.out.clone().unwrap_or_else(|| root.join("results"));
    let (folder, stamp) = record::create(&results, &stamp)?;
    let version = hyperfine::version(&hyperfine).context("hyperfine does not say its version")?;
    let mut session = Session {
        progress: Progress::new(entries.iter().map(|entry| entry.batch + entry.rest(&job)).sum()),
        plan: plan(options, root, stamp, &job, &entries, not_measured),
        machine: Machine::inspect(root, options.bin_dir.is_none(), version, before),
        entries,
        job,
        references,
        hyperfine,
        folder,
        interrupt,
    };
    session.folder.write_plan(&session.plan)?;
    session.folder.write_machine(&session.machine)?;
    session.folder.write_verified(SEQUENTIAL, &json)?;
    for warning in session.machine.warnings() {
        session.progress.say(&format!("warning: {warning}"));
    }
    for name in unbuilt {
        let message = "it did not build; cargo says why".to_owned();
        let failure = Failure { stage: Stage::Build, round: None, message, exit: None, stderr: None };
        // And so there is none of it with another generator.
        let unbuilt =
            |entry: &Entry| entry.contender.name == name || entry.contender.name.starts_with(&format!("{name}."));
        for index in (0..session.entries.len()).filter(|&index| unbuilt(&session.entries[index])).collect::<Vec<_>>() {
            session.fail(index, failure.clone())?;
        }
    }

    let outcome = session.run(&requirements_xxh3);
    session.progress.finish();
    let interrupted = match outcome {
        Ok(()) => false,
        Err(error) if error.is::<Interrupted>() => true,
        Err(error) => return Err(error),
    };
    session.plan.ended = Some(if interrupted { Ended::Interrupted } else { Ended::Complete });
    session.machine.after = machine::activity();
    session.folder.write_machine(&session.machine)?;
    session.folder.write_plan(&session.plan)?;
    let run = page::write(session.folder.path())?;
    index::write(&results)?;

    println!("{}", page::headline(&run, "README.md"));
    for warning in page::warnings(&run) {
        eprintln!("warning: {warning}");
    }
    eprintln!("{}", session.folder.path().join("README.md").display());
    Ok(match interrupted {
        true => End::Interrupted,
        false if page::any_failed(&run) => End::SomeFailed,
        false => End::AllMeasured,
    })
}

fn find_hyperfine(root: &Path, may_install: bool) -> Result<PathBuf> {
    if let Some(found) = hyperfine::find(root) {
        return Ok(found);
    }
    if !may_install {
        bail!("hyperfine is not on PATH; it is on https://github.com/sharkdp/hyperfine");
    }
    eprintln!("hyperfine is not on PATH: installing it in target/tools (about 100 s, once)");
    let status = hyperfine::install_command(root).status().context("cargo could not be run")?;
    hyperfine::find(root).with_context(|| format!("hyperfine could not be installed: {status}"))
}

fn plan(options: &Options, root: &Path, stamp: String, job: &Job, entries: &[Entry], not_measured: Vec<Row>) -> Plan {
    Plan {
        format: FORMAT,
        stamp,
        command: own_command(root),
        rounds: options.rounds(),
        repeat: REPEAT,
        shuffle_seed: options.shuffle_seed(),
        rows: entries.iter().map(|entry| entry.row(job)).chain(not_measured).collect(),
        job: job.clone(),
        ended: None,
    }
}

/// The row of a program that cannot be run here.
fn not_measured(program: &Contender, job: &Job, why: &str) -> Row {
    let row = row(program, job, Runs::every(0, REPEAT));
    Row { not_measured: Some(why.to_owned()), ..row }
}

fn row(contender: &Contender, job: &Job, runs: Runs) -> Row {
    Row {
        name: contender.name.clone(),
        command: contender.shown_line(&flags(contender, job)),
        rounds: runs.cold,
        warm_rounds: (runs.warm != runs.cold).then_some(runs.warm),
        repeat: (runs.batches != REPEAT).then_some(runs.batches),
        lines: contender.lines,
        rng: contender.rng.clone(),
        notebook: contender.notebook,
        not_measured: None,
    }
}

/// The timed flags of a row.
fn flags(contender: &Contender, job: &Job) -> Vec<String> {
    contender.rng.as_ref().map_or_else(|| job.flags(), |rng| job.drawing_from(rng).flags())
}

/// How this process was called, with paths as results may show them.
fn own_command(root: &Path) -> String {
    let clean = |argument: String| {
        let (flag, value) = argument.split_once('=').map_or(("", &*argument), |(flag, value)| (flag, value));
        let equals = if flag.is_empty() { "" } else { "=" };
        let path = Path::new(value);
        if path.is_absolute() { format!("{flag}{equals}{}", shown(root, path)) } else { argument }
    };
    let arguments = env::args_os().skip(1).map(|argument| clean(argument.to_string_lossy().into_owned()));
    shell_words::join(std::iter::once("scripts/compare.sh".to_owned()).chain(arguments))
}

impl Entry {
    /// Until more is known, a strategy is thought to take `batch`, as `sequential` does.
    fn new(contender: Contender, job: &Job, rounds: u32, batch: Duration) -> Entry {
        let values = job.keys as f64 * job.count as f64;
        let runs = Runs::every(rounds, REPEAT);
        let (batch, limit) = match contender.notebook {
            true => (values * GUESS_PER_VALUE, PATIENCE.as_secs_f64() + values * PATIENCE_PER_VALUE),
            false => (batch.as_secs_f64(), (PATIENCE + 20 * batch).as_secs_f64()),
        };
        let [batch, limit] =
            [batch, limit].map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
        let mut entry = Entry { contender, runs, batch, limit, failed: false };
        if entry.contender.notebook {
            entry.afford(batch, rounds);
        }
        entry
    }

    /// Sets how often a program of the notebook is timed, whose run takes `run`.
    fn afford(&mut self, run: Duration, rounds: u32) {
        let is_warm = notebook::pair(&self.contender.name).is_some_and(|pair| pair.clock == Clock::Warm);
        self.runs = Runs::affordable(run, is_warm, rounds, REPEAT);
    }

    fn row(&self, job: &Job) -> Row {
        row(&self.contender, job, self.runs)
    }

    /// What its part of the run takes, apart from being verified.
    fn rest(&self, job: &Job) -> Duration {
        if self.failed { Duration::ZERO } else { self.memory(job) + self.batch.saturating_mul(self.runs.jobs()) }
    }

    /// What its memory pass takes. The control has none.
    fn memory(&self, job: &Job) -> Duration {
        let blocking = job.blocking();
        let asleep = Duration::from_micros(blocking.keys * blocking.count / blocking.workers.max(1) as u64);
        match &self.contender {
            contender if contender.name == CONTROL => Duration::ZERO,
            contender if contender.notebook => self.batch,
            _ => self.batch + asleep,
        }
    }
}

impl Session<'_> {
    fn run(&mut self, requirements_xxh3: &str) -> Result<()> {
        // The control is `sequential`, which need not be verified and watched twice.
        let programs = self.entries.len() - 1;
        self.progress.stage("comparing digests");
        for index in 0..programs {
            self.verify(index, requirements_xxh3)?;
        }
        self.plan_the_rest()?;
        self.progress.stage("watching memory");
        for index in 0..programs {
            self.watch(index)?;
        }
        for round in 1..=self.plan.rounds {
            self.progress.stage(&format!("round {round} of {}", self.plan.rounds));
            self.round(round)?;
        }
        Ok(())
    }

    /// Says how long the run will take, now that this is known, and records how often each row will be timed.
    fn plan_the_rest(&mut self) -> Result<()> {
        for entry in &self.entries {
            if let Some(row) = self.plan.rows.iter_mut().find(|row| row.name == entry.contender.name) {
                *row = entry.row(&self.job);
            }
        }
        self.folder.write_plan(&self.plan)?;
        let rest: Duration = self.entries.iter().map(|entry| entry.rest(&self.job)).sum();
        self.progress.restart(rest);
        if self.entries.iter().any(|entry| entry.contender.notebook) {
            let every = Runs::every(self.plan.rounds, REPEAT);
            let fewer = self.entries.iter().filter(|entry| !entry.failed && entry.runs != every);
            let fewer: Vec<&str> = fewer.map(|entry| entry.contender.name.as_str()).collect();
            let slow = if fewer.is_empty() {
                String::new()
            } else {
                format!("; slow, and timed less often: {}", fewer.join(", "))
            };
            self.progress.say(&format!("about {} min to go{slow}", rest.as_secs().div_ceil(60)));
        }
        Ok(())
    }

    /// All cold runs of a round before the warm ones: what is compared then runs within seconds, not minutes.
    fn round(&mut self, round: u32) -> Result<()> {
        let rounds = self.plan.rounds;
        let cold: Vec<u32> = self.entries.iter().map(|entry| entry.runs.cold).collect();
        let order = schedule::order(&cold, round, rounds, self.plan.shuffle_seed);
        for &index in &order {
            self.cold(index, round)?;
        }
        for &index in &order {
            if schedule::takes_part(self.entries[index].runs.warm, round, rounds) {
                self.warm(index, round)?;
            }
        }
        let entries = order.iter().map(|&index| &self.entries[index]);
        let names = entries.filter(|entry| !entry.failed).map(|entry| entry.contender.name.clone()).collect();
        Ok(self.folder.write_round(round, names)?)
    }

    /// The generator of a row.
    fn rng<'a>(&'a self, contender: &'a Contender) -> &'a str {
        contender.rng.as_ref().unwrap_or(&self.job.rng)
    }

    /// One batch, whose digest must be that of `sequential` with the same generator. Of a generator that Rust does not
    /// have, the first row that answers is the reference of the others.
    fn verify(&mut self, index: usize, requirements_xxh3: &str) -> Result<()> {
        let Some(contender) = self.next(index, self.entries[index].batch, "digest") else { return Ok(()) };
        if contender.name == SEQUENTIAL {
            return Ok(());
        }
        let rng = self.rng(&contender).to_owned();
        let reference = self.references.get(&rng).cloned();
        if reference.is_none() && rng == SAME_BITS && contender.name != rows::reference_of_same_bits() {
            let message =
                format!("there is no digest to compare with, since {} failed", rows::reference_of_same_bits());
            let trouble = Trouble { message, exit: None, stderr: None };
            return self.fail(index, trouble.at(Stage::Verify, None));
        }
        let began = Instant::now();
        let flags = with(&flags(&contender, &self.job), &["--format", "json", "--digest"]);
        let limit = Some(self.entries[index].limit);
        let (answer, json) = match ask(&contender, &flags, reference.as_ref(), limit, self.interrupt)? {
            Ok(answer) => answer,
            Err(trouble) => return self.fail(index, trouble.at(Stage::Verify, None)),
        };
        let Some(digest) = answer.digest.clone() else {
            let trouble = Trouble { message: Unusable::NoDigest.to_string(), exit: None, stderr: None };
            return self.fail(index, trouble.at(Stage::Verify, None));
        };
        self.folder.write_verified(&contender.name, &json)?;
        self.references.entry(rng).or_insert(Reference { name: contender.name.clone(), digest });
        let rounds = self.plan.rounds;
        let entry = &mut self.entries[index];
        entry.batch = began.elapsed();
        if contender.notebook {
            entry.limit = PATIENCE + 20 * entry.batch;
            entry.afford(Duration::from_secs_f64(answer.cold_seconds()), rounds);
        }
        if let Some(interpreter) = answer.python {
            let requirements_xxh3 = requirements_xxh3.to_owned();
            let python = Python { interpreter: interpreter.clone(), requirements_xxh3 };
            let python = self.machine.python.get_or_insert(python);
            python.interpreter.packages.extend(interpreter.packages);
            self.folder.write_machine(&self.machine)?;
        }
        Ok(())
    }

    /// Memory, threads and processes of one batch, and how many keys it keeps in flight. Digested, since the outputs are
    /// then held for long enough to be seen whole.
    fn watch(&mut self, index: usize) -> Result<()> {
        let expected = self.entries[index].memory(&self.job);
        let Some(contender) = self.next(index, expected, "memory") else { return Ok(()) };
        let (batch, limit) = (self.entries[index].batch, self.entries[index].limit);
        let mut peak = Peak::default();
        let flags = with(&flags(&contender, &self.job), &["--format", "json", "--digest"]);
        let output = Running::start(contender.command(&flags))
            .map_err(RunError::Io)
            .and_then(|running| running.watch(limit, self.interrupt, memory::interval(batch), |pid| peak.sample(pid)));
        let answer = match judge(output, self.reference(&contender))? {
            Ok((answer, _)) => answer,
            Err(trouble) => return self.fail(index, trouble.at(Stage::Memory, None)),
        };
        let keys_in_flight = if contender.notebook { None } else { self.keys_in_flight(&contender, limit)? };
        let footprint = Footprint { peak: peak.seen(), output_bytes: answer.output_bytes, keys_in_flight };
        Ok(self.folder.write_footprint(&contender.name, &footprint)?)
    }

    /// How many of the keys that only sleep. A row that cannot wait has no such number; its job is another one.
    fn keys_in_flight(&self, contender: &Contender, limit: Duration) -> Result<Option<f64>, Interrupted> {
        let blocking = self.job.blocking();
        let flags = with(&blocking.flags(), &["--format", "json"]);
        let waited = ask(contender, &flags, None, Some(limit), self.interrupt)?.ok();
        let run = waited.and_then(|(answer, _)| answer.run_ns.first().copied());
        let slept = (blocking.keys * blocking.count) as f64 / 1e6;
        Ok(run.filter(|run| *run > 0).map(|run| slept / seconds(run)))
    }

    fn reference(&self, contender: &Contender) -> Option<&Reference> {
        self.references.get(self.rng(contender))
    }

    /// A whole process, timed by hyperfine. Without a digest, whose cost is that of another batch: the exit status says that
    /// all keys came back at full length, and the round's check that they are the right ones.
    fn cold(&mut self, index: usize, round: u32) -> Result<()> {
        let Some(contender) = self.next(index, self.entries[index].batch, "cold") else { return Ok(()) };
        let line = contender.command_line(&flags(&contender, &self.job));
        let export = self.folder.cold_export();
        let export = std::path::absolute(&export).unwrap_or(export);
        let timer = hyperfine::time_once(&self.hyperfine, &contender.name, &line, &contender.dir, &export);
        let trouble = match process::run(timer, Some(self.entries[index].limit), self.interrupt) {
            Ok(output) if output.status.success() => match self.folder.keep_cold(round, &contender.name)?.exit_code {
                Some(0) => return Ok(()),
                code => {
                    let exit = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit status: {code}"));
                    Trouble { message: "its timed run failed".to_owned(), exit: Some(exit), stderr: None }
                }
            },
            // hyperfine itself ends well whatever becomes of what it times, unless that cannot be started.
            Ok(output) => Trouble::of("hyperfine could not time it".to_owned(), &output),
            Err(error) => Trouble::without_end(error)?,
        };
        self.fail(index, trouble.at(Stage::Cold, Some(round)))
    }

    /// Some batches in one process, timed by the process itself, and then the round's check.
    fn warm(&mut self, index: usize, round: u32) -> Result<()> {
        let Entry { batch, runs, limit, .. } = self.entries[index];
        let Some(contender) = self.next(index, batch * (runs.batches + 1), "warm") else { return Ok(()) };
        let Some(reference) = self.reference(&contender) else { return Ok(()) };
        let flags = flags(&contender, &self.job);
        let repeat = with(&flags, &["--repeat", &runs.batches.to_string(), "--format", "json", "--digest"]);
        match ask(&contender, &repeat, Some(reference), Some(limit), self.interrupt)? {
            Ok((_, json)) => self.folder.write_warm(round, &contender.name, &json)?,
            Err(trouble) => return self.fail(index, trouble.at(Stage::Warm, Some(round))),
        }
        let check = with(&flags, &["--format", "json", "--expect", &reference.digest]);
        match ask(&contender, &check, Some(reference), Some(limit), self.interrupt)? {
            Ok(_) => Ok(()),
            Err(trouble) => self.fail(index, trouble.at(Stage::Check, Some(round))),
        }
    }

    /// The contender, unless it has failed before. What it is expected to take counts as done either way.
    fn next(&mut self, index: usize, expected: Duration, doing: &str) -> Option<Contender> {
        let entry = &self.entries[index];
        self.progress.running(&format!("{doing}: {}", entry.contender.name));
        self.progress.advance(expected);
        (!entry.failed).then(|| entry.contender.clone())
    }

    /// Takes a row out of the rest of the run, and says so.
    fn fail(&mut self, index: usize, failure: Failure) -> Result<()> {
        let entry = &mut self.entries[index];
        entry.failed = true;
        self.progress.say(&format!("failed: {}: {}", entry.contender.name, failure.message));
        Ok(self.folder.write_failure(&entry.contender.name, &failure)?)
    }
}

/// What went wrong with one process of one row.
struct Trouble {
    message: String,
    exit: Option<String>,
    stderr: Option<String>,
}

impl Trouble {
    fn of(message: String, output: &Output) -> Trouble {
        let exit = Some(output.status).filter(|status| !ExitStatus::success(status)).map(|status| status.to_string());
        Trouble { message, exit, stderr: process::last_line(&output.stderr) }
    }

    /// A process that did not come to its end. An interrupt is nobody's failure.
    fn without_end(error: RunError) -> Result<Trouble, Interrupted> {
        match error {
            RunError::Interrupted => Err(Interrupted),
            error => Ok(Trouble { message: error.to_string(), exit: None, stderr: None }),
        }
    }

    fn at(self, stage: Stage, round: Option<u32>) -> Failure {
        Failure { stage, round, message: self.message, exit: self.exit, stderr: self.stderr }
    }
}

/// Its answer, and the same as it printed it.
type Asked = Result<(Answer, Vec<u8>), Trouble>;

/// Runs a contender and reads its answer, which must have the digest of `reference` if there is one.
fn ask(
    contender: &Contender,
    flags: &[String],
    reference: Option<&Reference>,
    limit: Option<Duration>,
    interrupt: &Interrupt,
) -> Result<Asked, Interrupted> {
    judge(process::run(contender.command(flags), limit, interrupt), reference)
}

fn judge(output: Result<Output, RunError>, reference: Option<&Reference>) -> Result<Asked, Interrupted> {
    let output = match output {
        Ok(output) => output,
        Err(error) => return Trouble::without_end(error).map(Err),
    };
    let agreed = Answer::read(&output.stdout).and_then(|answer| match reference {
        Some(reference) => answer.agree(Some(reference)).map(|_| ()).map(|()| answer),
        None => Ok(answer),
    });
    Ok(match agreed {
        Ok(answer) if output.status.success() => Ok((answer, output.stdout)),
        // Where a failed process has printed no JSON, its own words say more than what is wrong with the JSON.
        Err(unusable) if output.status.success() || !matches!(unusable, Unusable::Json(_)) => {
            Err(Trouble::of(unusable.to_string(), &output))
        }
        _ => Err(Trouble::of("it failed".to_owned(), &output)),
    })
}

fn with(flags: &[String], more: &[&str]) -> Vec<String> {
    flags.iter().cloned().chain(more.iter().map(|flag| (*flag).to_owned())).collect()
}
