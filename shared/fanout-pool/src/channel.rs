//! The parent's end of a channel: bytes from a worker, its words and its death, all watched together.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, send, sendmsg};

use crate::error::Broken;
use crate::process::Process;
use crate::transfer::Source;
use crate::wake::Woken;
use crate::words::Words;

/// A worker that is gone is an error, not a signal, and a full socket is waited for together with its death. Apple's
/// systems have no such flag; there, as everywhere, std has a Rust program ignore SIGPIPE.
#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::DONTWAIT;

/// How long a worker is waited for, in time in which this process ran. While this process is stopped, by Ctrl-Z say,
/// nobody looks at what the worker sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    left: Duration,
    since: Instant,
}

impl Patience {
    /// Bounds what one turn of waiting counts for. A process that waits looks again after each such time; when more has
    /// passed, it did not run. It is the most by which a stop is counted, and ten wake-ups a second cost nothing.
    const TURN: Duration = Duration::from_millis(100);

    pub(crate) fn of(left: Duration) -> Self {
        Patience { left, since: Instant::now() }
    }

    /// What is left now.
    fn left(&mut self) -> Duration {
        let now = Instant::now();
        let passed = now.duration_since(self.since).min(Self::TURN);
        *self = Patience { left: self.left.saturating_sub(passed), since: now };
        self.left
    }
}

/// All that connects a parent to one worker.
pub(crate) struct Channel {
    socket: UnixStream,
    /// What was received together with something before it. A reply's head and a small body are one call then.
    inbox: Vec<u8>,
    death: Option<Rc<OwnedFd>>,
    pub(crate) words: Words,
    /// Without one, a worker is waited for as long as it lives.
    pub(crate) patience: Option<Patience>,
    /// How many bytes of a reply's body have not been received.
    pub(crate) left: u64,
    /// Wakes whoever waits here.
    woken: Option<Rc<Woken>>,
    /// Who waits for the worker, and was woken, goes on waiting unless this says otherwise.
    pub(crate) stop: Option<Arc<AtomicBool>>,
}

impl Channel {
    /// Room for two heads and a small body.
    const INBOX: usize = 128;

    pub(crate) fn new(socket: UnixStream, death: Option<Rc<OwnedFd>>, words: Words, woken: Option<Rc<Woken>>) -> Self {
        let inbox = Vec::with_capacity(Self::INBOX);
        Channel { socket, inbox, death, words, patience: None, left: 0, woken, stop: None }
    }

    /// Receives so many bytes.
    pub(crate) fn receive_array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        while self.inbox.len() < N {
            self.wait(PollFlags::IN)?;
            let spare = Self::INBOX - self.inbox.len();
            let mut buffer = [0; Self::INBOX];
            match recv(&self.socket, &mut buffer[..spare], RecvFlags::DONTWAIT) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => return Err(Broken::Closed),
                Ok((received, _)) => self.inbox.extend_from_slice(&buffer[..received]),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(Broken::System(error.into())),
            }
        }
        let bytes = std::array::from_fn(|i| self.inbox[i]);
        self.inbox.drain(..N);
        Ok(bytes)
    }

    /// Receives the rest of the reply's body and forgets it.
    pub(crate) fn skip_rest(&mut self) -> Result<(), Broken> {
        let mut buffer = [MaybeUninit::uninit(); 1 << 14];
        while self.left > 0 {
            let next = self.left.min(buffer.len() as u64) as usize;
            self.fill(&mut buffer[..next])?;
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
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

    /// Sends these bytes with a descriptor.
    pub(crate) fn send_with(&mut self, bytes: &[u8], file: BorrowedFd<'_>) -> Result<(), Broken> {
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            let files = [file];
            ancillary.push(SendAncillaryMessage::ScmRights(&files));
            match sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut ancillary, SEND) {
                // The descriptor went with the first of them.
                Ok(sent) => return self.send(&bytes[sent..]),
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(Broken::Closed),
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(Broken::System(error.into())),
            }
        }
    }

    /// Ends it for both sides, so that the worker exits by itself.
    pub(crate) fn close(&self) {
        // Fails only when the other end is gone already.
        let _already_gone = self.socket.shutdown(std::net::Shutdown::Both);
    }

    /// Passes on what the worker prints until somebody wakes this thread, or for so long. Whether the worker is alive then,
    /// and has said nothing: it was not asked.
    pub(crate) fn idle(&mut self, most: Option<Duration>) -> bool {
        let until = most.and_then(|most| Instant::now().checked_add(most));
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match self.poll(PollFlags::IN, left) {
                Ok(Ready { socket: false, death: false, woken: false }) if left != Some(Duration::ZERO) => {}
                Ok(Ready { socket, death, .. }) => {
                    return !(socket || death) && self.inbox.is_empty();
                }
                Err(_) => return false,
            }
        }
    }

    /// Waits until the process has ended, and passes on what it says meanwhile. Whether it has, after `patience`.
    pub(crate) fn ended(&mut self, process: &Process, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !process.has_ended() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            // Without a pidfd nothing tells of the death but asking again.
            let turn = if self.death.is_some() { left } else { left.min(Duration::from_millis(1)) };
            // The socket has ended and is always ready: only the death and the last words are waited for.
            if self.poll(PollFlags::empty(), Some(turn)).is_err() {
                return false;
            }
        }
        true
    }

    /// Waits until the socket is ready. An error if the process has ended and it is not, or if patience is at its end.
    fn wait(&mut self, ready: PollFlags) -> Result<(), Broken> {
        loop {
            let left = self.patience.as_mut().map(Patience::left);
            // Whoever said stop has woken this thread, perhaps together with the last bytes that came.
            let turn = if self.is_stopped() { Some(Duration::ZERO) } else { left.map(|left| left.min(Patience::TURN)) };
            match self.poll(ready, turn).map_err(Broken::System)? {
                Ready { socket: true, .. } => return Ok(()),
                _ if self.is_stopped() => return Err(Broken::Cancelled),
                // What was sent before a death comes first. It may have been sent between the looks at the two.
                Ready { death: true, .. } => {
                    let last = self.poll(ready, Some(Duration::ZERO)).map_err(Broken::System)?;
                    return if last.socket { Ok(()) } else { Err(Broken::Closed) };
                }
                // Even then it was looked at once more.
                Ready { .. } if left == Some(Duration::ZERO) => return Err(Broken::Overdue),
                Ready { .. } => {}
            }
        }
    }

    /// Whether nobody waits any more for what is waited for.
    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Acquire))
    }

    /// Waits for the socket, unless `socket` is empty, for the death, and for being woken, and passes on what the worker
    /// says meanwhile.
    fn poll(&mut self, socket: PollFlags, timeout: Option<Duration>) -> io::Result<Ready> {
        // A timeout beyond the range of the system's clock counts as none.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let fds = [
            (!socket.is_empty()).then(|| PollFd::from_borrowed_fd(self.socket.as_fd(), socket)),
            self.death.as_deref().map(|death| PollFd::new(death, PollFlags::IN)),
            self.words.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)),
            self.woken.as_ref().map(|woken| PollFd::new(woken.descriptor(), PollFlags::IN)),
        ];
        let watched = fds.each_ref().map(Option::is_some);
        let mut fds: Vec<PollFd<'_>> = fds.into_iter().flatten().collect();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let [socket, death, words, woken] = watched.map(|watched| watched && ready.next().unwrap_or_default());
        if words {
            self.words.drain();
        }
        self.words.is_fresh = true;
        if let (true, Some(by)) = (woken, &self.woken) {
            by.rest();
        }
        Ok(Ready { socket, death, woken })
    }
}

