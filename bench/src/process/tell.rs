//! What a program of this crate says: on stderr how it goes, on stdout what it is for. It goes on when nobody reads either
//! any more, where `println!` and `eprintln!` panic.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write, stderr, stdout};

/// What was asked for cannot be done: the flag, and what it accepts.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// A line on stderr.
pub fn say(line: impl Display) {
    // There is no other place to say that nobody reads this one.
    let _unread = writeln!(stderr(), "{line}");
}

/// A warning, on stderr.
pub fn warn(warning: impl Display) {
    say(format_args!("warning: {warning}"));
}

/// An error, on stderr.
pub fn complain(error: &(dyn Error + 'static)) {
    say(format_args!("error: {}", in_full(error)));
}

/// What the run is for, on stdout. A reader that closed the pipe had enough; a full device is an error.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    harness::unless_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// An error with its causes. Many errors have their cause in their own message; it is told once.
fn in_full(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !told.contains(&message) {
            told = format!("{told}: {message}");
        }
        cause = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let outer = anyhow::Error::new(missing()).context("results/x").context("report results/x");
        assert_eq!(in_full(outer.as_ref()), "report results/x: entity not found");
        let same = io::Error::other(io::Error::other(missing()));
        assert_eq!(in_full(&same), "entity not found");
        let own = anyhow::Error::new(missing()).context("run.json: entity not found");
        assert_eq!(in_full(own.as_ref()), "run.json: entity not found");
    }
}
