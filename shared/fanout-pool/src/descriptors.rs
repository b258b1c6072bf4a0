//! Descriptors that nobody takes for standard input, output or error.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
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

/// A pipe that no other program inherits: first its reading end.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

/// Apple's systems cannot make one so in one step: a program that another thread starts meanwhile has it too.
#[cfg(target_vendor = "apple")]
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe()?;
    for end in [&reader, &writer] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok((reader, writer))
}
