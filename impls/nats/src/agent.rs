//! An agent: it runs keys on its host, for one caller at a time.

use std::collections::HashMap;
use std::io::Write;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::{Client, RequestErrorKind, Subscriber, jetstream};
use bytes::Bytes;
use fanout::{Encoder, Pool, Shared};
use futures_util::StreamExt;
use kernel::{Context, StartError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::caller::{BEAT, delete_if_abandoned};
use crate::connect::{BROKER_PATIENCE, Trouble, connect, shown, within};
use crate::host::{build, host};
use crate::members::many;
use crate::patience::Awake;
use crate::slot;
use crate::wire::{Alive, Answer, Beat, HELLO, Hello, Job, Piece, ROLL_CALL, Session, Wanted, decode, encode};

/// How long an agent goes on for a caller of which nothing is heard. Longer than a caller goes on without a broker, so that
/// no agent ends before its caller does.
const CALLER_PATIENCE: Duration = Duration::from_secs(20);

/// How often an agent asks whether there is a caller, besides when one calls.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// How long the callers that a hello came to may take to answer, once one has.
const OTHER_ANSWERS: Duration = Duration::from_millis(200);

/// Serves callers, in a process that is there for that alone.
pub(crate) fn serve(context: &Context, stay: bool) -> Result<(), Trouble> {
    let cluster = context.cluster.clone().unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Trouble::Thread)?;
    let tell = |line: &str| {
        if let Some(tell) = context.tell {
            tell(line);
        }
    };
    runtime.block_on(async {
        let mut leave = Leave::on_signals()?;
        loop {
            let client = tokio::select! {
                client = connect(&cluster, "fanout agent") => client?,
                () = leave.asked() => return Ok(()),
            };
            let (slots, address) = (context.workers, shown(&cluster));
            let size = many(slots.get(), "slot");
            tell(&format!("agent on {} with {size} waits for a caller at {address}", host()));
            let (session, caller) = tokio::select! {
                found = find(&client, &address, stay, &tell) => found?,
                () = leave.asked() => return Ok(()),
            };
            let pool = fanout::pool(context).workers(slots).start();
            let pool = pool.map_err(|error| Trouble::Workers(StartError::new(error)))?;
            tell(&format!("serves the caller on {caller}"));
            let agent = Agent::new(client, session, pool, slots.get())?;
            let was_asked = agent.run_until(leave.asked()).await?;
            // It waits for its workers.
            let _no_panic = tokio::task::spawn_blocking(move || drop(agent)).await;
            match was_asked {
                true => tell("leaves, and has given back its keys"),
                false => tell(&format!("the caller on {caller} is gone")),
            }
            if was_asked || !stay {
                return Ok(());
            }
        }
    })
}

