//! The keys of a job on other hosts: what crosses to them, and what comes back. There, a [`Relay`](crate::Relay) gives the calls to
//! the workers of a pool, so that a host needs to know nothing of the job.

use std::io::BufRead;

use fanout_pool::{ReceiveError, Relayed, Shared, Stream, TaskId};
use kernel::{Outcome, Workload};

use crate::keys::{Expand, key_error};
use crate::portable::{Codec, Portable};

/// What tells the task of a `W` from all others, on every host that has this build of the program.
pub fn task<W: Portable>() -> TaskId {
    TaskId::of::<Expand<W>, _>()
}

/// The bytes of a job.
///
/// # Errors
///
/// Why it cannot be serialised: then none of its keys is started.
pub fn encoded<W: Portable>(workload: &W) -> Result<Shared<W>, String> {
    Shared::new(workload).map_err(|error| format!("`{}`: {error}", W::NAME))
}

/// A key as a call of the job's task. `limit` is what [`max_bytes`](Portable::max_bytes) says of it where the batch is.
pub fn call(task: TaskId, index: u64, limit: u64) -> Relayed {
    Relayed { task, input: index.to_le_bytes().to_vec(), limit }
}

/// The output of a key from its bytes: its outcome, or why they did not come.
///
/// # Errors
///
/// When the stream ended before its length. The key has no outcome then.
pub fn output<W: Portable>(stream: &mut Stream<impl BufRead>) -> Result<Outcome<Output<W>>, ReceiveError> {
    stream.receive(W::Codec::receive).map(|outcome| outcome.map_err(key_error))
}

/// What a key of a `W` gives.
pub type Output<W> = <W as Workload>::Output;
