//! What callers and agents say to each other, in postcard's format, and on which subjects.

use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::Bytes;
use fanout::TaskId;
use kernel::{Exit, KeyError, Stage};
use serde::{Deserialize, Serialize};

/// Where an agent says that it is there, and callers answer.
pub(crate) const HELLO: &str = "fanout.hello";

/// Where a caller asks which agents are there.
pub(crate) const ROLL_CALL: &str = "fanout.roll-call";

/// The streams of all callers have names that begin like this.
pub(crate) const STREAMS: &str = "FANOUT_";

/// An output, or a part of a job, of more bytes crosses in pieces that the other side asks for. It bounds what agents send
/// unasked: a caller may have to hold this much for each slot that there is. A smaller output spares a round trip.
pub(crate) const INLINE: usize = 128 << 10;

/// The most bytes of a piece of a job, which all agents ask for at about the same time.
pub(crate) const PIECE_OF_JOB: usize = 256 << 10;

/// The most bytes of a piece; the server's limit may be smaller. What is on its way is in front of what agents say: on a link of
/// 10 Mbit/s, pieces of 4 MiB kept agents from being heard for so long that they were taken for gone. Smaller ones than this take
/// longer on a fast network; larger ones hardly less.
pub(crate) const PIECE: usize = 256 << 10;

/// The subjects and the stream of one caller. Agents that it has let in are told its name. Whoever else has the broker's token could
/// find it: the token guards all, and that agents are of one build guards against mistakes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session(pub(crate) String);

impl Session {
    pub(crate) fn stream(&self) -> String {
        format!("{STREAMS}{}", self.0)
    }

    /// Where keys are published, for the stream to keep.
    pub(crate) fn keys(&self) -> String {
        format!("fanout.{}.keys", self.0)
    }

    /// Where the caller says that it is there.
    pub(crate) fn caller(&self) -> String {
        format!("fanout.{}.caller", self.0)
    }

    /// Where agents say that they are there.
    pub(crate) fn agents(&self) -> String {
        format!("fanout.{}.agents", self.0)
    }

    /// Where agents ask for what they need to run keys.
    pub(crate) fn jobs(&self) -> String {
        format!("fanout.{}.jobs", self.0)
    }

    /// Where agents offer what came of keys.
    pub(crate) fn offers(&self) -> String {
        format!("fanout.{}.offers", self.0)
    }

    /// Where the caller asks an agent for pieces of an output.
    pub(crate) fn pieces(&self, agent: &str) -> String {
        format!("fanout.{}.pieces.{agent}", self.0)
    }
}

/// What a program is: agents run the same as their caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Build {
    pub(crate) architecture: String,
    /// XXH3-128 of its file.
    pub(crate) digest: u128,
}

/// An agent that looks for a caller.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) host: String,
    pub(crate) process: u32,
    pub(crate) build: Build,
}

/// What a caller answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Welcome { session: Session, host: String },
    Refused(String),
}

/// An agent that serves a caller.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Alive {
    pub(crate) agent: String,
    pub(crate) host: String,
    pub(crate) slots: u32,
    /// Keys that it has had for a while, as batch and index.
    pub(crate) holds: Vec<(u64, u64)>,
    /// It takes no more keys.
    pub(crate) leaves: bool,
}

/// What a caller says every now and then, and at its end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Beat {
    /// It is there, and batches up to this one are over.
    Here {
        over: u64,
    },
    Gone,
}

/// A key, as the stream keeps it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) batch: u64,
    pub(crate) index: u64,
    pub(crate) limit: u64,
}

/// What an agent needs to run the keys of a batch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Wanted {
    /// The job of a batch: a [`Job`], or nothing if the batch is over.
    Job(u64),
    /// A piece of that job's bytes.
    Piece { batch: u64, from: u64 },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) task: TaskId,
    pub(crate) length: u64,
    pub(crate) deadline: Option<Duration>,
}

/// What came of a key; an output that is sent with it follows. The caller answers once it has it, with an empty message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) batch: u64,
    pub(crate) index: u64,
    pub(crate) agent: String,
    pub(crate) host: String,
    pub(crate) what: Offered,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Offered {
    /// The bytes that follow.
    Output,
    /// To be asked for, piece by piece.
    Large {
        length: u64,
    },
    Failed(Failure),
    /// This agent can run no key of the batch: it cannot load the job, or has no worker. It takes no more of them.
    Unusable(Failure),
}

