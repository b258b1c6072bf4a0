//! What a caller knows of its agents and of its broker.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Message;
use tokio::sync::watch;

use crate::patience::Awake;
use crate::wire::{Alive, Job, Key};

/// How often the caller looks after its agents.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// How long an agent that says nothing is taken to be there.
const AGENT_PATIENCE: Duration = Duration::from_secs(10);

/// After how long it is told that nothing comes from the broker.
const SILENCE: Duration = Duration::from_secs(4);

/// How long a batch goes on without any agent, or without a broker. Three brokers may take ten seconds to agree on who keeps a
/// stream when one of them is lost.
const BATCH_PATIENCE: Duration = Duration::from_secs(15);

/// Agents and broker, as they were heard of.
pub(crate) struct Members {
    known: Mutex<Known>,
    awake: Awake,
    over: watch::Sender<u64>,
    /// How the broker is reached, by whom it is told.
    address: String,
    tell: Option<fn(&str)>,
}

#[derive(Default)]
struct Known {
    agents: HashMap<String, Member>,
    /// When there was an agent last.
    peopled: Duration,
    /// When something came from the broker last.
    answered: Duration,
    /// Whether it was told that nothing comes from it.
    is_told_silent: bool,
    /// The hosts of agents that were refused, so that each is told of once.
    refused: HashSet<String>,
    batch: Option<Batch>,
}

/// An agent that serves this caller.
struct Member {
    host: String,
    slots: u32,
    heard: Duration,
    /// The keys that it has had for longer than a moment.
    holds: Vec<(u64, u64)>,
}

/// The batch that runs.
pub(crate) struct Batch {
    number: u64,
    pub(crate) job: Job,
    pub(crate) piece: ReadPiece,
    events: Sender<Event>,
    /// The hosts that have had a key for longer than a moment.
    tried: HashMap<u64, Vec<String>>,
}

/// Reads the job's bytes from some place on, up to some number.
pub(crate) type ReadPiece = Box<dyn Fn(u64, usize) -> Vec<u8> + Send>;

/// What happens to a batch.
pub(crate) enum Event {
    /// An agent offers what came of a key.
    Offer(Message),
    /// A receiver has the outcome of a key.
    Received(usize),
    /// A receiver has lost the output of a key half-way.
    Interrupted(usize),
    /// The server gives no agent this key any more.
    GivenUp(Key),
    /// The server has no key left to give, and waits for none.
    Drained,
    /// The stream is gone, with all keys in it: a broker that keeps it in memory was started again.
    StreamLost,
    /// All keys that were to go to the server, for the so-manieth time, have gone.
    Published(u64),
    /// Time has passed, or agents have left.
    Tick,
    /// Nothing more will come, and why.
    Ended(String),
}

impl Batch {
    pub(crate) fn new(number: u64, job: Job, piece: ReadPiece, events: Sender<Event>) -> Self {
        Batch { number, job, piece, events, tried: HashMap::new() }
    }
}

impl Members {
    pub(crate) fn new(address: String, tell: Option<fn(&str)>) -> Self {
        Members { known: Mutex::default(), awake: Awake::new(TICK), over: watch::Sender::new(0), address, tell }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, line: &str) {
        if let Some(tell) = self.tell {
            tell(line);
        }
    }

    /// From now on this batch runs. What was not heard before it does not count.
    pub(crate) fn begin(&self, batch: Batch) {
        let now = self.awake.now();
        let mut known = self.known();
        known.peopled = now;
        known.answered = now;
        known.batch = Some(batch);
    }

    /// The batch is over, as are all before it.
    pub(crate) fn end(&self, number: u64) {
        self.known().batch = None;
        self.over.send_replace(number);
    }

    /// The last batch that is over.
    pub(crate) fn over(&self) -> watch::Receiver<u64> {
        self.over.subscribe()
    }

    /// Asks something of a batch, if it runs.
    pub(crate) fn of_batch<T>(&self, number: u64, ask: impl FnOnce(&Batch) -> T) -> Option<T> {
        self.known().batch.as_ref().filter(|batch| batch.number == number).map(ask)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.known().batch.is_some()
    }

    /// Whether a batch runs, which has this event then.
    pub(crate) fn event(&self, event: Event) -> bool {
        self.known().batch.as_ref().is_some_and(|batch| batch.events.send(event).is_ok())
    }

    /// Something came from the broker.
    pub(crate) fn answered(&self) {
        let mut known = self.known();
        known.answered = self.awake.now();
        if std::mem::take(&mut known.is_told_silent) {
            drop(known);
            self.tell(&format!("the broker at {} answers again", self.address));
        }
    }

