//! What a parent and its worker say to each other, and the states that this leads through.

use std::any::TypeId;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crate::channel::{Channel, Patience};
use crate::error::{Broken, CallError, Crossing, Outcome, caught};
use crate::protocol::{Ask, HELLO, Head, Identity, Kind, REPLY, Request, Violation, check_hello, decode_reply};
use crate::share::{Kept, Loaded, SharedBytes};
use crate::state::State;
use crate::task::{Task, called, called_name, identity};
use crate::transfer::{Frame, Incoming, Outgoing, ReceiveError, Transfer, received_output};

/// Bounds the time from a process's start to its hello. When it passes, the process is killed and the start is an
/// error: without it, a program that does not know it should be a worker would be waited for as long as it runs. Hard
/// coded, since no job's size has a part in it: a start takes about a millisecond. Ten seconds are four orders of
/// magnitude above that, for a machine that swaps.
pub(crate) const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// Bounds the time in which a worker takes the call that it was sent, where calls have a deadline: the larger of the two.
/// It has nothing else to do then, and needs some microseconds; one that does not was stopped, or the machine is
/// overloaded, and of that no call may die.
const TAKE_PATIENCE: Duration = Duration::from_secs(1);

/// Bounds the time in which a worker loads a shared value, where calls have a deadline: so much, and for each byte what
/// [`LOAD_PATIENCE_PER_BYTE`] says. Without a deadline, a worker may load for as long as it likes.
const LOAD_PATIENCE: Duration = HELLO_PATIENCE;

/// A megabyte a second: an unoptimised serde decodes ten.
const LOAD_PATIENCE_PER_BYTE: Duration = Duration::from_micros(1);

/// Bounds what is sent to a process before it has said hello, and the input that is sent before its call was taken, in
/// bytes: what the channel holds for sure, so that the parent never waits for room when it should wait for a reply. It
/// spares small calls a round trip.
const AHEAD: usize = 16 << 10;

/// The parent's side of all that is said on one channel.
pub(crate) struct Conversation {
    pub(crate) channel: Channel,
    pub(crate) state: State,
    /// Whether a call was answered.
    pub(crate) answered: bool,
    /// Whether this process has sent less than it announced, so that the worker waits for ever.
    pub(crate) spoilt: bool,
    /// The number of the last request.
    requests: u64,
    /// The last task that was asked for. It takes longer to work out than to send.
    asked: Option<(TypeId, Identity)>,
    /// What the worker has, or was sent.
    pub(crate) loaded: Loaded,
    /// A shared value that was sent and not replied to.
    sharing: Option<Sharing>,
}

struct Sharing {
    call: u64,
    shared: Arc<SharedBytes>,
    /// Sent under a deadline.
    patience: Option<Duration>,
}

/// What is asked of a worker: all of a call but its type.
pub(crate) struct Ordered<'a> {
    pub(crate) shared: &'a Arc<SharedBytes>,
    pub(crate) attempt: u32,
    pub(crate) deadline: Option<Duration>,
}

impl Conversation {
    /// With a process that was just started.
    pub(crate) fn new(channel: Channel) -> Self {
        let mut new = Conversation {
            channel,
            state: State::Spawned,
            answered: false,
            spoilt: false,
            requests: 0,
            asked: None,
            loaded: Loaded::default(),
            sharing: None,
        };
        new.enter(State::Spawned, Some(HELLO_PATIENCE));
        new
    }

