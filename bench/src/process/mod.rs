//! A child that can be given up on.

pub mod interrupt;
pub mod tell;

use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use crossbeam::channel::{Receiver, bounded, never};
use crossbeam::select;

use crate::process::interrupt::Interrupt;

/// What a child may do between being asked to stop and being killed: workers of a process pool need this long at most to
/// see that their channel has ended.
const GRACE: Duration = Duration::from_secs(1);

/// Why there is no output of a child.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The user wants the run to end. The child and all its descendants are gone.
    #[error("interrupted")]
    Interrupted,
    /// It did not end in time. It and all its descendants are gone.
    #[error("no end after {} s, so it was stopped", .0.as_secs())]
    TooLong(Duration),
    /// It could not be started or waited for.
    #[error("could not be run: {0}")]
    Io(#[from] io::Error),
}

/// A child in a process group of its own, so that a Ctrl-C on the terminal reaches this process alone, which then decides
/// what becomes of the child and of everything the child has started.
#[derive(Debug)]
pub struct Running {
    pid: u32,
    done: Receiver<io::Result<Output>>,
    started: Instant,
}

/// Runs `command` to its end, and gives up on it after `limit` or on an interrupt.
pub fn run(command: Command, limit: Option<Duration>, interrupt: &Interrupt) -> Result<Output, RunError> {
    Running::start(command)?.wait(limit, interrupt)
}

/// The folders in which a program is looked for by its name, in their order.
pub fn folders_of_path() -> Vec<PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect()
}

/// Where the stderr of a program goes that must not fail because nobody reads it: to a terminal as it is, so that a bar can
/// be drawn, and else to this process, which [`pass_on`] then does.
pub fn shown() -> Stdio {
    if io::stderr().is_terminal() { Stdio::inherit() } else { Stdio::piped() }
}

/// What a child says, on its way.
#[must_use = "the child's last words may be the reason of its end"]
pub struct PassedOn(Option<Receiver<std::convert::Infallible>>);

/// Passes on what a child with [`shown`] as its stderr says there, until it ends.
pub fn pass_on(child: &mut Child) -> PassedOn {
    PassedOn(child.stderr.take().map(|stderr| {
        let (ends, end) = bounded(0);
        thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(tell::say);
            drop(ends);
        });
        end
    }))
}

impl PassedOn {
    /// Waits for the last words of a child that has ended. Not for long: what it has left running may hold its stderr.
    pub fn finish(self) {
        let _said = self.0.map(|end| end.recv_timeout(GRACE));
    }
}

/// Does `body`, and ends the process `pid` if an interrupt comes meanwhile. `body` waits for that process.
pub fn interruptible<T>(pid: u32, interrupt: &Interrupt, body: impl FnOnce() -> T) -> T {
    let (over, is_over) = bounded::<std::convert::Infallible>(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            select! {
                recv(interrupt.closes()) -> _ => signal(pid, Signal::Terminate),
                recv(is_over) -> _ => {}
            }
        });
        let done = body();
        drop(over);
        done
    })
}

impl Running {
    /// Starts `command` without input, and collects what it prints.
    pub fn start(mut command: Command) -> io::Result<Running> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn()?;
        let pid = child.id();
        let (send, done) = bounded(1);
        thread::spawn(move || {
            // The receiver is gone only if nobody is interested any more.
            let _ = send.send(child.wait_with_output());
        });
        Ok(Running { pid, done, started: Instant::now() })
    }

    /// Waits for the end, without using the processor meanwhile.
    pub fn wait(self, limit: Option<Duration>, interrupt: &Interrupt) -> Result<Output, RunError> {
        let late = match limit {
            Some(limit) => crossbeam::channel::at(self.started + limit),
            None => never(),
        };
        select! {
            recv(self.done) -> output => Ok(ended(output)?),
            recv(interrupt.closes()) -> _ => { self.stop(); Err(RunError::Interrupted) }
            recv(late) -> _ => { self.stop(); Err(RunError::TooLong(limit.unwrap_or_default())) }
        }
    }

    /// Waits for the end, and calls `observe` every `interval` until then.
    pub fn watch(
        self,
        limit: Duration,
        interrupt: &Interrupt,
        interval: Duration,
        mut observe: impl FnMut(u32),
    ) -> Result<Output, RunError> {
        loop {
            select! {
                recv(self.done) -> output => return Ok(ended(output)?),
                recv(interrupt.closes()) -> _ => { self.stop(); return Err(RunError::Interrupted) }
                default(interval) => observe(self.pid),
            }
            if self.started.elapsed() > limit {
                self.stop();
                return Err(RunError::TooLong(limit));
            }
        }
    }

    /// Waits for the end, and calls `observe` every `interval` until then. On an interrupt the child is told to end, and what it
    /// says to that within a second is its output.
    pub fn watch_to_its_words(
        self,
        interrupt: &Interrupt,
        interval: Duration,
        mut observe: impl FnMut(),
    ) -> io::Result<Output> {
        loop {
            select! {
                recv(self.done) -> output => return ended(output),
                recv(interrupt.closes()) -> _ => {
                    signal_group(self.pid, Signal::Terminate);
                    let output = self.done.recv_timeout(GRACE);
                    signal_group(self.pid, Signal::Kill);
                    return output.or_else(|_| self.done.recv()).map_err(io::Error::other)?;
                }
                default(interval) => observe(),
            }
        }
    }

    /// Ends the child and its descendants: politely first, for a second, then for good.
    fn stop(&self) {
        signal_group(self.pid, Signal::Terminate);
        let politely = self.done.recv_timeout(GRACE).is_ok();
        signal_group(self.pid, Signal::Kill);
        if !politely {
            let _ = self.done.recv_timeout(GRACE);
        }
    }
}

