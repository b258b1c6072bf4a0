//! One run: who takes part, verify, watch, time. The samples are kept as they come.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::entrants::contender::Contender;
use crate::entrants::manifest;
use crate::entrants::notebook::{self, Clock, SAME_BITS};
use crate::entrants::selection;
use crate::numbers::difference;
use crate::numbers::stopping::{self, LEAST_ROUNDS};
use crate::process::interrupt::{Interrupt, Interrupted};
use crate::process::tell::Usage;
use crate::process::{self, RunError, Running, tell};
use crate::run::answer::{Answer, Reference, Unusable, seconds};
use crate::run::folder::Folder;
use crate::run::footprint::{Footprint, Peak};
use crate::run::job::Job;
use crate::run::machine::{Activity, Machine, Others, Python};
use crate::run::plan::{Cell, Ended, FORMAT, Kind, Plan, Row, SEQUENTIAL};
use crate::run::sample::{Cold, Failure, Line, Round, Stage};
use crate::run::sweep::{End, Sweep};
use crate::run::{Measured, Run};
use crate::sampling::ask::{Trouble, ask, judge, with};
use crate::sampling::hyperfine::{self, export};
use crate::sampling::neighbour::Neighbour;
use crate::sampling::own::Prepared;
use crate::sampling::programs::{self, Programs, Request};
use crate::sampling::progress::{Progress, about};
use crate::sampling::setup::Alone;
use crate::sampling::{condition, machine, memory, schedule, survival};

/// Batches per warm process, but for sweeps. The first is cold, which leaves two warm samples: more batches in one process would
/// say more about that process and less about the strategy.
const REPEAT: u32 = 3;

/// How long a process may take before it counts as hanging: this, and 20 times what `sequential` took for one batch, or
/// what a program of the notebook took itself. Far beyond what any strategy needs that is worth a row; without a limit one
/// deadlock would cost the whole run.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bounds the first run of a program of the notebook, of which nothing is known yet, per value: ten times what the slowest
/// takes.
const PATIENCE_PER_VALUE: f64 = 3e-6;

/// What a program of the notebook is thought to take per value until it has shown. Progress alone depends on it.
pub(crate) const GUESS_PER_VALUE: f64 = 0.1e-6;

/// A program of the notebook that takes longer is timed in the first [`LEAST_ROUNDS`] rounds alone, is not timed in the
/// discarded one, and has two batches per warm process. At the default size each of its runs lasts longer than a round of all
/// strategies, and what is to be told, a factor of tens, shows in ten.
pub(crate) const SLOW: Duration = Duration::from_secs(3);

/// The same in a full run, whose sweeps take most of its time: numpy's programs then take part in a few rounds too.
const SLOW_OF_A_FULL_RUN: Duration = Duration::from_millis(500);

/// A job of a sweep at which `sequential` takes longer is timed in [`FEW`] rounds, one of them warm: 8 GB of outputs would else
/// take as long as all other jobs.
const SLOW_OF_A_SWEEP: Duration = Duration::from_secs(2);

/// Batches by which a row shows, before it is timed, whether it takes part at the next job of a sweep: the fastest counts.
const LOOKS: u32 = 2;

/// Bytes of outputs below which a sweep does not look at memory.
const SMALL: u64 = 16_000_000;

/// Warm processes of a slow program whose clock is the cold one: the fewest that have a middle one.
pub(crate) const FEW: u32 = 3;

/// What has become of a run.
pub struct Finished {
    /// Its folder.
    pub dir: PathBuf,
    /// Why it ended early, unless by a signal.
    pub failure: Option<anyhow::Error>,
    /// What has been said of the machine on the way.
    pub said: Vec<String>,
}

/// What every stage needs.
struct Session<'a> {
    entries: Vec<Entry>,
    /// What the rows of each job must have as their digest, by its flags.
    references: BTreeMap<String, Reference>,
    /// The size of the outputs of each job, likewise.
    sizes: BTreeMap<String, u64>,
    /// All that was measured so far, as it is in the folder.
    run: Run,
    hyperfine: PathBuf,
    folder: Folder,
    interrupt: &'a Interrupt,
    progress: Progress,
    alone: Alone,
    /// The job, if it is the reader's.
    own: Option<Arc<Prepared>>,
    /// What the machine had done when the first round began, and after the last round that was long enough to tell.
    looked: Option<Activity>,
}

