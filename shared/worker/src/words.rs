//! What a worker writes to its stdout and stderr.

use std::io::{self, PipeReader, Read, Write};

/// Bounds what is kept of a worker's stderr for the error that tells of its death, in bytes; older bytes go, having been
/// passed on to this process's stderr already. Enough for a panic with its backtrace, which is some 5 KiB long.
const TAIL: usize = 16 << 10;

/// How many lines are told of it. A panic's message is two.
const LINES: usize = 3;

/// What begins the first line of a panic, after the name of the thread.
const PANICKED: &str = " panicked at ";

/// Passed on to this process's stderr, the end of it kept.
pub(crate) struct Words {
    /// Nothing once it has ended.
    pub(crate) pipe: Option<PipeReader>,
    tail: Vec<u8>,
}

impl Words {
    /// From a pipe that does not block.
    pub(crate) fn of(pipe: Option<PipeReader>) -> Self {
        Words { pipe, tail: Vec::new() }
    }

    /// Passes on what is there, and no more than a pipe holds, so that a worker that writes without end is no trap.
    pub(crate) fn drain(&mut self) {
        let mut buffer = [0; 4096];
        for _ in 0..16 {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(length) => {
                    // Nothing better can be done with it when this process's stderr is closed.
                    let _lost = io::stderr().write_all(&buffer[..length]);
                    self.tail.extend_from_slice(&buffer[..length]);
                    self.tail.drain(..self.tail.len().saturating_sub(TAIL));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Forgets what was said so far.
    pub(crate) fn forget(&mut self) {
        self.tail.clear();
    }

    /// The last lines, as one: of a panic the first, which say where and why, since a backtrace follows them.
    pub(crate) fn last(&self) -> String {
        let text = String::from_utf8_lossy(&self.tail);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let first = lines.iter().rposition(|line| line.starts_with("thread '") && line.contains(PANICKED));
        let first = first.unwrap_or(lines.len().saturating_sub(LINES));
        lines[first..].iter().take(LINES).copied().collect::<Vec<_>>().join(" | ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(said: &str) -> String {
        Words { pipe: None, tail: said.as_bytes().to_vec() }.last()
    }

    #[test]
    fn the_last_lines_are_told_as_one() {
        assert_eq!(last(""), "");
        assert_eq!(last("one\n\n two \nthree\nfour\n"), "two | three | four");
    }

    #[test]
    fn a_panic_is_told_by_its_message_and_not_by_its_backtrace() {
        let frames: String = (0..40).map(|frame| format!("  {frame}: core::panicking::panic\n")).collect();
        let said = format!(
            "before\nthread 'main' (7) panicked at src/main.rs:3:5:\nthe reason\nstack backtrace:\n{frames}note: Some \
             details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n"
        );
        assert_eq!(last(&said), "thread 'main' (7) panicked at src/main.rs:3:5: | the reason | stack backtrace:");
    }
}
