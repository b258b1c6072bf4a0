//! A parent that reads a recorded conversation. The tests and the fuzzer share it.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use crate::channel::Channel;
use crate::conversation::{Conversation, Ordered, refused};
use crate::error::Outcome;
use crate::share::Shared;
use crate::task::{Here, Task, identity};
use crate::transfer::{Raw, ReceiveError};
use crate::words::Words;

/// How many calls are made.
pub const CALLS: usize = 4;

/// Outputs that serde gives the shape of, with lengths in them that a liar may choose.
#[derive(Debug)]
pub struct Texts;

impl Task for Texts {
    type Shared = u8;
    type Input = usize;
    type Output = Vec<(String, Option<u64>)>;

    fn call(_: &u8, index: usize, _: &mut Here) -> Self::Output {
        vec![(index.to_string(), Some(7)); index]
    }

    fn limit(_: &usize) -> u64 {
        800
    }

    fn name() -> &'static str {
        "texts"
    }
}

/// Outputs that are plain numbers.
#[derive(Debug)]
pub struct Blocks;

impl Task for Blocks {
    type Shared = u8;
    type Input = usize;
    type Output = Raw<f64>;

    fn call(_: &u8, index: usize, _: &mut Here) -> Raw<f64> {
        Raw(vec![index as f64; 100])
    }

    fn limit(_: &usize) -> u64 {
        800
    }

    fn name() -> &'static str {
        "blocks"
    }
}

/// What becomes of the calls when the worker says this and then no more; up to the first over which it is lost.
pub fn listens<T: Task<Shared = u8, Input = usize>>(
    said: &[u8],
    _: T,
) -> Vec<Result<Outcome<T::Output>, ReceiveError>> {
    let (mut conversation, _worker) = with(said);
    let shared = Shared::new(&7).expect("it is small");
    let mut heard = Vec::new();
    for index in 0..CALLS {
        // As a call does.
        if let Some(reason) = shared.bytes.refusal(identity::<T>) {
            heard.push(Ok(Err(refused::<T>(&index, &reason))));
            continue;
        }
        let ordered = Ordered { shared: &shared.bytes, attempt: 0, deadline: None };
        heard.push(conversation.call::<T>(&index, &ordered));
        if heard.last().is_some_and(Result::is_err) {
            break;
        }
    }
    heard
}

/// A conversation with a worker that says this and then no more, and the worker's end of the channel.
pub(crate) fn with(said: &[u8]) -> (Conversation, UnixStream) {
    let (socket, mut worker) = UnixStream::pair().expect("a channel");
    worker.write_all(said).expect("a channel has room for it");
    worker.shutdown(Shutdown::Write).expect("it is open");
    (Conversation::new(Channel::new(socket, None, Words::default(), None)), worker)
}

/// What this process's address space has been at most, in kB; nothing where that is not told.
#[cfg(test)]
pub(crate) fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmPeak:")?.split_whitespace().next()?.parse().ok())
}
