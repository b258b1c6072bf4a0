//! What a parent and its worker say to each other, and the states that this leads through.

use std::time::Duration;

use kernel::{KeyError, Outcome};

use crate::caught::caught;
use crate::channel::{Broken, Channel, Patience};
use crate::codec::{Body, Codec, ReceiveError};
use crate::load::Load;
use crate::portable::Portable;
use crate::protocol::{HELLO, Head, Kind, REPLY, Request, Violation, check_hello, decode_reply};
use crate::state::State;

/// Bounds the time from a process's start to its hello. When it passes, the process is killed and the start is an
/// error: without it, a program that does not know it should be a worker would be waited for as long as it runs. Hard
/// coded, since no job's size has a part in it: a start takes about a millisecond. Ten seconds are four orders of
/// magnitude above that, for a machine that swaps.
pub(crate) const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// Bounds the time in which a worker takes the key that it was sent, where keys have a deadline: the larger of the two.
/// It has nothing else to do then, and needs some microseconds; one that does not was stopped, or the machine is
/// overloaded, and of that no key may die.
const TAKE_PATIENCE: Duration = Duration::from_secs(1);

/// Bounds the time in which a worker loads a workload, where keys have a deadline: so much, and for each byte what
/// [`LOAD_PATIENCE_PER_BYTE`] says. Without a deadline, a worker may load for as long as it likes.
const LOAD_PATIENCE: Duration = HELLO_PATIENCE;

/// A megabyte a second: an unoptimised serde decodes ten.
const LOAD_PATIENCE_PER_BYTE: Duration = Duration::from_micros(1);

/// Bounds the workload that is sent to a process before it has said hello, in bytes: what the channel holds for sure, so
/// that the parent never waits for room when it should wait for the hello. It spares a fresh process one round trip.
const AHEAD: usize = 16 << 10;

/// The parent's side of all that is said on one channel.
pub(crate) struct Conversation {
    pub(crate) channel: Channel,
    pub(crate) state: State,
    /// Whether a key was answered.
    pub(crate) answered: bool,
    /// The number of the last request.
    calls: u64,
    /// The digest of the workload that the worker has.
    loaded: Option<u128>,
}

impl Conversation {
    /// With a process that was just started.
    pub(crate) fn new(channel: Channel) -> Self {
        let mut new = Conversation { channel, state: State::Spawned, answered: false, calls: 0, loaded: None };
        new.enter(State::Spawned, Some(HELLO_PATIENCE));
        new
    }

    /// Sends what the worker needs and hears what it replies, from one state to the next. An error loses the worker in the
    /// state in which it is.
    pub(crate) fn expand<W: Portable>(
        &mut self,
        load: &Load<W>,
        index: usize,
        deadline: Option<Duration>,
    ) -> Result<Outcome<W::Output>, ReceiveError> {
        if let Some(refusal) = load.refusal() {
            return Ok(Err(refusal));
        }
        let limit = match caught(|| load.workload().max_bytes(index)) {
            Ok(limit) => limit,
            Err(message) => return Ok(Err(KeyError::Panicked { message })),
        };
        // What was said before this key is none of its last words; but those of a process that has not said hello may tell
        // why it never will.
        if self.state != State::Spawned {
            self.channel.words.forget();
        }
        let workload = self.send_workload(load, deadline)?;
        // Sent before the replies to all that went before, so that a fresh process need not wait for the next request.
        let key = self.request(Request::Key { index: index as u64 }, &[])?;
        self.hear_hello()?;
        if let Some(call) = workload {
            if self.state != State::Loading {
                self.enter(State::Loading, deadline.map(|_| load_patience(load)));
            }
            self.hear_loaded(call, load)?;
        }
        self.enter(State::Asked, deadline.map(|deadline| deadline.max(TAKE_PATIENCE)));
        match self.hear(key, 0)?.kind {
            Kind::Taken => {}
            Kind::Refused => {
                let error = load.refuse(self.text()?);
                self.enter(State::Idle, None);
                return Ok(Err(error));
            }
            told => return Err(order(told, "taken")),
        }
        self.enter(State::Computing, deadline);
        let head = self.hear(key, limit)?;
        self.state = State::Sending;
        let outcome = match head.kind {
            Kind::Output => self.output::<W>()?,
            Kind::Panicked => Err(KeyError::Panicked { message: self.text()? }),
            Kind::Unsent => Err(KeyError::NotCrossed { reason: self.text()? }),
            told => return Err(order(told, "an answer")),
        };
        self.answered = true;
        self.enter(State::Idle, None);
        Ok(outcome)
    }