/// A cell that takes part, in the place that it has in the plan.
struct Entry {
    contender: Contender,
    costs: Costs,
    /// How long one process may take.
    limit: Duration,
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

/// Measures what `request` asks for. Nothing is kept, and nothing returned, of a run in which nothing was timed.
///
/// # Errors
///
/// What keeps the run from beginning. What ends it early is in [`Finished`].
pub fn measure(request: &Request, root: &Path, interrupt: &Interrupt) -> Result<Option<Finished>> {
    let before = machine::activity();
    let alone = Alone::announce();
    let programs = programs::find(request, root, interrupt)?;
    say_what_is_compared(request);
    let answers = references(&programs.sequential, &request.jobs, interrupt)?;
    let stamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    let is_new = !request.results.exists();
    let (folder, name) = Folder::create(&request.results, request.name.as_ref().unwrap_or(&stamp))?;
    let plan = plan(request, &programs, if request.name.is_some() { stamp } else { name });
    if let Some(own) = &request.own {
        own.alone.write(folder.path())?;
        own.advised.iter().try_for_each(|advised| advised.write(folder.path()))?;
    }
    let machine = inspected(root, &programs, before);
    let made: Vec<&Path> = is_new.then_some(request.results.as_path()).into_iter().collect();
    let run = Run::new(plan, machine);
    Session::new(run, folder, &programs, answers, interrupt, alone).whole(&programs, Some(&made))
}

/// Goes on with the run in `dir`, which was stopped. Of `request` only the way to its programs counts; nothing is to be done,
/// and nothing returned, if the run is complete.
///
/// # Errors
///
/// If the run is not from this commit, build and machine, is measured by another process, or its programs are not all here; and
/// what keeps it from going on.
pub fn resume(dir: &Path, request: &Request, root: &Path, interrupt: &Interrupt) -> Result<Option<Finished>> {
    let before = machine::activity();
    let mut run = Run::read(dir).map_err(|error| Usage(format!("--resume: {error}")))?;
    if run.plan.ended == Some(Ended::Complete) {
        return Ok(None);
    }
    let alone = Alone::announce();
    let jobs: Vec<Job> = run.plan.jobs().cloned().collect();
    let (sweep, allocators) = (run.plan.sweep.clone(), run.plan.allocators());
    let only = run.plan.names();
    check_needs(dir, &only, root)?;
    let python = run.plan.has_notebook().then(|| request.python.clone().unwrap_or_else(|| "python3".to_owned()));
    let request = Request { only, allocators, sweep, python, jobs: jobs.clone(), ..request.clone() };
    let programs = programs::find(&request, root, interrupt)?;
    let machine = inspected(root, &programs, before);
    if let Some((what, then, now)) = difference::of_machines(&run.machine, &machine).first() {
        let told = format!("--resume {}: the {what} of that run is {then}, and now it is {now}", dir.display());
        return Err(Usage(told).into());
    }
    if let Some(missing) = run.plan.cells.iter().find(|cell| programs.of(cell).is_none()) {
        let measured = run.plan.row(&missing.row).is_some_and(|row| row.not_measured.is_none());
        if measured {
            return Err(
                Usage(format!("--resume {}: there is no program for its row {}", dir.display(), missing.row)).into()
            );
        }
    }
    say_what_is_compared(&request);
    let answers = references(&programs.sequential, &jobs, interrupt)?;
    check_is_the_same(dir, &run, &request, &answers)?;
    run.plan.ended = None;
    let folder = Folder::open(dir).map_err(|error| Usage(format!("--resume: {error}")))?;
    Session::new(run, folder, &programs, answers, interrupt, alone).whole(&programs, None)
}

/// That the programs which the strategies of the run in `dir` need are still here: it would lack rows otherwise.
///
/// # Errors
///
/// What the first strategy lacks.
pub fn check_needs(dir: &Path, strategies: &[String], root: &Path) -> Result<()> {
    match manifest::lacking(&root.join("impls"), strategies)?.first() {
        Some(lacking) => Err(Usage(format!("--resume {}: its row {lacking}", dir.display())).into()),
        None => Ok(()),
    }
}

/// The machine, with what the programs were built with.
fn inspected(root: &Path, programs: &Programs, before: Option<Activity>) -> Machine {
    let Programs { toolchain, hyperfine, .. } = programs;
    machine::inspect(root, programs.locked(root), toolchain.clone(), hyperfine.version.clone(), before)
}

/// That a run that goes on is still of the same job, by what its `sequential` gave.
fn check_is_the_same(dir: &Path, run: &Run, request: &Request, answers: &[(Job, Answer, Costs)]) -> Result<(), Usage> {
    let refused = |why: &str| Err(Usage(format!("--resume {}: {why}", dir.display())));
    if let (Some(then), Some(now)) = (&run.plan.own, &request.own) {
        let job = now.job(usize::MAX);
        if run.plan.jobs().any(|then| (&then.workload, then.keys) != (&job.workload, job.keys)) {
            return refused(&format!("that run is of another job than `{}` with {} keys", job.workload, job.keys));
        }
        if then.is_compared != now.asked.is_compared {
            return refused("in that run outputs were compared, and now the job is not deterministic");
        }
    }
    let cells = run.plan.cells.iter().filter(|cell| cell.row == SEQUENTIAL);
    for (cell, (_, answer, _)) in cells.zip(answers) {
        let then = run.measured(&cell.name).and_then(|measured| measured.verified.as_ref());
        let then = then.and_then(|answer| answer.report.digest.as_ref());
        if run.plan.is_compared() && then.is_some_and(|then| Some(then) != answer.report.digest.as_ref()) {
            return refused("`sequential` gave something else in that run");
        }
    }
    Ok(())
}

/// Says what the first run is for.
fn say_what_is_compared(request: &Request) {
    let is_compared = request.own.as_ref().is_none_or(|own| own.asked.is_compared);
    let what = if is_compared { "all others must give its digest" } else { "outputs are not compared" };
    tell::say(format_args!("running sequential once: {what}"));
}

/// What `sequential` answers to each job, and what that cost: all others must give its digest.
fn references(sequential: &Contender, jobs: &[Job], interrupt: &Interrupt) -> Result<Vec<(Job, Answer, Costs)>> {
    let mut references = Vec::new();
    for job in jobs {
        let began = Instant::now();
        let asked = ask(sequential, &with(&job.flags(), &["--format", "json", "--digest"]), None, None, interrupt)?;
        let answer = asked.map_err(|trouble| {
            let said = trouble.stderr.map(|line| format!("\n{line}")).unwrap_or_default();
            anyhow::anyhow!("sequential is the reference, and it did not do this job: {}{said}", trouble.message)
        })?;
        let costs = Costs::of(&answer, began.elapsed());
        references.push((job.clone(), answer, costs));
    }
    Ok(references)
}

fn plan(request: &Request, programs: &Programs, stamp: String) -> Plan {
    let rows = programs.contenders.iter().map(|contender| contender.row(None));
    let not_measured = programs.not_measured.iter().map(|(contender, why)| contender.row(Some(why.clone())));
    let mut rows: Vec<Row> = rows.chain(not_measured).collect();
    for left_out in &request.left_out {
        // What cannot run a job of the reader's is known by now.
        if rows.iter().all(|row| row.name != left_out.name) {
            rows.push(left_out.clone());
        }
    }
    Plan {
        format: FORMAT,
        stamp,
        command: request.command.clone(),
        sweep: request.sweep.clone(),
        own: request.own.as_ref().map(|own| own.planned()),
        full: request.full,
        rows,
        cells: cells(request, &programs.contenders),
        stop: request.stop,
        brief: request.is_brief,
        repeat: request.batches(REPEAT),
        shuffle_seed: request.shuffle_seed,
        condition: request.condition,
        ended: None,
    }
}

/// Each contender at each job, as often as that is timed.
pub(crate) fn cells(request: &Request, contenders: &[Contender]) -> Vec<Cell> {
    let timed = request.timed();
    let batches = request.batches(REPEAT);
    let cold_rounds = timed.is_some_and(|timed| !timed.is_cold()).then_some(0);
    let at = |at| contenders.iter().map(move |it| Cell { cold_rounds, ..it.at(at, &request.jobs, batches) });
    (0..request.jobs.len()).flat_map(at).collect()
}

impl Entry {
    /// Until more is known, a strategy is thought to take what `sequential` does.
    fn new(contender: Contender, job: &Job, sequential: Costs) -> Entry {
        let values = job.keys as f64 * job.count as f64;
        let seconds = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        if contender.kind != Kind::Notebook {
            return Entry { contender, costs: sequential, limit: PATIENCE + 20 * sequential.digested };
        }
        let guess = seconds(values * GUESS_PER_VALUE);
        let limit = PATIENCE.saturating_add(seconds(values * PATIENCE_PER_VALUE));
        Entry { contender, costs: Costs { plain: guess, digested: guess }, limit }
    }
}

impl<'a> Session<'a> {
    fn new(
        run: Run,
        folder: Folder,
        programs: &Programs,
        answers: Vec<(Job, Answer, Costs)>,
        interrupt: &'a Interrupt,
        alone: Alone,
    ) -> Session<'a> {
        let entry = |cell: &Cell| {
            let contender = programs.of(cell).unwrap_or(&programs.sequential).clone();
            let sequential = answers.get(cell.at).map_or(Costs::nothing(), |(.., costs)| *costs);
            Entry::new(contender, &cell.job, sequential)
        };
        let mut session = Session {
            entries: run.plan.cells.iter().map(entry).collect(),
            references: BTreeMap::new(),
            sizes: BTreeMap::new(),
            progress: Progress::new(Duration::ZERO),
            run,
            hyperfine: programs.hyperfine.path.clone(),
            folder,
            interrupt,
            alone,
            own: programs.own.clone(),
            looked: None,
        };
        for (job, answer, _) in answers {
            let digest = answer.report.digest.clone().unwrap_or_default();
            session.sizes.insert(flags_of(&job), answer.report.output_bytes);
            if !session.run.plan.is_compared() {
                continue;
            }
            session.references.insert(flags_of(&job), Reference { name: SEQUENTIAL.to_owned(), digest });
        }
        session
    }

