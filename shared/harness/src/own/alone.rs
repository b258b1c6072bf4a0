//! Keys one after the other, without any strategy: what each of them takes and gives.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fanout::declared::Declared;
use kernel::Workload;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::options::OwnOptions;
use super::stdout::{Stdout, counted};
use crate::cli::Usage;
use crate::look::compared;
use crate::run::unless_closed;

/// The most keys that are run: with more, nothing that is told of them would change.
const MOST: usize = 1_000;

/// The stack of the thread that runs keys: what the main thread has on Linux, where `sequential` runs them.
const STACK: usize = 8 << 20;

/// Between two looks at whether a signal has come.
const LOOK: Duration = Duration::from_millis(20);

/// What a shell reports for a process that SIGINT has ended.
const INTERRUPTED: u8 = 130;

/// What was found out.
#[derive(Serialize)]
struct Alone<'a> {
    workload: &'a str,
    arguments: Vec<String>,
    keys: usize,
    measured: Vec<Key>,
    printed_bytes: u64,
}

/// One key. Times are nanoseconds. Wall time is without that in which others had the CPU; that of the processor is of the whole process.
#[derive(Clone, Serialize)]
struct Key {
    key: usize,
    wall_ns: u64,
    cpu_ns: u64,
    bytes: u64,
}

/// What is known so far.
#[derive(Default)]
struct Known {
    measured: Vec<Key>,
    failed: Option<String>,
}

/// Runs keys of `workload` until all were run, [`MOST`] of them, or `limit` is over, and prints what came of it. They are spread over
/// all keys, whenever it ends. A signal ends it with what there is.
pub(crate) fn keys<J: Declared>(
    called: &str,
    own: &OwnOptions,
    workload: J::Workload,
    limit: Duration,
    out: &mut Stdout,
) -> Result<ExitCode, Usage> {
    let failed = |error: io::Error| Usage::failed(&format!("--alone: {error}"));
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stopped)).map_err(failed)?;
    }
    let known = Arc::new(Mutex::new(Known::default()));
    let keys = workload.keys();
    let mut interrupted = false;
    let printed = counted(|| {
        let of_thread = Arc::clone(&known);
        let key_thread = thread::Builder::new().stack_size(STACK);
        let thread = key_thread.spawn(move || measure::<J>(&workload, limit, &of_thread)).expect("a thread");
        while !thread.is_finished() && !interrupted {
            thread::park_timeout(LOOK);
            interrupted = stopped.load(Ordering::Relaxed);
        }
    });
    let mut known = known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(reason) = known.failed.take() {
        return Err(Usage::failed(&reason));
    }
    known.measured.sort_by_key(|key| key.key);
    let alone = Alone {
        workload: called,
        arguments: own.arguments(),
        keys,
        measured: known.measured.clone(),
        printed_bytes: printed.map_err(failed)?,
    };
    let json = serde_json::to_string(&alone).map_err(|error| failed(error.into()))?;
    unless_closed(writeln!(out, "{json}")).map_err(failed)?;
    Ok(if interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

fn measure<J: Declared>(workload: &J::Workload, limit: Duration, known: &Mutex<Known>) {
    let began = Instant::now();
    for key in spread(workload.keys()).take(MOST) {
        let (queued, wall, cpu) = (queued_ns(), Instant::now(), cpu_ns());
        let outcome = workload.attempt(key);
        let (elapsed, cpu_ns) = (wall.elapsed().as_nanos() as u64, cpu_ns() - cpu);
        let wall_ns = elapsed.saturating_sub(queued_ns().saturating_sub(queued));
        let bytes = match outcome {
            Ok(output) => compared::<J>(&output).map_err(|why| format!("its output cannot be compared: {why}")),
            Err(error) => Err(error.to_string()),
        };
        let Ok(mut known) = known.lock() else { return };
        match bytes {
            Ok(bytes) => known.measured.push(Key { key, wall_ns, cpu_ns, bytes: bytes.len() as u64 }),
            Err(why) => {
                known.failed = Some(format!("{}: key {key}: {why}", J::PLACE));
                return;
            }
        }
        if began.elapsed() >= limit {
            return;
        }
    }
}

/// All keys, each once, so that the first of them are spread over all: by steps of the golden ratio of their number, which is what
/// leaves the most even gaps (the three-gap theorem).
fn spread(keys: usize) -> impl Iterator<Item = usize> {
    const GOLDEN: f64 = 0.618_033_988_749_894_8;
    let mut step = ((keys as f64 * GOLDEN) as usize).max(1);
    while common(step, keys) > 1 {
        step -= 1;
    }
    (0..keys).scan(0, move |next, _| {
        let this = *next;
        *next = (*next + step) % keys;
        Some(this)
    })
}

/// The greatest common divisor.
fn common(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common(b, a % b) }
}

/// For how long this thread was ready so far, and others had the CPU (Linux: `Documentation/scheduler/sched-stats.rst`): no part of what a key takes.
/// Nothing where that is not told.
fn queued_ns() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    told.and_then(|told| told.split(' ').nth(1)?.parse().ok()).unwrap_or(0)
}

/// What all threads of this process have computed so far.
fn cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_comes_once_and_the_first_ones_are_apart() {
        for keys in [0, 1, 2, 3, 10, 100, 1_000, 99_991] {
            let mut all: Vec<usize> = spread(keys).collect();
            if keys == 1_000 {
                let mut first = all[..10].to_vec();
                first.sort_unstable();
                assert!(first.windows(2).all(|two| (30..=300).contains(&(two[1] - two[0]))), "{first:?}");
            }
            all.sort_unstable();
            assert!(all.into_iter().eq(0..keys), "{keys}");
        }
    }
}