    /// A state ends when the next begins, or the worker is lost: when it was waited for longer than `patience`.
    fn enter(&mut self, state: State, patience: Option<Duration>) {
        self.state = state;
        self.channel.patience = patience.map(Patience::of);
    }

    /// Sends the workload, unless the worker has it. The call that it is.
    fn send_workload<W: Portable>(
        &mut self,
        load: &Load<W>,
        deadline: Option<Duration>,
    ) -> Result<Option<u64>, ReceiveError> {
        let encoded = load.encoded();
        if self.loaded == Some(encoded.digest) {
            return Ok(None);
        }
        if encoded.len() > AHEAD {
            self.hear_hello()?;
        }
        if self.state != State::Spawned {
            self.enter(State::Loading, deadline.map(|_| load_patience(load)));
        }
        let request = Request::Workload { length: encoded.len() as u64 };
        let call = self.request(request, &encoded.head)?;
        self.channel.send(&encoded.body)?;
        self.loaded = None;
        Ok(Some(call))
    }

    /// Sends a request, and the start of what belongs to it. The call that it is.
    fn request(&mut self, request: Request, with: &[u8]) -> Result<u64, Broken> {
        self.calls += 1;
        self.channel.send(&[&request.encode(self.calls), with].concat())?;
        Ok(self.calls)
    }

    pub(crate) fn hear_hello(&mut self) -> Result<(), ReceiveError> {
        if self.state == State::Spawned {
            check_hello(self.channel.receive_array::<HELLO>()?).map_err(invalid)?;
            self.enter(State::Ready, None);
        }
        Ok(())
    }

    /// A worker that refuses the workload refuses its keys too, and says so to each.
    fn hear_loaded<W: Portable>(&mut self, call: u64, load: &Load<W>) -> Result<(), ReceiveError> {
        match self.hear(call, 0)?.kind {
            Kind::Loaded => {
                self.loaded = Some(load.encoded().digest);
                Ok(())
            }
            Kind::Refused => {
                load.refuse(self.text()?);
                Ok(())
            }
            told => Err(order(told, "loaded")),
        }
    }

    /// The head of the reply to `call`, in which an output has at most `limit` bytes.
    fn hear(&mut self, call: u64, limit: u64) -> Result<Head, ReceiveError> {
        let head = decode_reply(self.channel.receive_array::<REPLY>()?, call, limit).map_err(invalid)?;
        self.channel.left = head.length;
        Ok(head)
    }

