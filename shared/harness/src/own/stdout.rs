//! Standard output, kept for the report: what the job prints goes to standard error.

use std::fs::File;
use std::io::{self, Write};

/// What was standard output when the program began.
pub(crate) struct Stdout(File);

impl Stdout {
    /// Takes it. From now on, what anybody in this process prints goes where errors go, and so does what the processes print
    /// that it starts.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn taken() -> io::Result<Stdout> {
        let kept = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        Ok(Stdout(File::from(kept)))
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Runs `body`, and says how many bytes it printed to standard output, which nobody sees.
///
/// # Errors
///
/// The system's.
pub(crate) fn counted(body: impl FnOnce()) -> io::Result<u64> {
    let printed = tempfile::tempfile()?;
    let before = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
    io::stdout().flush()?;
    rustix::stdio::dup2_stdout(&printed)?;
    body();
    io::stdout().flush()?;
    rustix::stdio::dup2_stdout(before)?;
    Ok(printed.metadata()?.len())
}