    /// Sends what the worker needs and hears what it replies, from one state to the next. An error loses the worker in the
    /// state in which it is.
    pub(crate) fn call<T: Task>(
        &mut self,
        input: &T::Input,
        ordered: &Ordered<'_>,
    ) -> Result<Outcome<T::Output>, ReceiveError> {
        let limit = match caught(|| T::limit(input)) {
            Ok(limit) => limit,
            Err(message) => return self.unsent(CallError::Panicked { message }),
        };
        // What was said before this call is none of its last words; but those of a process that has not said hello may tell
        // why it never will.
        if self.state != State::Spawned {
            self.channel.words.forget();
        }
        self.forget_dropped()?;
        let task = self.identity::<T>(input);
        self.share(ordered, task)?;
        let head =
            Request { ask: Ask::Call, attempt: ordered.attempt, length: 0, limit, shared: ordered.shared.id, task };
        let mut asking =
            Asking { conversation: self, head, deadline: ordered.deadline, call: 0, owed: 0, state: Asked::Not };
        let sent = caught(|| input.send(Outgoing::new(&mut asking, u64::MAX)));
        let Asking { call, owed, state, .. } = asking;
        let not_crossed = |reason: String| CallError::NotCrossed { value: Crossing::Input, reason };
        match (sent, state) {
            (_, Asked::Lost(lost)) => return Err(lost),
            (_, Asked::Failed(reason)) => return self.unsent(not_crossed(reason)),
            (Ok(Ok(())), Asked::Not) => return self.unsent(not_crossed(String::from("nothing was sent of it"))),
            (Ok(Err(error)), Asked::Not) => return self.unsent(not_crossed(error.to_string())),
            (Err(message), Asked::Not) => return self.unsent(CallError::Panicked { message }),
            (sent, _) if owed > 0 => {
                self.spoilt = true;
                let why = match sent {
                    Ok(Ok(())) => String::new(),
                    Ok(Err(error)) => format!(": {error}"),
                    Err(message) => format!(": it panicked: {message}"),
                };
                return Ok(Err(not_crossed(format!("{owed} bytes of it were left unsent{why}"))));
            }
            (_, Asked::Sent) => {
                self.settle()?;
                self.enter(State::Asked, ordered.deadline.map(|deadline| deadline.max(TAKE_PATIENCE)));
                if let Some(reason) = self.hear_taken(call, ordered.deadline)? {
                    return Ok(Err(self.refused::<T>(input, &reason, ordered)));
                }
            }
            (_, Asked::Taken) => {}
            (_, Asked::Refused(reason)) => return Ok(Err(self.refused::<T>(input, &reason, ordered))),
        }
        let head = self.hear(call, limit)?;
        self.state = State::Sending;
        let outcome = match head.kind {
            Kind::Output => self.output::<T>()?,
            Kind::Panicked => Err(CallError::Panicked { message: self.text()? }),
            Kind::Unsent => Err(CallError::NotCrossed { value: Crossing::Output, reason: self.text()? }),
            Kind::Unreceived => Err(CallError::NotCrossed { value: Crossing::Input, reason: self.text()? }),
            told => return Err(order(told, "an answer")),
        };
        self.channel.words.tell_all();
        self.answered = true;
        self.enter(State::Idle, None);
        Ok(outcome)
    }

    /// Nothing of the call was sent. What was sent before it is replied to all the same: a worker that replies when it waits
    /// for its next call would seem to speak unasked.
    fn unsent<O>(&mut self, failure: CallError) -> Result<Outcome<O>, ReceiveError> {
        self.settle()?;
        self.enter(State::Idle, None);
        Ok(Err(failure))
    }

    fn identity<T: Task>(&mut self, input: &T::Input) -> Identity {
        match self.asked {
            _ if T::relays(input).is_some() => called::<T>(input),
            Some((asked, identity)) if asked == TypeId::of::<T>() => identity,
            _ => self.asked.insert((TypeId::of::<T>(), identity::<T>())).1,
        }
    }

    /// A state ends when the next begins, or the worker is lost: when it was waited for longer than `patience`.
    fn enter(&mut self, state: State, patience: Option<Duration>) {
        self.state = state;
        self.channel.patience = patience.map(Patience::of);
    }

