//! A batch, from its keys to their outcomes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_nats::Subject;
use bytes::Bytes;
use fanout::{Portable, Stream, not_started, remote};
use futures_util::future::join_all;
use kernel::{KeyError, Outcome};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::caller::{Caller, MOST_TRIES};
use crate::connect::{BROKER_PATIENCE, within};
use crate::driver::wait;
use crate::host::host;
use crate::members::{Batch, Event};
use crate::pieces::{Pieces, Source};
use crate::wire::{Failure, Job, Key, Offer, Offered, decode_offer, encode};

/// How many outputs are received at once, at most. Each takes a thread, and room for two pieces. It waits for its host more than
/// it computes, so that this is no question of CPUs; eight hosts at once keep any network busy.
const RECEIVERS: usize = 8;

/// How many keys are on their way to the server at once.
const PUBLISHED_AT_ONCE: usize = 256;

/// How many ticks must pass before what is missing is taken for lost: an agent that has it says so every other tick.
const TICKS: u32 = 4;

/// After how many ticks it is told how far a batch is.
const TELL_AGAIN: u32 = 10;

/// What is known of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// No outcome has come.
    Open,
    /// Its output comes.
    Receiving,
    Done,
}

/// Runs the keys of a workload on the agents that there are, and those that come.
pub(crate) fn run<W: Portable>(
    caller: &Caller,
    on: &Handle,
    workload: &Arc<W>,
    number: u64,
    deadline: Option<Duration>,
) -> Vec<Outcome<W::Output>> {
    let keys = workload.keys();
    let shared = match remote::encoded(&**workload) {
        Ok(shared) => shared,
        Err(reason) => return not_started(keys, &reason),
    };
    let job = Job { task: remote::task::<W>(), length: shared.encoded_len(), deadline };
    // An agent that is given nothing sees that something is missing.
    let piece = move |from, most| shared.encoded_piece(from, most).unwrap_or_default();
    let (events, happened) = mpsc::channel();
    let limit = |index| panic::catch_unwind(AssertUnwindSafe(|| workload.max_bytes(index)));
    let limits: Vec<_> = (0..keys).map(|index| limit(index).map_err(KeyError::from_panic)).collect();
    caller.members.begin(Batch::new(number, job, Box::new(piece), events.clone()));
    let cleared = wait(on, clear(caller)).map_err(|trouble| trouble.to_string()).and_then(|cleared| cleared);
    if let Err(reason) = cleared {
        caller.members.end(number);
        return not_started(keys, &reason);
    }
    let outcomes: Mutex<Vec<Option<Outcome<W::Output>>>> = Mutex::new((0..keys).map(|_| None).collect());
    let (offers, offered) = mpsc::channel();
    let offered = Mutex::new(offered);
    let mut course = Course::new(caller, on, number, limits, events.clone());
    let ended = thread::scope(|scope| {
        let start = || {
            let receive = || receive::<W>(caller, on, &offered, &outcomes, &events);
            thread::Builder::new().name("nats-receiver".into()).spawn_scoped(scope, receive).map(drop)
        };
        let ended = match start() {
            Ok(()) => {
                // Fewer will do.
                let _refused = (1..RECEIVERS.min(keys)).try_for_each(|_| start());
                course.run(&happened, &offers)
            }
            Err(error) => format!("no thread to receive outputs: {error}"),
        };
        // The receivers end with these: also those that wait for a piece, or have more to receive.
        drop(offers);
        caller.members.end(number);
        ended
    });
    caller.has_leftovers.store(course.left > 0 || !course.failed.is_empty(), Ordering::Relaxed);
    on.spawn(caller.beat());
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (index, error) in course.failed {
        outcomes[index].get_or_insert(Err(error));
    }
    let missing = || KeyError::NotStarted(io::Error::other(ended.clone()));
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(missing()))).collect()
}

/// Makes sure that there is a stream, and that nothing is left in it of a batch that ended early. It is not emptied without need:
/// the server would count keys that agents are about to acknowledge as in work for ten seconds more.
async fn clear(caller: &Caller) -> Result<(), String> {
    caller.make_stream().await?;
    if !caller.has_leftovers.swap(false, Ordering::Relaxed) {
        return Ok(());
    }
    let stream = within(BROKER_PATIENCE, caller.context.get_stream(caller.session.stream())).await?;
    within(BROKER_PATIENCE, async { stream.purge().await }).await.map(drop)
}

/// How far a batch is. One thread decides about its keys, from what happens.
struct Course<'a> {
    caller: &'a Caller,
    on: &'a Handle,
    number: u64,
    events: Sender<Event>,
    limits: Vec<u64>,
    progress: Vec<Progress>,
    left: usize,
    ticks: u32,
    /// The tasks that give keys to the server, by their numbers.
    publishing: HashMap<u64, AbortHandle>,
    published: u64,
    /// Keys that came to no agent once, for whatever reason, and were given to the server again.
    republished: Vec<bool>,
    /// How often, one after the other, the server had no key to give while some are open.
    drained: u32,
    /// Keys that the server has given up, and for how many ticks nobody has said that it has them.
    given_up: BTreeMap<usize, u32>,
    /// Keys whose outcome no agent has sent.
    failed: Vec<(usize, KeyError)>,
    /// The agents that cannot run keys of this batch, and what the last of them said.
    unusable: HashSet<String>,
    why_unusable: Option<(String, Failure)>,
}

