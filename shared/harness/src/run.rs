//! One run, from flags to exit status.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use kernel::{Context, Digest, Fill, Outcome, Runs, StartError, Sum, Verifiable, Wait};

use crate::allocator::ALLOCATOR;
use crate::cli::{Format, Options, Usage, WorkloadName, rng_name, skew_name};
use crate::report::{FailedKey, PROFILE, Report};
use crate::{Faulty, memory};

/// Runs strategy `S` as its command line asks: the whole of a strategy's `main`. In a process that a process strategy
/// started as its worker, it serves keys instead, and does not return.
///
/// The status is 0 if all keys came back whole, 1 if some did not or the strategy could not start, 2 for wrong usage.
pub fn main<S>(name: &str) -> ExitCode
where
    S: Runs<Fill> + Runs<Sum> + Runs<Wait> + Runs<Faulty>,
{
    worker::serve(&[worker::job::<Fill>(), worker::job::<Sum>(), worker::job::<Wait>(), worker::job::<Faulty>()]);
    match Options::read(name, S::PROCESSES).and_then(|options| dispatch::<S>(name, &options)) {
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

fn dispatch<S>(name: &str, options: &Options) -> Result<ExitCode, Usage>
where
    S: Runs<Fill> + Runs<Sum> + Runs<Wait> + Runs<Faulty>,
{
    let job = options.job.job().map_err(|message| Usage::wrong(&message))?;
    let workers = options.job.workers().map_err(|message| Usage::wrong(&message))?;
    let parameters = job.parameters();
    let report = Report {
        strategy: name.to_owned(),
        workload: options.job.workload.name().to_owned(),
        keys: parameters.keys,
        count: parameters.count,
        values: None,
        bytes_per_key: None,
        skew: skew_name(parameters.skew).to_owned(),
        rng: rng_name(parameters.rng).to_owned(),
        seed: parameters.seed,
        workers: workers.get(),
        profile: PROFILE.to_owned(),
        allocator: ALLOCATOR.to_owned(),
        start_ns: 0,
        run_ns: Vec::new(),
        drop_ns: Vec::new(),
        stop_ns: 0,
        output_bytes: 0,
        failed: Vec::new(),
        digest: None,
    };
    match options.job.workload {
        WorkloadName::Fill if !options.fault.is_empty() => {
            run::<S, _>(options, workers, Faulty::new(Fill(job), options.fault.clone()), report)
        }
        WorkloadName::Fill => run::<S, _>(options, workers, Fill(job), report),
        WorkloadName::Sum => run::<S, _>(options, workers, Sum(job), report),
        WorkloadName::Wait => {
            let wait = options.job.waiting(job).map_err(|message| Usage::wrong(&message))?;
            let (values, bytes_per_key) = (Some(wait.values()), Some(wait.bytes_per_key()));
            run::<S, _>(options, workers, wait, Report { values, bytes_per_key, ..report })
        }
    }
}

fn run<S: Runs<W>, W: Verifiable>(
    options: &Options,
    workers: NonZeroUsize,
    workload: W,
    mut report: Report,
) -> Result<ExitCode, Usage> {
    let processes = if S::PROCESSES { workers.get() } else { 0 };
    memory::check(&workload, processes, options.job.sized_by()).map_err(|error| Usage::wrong(&error.to_string()))?;
    let name = report.strategy.clone();
    let mut checks = Checks {
        failed: BTreeMap::new(),
        output_bytes: 0,
        digest: None,
        disagreeing: Vec::new(),
        batches: 0,
        written: Ok(()),
    };
    if workload.keys() == 0 {
        checks.batch(options, &workload, &[]);
    } else if let Err(error) = batches::<S, W>(options, workers, workload, &mut report, &mut checks) {
        complain(&name, format_args!("could not start: {error}"));
        return Ok(ExitCode::FAILURE);
    }
    let complete = checks.judge(options, &name);
    report.output_bytes = checks.output_bytes;
    report.failed = checks.failed.into_values().collect();
    report.digest = checks.digest;
    let written = match options.format {
        _ if options.dump => write!(io::stderr(), "{report}"),
        Format::Human => write!(io::stdout(), "{report}"),
        Format::Json => {
            let json = serde_json::to_string(&report).expect("a report has string keys and finite numbers");
            writeln!(io::stdout(), "{json}")
        }
    };
    let written = unless_closed(written).and(checks.written);
    if let Err(error) = &written {
        complain(&name, format_args!("standard output: {error}"));
    }
    Ok(if complete && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The clocks: start, each batch's run and drop, stop. Everything else happens between them.
fn batches<S: Runs<W>, W: Verifiable>(
    options: &Options,
    workers: NonZeroUsize,
    workload: W,
    report: &mut Report,
    checks: &mut Checks,
) -> Result<(), StartError> {
    let context = Context::new(workers).with_deadline(options.deadline);
    let workload = Arc::new(workload);
    let (strategy, start_ns) = timed(|| S::start(&context));
    let mut strategy = strategy?;
    report.start_ns = start_ns;
    let mut told = None;
    for _ in 0..options.repeat.get() {
        let (outcomes, run_ns) = timed(|| strategy.run(&workload));
        // Strategies that start their workers for each batch know it only now.
        let shortfall = strategy.shortfall().map(ToString::to_string);
        if let Some(reason) = shortfall.filter(|reason| told.as_ref() != Some(reason)) {
            complain(&report.strategy, format_args!("fewer than {workers} workers could be started: {reason}"));
            told = Some(reason);
        }
        report.run_ns.push(run_ns);
        checks.batch(options, &*workload, &outcomes);
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

fn complain(name: &str, message: std::fmt::Arguments<'_>) {
    // Nobody listens on a closed stderr.
    let _closed = writeln!(io::stderr(), "{name}: {message}");
}

/// What was found out about the batches, outside the clocks.
struct Checks {
    /// Each key that failed in some batch, with the first reason.
    failed: BTreeMap<usize, FailedKey>,
    output_bytes: u64,
    /// The first batch's.
    digest: Option<String>,
    /// Batches that gave another digest than the first: number and digest.
    disagreeing: Vec<(usize, String)>,
    batches: usize,
    /// Whether the dump could be written.
    written: io::Result<()>,
}

impl Checks {
    /// Looks at one batch, and dumps it if that was asked for.
    fn batch<W: Verifiable>(&mut self, options: &Options, workload: &W, outcomes: &[Outcome<W::Output>]) {
        self.batches += 1;
        self.output_bytes = 0;
        let mut digest = (options.digest || options.expect.is_some()).then(Digest::new);
        let mut dump = options.dump.then(|| io::BufWriter::with_capacity(1 << 16, io::stdout().lock()));
        if outcomes.len() != workload.keys() {
            let reason = format!("the strategy gave {} outcomes for {} keys", outcomes.len(), workload.keys());
            self.fail(outcomes.len().min(workload.keys()), reason);
        }
        for (index, outcome) in outcomes.iter().enumerate().take(workload.keys()) {
            let output = match outcome {
                Ok(output) => workload.output_bytes(output),
                Err(error) => {
                    self.fail(index, error.to_string());
                    continue;
                }
            };
            let (got, size) = (output.len() as u64, workload.output_size(index));
            if got != size {
                self.fail(index, format!("came back with {got} of {size} bytes"));
                continue;
            }
            self.output_bytes += got;
            let key = workload.key_bytes(index);
            if let Some(digest) = &mut digest {
                digest.add(key, &output);
            }
            if let Some(writer) = &mut dump
                && let Err(error) = writer.write_all(&key).and_then(|()| writer.write_all(&output))
            {
                dump = None;
                self.written = unless_closed(Err(error));
            }
        }
        if let Some(mut writer) = dump {
            self.written = unless_closed(writer.flush());
        }
        match (&self.digest, digest.map(|digest| digest.hex())) {
            (None, digest) => self.digest = digest,
            (Some(first), Some(digest)) if *first != digest => self.disagreeing.push((self.batches, digest)),
            (Some(_), _) => {}
        }
    }

    fn fail(&mut self, key: usize, reason: String) {
        self.failed.entry(key).or_insert(FailedKey { key, reason });
    }

    /// Whether all is as it was asked for; if not, says on stderr what is not.
    fn judge(&self, options: &Options, name: &str) -> bool {
        for FailedKey { key, reason } in self.failed.values() {
            complain(name, format_args!("key {key}: {reason}"));
        }
        let first = self.digest.as_deref().unwrap_or_default();
        for (batch, digest) in &self.disagreeing {
            complain(name, format_args!("batch {batch} has digest {digest}, the first has {first}"));
        }
        let expected = options.expect.as_deref().unwrap_or(first);
        if expected != first {
            complain(name, format_args!("the digest is {first}, and --expect says {expected}"));
        }
        self.failed.is_empty() && self.disagreeing.is_empty() && expected == first
    }
}
