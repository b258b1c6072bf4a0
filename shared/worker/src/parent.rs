//! The parent's side: a child process, and the channel to it.

use std::io::{self, PipeReader, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::{self, AssertUnwindSafe};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Exit, KeyError, Outcome, Stage, WorkerCommand};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::codec::{Body, Codec, ReceiveError};
use crate::portable::{Portable, build_id};
use crate::protocol::{ANSWER, HELLO, Head, Kind, Request, check_hello, decode_answer};
use crate::serve::{ARGUMENT, is_worker};

/// Bounds the time from a process's start to its hello. When it passes, the process is killed and the start is an
/// error: without it, a program that does not know it should be a worker would be waited for as long as it runs. Hard
/// coded, since no job's size has a part in it: a start takes about a millisecond. Ten seconds are four orders of
/// magnitude above that, for a machine that swaps.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// Bounds the time from a channel's end to its process's. When it passes, the process is killed. A worker has nothing
/// to do then but exit, in about a millisecond; a second is what this crate promises for leaving nothing behind.
const EXIT_PATIENCE: Duration = Duration::from_secs(1);

/// A worker that is gone is an error, not a signal, and a full socket is waited for together with its death. Apple's
/// systems have no such flag; there, as everywhere, std has a Rust program ignore SIGPIPE.
#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::DONTWAIT;

/// Bounds what is kept of a worker's stderr for the error that tells of its death, in bytes; older bytes go, having been
/// passed on to this process's stderr already. Enough for the last lines of a panic or of a sanitizer's summary.
const TAIL: usize = 2048;

/// A workload as it goes over a channel, encoded once for all workers of a batch.
pub struct Load<W: Portable> {
    workload: Arc<W>,
    /// The request that carries it, or why its `Serialize` failed.
    message: Result<Arc<[u8]>, postcard::Error>,
}

impl<W: Portable> Load<W> {
    /// Encodes the workload. If its `Serialize` fails, that is the outcome of every key.
    pub fn new(workload: &Arc<W>) -> Self {
        Load { workload: Arc::clone(workload), message: Self::encode(workload) }
    }

    fn encode(workload: &W) -> Result<Arc<[u8]>, postcard::Error> {
        let head = postcard::to_stdvec(&(build_id::<W>(), W::NAME))?;
        let body = postcard::to_stdvec(workload)?;
        let length = (head.len() + body.len()) as u64;
        Ok([&Request::Workload { length }.encode()[..], &head, &body].concat().into())
    }
}

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// This process is a worker itself, so its workers would start workers, and so on.
    #[error(
        "a worker process may not start workers. If this is no nested job, `main` does not begin with \
         `worker::serve`, which makes a process that was started as a worker into one"
    )]
    Nested,
    /// The system gave no process or no channel.
    #[error("no worker process: {0}")]
    System(io::Error),
    /// The process ended, or was silent, or said something else.
    #[error("process {pid} {what} and was no worker; does its `main` begin with `worker::serve`?{}", told(.stderr))]
    NoHello {
        /// The process.
        pid: u32,
        /// What it did.
        what: String,
        /// How it ended, if it did so by itself.
        exit: Option<Exit>,
        /// The last lines it wrote to stderr.
        stderr: String,
    },
}

fn told(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(" Its last words: {stderr}") }
}

impl From<io::Error> for SpawnError {
    fn from(error: io::Error) -> Self {
        SpawnError::System(error)
    }
}

impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        match error {
            SpawnError::System(error) => error,
            error => io::Error::other(error),
        }
    }
}

impl From<SpawnError> for KeyError {
    fn from(error: SpawnError) -> Self {
        KeyError::NotStarted(error.into())
    }
}

/// A worker process that waits for keys. Dropping it ends the process and waits until it is gone.
pub struct Worker {
    process: Child,
    channel: Channel,
    greeted: bool,
    /// The workload that it was sent last.
    loaded: Option<Arc<[u8]>>,
}

