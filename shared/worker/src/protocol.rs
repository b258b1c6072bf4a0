//! What goes over a channel. All integers are little endian.
//!
//! | from | message | bytes |
//! |---|---|---|
//! | worker, once | hello | magic 8, version 4, zero 4 |
//! | parent | workload | kind 4, zero 4, length 8, then postcard of build id and name, then of the workload |
//! | parent | key | kind 4, zero 4, index 8 |
//! | worker, one per key | answer | mark 4, kind 4, index 8, length 8, then the body |
//!
//! The worker answers keys in the order in which they were asked. The end of the channel is the end of the worker.

/// The first bytes of a worker: what tells it from a program that does not know it should be one.
pub(crate) const MAGIC: [u8; 8] = *b"fanoutWK";

/// Raised with every change of a message.
pub(crate) const VERSION: u32 = 1;

pub(crate) const HELLO: usize = 16;
pub(crate) const REQUEST: usize = 16;
pub(crate) const ANSWER: usize = 24;

/// Begins every answer, so that bytes out of step are seen.
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
    #[error("an answer began with {0:08x}")]
    Mark(u32),
    #[error("an answer of kind {0}")]
    Kind(u32),
    #[error("an answer for key {answered} when key {asked} was asked")]
    Index { asked: u64, answered: u64 },
    #[error("an answer of {length} bytes where the workload's `max_bytes` allows {limit}")]
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
pub(crate) enum Request {
    /// Take the workload that follows.
    Workload { length: u64 },
    /// Expand this key of it.
    Key { index: u64 },
}

impl Request {
    pub(crate) fn encode(self) -> [u8; REQUEST] {
        let (kind, number): (u32, u64) = match self {
            Request::Workload { length } => (1, length),
            Request::Key { index } => (2, index),
        };
        let mut bytes = [0; REQUEST];
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        bytes[8..].copy_from_slice(&number.to_le_bytes());
        bytes
    }

    /// Nothing for a kind that is unknown.
    pub(crate) fn decode(bytes: [u8; REQUEST]) -> Option<Self> {
        let number = u64::from_le_bytes(array(&bytes, 8));
        match u32::from_le_bytes(array(&bytes, 0)) {
            1 => Some(Request::Workload { length: number }),
            2 => Some(Request::Key { index: number }),
            _ => None,
        }
    }
}

/// What the body of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The output, by the workload's codec.
    Output,
    /// A panic's message.
    Panicked,
    /// Why the worker cannot expand keys of this workload.
    Refused,
}

/// The head of an answer that was checked against what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) length: u64,
}

/// Bounds the text of an answer that is no output, in bytes. What a worker writes is bounded already, by the limit on a
/// panic's message and its mark; this is what is believed of one that has gone wrong. Twice that limit.
pub(crate) const TEXT_LIMIT: u64 = 2 * kernel::KeyError::MESSAGE_LIMIT as u64;

pub(crate) fn encode_answer(kind: Kind, index: u64, length: u64) -> [u8; ANSWER] {
    let kind: u32 = match kind {
        Kind::Output => 1,
        Kind::Panicked => 2,
        Kind::Refused => 3,
    };
    let mut bytes = [0; ANSWER];
    bytes[..4].copy_from_slice(&MARK.to_le_bytes());
    bytes[4..8].copy_from_slice(&kind.to_le_bytes());
    bytes[8..16].copy_from_slice(&index.to_le_bytes());
    bytes[16..].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Reads the head of the answer to key `asked`, whose output has at most `limit` bytes.
pub(crate) fn decode_answer(bytes: [u8; ANSWER], asked: u64, limit: u64) -> Result<Head, Violation> {
    let mark = u32::from_le_bytes(array(&bytes, 0));
    if mark != MARK {
        return Err(Violation::Mark(mark));
    }
    let (kind, limit) = match u32::from_le_bytes(array(&bytes, 4)) {
        1 => (Kind::Output, limit),
        2 => (Kind::Panicked, TEXT_LIMIT),
        3 => (Kind::Refused, TEXT_LIMIT),
        kind => return Err(Violation::Kind(kind)),
    };
    let answered = u64::from_le_bytes(array(&bytes, 8));
    if answered != asked {
        return Err(Violation::Index { asked, answered });
    }
    let length = u64::from_le_bytes(array(&bytes, 16));
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
        fn requests_round_trip(number: u64) {
            for request in [Request::Workload { length: number }, Request::Key { index: number }] {
                prop_assert_eq!(Request::decode(request.encode()), Some(request));
            }
        }

        #[test]
        fn answers_round_trip_within_their_limit(index: u64, length: u64, limit: u64) {
            let decoded = decode_answer(encode_answer(Kind::Output, index, length), index, limit);
            if length <= limit {
                prop_assert_eq!(decoded, Ok(Head { kind: Kind::Output, length }));
            } else {
                prop_assert_eq!(decoded, Err(Violation::Length { length, limit }));
            }
        }

        #[test]
        fn an_answer_for_another_key_is_a_violation(asked: u64, answered: u64) {
            prop_assume!(asked != answered);
            let decoded = decode_answer(encode_answer(Kind::Panicked, answered, 0), asked, 0);
            prop_assert_eq!(decoded, Err(Violation::Index { asked, answered }));
        }

        #[test]
        fn no_bytes_are_believed_beyond_the_limits(bytes: [u8; ANSWER], asked: u64, limit: u64) {
            if let Ok(head) = decode_answer(bytes, asked, limit) {
                prop_assert!(head.length <= limit.max(TEXT_LIMIT));
            }
        }

        #[test]
        fn almost_right_answers_are_rejected_or_bounded(flip in 0..ANSWER * 8, index: u64, length in 0_u64..1 << 20) {
            let mut bytes = encode_answer(Kind::Output, index, length);
            bytes[flip / 8] ^= 1 << (flip % 8);
            if let Ok(head) = decode_answer(bytes, index, 1 << 20) {
                prop_assert!(head.length <= 1 << 20);
                prop_assert!(flip / 8 >= 16 || head.kind != Kind::Output, "only the length may still be believed");
            }
        }
    }
}
