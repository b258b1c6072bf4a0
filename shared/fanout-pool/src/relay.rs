//! Calls that were made somewhere else.

use std::io;

use serde::{Deserialize, Serialize};

use crate::protocol::Identity;
use crate::task::{Here, IntoTask, Task, identity};
use crate::transfer::{Bytes, Incoming, Outgoing, ReceiveError, Transfer};

/// What tells a task from all others, in whichever process of one build of the program: also in one on another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskId {
    name: String,
    digests: [u64; 2],
}

impl TaskId {
    /// Of a function, or of a [`Task`].
    pub fn of<K: IntoTask<M>, M>() -> Self {
        let Identity { name, build } = identity::<K::Task>();
        TaskId { name: <K::Task as Task>::name().to_owned(), digests: [name, build] }
    }

    /// What it is known by.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A call that was made somewhere else, on another host say: its task is known by its [`TaskId`] alone, and its values are bytes
/// already. What relays calls to a pool like this needs to know none of their types.
///
/// Its shared value has the bytes of the task's: [`Shared::encoded_piece`](crate::Shared::encoded_piece) gives them there, and
/// an [`Encoder`](crate::Encoder) takes them here. The output is as the task sends it; a [`Stream`](crate::Stream) receives it where its type is
/// known.
///
/// ```
/// use fanout_pool::{Bytes, CallOptions, Encoder, Pool, Relay, Relayed, TaskId};
///
/// fn half(number: u8) -> u8 {
///     number / 2
/// }
///
/// fanout_pool::register!(half);
///
/// /// What a function is known by. Its type has no name, so that it is given the function.
/// fn id<K: fanout_pool::IntoTask<M>, M>(_: K) -> TaskId {
///     TaskId::of::<K, M>()
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let pool = Pool::builder().start()?;
/// let call = Relayed { task: id(half), input: vec![42], limit: 1 };
/// let Bytes(half) = pool.submit_with(Relay, &Encoder::default().finish()?, call, CallOptions::new()).wait()?;
/// assert_eq!(half, [21]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Relay;

/// The input of a [`Relay`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// What is called.
    pub task: TaskId,
    /// Its input, as it is sent to a worker.
    pub input: Vec<u8>,
    /// The most bytes that the output may have: [`Task::limit`] of its input.
    pub limit: u64,
}

impl Transfer for Relayed {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        to.send(&self.input)
    }

    fn receive(_: Incoming<'_>) -> Result<Self, ReceiveError> {
        Err(ReceiveError::Invalid(String::from("a relayed call is received as the call that it is")))
    }
}

impl Task for Relay {
    type Shared = [u8];
    type Input = Relayed;
    type Output = Bytes;

    fn call(_: &[u8], call: Relayed, _: &mut Here) -> Bytes {
        unreachable!("`{}` runs in its place", call.task.name)
    }

    fn limit(call: &Relayed) -> u64 {
        call.limit
    }

    fn relays(call: &Relayed) -> Option<(&str, [u64; 2])> {
        Some((&call.task.name, call.task.digests))
    }
}