impl Source for Channel {
    fn left(&self) -> u64 {
        self.left
    }

    fn fill(&mut self, buffer: &mut [MaybeUninit<u8>]) -> Result<(), Broken> {
        let early = self.inbox.len().min(buffer.len());
        let (start, mut rest) = buffer.split_at_mut(early);
        start.iter_mut().zip(self.inbox.drain(..early)).for_each(|(to, byte)| _ = to.write(byte));
        self.left -= early as u64;
        while !rest.is_empty() {
            match recv(&self.socket, &mut *rest, RecvFlags::DONTWAIT) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => return Err(Broken::Closed),
                Ok((_, received)) => {
                    rest = &mut rest[received..];
                    self.left -= received as u64;
                }
                Err(Errno::AGAIN) => self.wait(PollFlags::IN)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(Broken::System(error.into())),
            }
        }
        Ok(())
    }
}

struct Ready {
    socket: bool,
    death: bool,
    woken: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_of_this_process_is_hardly_counted() {
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap_or_else(Instant::now);
        let mut patience = Patience { left: Duration::from_secs(1), since: ago(10) };
        assert_eq!(patience.left(), Duration::from_secs(1) - Patience::TURN);
        // And what is waited for in turns is.
        for _ in 0..9 {
            patience.since = ago(1);
            patience.left();
        }
        assert_eq!(patience.left, Duration::ZERO);
    }

    #[test]
    fn a_worker_may_rest_for_ever() {
        let (ours, workers) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(ours, None, Words::default(), None);
        drop(workers);
        assert!(!channel.idle(Some(Duration::MAX)));
    }

    #[test]
    fn a_stop_that_came_with_the_last_bytes_is_heeded() {
        let (ours, mut workers) = UnixStream::pair().unwrap();
        let (woken, waker) = Woken::new().unwrap();
        let mut channel = Channel::new(ours, None, Words::default(), Some(Rc::new(woken)));
        channel.stop = Some(Arc::new(AtomicBool::new(true)));
        io::Write::write_all(&mut workers, &[7]).unwrap();
        waker.wake();
        assert_eq!(channel.receive_array().unwrap(), [7]);
        assert!(matches!(channel.receive_array::<1>(), Err(Broken::Cancelled)));
    }

    #[test]
    fn what_has_come_is_looked_at_once_more_when_patience_is_over() {
        let (ours, mut workers) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(ours, None, Words::default(), None);
        channel.patience = Some(Patience::of(Duration::ZERO));
        assert!(matches!(channel.receive_array::<1>(), Err(Broken::Overdue)));
        io::Write::write_all(&mut workers, &[7]).unwrap();
        assert_eq!(channel.receive_array().unwrap(), [7]);
    }
}
