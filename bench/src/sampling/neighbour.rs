//! A busy neighbour: what a program meets on a machine that it has not to itself.

use std::env;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::process::tell;

/// The hidden subcommand of `compare` that is the neighbour.
pub const SUBCOMMAND: &str = "neighbour";

/// What it prints once it is busy.
const BUSY: &str = "busy";

/// A running neighbour. It ends when this is dropped, and also if this process is killed.
pub struct Neighbour(Child);

impl Neighbour {
    /// Starts one, and returns when it is busy.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or ends at once.
    pub fn start() -> io::Result<Neighbour> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(SUBCOMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        // A Ctrl-C on the terminal reaches compare alone.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take();
        let neighbour = Neighbour(child);
        let mut line = String::new();
        stdout.map(|stdout| BufReader::new(stdout).read_line(&mut line)).transpose()?;
        if line.trim_end() == BUSY { Ok(neighbour) } else { Err(io::Error::other("it ended before it was busy")) }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // Fails only if it has ended, which is what is wanted.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// What the neighbour does: computes on the first of its CPUs, and on no other, until its input ends.
///
/// # Errors
///
/// If it may not choose its CPU.
pub fn compute() -> io::Result<()> {
    on_one_cpu()?;
    thread::spawn(|| {
        let mut value = 1_u64;
        loop {
            value = black_box(value.wrapping_mul(3).rotate_left(7));
        }
    });
    tell::print(&format!("{BUSY}\n"))?;
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

/// Keeps this process on the first of the CPUs that it may use.
#[cfg(target_os = "linux")]
fn on_one_cpu() -> io::Result<()> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu));
    let mut one = CpuSet::new();
    one.set(first.ok_or_else(|| io::Error::other("there is no CPU to run on"))?);
    Ok(sched_setaffinity(None, &one)?)
}

/// No other system lets a process choose.
#[cfg(not(target_os = "linux"))]
fn on_one_cpu() -> io::Result<()> {
    Ok(())
}
