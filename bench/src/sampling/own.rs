//! A job of the reader's, before anything is measured: its programs are built, asked whether they can run it, and its keys are run
//! alone.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::entrants::contender::{Contender, is_executable};
use crate::entrants::own::{self, OwnJob};
use crate::entrants::selection::{self, Selection};
use crate::process::interrupt::{Interrupt, Interrupted};
use crate::process::tell::{self, Usage};
use crate::process::{self, Running};
use crate::run::advised::Advised;
use crate::run::allocator::Allocator;
use crate::run::alone::{Alone, AloneError};
use crate::run::job::Job;
use crate::run::plan::{Own, SEQUENTIAL};
use crate::sampling::ask::{Trouble, ask, with};
use crate::sampling::progress::about;

/// For so long keys are run alone, unless the first one takes longer.
const ALONE: &str = "3";

/// Bounds what says at once whether it can run the job.
const AT_ONCE: Duration = Duration::from_secs(20);

/// The exit status of a program whose strategy cannot run the job.
const CANNOT: i32 = 3;

/// The exit status for arguments that the job does not take.
const WRONG: i32 = 2;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where the job's crate is.
    pub path: PathBuf,
    /// What it is made from.
    pub arguments: Vec<String>,
    /// Features of its crate.
    pub features: Vec<String>,
    /// Whether all strategies must give the same.
    pub is_compared: bool,
}

/// A job that can be measured.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Its crate.
    pub job: OwnJob,
    /// Where its source is, as results may show it.
    place: String,
    /// What was asked for.
    pub asked: Asked,
    /// The workspace of its programs.
    pub root: PathBuf,
    /// Programs that can run it.
    pub contenders: Vec<Contender>,
    /// Those that cannot, and why.
    pub cannot: Vec<(Contender, String)>,
    /// Rows that did not build.
    pub unbuilt: Vec<String>,
    /// What keys take that run alone.
    pub alone: Alone,
    /// The hash of each output, where outputs are compared.
    hashes: Vec<String>,
    /// What was said beforehand of the strategies.
    pub advised: Option<Advised>,
}

impl Prepared {
    /// The job, with so many workers at most.
    pub fn job(&self, workers: usize) -> Job {
        let workers = usize::try_from(self.alone.keys).map_or(workers, |keys| workers.min(keys));
        Job::own(&self.job.name, self.alone.keys, workers, &self.asked.arguments)
    }

    /// Its programs of these strategies, with whichever allocator.
    pub fn contenders_of(&self, strategies: &[String]) -> Vec<Contender> {
        let is_asked_for = |it: &&Contender| strategies.iter().any(|name| name == Allocator::of_row(&it.name).0);
        self.contenders.iter().filter(is_asked_for).cloned().collect()
    }

    /// The keys in which a program with these flags gives something else than `sequential`, in words.
    pub(crate) fn differing(
        &self,
        contender: &Contender,
        flags: &[String],
        interrupt: &Interrupt,
    ) -> Result<Option<String>, Interrupted> {
        let root = self.root.as_path();
        let hashes = hashes(contender, flags, root, interrupt);
        interrupt.check()?;
        Ok(hashes.ok().and_then(Result::ok).and_then(|hashes| harness::differing(&self.hashes, &hashes)))
    }

    /// As the plan has it.
    pub fn planned(&self) -> Own {
        Own { place: self.place.clone(), features: self.asked.features.clone(), is_compared: self.asked.is_compared }
    }
}

/// Who hears what came of the keys that ran alone, and which strategies can run the job; it may have advice.
pub type Heard<'a> = dyn Fn(&Alone, &[Contender]) -> Option<Advised> + 'a;