/// An offer that a receiver takes.
struct Taken {
    offer: Offer,
    output: Bytes,
    reply: Subject,
    limit: u64,
}

impl<'a> Course<'a> {
    fn new(
        caller: &'a Caller,
        on: &'a Handle,
        number: u64,
        limits: Vec<Result<u64, KeyError>>,
        events: Sender<Event>,
    ) -> Self {
        let keys = limits.len();
        let mut course = Course {
            caller,
            on,
            number,
            events,
            limits: limits.iter().map(|limit| *limit.as_ref().unwrap_or(&0)).collect(),
            progress: vec![Progress::Open; keys],
            left: keys,
            ticks: 0,
            publishing: HashMap::new(),
            published: 0,
            republished: vec![false; keys],
            drained: 0,
            given_up: BTreeMap::new(),
            failed: Vec::new(),
            unusable: HashSet::new(),
            why_unusable: None,
        };
        for (index, limit) in limits.into_iter().enumerate() {
            if let Err(error) = limit {
                course.fail(index, error);
            }
        }
        course
    }

    /// Waits until each key has an outcome, or none can come any more. Why, in that case.
    fn run(&mut self, happened: &Receiver<Event>, offers: &Sender<Taken>) -> String {
        self.publish(self.open().collect());
        let mut ended = String::new();
        while self.left > 0 {
            // There is a sender here.
            let Ok(event) = happened.recv() else { break };
            match event {
                Event::Offer(message) => {
                    self.drained = 0;
                    if let Some(((offer, output), reply)) = decode_offer(&message.payload).zip(message.reply) {
                        self.offered(offer, output, reply, offers);
                    }
                }
                Event::Received(index) => self.done(index),
                Event::Interrupted(index) => self.progress[index] = Progress::Open,
                Event::GivenUp(key) if key.batch == self.number => _ = self.given_up.insert(key.index as usize, 0),
                Event::GivenUp(_) => {}
                Event::Published(task) => _ = self.publishing.remove(&task),
                Event::StreamLost => {
                    // None of them pays for it.
                    self.stop_publishing();
                    self.publish(self.open().collect());
                }
                Event::Drained => self.drained(),
                Event::Tick => self.tick(),
                Event::Ended(reason) => {
                    ended = reason;
                    break;
                }
            }
        }
        self.stop_publishing();
        ended
    }

    /// An agent offers what came of a key. Who has offered it before is answered by then; who offers it meanwhile asks again.
    fn offered(&mut self, offer: Offer, output: Bytes, reply: Subject, offers: &Sender<Taken>) {
        let index = offer.index as usize;
        let is_current = offer.batch == self.number;
        match (self.progress.get_mut(index), &offer.what) {
            (Some(Progress::Open), Offered::Unusable(failure)) if is_current => {
                self.why_unusable = Some((offer.host, failure.clone()));
                self.unusable.insert(offer.agent);
                confirm(self.caller, self.on, reply);
                self.fail_if_nobody_can();
                if self.progress[index] == Progress::Open {
                    // For another agent. This one does not take one again.
                    self.publish(vec![index]);
                }
            }
            // It offers again once it is heard of.
            (Some(Progress::Open), Offered::Large { .. })
                if is_current && !self.caller.members.is_here(&offer.agent) => {}
            (Some(progress @ Progress::Open), _) if is_current => {
                *progress = Progress::Receiving;
                let limit = self.limits[index];
                let _they_live_as_long = offers.send(Taken { offer, output, reply, limit });
            }
            (Some(Progress::Receiving), _) if is_current => {}
            // Whatever it is, nobody waits for it any more.
            _ => confirm(self.caller, self.on, reply),
        }
    }

    /// The keys of which no outcome has come.
    fn open(&self) -> impl Iterator<Item = usize> {
        let open = |(index, progress): (usize, &Progress)| (*progress == Progress::Open).then_some(index);
        self.progress.iter().enumerate().filter_map(open)
    }

    fn done(&mut self, index: usize) {
        if self.progress[index] != Progress::Done {
            self.progress[index] = Progress::Done;
            self.left -= 1;
        }
    }

    fn fail(&mut self, index: usize, error: KeyError) {
        self.failed.push((index, error));
        self.done(index);
    }

    fn give_up(&mut self, index: usize) {
        let hosts = self.caller.members.tried(index);
        self.fail(index, KeyError::HostsLost { hosts, tries: MOST_TRIES as u64 });
    }

    /// When all agents that there are cannot run keys of this batch, none of those that are left can be run.
    fn fail_if_nobody_can(&mut self) {
        let Some((host, failure)) = self.why_unusable.clone() else { return };
        if self.caller.members.are_all_in(&self.unusable) {
            for index in self.open().collect::<Vec<_>>() {
                self.fail(index, on_host(&host, failure.clone().into()));
            }
        }
    }

