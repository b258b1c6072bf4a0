//! What a worker writes to its stdout and stderr.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// Bounds what is kept of a worker's stderr for the error that reports its death, in bytes, backtraces not counted. Older
/// bytes go; they were passed on to this process's stderr already. Enough for the last lines of a panic or of a
/// sanitizer's summary.
const TAIL: usize = 4096;

/// How many of the last lines an error shows. A failed `assert_eq!` has four.
const LINES: usize = 4;

/// The line that begins a backtrace. Frames follow it.
const BACKTRACE: &str = "stack backtrace:";

/// What std's panic hook writes last, with a backtrace and without.
const NOTES: [&str; 2] = ["note: Some details are omitted", "note: run with `RUST_BACKTRACE"];

/// Passed on, the end of it kept.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// Nothing once it has ended.
    pub(crate) pipe: Option<File>,
    tail: Vec<u8>,
    to: Listener,
    /// The line that has begun and not ended.
    line: Vec<u8>,
    /// Whether somebody has looked since the last call began, and taken what there was.
    pub(crate) is_fresh: bool,
}

/// Is told of a line.
pub(crate) type OnLine = Rc<dyn Fn(&str)>;

/// Who is told what workers say.
#[derive(Clone, Default)]
pub(crate) struct Listener {
    /// Not this process's stderr.
    pub(crate) is_quiet: bool,
    /// Whoever wants each line.
    pub(crate) line: Option<OnLine>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("is_quiet", &self.is_quiet).finish_non_exhaustive()
    }
}

impl Words {
    /// From a pipe that does not block.
    pub(crate) fn of(pipe: OwnedFd, to: Listener) -> Self {
        Words { pipe: Some(pipe.into()), to, ..Words::default() }
    }

