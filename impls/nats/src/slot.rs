//! A slot of an agent: one key at a time, from the stream to the caller.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, AckKind};
use async_nats::{Message, StatusCode, Subscriber};
use fanout::{CallError, Relay, key_error, options, remote};
use futures_util::StreamExt;
use tokio::sync::watch;

use crate::agent::{Agent, Loaded};
use crate::caller::{ACK_WAIT, BEAT, CONSUMER};
use crate::connect::connects;
use crate::wire::{Failure, INLINE, Key, Offer, Offered, decode, encode_offer};

/// How long a request for a key is with the server.
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// How often a slot that waits looks whether its request may be lost.
const LOOK: Duration = Duration::from_secs(1);

/// How long a key runs before the caller is told who has it. Few are so short and lose their host, and to tell of one costs as much
/// as to offer what came of it.
const MOMENT: Duration = Duration::from_millis(100);

/// How long a key may run on when its batch is over.
const GRACE: Duration = Duration::from_secs(1);

/// How long an offer may be without an answer before it is made again: something may have been lost with a connection.
const OFFER_AGAIN: Duration = Duration::from_secs(3);

/// Runs keys until it is told to take no more, and gives back the one that it has then.
pub(crate) async fn run(agent: Agent, mut takes: watch::Receiver<bool>) {
    let context = jetstream::new(agent.client().clone());
    let (Some(mut queue), Some(mut offers)) = (Queue::new(&agent).await, Offers::new(&agent).await) else { return };
    loop {
        let message = tokio::select! {
            message = queue.next() => message,
            () = left(&mut takes) => {
                for message in queue.close().await {
                    give_back(&agent, &jetstream::Message { message, context: context.clone() }).await;
                }
                return;
            }
        };
        let Some(message) = message else { continue };
        let message = jetstream::Message { message, context: context.clone() };
        let Some(key) = decode::<Key>(&message.payload) else {
            let _it_is_no_key = message.ack().await;
            continue;
        };
        let is_done = tokio::select! {
            () = expand(&agent, &mut offers, key, &message) => true,
            () = over_for_long(&agent, key.batch) => true,
            () = left(&mut takes) => false,
        };
        agent.release((key.batch, key.index));
        if !is_done {
            give_back(&agent, &message).await;
            return;
        }
        let _the_caller_has_it = message.ack().await;
    }
}

/// Waits until the batch is over, and a while longer: what is dropped then has its worker killed, and may be about to end.
async fn over_for_long(agent: &Agent, batch: u64) {
    agent.over(batch).await;
    tokio::time::sleep(GRACE).await;
}

/// Waits until no more keys are to be taken.
async fn left(takes: &mut watch::Receiver<bool>) {
    let _it_lives = takes.wait_for(|takes| !takes).await.map(drop);
}

/// Has the server give a key to another agent, as a new message, so that this try is not counted.
async fn give_back(agent: &Agent, message: &jetstream::Message) {
    let given = message.context.publish(agent.session().keys(), message.payload.clone()).await;
    if let Ok(given) = given
        && given.await.is_ok()
    {
        let _the_server_has_it = message.ack().await;
    }
}

/// Where a slot gets its keys.
struct Queue<'a> {
    agent: &'a Agent,
    inbox: String,
    answers: Subscriber,
    /// When it asked last, and how often the client had connected then.
    asked: Instant,
    connects: u64,
    /// Whether the server has a request, and its answer is still to come. Never two: of two keys one would wait behind the other.
    waits: bool,
}

impl<'a> Queue<'a> {
    async fn new(agent: &'a Agent) -> Option<Self> {
        let inbox = agent.client().new_inbox();
        let answers = agent.client().subscribe(inbox.clone()).await.ok()?;
        Some(Queue { agent, inbox, answers, asked: Instant::now(), connects: 0, waits: false })
    }

    /// The next key's message; nothing if none came for a while. Dropped, it goes on where it was the next time.
    async fn next(&mut self) -> Option<Message> {
        self.agent.is_usable().await;
        let client = self.agent.client();
        if !self.waits {
            let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{CONSUMER}", self.agent.session().stream());
            let request = format!("{{\"batch\":1,\"expires\":{}}}", ASK_AGAIN.as_nanos());
            self.connects = connects(client);
            self.asked = Instant::now();
            self.waits = client.publish_with_reply(subject, self.inbox.clone(), request.into()).await.is_ok();
        }
        let message = loop {
            match tokio::time::timeout(LOOK, self.answers.next()).await {
                Ok(message) => break message?,
                Err(_) if connects(client) == self.connects && self.asked.elapsed() < ASK_AGAIN + BEAT => {}
                Err(_) => {
                    // It was lost with a connection, or with a server. Where the next answer comes, this one cannot.
                    *self = Queue::new(self.agent).await?;
                    return None;
                }
            }
        };
        self.waits = false;
        if message.status.is_none() {
            return Some(message);
        }
        // That none came, or that there is no such stream now.
        if message.status != Some(StatusCode::TIMEOUT) {
            tokio::time::sleep(BEAT / 10).await;
        }
        None
    }

