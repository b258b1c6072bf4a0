//! What goes over a channel. All integers are little endian.
//!
//! | from | message | bytes |
//! |---|---|---|
//! | worker, once | hello | magic 8, version 4, zero 4 |
//! | parent | request | kind 4, attempt 4, call 8, length 8, limit 8, shared 8, name 8, build 8; then as many bytes as its length says |
//! | worker | reply | mark 4, kind 4, call 8, length 8, then the body |
//!
//! A call is a request's number on its channel, from 1 on. Every reply names the call that it is for, so that nothing
//! that an earlier call left behind is taken for the answer to a later one. A request with a shared value is replied to by
//! `loaded` or `refused`; a call of a task by `taken` when its head was read, and then by its answer, or by `refused`
//! alone; a request to forget a shared value by nothing. The parent may send a call before the replies to what it sent
//! earlier have come. The bytes of a shared value follow its request, or come as a descriptor with it. The end of the
//! channel is the end of the worker.

/// The first bytes of a worker: what tells it from a program that does not know it should be one.
pub(crate) const MAGIC: [u8; 8] = *b"fanoutWK";

/// Raised with every change of a message.
pub(crate) const VERSION: u32 = 3;

pub(crate) const HELLO: usize = 16;
pub(crate) const REQUEST: usize = 56;
pub(crate) const REPLY: usize = 24;

/// Begins every reply, so that bytes out of step are seen.
const MARK: u32 = u32::from_le_bytes(*b"fan:");

/// What a worker says first.
pub(crate) fn hello() -> [u8; HELLO] {
    let mut bytes = [0; HELLO];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("it did not say hello but {0:02x?}")]
    Magic([u8; 8]),
    #[error("it speaks version {0} of the protocol, and this program version {VERSION}")]
    Version(u32),
    #[error("a reply began with {0:08x}")]
    Mark(u32),
    #[error("a reply of kind {0}")]
    Kind(u32),
    #[error("a reply to call {told} when call {asked} waits for one")]
    Call { asked: u64, told: u64 },
    #[error("`{told}` where {expected} was expected")]
    Order { told: &'static str, expected: &'static str },
    #[error("a body of {length} bytes where at most {limit} are allowed")]
    Length { length: u64, limit: u64 },
}

/// Checks what a worker said first.
pub(crate) fn check_hello(bytes: [u8; HELLO]) -> Result<(), Violation> {
    let magic = array(&bytes, 0);
    if magic != MAGIC {
        return Err(Violation::Magic(magic));
    }
    match u32::from_le_bytes(array(&bytes, 8)) {
        VERSION => Ok(()),
        version => Err(Violation::Version(version)),
    }
}

/// What a parent asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Ask {
    /// Make the shared value of a task from the bytes that follow.
    Share = 1,
    /// Run a task on the input that follows.
    Call = 2,
    /// Make the shared value of a task from the file whose descriptor comes with this.
    ShareFile = 3,
    /// Drop a shared value.
    Forget = 4,
}

impl Ask {
    const ALL: [Ask; 4] = [Ask::Share, Ask::Call, Ask::ShareFile, Ask::Forget];
}

/// A request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) ask: Ask,
    /// How often the call was tried before, for a call.
    pub(crate) attempt: u32,
    /// Of what follows; for a file, of the file.
    pub(crate) length: u64,
    /// The most bytes that the output may have, for a call.
    pub(crate) limit: u64,
    /// Which shared value; 0 is the one of no bytes, which is not sent.
    pub(crate) shared: u64,
    /// Which task: the digests of its name, and of what both ends must have in common to know it.
    pub(crate) task: Identity,
}

/// What a task is known by on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) name: u64,
    pub(crate) build: u64,
}

impl Request {
    /// Whether bytes follow it.
    pub(crate) fn has_bytes(self) -> bool {
        matches!(self.ask, Ask::Share | Ask::Call)
    }

    pub(crate) fn encode(self, call: u64) -> [u8; REQUEST] {
        let mut bytes = [0; REQUEST];
        bytes[..4].copy_from_slice(&(self.ask as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.attempt.to_le_bytes());
        let numbers = [call, self.length, self.limit, self.shared, self.task.name, self.task.build];
        for (place, number) in bytes[8..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// The call and what it asks; nothing for a kind that is unknown.
    pub(crate) fn decode(bytes: [u8; REQUEST]) -> Option<(u64, Self)> {
        let kind = u32::from_le_bytes(array(&bytes, 0));
        let ask = Ask::ALL.into_iter().find(|&ask| ask as u32 == kind)?;
        let attempt = u32::from_le_bytes(array(&bytes, 4));
        let [call, length, limit, shared, name, build] =
            [8, 16, 24, 32, 40, 48].map(|start| u64::from_le_bytes(array(&bytes, start)));
        Some((call, Request { ask, attempt, length, limit, shared, task: Identity { name, build } }))
    }
}

/// What a reply says, and what its body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// The output.
    Output = 1,
    /// A panic's message.
    Panicked = 2,
    /// Why there is an output that cannot be sent.
    Unsent = 3,
    /// The shared value is there. No body.
    Loaded = 4,
    /// Why the worker cannot run this task with this shared value.
    Refused = 5,
    /// The call runs from now on. No body.
    Taken = 6,
    /// Why no input could be made of what was sent.
    Unreceived = 7,
}

impl Kind {
    const ALL: [Kind; 7] =
        [Kind::Output, Kind::Panicked, Kind::Unsent, Kind::Loaded, Kind::Refused, Kind::Taken, Kind::Unreceived];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Output => "output",
            Kind::Panicked => "panicked",
            Kind::Unsent => "unsent",
            Kind::Loaded => "loaded",
            Kind::Refused => "refused",
            Kind::Taken => "taken",
            Kind::Unreceived => "unreceived",
        }
    }