/// Builds the programs of the job for those strategies that `only` names, or takes those that were carried to the folder `carried`,
/// and runs its keys alone. What comes of that is told to
/// `heard` at once.
///
/// # Errors
///
/// What the job has against it, in one line that names its file. An interrupt ends it with what was found out.
pub fn prepare(
    asked: Asked,
    only: &[String],
    allocators: &[Allocator],
    carried: Option<&Path>,
    root: &Path,
    heard: &Heard<'_>,
    interrupt: &Interrupt,
) -> Result<Prepared> {
    let Found { mut job, contenders, mut cannot, unbuilt, root: workspace } = match carried {
        Some(dir) => found_in(dir, &asked, only, allocators, root)?,
        None => built(&asked, only, allocators, root, interrupt)?,
    };
    let mut can = Vec::new();
    for contender in contenders {
        if unbuilt.contains(&contender.name) {
            can.push(contender);
            continue;
        }
        match why_not(&contender, &job, interrupt)? {
            Some(why) => cannot.push((contender, why)),
            None => can.push(contender),
        }
    }
    let is_there = |it: &&Contender| it.name == SEQUENTIAL && !unbuilt.contains(&it.name);
    let sequential = can.iter().find(is_there);
    let Some(sequential) = sequential else {
        bail!("{}: `sequential` is what all are compared with, and its program did not build", job.shown);
    };
    let alone = alone(sequential, &asked, &job, &|alone| heard(alone, &can), interrupt)?;
    // Its programs know it best.
    job.name = alone.workload.clone();
    if alone.printed_bytes > 0 {
        tell::warn(format_args!(
            "{}: its keys print to standard output ({} bytes in {} keys): that takes a part of their time, and nobody sees it",
            job.shown,
            alone.printed_bytes,
            alone.measured.len()
        ));
    }
    let advised = heard(&alone, &can);
    let mut asked = asked;
    let hashes =
        if asked.is_compared { compared(sequential, &mut asked, &job, &alone, root, interrupt)? } else { Vec::new() };
    let place = place(&job, root);
    Ok(Prepared { place, unbuilt, job, asked, root: workspace, contenders: can, cannot, alone, hashes, advised })
}

/// Where its source is, as results may show it: they are published.
fn place(job: &OwnJob, root: &Path) -> String {
    if Path::new(&job.shown).is_relative() {
        return job.shown.clone();
    }
    let below = job.source.strip_prefix(&job.dir).unwrap_or(&job.source);
    let elsewhere = || Path::new(&job.name).join(below).display().to_string();
    job.source.strip_prefix(root).map_or_else(|_| elsewhere(), |below| below.display().to_string())
}

/// The programs of a job.
struct Found {
    job: OwnJob,
    contenders: Vec<Contender>,
    /// Those that were not built, or not taken, since they cannot run here, and why.
    cannot: Vec<(Contender, String)>,
    unbuilt: Vec<String>,
    /// The workspace that they are of.
    root: PathBuf,
}

/// Builds them.
fn built(
    asked: &Asked,
    only: &[String],
    allocators: &[Allocator],
    root: &Path,
    interrupt: &Interrupt,
) -> Result<Found> {
    let job = OwnJob::find(&asked.path, root).map_err(|error| Usage(format!("--job: {error}")))?;
    job.check_features(&asked.features).map_err(|error| Usage(format!("--features: {error}")))?;
    let selected = Selection::of(only, root, false)?.in_source(root)?;
    let (cannot, names) = (selected.not_measured(root, allocators), selected.told());
    let strategies = if names.len() == 1 { "strategy" } else { "strategies" };
    tell::say(format_args!("building `{}` with {} {strategies}", job.name, names.len()));
    let mut found = Found { job, contenders: Vec::new(), cannot, unbuilt: Vec::new(), root: PathBuf::new() };
    for allocator in selection::with_the_systems(allocators) {
        let names = selection::names_with(allocator, &names, allocators);
        let built = own::build(&found.job, root, &names, &asked.features, allocator, interrupt);
        interrupt.check()?;
        let built = built?;
        if built.panics_abort && allocator.is_system() {
            let OwnJob { workspace, dir, manifest, .. } = &found.job;
            let of_workspace = || workspace.join("Cargo.toml").display().to_string();
            let manifest = if workspace == dir { manifest.clone() } else { of_workspace() };
            tell::warn(format_args!(
                "{manifest}: its release profile has panic = \"abort\": a key that panics ends its process"
            ));
        }
        for name in &names {
            let path = built.programs.get(name);
            if path.is_none() {
                found.unbuilt.push(allocator.row_of(name));
            }
            // One that did not build has its row too.
            let path = path.cloned().unwrap_or_else(|| built.root.join(name));
            found.contenders.push(contender(&path, root, name, allocator)?);
        }
        found.root = built.root;
    }
    Ok(found)
}

