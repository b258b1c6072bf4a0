//! What becomes of the other keys when one fails: tried with each strategy, and not taken from what it says of itself.

use crate::entrants::contender::Contender;
use crate::process::interrupt::{Interrupt, Interrupted};
use crate::process::{self, RunError};
use crate::run::answer::Answer;
use crate::run::sample::Survival;
use std::time::Duration;

/// A job of a few milliseconds: four keys on two workers, one of which fails.
const JOB: &str = "--workload fill --keys 4 --count 1000 --workers 2 --format json";

/// The key that fails.
const FAILING: usize = 1;

/// What the three others come to.
const OTHERS_BYTES: u64 = 3 * 1000 * 8;

/// Bounds one try. What has not ended by then has lost the other keys.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tries a strategy. Nothing, if it takes no flag that makes a key fail.
pub fn tried(contender: &Contender, interrupt: &Interrupt) -> Result<Option<Survival>, Interrupted> {
    let Some(panic) = survives(contender, "--fault 1:panic", interrupt)? else { return Ok(None) };
    let abort = survives(contender, "--fault 1:abort", interrupt)?.unwrap_or(false);
    // Strategies that keep no deadline refuse the flag: with them a key that hangs is waited for, for ever.
    let hang = survives(contender, "--fault 1:hang --deadline 0.5", interrupt)?.unwrap_or(false);
    Ok(Some(Survival { panic, abort, hang }))
}

/// Whether the other keys came back; nothing, if the flags were refused.
fn survives(contender: &Contender, fault: &str, interrupt: &Interrupt) -> Result<Option<bool>, Interrupted> {
    /// The exit status for wrong usage.
    const REFUSED: i32 = 2;
    let flags: Vec<String> = JOB.split(' ').chain(fault.split(' ')).map(str::to_owned).collect();
    let output = match process::run(contender.command(&flags), Some(PATIENCE), interrupt) {
        Ok(output) if output.status.code() == Some(REFUSED) => return Ok(None),
        Ok(output) => output,
        Err(RunError::Interrupted) => return Err(Interrupted),
        Err(_) => return Ok(Some(false)),
    };
    let answer: Option<Answer> = serde_json::from_slice(&output.stdout).ok();
    Ok(Some(answer.is_some_and(|Answer { report, .. }| {
        let failed: Vec<usize> = report.failed.iter().map(|failed| failed.key).collect();
        failed == [FAILING] && report.output_bytes == OTHERS_BYTES
    })))
}