    fn text(&mut self) -> Result<String, ReceiveError> {
        let bytes = Body { channel: &mut self.channel }.read_rest()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Receives an output. If its codec can make none of it here, that costs the key and not the worker, which goes on where
    /// the answer ends.
    fn output<W: Portable>(&mut self) -> Result<Outcome<W::Output>, ReceiveError> {
        let body = Body { channel: &mut self.channel };
        let received = caught(|| W::Codec::receive(body));
        if let Ok(Err(lost @ ReceiveError::Lost(_))) = received {
            return Err(lost);
        }
        let left = self.channel.left;
        // If the codec overlooked that its worker is lost, it shows here.
        self.channel.skip_rest()?;
        Ok(match received {
            Ok(Ok(output)) if left > 0 => {
                let _told = caught(|| drop(output));
                Err(KeyError::NotCrossed { reason: format!("{left} bytes were left of it") })
            }
            Ok(Ok(output)) => Ok(output),
            Ok(Err(ReceiveError::NoMemory { bytes })) => Err(KeyError::NoMemory { bytes }),
            Ok(Err(error)) => Err(KeyError::NotCrossed { reason: error.to_string() }),
            Err(message) => Err(KeyError::Panicked { message: format!("in the parent: {message}") }),
        })
    }
}

fn load_patience<W: Portable>(load: &Load<W>) -> Duration {
    let bytes = u32::try_from(load.encoded().len()).unwrap_or(u32::MAX);
    LOAD_PATIENCE + LOAD_PATIENCE_PER_BYTE * bytes
}

fn order(told: Kind, expected: &'static str) -> ReceiveError {
    invalid(Violation::Order { told: told.name(), expected })
}

fn invalid(violation: impl ToString) -> ReceiveError {
    ReceiveError::Invalid(violation.to_string())
}

impl From<Broken> for ReceiveError {
    fn from(broken: Broken) -> Self {
        ReceiveError::Lost(broken)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::mem::MaybeUninit;

    use kernel::Workload;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::codec::Answer;
    use crate::listening::{Blocks, KEYS, Texts, listens, peak};
    use crate::protocol::{encode_reply, hello};

    /// What comes before the answers: the workload is call 1, and key `index` is call `2 + index`.
    fn opening() -> Vec<u8> {
        [&hello()[..], &encode_reply(Kind::Loaded, 1, 0)].concat()
    }

    fn call(index: usize) -> u64 {
        2 + index as u64
    }

    /// A key's whole reply, of which the head may lie about the length.
    fn reply(kind: Kind, index: usize, lie: Option<u64>, body: &[u8]) -> Vec<u8> {
        let length = lie.unwrap_or(body.len() as u64);
        [&encode_reply(Kind::Taken, call(index), 0)[..], &encode_reply(kind, call(index), length), body].concat()
    }

    /// A worker's whole speech, and then a part of it changed, cut out or cut off: most of what is said is right, so
    /// that what is wrong is met everywhere.
    fn speech() -> impl Strategy<Value = Vec<u8>> {
        let kinds = prop_oneof![
            4 => Just(Kind::Output),
            1 => Just(Kind::Panicked),
            1 => Just(Kind::Unsent),
            1 => Just(Kind::Refused),
            1 => Just(Kind::Taken)
        ];
        let lies = prop_oneof![5 => Just(None), 1 => any::<u64>().prop_map(Some)];
        let body = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..900),
            (0..100_usize).prop_map(|values| vec![7; 8 * values]),
            (0..KEYS).prop_map(|index| postcard::to_stdvec(&Texts.expand(index)).unwrap()),
        ];
        let answers = prop::collection::vec((kinds, lies, body), 0..=KEYS);
        let change = prop::option::of((any::<Index>(), any::<Index>(), prop::collection::vec(any::<u8>(), 0..40)));
        (answers, change).prop_map(|(answers, change)| {
            let mut said = opening();
            for (index, (kind, lie, body)) in answers.into_iter().enumerate() {
                said.extend(reply(kind, index, lie, &body));
            }
            if let Some((start, length, instead)) = change {
                let start = start.index(said.len());
                let end = start + length.index(said.len() - start + 1).min(30);
                said.splice(start..end, instead);
            }
            said
        })
    }

    fn fuzz<W: Portable>(workload: impl Fn() -> W, size: impl Fn(&W::Output) -> usize) {
        // Each takes some twenty microseconds, so that a run is over in seconds in a debug build too. More of them, once:
        // PROPTEST_CASES.
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { 10_000 };
        let before = peak();
        proptest!(ProptestConfig { cases, ..config }, |(
            said in prop_oneof![9 => speech(), 1 => prop::collection::vec(any::<u8>(), 0..200)]
        )| {
            for heard in listens(&said, workload()) {
                match heard {
                    Ok(Ok(output)) => prop_assert!(size(&output) <= 800),
                    Ok(Err(error)) => prop_assert!(error.to_string().len() <= 3 * 2048 + 64, "{}", error),
                    Err(ReceiveError::Invalid(_) | ReceiveError::Lost(Broken::Closed)) => {}
                    Err(error) => prop_assert!(false, "{:?}", error),
                }
            }
        });
        if let (Some(before), Some(after)) = (before, peak()) {
            // A lie is of 2^63 bytes on average; what else runs in this process has threads, and they have stacks.
            assert!(after - before < 1 << 20, "{} kB", after - before);
        }
    }

    #[test]
    fn p06_no_conversation_makes_a_parent_panic_hang_or_allocate_blocks() {
        fuzz(|| Blocks, |block| size_of_val(&block[..]));
    }

    #[test]
    fn p06_no_conversation_makes_a_parent_panic_hang_or_allocate_what_serde_is_told() {
        fuzz(|| Texts, |texts| texts.iter().map(|(text, _)| text.len() + 1).sum());
    }

    #[test]
    fn p06_what_was_said_rightly_is_heard() {
        let said = (0..KEYS).fold(opening(), |mut said, index| {
            said.extend(reply(Kind::Output, index, None, &postcard::to_stdvec(&Texts.expand(index)).unwrap()));
            said
        });
        let heard = listens(&said, Texts).into_iter().map(|heard| heard.unwrap().unwrap());
        assert_eq!(heard.collect::<Vec<_>>(), (0..KEYS).map(|index| Texts.expand(index)).collect::<Vec<_>>());
    }

