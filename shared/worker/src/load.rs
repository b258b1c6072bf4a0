//! A workload as it goes over channels.

use std::io;
use std::sync::{Arc, OnceLock};

use kernel::KeyError;
use xxhash_rust::xxh3::Xxh3;

use crate::caught::caught;
use crate::portable::{Portable, build_id};

/// A workload, encoded once for all workers of a batch. When one worker has found that it cannot be loaded, no other is
/// asked.
pub struct Load<W: Portable> {
    workload: Arc<W>,
    encoded: Encoded,
    /// Why no worker can expand keys of it.
    refusal: OnceLock<String>,
}

/// The bytes that follow the request, in two parts, since the second may be as large as memory.
#[derive(Default)]
pub(crate) struct Encoded {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
    /// Of both. A worker that has a workload with the same digest has this one.
    pub(crate) digest: u128,
}

impl Encoded {
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }
}

impl<W: Portable> Load<W> {
    /// Encodes the workload. If its `Serialize` fails or panics, that is the outcome of every key.
    pub fn new(workload: &Arc<W>) -> Self {
        let refusal = OnceLock::new();
        let encoded = caught(|| encode(&**workload))
            .map_err(|message| format!("it panicked: {message}"))
            .and_then(|encoded| encoded.map_err(|error| error.to_string()))
            .unwrap_or_else(|reason| {
                refusal.get_or_init(|| format!("the workload `{}` cannot be serialised: {reason}", W::NAME));
                Encoded::default()
            });
        Load { workload: Arc::clone(workload), encoded, refusal }
    }

    /// Whether no worker can expand keys of it: each key is refused, and no worker is needed for that.
    pub fn is_refused(&self) -> bool {
        self.refusal.get().is_some()
    }

    pub(crate) fn workload(&self) -> &W {
        &self.workload
    }

    pub(crate) fn encoded(&self) -> &Encoded {
        &self.encoded
    }

    /// Every key fails with the first such reason from now on.
    pub(crate) fn refuse(&self, reason: String) -> KeyError {
        not_started(self.refusal.get_or_init(|| reason))
    }

    pub(crate) fn refusal(&self) -> Option<KeyError> {
        self.refusal.get().map(|reason| not_started(reason))
    }
}

fn not_started(reason: &str) -> KeyError {
    KeyError::NotStarted(io::Error::other(reason))
}

fn encode<W: Portable>(workload: &W) -> Result<Encoded, postcard::Error> {
    let head = postcard::to_stdvec(&(build_id::<W>(), W::NAME))?;
    let body = postcard::to_stdvec(workload)?;
    let mut hash = Xxh3::new();
    hash.update(&head);
    hash.update(&body);
    Ok(Encoded { digest: hash.digest128(), head, body })
}
