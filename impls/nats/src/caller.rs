//! A caller on its cluster: the stream of its keys, and what it answers agents.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, ConsumerError, ConsumerErrorKind, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{Client, Message, RequestErrorKind};
use bytes::Bytes;
use futures_util::StreamExt;
use kernel::Cluster;
use serde::Deserialize;

use crate::broker::random_name;
use crate::connect::{BROKER_PATIENCE, Trouble, connect, shown, within};
use crate::host::{build, host};
use crate::members::{Event, Members, TICK};
use crate::wire::{Alive, Answer, Beat, HELLO, Hello, Key, PIECE_OF_JOB, ROLL_CALL, STREAMS, Session, Wanted};
use crate::wire::{decode, encode};

/// How long a key may be with an agent that says nothing of it. Then the server gives it to another.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(10);

/// How many agents a key may be lost with.
pub(crate) const MOST_TRIES: i64 = 2;

/// How often caller and agents say that they are there.
pub(crate) const BEAT: Duration = Duration::from_secs(2);

/// How long a caller waits for its first agent: a scheduler may start hundreds of them one after the other.
const FIRST_AGENT_PATIENCE: Duration = Duration::from_secs(30);

/// How long a caller may be between two connections before its stream is taken for abandoned.
const CONNECTS_AGAIN: Duration = Duration::from_secs(3);

/// The name of the consumer of a stream's keys: all agents share it.
pub(crate) const CONSUMER: &str = "agents";

/// From how many brokers on each key is kept by three of them.
const REPLICATED_FROM: usize = 3;

