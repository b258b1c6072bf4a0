//! A large output, piece by piece: its receiver asks for as much as it has room for.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, RequestErrorKind};
use bytes::{Buf, Bytes};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::caller::Caller;
use crate::connect::connects;
use crate::members::Members;
use crate::wire::{PIECE, Piece, encode};

/// How many pieces are on their way at once: while one is copied, the next comes.
const WINDOW: usize = 2;

/// How often a receiver that waits for a piece looks whether the agent is still there.
const LOOK: Duration = Duration::from_secs(1);

/// After how many looks it asks once more, since the question or the answer may have been lost with a connection. A slow network
/// is given that long.
const ASK_AGAIN: u32 = 20;

/// An output on an agent, as a reader of its bytes.
pub(crate) struct Pieces<'a> {
    on: &'a Handle,
    from: Source,
    length: u64,
    /// The size of a piece.
    most: usize,
    /// Where the next piece to ask for begins.
    asked: u64,
    coming: VecDeque<JoinHandle<Option<Bytes>>>,
    here: Bytes,
}

/// Where an output is.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) agent: String,
    pub(crate) batch: u64,
    pub(crate) index: u64,
    client: Client,
    subject: String,
    members: Arc<Members>,
}

impl Source {
    pub(crate) fn new(caller: &Caller, agent: String, batch: u64, index: u64) -> Self {
        let subject = caller.session.pieces(&agent);
        Source { agent, batch, index, client: caller.client.clone(), subject, members: Arc::clone(&caller.members) }
    }

    /// A piece, whole; nothing if it cannot be had.
    async fn fetch(self, from: u64, length: usize) -> Option<Bytes> {
        let piece = Piece { batch: self.batch, index: self.index, from, most: length as u32 };
        let mut over = self.members.over();
        loop {
            let before = connects(&self.client);
            let mut asked = Box::pin(self.client.request(self.subject.clone(), encode(&piece)));
            for _ in 0..ASK_AGAIN {
                let answer = tokio::select! {
                    answer = tokio::time::timeout(LOOK, &mut asked) => answer,
                    _ = over.wait_for(|over| *over >= self.batch) => return None,
                };
                match answer {
                    Ok(Ok(answer)) => {
                        self.members.answered();
                        // Less if the agent has no such output, or not any more.
                        return (answer.payload.len() == length).then_some(answer.payload);
                    }
                    Ok(Err(error)) => {
                        if error.kind() == RequestErrorKind::NoResponders {
                            // It may be about to connect again.
                            tokio::time::sleep(LOOK / 5).await;
                        }
                        break;
                    }
                    Err(_) if !self.members.is_here(&self.agent) => return None,
                    Err(_) if connects(&self.client) != before => break,
                    Err(_) => {}
                }
            }
            if !self.members.is_here(&self.agent) {
                return None;
            }
        }
    }
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(on: &'a Handle, from: Source, length: u64) -> Self {
        let most = from.client.max_payload().clamp(1, PIECE);
        Pieces { on, from, length, most, asked: 0, coming: VecDeque::with_capacity(WINDOW), here: Bytes::new() }
    }

    fn ask(&mut self) {
        while self.coming.len() < WINDOW && self.asked < self.length {
            let length = self.most.min((self.length - self.asked) as usize);
            self.coming.push_back(self.on.spawn(self.from.clone().fetch(self.asked, length)));
            self.asked += length as u64;
        }
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.here.is_empty() {
            self.ask();
            if let Some(coming) = self.coming.pop_front() {
                let come = self.on.block_on(coming).ok().flatten();
                self.here = come.ok_or(io::ErrorKind::NotConnected)?;
                self.ask();
            }
        }
        Ok(&self.here)
    }

    fn consume(&mut self, count: usize) {
        self.here.advance(count);
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl Drop for Pieces<'_> {
    fn drop(&mut self) {
        self.coming.iter().for_each(JoinHandle::abort);
    }
}