    /// Takes no more. The keys that have come and were not taken.
    async fn close(&mut self) -> Vec<Message> {
        let mut left = Vec::new();
        if self.answers.unsubscribe().await.is_ok() {
            while let Ok(Some(message)) = tokio::time::timeout(BEAT, self.answers.next()).await {
                left.extend(message.status.is_none().then_some(message));
            }
        }
        left
    }
}

/// Where a slot offers what came of its keys.
struct Offers<'a> {
    agent: &'a Agent,
    inbox: String,
    answers: Subscriber,
    /// How many it has made. Each is answered on a subject of its own: what comes late for one is none of the next.
    count: u64,
}

impl<'a> Offers<'a> {
    async fn new(agent: &'a Agent) -> Option<Self> {
        let inbox = agent.client().new_inbox();
        let answers = agent.client().subscribe(format!("{inbox}.*")).await.ok()?;
        Some(Offers { agent, inbox, answers, count: 0 })
    }

    /// Offers it until the caller has it.
    async fn make(&mut self, offer: &Offer, output: &[u8]) {
        self.count += 1;
        let reply = format!("{}.{}", self.inbox, self.count);
        let message = encode_offer(offer, output);
        loop {
            let until = Instant::now() + OFFER_AGAIN;
            let (client, subject) = (self.agent.client(), self.agent.session().offers());
            let made = client.publish_with_reply(subject, reply.clone(), message.clone()).await;
            while made.is_ok() {
                match tokio::time::timeout_at(until.into(), self.answers.next()).await {
                    Ok(Some(answer)) if *answer.subject == *reply && answer.status.is_none() => return,
                    // Of another, or that the caller is not there, or not yet again.
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => break,
                }
            }
            tokio::time::sleep_until(until.into()).await;
        }
    }
}

/// Runs a key, and sees to it that the caller has what came of it.
async fn expand(agent: &Agent, offers: &mut Offers<'_>, key: Key, message: &jetstream::Message) {
    let (what, output) = match kept(message, agent.job(key.batch)).await {
        Some(Ok(loaded)) => kept(message, ran(agent, key, loaded)).await,
        Some(Err(reason)) => {
            agent.cannot_run(key.batch);
            (Offered::Unusable(Failure::NotStarted { kind: None, reason }), Vec::new())
        }
        // The batch is over.
        None => return,
    };
    let (name, host) = (agent.name().to_owned(), agent.host().to_owned());
    let offer = Offer { batch: key.batch, index: key.index, agent: name, host, what };
    kept(message, offers.make(&offer, &output)).await;
}

/// What came of a key, and the output if it is sent with that.
async fn ran(agent: &Agent, key: Key, Loaded { job, shared }: Loaded) -> (Offered, Vec<u8>) {
    let call = remote::call(job.task, key.index, key.limit);
    let mut running = pin!(agent.pool().submit_with(Relay, &shared, call, options(job.deadline)));
    let outcome = match tokio::time::timeout(MOMENT, &mut running).await {
        Ok(outcome) => outcome,
        Err(_) => {
            agent.hold((key.batch, key.index)).await;
            running.await
        }
    };
    let what = match outcome {
        Ok(fanout::Bytes(output)) if output.len() <= inline(agent) => return (Offered::Output, output),
        Ok(fanout::Bytes(output)) => {
            let length = output.len() as u64;
            agent.keep((key.batch, key.index), output.into());
            Offered::Large { length }
        }
        Err(error @ (CallError::NotStarted(_) | CallError::Refused { .. })) => {
            agent.cannot_run(key.batch);
            Offered::Unusable(key_error(error).into())
        }
        Err(error) => Offered::Failed(key_error(error).into()),
    };
    (what, Vec::new())
}

/// The most bytes of an output that is sent with its offer, for which the server may have less room than usual.
fn inline(agent: &Agent) -> usize {
    INLINE.min(agent.client().max_payload() / 2)
}

/// Waits for something, and meanwhile tells the server again and again that the key is in work.
async fn kept<T>(message: &jetstream::Message, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut since = tokio::time::interval_at(tokio::time::Instant::now() + ACK_WAIT / 3, ACK_WAIT / 3);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = since.tick() => {
                let _next_time = message.ack_with(AckKind::Progress).await;
            }
        }
    }
}
