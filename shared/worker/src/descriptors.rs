//! Descriptors that nobody takes for standard input, output or error.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Holds each of 0, 1 and 2 that this program has closed, as a daemon does, so that what is opened meanwhile gets none of
/// these numbers: whatever any thread prints would be written into it.
pub(crate) struct StandardHeld(());

/// How many hold them, and what they are held by: one thread must not let go while another opens.
static HELD: Mutex<(usize, Vec<File>)> = Mutex::new((0, Vec::new()));

impl StandardHeld {
    pub(crate) fn new() -> io::Result<Self> {
        let mut held = held();
        if held.0 == 0 {
            held.1 = open_standard()?;
        }
        held.0 += 1;
        Ok(StandardHeld(()))
    }
}

impl Drop for StandardHeld {
    fn drop(&mut self) {
        let mut held = held();
        held.0 -= 1;
        if held.0 == 0 {
            held.1.clear();
        }
    }
}

/// A file for each of 0, 1 and 2 that is closed.
fn open_standard() -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    loop {
        let null =
            File::options().read(true).write(true).open("/dev/null").map_err(|error| about("/dev/null", error))?;
        if null.as_raw_fd() > 2 {
            return Ok(files);
        }
        files.push(null);
    }
}

fn held() -> MutexGuard<'static, (usize, Vec<File>)> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error with the file that it is about.
pub(crate) fn about(file: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{file}: {error}"))
}