/// Those that were carried here.
fn found_in(dir: &Path, asked: &Asked, only: &[String], allocators: &[Allocator], root: &Path) -> Result<Found> {
    let selected = Selection::of(only, root, false)?.carried(dir, root)?;
    let (cannot, names) = (selected.not_measured(root, allocators), selected.told());
    let mut contenders = Vec::new();
    for allocator in selection::with_the_systems(allocators) {
        for name in selection::names_with(allocator, &names, allocators) {
            let path = dir.join(allocator.row_of(&name));
            if !is_executable(&path) {
                return Err(Usage(format!("--bin-dir: there is no {}", path.display())).into());
            }
            contenders.push(contender(&path, root, &name, allocator)?);
        }
    }
    Ok(Found { job: OwnJob::carried(&asked.path), contenders, cannot, unbuilt: Vec::new(), root: root.to_owned() })
}

/// The program at `path`, run where the user is.
fn contender(path: &Path, root: &Path, name: &str, allocator: Allocator) -> Result<Contender> {
    let here = env::current_dir().context("the current folder is gone")?;
    Ok(selection::described(Contender::elsewhere(path, &selection::shown(root, path), &here), root, name, allocator))
}

/// The hash of each output. A job that gives something else in a second process is no longer compared, which is said by key.
fn compared(
    sequential: &Contender,
    asked: &mut Asked,
    job: &OwnJob,
    alone: &Alone,
    root: &Path,
    interrupt: &Interrupt,
) -> Result<Vec<String>> {
    let seconds = Duration::from_secs_f64(alone.summary().whole);
    tell::say(format_args!(
        "running `sequential` twice: whether the job gives the same again ({} each)",
        about(seconds)
    ));
    let flags = Job::own(&job.name, alone.keys, 1, &asked.arguments).flags();
    let hashes = || -> Result<Vec<String>> {
        let hashes = hashes(sequential, &flags, root, interrupt)?;
        hashes.map_err(|trouble| {
            let said = trouble.stderr.unwrap_or(trouble.message);
            anyhow::anyhow!("{}: `sequential` did not do this job: {}", job.shown, told(&said, sequential, job))
        })
    };
    let (first, second) = (hashes()?, hashes()?);
    if let Some(differing) = harness::differing(&first, &second) {
        asked.is_compared = false;
        tell::warn(format_args!(
            "{}: the job is not deterministic: of two runs of `sequential`, {differing}; outputs are not compared \
             (--not-deterministic says so beforehand)",
            job.shown
        ));
    }
    Ok(first)
}

/// The hash of each output that a program gives with these flags.
fn hashes(
    contender: &Contender,
    flags: &[String],
    root: &Path,
    interrupt: &Interrupt,
) -> Result<Result<Vec<String>, Trouble>> {
    let file = tempfile::Builder::new().prefix("keys-").tempfile_in(selection::temporary(root)?)?;
    let path = file.path().to_string_lossy();
    let flags = with(flags, &["--format", "json", "--digest", "--key-digests", &path]);
    match ask(contender, &flags, None, None, interrupt)? {
        Ok(_) => Ok(Ok(fs::read_to_string(file.path())?.lines().map(str::to_owned).collect())),
        Err(trouble) => Ok(Err(trouble)),
    }
}

/// Why a program cannot run the job, if so.
fn why_not(contender: &Contender, job: &OwnJob, interrupt: &Interrupt) -> Result<Option<String>> {
    let output = process::run(contender.command(&["--can-run".to_owned()]), Some(AT_ONCE), interrupt);
    interrupt.check()?;
    let output = output.with_context(|| contender.name.clone())?;
    match output.status.code() {
        Some(CANNOT) => {}
        Some(WRONG) => return Err(Usage(format!("{}: this is no program of a job", contender.shown)).into()),
        _ => return Ok(None),
    }
    let said = process::last_line(&output.stderr).unwrap_or_default();
    Ok(Some(told(&said, contender, job)))
}