impl Worker {
    /// Starts a process, and does not wait for it.
    ///
    /// # Errors
    ///
    /// When the system refuses, or this process is a worker itself.
    pub fn spawn(command: &WorkerCommand) -> Result<Self, SpawnError> {
        if is_worker() {
            return Err(SpawnError::Nested);
        }
        let (ours, theirs) = UnixStream::pair()?;
        let (stderr, theirs_out) = io::pipe()?;
        rustix::io::ioctl_fionbio(&stderr, true).map_err(io::Error::from)?;
        // Nothing here may take `Command` off posix_spawn: a fork would copy the page tables of all outputs so far.
        let mut process = Command::new(&command.program)
            .arg0(&command.name)
            .args(&command.arguments)
            .arg(ARGUMENT)
            .arg(std::process::id().to_string())
            .stdin(OwnedFd::from(theirs))
            .stdout(theirs_out.try_clone()?)
            .stderr(theirs_out)
            .spawn()?;
        match watch(&process) {
            Ok(death) => {
                let deadline = Some(Instant::now() + HELLO_PATIENCE);
                let channel =
                    Channel { socket: ours, death, words: Words::of(stderr), deadline, begun: false, left: 0 };
                Ok(Worker { process, channel, greeted: false, loaded: None })
            }
            Err(error) => {
                let _already_gone = process.kill();
                let _already_gone = process.wait();
                Err(error.into())
            }
        }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// This worker, if it can be asked: unless its process has ended, or has sent what it was not asked for, which the
    /// next key would take for its answer. Neither is that key's fault.
    pub fn if_fit(mut self) -> Option<Self> {
        let alive = matches!(self.process.try_wait(), Ok(None));
        // What it sends before its hello is looked at with that.
        (alive && (!self.greeted || self.channel.is_silent())).then_some(self)
    }

    /// Waits for its hello, if that has not come yet.
    ///
    /// # Errors
    ///
    /// When it ends first, says something else, or says nothing for ten seconds. It is gone then.
    pub fn greeted(mut self) -> Result<Self, SpawnError> {
        match self.greet() {
            Ok(()) => Ok(self),
            Err(error) => Err(self.no_hello(error)),
        }
    }

    /// Expands one key. No worker comes back when it was lost over this key: it died, ran past the deadline, or broke
    /// the protocol. Its process is gone then.
    ///
    /// A panic of `max_bytes` or of the codec, which run in this process, is that key's outcome too. So is a lack of
    /// memory for the output, which costs no worker: a new process may not be had when memory is short.
    pub fn expand<W: Portable>(
        mut self,
        load: &Load<W>,
        index: usize,
        deadline: Option<Duration>,
    ) -> (Outcome<W::Output>, Option<Self>) {
        match self.ask(load, index, deadline) {
            Ok(outcome) => (outcome, Some(self)),
            Err(ReceiveError::NoMemory { bytes }) if self.channel.skip_rest().is_ok() => {
                (Err(KeyError::NoMemory { bytes }), Some(self))
            }
            Err(error) => (Err(self.lost(error, deadline)), None),
        }
    }

    /// Ends its channel, so that it exits by itself. Dropping it does this too, and waits: to end many, dismiss all
    /// before dropping the first.
    pub fn dismiss(&self) {
        // Fails only when the other end is gone already.
        let _already_gone = self.channel.socket.shutdown(std::net::Shutdown::Both);
    }

    fn greet(&mut self) -> Result<(), ReceiveError> {
        if !self.greeted {
            self.channel.hello()?;
            self.greeted = true;
        }
        Ok(())
    }

    /// Asks for a key and receives its answer. Any error loses the worker.
    fn ask<W: Portable>(
        &mut self,
        load: &Load<W>,
        index: usize,
        deadline: Option<Duration>,
    ) -> Result<Outcome<W::Output>, ReceiveError> {
        let message = match &load.message {
            Ok(message) => message,
            Err(error) => {
                let error = format!("the workload `{}` cannot be serialised: {error}", W::NAME);
                return Ok(Err(KeyError::NotStarted(io::Error::other(error))));
            }
        };
        self.channel.begun = false;
        // What was said before this key is passed on, and is none of its last words; but those of a process that has not
        // said hello may tell why it never will.
        if self.greeted {
            self.channel.words.drain();
            self.channel.words.tail.clear();
        }
        // One that is beyond the clock's range is as good as none.
        let expires = || deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        if self.greeted {
            self.channel.deadline = expires();
        }
        // Asked before its hello was read, so that a fresh process need not wait for the reply to that.
        if self.loaded.as_ref() != Some(message) {
            self.channel.send(message)?;
        }
        // Kept also when it is equal, so that the next comparison is of two pointers.
        self.loaded = Some(Arc::clone(message));
        self.channel.send(&Request::Key { index: index as u64 }.encode())?;
        if !self.greeted {
            self.greet()?;
            self.channel.deadline = expires();
        }
        self.channel.answer(&*load.workload, index)
    }

    fn no_hello(mut self, error: ReceiveError) -> SpawnError {
        let pid = self.pid();
        let mut exit = None;
        let what = match error {
            ReceiveError::Lost(Broken::Closed) => {
                exit = self.end();
                exit.map_or_else(|| String::from("closed its standard input"), |exit| exit.to_string())
            }
            ReceiveError::Lost(Broken::Deadline) => format!("said nothing for {HELLO_PATIENCE:?}"),
            ReceiveError::Lost(Broken::System(error)) => return SpawnError::System(error),
            error => format!("broke the protocol ({error})"),
        };
        self.kill();
        SpawnError::NoHello { pid, what, exit, stderr: self.channel.words.last() }
    }

    /// Ends the process, and says why the key has no output.
    fn lost(mut self, error: ReceiveError, deadline: Option<Duration>) -> KeyError {
        let pid = self.pid();
        match error {
            ReceiveError::Lost(Broken::Deadline) => match deadline {
                Some(deadline) if self.greeted => {
                    self.kill();
                    KeyError::TimedOut { deadline }
                }
                _ => self.no_hello(error).into(),
            },
            ReceiveError::Lost(Broken::Closed) => match self.end() {
                Some(exit) => {
                    let stage = match (self.greeted, self.channel.begun) {
                        (false, _) => Stage::Starting,
                        (true, false) => Stage::Computing,
                        (true, true) => Stage::Sending,
                    };
                    KeyError::Died { pid, exit, stage, stderr: self.channel.words.last() }
                }
                None => {
                    self.kill();
                    KeyError::Protocol { pid, violation: String::from("it closed its channel and lived on") }
                }
            },
            ReceiveError::Lost(error @ Broken::System(_)) => KeyError::Protocol { pid, violation: error.to_string() },
            ReceiveError::Invalid(violation) => {
                self.kill();
                KeyError::Protocol { pid, violation }
            }
            ReceiveError::NoMemory { bytes } => {
                self.kill();
                KeyError::NoMemory { bytes }
            }
        }
    }

    /// Waits for a process that has nothing to do but exit. Nothing if it had to be killed.
    fn end(&mut self) -> Option<Exit> {
        self.dismiss();
        let status = self.channel.exited(&mut self.process, Instant::now() + EXIT_PATIENCE);
        self.channel.words.drain();
        status
    }

    /// Ends the process at once.
    fn kill(&mut self) {
        // Fails only when it is gone already; `wait` then gives the status it left.
        let _already_gone = self.process.kill();
        let _already_gone = self.process.wait();
        self.channel.words.drain();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.end().is_none() {
            self.kill();
        }
    }
}

fn exit(status: ExitStatus) -> Exit {
    match status.signal() {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Code(status.code().unwrap_or_default()),
    }
}

fn invalid(violation: impl ToString) -> ReceiveError {
    ReceiveError::Invalid(violation.to_string())
}

/// Runs the user's code on this side of the channel. Its panic costs the worker, whose answer is half read, and no other
/// key.
fn ours<T>(what: &str, code: impl FnOnce() -> T) -> Result<T, ReceiveError> {
    panic::catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let KeyError::Panicked { message } = KeyError::from_panic(payload) else { return invalid(what) };
        ReceiveError::Invalid(format!("{what} panicked in the parent: {message}"))
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A descriptor that polls as readable when the process has ended, where there is such a thing.
#[cfg(target_os = "linux")]
fn watch(process: &Child) -> io::Result<Option<OwnedFd>> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    match pidfd_open(Pid::from_child(process), PidfdFlags::empty()) {
        Ok(death) => Ok(Some(death)),
        // Before Linux 5.3, and in some sandboxes. The end of the channel must do there.
        Err(Errno::NOSYS | Errno::PERM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn watch(_: &Child) -> io::Result<Option<OwnedFd>> {
    Ok(None)
}

/// Why no more comes from a worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// It died, or closed its end.
    #[error("its end of the channel is gone")]
    Closed,
    /// The deadline passed.
    #[error("the deadline passed")]
    Deadline,
    /// The system refused to read or to write.
    #[error("the channel failed: {0}")]
    System(io::Error),
}

impl From<Broken> for ReceiveError {
    fn from(broken: Broken) -> Self {
        ReceiveError::Lost(broken)
    }
}

/// All that connects a parent to one worker.
pub(crate) struct Channel {
    socket: UnixStream,
    /// The process's pidfd, where there are such.
    death: Option<OwnedFd>,
    words: Words,
    /// When waiting for the worker ends.
    deadline: Option<Instant>,
    /// Whether a part of the answer has come.
    begun: bool,
    /// How many bytes of the answer's body have not been received.
    pub(crate) left: u64,
}

impl Channel {
    /// Checks its hello.
    fn hello(&mut self) -> Result<(), ReceiveError> {
        check_hello(self.receive_array::<HELLO>()?).map_err(invalid)
    }

    /// Receives the answer to a key that was asked.
    fn answer<W: Portable>(&mut self, workload: &W, index: usize) -> Result<Outcome<W::Output>, ReceiveError> {
        let head = self.receive_array::<ANSWER>()?;
        let limit = ours("max_bytes", || workload.max_bytes(index))?;
        let Head { kind, length } = decode_answer(head, index as u64, limit).map_err(invalid)?;
        (self.begun, self.left) = (true, length);
        let mut body = Body { channel: self };
        Ok(match kind {
            Kind::Output => Ok(ours("the codec", || W::Codec::receive(body))??),
            Kind::Panicked => Err(KeyError::Panicked { message: text(&body.read_rest()?) }),
            Kind::Refused => Err(KeyError::NotStarted(io::Error::other(text(&body.read_rest()?)))),
        })
    }

    /// Fills `buffer`. When it returns without error, all of it is initialised.
    pub(crate) fn receive(&mut self, buffer: &mut [MaybeUninit<u8>]) -> Result<(), Broken> {
        let mut rest = buffer;
        while !rest.is_empty() {
            match recv(&self.socket, &mut *rest, RecvFlags::DONTWAIT) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => return Err(Broken::Closed),
                Ok((_, received)) => rest = &mut rest[received..],
                Err(Errno::AGAIN) => self.wait(PollFlags::IN)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(Broken::System(error.into())),
            }
        }
        Ok(())
    }

    /// Receives the rest of the answer's body and keeps none of it. The next answer then begins where it is looked for.
    fn skip_rest(&mut self) -> Result<(), Broken> {
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        while self.left > 0 {
            let length = buffer.len().min(self.left as usize);
            self.receive(&mut buffer[..length])?;
            self.left -= length as u64;
        }
        Ok(())
    }

    /// Whether there is nothing to receive, not even the channel's end.
    fn is_silent(&self) -> bool {
        recv(&self.socket, &mut [0; 1], RecvFlags::DONTWAIT | RecvFlags::PEEK) == Err(Errno::AGAIN)
    }

    fn receive_array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let mut bytes = [MaybeUninit::uninit(); N];
        self.receive(&mut bytes)?;
        // SAFETY: `receive` initialised them.
        #[expect(unsafe_code, reason = "one way to receive serves blocks, which are not zeroed first, and heads")]
        Ok(bytes.map(|byte| unsafe { byte.assume_init() }))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match send(&self.socket, rest, SEND) {
                Ok(sent) => rest = &rest[sent..],
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(Broken::Closed),
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(Broken::System(error.into())),
            }
        }
        Ok(())
    }

