//! `machine-limit`: what the job `fill` cannot avoid, and nothing else. The same blocks with the same advice on huge pages, on
//! as many threads, each byte written once, nothing computed. No strategy can be faster than the memory that it fills.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{hint, thread};

use bench::process::tell;
use bench::run::plan::LIMIT;
use clap::Parser;
use fanout_pool::with_huge_pages;
use harness::{JobOptions, Report};
use workloads::Job;

/// Writes each byte of the job's outputs once: the machine's limit for the workload `fill`.
#[derive(Debug, Parser)]
#[command(name = LIMIT, max_term_width = 120)]
struct Options {
    #[command(flatten)]
    job: JobOptions,

    /// How many batches to run after one start.
    #[arg(long, default_value = "1")]
    repeat: NonZeroUsize,

    /// Print the JSON of a strategy, which is also the default.
    #[arg(long, value_parser = ["json"])]
    format: Option<String>,
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            tell::say(harness::one_line(&error));
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(report) => {
            let json = serde_json::to_string(&report).expect("a report has string keys and finite numbers");
            let printed = tell::print(&format!("{json}\n"));
            if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(message) => {
            tell::say(format_args!("error: {message}"));
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<Report, String> {
    let workload = options.job.workload();
    if workload != "fill" {
        return Err(format!("--workload {workload}: only the outputs of `fill` are limited by memory"));
    }
    options.job.fits()?;
    let (job, workers) = (options.job.job()?, options.job.workers()?);
    let parameters = job.parameters().clone();
    let (mut run_ns, mut drop_ns) = (Vec::new(), Vec::new());
    let mut output_bytes = 0;
    for _ in 0..options.repeat.get() {
        let start = Instant::now();
        let blocks = fill(&job, workers);
        run_ns.push(start.elapsed().as_nanos() as u64);
        output_bytes = blocks.iter().map(|block| size_of_val(block.as_slice()) as u64).sum();
        let start = Instant::now();
        drop(hint::black_box(blocks));
        drop_ns.push(start.elapsed().as_nanos() as u64);
    }
    Ok(Report {
        strategy: LIMIT.to_owned(),
        workload: workload.to_owned(),
        arguments: Vec::new(),
        keys: parameters.keys,
        count: parameters.count,
        values: None,
        bytes_per_key: None,
        skew: harness::skew_name(parameters.skew).to_owned(),
        rng: harness::rng_name(parameters.rng).to_owned(),
        seed: parameters.seed,
        workers: workers.get(),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
        allocator: harness::ALLOCATOR.to_owned(),
        start_ns: 0,
        run_ns,
        drop_ns,
        stop_ns: 0,
        output_bytes,
        failed: Vec::new(),
        digest: None,
    })
}

/// All blocks of the job, on so many threads that take key after key.
fn fill(job: &Job, workers: NonZeroUsize) -> Vec<Vec<f64>> {
    let next = AtomicUsize::new(0);
    let keys = || std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|key| *key < job.keys());
    let blocks = || keys().map(|key| block(job.share(key))).collect::<Vec<_>>();
    if workers.get() == 1 {
        return blocks();
    }
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.get()).map(|_| scope.spawn(blocks)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("writing does not panic")).collect()
    })
}

fn block(share: u64) -> Vec<f64> {
    let length = usize::try_from(share).expect("the job fits into memory");
    let mut block = with_huge_pages(length).expect("the job fits into memory");
    block.resize(length, 1.0);
    hint::black_box(block)
}