    /// The most bytes that the body may have, where an output may have `output`.
    fn limit(self, output: u64) -> u64 {
        match self {
            Kind::Output => output,
            Kind::Panicked | Kind::Unsent | Kind::Unreceived | Kind::Refused => TEXT_LIMIT,
            Kind::Loaded | Kind::Taken => 0,
        }
    }
}

/// The head of a reply that was checked against what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) length: u64,
}

/// Bounds the text of a reply, in bytes. What a worker writes is bounded already, by the limit on a panic's message and
/// its mark; this is what is believed of one that has gone wrong. Twice that limit.
pub(crate) const TEXT_LIMIT: u64 = 2 * crate::error::MESSAGE_LIMIT as u64;

pub(crate) fn encode_reply(kind: Kind, call: u64, length: u64) -> [u8; REPLY] {
    let mut bytes = [0; REPLY];
    bytes[..4].copy_from_slice(&MARK.to_le_bytes());
    bytes[4..8].copy_from_slice(&(kind as u32).to_le_bytes());
    bytes[8..16].copy_from_slice(&call.to_le_bytes());
    bytes[16..].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Reads the head of the reply to call `asked`, in which an output has at most `limit` bytes.
pub(crate) fn decode_reply(bytes: [u8; REPLY], asked: u64, limit: u64) -> Result<Head, Violation> {
    let mark = u32::from_le_bytes(array(&bytes, 0));
    if mark != MARK {
        return Err(Violation::Mark(mark));
    }
    let number = u32::from_le_bytes(array(&bytes, 4));
    let kind = Kind::ALL.into_iter().find(|&kind| kind as u32 == number).ok_or(Violation::Kind(number))?;
    let told = u64::from_le_bytes(array(&bytes, 8));
    if told != asked {
        return Err(Violation::Call { asked, told });
    }
    let (length, limit) = (u64::from_le_bytes(array(&bytes, 16)), kind.limit(limit));
    if length > limit {
        return Err(Violation::Length { length, limit });
    }
    Ok(Head { kind, length })
}

/// `N` bytes from `start` on, which must be there.
fn array<const N: usize>(bytes: &[u8], start: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[start + i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hello_is_believed_when_it_is_this_versions() {
        assert_eq!(check_hello(hello()), Ok(()));
        let mut other = hello();
        other[8] = 9;
        assert_eq!(check_hello(other), Err(Violation::Version(9)));
        assert_eq!(check_hello(*b"Password: hunter"), Err(Violation::Magic(*b"Password")));
    }

    proptest! {
        #[test]
        fn requests_round_trip(numbers: [u64; 6], attempt: u32, ask in 0..4_usize) {
            let ask = Ask::ALL[ask];
            let [call, length, limit, shared, name, build] = numbers;
            let request = Request { ask, attempt, length, limit, shared, task: Identity { name, build } };
            prop_assert_eq!(Request::decode(request.encode(call)), Some((call, request)));
        }

        #[test]
        fn replies_round_trip_within_their_limit(call: u64, length: u64, limit: u64, kind in 0..Kind::ALL.len()) {
            let kind = Kind::ALL[kind];
            let decoded = decode_reply(encode_reply(kind, call, length), call, limit);
            let limit = kind.limit(limit);
            if length <= limit {
                prop_assert_eq!(decoded, Ok(Head { kind, length }));
            } else {
                prop_assert_eq!(decoded, Err(Violation::Length { length, limit }));
            }
        }

        #[test]
        fn a_reply_to_another_call_is_a_violation(asked: u64, told: u64) {
            prop_assume!(asked != told);
            let decoded = decode_reply(encode_reply(Kind::Panicked, told, 0), asked, 0);
            prop_assert_eq!(decoded, Err(Violation::Call { asked, told }));
        }

        #[test]
        fn no_bytes_are_believed_beyond_the_limits(bytes: [u8; REPLY], asked: u64, limit: u64) {
            if let Ok(head) = decode_reply(bytes, asked, limit) {
                prop_assert!(head.length <= limit.max(TEXT_LIMIT));
            }
        }

        #[test]
        fn almost_right_replies_are_rejected_or_bounded(flip in 0..REPLY * 8, call: u64, length in 0_u64..1 << 20) {
            let mut bytes = encode_reply(Kind::Output, call, length);
            bytes[flip / 8] ^= 1 << (flip % 8);
            if let Ok(head) = decode_reply(bytes, call, 1 << 20) {
                prop_assert!(head.length <= 1 << 20);
                prop_assert!(flip / 8 >= 16 || head.kind != Kind::Output, "only the length may still be believed");
            }
        }
    }
}