    /// Time has passed, or agents have left. A key that the server has given up may be in work all the same, where its agent could
    /// not say so to the server: it is lost if no agent says so to the caller.
    fn tick(&mut self) {
        self.ticks += 1;
        if self.ticks.is_multiple_of(TELL_AGAIN) {
            self.caller.members.progress(self.progress.len() - self.left, self.progress.len());
        }
        self.fail_if_nobody_can();
        let (members, progress) = (&self.caller.members, &self.progress);
        self.given_up.retain(|index, _| progress[*index] != Progress::Done);
        for (index, ticks) in &mut self.given_up {
            let is_there = progress[*index] == Progress::Receiving || members.is_held(*index);
            *ticks = if is_there { 0 } else { *ticks + 1 };
        }
        let lost: Vec<_> =
            self.given_up.iter().filter(|(_, ticks)| **ticks >= TICKS).map(|(index, _)| *index).collect();
        lost.into_iter().for_each(|index| self.give_up(index));
    }

    /// The server has nothing to give and waits for nothing. If keys are open all the same, and no agent has them, they never came
    /// to it, or were given up and nobody heard of that: they go to it again, once.
    fn drained(&mut self) {
        let members = &self.caller.members;
        let is_missing = |index: &usize| !self.given_up.contains_key(index) && !members.is_held(*index);
        let missing: Vec<_> = self.open().filter(is_missing).collect();
        if !self.publishing.is_empty() || missing.is_empty() {
            self.drained = 0;
            return;
        }
        self.drained += 1;
        if self.drained >= TICKS {
            self.drained = 0;
            let (lost, again): (Vec<_>, Vec<_>) = missing.into_iter().partition(|index| self.republished[*index]);
            lost.into_iter().for_each(|index| self.give_up(index));
            again.iter().for_each(|index| self.republished[*index] = true);
            self.publish(again);
        }
    }

    fn stop_publishing(&mut self) {
        self.publishing.drain().for_each(|(_, task)| task.abort());
    }

    /// Gives keys to the server, in a task of its own.
    fn publish(&mut self, indices: Vec<usize>) {
        self.published += 1;
        let published = self.published;
        let key = |index: usize| Key { batch: self.number, index: index as u64, limit: self.limits[index] };
        let keys: Vec<Key> = indices.into_iter().map(key).collect();
        let (context, subject, events) = (self.caller.context.clone(), self.caller.session.keys(), self.events.clone());
        let stream = self.caller.make_stream();
        let task = self.on.spawn(async move {
            let _found_missing_later = stream.await;
            for keys in keys.chunks(PUBLISHED_AT_ONCE) {
                let mut kept = Vec::with_capacity(keys.len());
                for key in keys {
                    if let Ok(published) = within(BROKER_PATIENCE, context.publish(subject.clone(), encode(key))).await
                    {
                        kept.push(published.into_future());
                    }
                }
                let _found_missing_later = tokio::time::timeout(BROKER_PATIENCE, join_all(kept)).await;
            }
            let _the_batch_is_over = events.send(Event::Published(published));
        });
        self.publishing.insert(published, task.abort_handle());
    }
}

/// What happened on another host is told with it.
fn on_host(name: &str, error: KeyError) -> KeyError {
    if name == host() { error } else { KeyError::OnHost { host: name.to_owned(), error: Box::new(error) } }
}

/// Tells an agent that nothing more is wanted of it for a key. If that is lost, it asks again.
fn confirm(caller: &Caller, on: &Handle, reply: Subject) {
    let client = caller.client.clone();
    on.spawn(async move { within(BROKER_PATIENCE, client.publish(reply, Bytes::new())).await });
}

/// Makes outcomes of offers, as long as some may come.
fn receive<W: Portable>(
    caller: &Caller,
    on: &Handle,
    offered: &Mutex<Receiver<Taken>>,
    outcomes: &Mutex<Vec<Option<Outcome<W::Output>>>>,
    events: &Sender<Event>,
) {
    let next = || offered.lock().unwrap_or_else(PoisonError::into_inner).recv();
    let over = caller.members.over();
    while let Ok(Taken { offer, output, reply, limit }) = next() {
        if *over.borrow() >= offer.batch {
            return;
        }
        let index = offer.index as usize;
        let outcome = match offer.what {
            Offered::Output => remote::output::<W>(&mut Stream::new(&*output, output.len() as u64)).ok(),
            Offered::Large { length } if length > limit => Some(Err(KeyError::NotCrossed {
                reason: format!("it has {length} bytes where its limit allows {limit}"),
            })),
            Offered::Large { length } => {
                let source = Source::new(caller, offer.agent, offer.batch, offer.index);
                remote::output::<W>(&mut Stream::new(Pieces::new(on, source, length), length)).ok()
            }
            Offered::Failed(failure) | Offered::Unusable(failure) => Some(Err(on_host(&offer.host, failure.into()))),
        };
        let Some(outcome) = outcome else {
            let _the_batch_is_over = events.send(Event::Interrupted(index));
            continue;
        };
        outcomes.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(outcome);
        let _the_batch_is_over = events.send(Event::Received(index));
        confirm(caller, on, reply);
    }
}