/// A piece of an output.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(crate) batch: u64,
    pub(crate) index: u64,
    pub(crate) from: u64,
    pub(crate) most: u32,
}

/// A [`KeyError`] of a process, as it crosses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Failure {
    Panicked(String),
    /// `exit` is a status, a signal, or neither.
    Died {
        pid: u32,
        exit: Result<i32, Option<i32>>,
        stage: u8,
        stderr: String,
    },
    TimedOut(Duration),
    Protocol {
        pid: u32,
        violation: String,
    },
    NotCrossed(String),
    NoMemory(u64),
    /// `kind` is a place in [`KINDS`], if it is one of them.
    NotStarted {
        kind: Option<u8>,
        reason: String,
    },
}

/// The kinds of errors that say why no worker could be started.
const KINDS: [ErrorKind; 4] =
    [ErrorKind::NotFound, ErrorKind::PermissionDenied, ErrorKind::WouldBlock, ErrorKind::OutOfMemory];

const STAGES: [Stage; 5] = [Stage::Starting, Stage::Loading, Stage::Waiting, Stage::Computing, Stage::Sending];

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Panicked { message } => Failure::Panicked(message),
            KeyError::Died { pid, exit, stage, stderr } => Failure::Died {
                pid,
                exit: match exit {
                    Exit::Code(code) => Ok(code),
                    Exit::Signal(signal) => Err(Some(signal)),
                    Exit::Unknown => Err(None),
                },
                stage: STAGES.iter().position(|other| *other == stage).unwrap_or_default() as u8,
                stderr,
            },
            KeyError::TimedOut { deadline } => Failure::TimedOut(deadline),
            KeyError::Protocol { pid, violation } => Failure::Protocol { pid, violation },
            KeyError::NotCrossed { reason } => Failure::NotCrossed(reason),
            KeyError::NoMemory { bytes } => Failure::NoMemory(bytes as u64),
            KeyError::NotStarted(error) => {
                let kind = KINDS.iter().position(|kind| *kind == error.kind()).map(|place| place as u8);
                Failure::NotStarted { kind, reason: error.to_string() }
            }
            other => Failure::NotStarted { kind: None, reason: other.to_string() },
        }
    }
}

impl From<Failure> for KeyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Panicked(message) => KeyError::Panicked { message },
            Failure::Died { pid, exit, stage, stderr } => {
                let exit = match exit {
                    Ok(code) => Exit::Code(code),
                    Err(Some(signal)) => Exit::Signal(signal),
                    Err(None) => Exit::Unknown,
                };
                let stage = STAGES.get(usize::from(stage)).copied().unwrap_or(Stage::Computing);
                KeyError::Died { pid, exit, stage, stderr }
            }
            Failure::TimedOut(deadline) => KeyError::TimedOut { deadline },
            Failure::Protocol { pid, violation } => KeyError::Protocol { pid, violation },
            Failure::NotCrossed(reason) => KeyError::NotCrossed { reason },
            Failure::NoMemory(bytes) => KeyError::NoMemory { bytes: bytes as usize },
            Failure::NotStarted { kind, reason } => {
                let kind = kind.and_then(|place| KINDS.get(usize::from(place)).copied());
                KeyError::NotStarted(io::Error::new(kind.unwrap_or(ErrorKind::Other), reason))
            }
        }
    }
}

/// A message's bytes.
pub(crate) fn encode(message: &impl Serialize) -> Bytes {
    postcard::to_stdvec(message).expect("these types can all be serialised").into()
}

/// An offer's bytes, with those that follow it.
pub(crate) fn encode_offer(offer: &Offer, output: &[u8]) -> Bytes {
    let mut bytes = postcard::to_stdvec(offer).expect("this type can be serialised");
    bytes.extend_from_slice(output);
    bytes.into()
}

/// The offer of these bytes, and what follows it.
pub(crate) fn decode_offer(bytes: &Bytes) -> Option<(Offer, Bytes)> {
    let (offer, output) = postcard::take_from_bytes(bytes).ok()?;
    Some((offer, bytes.slice_ref(output)))
}

/// The message of these bytes; nothing if they are none, as a stranger's may be.
pub(crate) fn decode<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}
