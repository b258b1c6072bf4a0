//! One run, from flags to exit status.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use fanout::job;
use kernel::{Context, Runs, StartError, Workload};
use workloads::{Asked, BuiltIn, Facts, Fill, Own, RunsAll, Use, dispatch, served};

use crate::checks::{Checks, Wanted};
use crate::cli::{Format, Options, Usage, rng_name, skew_name};
use crate::look::{self, Look};
use crate::report::Report;
use crate::{Fault, Faulty, memory};

/// Runs strategy `S` as its command line asks: the whole of a strategy's `main`. In a process that a process strategy
/// started as its worker, it serves keys instead, and does not return.
///
/// The status is 0 if all keys came back whole, 1 if some did not or the strategy could not start, 2 for wrong usage.
pub fn main<S: RunsAll + Runs<Faulty>>(name: &str) -> ExitCode {
    serve(None);
    let run = |options: Options| match options.agent::<S>(name) {
        Some(served) => served,
        None => of_built_in::<S>(name, &options, &mut io::stdout()),
    };
    ends(name, Options::read::<S>(name).and_then(run))
}

/// Serves keys, in a process that is a worker: of all that is built in, and of one more.
pub(crate) fn serve(one_more: Option<fanout::Served>) {
    let mut served = served();
    served.push(job::<Faulty>());
    served.extend(one_more);
    fanout::serve(&served);
}

/// How the process ends; what is to be said about that is said.
pub(crate) fn ends(name: &str, run: Result<ExitCode, Usage>) -> ExitCode {
    match run {
        Ok(status) => status,
        Err(Usage { text, status: 0 }) => {
            // A closed pipe is a normal end.
            let _closed = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(Usage { text, status }) => {
            let _closed = write!(io::stderr(), "{name}: {text}");
            ExitCode::from(status)
        }
    }
}

/// Runs a workload that is built in.
pub(crate) fn of_built_in<S: RunsAll + Runs<Faulty>>(
    name: &str,
    options: &Options,
    out: &mut dyn Write,
) -> Result<ExitCode, Usage> {
    let asked = options.job.asked().map_err(|message| Usage::wrong(&message))?;
    let workers = options.job.workers().map_err(|message| Usage::wrong(&message))?;
    let report = report(name, &asked, options.job.workload(), workers);
    let user = Batches { options, workers, report, out };
    if !options.fault.is_empty() {
        asked.check(&Facts::of::<Fill>()).map_err(|message| Usage::wrong(&message))?;
        let fill = Fill::asked(&asked).map_err(|message| Usage::wrong(&message))?;
        return user.faulty::<S>(fill, options.fault.clone());
    }
    dispatch::<S, _>(options.job.workload(), &asked, user).map_err(|message| Usage::wrong(&message))?
}

/// What is known of a run beforehand.
fn report(name: &str, asked: &Asked, workload: &str, workers: NonZeroUsize) -> Report {
    let parameters = asked.job.parameters();
    Report {
        workload: workload.to_owned(),
        keys: parameters.keys,
        count: parameters.count,
        skew: skew_name(parameters.skew).to_owned(),
        rng: rng_name(parameters.rng).to_owned(),
        seed: parameters.seed,
        ..Report::of(name, workers)
    }
}

/// Some batches of whichever workload.
struct Batches<'a> {
    options: &'a Options,
    workers: NonZeroUsize,
    report: Report,
    out: &'a mut dyn Write,
}

impl Batches<'_> {
    fn faulty<S: Runs<Faulty>>(self, fill: Fill, faults: Vec<Fault>) -> Result<ExitCode, Usage> {
        self.checked::<S, _>(Faulty::new(fill, faults))
    }

    /// Runs it, if its outputs fit into memory.
    fn checked<S: Runs<W>, W: workloads::Verifiable>(self, workload: W) -> Result<ExitCode, Usage> {
        let processes = if S::PROCESSES { self.workers.get() } else { 0 };
        memory::check(&workload, processes, self.options.job.sized_by())
            .map_err(|error| Usage::wrong(&error.to_string()))?;
        let Batches { options, workers, report, out } = self;
        let context = options.context::<S>(workers)?;
        Ok(run::<S, W, look::BuiltIn>(options, &context, workload, report, options.wanted(), out))
    }
}