    /// Waits until the socket is ready. An error if the process has ended and it is not, or if the deadline has passed.
    fn wait(&mut self, ready: PollFlags) -> Result<(), Broken> {
        loop {
            let timeout = match self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Err(Broken::Deadline),
                left => left,
            };
            match self.poll(ready, timeout).map_err(Broken::System)? {
                Ready { socket: true, .. } => return Ok(()),
                // What was sent before a death comes first. It may have been sent between the looks at the two.
                Ready { death: true, .. } => {
                    let last = self.poll(ready, Some(Duration::ZERO)).map_err(Broken::System)?;
                    return if last.socket { Ok(()) } else { Err(Broken::Closed) };
                }
                Ready { .. } => {}
            }
        }
    }

    /// The process's status once it has ended; nothing if it has not by `deadline`.
    fn exited(&mut self, process: &mut Child, deadline: Instant) -> Option<Exit> {
        loop {
            // An error means that something else has waited for it, or that SIGCHLD is ignored.
            match process.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return Some(exit(status)),
                Err(_) => return Some(Exit::Unknown),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            // Without a pidfd nothing tells of the death but asking again.
            let timeout = if self.death.is_some() { left } else { left.min(Duration::from_millis(1)) };
            // The socket has ended and is always ready: only the death and the last words are waited for.
            self.poll(PollFlags::empty(), Some(timeout)).ok()?;
        }
    }

    /// Waits for the socket, unless `socket` is empty, and for the death, and passes on what the worker says meanwhile.
    fn poll(&mut self, socket: PollFlags, timeout: Option<Duration>) -> io::Result<Ready> {
        // Over the range of the system's clock is as good as without end.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let fds = [
            (!socket.is_empty()).then(|| PollFd::from_borrowed_fd(self.socket.as_fd(), socket)),
            self.death.as_ref().map(|death| PollFd::new(death, PollFlags::IN)),
            self.words.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)),
        ];
        let watched = fds.each_ref().map(Option::is_some);
        let mut fds: Vec<PollFd<'_>> = fds.into_iter().flatten().collect();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let [socket, death, words] = watched.map(|watched| watched && ready.next().unwrap_or_default());
        if words {
            self.words.drain();
        }
        Ok(Ready { socket, death })
    }
}

