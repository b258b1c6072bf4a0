//! What goes wrong with an output on its way to the parent.

use std::io::{self, Write};
use std::path::PathBuf;

use fanout::{Answer, Body, Codec, Raw, ReceiveError, is_worker};
use rustix::process::Signal;

use super::acts;

/// A block, and what must happen while it is sent.
#[derive(Debug)]
pub struct Struck {
    /// The block.
    pub block: Vec<f64>,
    pub(super) sending: Sending,
}

/// How a block is sent.
#[derive(Debug)]
pub(super) enum Sending {
    Well,
    /// The process ends with half of it sent.
    Half,
    /// The whole answer comes twice.
    Twice,
    WithGarbage,
    /// With one value more than there may be.
    TooLong,
    Panic,
    /// So that the codec panics in the parent.
    ToPanicWhereItIsReceived,
    /// The process sends itself this signal when all is sent.
    ThenSignal(Signal),
    /// A forked child writes into the channel when all is sent.
    ThenChildWrites,
    /// A thread logs when all is sent, and creates the file when it has.
    ThenLog(Option<PathBuf>),
    /// Its `Drop` panics in a worker.
    ThenPanic,
}

impl Drop for Sending {
    fn drop(&mut self) {
        if matches!(self, Sending::ThenPanic) && is_worker() {
            panic!("a fault where the output is dropped");
        }
    }
}

/// Has the codec panic in the parent when it is a block's first value. A NaN that no arithmetic gives.
const PANIC: u64 = 0xfff8_dead_beef_0002;

/// [`Raw`], but for what goes wrong on purpose.
pub enum StruckCodec {}

impl Codec<Struck> for StruckCodec {
    fn send(output: &Struck, answer: Answer<'_>) -> io::Result<()> {
        let block = &output.block;
        let body: &[u8] = bytemuck::cast_slice(block);
        let length = body.len() as u64;
        match &output.sending {
            Sending::Well | Sending::ThenPanic => Raw::send(block, answer),
            Sending::Half => {
                let mut channel = answer.announce(length)?;
                channel.write_all(&vec![7; body.len() / 2])?;
                acts::end_by(Signal::KILL)
            }
            Sending::Twice => {
                let head = [b"fan:\x01\0\0\0", &answer.call().to_le_bytes()[..], &length.to_le_bytes()].concat();
                answer.announce_uncounted(length)?.write_all(&[body, &head, body].concat())
            }
            Sending::WithGarbage => answer.announce_uncounted(length)?.write_all(&[body, &[7; 1000]].concat()),
            Sending::TooLong => Raw::send(&[block.as_slice(), &[7.0]].concat(), answer),
            Sending::Panic => panic!("a fault where the output is sent"),
            Sending::ToPanicWhereItIsReceived => {
                let panicking = f64::from_bits(PANIC);
                Raw::send(&[&[panicking], &block[1..]].concat(), answer)
            }
            Sending::ThenSignal(signal) => {
                Raw::send(block, answer)?;
                acts::signal_itself(*signal);
                Ok(())
            }
            Sending::ThenChildWrites => {
                Raw::send(block, answer)?;
                acts::leave_writer();
                Ok(())
            }
            Sending::ThenLog(file) => {
                Raw::send(block, answer)?;
                acts::log_later(file.clone());
                Ok(())
            }
        }
    }

    fn receive(body: Body<'_>) -> Result<Struck, ReceiveError> {
        let block: Vec<f64> = Raw::receive(body)?;
        if block.first().is_some_and(|first| first.to_bits() == PANIC) {
            panic!("a fault where the output is decoded");
        }
        Ok(Struck { block, sending: Sending::Well })
    }
}
