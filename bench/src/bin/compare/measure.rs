//! One run: build, verify, watch, time, write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf, absolute};
use std::process::{ExitStatus, Output};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result};
use bench::entrants::contender::{CONTROL, Contender, SEQUENTIAL};
use bench::entrants::notebook::{self, Clock, SAME_BITS};
use bench::entrants::toolchain;
use bench::process::interrupt::{Interrupt, Interrupted};
use bench::process::tell;
use bench::process::{self, RunError, Running};
use bench::run::answer::{Answer, Reference, Unusable, seconds};
use bench::run::footprint::{Footprint, Peak};
use bench::run::job::Job;
use bench::run::machine::{Activity, Machine, Others, Python};
use bench::run::record::{self, Ended, FORMAT, Failure, Folder, Plan, Round, Row, Run, Stage};
use bench::sampling::hyperfine;
use bench::sampling::schedule::{self, Runs};
use bench::sampling::{machine, memory};
use bench::text::index;
use bench::text::page;

use crate::folder;
use crate::options::Options;
use crate::progress::{Progress, about};
use crate::rows::{self, Notebook, Wanted, shown};
use crate::setup::{self, Alone};

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
const GUESS_PER_VALUE: f64 = 0.1e-6;

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
    alone: Alone,
    /// What the machine had done when the first round began, and after the last round that was long enough to tell.
    looked: Option<Activity>,
    /// Whether there is a sample to keep.
    timed: bool,
}

/// A row that takes part.
struct Entry {
    contender: Contender,
    runs: Runs,
    costs: Costs,
    /// How long one process may take.
    limit: Duration,
    /// It takes no further part.
    failed: bool,
}

/// What one process with one batch is expected to take.
#[derive(Clone, Copy)]
struct Costs {
    /// As it is timed.
    plain: Duration,
    /// With its digest, as in all other runs.
    digested: Duration,
}

impl Costs {
    /// Of a process that took `elapsed` for a digested batch, by its answer.
    fn of(answer: &Answer, elapsed: Duration) -> Costs {
        Costs { plain: Duration::from_secs_f64(answer.cold_seconds()), digested: elapsed }
    }
}

