//! Warm batches of every strategy in impls/.
//!
//! The strategies run as processes and time themselves, so nothing is linked and a new strategy is here at once. Every
//! batch is digested between the clocks and must have the digest of `sequential`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::entrants::building;
use bench::entrants::contender::Contender;
use bench::entrants::selection::Selection;
use bench::process;
use bench::process::interrupt::Interrupt;
use bench::run::allocator::Allocator;
use bench::run::answer::{Answer, Reference};
use bench::run::job::Job;
use bench::run::plan::SEQUENTIAL;
use criterion::{Criterion, SamplingMode, Throughput};

fn main() -> ExitCode {
    let mut criterion = Criterion::default().configure_from_args();
    match run(&mut criterion) {
        Ok(0) => {
            criterion.final_summary();
            ExitCode::SUCCESS
        }
        Ok(failed) => {
            eprintln!("error: {failed} strategies failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Benches all strategies and returns how many of them failed.
fn run(criterion: &mut Criterion) -> Result<usize> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("bench has a parent")?;
    let names = Selection::of(&[], root, false)?.in_source(root)?.told();
    // A Ctrl-C ends this whole program.
    let (_held, interrupt) = Interrupt::channel();
    let executables = building::build(root, &names, Allocator::System, &interrupt)?;
    let contender = |name: &String| {
        let path = executables.get(name).with_context(|| format!("{name} did not build"))?;
        anyhow::Ok(Contender::program(path, name))
    };
    let flags = job().flags();
    let sequential = contender(&SEQUENTIAL.to_owned())?;
    let reference = batches(&sequential, &flags, 1, None).context(SEQUENTIAL)?;
    let digest = reference.report.digest.context("sequential printed no digest")?;
    let digest = Reference { name: SEQUENTIAL.to_owned(), digest };

    let mut failed = 0;
    let mut group = criterion.benchmark_group(format!("{} × {}", job().keys, job().count));
    group.throughput(Throughput::Elements(job().keys * job().count));
    // Each sample is a process, whose start is not in the sample but takes its time.
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for name in &names {
        let verified = contender(name).and_then(|contender| {
            batches(&contender, &flags, 1, Some(&digest))?;
            Ok(contender)
        });
        let contender = match verified {
            Ok(contender) => contender,
            Err(error) => {
                eprintln!("failed: {name}: {error:#}");
                failed += 1;
                continue;
            }
        };
        let mut trouble = None;
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| match batches(&contender, &flags, iterations + 1, Some(&digest)) {
                Ok(answer) => answer.report.run_ns.iter().skip(1).copied().map(Duration::from_nanos).sum(),
                Err(error) => {
                    trouble = Some(error);
                    // Criterion wants a time; this run ends with an error whatever it makes of it.
                    Duration::from_nanos(iterations)
                }
            });
        });
        if let Some(error) = trouble {
            eprintln!("failed: {name}: {error:#}");
            failed += 1;
        }
    }
    group.finish();
    Ok(failed)
}

/// A tenth of the default job, on all CPUs: a batch takes some 20 ms, a run of all strategies some minutes.
fn job() -> Job {
    Job {
        workload: "fill".into(),
        keys: 100,
        count: 100_000,
        skew: "uniform".into(),
        rng: "xoshiro".into(),
        seed: 42,
        workers: std::thread::available_parallelism().map_or(1, |cpus| cpus.get()),
        values: 0,
        output_bytes: 8,
        neighbour: false,
        own: None,
    }
}

/// Runs that many batches in one process, each of which must have `digest`.
fn batches(contender: &Contender, flags: &[String], batches: u64, digest: Option<&Reference>) -> Result<Answer> {
    let mut command = contender.command(flags);
    command.args(["--repeat", &batches.to_string(), "--format", "json", "--digest"]);
    let output = command.output()?;
    let said = process::last_line(&output.stderr).unwrap_or_default();
    ensure!(output.status.success(), "{}: {said}", output.status);
    let answer = Answer::read(&output.stdout)?;
    answer.agree(digest)?;
    ensure!(answer.report.run_ns.len() as u64 == batches, "{} times of {batches} batches", answer.report.run_ns.len());
    Ok(answer)
}