    /// What the fuzzer begins with.
    #[test]
    fn the_seeds_of_the_fuzzer_are_heard_as_they_should_be() {
        let told = |said: &[u8]| {
            let heard = listens(said, Texts).into_iter();
            heard.map(|outcome| outcome.unwrap().map_err(|error| error.to_string())).collect::<Vec<_>>()
        };
        let right = (0..KEYS).map(|index| Ok(Texts.expand(index))).collect::<Vec<_>>();
        assert_eq!(told(include_bytes!("../../../fuzz/seeds/texts")), right);
        let failures = told(include_bytes!("../../../fuzz/seeds/failures"));
        assert_eq!(failures[0], Err(String::from("panicked: panic")));
        assert_eq!(failures[1], Err(String::from("its output could not cross: unsent")));
        assert_eq!(failures[2..], right[2..]);
        let refused = told(include_bytes!("../../../fuzz/seeds/refused"));
        assert_eq!(refused, vec![Err(String::from("could not be started: no")); KEYS]);
        let blocks = listens(include_bytes!("../../../fuzz/seeds/blocks"), Blocks);
        assert!(blocks.into_iter().all(|outcome| outcome.unwrap().unwrap() == vec![0.0; 100]));
    }

    /// The outcomes of keys whose codec does what it likes with answers of 50,000 bytes.
    fn by_its_codec<W: Portable>(workload: W) -> Vec<Result<Outcome<W::Output>, ReceiveError>> {
        let large = reply(Kind::Output, 0, None, &[7; 50_000]);
        let said = [opening(), large, reply(Kind::Panicked, 1, None, b"the next key's")].concat();
        let heard = listens(&said, workload);
        let next = heard[1].as_ref().expect("the worker was kept");
        assert!(matches!(next, Err(KeyError::Panicked { message }) if message == "the next key's"));
        heard
    }

    #[derive(Serialize, Deserialize)]
    struct Careless;

    #[derive(Serialize, Deserialize)]
    struct Panics;

    #[derive(Serialize, Deserialize)]
    struct Endless;

    impl Codec<u8> for Panics {
        fn send(_: &u8, answer: Answer<'_>) -> io::Result<()> {
            answer.send(&[])
        }

        fn receive(_: Body<'_>) -> Result<u8, ReceiveError> {
            panic!("the codec's own")
        }
    }

    impl Codec<u8> for Endless {
        fn send(_: &u8, answer: Answer<'_>) -> io::Result<()> {
            answer.send(&[])
        }

        fn receive(mut body: Body<'_>) -> Result<u8, ReceiveError> {
            let bytes = body.left() as usize;
            body.read(&mut [MaybeUninit::uninit(); 10])?;
            Err(ReceiveError::NoMemory { bytes })
        }
    }

    macro_rules! sevens {
        ($workload:ident) => {
            impl Workload for $workload {
                type Output = u8;

                fn keys(&self) -> usize {
                    KEYS
                }

                fn expand(&self, _: usize) -> u8 {
                    7
                }
            }

            impl Portable for $workload {
                const NAME: &'static str = stringify!($workload);
                type Codec = $workload;

                fn max_bytes(&self, _: usize) -> u64 {
                    u64::MAX
                }
            }
        };
    }

    impl Codec<u8> for Careless {
        fn send(_: &u8, answer: Answer<'_>) -> io::Result<()> {
            answer.send(&[])
        }

        fn receive(mut body: Body<'_>) -> Result<u8, ReceiveError> {
            body.read_rest().unwrap_or_default();
            Ok(7)
        }
    }

    sevens!(Careless);
    sevens!(Panics);
    sevens!(Endless);

    #[test]
    fn a_codec_that_panics_in_the_parent_is_that_keys_failure_alone() {
        let Ok(Err(KeyError::Panicked { message })) = &by_its_codec(Panics)[0] else { panic!("no panic") };
        assert_eq!(message, "in the parent: the codec's own");
    }

    #[test]
    fn a_codec_that_overlooks_the_loss_of_its_worker_makes_no_output() {
        let half = reply(Kind::Output, 0, Some(50_000), &[7; 20_000]);
        let heard = listens(&[opening(), half].concat(), Careless);
        assert!(matches!(heard.as_slice(), [Err(ReceiveError::Lost(Broken::Closed))]));
    }

    #[test]
    fn an_output_without_memory_is_that_keys_failure_alone() {
        assert!(matches!(by_its_codec(Endless)[0], Ok(Err(KeyError::NoMemory { bytes: 50_000 }))));
    }
}