pub(crate) fn measure(options: &Options, root: &Path, interrupt: &Interrupt) -> Result<End> {
    let before = machine::activity();
    // What can be refused is refused before anything is built.
    let job = options.job()?;
    let results = setup::results(options, root)?;
    let carried = options.bin_dir.as_deref().map(|dir| folder("--bin-dir", dir)).transpose()?;
    let python = options.python.as_deref().map(setup::interpreter).transpose()?;
    let wanted = Wanted::of(&options.only, root, options.python.is_some())?;
    let names = match &carried {
        Some(dir) => wanted.carried(dir)?,
        None => wanted.in_source(root)?,
    };
    let alone = Alone::announce();
    let hyperfine = setup::find_hyperfine(root, carried.as_deref(), interrupt)?;
    let (mut contenders, unbuilt) = match &carried {
        Some(dir) => (rows::carried(dir, root, &names), Vec::new()),
        None => {
            let built = rows::built(root, &names, interrupt);
            // An interrupt ends cargo too; what cargo then did not do is no error.
            interrupt.check()?;
            built?
        }
    };
    let toolchain = match &carried {
        Some(_) => None,
        None => toolchain::used(root, interrupt)?
            .inspect_err(|why| tell::warn(format_args!("what cargo builds with is not recorded: {why}")))
            .ok(),
    };
    let notebook = match &python {
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
    let (reference, json, costs) = reference(&sequential, &job, interrupt)?;
    let references = BTreeMap::from([(job.rng.clone(), reference)]);
    let entries: Vec<Entry> =
        contenders.into_iter().map(|contender| Entry::new(contender, &job, options.rounds(), costs)).collect();

    let stamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    let is_new = !results.exists();
    let (folder, stamp) = record::create(&results, &stamp)?;
    let mut session = Session {
        progress: Progress::new(entries.iter().map(|entry| entry.costs.digested + entry.rest(&job)).sum()),
        plan: plan(options, root, stamp, &job, &entries, not_measured),
        machine: machine::inspect(root, toolchain, hyperfine.version.clone(), before),
        entries,
        job,
        references,
        hyperfine: hyperfine.path,
        folder,
        interrupt,
        alone,
        looked: None,
        timed: false,
    };
    let outcome = session.begin(&json, unbuilt).and_then(|()| session.run(&requirements_xxh3));
    session.progress.finish();
    if !session.timed {
        return session.leave_nothing(outcome, is_new.then_some(&results));
    }
    session.end(outcome, &results)
}

/// The digest that all others must have, with the answer that it is from and what that cost. Without it nothing can be
/// compared.
fn reference(sequential: &Contender, job: &Job, interrupt: &Interrupt) -> Result<(Reference, Vec<u8>, Costs)> {
    tell::say("running sequential once: all others must give its digest");
    let began = Instant::now();
    let asked = ask(sequential, &with(&job.flags(), &["--format", "json", "--digest"]), None, None, interrupt)?;
    let (answer, json) = asked.map_err(|trouble| {
        let said = trouble.stderr.map(|line| format!("\n{line}")).unwrap_or_default();
        anyhow::anyhow!("sequential is the reference, and it did not do this job: {}{said}", trouble.message)
    })?;
    let costs = Costs::of(&answer, began.elapsed());
    Ok((Reference { name: SEQUENTIAL.to_owned(), digest: answer.digest.unwrap_or_default() }, json, costs))
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
    /// Until more is known, a strategy is thought to take what `sequential` does.
    fn new(contender: Contender, job: &Job, rounds: u32, sequential: Costs) -> Entry {
        let values = job.keys as f64 * job.count as f64;
        let seconds = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let runs = Runs::every(rounds, REPEAT);
        if !contender.notebook {
            let limit = PATIENCE + 20 * sequential.digested;
            return Entry { contender, runs, costs: sequential, limit, failed: false };
        }
        let guess = seconds(values * GUESS_PER_VALUE);
        let limit = PATIENCE.saturating_add(seconds(values * PATIENCE_PER_VALUE));
        let costs = Costs { plain: guess, digested: guess };
        let mut entry = Entry { contender, runs, costs, limit, failed: false };
        entry.afford(rounds);
        entry
    }

    /// Sets how often a program of the notebook is timed, by what its run takes.
    fn afford(&mut self, rounds: u32) {
        let is_warm = notebook::pair(&self.contender.name).is_some_and(|pair| pair.clock == Clock::Warm);
        self.runs = Runs::affordable(self.costs.plain, is_warm, rounds, REPEAT);
    }

    fn row(&self, job: &Job) -> Row {
        row(&self.contender, job, self.runs)
    }

    /// What its part of the run takes, apart from being verified.
    fn rest(&self, job: &Job) -> Duration {
        if self.failed { Duration::ZERO } else { self.memory(job).saturating_add(self.rounds()) }
    }

    /// What its memory pass takes. The control has none.
    fn memory(&self, job: &Job) -> Duration {
        let blocking = job.blocking();
        let asleep = Duration::from_micros(blocking.keys * blocking.count / blocking.workers.max(1) as u64);
        match &self.contender {
            contender if contender.name == CONTROL => Duration::ZERO,
            contender if contender.notebook => self.costs.digested,
            _ => self.costs.digested + asleep,
        }
    }

    /// What all its rounds take.
    fn rounds(&self) -> Duration {
        match self.failed {
            true => Duration::ZERO,
            false => self
                .costs
                .plain
                .saturating_mul(self.runs.cold)
                .saturating_add(self.warm().saturating_mul(self.runs.warm)),
        }
    }

    /// What a warm process takes, with the check that follows it.
    fn warm(&self) -> Duration {
        self.costs.digested.saturating_mul(self.runs.batches + 1)
    }
}

impl Session<'_> {
    /// Writes what is known before anything is measured.
    fn begin(&mut self, reference: &[u8], unbuilt: Vec<String>) -> Result<()> {
        self.machine.another_compare = self.alone.is_not();
        self.folder.write_plan(&self.plan)?;
        self.folder.write_machine(&self.machine)?;
        self.folder.write_verified(SEQUENTIAL, reference)?;
        for warning in self.machine.warnings() {
            self.progress.warn(&warning);
        }
        for name in unbuilt {
            let message = "it did not build; cargo says why".to_owned();
            let failure = Failure { stage: Stage::Build, round: None, message, exit: None, stderr: None };
            // And so there is none of it with another generator.
            let unbuilt =
                |entry: &Entry| entry.contender.name == name || entry.contender.name.starts_with(&format!("{name}."));
            let indices: Vec<_> = (0..self.entries.len()).filter(|&index| unbuilt(&self.entries[index])).collect();
            for index in indices {
                self.fail(index, failure.clone())?;
            }
        }
        Ok(())
    }

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
        self.looked = machine::activity();
        if let Some(others) = others_between(self.machine.before, self.looked).filter(Others::disturb) {
            self.progress.warn(&format!("so far, {}: that disturbs the figures", others.used()));
        }
        self.progress.restart(self.entries.iter().map(Entry::rounds).sum());
        for round in 1..=self.plan.rounds {
            if self.entries.iter().all(|entry| entry.failed) {
                break;
            }
            self.progress.stage(&format!("round {round} of {}", self.plan.rounds));
            self.round(round)?;
        }
        Ok(())
    }

    /// Takes away the folder of a run without a sample, and the one that it is in if that was made for it. Why nothing was
    /// timed has been said.
    fn leave_nothing(self, outcome: Result<()>, made_for_it: Option<&PathBuf>) -> Result<End> {
        self.folder.remove()?;
        // It stays if there is something in it by now.
        let _not_empty = made_for_it.map(fs::remove_dir);
        tell::say("nothing was timed, and nothing is kept");
        outcome.map(|()| End::SomeFailed)
    }

    /// Shows what was measured, however far that got, and says where it is. The table comes first: whatever else fails, it
    /// was what the run was for.
    fn end(mut self, outcome: Result<()>, results: &Path) -> Result<End> {
        let (ended, failure) = match outcome {
            Ok(()) => (Some(Ended::Complete), None),
            Err(error) if error.is::<Interrupted>() => (Some(Ended::Interrupted), None),
            Err(error) => (None, Some(error)),
        };
        // Those of the machine were said when the run began.
        let said = self.machine.warnings();
        self.plan.ended = ended;
        self.machine.after = machine::activity();
        self.machine.another_compare = self.alone.is_not();
        let mut failures: Vec<anyhow::Error> = failure.into_iter().collect();
        failures.extend(self.folder.write_machine(&self.machine).err().map(Into::into));
        failures.extend(self.folder.write_plan(&self.plan).err().map(Into::into));
        let run = Run { plan: self.plan.clone(), machine: self.machine.clone(), ..Run::read(self.folder.path())? };
        let printed = tell::print(&page::tables(&run)).context("standard output");
        page::warnings(&run).iter().filter(|warning| !said.contains(warning)).for_each(tell::warn);
        failures.extend(page::write(self.folder.path()).err().map(Into::into));
        failures.extend(index::write(results).err().map(Into::into));
        let whole = failures.is_empty() && printed.is_ok();
        // On a full disk the others have the same cause.
        failures.into_iter().take(1).chain(printed.err()).for_each(|error| tell::complain(error.as_ref()));
        self.folder.tidy();
        self.say_where(ended);
        Ok(match ended {
            Some(Ended::Interrupted) => End::Interrupted,
            Some(Ended::Complete) if whole && !page::any_failed(&run) => End::AllMeasured,
            _ => End::SomeFailed,
        })
    }

    /// Where the page is, and what can be done where it is not all that was asked for.
    fn say_where(&self, ended: Option<Ended>) {
        let page = self.folder.path().join("README.md");
        if page.exists() {
            tell::say(format_args!("all columns: {}", page.display()));
        } else {
            let dir = self.folder.path().display();
            tell::say(format_args!(
                "what was measured is kept in {dir}; once it can be written, --report {dir} makes its page"
            ));
        }
        if ended != Some(Ended::Complete) {
            tell::say("a stopped run cannot be continued: start it anew with the same flags");
        }
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
            self.progress.say(&format!("{} to go{slow}", about(rest)));
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
        let order = entries.filter(|entry| !entry.failed).map(|entry| entry.contender.name.clone()).collect();
        let now = machine::activity();
        let others = others_between(self.looked, now);
        if others.is_some() {
            self.looked = now;
        }
        Ok(self.folder.write_round(round, &Round { order, others })?)
    }

    /// The generator of a row.
    fn rng<'a>(&'a self, contender: &'a Contender) -> &'a str {
        contender.rng.as_ref().unwrap_or(&self.job.rng)
    }

    /// One batch, whose digest must be that of `sequential` with the same generator. Of a generator that Rust does not
    /// have, the first row that answers is the reference of the others.
    fn verify(&mut self, index: usize, requirements_xxh3: &str) -> Result<()> {
        let Some(contender) = self.next(index, self.entries[index].costs.digested, "digest") else { return Ok(()) };
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
        entry.costs = Costs::of(&answer, began.elapsed());
        if contender.notebook {
            entry.limit = PATIENCE + 20 * entry.costs.digested;
            entry.afford(rounds);
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
        let (batch, limit) = (self.entries[index].costs.digested, self.entries[index].limit);
        let mut peak = Peak::default();
        let began = Instant::now();
        let flags = with(&flags(&contender, &self.job), &["--format", "json", "--digest"]);
        let output = Running::start(contender.command(&flags)).map_err(RunError::Io).and_then(|running| {
            running.watch(limit, self.interrupt, memory::interval(batch), |pid| memory::sample(&mut peak, pid))
        });
        let answer = match judge(output, self.reference(&contender))? {
            Ok((answer, _)) => answer,
            Err(trouble) => return self.fail(index, trouble.at(Stage::Memory, None)),
        };
        let again = Costs::of(&answer, began.elapsed());
        // A first run may have had to wait for the machine's memory.
        if again.digested < batch {
            self.entries[index].costs = again;
        }
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
        let Some(contender) = self.next(index, self.entries[index].costs.plain, "cold") else { return Ok(()) };
        let line = contender.command_line(&flags(&contender, &self.job));
        let export = self.folder.cold_export();
        let export = absolute(&export).unwrap_or(export);
        let timer = hyperfine::time_once(&self.hyperfine, &contender.name, &line, &contender.dir, &export);
        let trouble = match process::run(timer, Some(self.entries[index].limit), self.interrupt) {
            Ok(output) if output.status.success() => match self.folder.keep_cold(round, &contender.name)?.exit_code {
                Some(0) => {
                    self.timed = true;
                    return Ok(());
                }
                code => {
                    let exit = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit status: {code}"));
                    Trouble { message: "its timed run failed".to_owned(), exit: Some(exit), stderr: None }
                }
            },
            // hyperfine itself ends well whatever becomes of what it times, unless that cannot be started.
            Ok(output) => {
                // Its export has no room either where there is none for a file.
                self.folder.check_room()?;
                Trouble::of("hyperfine could not time it".to_owned(), &output)
            }
            Err(error) => Trouble::without_end(error)?,
        };
        self.fail(index, trouble.at(Stage::Cold, Some(round)))
    }

    /// Some batches in one process, timed by the process itself, and then the round's check.
    fn warm(&mut self, index: usize, round: u32) -> Result<()> {
        let Entry { runs, limit, .. } = self.entries[index];
        let Some(contender) = self.next(index, self.entries[index].warm(), "warm") else { return Ok(()) };
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
        let Failure { message, exit, stderr, .. } = &failure;
        let exit = exit.as_ref().map(|exit| format!(" ({exit})")).unwrap_or_default();
        let stderr = stderr.as_ref().map(|stderr| format!(": {stderr}")).unwrap_or_default();
        self.progress.say(&format!("failed: {}: {message}{exit}{stderr}", entry.contender.name));
        Ok(self.folder.write_failure(&entry.contender.name, &failure)?)
    }
}

fn others_between(before: Option<Activity>, now: Option<Activity>) -> Option<Others> {
    before?.others_until(&now?)
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