    /// All of it, and what has become of it. A run that begins here leaves nothing if nothing was timed: `made` are the folders
    /// around its own that were made for it. One that goes on keeps what it has.
    fn whole(mut self, programs: &Programs, made: Option<&[&Path]>) -> Result<Option<Finished>> {
        let outcome = self.begin(programs).and_then(|()| self.measure(&programs.requirements_xxh3));
        self.progress.finish();
        self.folder.tidy();
        if let Some(made) = made.filter(|_| !self.run.is_timed()) {
            // Why nothing was timed has been said.
            self.folder.remove()?;
            // One stays if there is something in it by now.
            made.iter().for_each(|dir| _ = fs::remove_dir(dir));
            tell::say("nothing was timed, and nothing is kept");
            return outcome.map(|()| None);
        }
        let (ended, failure) = match outcome {
            Ok(()) => (Some(Ended::Complete), None),
            Err(error) if error.is::<Interrupted>() => (Some(Ended::Interrupted), None),
            Err(error) => (None, Some(error)),
        };
        // Those of the machine were said when the run began.
        let said = self.run.machine.warnings();
        self.run.plan.ended = ended;
        self.run.machine.after = machine::activity();
        self.run.machine.another_compare |= self.alone.is_not();
        let failures = [
            failure,
            self.folder.write_machine(&self.run.machine).err().map(Into::into),
            self.folder.write_plan(&self.run.plan).err().map(Into::into),
        ];
        // On a full disk the others have the same cause.
        let failure = failures.into_iter().flatten().next();
        Ok(Some(Finished { dir: self.folder.path().to_owned(), failure, said }))
    }