fn ended(output: Result<io::Result<Output>, crossbeam::channel::RecvError>) -> io::Result<Output> {
    output.unwrap_or_else(|_| Err(io::Error::other("the thread that waited for it is gone")))
}

enum Signal {
    Terminate,
    Kill,
}

#[cfg(unix)]
impl Signal {
    fn number(self) -> rustix::process::Signal {
        match self {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        }
    }
}

#[cfg(unix)]
fn raw(pid: u32) -> Option<rustix::process::Pid> {
    i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
}

/// To one process. One that is gone already is what was wanted.
#[cfg(unix)]
fn signal(pid: u32, signal: Signal) {
    let _gone = raw(pid).map(|pid| rustix::process::kill_process(pid, signal.number()));
}

/// To a process and its descendants, likewise.
#[cfg(unix)]
fn signal_group(pid: u32, signal: Signal) {
    let _gone = raw(pid).map(|group| rustix::process::kill_process_group(group, signal.number()));
}

#[cfg(not(unix))]
fn signal(_pid: u32, _signal: Signal) {}

#[cfg(not(unix))]
fn signal_group(_pid: u32, _signal: Signal) {}

/// The last line of `stderr` that says something.
pub fn last_line(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_status_come_back() {
        let (_held, interrupt) = Interrupt::channel();
        let output = run(shell("echo out; echo one >&2; echo two >&2; exit 3"), None, &interrupt).unwrap();
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(last_line(&output.stderr).as_deref(), Some("two"));
    }

    #[test]
    fn an_interrupt_ends_the_child_and_its_children() {
        let (held, interrupt) = Interrupt::channel();
        // The grandchild holds the pipe open: the end of the output is the end of both.
        let running = Running::start(shell("sleep 600 & wait")).unwrap();
        drop(held);
        assert!(matches!(running.wait(None, &interrupt), Err(RunError::Interrupted)));
        assert_eq!(interrupt.check(), Err(interrupt::Interrupted));
    }

    #[test]
    fn an_interrupt_ends_what_is_waited_for() {
        let (held, interrupt) = Interrupt::channel();
        let mut child = shell("exec sleep 600").spawn().unwrap();
        drop(held);
        let status = interruptible(child.id(), &interrupt, || child.wait()).unwrap();
        assert!(!status.success());
        let (_held, interrupt) = Interrupt::channel();
        let mut child = shell("exit 3").spawn().unwrap();
        assert_eq!(interruptible(child.id(), &interrupt, || child.wait()).unwrap().code(), Some(3));
    }

    #[test]
    fn a_child_that_does_not_end_is_given_up_on() {
        let (_held, interrupt) = Interrupt::channel();
        let limit = Duration::from_millis(10);
        assert!(matches!(run(shell("exec sleep 600"), Some(limit), &interrupt), Err(RunError::TooLong(_))));
        let running = Running::start(shell("exec sleep 600")).unwrap();
        let mut seen = 0;
        let watched = running.watch(limit, &interrupt, Duration::from_millis(1), |_| seen += 1);
        assert!(matches!(watched, Err(RunError::TooLong(_))));
        assert!(seen > 0);
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        let (_held, interrupt) = Interrupt::channel();
        let error = run(Command::new("/nonexistent/program"), None, &interrupt).unwrap_err();
        assert!(error.to_string().starts_with("could not be run: No such file"), "{error}");
    }
}
