//! A progress bar over a map, with what the pool does in a log above it.
//!
//! ```sh
//! cargo run -- 200
//! ```
//!
//! The log is `tracing`'s, so that it goes where the rest of a program's log goes, with the call, the task and the process
//! as fields. Where stderr is no terminal there is the log alone.

use std::io::{self, Write};
use std::process::ExitCode;

use fanout_pool::{Event, Pool};
use indicatif::{ProgressBar, ProgressStyle};
use tracing::{debug, info, warn};

/// How many numbers one call looks at.
const RANGE: u64 = 10_000;

/// How many primes there are in a range of numbers.
fn primes(first: u64) -> u64 {
    if first == 0 {
        eprintln!("2 is the only even prime");
    }
    let is_prime = |n: &u64| *n > 1 && (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (first..first + RANGE).filter(is_prime).count() as u64
}
fanout_pool::register!(primes);

fn main() -> ExitCode {
    let calls = match std::env::args().nth(1).map(|calls| calls.parse::<u64>()) {
        None => 100,
        // The numbers must not be larger than numbers can be.
        Some(Ok(calls)) if calls <= u64::MAX / RANGE => calls,
        Some(_) => {
            eprintln!("usage: progress [CALLS]");
            return ExitCode::FAILURE;
        }
    };
    let style =
        ProgressStyle::with_template("{bar:40} {pos} of {len}, {eta} left").expect("the template is a good one");
    let bar = ProgressBar::new(calls).with_style(style);
    let above = bar.clone();
    tracing_subscriber::fmt().with_writer(move || Above(above.clone())).init();

    // What workers print would go through the bar. As events it comes in the log.
    let pool = match Pool::builder().quiet(true).on_event(log).start() {
        Ok(pool) => pool,
        Err(error) => {
            eprintln!("progress: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut sum, mut failures) = (0, 0);
    // As they are done: in the order of the inputs, the bar would stand still for each slow one.
    for (_, outcome) in pool.map(primes, (0..calls).map(|index| index * RANGE)).unordered() {
        match outcome {
            Ok(count) => sum += count,
            // The log has it.
            Err(_) => failures += 1,
        }
        bar.inc(1);
    }
    bar.finish();
    println!("{sum} primes below {}, {failures} calls failed", calls * RANGE);
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Makes an event of the pool one of `tracing`.
fn log(event: Event) {
    match event {
        Event::WorkerStarted { pid, .. } => info!(pid, "worker started"),
        Event::WorkerEnded { pid, why, .. } => info!(pid, why, "worker ended"),
        Event::WorkerRefused { why, .. } => warn!(why, "no worker"),
        Event::CallStarted { call, task, pid, attempt, .. } => info!(%call, task, pid, attempt, "started"),
        Event::CallRetried { call, why, .. } => warn!(%call, why, "tried again"),
        Event::CallFinished { call, task, took, failure: None, .. } => info!(%call, task, ?took, "finished"),
        Event::CallFinished { call, task, took, failure: Some(why), .. } => warn!(%call, task, ?took, why, "failed"),
        Event::Line { pid, call, line, .. } => info!(pid, call = call.map(tracing::field::display), line, "said"),
        // What a later version of the pool may tell.
        other => debug!(?other),
    }
}

/// Writes above the bar.
struct Above(ProgressBar);

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