    /// Writes what is known before anything is measured.
    fn begin(&mut self, programs: &Programs) -> Result<()> {
        self.run.machine.another_compare |= self.alone.is_not();
        // The plan last: a folder that has one is a run, wherever this process is killed.
        self.folder.write_machine(&self.run.machine)?;
        self.folder.write_plan(&self.run.plan)?;
        for warning in self.run.machine.warnings() {
            self.progress.warn(&warning);
        }
        for name in &programs.unbuilt {
            let message = "it did not build; cargo says why".to_owned();
            let failure = Failure { stage: Stage::Build, round: None, message, exit: None, stderr: None };
            // And so there is none of it with another generator.
            let is_unbuilt = |index: usize| {
                let row = &self.cell(index).row;
                let drawing = self.entries[index].contender.rng.as_ref().map(|rng| format!("{name}.{rng}"));
                row == name || drawing.as_ref() == Some(row)
            };
            let all = 0..self.entries.len();
            let indices: Vec<_> = all.filter(|&index| is_unbuilt(index) && !self.failed(index)).collect();
            for index in indices {
                self.fail(index, failure.clone())?;
            }
        }
        Ok(())
    }

    fn measure(&mut self, requirements_xxh3: &str) -> Result<()> {
        // The control is `sequential`, which need not be verified and watched twice.
        let programs: Vec<usize> = (0..self.entries.len()).filter(|&index| self.kind(index) != Kind::Control).collect();
        // Before memory is looked at, which takes its time.
        let slow_jobs = self.slow_jobs();
        self.progress.restart(programs.iter().map(|&index| self.entries[index].costs.digested).sum());
        self.progress.stage(if self.run.plan.is_compared() { "comparing digests" } else { "running each once" });
        for &index in &programs {
            self.verify(index, requirements_xxh3)?;
        }
        self.plan_the_rounds(&slow_jobs)?;
        let is_brief = self.run.plan.is_brief();
        if self.run.plan.sweep.is_none() {
            self.progress.stage("trying what becomes of the other keys when one fails");
            for &index in &programs {
                self.survive(index)?;
            }
        }
        // What hardly holds any memory needs none made ready; others may have been looked at by now.
        let is_open = |index: &usize| {
            let is_there = !self.failed(*index) && !self.cell(*index).is_left_out();
            is_there && self.run.measured[*index].footprint.is_none() && !(is_brief && self.is_small(*index))
        };
        let watched: Vec<usize> = programs.into_iter().filter(is_open).collect();
        if !watched.is_empty() {
            self.progress.restart(watched.iter().map(|&index| self.memory_costs(index)).sum());
            self.progress.stage("watching memory");
        }
        for &index in &watched {
            self.watch(index)?;
        }
        self.looked = machine::activity();
        if let Some(others) = others_between(self.run.machine.before, self.looked).filter(Others::disturb) {
            self.progress.warn(&format!("so far, {}: that disturbs the figures", others.used()));
        }
        self.discard()?;
        self.looked = machine::activity();
        while !stopping::is_enough(&self.run) && self.run.measured.iter().any(|measured| measured.failure.is_none()) {
            // Of a run that goes on, the line of an earlier round may be damaged.
            let next = (1..).find(|round| !self.run.rounds.contains_key(round));
            self.round(next.unwrap_or(1))?;
        }
        Ok(())
    }

    fn cell(&self, index: usize) -> &Cell {
        &self.run.plan.cells[index]
    }

    fn kind(&self, index: usize) -> Kind {
        self.entries[index].contender.kind
    }

    fn failed(&self, index: usize) -> bool {
        self.run.measured[index].failure.is_some()
    }

    /// Keeps a line: in the file, and in what is known of the run.
    fn keep(&mut self, line: Line) -> Result<()> {
        self.folder.append(&line)?;
        self.run.add(line);
        Ok(())
    }

    /// The jobs of a sweep at which `sequential` takes long.
    fn slow_jobs(&self) -> BTreeSet<usize> {
        let cells = self.entries.iter().zip(&self.run.plan.cells);
        let is_slow = |entry: &Entry, cell: &Cell| cell.row == SEQUENTIAL && entry.costs.plain > SLOW_OF_A_SWEEP;
        cells.filter(|(entry, cell)| is_slow(entry, cell)).map(|(_, cell)| cell.at).collect()
    }