struct Ready {
    socket: bool,
    death: bool,
}

/// What a worker writes to its stdout and stderr: passed on to this process's stderr, the end of it kept.
struct Words {
    pipe: Option<PipeReader>,
    tail: Vec<u8>,
}

impl Words {
    fn of(pipe: PipeReader) -> Self {
        Words { pipe: Some(pipe), tail: Vec::new() }
    }

    /// Passes on what is there, and no more than a pipe holds, so that a worker that writes without end is no trap.
    fn drain(&mut self) {
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

    /// The last lines, as one.
    fn last(&self) -> String {
        let text = text(&self.tail);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join(" | ")
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Fill, Job, Parameters, Workload};
    use proptest::prelude::*;
    use proptest::sample::Index;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::codec::Postcard;
    use crate::protocol::{encode_answer, hello};

    /// An output that serde gives the shape of, with lengths in it that a liar may choose.
    #[derive(Serialize, Deserialize)]
    struct Texts;

    const KEYS: usize = 4;

    impl Workload for Texts {
        type Output = Vec<(String, Option<u64>)>;

        fn keys(&self) -> usize {
            KEYS
        }

        fn expand(&self, index: usize) -> Self::Output {
            vec![(index.to_string(), Some(7)); index]
        }
    }

    impl Portable for Texts {
        const NAME: &'static str = "texts";
        type Codec = Postcard;

        fn max_bytes(&self, _: usize) -> u64 {
            800
        }
    }

    /// The parent's end of a channel on which the worker has said all that it ever will.
    fn channel(said: &[u8]) -> Channel {
        let (socket, mut worker) = UnixStream::pair().unwrap();
        worker.write_all(said).unwrap();
        let words = Words { pipe: None, tail: Vec::new() };
        Channel { socket, death: None, words, deadline: None, begun: false, left: 0 }
    }

    fn fill() -> Fill {
        Fill(Job::new(Parameters { keys: KEYS, count: 100, ..Parameters::default() }).unwrap())
    }

    /// What this process's address space has been at most, in kB; nothing where that is not told.
    fn peak() -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmPeak:")?.split_whitespace().next()?.parse().ok())
    }