impl<S: RunsAll> Use<S> for Batches<'_> {
    type Result = Result<ExitCode, Usage>;

    fn with<W: BuiltIn>(mut self, workload: W) -> Self::Result
    where
        S: Runs<W>,
    {
        self.report.values = workload.own(Own::Values);
        self.report.bytes_per_key = workload.own(Own::OutputBytes);
        self.checked::<S, W>(workload)
    }
}

/// Runs some batches, and reports on them to `out`.
pub(crate) fn run<S: Runs<W>, W: Workload, L: Look<W>>(
    options: &Options,
    context: &Context,
    workload: W,
    mut report: Report,
    wanted: Wanted,
    out: &mut dyn Write,
) -> ExitCode {
    let name = report.strategy.clone();
    let mut checks = Checks::new(wanted);
    if workload.keys() == 0 {
        checks.batch::<W, L>(&workload, &[], out);
    } else if let Err(error) = batches::<S, W, L>(options, context, workload, &mut report, &mut checks, out) {
        complain(&name, format_args!("could not start: {error}"));
        return ExitCode::FAILURE;
    }
    let complete = checks.judge(&name);
    report.output_bytes = checks.output_bytes;
    report.digest = checks.digest.take();
    let dumped = std::mem::replace(&mut checks.written, Ok(()));
    report.failed = checks.into_failed();
    let written = match options.format {
        _ if options.dump => write!(io::stderr(), "{report}"),
        Format::Human => write!(out, "{report}"),
        Format::Json => {
            let json = serde_json::to_string(&report).expect("a report has string keys and finite numbers");
            writeln!(out, "{json}")
        }
    };
    let written = unless_closed(written.and_then(|()| out.flush())).and(dumped);
    if let Err(error) = &written {
        complain(&name, format_args!("standard output: {error}"));
    }
    if complete && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The clocks: start, each batch's run and drop, stop. Everything else happens between them.
fn batches<S: Runs<W>, W: Workload, L: Look<W>>(
    options: &Options,
    context: &Context,
    workload: W,
    report: &mut Report,
    checks: &mut Checks,
    out: &mut dyn Write,
) -> Result<(), StartError> {
    let workers = context.workers;
    let workload = Arc::new(workload);
    let (strategy, start_ns) = timed(|| S::start(context));
    let mut strategy = strategy?;
    report.start_ns = start_ns;
    let mut told = None;
    for _ in 0..options.repeat.get() {
        let (outcomes, run_ns) = timed(|| strategy.run(&workload));
        // Strategies that start their workers for each batch, or whose hosts come and go, know it only now.
        report.workers = strategy.at_once().unwrap_or(report.workers);
        let shortfall = strategy.shortfall().map(ToString::to_string);
        if let Some(reason) = shortfall.filter(|reason| told.as_ref() != Some(reason)) {
            complain(&report.strategy, format_args!("fewer than {workers} workers could be started: {reason}"));
            told = Some(reason);
        }
        report.run_ns.push(run_ns);
        checks.batch::<W, L>(&workload, &outcomes, out);
        let ((), drop_ns) = timed(|| drop(outcomes));
        report.drop_ns.push(drop_ns);
    }
    let ((), stop_ns) = timed(|| drop(strategy));
    report.stop_ns = stop_ns;
    Ok(())
}

/// What became of an output. A reader that closed the pipe has what it wanted; a disk that is full has not.
///
/// # Errors
///
/// Whatever else went wrong with writing it.
pub fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

fn timed<T>(body: impl FnOnce() -> T) -> (T, u64) {
    let start = Instant::now();
    let value = body();
    // 2^64 ns are 584 years.
    (value, start.elapsed().as_nanos() as u64)
}

pub(crate) fn complain(name: &str, message: std::fmt::Arguments<'_>) {
    // Nobody listens on a closed stderr.
    let _closed = writeln!(io::stderr(), "{name}: {message}");
}