    /// Decides how often each slow row is timed, now that it has shown what it takes, and says how long that will be.
    fn plan_the_rounds(&mut self, slow_jobs: &BTreeSet<usize>) -> Result<()> {
        let mut slow = Vec::new();
        // Of a run that goes on, it is decided: a program may take longer today.
        let is_open = !self.run.is_timed();
        let stop = self.run.plan.stop;
        let is_sweep = self.run.plan.sweep.is_some();
        for (entry, cell) in self.entries.iter().zip(&mut self.run.plan.cells) {
            if !is_open || cell.is_left_out() {
                continue;
            }
            // Where only first batches are timed, a round is one of them.
            let is_slow = is_sweep && cell.cold_rounds.is_none() && slow_jobs.contains(&cell.at);
            if is_slow && stop.rounds.is_none_or(|rounds| rounds > FEW) {
                cell.rounds = Some(FEW);
                cell.warm_rounds = cell.warm_rounds.or(Some(1));
            }
            let slow_from = if self.run.plan.full { SLOW_OF_A_FULL_RUN } else { SLOW };
            if entry.contender.kind != Kind::Notebook || entry.costs.plain <= slow_from {
                continue;
            }
            let is_warm = notebook::pair(&cell.row).is_some_and(|pair| pair.clock == Clock::Warm);
            // The sweeps of a full run take their time too.
            let (rounds, few) = if self.run.plan.full { (FEW, 0) } else { (LEAST_ROUNDS, FEW) };
            let rounds = stopping::least_rounds(stop).min(rounds);
            cell.rounds = Some(rounds);
            cell.warm_rounds = Some(if is_warm { rounds } else { rounds.min(few) });
            cell.batches = 2;
            slow.push(cell.name.clone());
        }
        self.folder.write_plan(&self.run.plan)?;
        let rounds = stopping::least_rounds(stop);
        let all: Duration = (1..=rounds).map(|round| self.round_costs(round)).sum();
        let at_least = if stop.rounds.is_some() { "" } else { " or more" };
        let slow = if slow.is_empty() { String::new() } else { format!("; slow: {}", slow.join(", ")) };
        let some = if rounds == 1 { "1 round".to_owned() } else { format!("{rounds} rounds") };
        self.progress.say(&format!("{some}{at_least} of {} each{slow}", about(all / rounds.max(1))));
        Ok(())
    }

    /// What its memory pass takes.
    fn memory_costs(&self, index: usize) -> Duration {
        let Entry { contender, costs, .. } = &self.entries[index];
        let blocking = self.cell(index).job.blocking();
        let asleep = Duration::from_micros(blocking.keys * blocking.count / blocking.workers.max(1) as u64);
        match contender.kind {
            Kind::Strategy if !self.run.plan.is_brief() => costs.digested + asleep,
            _ => costs.digested,
        }
    }

    /// What a round takes.
    fn round_costs(&self, round: u32) -> Duration {
        let cells = self.run.plan.cells.iter().zip(&self.entries).zip(&self.run.measured);
        let cells = cells.filter(|(_, measured)| measured.failure.is_none());
        let costs = cells.map(|((cell, entry), _)| {
            // What is touched before each process takes about as long as a batch.
            let touched = if self.run.plan.condition { entry.costs.plain } else { Duration::ZERO };
            let cold = if cell.is_cold_in(round) { entry.costs.plain + touched } else { Duration::ZERO };
            let batches = entry.costs.digested * cell.batches;
            cold + if cell.is_warm_in(round) { batches + touched } else { Duration::ZERO }
        });
        costs.sum()
    }

    /// One cold run of each row that is not kept: whatever the passes before have left behind is not in the first round. In a sweep,
    /// most cells run long after the passes anyway.
    fn discard(&mut self) -> Result<()> {
        if !self.run.rounds.is_empty() || self.run.plan.is_brief() {
            return Ok(());
        }
        self.progress.restart(self.round_costs(0));
        self.progress.stage("a first round that is discarded");
        for index in self.order(0) {
            self.cold(index, 0)?;
        }
        Ok(())
    }

    /// All cold runs of a round before the warm ones: what is compared then runs within seconds, not minutes.
    fn round(&mut self, round: u32) -> Result<()> {
        self.progress.restart(self.round_costs(round));
        self.progress.round(&self.round_line(round));
        let began = Instant::now();
        let order = self.order(round);
        for &index in &order {
            if self.cell(index).is_cold_in(round) {
                self.cold(index, round)?;
            }
        }
        for &index in &order {
            if self.cell(index).is_warm_in(round) {
                self.warm(index, round)?;
            }
        }
        let ran = order.iter().filter(|&&index| !self.failed(index));
        let order = ran.map(|&index| self.cell(index).name.clone()).collect();
        let now = machine::activity();
        let others = others_between(self.looked, now);
        if others.is_some() {
            self.looked = now;
        }
        self.keep(Line::Round { number: round, round: Round { order, seconds: began.elapsed().as_secs_f64(), others } })
    }

    fn order(&self, round: u32) -> Vec<usize> {
        let cells = self.run.plan.cells.iter().enumerate();
        let part: Vec<usize> = cells.filter(|(_, cell)| cell.is_in(round)).map(|(index, _)| index).collect();
        schedule::order(&part, round, self.run.plan.shuffle_seed)
    }

    /// How far the run is, and what it waits for.
    fn round_line(&self, round: u32) -> String {
        let stop = self.run.plan.stop;
        if let Some(rounds) = stop.rounds {
            return format!("round {round} of {rounds}");
        }
        let wide = stopping::wide(&self.run, round - 1, false);
        let widest = wide.first().and_then(|wide| Some((&wide.name, wide.margin?)));
        let spent: f64 = self.run.rounds.values().map(|round| round.seconds).sum();
        let left = about(Duration::from_secs_f64((stop.budget - spent).max(0.0)));
        let least = stopping::least_rounds(stop);
        match widest {
            Some((name, margin)) if round > least => {
                format!("round {round}: {name} is known within {:.1} %; at most {left} more", margin * 100.0)
            }
            _ if round <= least => format!("round {round} of {least} or more"),
            _ => format!("round {round}; at most {left} more"),
        }
    }

