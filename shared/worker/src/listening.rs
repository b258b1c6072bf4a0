//! A parent that reads a recorded conversation. The tests and the fuzzer share it.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use kernel::{Outcome, Workload};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::codec::{Postcard, Raw, ReceiveError};
use crate::conversation::Conversation;
use crate::load::Load;
use crate::portable::Portable;

/// How many keys are asked for.
pub const KEYS: usize = 4;

/// Outputs that serde gives the shape of, with lengths in them that a liar may choose.
#[derive(Serialize, Deserialize)]
pub struct Texts;

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

/// Outputs that are plain numbers.
#[derive(Serialize, Deserialize)]
pub struct Blocks;

impl Workload for Blocks {
    type Output = Vec<f64>;

    fn keys(&self) -> usize {
        KEYS
    }

    fn expand(&self, index: usize) -> Vec<f64> {
        vec![index as f64; 100]
    }
}

impl Portable for Blocks {
    const NAME: &'static str = "blocks";
    type Codec = Raw;

    fn max_bytes(&self, _: usize) -> u64 {
        800
    }
}

/// What becomes of the keys when the worker says this and then no more; up to the first over which it is lost.
pub fn listens<W: Portable>(said: &[u8], workload: W) -> Vec<Result<Outcome<W::Output>, ReceiveError>> {
    let (socket, mut worker) = UnixStream::pair().expect("a channel");
    worker.write_all(said).expect("a channel has room for it");
    worker.shutdown(Shutdown::Write).expect("it is open");
    let mut conversation = Conversation::new(Channel::new(socket, None, None));
    let load = Load::new(&Arc::new(workload));
    let mut heard = Vec::new();
    for index in 0..KEYS {
        heard.push(conversation.expand(&load, index, None));
        if heard.last().is_some_and(Result::is_err) {
            break;
        }
    }
    heard
}

/// What this process's address space has been at most, in kB; nothing where that is not told.
#[cfg(test)]
pub(crate) fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmPeak:")?.split_whitespace().next()?.parse().ok())
}
