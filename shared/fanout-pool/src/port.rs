//! The worker's end of a channel.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendFlags, recv, recvmsg, send, sendmsg,
};
use rustix::process::{Signal, getpid, kill_process};

use crate::error::Broken;
use crate::protocol::{Kind, REQUEST, Request, encode_reply, hello};
use crate::role::Owner;
use crate::transfer::{Frame, Source};

/// The channel, for the process that was started as the worker and for nobody else. A call may fork, and its child may
/// come back here as if it were the worker: what it wrote would be mixed with what the worker writes. So it ends where it
/// touches the channel.
pub(crate) struct Port {
    socket: UnixStream,
    owner: Owner,
    /// What was received together with something before it. A request's head and a small input are one system call then.
    inbox: Vec<u8>,
    /// A descriptor that came with a request.
    file: Option<OwnedFd>,
    /// How many bytes of what follows a request were not received.
    left: u64,
    /// How many bytes were written so far.
    written: u64,
    /// How many bytes of the last reply are not written.
    owed: u64,
}

/// A parent that is gone is an error, not a signal: before `main` nobody has said that SIGPIPE is to be ignored. Apple's
/// systems have no such flag.
#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::empty();

/// No descriptor that comes is inherited. None comes on Apple's systems, which have no such flag.
#[cfg(not(target_vendor = "apple"))]
const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
const RECEIVE: RecvFlags = RecvFlags::empty();

impl Port {
    /// Room for two heads and a small input.
    const INBOX: usize = 4096;