    /// One batch, whose digest must be that of `sequential` with the same generator. Of a generator that Rust does not
    /// have, the first row that answers is the reference of the others. The machine's limit computes nothing: it must have
    /// written as much as the outputs are.
    fn verify(&mut self, index: usize, requirements_xxh3: &str) -> Result<()> {
        let expected = self.entries[index].costs.digested;
        let is_open = self.run.measured[index].verified.is_none();
        if is_open && self.ends().is_some_and(|end| end.is_reached(&self.run, self.cell(index))) {
            self.run.plan.cells[index].rounds = Some(0);
        }
        let Some(contender) = self.next(index, expected, "digest") else { return Ok(()) };
        let cell = self.cell(index).clone();
        let job = flags_of(&cell.job);
        let mut reference = self.references.get(&job).cloned();
        let is_limit = contender.kind == Kind::Limit;
        if !is_limit
            && reference.is_none()
            && cell.job.rng == SAME_BITS
            && contender.name != selection::reference_of_same_bits()
        {
            let message =
                format!("there is no digest to compare with, since {} failed", selection::reference_of_same_bits());
            return self.fail(index, Trouble::without_exit(message).at(Stage::Verify, None));
        }
        let mut flags = with(&cell.job.flags(), &["--format", "json"]);
        if is_limit {
            reference = None;
        } else {
            flags.push("--digest".to_owned());
        }
        let looks = if matches!(self.ends(), Some(End::Below(_))) { LOOKS } else { 1 };
        if looks > 1 {
            flags.extend(["--repeat".to_owned(), looks.to_string()]);
        }
        let began = Instant::now();
        let limit = self.entries[index].limit;
        // Where a run takes long, or there are many, its memory is looked at meanwhile, and not in another run.
        let is_looked_at = match self.run.plan.is_brief() {
            true => !self.is_small(index),
            false => contender.kind == Kind::Notebook,
        };
        let mut peak = None;
        let asked = if is_looked_at {
            let (asked, seen) = self.ask_and_look(&contender, &flags, reference.as_ref(), expected, limit)?;
            peak = Some(seen);
            asked
        } else {
            ask(&contender, &flags, reference.as_ref(), Some(limit), self.interrupt)?
        };
        let answer = match asked {
            Ok(answer) => answer,
            Err(trouble) => {
                let trouble = self.told_by_key(&contender, &cell.job, trouble)?;
                return self.fail(index, trouble.at(Stage::Verify, None));
            }
        };
        let entry = &mut self.entries[index];
        entry.costs = Costs::of(&answer, began.elapsed() / looks);
        if contender.kind == Kind::Notebook {
            entry.limit = PATIENCE + 20 * entry.costs.digested;
        }
        if let Some(unusable) = self.unusable(&cell, &answer, is_limit) {
            return self.fail(index, Trouble::without_exit(unusable.to_string()).at(Stage::Verify, None));
        }
        if let Some(digest) = answer.report.digest.clone().filter(|_| self.run.plan.is_compared()) {
            self.references.entry(job).or_insert(Reference { name: contender.name.clone(), digest });
        }
        self.note_python(&answer, requirements_xxh3)?;
        if !is_open {
            return Ok(());
        }
        let output_bytes = answer.report.output_bytes;
        self.keep(Line::Verified { cell: cell.name.clone(), answer })?;
        let Some(peak) = peak else { return Ok(()) };
        let footprint = Footprint { peak: peak.seen(), output_bytes, keys_in_flight: None };
        self.keep(Line::Footprint { cell: cell.name, footprint })
    }

    /// What went wrong, and where a job of the reader's gave something else, in which keys.
    fn told_by_key(&self, contender: &Contender, job: &Job, trouble: Trouble) -> Result<Trouble, Interrupted> {
        let own = self.own.as_deref().filter(|_| trouble.is_another_digest);
        let Some(differing) =
            own.map(|own| own.differing(contender, &job.flags(), self.interrupt)).transpose()?.flatten()
        else {
            return Ok(trouble);
        };
        let message =
            format!("its outputs are not those of sequential: {differing}; --not-deterministic does not compare them");
        Ok(Trouble { message, ..trouble })
    }

    /// The size of the outputs of a cell's job, whatever its own number of workers.
    fn size(&self, cell: &Cell) -> Option<u64> {
        self.sizes.get(&flags_of(&self.run.plan.cell(SEQUENTIAL, cell.at)?.job)).copied()
    }

    /// Why an answer with the right digest is none.
    fn unusable(&self, cell: &Cell, answer: &Answer, is_limit: bool) -> Option<Unusable> {
        match (&answer.report.digest, self.size(cell)) {
            (None, _) if !is_limit => Some(Unusable::NoDigest),
            (_, Some(expected)) if is_limit && expected != answer.report.output_bytes => {
                Some(Unusable::Size { expected, found: answer.report.output_bytes })
            }
            _ => None,
        }
    }

