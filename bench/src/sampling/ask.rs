//! Running a program and reading its answer.

use std::process::{ExitStatus, Output};
use std::time::Duration;

use crate::entrants::contender::Contender;
use crate::process::interrupt::{Interrupt, Interrupted};
use crate::process::{self, RunError};
use crate::run::answer::{Answer, Reference, Unusable};
use crate::run::sample::{Failure, Stage};

/// What went wrong with one process of one row.
pub struct Trouble {
    /// What is wrong.
    pub message: String,
    /// How the process ended, if it did.
    pub exit: Option<String>,
    /// The last line that it wrote on standard error.
    pub stderr: Option<String>,
    /// It gave something else than it should.
    pub is_another_digest: bool,
}

impl Trouble {
    /// Of a process that has ended.
    pub fn of(message: String, output: &Output) -> Trouble {
        let exit = Some(output.status).filter(|status| !ExitStatus::success(status)).map(|status| status.to_string());
        Trouble { message, exit, stderr: process::last_line(&output.stderr), is_another_digest: false }
    }

    /// Of one that has not, or whose end says nothing.
    pub fn without_exit(message: String) -> Trouble {
        Trouble { message, exit: None, stderr: None, is_another_digest: false }
    }

    /// A process that did not come to its end. An interrupt is nobody's failure.
    pub fn without_end(error: RunError) -> Result<Trouble, Interrupted> {
        match error {
            RunError::Interrupted => Err(Interrupted),
            error => Ok(Trouble::without_exit(error.to_string())),
        }
    }

    /// As the record of a run has it.
    pub fn at(self, stage: Stage, round: Option<u32>) -> Failure {
        Failure { stage, round, message: self.message, exit: self.exit, stderr: self.stderr }
    }
}

/// Runs a contender and reads its answer, which must be from a program with its allocator, and have the digest of `reference` if
/// there is one.
pub fn ask(
    contender: &Contender,
    flags: &[String],
    reference: Option<&Reference>,
    limit: Option<Duration>,
    interrupt: &Interrupt,
) -> Result<Result<Answer, Trouble>, Interrupted> {
    judge(contender, process::run(contender.command(flags), limit, interrupt), reference)
}

/// What an output comes to, likewise.
pub fn judge(
    contender: &Contender,
    output: Result<Output, RunError>,
    reference: Option<&Reference>,
) -> Result<Result<Answer, Trouble>, Interrupted> {
    let output = match output {
        Ok(output) => output,
        Err(error) => return Trouble::without_end(error).map(Err),
    };
    let agreed = Answer::read(&output.stdout).and_then(|answer| {
        answer.is_given_by(contender.allocator)?;
        if let Some(reference) = reference {
            answer.agree(Some(reference))?;
        }
        Ok(answer)
    });
    Ok(match agreed {
        Ok(answer) if output.status.success() => Ok(answer),
        // Where a failed process has printed no JSON, its own words say more than what is wrong with the JSON.
        Err(unusable) if output.status.success() || !matches!(unusable, Unusable::Json(_)) => {
            let is_another_digest = matches!(unusable, Unusable::Digest { .. });
            Err(Trouble { is_another_digest, ..Trouble::of(unusable.to_string(), &output) })
        }
        _ => Err(Trouble::of("it failed".to_owned(), &output)),
    })
}

/// Flags, and more of them.
pub fn with(flags: &[String], more: &[&str]) -> Vec<String> {
    flags.iter().cloned().chain(more.iter().map(|flag| (*flag).to_owned())).collect()
}