    pub(crate) fn new(socket: UnixStream) -> Self {
        let inbox = Vec::with_capacity(Self::INBOX);
        Port { socket, owner: Owner::here(), inbox, file: None, left: 0, written: 0, owed: 0 }
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn owed(&self) -> u64 {
        self.owed
    }

    /// The descriptor that came with the last request.
    pub(crate) fn take_file(&mut self) -> Option<OwnedFd> {
        self.file.take()
    }

    /// Lets go what the call has printed: it must not wait for the next call's, nor come after an answer that is sent
    /// whole.
    pub(crate) fn flush_prints(&self) {
        // A forked process would print once more what was printed before it.
        self.end_forked();
        let _nobody_listens = io::stdout().flush();
    }

    /// Ends this process if it was forked from the worker.
    pub(crate) fn end_forked(&self) {
        if !self.owner.is_here() {
            // By a signal: what the worker runs at its exit is not for this process to run.
            let _refused = kill_process(getpid(), Signal::KILL);
            // The first process of a PID namespace cannot kill itself so.
            std::process::abort();
        }
    }

    pub(crate) fn say_hello(&mut self) -> io::Result<()> {
        self.write_all(&hello())
    }

    /// The next request with its call; nothing at the end of the channel. A forked process has ended before it comes here,
    /// where it would have answered.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, Request)>> {
        while self.inbox.len() < REQUEST {
            if self.receive_some()? == 0 {
                return if self.inbox.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
        let bytes = std::array::from_fn(|i| self.inbox[i]);
        self.inbox.drain(..REQUEST);
        let (call, request) = Request::decode(bytes).ok_or_else(|| io::Error::other("an unknown request"))?;
        self.left = if request.has_bytes() { request.length } else { 0 };
        Ok(Some((call, request)))
    }

    /// Receives into the inbox what there is. Only here can descriptors come.
    fn receive_some(&mut self) -> io::Result<usize> {
        let mut buffer = [0; Self::INBOX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let received = loop {
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let spare = Self::INBOX - self.inbox.len();
            match recvmsg(&self.socket, &mut [IoSliceMut::new(&mut buffer[..spare])], &mut ancillary, RECEIVE) {
                Ok(received) => {
                    for message in ancillary.drain() {
                        if let RecvAncillaryMessage::ScmRights(files) = message {
                            self.file = files.last();
                        }
                    }
                    break received.bytes;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        self.inbox.extend_from_slice(&buffer[..received]);
        Ok(received)
    }

    /// All that follows the request. Memory is taken for what has come, not for what was said to come.
    pub(crate) fn read_rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while self.left > 0 {
            let more = self.left.min((bytes.len() as u64).max(64 << 10)) as usize;
            bytes.try_reserve_exact(more).map_err(io::Error::other)?;
            let start = bytes.len();
            self.fill(&mut bytes.spare_capacity_mut()[..more]).map_err(io::Error::other)?;
            // SAFETY: `fill` initialised them.
            #[expect(unsafe_code, reason = "the bytes were read into spare capacity, not zeroed first")]
            unsafe {
                bytes.set_len(start + more);
            }
        }
        Ok(bytes)
    }

    /// Receives what is left of what follows the request, and forgets it.
    pub(crate) fn skip_rest(&mut self) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 1 << 14];
        while self.left > 0 {
            let next = self.left.min(buffer.len() as u64) as usize;
            self.fill(&mut buffer[..next]).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Replies to `call`, whole, after code of the user has run.
    pub(crate) fn reply(&mut self, kind: Kind, call: u64, body: &[u8]) -> io::Result<()> {
        self.flush_prints();
        self.send_reply(kind, call, body)
    }

    /// Says that the call runs from now on.
    pub(crate) fn take(&mut self, call: u64) -> io::Result<()> {
        self.send_reply(Kind::Taken, call, &[])
    }

    /// Head and body in one system call, so that a small reply wakes the parent once.
    fn send_reply(&mut self, kind: Kind, call: u64, body: &[u8]) -> io::Result<()> {
        let head = encode_reply(kind, call, body.len() as u64);
        self.owed = (head.len() + body.len()) as u64;
        let parts = [IoSlice::new(&head), IoSlice::new(body)];
        let sent = match sendmsg(&self.socket, &parts, &mut SendAncillaryBuffer::default(), SEND) {
            Err(Errno::INTR) => 0,
            sent => sent?,
        };
        self.count(sent);
        self.write_all(&head[sent.min(head.len())..])?;
        self.write_all(&body[sent.saturating_sub(head.len())..])
    }

    /// Replies with a text.
    pub(crate) fn tell(&mut self, kind: Kind, call: u64, text: &str) -> io::Result<()> {
        // A panic's message was cut already, and its mark makes it a little longer than what it was cut to.
        let text = crate::error::up_to(text, crate::protocol::TEXT_LIMIT as usize);
        self.reply(kind, call, text.as_bytes())
    }

    fn count(&mut self, sent: usize) {
        self.written += sent as u64;
        // A test may write more than it announced.
        self.owed = self.owed.saturating_sub(sent as u64);
    }
}

impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.end_forked();
        let sent = send(&self.socket, bytes, SEND)?;
        self.count(sent);
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Port {
    fn left(&self) -> u64 {
        self.left
    }

    fn fill(&mut self, buffer: &mut [MaybeUninit<u8>]) -> Result<(), Broken> {
        self.end_forked();
        let early = self.inbox.len().min(buffer.len());
        let (start, mut rest) = buffer.split_at_mut(early);
        start.iter_mut().zip(self.inbox.drain(..early)).for_each(|(to, byte)| _ = to.write(byte));
        self.left -= early as u64;
        while !rest.is_empty() {
            match recv(&self.socket, &mut *rest, RecvFlags::empty()) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => return Err(Broken::Closed),
                Ok((_, received)) => {
                    rest = &mut rest[received..];
                    self.left -= received as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(Broken::System(error.into())),
            }
        }
        Ok(())
    }
}

/// Where the answer to a call goes.
pub(crate) struct Reply<'a> {
    pub(crate) port: &'a mut Port,
    pub(crate) call: u64,
}

impl Frame for Reply<'_> {
    fn whole(&mut self, value: &[u8]) -> io::Result<()> {
        self.port.reply(Kind::Output, self.call, value)
    }

    fn begin(&mut self, length: u64) -> io::Result<()> {
        self.port.flush_prints();
        let head = encode_reply(Kind::Output, self.call, length);
        self.port.owed = length.saturating_add(head.len() as u64);
        self.port.write_all(&head)
    }

    fn part(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.port.write(bytes)
    }

    fn owed(&self) -> u64 {
        self.port.owed
    }

    fn fail(&mut self, reason: &str) -> io::Result<()> {
        self.port.tell(Kind::Unsent, self.call, reason)
    }

    fn call(&self) -> u64 {
        self.call
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listening::peak;

    /// A parent that announces 64 GiB and sends ten bytes.
    #[test]
    fn what_a_broken_parent_announces_is_not_allocated() {
        let (ours, mut parents) = UnixStream::pair().unwrap();
        parents.write_all(&[7; 10]).unwrap();
        drop(parents);
        let before = peak();
        let mut port = Port::new(ours);
        port.left = 1 << 36;
        port.read_rest().unwrap_err();
        if let (Some(before), Some(after)) = (before, peak()) {
            assert!(after - before < 1 << 20, "{} kB", after - before);
        }
    }
}