    /// Keeps which Python has answered, if it is one, with the packages that it had.
    fn note_python(&mut self, answer: &Answer, requirements_xxh3: &str) -> Result<()> {
        let Some(interpreter) = answer.python.clone() else { return Ok(()) };
        let python = Python { interpreter: interpreter.clone(), requirements_xxh3: requirements_xxh3.to_owned() };
        let python = self.run.machine.python.get_or_insert(python);
        python.interpreter.packages.extend(interpreter.packages);
        Ok(self.folder.write_machine(&self.run.machine)?)
    }

    /// Whether the outputs of a cell hardly need any memory.
    fn is_small(&self, index: usize) -> bool {
        self.size(self.cell(index)).is_some_and(|size| size < SMALL)
    }

    /// What becomes of the other keys when one fails. Programs of the notebook have no flag for it.
    fn survive(&mut self, index: usize) -> Result<()> {
        let row = self.cell(index).row.clone();
        let is_own = self.kind(index) == Kind::Strategy && self.entries[index].contender.rng.is_none();
        if !is_own || self.failed(index) || self.run.survival.contains_key(&row) {
            return Ok(());
        }
        self.progress.running(&format!("failures: {row}"));
        match survival::tried(&self.entries[index].contender, self.interrupt)? {
            Some(survival) => self.keep(Line::Survival { row, survival }),
            None => Ok(()),
        }
    }

    /// Memory, threads and processes of one batch, and how many keys it keeps in flight. Digested, since the outputs are
    /// then held for long enough to be seen whole.
    fn watch(&mut self, index: usize) -> Result<()> {
        let expected = self.memory_costs(index);
        let Some(contender) = self.next(index, expected, "memory") else { return Ok(()) };
        if self.run.measured[index].footprint.is_some() {
            return Ok(());
        }
        let cell = self.cell(index).clone();
        let (batch, limit) = (self.entries[index].costs.digested, self.entries[index].limit);
        let is_limit = contender.kind == Kind::Limit;
        let mut flags = with(&cell.job.flags(), &["--format", "json"]);
        if !is_limit {
            flags.push("--digest".to_owned());
        }
        let began = Instant::now();
        let reference = if is_limit { None } else { self.references.get(&flags_of(&cell.job)) };
        let (asked, peak) = self.ask_and_look(&contender, &flags, reference, batch, limit)?;
        let answer = match asked {
            Ok(answer) => answer,
            Err(trouble) => return self.fail(index, trouble.at(Stage::Memory, None)),
        };
        let again = Costs::of(&answer, began.elapsed());
        // A first run may have had to wait for the machine's memory.
        if again.digested < batch {
            self.entries[index].costs = again;
        }
        let keys_in_flight = match contender.kind {
            Kind::Strategy if !self.run.plan.is_brief() => self.keys_in_flight(&contender, &cell.job, limit)?,
            _ => None,
        };
        let output_bytes = answer.report.output_bytes;
        let footprint = Footprint { peak: peak.seen(), output_bytes, keys_in_flight };
        self.keep(Line::Footprint { cell: cell.name, footprint })
    }

    /// As [`ask`], of a process that is expected to take `batch`, with what it held meanwhile.
    fn ask_and_look(
        &self,
        contender: &Contender,
        flags: &[String],
        reference: Option<&Reference>,
        batch: Duration,
        limit: Duration,
    ) -> Result<(Result<Answer, Trouble>, Peak), Interrupted> {
        let mut peak = Peak::default();
        let output = Running::start(contender.command(flags)).map_err(RunError::Io).and_then(|running| {
            running.watch(limit, self.interrupt, memory::interval(batch), |pid| memory::sample(&mut peak, pid))
        });
        Ok((judge(contender, output, reference)?, peak))
    }

    /// How many of the keys that only sleep. A row that cannot wait has no such number; its job is another one.
    fn keys_in_flight(&self, contender: &Contender, job: &Job, limit: Duration) -> Result<Option<f64>, Interrupted> {
        let blocking = job.blocking();
        let flags = with(&blocking.flags(), &["--format", "json"]);
        let waited = ask(contender, &flags, None, Some(limit), self.interrupt)?.ok();
        let run = waited.and_then(|answer| answer.report.run_ns.first().copied());
        let slept = (blocking.keys * blocking.count) as f64 / 1e6;
        Ok(run.filter(|run| *run > 0).map(|run| slept / seconds(run)))
    }

    /// What was measured of `sequential` at the job of this cell.
    fn reference_of(&self, index: usize) -> Option<&Measured> {
        let reference = self.run.plan.cell(SEQUENTIAL, self.cell(index).at)?;
        self.run.measured(&reference.name)
    }

    /// Makes the machine's memory ready for a process of this row.
    fn condition(&self, index: usize) -> Result<()> {
        if !self.run.plan.condition {
            return Ok(());
        }
        let footprint = match self.kind(index) {
            Kind::Control => self.reference_of(index).and_then(|measured| measured.footprint),
            _ => self.run.measured[index].footprint,
        };
        match footprint.map(|footprint| condition::touch(condition::bytes(&footprint), self.interrupt)) {
            Some(Err(RunError::Interrupted)) => Err(Interrupted.into()),
            Some(Err(error)) => Err(error).context("memory could not be touched; --no-condition leaves that out"),
            _ => Ok(()),
        }
    }

