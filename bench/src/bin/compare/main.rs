//! `compare`: measures every strategy, and makes the tables from what was measured.

#![warn(clippy::print_stdout, clippy::print_stderr, reason = "they panic once nobody reads; see process/tell.rs")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use bench::entrants::selection;
use bench::html;
use bench::numbers::difference;
use bench::process::interrupt::{Interrupt, Interrupted};
use bench::process::tell::{self, Usage};
use bench::report;
use bench::run::Run;
use bench::run::allocator::Allocator;
use bench::run::full::Full;
use bench::run::plan::Ended;
use bench::sampling::engine::{self, Finished};
use bench::sampling::own::Prepared;
use bench::sampling::programs::Request;
use bench::sampling::{condition, neighbour};
use bench::scaffold::door::CALLED_FROM;
use bench::text::splice::{self, Part, SpliceError};
use bench::text::{difference as difference_text, doubts, index, page};
use clap::error::ErrorKind;

use crate::options::{Command, Measuring, Options, Splice, Swept};

mod advise;
mod full;
mod list;
mod open;
mod options;
mod own;
mod preview;

/// What a shell reports for a process that SIGINT has ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(options) => options,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            let hint = if is_of_job(&error) { HINT_FOR_A_JOB } else { "" };
            tell::say(format_args!("{}{hint}", harness::one_line(&error)));
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is::<Interrupted>() => ExitCode::from(INTERRUPTED),
        Err(error) => {
            tell::complain(error.as_ref());
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

/// What was probably meant, where an argument is one too many beside `--job`.
const HINT_FOR_A_JOB: &str = "; what the job is made from stands after `--`, and a path with spaces in quotes";

fn is_of_job(error: &clap::Error) -> bool {
    let has_job = env::args_os().any(|argument| argument.to_string_lossy().starts_with("--job"));
    let is_one_too_many = [ErrorKind::UnknownArgument, ErrorKind::InvalidSubcommand].contains(&error.kind());
    has_job && is_one_too_many
}

fn run(options: &Options) -> Result<u8> {
    match &options.command {
        Some(Command::TouchMemory { bytes }) => condition::write_once(*bytes),
        Some(Command::Neighbour) => neighbour::compute()?,
        Some(Command::Report { run }) => enter().and_then(|_| remake(run))?,
        Some(Command::Open { run }) => enter().and_then(|root| open::open(&root, run.as_deref()))?,
        Some(Command::Splice(splice)) => enter().and_then(|root| splice_part(&root, splice))?,
        Some(Command::Cmp { first, second }) => enter().and_then(|_| cmp(first, second))?,
        Some(Command::List) => enter().and_then(|root| list::strategies(&root))?,
        Some(Command::Completions { shell }) => list::completions(*shell, called())?,
        Some(Command::Sweep(swept)) if swept.measuring.plan => enter().and_then(|root| preview::sweep(swept, &root))?,
        None if options.measuring.plan => enter().and_then(|root| preview::run(options, &root))?,
        Some(Command::Sweep(swept)) => return enter().and_then(|root| measure_sweep(swept, &root)),
        Some(Command::Advise(asked)) => return enter().and_then(|root| advise::run(asked, &root, listen)),
        None => return enter().and_then(|root| measure(options, &root)),
    }
    Ok(0)
}

/// The name by which the user calls this program. Shells complete a script by its name, in whichever folder it is.
fn called() -> &'static str {
    if env::var_os(CALLED_FROM).is_some() { "compare.sh" } else { "compare" }
}

/// Goes to the folder that the user is in, and returns the root of the repository.
fn enter() -> Result<PathBuf> {
    let root = root()?;
    if let Some(from) = env::var_os(CALLED_FROM) {
        env::set_current_dir(&from).with_context(|| from.display().to_string())?;
    }
    Ok(root)
}