    /// Has the worker drop what nobody here shares any more.
    pub(crate) fn forget_dropped(&mut self) -> Result<(), Broken> {
        for shared in self.loaded.dropped() {
            let task = Identity { name: 0, build: 0 };
            self.request(Request { ask: Ask::Forget, attempt: 0, length: 0, limit: 0, shared, task }, &[])?;
        }
        Ok(())
    }

    /// Sends the shared value, unless the worker has it.
    fn share(&mut self, ordered: &Ordered<'_>, task: Identity) -> Result<(), ReceiveError> {
        let shared = ordered.shared;
        if self.loaded.has(shared) {
            return Ok(());
        }
        let length = shared.kept.length();
        if matches!(shared.kept, Kept::Here(_)) && length > AHEAD as u64 {
            self.hear_hello()?;
        }
        let patience = ordered.deadline.map(|_| load_patience(length));
        if self.state != State::Spawned {
            self.enter(State::Loading, patience);
        }
        let request = |ask| Request { ask, attempt: 0, length, limit: 0, shared: shared.id, task };
        let call = match &shared.kept {
            Kept::Here(bytes) if bytes.len() <= AHEAD => self.request(request(Ask::Share), bytes)?,
            Kept::Here(bytes) => {
                let call = self.request(request(Ask::Share), &[])?;
                self.channel.send(bytes)?;
                call
            }
            Kept::File { file, .. } => {
                self.requests += 1;
                let head = request(Ask::ShareFile).encode(self.requests);
                self.channel.send_with(&head, file.as_fd())?;
                self.requests
            }
        };
        self.sharing = Some(Sharing { call, shared: Arc::clone(shared), patience });
        Ok(())
    }

    /// Sends a request, and the start of what belongs to it. The call that it is.
    fn request(&mut self, request: Request, with: &[u8]) -> Result<u64, Broken> {
        self.requests += 1;
        self.channel.send(&[&request.encode(self.requests), with].concat())?;
        Ok(self.requests)
    }

    pub(crate) fn hear_hello(&mut self) -> Result<(), ReceiveError> {
        if self.state == State::Spawned {
            check_hello(self.channel.receive_array::<HELLO>()?).map_err(invalid)?;
            self.enter(State::Ready, None);
        }
        Ok(())
    }

    /// Hears all replies but that to a call. A worker that refuses the shared value refuses its calls too, and says so to
    /// each.
    fn settle(&mut self) -> Result<(), ReceiveError> {
        self.hear_hello()?;
        let Some(Sharing { call, shared, patience }) = self.sharing.take() else { return Ok(()) };
        if self.state != State::Loading {
            self.enter(State::Loading, patience);
        }
        match self.hear(call, 0)?.kind {
            Kind::Loaded => self.loaded.add(&shared),
            // Another task may be able to use it: it is sent again with that.
            Kind::Refused => _ = self.text()?,
            told => return Err(order(told, "loaded")),
        }
        Ok(())
    }

    /// Whether the worker has taken the call; if not, why.
    fn hear_taken(&mut self, call: u64, deadline: Option<Duration>) -> Result<Option<String>, ReceiveError> {
        match self.hear(call, 0)?.kind {
            Kind::Taken => {
                self.enter(State::Computing, deadline);
                Ok(None)
            }
            Kind::Refused => self.text().map(Some),
            told => Err(order(told, "taken")),
        }
    }

    /// No other worker would take the call either.
    fn refused<T: Task>(&mut self, input: &T::Input, reason: &str, ordered: &Ordered<'_>) -> CallError {
        self.enter(State::Idle, None);
        ordered.shared.refuse(called::<T>(input), reason);
        refused::<T>(input, reason)
    }

    /// The head of the reply to `call`, in which an output has at most `limit` bytes.
    fn hear(&mut self, call: u64, limit: u64) -> Result<Head, ReceiveError> {
        let head = decode_reply(self.channel.receive_array::<REPLY>()?, call, limit).map_err(invalid)?;
        self.channel.left = head.length;
        Ok(head)
    }