    /// The parent's side of a conversation in which the worker has said all that it ever will.
    fn listens<W: Portable>(said: &[u8], workload: &W) -> Vec<Result<Outcome<W::Output>, ReceiveError>> {
        let mut channel = channel(said);
        let mut heard = Vec::new();
        if channel.hello().is_ok() {
            for index in 0..KEYS {
                heard.push(channel.answer(workload, index));
                if heard.last().is_some_and(Result::is_err) {
                    break;
                }
            }
        }
        heard
    }

    /// A worker's whole speech, and then a part of it changed, cut out or cut off: most of what is said is right, so
    /// that what is wrong is met everywhere.
    fn speech() -> impl Strategy<Value = Vec<u8>> {
        let kinds = prop_oneof![4 => Just(Kind::Output), 1 => Just(Kind::Panicked), 1 => Just(Kind::Refused)];
        let lies = prop_oneof![5 => Just(None), 1 => any::<u64>().prop_map(Some)];
        let body = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..900),
            (0..100_usize).prop_map(|values| vec![7; 8 * values]),
            (0..KEYS).prop_map(|index| postcard::to_stdvec(&Texts.expand(index)).unwrap()),
        ];
        let answers = prop::collection::vec((kinds, lies, body), 0..=KEYS);
        let change = prop::option::of((any::<Index>(), any::<Index>(), prop::collection::vec(any::<u8>(), 0..40)));
        (answers, change).prop_map(|(answers, change)| {
            let mut said = hello().to_vec();
            for (index, (kind, lie, body)) in answers.into_iter().enumerate() {
                said.extend(encode_answer(kind, index as u64, lie.unwrap_or(body.len() as u64)));
                said.extend(body);
            }
            if let Some((start, length, instead)) = change {
                let start = start.index(said.len());
                let end = start + length.index(said.len() - start + 1).min(30);
                said.splice(start..end, instead);
            }
            said
        })
    }

    fn fuzz<W: Portable>(workload: &W, size: impl Fn(&W::Output) -> usize) {
        // Each takes some ten microseconds, so that a run is over in seconds in a debug build too.
        const CASES: u32 = 10_000;
        let before = peak();
        proptest!(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() }, |(
            said in prop_oneof![9 => speech(), 1 => prop::collection::vec(any::<u8>(), 0..200)]
        )| {
            for heard in listens(&said, workload) {
                match heard {
                    Ok(Ok(output)) => prop_assert!(size(&output) <= 800),
                    Ok(Err(error)) => prop_assert!(error.to_string().len() <= 3 * 2048 + 64, "{}", error),
                    Err(ReceiveError::Invalid(_) | ReceiveError::Lost(Broken::Closed)) => {}
                    Err(error) => prop_assert!(false, "{:?}", error),
                }
            }
        });
        if let (Some(before), Some(after)) = (before, peak()) {
            // A lie is of 2^63 bytes on average; what else runs in this process has threads, and they have stacks.
            assert!(after - before < 1 << 20, "{} kB", after - before);
        }
    }

    #[test]
    fn p06_no_conversation_makes_a_parent_panic_hang_or_allocate_blocks() {
        fuzz(&fill(), |block| size_of_val(&block[..]));
    }

    #[test]
    fn p06_no_conversation_makes_a_parent_panic_hang_or_allocate_what_serde_is_told() {
        fuzz(&Texts, |texts| texts.iter().map(|(text, _)| text.len() + 1).sum());
    }

    /// A codec of the user's own that does not expect what it gets.
    enum Panics {}

    impl Codec<u8> for Panics {
        fn send(_: &u8, answer: crate::codec::Answer<'_>) -> io::Result<()> {
            answer.send(&[])
        }

        fn receive(_: Body<'_>) -> Result<u8, ReceiveError> {
            panic!("the codec's own")
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Panicking;

    impl Workload for Panicking {
        type Output = u8;

        fn keys(&self) -> usize {
            KEYS
        }

        fn expand(&self, _: usize) -> u8 {
            7
        }
    }

    impl Portable for Panicking {
        const NAME: &'static str = "panicking";
        type Codec = Panics;

        fn max_bytes(&self, _: usize) -> u64 {
            0
        }
    }

    #[test]
    fn a_codec_that_panics_in_the_parent_is_that_keys_failure() {
        let said = [&hello()[..], &encode_answer(Kind::Output, 0, 0)].concat();
        let heard = listens(&said, &Panicking);
        let [Err(ReceiveError::Invalid(told))] = heard.as_slice() else { panic!("{}", heard.len()) };
        assert_eq!(told, "the codec panicked in the parent: the codec's own");
    }

    /// Outputs that there never is memory for.
    #[derive(Serialize, Deserialize)]
    struct Endless;

    impl Codec<()> for Endless {
        fn send(_: &(), answer: crate::codec::Answer<'_>) -> io::Result<()> {
            answer.send(&[])
        }

        fn receive(mut body: Body<'_>) -> Result<(), ReceiveError> {
            let bytes = body.left() as usize;
            body.read(&mut [MaybeUninit::uninit(); 10])?;
            Err(ReceiveError::NoMemory { bytes })
        }
    }

    impl Workload for Endless {
        type Output = ();

        fn keys(&self) -> usize {
            KEYS
        }

        fn expand(&self, _: usize) {}
    }

    impl Portable for Endless {
        const NAME: &'static str = "endless";
        type Codec = Endless;

        fn max_bytes(&self, _: usize) -> u64 {
            u64::MAX
        }
    }

    #[test]
    fn after_an_output_without_memory_the_next_answer_is_found() {
        let refused = [&encode_answer(Kind::Output, 0, 50_000)[..], &[7; 50_000]].concat();
        let text = "the next key's";
        let next = [&encode_answer(Kind::Panicked, 1, text.len() as u64), text.as_bytes()].concat();
        let mut channel = channel(&[refused, next].concat());
        let refused = channel.answer(&Endless, 0);
        assert!(matches!(refused, Err(ReceiveError::NoMemory { bytes: 50_000 })), "{refused:?}");
        channel.skip_rest().unwrap();
        let next = channel.answer(&Endless, 1).unwrap();
        assert!(matches!(&next, Err(KeyError::Panicked { message }) if message == text), "{next:?}");
    }

    /// Whether printed alone or with all its sources.
    #[test]
    fn an_error_tells_the_systems_once() {
        let system = || io::Error::from_raw_os_error(11);
        let errors: [Box<dyn std::error::Error>; 3] = [
            Box::new(SpawnError::from(system())),
            Box::new(Broken::System(system())),
            Box::new(KeyError::from(SpawnError::from(system()))),
        ];
        for error in errors {
            let sources = std::iter::successors(Some(&*error), |error| error.source());
            let told: String = sources.map(ToString::to_string).collect();
            assert_eq!(told.matches("os error 11").count(), 1, "{told}");
        }
    }

    #[test]
    fn p06_what_was_said_rightly_is_heard() {
        let said = (0..KEYS).fold(hello().to_vec(), |mut said, index| {
            let body = postcard::to_stdvec(&Texts.expand(index)).unwrap();
            said.extend(encode_answer(Kind::Output, index as u64, body.len() as u64));
            said.extend(body);
            said
        });
        let heard = listens(&said, &Texts).into_iter().map(|heard| heard.unwrap().unwrap());
        assert_eq!(heard.collect::<Vec<_>>(), (0..KEYS).map(|index| Texts.expand(index)).collect::<Vec<_>>());
    }
}