/// The nearest folder from here upwards that has strategies; without any, the folder we are in.
fn root() -> Result<PathBuf> {
    let here = env::current_dir().and_then(fs::canonicalize).context("the current folder is gone")?;
    let root = here.ancestors().find(|dir| dir.join("impls").is_dir() && dir.join("Cargo.toml").is_file());
    Ok(root.unwrap_or(&here).to_owned())
}

/// A folder that was named, which must be there.
fn folder(name: &str, dir: &Path) -> Result<PathBuf, Usage> {
    let found = dir.canonicalize().and_then(|dir| fs::read_dir(&dir).map(|_| dir));
    found.map_err(|error| Usage(format!("{name} {}: {error}", dir.display())))
}

/// How this process was called, with paths as results may show them.
fn own_command(root: &Path) -> String {
    let clean = |argument: String| {
        let (flag, value) = argument.split_once('=').map_or(("", &*argument), |(flag, value)| (flag, value));
        let equals = if flag.is_empty() { "" } else { "=" };
        let path = Path::new(value);
        if path.is_absolute() { format!("{flag}{equals}{}", selection::shown(root, path)) } else { argument }
    };
    let arguments = env::args_os().skip(1).map(|argument| clean(argument.to_string_lossy().into_owned()));
    shell_words::join(std::iter::once("scripts/compare.sh".to_owned()).chain(arguments))
}

fn measure(options: &Options, root: &Path) -> Result<u8> {
    let is_new = options.resume.is_none();
    let interrupt = listen()?;
    let allocators = options.measuring.allocators(&[]);
    // What can be refused is refused before anything is built.
    if options.full {
        of_system("--full", &allocators)?;
    }
    if is_new && options.measuring.own.is_some() {
        options.measuring.results(root)?;
    }
    let own = match &options.resume {
        None => own::prepare(&options.measuring, &options.measuring.only, &allocators, root, &interrupt)?,
        Some(dir) => {
            let plan = read(&folder("--resume", dir)?).map_err(|error| Usage(format!("--resume: {error}")))?.plan;
            let is_over = plan.ended == Some(Ended::Complete) && !plan.full;
            if is_over {
                None
            } else {
                engine::check_needs(dir, &plan.names(), root)?;
                own::prepare_again(&options.measuring, &plan, root, &interrupt)?
            }
        }
    };
    let job = if is_new { Some(options.job(own.as_deref())?) } else { None };
    let is_brief = own.is_some() && options.measuring.quick;
    let stop = match (&own, &job) {
        (Some(own), Some(job)) if is_brief && options.measuring.is_open() => {
            own::first_look(own, job.workers, options.stop())
        }
        _ => options.stop(),
    };
    let request = Request {
        python: options.interpreter()?,
        jobs: job.into_iter().collect(),
        full: options.full,
        own,
        is_brief,
        stop,
        ..request(&options.measuring, is_new, root)?
    };
    if options.full {
        request.jobs.iter().try_for_each(full::check)?;
    }
    let (dir, status) = match &options.resume {
        None => match engine::measure(&request, root, &interrupt)? {
            Some(finished) => (finished.dir.clone(), show(finished)?),
            None => return Ok(1),
        },
        Some(dir) => {
            let dir = folder("--resume", dir)?;
            match engine::resume(&dir, &request, root, &interrupt)? {
                Some(finished) => (dir, show(finished)?),
                None => {
                    if !read(&dir)?.plan.full {
                        tell::say("the run is complete; there is nothing to resume");
                    }
                    remake(&dir)?;
                    let status = u8::from(read(&dir)?.any_failed());
                    (dir, status)
                }
            }
        }
    };
    if !full::has_sweeps_to_come(&read(&dir)?.plan) {
        return Ok(status);
    }
    Ok(status.max(full::measure_sweeps(&dir, &request, root, &interrupt)?))
}