/// A caller on its cluster.
pub(crate) struct Caller {
    pub(crate) client: Client,
    pub(crate) context: Context,
    pub(crate) session: Session,
    pub(crate) members: Arc<Members>,
    /// Whether keys of a batch that ended early may be in the stream.
    pub(crate) has_leftovers: AtomicBool,
    replicas: usize,
    wanted: Option<usize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Caller {
    /// Joins a cluster, makes the stream, and calls the agents. It does not wait for them.
    pub(crate) async fn start(cluster: &Cluster, tell: Option<fn(&str)>) -> Result<Self, Trouble> {
        let client = connect(cluster, "fanout caller").await?;
        let context = jetstream::new(client.clone());
        let members = Arc::new(Members::new(shown(cluster), tell));
        let session = Session(random_name().map_err(Trouble::Random)?);
        let replicas = if cluster.brokers.len() >= REPLICATED_FROM { REPLICATED_FROM } else { 1 };
        let wanted = cluster.wanted.map(|wanted| wanted.get());
        let (has_leftovers, tasks) = (AtomicBool::new(false), Vec::new());
        let mut caller = Caller { client, context, session, members, has_leftovers, replicas, wanted, tasks };
        if let Err(error) = caller.serve().await {
            let address = shown(cluster);
            caller.end().await;
            return Err(Trouble::NoStream { address, error });
        }
        Ok(caller)
    }

    /// Makes the stream and the consumer that all agents share, unless they are there; in whichever task.
    pub(crate) fn make_stream(&self) -> impl Future<Output = Result<(), String>> + Send + 'static {
        let stream = Config {
            name: self.session.stream(),
            subjects: vec![self.session.keys()],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::Memory,
            num_replicas: self.replicas,
            ..Config::default()
        };
        let consumer = pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_deliver: MOST_TRIES,
            // Agents have no more keys than slots. With a limit of as many, a slot was seen to wait for a whole batch.
            max_ack_pending: -1,
            // As many slots may wait for a key at once.
            max_waiting: 1 << 20,
            ..pull::Config::default()
        };
        let context = self.context.clone();
        async move {
            let stream = within(BROKER_PATIENCE, context.get_or_create_stream(stream)).await?;
            within(BROKER_PATIENCE, stream.get_or_create_consumer(CONSUMER, consumer)).await.map(drop)
        }
    }

    /// Starts what answers agents and looks after them, makes the stream, and calls the agents.
    async fn serve(&mut self) -> Result<(), String> {
        let subscribe = |subject: String| {
            let client = self.client.clone();
            async move { client.subscribe(subject).await.map_err(|error| error.to_string()) }
        };
        let hello = subscribe(HELLO.to_owned()).await?;
        let agents = subscribe(self.session.agents()).await?;
        let jobs = subscribe(self.session.jobs()).await?;
        let offers = subscribe(self.session.offers()).await?;
        let stream = self.session.stream();
        let given_up = subscribe(format!("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{stream}.{CONSUMER}")).await?;
        let session = self.session.clone();
        self.each(hello, move |client, members, message| answer(client, members, session.clone(), message));
        self.each(agents, |_, members, message| async move {
            decode::<Alive>(&message.payload).into_iter().for_each(|alive| members.heard(alive));
        });
        self.each(jobs, hand_out);
        self.each(offers, |client, members, message| async move {
            members.answered();
            let reply = message.reply.clone();
            if let (false, Some(reply)) = (members.event(Event::Offer(message)), reply) {
                // Nobody waits for it any more.
                let _an_agent_offers_again = client.publish(reply, Bytes::new()).await;
            }
        });
        let context = self.context.clone();
        let of_advisories = stream.clone();
        self.each(given_up, move |_, members, message| {
            given_up_key(members, context.clone(), of_advisories.clone(), message)
        });
        self.tasks.push(tokio::spawn(watch(self.client.clone(), self.session.clone(), Arc::clone(&self.members))));
        self.tasks.push(tokio::spawn(ask(self.context.clone(), stream.clone(), Arc::clone(&self.members))));
        self.tasks.push(tokio::spawn(sweep(self.client.clone(), self.context.clone(), stream)));
        // Agents, and other callers that sweep, find somebody who answers.
        within(BROKER_PATIENCE, self.client.flush()).await?;
        self.make_stream().await?;
        let called = self.client.publish(ROLL_CALL, Bytes::new()).await;
        called.map_err(|error| error.to_string())
    }

    /// Has a task deal with each message of a subscription, one after the other.
    fn each<F: Future<Output = ()> + Send>(
        &mut self,
        mut messages: async_nats::Subscriber,
        mut deal: impl FnMut(Client, Arc<Members>, Message) -> F + Send + 'static,
    ) {
        let (client, members) = (self.client.clone(), Arc::clone(&self.members));
        self.tasks.push(tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                deal(client.clone(), Arc::clone(&members), message).await;
            }
        }));
    }

    /// Waits until there are as many slots as are wanted, or one if nobody said how many. Fewer are told, and none is an error.
    pub(crate) async fn wait_for_agents(&self) -> Result<Option<String>, Trouble> {
        let until = Instant::now() + FIRST_AGENT_PATIENCE;
        let wanted = self.wanted.unwrap_or(1);
        let mut is_told = false;
        loop {
            let (hosts, slots) = self.members.size();
            if slots >= wanted {
                return Ok(None);
            }
            if Instant::now() >= until {
                let few = format!("the cluster has {slots} slots on {hosts} hosts");
                return match slots {
                    0 if self.members.has_refused() => Err(Trouble::OnlyRefused(FIRST_AGENT_PATIENCE)),
                    0 => Err(Trouble::NoAgents(FIRST_AGENT_PATIENCE)),
                    _ => Ok(Some(few)),
                };
            }
            if !is_told && until - Instant::now() < FIRST_AGENT_PATIENCE - BEAT {
                is_told = true;
                let missing = if slots == 0 { "an agent" } else { "more agents" };
                self.members.tell(&format!("waits for {missing}, for {FIRST_AGENT_PATIENCE:?} at most"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Tells agents now what is over, instead of with the next beat.
    pub(crate) fn beat(&self) -> impl Future<Output = ()> + Send + 'static {
        beat(self.client.clone(), self.session.clone(), *self.members.over().borrow())
    }

    /// Tells agents that it ends, and leaves nothing with the broker.
    pub(crate) async fn end(self) {
        for task in &self.tasks {
            task.abort();
        }
        // A broker that does not answer has told its callers before.
        let _whoever_hears = within(BEAT, self.client.publish(self.session.caller(), encode(&Beat::Gone))).await;
        let _deleted = within(BEAT, self.context.delete_stream(self.session.stream())).await;
        let _flushed = within(BEAT, self.client.flush()).await;
    }
}

/// Lets an agent in, if it is of this build.
async fn answer(client: Client, members: Arc<Members>, session: Session, message: Message) {
    let (Some(hello), Some(reply)) = (decode::<Hello>(&message.payload), message.reply) else { return };
    let answer = match build() {
        Ok(build) if build == hello.build => Answer::Welcome { session, host: host() },
        Ok(build) => {
            let what = if build.architecture == hello.build.architecture {
                String::from("another build of this program")
            } else {
                format!("a build for {}, and the caller's is for {}", hello.build.architecture, build.architecture)
            };
            if members.is_first_refusal(&hello.host) {
                members.tell(&format!(
                    "host {} is refused: its agent is {what}: copy this program there, and start its agent again",
                    hello.host
                ));
            }
            let caller = host();
            Answer::Refused(format!(
                "the caller on {caller} refuses this agent: it is {what}: copy the caller's program here, and start this again"
            ))
        }
        Err(error) => Answer::Refused(format!("the caller on {} cannot read its own program: {error}", host())),
    };
    let _an_agent_asks_again = client.publish(reply, encode(&answer)).await;
}

/// Gives an agent what it needs to run keys of the batch.
async fn hand_out(client: Client, members: Arc<Members>, message: Message) {
    let (Some(wanted), Some(reply)) = (decode::<Wanted>(&message.payload), message.reply) else { return };
    let answer = match wanted {
        Wanted::Job(number) => encode(&members.of_batch(number, |batch| batch.job.clone())),
        Wanted::Piece { batch, from } => {
            let most = client.max_payload().min(PIECE_OF_JOB);
            members.of_batch(batch, |batch| (batch.piece)(from, most)).unwrap_or_default().into()
        }
    };
    let _an_agent_asks_again = client.publish(reply, answer).await;
}

/// The server gives up a message, which stays in the stream.
async fn given_up_key(members: Arc<Members>, context: Context, stream: String, message: Message) {
    #[derive(Deserialize)]
    struct Advisory {
        stream_seq: u64,
    }
    let Ok(Advisory { stream_seq }) = serde_json::from_slice(&message.payload) else { return };
    let Ok(stream) = within(BEAT, context.get_stream(stream)).await else { return };
    let Ok(kept) = within(BEAT, stream.get_raw_message(stream_seq)).await else { return };
    let _it_goes_with_the_stream = within(BEAT, stream.delete_message(stream_seq)).await;
    if let Some(key) = decode::<Key>(&kept.payload) {
        members.event(Event::GivenUp(key));
    }
}

async fn beat(client: Client, session: Session, over: u64) {
    let _next_time = within(BEAT, client.publish(session.caller(), encode(&Beat::Here { over }))).await;
}

/// Says that the caller is there, and lets time pass for its agents.
async fn watch(client: Client, session: Session, members: Arc<Members>) {
    let over = members.over();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for tick in 0_u64.. {
        ticks.tick().await;
        // Before what has come is judged by how late it is.
        tokio::task::yield_now().await;
        members.tick();
        if tick % 2 == 0 {
            tokio::spawn(beat(client.clone(), session.clone(), *over.borrow()));
        }
    }
}

/// Asks the broker again and again how the queue is, while a batch runs.
async fn ask(context: Context, stream: String, members: Arc<Members>) {
    loop {
        tokio::time::sleep(TICK).await;
        if !members.is_running() {
            continue;
        }
        let asked = context.get_consumer_from_stream::<pull::Config, _, _>(CONSUMER, &stream);
        match tokio::time::timeout(BEAT, asked).await {
            Ok(Ok(consumer)) => {
                members.answered();
                let info = consumer.cached_info();
                if info.num_pending == 0 && info.num_ack_pending == 0 {
                    members.event(Event::Drained);
                }
            }
            Ok(Err(error)) if is_missing(&error) => {
                members.answered();
                members.event(Event::StreamLost);
            }
            _ => {}
        }
    }
}

/// Whether the server says that there is no such stream, or no such consumer.
fn is_missing(error: &ConsumerError) -> bool {
    let missing = [ErrorCode::STREAM_NOT_FOUND, ErrorCode::CONSUMER_NOT_FOUND];
    matches!(error.kind(), ConsumerErrorKind::JetStream(error) if missing.contains(&error.error_code()))
}

/// Deletes the streams of callers that are gone and could not do it themselves.
async fn sweep(client: Client, context: Context, own: String) {
    let mut names = context.stream_names();
    while let Ok(Some(Ok(name))) = tokio::time::timeout(BEAT, names.next()).await {
        if let Some(session) = name.strip_prefix(STREAMS).filter(|_| name != own) {
            delete_if_abandoned(&client, &context, &Session(session.to_owned())).await;
        }
    }
}

/// Deletes the stream of a caller, if that is gone: if twice, some seconds apart, the server knows of nobody who would answer.
pub(crate) async fn delete_if_abandoned(client: &Client, context: &Context, session: &Session) {
    for pause in [Duration::ZERO, CONNECTS_AGAIN] {
        tokio::time::sleep(pause).await;
        let asked = client.request(session.jobs(), encode(&Wanted::Job(0)));
        match tokio::time::timeout(BEAT, asked).await {
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {}
            _ => return,
        }
    }
    let _another_may_have = within(BEAT, context.delete_stream(session.stream())).await;
}