    fn text(&mut self) -> Result<String, ReceiveError> {
        let bytes = Incoming::new(&mut self.channel).read_rest()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Receives an output. If nothing can be made of it here, that costs the call and not the worker, which goes on where
    /// the answer ends.
    fn output<T: Task>(&mut self) -> Result<Outcome<T::Output>, ReceiveError> {
        let received = caught(|| T::Output::receive(Incoming::new(&mut self.channel)));
        if let Ok(Err(lost @ ReceiveError::Lost(_))) = received {
            return Err(lost);
        }
        let left = self.channel.left;
        // If `receive` overlooked that the worker is lost, it shows here.
        self.channel.skip_rest()?;
        Ok(received_output(received, left))
    }
}

/// A call that is being sent.
struct Asking<'a> {
    conversation: &'a mut Conversation,
    head: Request,
    deadline: Option<Duration>,
    call: u64,
    owed: u64,
    state: Asked,
}

enum Asked {
    /// Nothing was sent yet.
    Not,
    /// It was sent; whether it was taken is to be heard.
    Sent,
    Taken,
    /// It was refused. The worker skips what it is sent of the input.
    Refused(String),
    /// There is no input.
    Failed(String),
    Lost(ReceiveError),
}

impl Asking<'_> {
    /// The worker is lost, or all is well.
    fn checked<R>(&mut self, done: Result<R, ReceiveError>) -> io::Result<R> {
        done.map_err(|lost| {
            self.state = Asked::Lost(lost);
            io::Error::from(io::ErrorKind::BrokenPipe)
        })
    }

    fn start(&mut self, length: u64, with: &[u8]) -> Result<(), ReceiveError> {
        self.head.length = length;
        // What is not sent in one go waits until the call was taken: the time in which it is sent is the call's, and so is the
        // loss of a worker meanwhile.
        let waits = length > with.len() as u64;
        if waits {
            self.conversation.settle()?;
            let patience = self.deadline.map(|deadline| deadline.max(TAKE_PATIENCE));
            self.conversation.enter(State::Asked, patience);
        }
        self.call = self.conversation.request(self.head, with)?;
        self.state = Asked::Sent;
        if waits {
            let refusal = self.conversation.hear_taken(self.call, self.deadline)?;
            self.state = refusal.map_or(Asked::Taken, Asked::Refused);
        }
        Ok(())
    }
}