/// What the flags ask for, but for the jobs. A run that goes on has its folder.
fn request(options: &Measuring, is_new: bool, root: &Path) -> Result<Request> {
    Ok(Request {
        only: options.only.clone(),
        allocators: options.allocators(&[]),
        sweep: None,
        full: false,
        name: None,
        python: None,
        jobs: Vec::new(),
        own: None,
        left_out: Vec::new(),
        is_brief: false,
        stop: options.stop(),
        shuffle_seed: options.shuffle_seed(),
        condition: !options.no_condition,
        bin_dir: options.bin_dir.as_deref().map(|dir| folder("--bin-dir", dir)).transpose()?,
        results: if is_new { options.results(root)? } else { PathBuf::new() },
        command: own_command(root),
    })
}

/// Refuses other allocators than the system's where nothing would show them.
fn of_system(what: &str, allocators: &[Allocator]) -> Result<(), Usage> {
    if allocators.iter().all(|allocator| allocator.is_system()) {
        return Ok(());
    }
    Err(Usage(format!("{what} is measured with the system's allocator; `sweep allocators` compares it with others")))
}

/// The request of a sweep, which has its own defaults.
fn swept_request(swept: &Swept, own: Option<Arc<Prepared>>, root: &Path) -> Result<Request> {
    let request = Request {
        only: swept.only(),
        allocators: swept.measuring.allocators(swept.sweep.allocators),
        sweep: Some(swept.sweep.name.to_owned()),
        jobs: swept.jobs(own.as_deref())?,
        own,
        stop: swept.stop(),
        ..request(&swept.measuring, true, root)?
    };
    if !swept.sweep.timed.is_cold() {
        of_system(&format!("sweep {}", swept.sweep.name), &request.allocators)?;
    }
    Ok(request)
}

/// Measures a sweep, and shows it.
fn measure_sweep(swept: &Swept, root: &Path) -> Result<u8> {
    let interrupt = listen()?;
    let allocators = swept.measuring.allocators(swept.sweep.allocators);
    if swept.measuring.own.is_some() {
        swept.sweep.check_own().map_err(Usage)?;
        swept.measuring.results(root)?;
    }
    let own = own::prepare(&swept.measuring, &swept.only(), &allocators, root, &interrupt)?;
    let request = swept_request(swept, own, root)?;
    engine::measure(&request, root, &interrupt)?.map_or(Ok(1), show)
}

fn listen() -> Result<Interrupt> {
    Interrupt::listen().context("signals cannot be listened for")
}

/// Shows what was measured, however far that got, and says where it is. The table comes first: whatever else fails, it
/// was what the run was for.
fn show(finished: Finished) -> Result<u8> {
    let run = Run::read(&finished.dir)?;
    let printed = tell::print(&page::tables(&run)).context("standard output");
    let indexed = finished.dir.parent().map_or(Ok(()), index::write);
    let is_stopped = run.plan.ended != Some(Ended::Complete);
    let dir = finished.dir.clone();
    let status = keep(run, finished, printed, indexed.err().map(Into::into))?;
    if is_stopped {
        tell::say(format_args!("this run was stopped: --resume {} goes on with it", dir.display()));
    }
    Ok(status)
}

/// The same of a sweep of a full run, whose tables are in its page alone.
fn show_sweep(finished: Finished) -> Result<u8> {
    keep(Run::read(&finished.dir)?, finished, Ok(()), None)
}

/// Writes the page, and returns the status to exit with.
fn keep(run: Run, finished: Finished, printed: Result<()>, unindexed: Option<anyhow::Error>) -> Result<u8> {
    let Finished { dir, failure, said } = finished;
    let mut failures: Vec<anyhow::Error> = failure.into_iter().collect();
    doubts::of(&run).iter().filter(|doubt| !said.contains(doubt)).for_each(tell::warn);
    failures.extend(report::write(&dir).err().map(Into::into));
    failures.extend(unindexed);
    let whole = failures.is_empty() && printed.is_ok();
    // On a full disk the others have the same cause.
    failures.into_iter().take(1).chain(printed.err()).for_each(|error| tell::complain(error.as_ref()));
    let page = dir.join("README.md");
    if page.exists() {
        tell::say(format_args!("all columns: {}; in a browser: {}", page.display(), dir.join(html::REPORT).display()));
    } else {
        let dir = dir.display();
        tell::say(format_args!(
            "what was measured is kept in {dir}; once it can be written, `report {dir}` makes its page"
        ));
    }
    Ok(match run.plan.ended {
        Some(Ended::Interrupted) => INTERRUPTED,
        Some(Ended::Complete) if whole && !run.any_failed() => 0,
        _ => 1,
    })
}