/// What a program says, without its name before it, and with the job's file as the user would type it.
fn told(said: &str, contender: &Contender, job: &OwnJob) -> String {
    let said = said.strip_prefix(&contender.name).and_then(|said| said.strip_prefix(": ")).unwrap_or(said);
    let said = said.replace(&*job.source.to_string_lossy(), &job.shown);
    // Of a program that was built elsewhere, the place is one there.
    let is_elsewhere = |word: &str| word.starts_with('/') && word.contains("/src/");
    let word = |word: &str| match word.rsplit_once("/src/") {
        Some((_, below)) if is_elsewhere(word) => format!("src/{below}"),
        _ => word.to_owned(),
    };
    said.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Runs keys one after the other, in the program of `sequential`.
fn alone(
    sequential: &Contender,
    asked: &Asked,
    job: &OwnJob,
    heard: &dyn Fn(&Alone) -> Option<Advised>,
    interrupt: &Interrupt,
) -> Result<Alone> {
    tell::say("running keys alone, one after the other");
    let flags = ["--alone", ALONE].map(str::to_owned);
    let arguments = asked.arguments.iter().map(|argument| format!("--argument={argument}"));
    let flags: Vec<String> = flags.into_iter().chain(arguments).collect();
    let began = Instant::now();
    let mut next = Duration::from_secs(5);
    let running = Running::start(sequential.command(&flags)).with_context(|| sequential.name.clone())?;
    let output = running.watch_to_its_words(interrupt, Duration::from_millis(100), || {
        if began.elapsed() >= next {
            let seconds = next.as_secs();
            tell::say(format_args!("a key still runs, after {seconds} s; Ctrl-C ends it"));
            next *= 2;
        }
    })?;
    let alone = Alone::read(&output.stdout);
    if let Err(interrupted) = interrupt.check() {
        match alone {
            Ok(alone) if !alone.measured.is_empty() => _ = heard(&alone),
            _ => tell::say("no key was done by then"),
        }
        return Err(interrupted.into());
    }
    if output.status.success() {
        if let Err(AloneError::None { keys: 0 }) = alone {
            let shown = &job.shown;
            let why = format!("{shown}: the job has no keys with these arguments: there is nothing to time");
            return Err(Usage(why).into());
        }
        return alone.with_context(|| sequential.name.clone());
    }
    let Some(code) = output.status.code() else {
        let said = last_words(&output.stderr).map(|said| format!(": {}", told(&said, sequential, job)));
        bail!("{}: a key ended the program ({}){}", job.shown, output.status, said.unwrap_or_default());
    };
    let said = process::last_line(&output.stderr).unwrap_or_else(|| output.status.to_string());
    let said = told(&said, sequential, job);
    if code == WRONG { Err(Usage(said).into()) } else { bail!("{said}") }
}

/// The last line that says why a program aborted: not its backtrace, nor how to have one. With a panic's place, if it is one.
fn last_words(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let before = text.lines().take_while(|line| line.trim() != "stack backtrace:");
    let lines: Vec<&str> =
        before.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("note: ")).collect();
    let (last, rest) = lines.split_last()?;
    let place = rest.last().and_then(|line| line.split_once(" panicked at ")).map(|(_, place)| place);
    Some(place.map_or_else(|| (*last).to_owned(), |place| format!("panicked at {place} {last}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_program_are_not_its_backtrace() {
        let aborted = "memory allocation of 8 bytes failed\n";
        let panicked = "key 1\n\nthread 'main' (7) panicked at src/lib.rs:3:1:\nno table\n";
        for (said, expected) in
            [(aborted, "memory allocation of 8 bytes failed"), (panicked, "panicked at src/lib.rs:3:1: no table")]
        {
            for more in
                ["", "note: run with `RUST_BACKTRACE=1`\n", "stack backtrace:\n   0: main\nnote: some are omitted\n"]
            {
                assert_eq!(last_words(format!("{said}{more}").as_bytes()).as_deref(), Some(expected));
            }
        }
        assert_eq!(last_words(b"\n"), None);
    }
}
