//! Descriptors that nobody takes for standard input, output or error.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsRawFd;

/// Holds each of 0, 1 and 2 that this program has closed, as a daemon does, so that what is opened meanwhile gets none of
/// these numbers: whatever any thread prints would be written into it.
pub(crate) struct StandardHeld {
    _null: Vec<File>,
}

impl StandardHeld {
    pub(crate) fn new() -> io::Result<Self> {
        let mut held = Vec::new();
        loop {
            let null = File::options().read(true).write(true).open("/dev/null")?;
            if null.as_raw_fd() > 2 {
                return Ok(StandardHeld { _null: held });
            }
            held.push(null);
        }
    }
}

/// A pipe whose descriptors are above 2, also in a program that has closed some of its first three.
///
/// # Errors
///
/// When the system gives none.
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let _held = StandardHeld::new()?;
    io::pipe()
}