impl Frame for Asking<'_> {
    fn whole(&mut self, value: &[u8]) -> io::Result<()> {
        if value.len() <= AHEAD {
            let started = self.start(value.len() as u64, value);
            return self.checked(started);
        }
        self.begin(value.len() as u64)?;
        self.part(value).map(drop)
    }

    fn begin(&mut self, length: u64) -> io::Result<()> {
        let started = self.start(length, &[]);
        self.checked(started)?;
        self.owed = length;
        Ok(())
    }

    fn part(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.conversation.channel.send(bytes).map_err(ReceiveError::Lost);
        self.checked(sent)?;
        self.owed = self.owed.saturating_sub(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn owed(&self) -> u64 {
        self.owed
    }

    fn fail(&mut self, reason: &str) -> io::Result<()> {
        self.state = Asked::Failed(reason.to_owned());
        Ok(())
    }

    fn call(&self) -> u64 {
        self.call
    }
}

/// Why no worker runs this task.
pub(crate) fn refused<T: Task>(input: &T::Input, reason: &str) -> CallError {
    CallError::Refused { reason: format!("`{}`: {reason}", called_name::<T>(input)) }
}

fn load_patience(length: u64) -> Duration {
    LOAD_PATIENCE + LOAD_PATIENCE_PER_BYTE * u32::try_from(length).unwrap_or(u32::MAX)
}

fn order(told: Kind, expected: &'static str) -> ReceiveError {
    invalid(Violation::Order { told: told.name(), expected })
}

fn invalid(violation: impl ToString) -> ReceiveError {
    ReceiveError::Invalid(violation.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::mem::MaybeUninit;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use proptest::prelude::*;
    use proptest::sample::Index;
    use proptest::test_runner::RngAlgorithm;

    use super::*;
    use crate::listening::{Blocks, CALLS, Texts, listens, peak, with};
    use crate::protocol::{REQUEST, encode_reply, hello};
    use crate::share::Shared;
    use crate::task::Here;
    use crate::transfer::Raw;

    /// What comes before the answers: the shared value is call 1, and the call of an index is call `2 + index`.
    fn opening() -> Vec<u8> {
        [&hello()[..], &encode_reply(Kind::Loaded, 1, 0)].concat()
    }

    fn call(index: usize) -> u64 {
        2 + index as u64
    }

    /// The whole reply to a call, of which the head may lie about the length.
    fn reply(kind: Kind, index: usize, lie: Option<u64>, body: &[u8]) -> Vec<u8> {
        let length = lie.unwrap_or(body.len() as u64);
        [&encode_reply(Kind::Taken, call(index), 0)[..], &encode_reply(kind, call(index), length), body].concat()
    }

    fn texts(index: usize) -> Vec<(String, Option<u64>)> {
        Texts::call(&7, index, &mut Here::new())
    }

    /// A worker's whole speech, and then a part of it changed, cut out or cut off: most of what is said is right, so
    /// that what is wrong is met everywhere.
    fn speech() -> impl Strategy<Value = Vec<u8>> {
        let kinds = prop_oneof![
            5 => Just(Kind::Output),
            1 => Just(Kind::Panicked),
            1 => Just(Kind::Unsent),
            1 => Just(Kind::Unreceived),
            1 => Just(Kind::Refused),
            1 => Just(Kind::Taken)
        ];
        let lies = prop_oneof![5 => Just(None), 1 => any::<u64>().prop_map(Some)];
        let body = prop_oneof![
            // Up to 900, of which few are drawn: that costs more than to hear them.
            (prop::collection::vec(any::<u8>(), 0..31), 0..31_usize).prop_map(|(bytes, times)| bytes.repeat(times)),
            (0..100_usize).prop_map(|values| vec![7; 8 * values]),
            (0..CALLS).prop_map(|index| postcard::to_stdvec(&texts(index)).unwrap()),
        ];
        let answers = prop::collection::vec((kinds, lies, body), 0..=CALLS);
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

    fn fuzz<T: Task<Shared = u8, Input = usize>>(task: impl Fn() -> T, size: impl Fn(&T::Output) -> usize) {
        // Each takes some hundred microseconds in a debug build, so that a run is over in seconds. More of them, once:
        // PROPTEST_CASES.
        let rng_algorithm = RngAlgorithm::XorShift; // The default takes most of the time in a debug build.
        let config = ProptestConfig { failure_persistence: None, rng_algorithm, ..ProptestConfig::default() };
        let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { 10_000 };
        let before = peak();
        proptest!(ProptestConfig { cases, ..config }, |(
            said in prop_oneof![9 => speech(), 1 => prop::collection::vec(any::<u8>(), 0..200)]
        )| {
            for heard in listens(&said, task()) {
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
    fn no_conversation_makes_a_parent_panic_hang_or_allocate_blocks() {
        fuzz(|| Blocks, |Raw(block)| size_of_val(&block[..]));
    }

    #[test]
    fn no_conversation_makes_a_parent_panic_hang_or_allocate_what_serde_is_told() {
        fuzz(|| Texts, |texts| texts.iter().map(|(text, _)| text.len() + 1).sum());
    }

    /// What the fuzzer begins with: a worker that does everything right, and fails in each way that it may.
    fn seeds() -> [(&'static str, Vec<u8>); 4] {
        let answer = |index| reply(Kind::Output, index, None, &postcard::to_stdvec(&texts(index)).unwrap());
        let block = |index| reply(Kind::Output, index, None, &[0; 800]);
        let refusal = |call| [&encode_reply(Kind::Refused, call, 2)[..], b"no"].concat();
        let all = |told: &dyn Fn(usize) -> Vec<u8>| (0..CALLS).flat_map(told).collect::<Vec<_>>();
        let failure = |index| match index {
            0 => reply(Kind::Panicked, 0, None, b"panic"),
            1 => reply(Kind::Unsent, 1, None, b"unsent"),
            2 => reply(Kind::Unreceived, 2, None, b"unreceived"),
            _ => answer(index),
        };
        [
            ("texts", [opening(), all(&answer)].concat()),
            ("blocks", [opening(), all(&block)].concat()),
            ("failures", [opening(), all(&failure)].concat()),
            ("refused", [hello().to_vec(), refusal(1), all(&|index| refusal(call(index)))].concat()),
        ]
    }

    #[test]
    fn the_seeds_of_the_fuzzer_are_heard_as_they_should_be() {
        let [(_, right), (_, blocks), (_, failures), (_, refused)] = seeds();
        let told = |said: &[u8]| {
            let heard = listens(said, Texts).into_iter();
            heard.map(|outcome| outcome.unwrap().map_err(|error| error.to_string())).collect::<Vec<_>>()
        };
        let outputs = (0..CALLS).map(|index| Ok(texts(index))).collect::<Vec<_>>();
        assert_eq!(told(&right), outputs);
        let failures = told(&failures);
        assert_eq!(failures[0], Err(String::from("panicked: panic")));
        assert_eq!(failures[1], Err(String::from("its output could not cross: unsent")));
        assert_eq!(failures[2], Err(String::from("its input could not cross: unreceived")));
        assert_eq!(failures[3..], outputs[3..]);
        assert_eq!(told(&refused), vec![Err(String::from("no worker can run it: `texts`: no")); CALLS]);
        let blocks = listens(&blocks, Blocks).into_iter();
        assert_eq!(
            blocks.map(|outcome| outcome.unwrap().unwrap()).collect::<Vec<_>>(),
            vec![Raw(vec![0.0; 100]); CALLS]
        );
    }

    /// A package of this crate alone has none.
    #[test]
    fn the_seeds_of_the_fuzzer_are_those() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
        for (name, seed) in seeds().into_iter().filter(|_| folder.is_dir()) {
            if std::env::var_os("WRITE_SEEDS").is_some() {
                fs::write(folder.join(name), &seed).unwrap();
            }
            let kept = fs::read(folder.join(name)).unwrap();
            assert!(kept == seed, "`{name}`: WRITE_SEEDS=1 cargo test -p fanout-pool --lib seeds");
        }
    }

    /// The outcomes of calls whose output does what it likes with answers of 50,000 bytes.
    fn by_its_output<O: Transfer>() -> Vec<Result<Outcome<O>, ReceiveError>> {
        let large = reply(Kind::Output, 0, None, &[7; 50_000]);
        let said = [opening(), large, reply(Kind::Panicked, 1, None, b"the next call's")].concat();
        let heard = listens(&said, Of::<O>(std::marker::PhantomData));
        let next = heard[1].as_ref().expect("the worker was kept");
        assert!(matches!(next, Err(CallError::Panicked { message }) if message == "the next call's"));
        heard
    }

    /// A task with such outputs.
    struct Of<O>(std::marker::PhantomData<O>);

    impl<O: Transfer> Task for Of<O> {
        type Shared = u8;
        type Input = usize;
        type Output = O;

        fn call(_: &u8, _: usize, _: &mut Here) -> O {
            unreachable!("there is no worker")
        }
    }

    struct Panics;

    impl Transfer for Panics {
        fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
            to.send(&[])
        }

        fn receive(_: Incoming<'_>) -> Result<Self, ReceiveError> {
            panic!("the type's own")
        }
    }

    struct Endless;

    impl Transfer for Endless {
        fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
            to.send(&[])
        }

        fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
            let bytes = from.left() as usize;
            from.read(&mut [MaybeUninit::uninit(); 10])?;
            Err(ReceiveError::NoMemory { bytes })
        }
    }

    struct Careless;

    impl Transfer for Careless {
        fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
            to.send(&[])
        }

        fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
            from.read_rest().unwrap_or_default();
            Ok(Careless)
        }
    }

    struct Hasty;

    impl Transfer for Hasty {
        fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
            to.send(&[])
        }

        fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
            from.read_array::<10>().map(|_| Hasty)
        }
    }

    #[test]
    fn a_type_that_panics_in_the_parent_is_that_calls_failure_alone() {
        let Ok(Err(CallError::Panicked { message })) = &by_its_output::<Panics>()[0] else { panic!("no panic") };
        assert_eq!(message, "in the parent: the type's own");
    }

    #[test]
    fn a_type_that_overlooks_the_loss_of_its_worker_makes_no_output() {
        let half = reply(Kind::Output, 0, Some(50_000), &[7; 20_000]);
        let heard = listens(&[opening(), half].concat(), Of::<Careless>(std::marker::PhantomData));
        assert!(matches!(heard.as_slice(), [Err(ReceiveError::Lost(Broken::Closed))]));
    }

    #[test]
    fn an_output_without_memory_is_that_calls_failure_alone() {
        assert!(matches!(by_its_output::<Endless>()[0], Ok(Err(CallError::NoMemory { bytes: 50_000 }))));
    }

    #[test]
    fn an_output_that_was_not_read_to_its_end_is_that_calls_failure_alone() {
        let Ok(Err(CallError::NotCrossed { value: Crossing::Output, reason })) = &by_its_output::<Hasty>()[0] else {
            panic!("an output of ten bytes")
        };
        assert_eq!(reason, "49990 bytes were left of it");
    }

    /// An input that is sent, or not, as it says.
    #[derive(Debug, Clone, Copy)]
    enum Sent {
        Whole(usize),
        Nothing,
        Fails,
        Errs,
        Panics,
        /// Half of ten bytes, and then one of the above.
        Half(&'static Sent),
    }

    impl Transfer for Sent {
        fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
            match *self {
                Sent::Whole(bytes) => to.send(&vec![7; bytes]),
                Sent::Nothing => Ok(()),
                Sent::Fails => to.fail("not this"),
                Sent::Errs => Err(io::Error::other("not now")),
                Sent::Panics => panic!("not ever"),
                Sent::Half(then) => {
                    to.announce(10)?.write_all(&[7; 5])?;
                    match then {
                        Sent::Errs => Err(io::Error::other("not now")),
                        Sent::Panics => panic!("not ever"),
                        _ => Ok(()),
                    }
                }
            }
        }

        fn receive(_: Incoming<'_>) -> Result<Self, ReceiveError> {
            unreachable!("there is no worker")
        }
    }

    impl Task for Sent {
        type Shared = u8;
        type Input = Sent;
        type Output = u8;

        fn call(_: &u8, _: Sent, _: &mut Here) -> u8 {
            unreachable!("there is no worker")
        }

        fn limit(input: &Sent) -> u64 {
            if let Sent::Whole(99) = input { panic!("of the limit") } else { 1 }
        }

        fn name() -> &'static str {
            "sent"
        }
    }

    /// What becomes of calls with these inputs, one after the other, with a worker that says this.
    fn sends(said: &[u8], inputs: &[Sent]) -> (Vec<Outcome<u8>>, Conversation, UnixStream) {
        let (mut conversation, worker) = with(said);
        let shared = Shared::new(&7).unwrap();
        let ordered = Ordered { shared: &shared.bytes, attempt: 0, deadline: None };
        let heard = inputs.iter().map(|input| conversation.call::<Sent>(input, &ordered).expect("the worker is kept"));
        (heard.collect(), conversation, worker)
    }

    fn told(outcome: &Outcome<u8>) -> String {
        outcome.as_ref().map_or_else(ToString::to_string, ToString::to_string)
    }

    /// Also if it is the first, when neither the hello nor the reply to the shared value was heard yet.
    #[test]
    fn an_input_that_is_not_sent_is_that_calls_failure_alone() {
        for (input, reason) in [
            (Sent::Nothing, "its input could not cross: nothing was sent of it"),
            (Sent::Fails, "its input could not cross: not this"),
            (Sent::Errs, "its input could not cross: not now"),
            (Sent::Panics, "panicked: not ever"),
            (Sent::Whole(99), "panicked: of the limit"),
        ] {
            let said = [opening(), reply(Kind::Output, 0, None, &[7]), reply(Kind::Output, 1, None, &[8])].concat();
            let whole = Sent::Whole(1);
            let (outcomes, mut conversation, mut worker) = sends(&said, &[input, input, whole, input, whole, input]);
            let outcomes: Vec<_> = outcomes.iter().map(told).collect();
            assert_eq!(outcomes, [reason, reason, "7", reason, "8", reason]);
            assert!(!conversation.spoilt);
            // All that was said is heard, so that a worker that waits for its next call does not seem to speak unasked.
            assert!(matches!(conversation.channel.receive_array::<1>(), Err(Broken::Closed)));
            drop(conversation);
            let mut asked = Vec::new();
            worker.read_to_end(&mut asked).unwrap();
            assert_eq!(asked.len(), 3 * (REQUEST + 1), "the shared value once, and two calls");
        }
    }

    #[test]
    fn a_worker_is_ready_for_its_next_call_when_the_first_was_not_sent() {
        for (input, said) in [(Sent::Nothing, opening()), (Sent::Whole(99), hello().to_vec())] {
            let (_, mut conversation, _worker) = sends(&said, &[input]);
            assert_eq!(conversation.state, State::Idle);
            assert!(matches!(conversation.channel.receive_array::<1>(), Err(Broken::Closed)));
        }
    }

    #[test]
    fn half_an_input_is_that_calls_failure_and_the_end_of_its_worker() {
        for (then, why) in
            [(&Sent::Nothing, ""), (&Sent::Errs, ": not now"), (&Sent::Panics, ": it panicked: not ever")]
        {
            let said = [opening(), reply(Kind::Output, 0, None, &[7]), encode_reply(Kind::Taken, call(1), 0).to_vec()];
            let (outcomes, conversation, _worker) = sends(&said.concat(), &[Sent::Whole(1), Sent::Half(then)]);
            assert_eq!(told(&outcomes[1]), format!("its input could not cross: 5 bytes of it were left unsent{why}"));
            assert!(conversation.spoilt, "the worker waits for the rest");
        }
    }

    /// The worker skips it.
    #[test]
    fn a_large_input_that_is_refused_is_sent_whole_and_the_next_call_is_right() {
        let large = AHEAD + 1;
        let refusal = [&encode_reply(Kind::Refused, call(0), 2)[..], b"no"].concat();
        let said = [opening(), refusal, reply(Kind::Output, 1, None, &[7])].concat();
        let (outcomes, conversation, mut worker) = sends(&said, &[Sent::Whole(large), Sent::Whole(large)]);
        let outcomes: Vec<_> = outcomes.iter().map(told).collect();
        assert_eq!(outcomes, ["no worker can run it: `sent`: no", "7"]);
        assert!(!conversation.spoilt);
        drop(conversation);
        let mut asked = Vec::new();
        worker.read_to_end(&mut asked).unwrap();
        assert_eq!(asked.len(), REQUEST + 1 + 2 * (REQUEST + large));
    }
}