    /// The hosts that have had a key.
    pub(crate) fn tried(&self, index: usize) -> Vec<String> {
        let known = self.known();
        known.batch.as_ref().and_then(|batch| batch.tried.get(&(index as u64)).cloned()).unwrap_or_default()
    }

    /// Whether an agent that is there says that it has a key of the batch.
    pub(crate) fn is_held(&self, index: usize) -> bool {
        let known = self.known();
        let Some(batch) = &known.batch else { return false };
        known.agents.values().any(|agent| agent.holds.contains(&(batch.number, index as u64)))
    }

    pub(crate) fn is_here(&self, agent: &str) -> bool {
        self.known().agents.contains_key(agent)
    }

    /// Whether there are agents, and all of them are among these.
    pub(crate) fn are_all_in(&self, agents: &HashSet<String>) -> bool {
        let known = self.known();
        !known.agents.is_empty() && known.agents.keys().all(|agent| agents.contains(agent))
    }

    pub(crate) fn has_refused(&self) -> bool {
        !self.known().refused.is_empty()
    }

    /// Tells how far a batch is.
    pub(crate) fn progress(&self, done: usize, keys: usize) {
        let size = self.known().shown();
        self.tell(&format!("{done} of {}: {size}", many(keys, "key")));
    }

    /// How many hosts and slots there are.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.known().size()
    }

    /// Whether nobody was told of this host's refusal yet.
    pub(crate) fn is_first_refusal(&self, host: &str) -> bool {
        self.known().refused.insert(host.to_owned())
    }

    /// An agent says that it is there, or that it leaves.
    pub(crate) fn heard(&self, alive: Alive) {
        let now = self.awake.now();
        let mut known = self.known();
        known.answered = now;
        if alive.leaves {
            let left = known.agents.remove(&alive.agent).is_some();
            let size = known.shown();
            drop(known);
            if left {
                self.tell(&format!("host {} leaves: {size}", alive.host));
                self.event(Event::Tick);
            }
            return;
        }
        known.peopled = now;
        if let Some(batch) = &mut known.batch {
            for &(_, index) in alive.holds.iter().filter(|(number, _)| *number == batch.number) {
                let hosts = batch.tried.entry(index).or_default();
                if !hosts.contains(&alive.host) {
                    hosts.push(alive.host.clone());
                }
            }
        }
        let Alive { agent, host, slots, holds, .. } = alive;
        let is_new = known.agents.insert(agent, Member { host: host.clone(), slots, heard: now, holds }).is_none();
        let size = known.shown();
        drop(known);
        if is_new {
            self.tell(&format!("host {host} joined with {}: {size}", many(slots as usize, "slot")));
        }
    }

    /// Lets time pass: agents that were not heard of for too long are dropped, and a batch without any, or without a broker, ends.
    pub(crate) fn tick(&self) {
        self.awake.tick();
        let now = self.awake.now();
        let mut known = self.known();
        let is_gone = |agent: &Member| now.saturating_sub(agent.heard) > AGENT_PATIENCE;
        let gone: Vec<_> = known.agents.extract_if(|_, agent| is_gone(agent)).collect();
        let is_deserted = known.agents.is_empty() && now.saturating_sub(known.peopled) > BATCH_PATIENCE;
        let is_silent = now.saturating_sub(known.answered) > BATCH_PATIENCE;
        let seems_silent = known.batch.is_some() && now.saturating_sub(known.answered) > SILENCE;
        let is_news = seems_silent && !known.is_told_silent;
        known.is_told_silent |= seems_silent;
        let size = known.shown();
        drop(known);
        if is_news {
            self.tell(&format!("the broker at {} does not answer", self.address));
        }
        for (_, agent) in gone {
            self.tell(&format!("host {} is gone: nothing was heard of it for {AGENT_PATIENCE:?}: {size}", agent.host));
        }
        self.event(Event::Tick);
        // Without a broker nothing is heard of agents either.
        if is_silent {
            let address = &self.address;
            self.event(Event::Ended(format!("the broker at {address} has not answered for {BATCH_PATIENCE:?}")));
        } else if is_deserted {
            self.event(Event::Ended(format!("there has been no agent for {BATCH_PATIENCE:?}")));
        }
    }
}

impl Known {
    fn size(&self) -> (usize, usize) {
        let hosts: HashSet<&str> = self.agents.values().map(|agent| &*agent.host).collect();
        (hosts.len(), self.agents.values().map(|agent| agent.slots as usize).sum())
    }

    fn shown(&self) -> String {
        let (hosts, slots) = self.size();
        format!("{}, {}", many(hosts, "host"), many(slots, "slot"))
    }
}

/// So many of them, in words.
pub(crate) fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
