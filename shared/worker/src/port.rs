//! The worker's end of a channel.

use std::io::{self, IoSlice, Read, Write};
use std::os::unix::net::UnixStream;

use rustix::process::{Signal, getpid, kill_process};

use crate::protocol::{Kind, REQUEST, Request, encode_reply, hello};
use crate::role::Owner;

/// The channel, for the process that was started as the worker and for nobody else. A key may fork, and its child may come
/// back here as if it were the worker: what it wrote would be mixed with what the worker writes. So it ends where it
/// touches the channel.
pub(crate) struct Port {
    socket: UnixStream,
    owner: Owner,
    /// How many bytes were written so far.
    written: u64,
    /// How many bytes of the last reply are not written.
    owed: u64,
}

impl Port {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Port { socket, owner: Owner::here(), written: 0, owed: 0 }
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn owed(&self) -> u64 {
        self.owed
    }

    /// Lets go what the key has printed: it must not wait for the next key's, nor come after an answer that is sent whole.
    pub(crate) fn flush_prints(&self) {
        // A forked process would print once more what was printed before it.
        self.end_forked();
        let _nobody_listens = io::stdout().flush();
    }

    /// Sends the head of an answer of so many bytes.
    pub(crate) fn announce(&mut self, call: u64, length: u64) -> io::Result<()> {
        self.flush_prints();
        let head = encode_reply(Kind::Output, call, length);
        self.owed = head.len() as u64 + length;
        self.write_all(&head)
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

    /// The next request with its call; nothing at the end of the channel.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, Request)>> {
        self.end_forked();
        let mut bytes = [0; REQUEST];
        match self.socket.read_exact(&mut bytes) {
            Ok(()) => Request::decode(bytes).map(Some).ok_or_else(|| io::Error::other("an unknown request")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The `length` bytes that follow a request. Memory is taken for what has come, not for what was said to come.
    pub(crate) fn read(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&self.socket).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Replies to `call`, whole. Head and body in one system call, so that a small reply wakes the parent once.
    pub(crate) fn reply(&mut self, kind: Kind, call: u64, body: &[u8]) -> io::Result<()> {
        let head = encode_reply(kind, call, body.len() as u64);
        self.flush_prints();
        self.owed = (head.len() + body.len()) as u64;
        let sent = match self.socket.write_vectored(&[IoSlice::new(&head), IoSlice::new(body)]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            sent => sent?,
        };
        self.count(sent);
        self.write_all(&head[sent.min(head.len())..])?;
        self.write_all(&body[sent.saturating_sub(head.len())..])
    }

    fn count(&mut self, sent: usize) {
        self.written += sent as u64;
        // A test may write more than it announced.
        self.owed = self.owed.saturating_sub(sent as u64);
    }
}

/// Where the bytes of an answer are written that was announced.
pub(crate) struct Announced<'a>(pub(crate) &'a mut Port);

impl Write for Announced<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (left, more) = (self.0.owed(), bytes.len());
        if more as u64 > left {
            let reason = format!("{more} bytes were written to an answer of which {left} were left");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.end_forked();
        let sent = self.socket.write(bytes)?;
        self.count(sent);
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
        let error = Port::new(ours).read(1 << 36).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        if let (Some(before), Some(after)) = (before, peak()) {
            assert!(after - before < 1 << 20, "{} kB", after - before);
        }
    }
}