/// Remakes the page of a run, and the index beside it.
fn remake(dir: &Path) -> Result<()> {
    let dir = folder("report", dir)?;
    read(&dir)?;
    let run = report::write(&dir)?;
    advise::store(&dir);
    if let Some(results) = dir.parent() {
        index::write(results)?;
    }
    tell::print(&page::tables(&run)).context("standard output")?;
    doubts::of(&run).iter().for_each(tell::warn);
    let [page, report] = ["README.md", html::REPORT].map(|file| dir.join(file));
    tell::say(format_args!("all columns: {}; in a browser: {}", page.display(), report.display()));
    Ok(())
}

/// Compares two runs.
fn cmp(first: &Path, second: &Path) -> Result<()> {
    let [first, second] = [first, second].map(|dir| folder("cmp", dir).and_then(|dir| read(&dir)));
    let (first, second) = (first?, second?);
    let differences = difference::between(&first, &second).map_err(|error| Usage(format!("cmp: {error}")))?;
    let stamps = [&first, &second].map(|run| run.plan.stamp.as_str());
    tell::print(&difference_text::table(&differences, stamps)).context("standard output")?;
    for run in [&first, &second] {
        doubts::of(run).iter().for_each(|doubt| tell::warn(format_args!("{}: {doubt}", run.plan.stamp)));
    }
    Ok(())
}

fn read(dir: &Path) -> Result<Run, Usage> {
    Run::read(dir).map_err(|error| Usage(error.to_string()))
}

/// Puts a part that is made into a document, or checks that it is there.
fn splice_part(root: &Path, options: &Splice) -> Result<()> {
    let below = |run: &PathBuf| {
        let dir = folder("splice", run)?;
        let below = dir.strip_prefix(root).map(|below| below.display().to_string());
        below.map_err(|_| Usage(format!("splice {}: the run must be in this repository", run.display())))
    };
    let runs = options.runs.iter().map(below).collect::<Result<Vec<String>, Usage>>()?;
    for run in runs.iter().filter(|_| !options.force && !options.check) {
        let full = Full::read(&root.join(run)).map_err(|error| Usage(error.to_string()))?;
        let sweeps = full.sweeps.iter().filter(|_| matches!(options.part, Part::Guide | Part::Pictures));
        let reasons: Vec<_> = sweeps.chain([&full.run]).flat_map(doubts::against_publishing).collect();
        if !reasons.is_empty() {
            bail!("{run} is not to be shown: {}; --force shows it all the same", reasons.join("; "));
        }
    }
    let document = options.into.clone().unwrap_or_else(|| root.join("README.md"));
    let within = document.parent().and_then(|dir| dir.canonicalize().ok());
    let within = within.and_then(|dir| dir.strip_prefix(root).map(Path::to_owned).ok()).unwrap_or_default();
    let part = options.part.render(root, &runs, &within).map_err(|error| match error {
        SpliceError::Runs { .. } => Usage(error.to_string()).into(),
        error => anyhow::Error::from(error),
    })?;
    let old = fs::read_to_string(&document).with_context(|| document.display().to_string())?;
    let new = splice::splice(&old, options.part, &runs, &part).with_context(|| document.display().to_string())?;
    if new == old {
        return Ok(());
    }
    if options.check {
        bail!("{} does not have this part as it is now; `compare splice` puts it there", document.display());
    }
    fs::write(&document, new).with_context(|| document.display().to_string())
}