    /// Passes on what is there, and no more than a pipe holds, so that a worker that writes without end is no trap.
    pub(crate) fn drain(&mut self) {
        let mut buffer = [0; 4096];
        for _ in 0..16 {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut buffer) {
                Ok(0) => {
                    self.pipe = None;
                    self.tell_lines(b"\n");
                }
                Ok(length) => {
                    if !self.to.is_quiet {
                        pass_on(&buffer[..length]);
                    }
                    self.tell_lines(&buffer[..length]);
                    self.keep(&buffer[..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Tells the listener of each line that is whole, or as long as all that is kept.
    fn tell_lines(&mut self, said: &[u8]) {
        let Some(tell) = &self.to.line else { return };
        for piece in said.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() >= TAIL || self.line.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.line);
                let line = line.strip_suffix('\n').unwrap_or(&line);
                if !line.is_empty() {
                    tell(line);
                }
                self.line.clear();
            }
        }
    }

    /// Tells the listener, if there is one, of all that was said so far: it belongs to what was run.
    pub(crate) fn tell_all(&mut self) {
        if self.to.line.is_some() {
            self.drain();
        }
    }

    /// Passes on what was said so far, and forgets it.
    pub(crate) fn forget(&mut self) {
        if !std::mem::take(&mut self.is_fresh) {
            self.drain();
        }
        self.tail.clear();
    }

    fn keep(&mut self, said: &[u8]) {
        self.tail.extend_from_slice(said);
        if self.tail.len() > TAIL {
            // Of whole lines. The line that begins a backtrace stays, so that its other frames are known when they come.
            let whole = self.tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            let begun = self.tail.split_off(whole);
            self.tail = without_frames(&String::from_utf8_lossy(&self.tail)).into_bytes();
            self.tail.extend(begun);
            self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        }
    }

    /// The last lines, as one; not those of a backtrace, which would be all.
    pub(crate) fn last(&self) -> String {
        let text = without_frames(&String::from_utf8_lossy(&self.tail));
        let is_advice = |line: &str| NOTES.iter().any(|note| line.starts_with(note));
        let tells = |line: &&str| !line.is_empty() && *line != BACKTRACE && !is_advice(line);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(tells).collect();
        lines[lines.len().saturating_sub(LINES)..].join(" | ")
    }
}

/// Writes to this process's stderr, and not by way of std, whose lock the thread that waits for this one may hold.
fn pass_on(said: &[u8]) {
    let mut rest = said;
    while !rest.is_empty() {
        match rustix::io::write(rustix::stdio::stderr(), rest) {
            Ok(written) => rest = &rest[written..],
            Err(rustix::io::Errno::INTR) => {}
            // Nothing better can be done with it when this process's stderr is closed.
            Err(_) => return,
        }
    }
}

/// The text without the frames of backtraces: `3: function` and `at file:line:column`.
fn without_frames(text: &str) -> String {
    let mut in_backtrace = false;
    let mut is_kept = |line: &&str| {
        let line = line.trim();
        let is_frame =
            line.starts_with("at ") || line.split_once(": ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        in_backtrace = line == BACKTRACE || in_backtrace && is_frame;
        !(in_backtrace && is_frame)
    };
    text.split_inclusive('\n').filter(&mut is_kept).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Write;

    use super::*;

    fn last(said: &str) -> String {
        Words { tail: said.as_bytes().to_vec(), ..Words::default() }.last()
    }

    /// What is told of by line, however the pieces are in which it comes.
    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let told: Rc<RefCell<Vec<String>>> = Rc::default();
        let log = Rc::clone(&told);
        let line: OnLine = Rc::new(move |line: &str| log.borrow_mut().push(line.to_owned()));
        let (read, write) = crate::descriptors::pipe().unwrap();
        rustix::io::ioctl_fionbio(&read, true).unwrap();
        let mut words = Words::of(read, Listener { is_quiet: true, line: Some(line) });
        let mut write = File::from(write);
        for piece in pieces {
            write.write_all(piece).unwrap();
            words.drain();
        }
        drop(write);
        words.drain();
        assert!(words.pipe.is_none(), "it has ended");
        told.take()
    }

    #[test]
    fn lines_are_told_whole() {
        assert!(lines(&[]).is_empty());
        assert_eq!(lines(&[b"one\ntwo\n"]), ["one", "two"]);
        assert_eq!(lines(&[b"o", b"ne\nt", b"wo", b"\n"]), ["one", "two"]);
        // An empty line says nothing, and the last is one without an end, too.
        assert_eq!(lines(&[b"\none\n\n", b"\n", b"two"]), ["one", "two"]);
        assert_eq!(lines(&[b"not \xff text\n"]), ["not \u{fffd} text"]);
    }

    /// One without an end is told in parts, so that no more of it is kept.
    #[test]
    fn a_long_line_is_told_in_parts() {
        let parts = lines(&[&[b'x'; 3 * TAIL], b"\nnext\n"]);
        assert_eq!(parts.concat(), "x".repeat(3 * TAIL) + "next");
        assert!(parts.iter().all(|part| part.len() < 2 * TAIL));
        assert_eq!(parts.last().map(String::as_str), Some("next"));
    }

    #[test]
    fn a_programs_own_note_is_told() {
        assert_eq!(last("note: the licence expired\n"), "note: the licence expired");
    }

    #[test]
    fn the_last_lines_are_told_as_one() {
        assert_eq!(last(""), "");
        assert_eq!(last("one\n\n two \nthree\nfour\nfive\n"), "two | three | four | five");
    }

    #[test]
    fn a_panic_is_told_by_its_message_and_not_by_its_backtrace() {
        let frame = |frame| format!("  {frame}: core::panicking::panic\n             at /rustc/library/core.rs:1:2\n");
        let frames: String = (0..1000).map(frame).collect();
        let said = format!(
            "before\nthread 'main' (7) panicked at src/main.rs:3:5:\nthe reason\nstack backtrace:\n{frames}note: Some \
             details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n"
        );
        let told = "before | thread 'main' (7) panicked at src/main.rs:3:5: | the reason";
        assert_eq!(last(&said), told);
        // However the pieces are in which it comes.
        let mut words = Words::default();
        said.as_bytes().chunks(1000).for_each(|piece| words.keep(piece));
        assert_eq!(words.last(), told);
        words.keep(b"caught, and on it went\nuntil the end");
        assert!(words.last().ends_with("the reason | caught, and on it went | until the end"), "{}", words.last());
    }
}