/// The signals by which an agent is asked to leave.
struct Leave {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Leave {
    fn on_signals() -> Result<Self, Trouble> {
        use tokio::signal::unix::{SignalKind, signal};
        let on = |kind| signal(kind).map_err(Trouble::Thread);
        Ok(Leave { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Waits for a caller that lets this agent in. An agent that is to stay waits on when it is refused.
async fn find(client: &Client, address: &str, stay: bool, tell: &impl Fn(&str)) -> Result<(Session, String), Trouble> {
    let silent = |error| Trouble::Silent { address: address.to_owned(), error };
    let mut calls = client.subscribe(ROLL_CALL).await.map_err(|error| silent(error.to_string()))?;
    let hello = Hello { host: host(), process: std::process::id(), build: build().map_err(Trouble::Program)? };
    let mut told = None;
    let mut connected = Instant::now();
    loop {
        if client.connection_state() == State::Connected {
            connected = Instant::now();
        } else if connected.elapsed() > CALLER_PATIENCE {
            return Err(silent(format!("it has been gone for {CALLER_PATIENCE:?}")));
        }
        match ask(client, &hello).await {
            Some(Answer::Welcome { session, host }) => return Ok((session, host)),
            Some(Answer::Refused(why)) if !stay => return Err(Trouble::OtherBuild(why)),
            Some(Answer::Refused(why)) if told.as_ref() != Some(&why) => {
                tell(&why);
                told = Some(why);
            }
            _ => {}
        }
        let _a_call_or_not = tokio::time::timeout(ASK_AGAIN, calls.next()).await;
    }
}

/// Says hello to all callers. The first that lets this agent in; if none does, what one of them says.
async fn ask(client: &Client, hello: &Hello) -> Option<Answer> {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.ok()?;
    client.publish_with_reply(HELLO, inbox, encode(hello)).await.ok()?;
    let mut refusal = None;
    let mut patience = ASK_AGAIN;
    while let Ok(Some(message)) = tokio::time::timeout(patience, answers.next()).await {
        if message.status.is_some() {
            // Nobody is there.
            break;
        }
        match decode(&message.payload) {
            Some(welcome @ Answer::Welcome { .. }) => return Some(welcome),
            refused => refusal = refused,
        }
        patience = OTHER_ANSWERS;
    }
    refusal
}

/// An agent of one caller.
#[derive(Clone)]
pub(crate) struct Agent(Arc<Inner>);

struct Inner {
    client: Client,
    session: Session,
    name: String,
    host: String,
    slots: usize,
    pool: Pool,
    held: Mutex<Held>,
    /// The job of the last batch that it was given, or why it cannot have it.
    job: tokio::sync::Mutex<Option<(u64, Result<Loaded, String>)>>,
    /// Whether it takes keys.
    takes: watch::Sender<bool>,
    /// The last batch that is over.
    over: watch::Sender<u64>,
}

#[derive(Default)]
struct Held {
    /// Keys that it has had for a while.
    keys: Vec<(u64, u64)>,
    /// Outputs that wait for being asked for, by batch and index.
    outputs: HashMap<(u64, u64), Bytes>,
    /// The batch of which this agent can run no key.
    unusable: u64,
}

/// A job as this agent's workers are given it.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) job: Job,
    pub(crate) shared: Shared<[u8]>,
}

impl Agent {
    pub(crate) fn new(client: Client, session: Session, pool: Pool, slots: usize) -> Result<Self, Trouble> {
        let name = crate::broker::random_name().map_err(Trouble::Random)?;
        Ok(Agent(Arc::new(Inner {
            client,
            session,
            name,
            host: host(),
            slots,
            pool,
            held: Mutex::default(),
            job: tokio::sync::Mutex::default(),
            takes: watch::Sender::new(true),
            over: watch::Sender::new(0),
        })))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn host(&self) -> &str {
        &self.0.host
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs keys until the caller is gone, or this agent is asked to leave: whether it was.
    async fn run_until(&self, asked: impl Future<Output = ()>) -> Result<bool, Trouble> {
        let mut run = pin!(self.run(Some(CALLER_PATIENCE)));
        tokio::select! {
            ended = &mut run => return ended.map(|()| false),
            () = asked => {}
        }
        tokio::select! {
            _ = run => {}
            () = self.leave() => {}
        }
        Ok(true)
    }

    /// Runs keys until the caller is gone, or nothing was heard of it for so long.
    pub(crate) async fn run(&self, patience: Option<Duration>) -> Result<(), Trouble> {
        let silent = |error: async_nats::SubscribeError| Trouble::Lost(error.to_string());
        let mut beats = self.0.client.subscribe(self.0.session.caller()).await.map_err(silent)?;
        let pieces = self.0.client.subscribe(self.0.session.pieces(&self.0.name)).await.map_err(silent)?;
        // They end with it.
        let mut tasks = JoinSet::new();
        tasks.spawn(give(self.clone(), pieces));
        tasks.spawn(say(self.clone()));
        for _ in 0..self.0.slots {
            tasks.spawn(slot::run(self.clone(), self.0.takes.subscribe()));
        }
        let awake = Awake::new(BEAT);
        let mut heard = awake.now();
        loop {
            let beat = tokio::time::timeout(BEAT, beats.next()).await;
            awake.tick();
            match beat {
                Ok(Some(message)) => match decode(&message.payload) {
                    Some(Beat::Gone) => return Ok(()),
                    Some(Beat::Here { over }) => {
                        heard = awake.now();
                        self.0.over.send_if_modified(|known| std::mem::replace(known, over.max(*known)) < over);
                    }
                    None => {}
                },
                _ if patience.is_some_and(|patience| awake.now() - heard > patience) => break,
                _ => {}
            }
        }
        // A killed caller has left its stream.
        let context = jetstream::new(self.0.client.clone());
        tasks.abort_all();
        delete_if_abandoned(&self.0.client, &context, &self.0.session).await;
        Ok(())
    }

    /// Takes no more keys, and gives back those that it has.
    async fn leave(&self) {
        self.0.takes.send_replace(false);
        let _nobody_may_hear = within(BEAT, self.0.client.publish(self.0.session.agents(), self.alive())).await;
        // Each slot gives back its key.
        let _they_are_gone = tokio::time::timeout(BROKER_PATIENCE, self.0.takes.closed()).await;
        let _flushed = within(BEAT, self.0.client.flush()).await;
    }

    fn alive(&self) -> Bytes {
        let (agent, host, leaves) = (self.0.name.clone(), self.0.host.clone(), !*self.0.takes.borrow());
        encode(&Alive { agent, host, slots: self.0.slots as u32, holds: self.held().keys.clone(), leaves })
    }

    /// Waits until the batch is over.
    pub(crate) async fn over(&self, batch: u64) {
        let mut over = self.0.over.subscribe();
        let _it_lives = over.wait_for(|over| *over >= batch).await.map(drop);
    }

    /// Tells the caller now which keys this agent has.
    pub(crate) async fn hold(&self, key: (u64, u64)) {
        self.held().keys.push(key);
        let _next_time = self.0.client.publish(self.0.session.agents(), self.alive()).await;
    }

    /// This agent has nothing of a key any more.
    pub(crate) fn release(&self, key: (u64, u64)) {
        let mut held = self.held();
        held.keys.retain(|held| *held != key);
        held.outputs.remove(&key);
    }

    /// From now on this agent takes no key of a batch.
    pub(crate) fn cannot_run(&self, batch: u64) {
        self.held().unusable = batch;
    }

    /// Waits until the batch is over of which this agent can run no key.
    pub(crate) async fn is_usable(&self) {
        let unusable = self.held().unusable;
        self.over(unusable).await;
    }

    /// Keeps an output for being asked for.
    pub(crate) fn keep(&self, key: (u64, u64), output: Bytes) {
        self.held().outputs.insert(key, output);
    }

    /// The job of a batch, which is asked for once; nothing if the batch is over.
    pub(crate) async fn job(&self, batch: u64) -> Option<Result<Loaded, String>> {
        let mut job = self.0.job.lock().await;
        if job.as_ref().is_none_or(|(number, _)| *number != batch) {
            // The last one first: two may be too many.
            *job = None;
            *job = Some((batch, self.load(batch).await?));
        }
        job.as_ref().map(|(_, job)| job.clone())
    }

    /// Asks the caller for a job, and for its bytes.
    async fn load(&self, batch: u64) -> Option<Result<Loaded, String>> {
        let job: Job = decode::<Option<Job>>(&self.ask(&Wanted::Job(batch)).await?)??;
        let (mut encoder, mut from) = (Encoder::default(), 0);
        while from < job.length {
            let piece = self.ask(&Wanted::Piece { batch, from }).await?;
            if piece.is_empty() {
                return Some(Err(String::from("its caller cannot read it")));
            }
            from += piece.len() as u64;
            if let Err(error) = encoder.write_all(&piece) {
                return Some(Err(format!("there is no room for it on {}: {error}", self.0.host)));
            }
        }
        let shared = encoder.finish().map_err(|error| format!("there is no room for it on {}: {error}", self.0.host));
        Some(shared.map(|shared| Loaded { job, shared }))
    }

    /// The caller's answer. It is asked until it answers, or this agent ends without it.
    async fn ask(&self, wanted: &Wanted) -> Option<Bytes> {
        loop {
            let asked = self.0.client.request(self.0.session.jobs(), encode(wanted));
            match tokio::time::timeout(BROKER_PATIENCE, asked).await {
                Ok(Ok(answer)) => return Some(answer.payload),
                Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => tokio::time::sleep(BEAT / 10).await,
                _ => {}
            }
        }
    }
}

/// Gives the caller the pieces that it asks for.
async fn give(agent: Agent, mut asked: Subscriber) {
    while let Some(message) = asked.next().await {
        let (Some(piece), Some(reply)) = (decode::<Piece>(&message.payload), message.reply) else { continue };
        let output = agent.held().outputs.get(&(piece.batch, piece.index)).cloned().unwrap_or_default();
        let from = output.len().min(piece.from as usize);
        let to = output.len().min(from + piece.most as usize);
        let _it_asks_again = agent.0.client.publish(reply, output.slice(from..to)).await;
    }
}

/// Says that this agent is there.
async fn say(agent: Agent) {
    let mut ticks = tokio::time::interval(BEAT);
    loop {
        ticks.tick().await;
        let _next_time = agent.0.client.publish(agent.0.session.agents(), agent.alive()).await;
    }
}