    /// The program that has one of the CPUs while a process of this cell is timed, if its job says so.
    fn neighbour(&self, index: usize) -> Result<Option<Neighbour>> {
        let wanted = self.cell(index).job.neighbour;
        wanted.then(Neighbour::start).transpose().context("the busy neighbour could not be started")
    }

    /// A whole process, timed by hyperfine. Without a digest, whose cost is that of another batch: the exit status says that
    /// all keys came back at full length, and the round's warm process that they are the right ones.
    fn cold(&mut self, index: usize, round: u32) -> Result<()> {
        let Some(contender) = self.next(index, self.entries[index].costs.plain, "cold") else { return Ok(()) };
        let measured = &self.run.measured[index];
        if measured.cold.contains_key(&round) || (round == 0 && measured.discarded.is_some()) {
            return Ok(());
        }
        self.condition(index)?;
        let _neighbour = self.neighbour(index)?;
        let cell = self.cell(index).name.clone();
        let line = contender.command_line(&self.cell(index).job.flags());
        let export = self.folder.export();
        let export = absolute(&export).unwrap_or(export);
        let timer = hyperfine::time_once(&self.hyperfine, &contender.name, &line, &contender.dir, &export);
        let output = process::run(timer, Some(self.entries[index].limit), self.interrupt);
        let sample = fs::read(&export).map(|json| export::read_one(&json));
        self.folder.tidy();
        let trouble = match (output, sample) {
            (Ok(output), Ok(Ok(sample))) if output.status.success() => match sample.exit_code {
                Some(0) => {
                    let cold = Cold { wall: sample.wall, user: sample.user, system: sample.system };
                    return self.keep(Line::Cold { cell, round, cold });
                }
                code => {
                    let exit = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit status: {code}"));
                    Trouble { exit: Some(exit), ..Trouble::without_exit("its timed run failed".to_owned()) }
                }
            },
            // hyperfine itself ends well whatever becomes of what it times, unless that cannot be started.
            (Ok(output), sample) => {
                // Its export has no room either where there is none for a file.
                self.folder.check_room()?;
                let why = match sample {
                    Ok(Err(why)) if output.status.success() => format!(": {why}"),
                    _ => String::new(),
                };
                Trouble::of(format!("hyperfine could not time it{why}"), &output)
            }
            (Err(error), _) => Trouble::without_end(error)?,
        };
        self.fail(index, trouble.at(Stage::Cold, Some(round)))
    }

    /// Some batches in one process, timed by the process itself, each of which must have the right digest.
    fn warm(&mut self, index: usize, round: u32) -> Result<()> {
        let Cell { name, job, batches, .. } = self.cell(index).clone();
        let expected = self.entries[index].costs.digested * batches;
        let Some(contender) = self.next(index, expected, "warm") else { return Ok(()) };
        if self.run.measured[index].warm.contains_key(&round) {
            return Ok(());
        }
        self.condition(index)?;
        let _neighbour = self.neighbour(index)?;
        let reference = self.references.get(&flags_of(&job)).filter(|_| contender.kind != Kind::Limit);
        let mut flags = with(&job.flags(), &["--repeat", &batches.to_string(), "--format", "json"]);
        if let Some(reference) = reference {
            flags.extend(["--expect".to_owned(), reference.digest.clone()]);
        }
        match ask(&contender, &flags, reference, Some(self.entries[index].limit), self.interrupt)? {
            Ok(answer) => self.keep(Line::Warm { cell: name, round, answer }),
            Err(trouble) => self.fail(index, trouble.at(Stage::Warm, Some(round))),
        }
    }

    /// The contender, unless it has failed before. What it is expected to take counts as done either way.
    fn next(&mut self, index: usize, expected: Duration, doing: &str) -> Option<Contender> {
        self.progress.running(&format!("{doing}: {}", self.cell(index).name));
        self.progress.advance(expected);
        let takes_part = !self.failed(index) && !self.cell(index).is_left_out();
        takes_part.then(|| self.entries[index].contender.clone())
    }

    /// When a row leaves this sweep, if it does.
    fn ends(&self) -> Option<End> {
        self.sweep()?.ends
    }

    /// The sweep that this run is of, if there are several jobs.
    fn sweep(&self) -> Option<&'static Sweep> {
        self.run.plan.sweep.as_deref().and_then(Sweep::named)
    }

    /// Takes a row out of the rest of the run, and says so.
    fn fail(&mut self, index: usize, failure: Failure) -> Result<()> {
        let cell = self.cell(index).name.clone();
        let Failure { message, exit, stderr, .. } = &failure;
        let exit = exit.as_ref().map(|exit| format!(" ({exit})")).unwrap_or_default();
        let stderr = stderr.as_ref().map(|stderr| format!(": {stderr}")).unwrap_or_default();
        self.progress.say(&format!("failed: {cell}: {message}{exit}{stderr}"));
        self.keep(Line::Failed { cell, failure })
    }
}

impl Costs {
    fn nothing() -> Costs {
        Costs { plain: Duration::ZERO, digested: Duration::ZERO }
    }
}

/// A job as a key: all of its flags.
fn flags_of(job: &Job) -> String {
    job.flags().join(" ")
}

fn others_between(before: Option<Activity>, now: Option<Activity>) -> Option<Others> {
    before?.others_until(&now?)
}
