use kernel::{Fill, Sum, Wait, Workload};
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::Xxh3;

use crate::codec::{Codec, Postcard, Raw};

/// A workload that can cross into another process.
pub trait Portable: Workload + Serialize + DeserializeOwned {
    /// Its name on the channel. Of the workloads that one program serves, each has its own.
    const NAME: &'static str;

    /// How an output is written to the channel.
    type Codec: Codec<Self::Output>;

    /// The most bytes that the output of key `index` may have on the channel. It bounds what is read, and allocated,
    /// from a worker that has gone wrong.
    fn max_bytes(&self, index: usize) -> u64;
}

/// What two builds of a program must have in common before one sends a `W` to the other: not the whole program, since a
/// test binary may have the program it tests as its worker.
pub(crate) fn build_id<W: Portable>() -> u128 {
    let mut id = Xxh3::new();
    for part in [
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        W::NAME,
        std::any::type_name::<W>(),
        std::any::type_name::<W::Output>(),
        std::any::type_name::<W::Codec>(),
    ] {
        id.update(part.as_bytes());
        id.update(&[0]);
    }
    id.update(&(size_of::<W>() as u64).to_le_bytes());
    id.digest128()
}

impl Portable for Fill {
    const NAME: &'static str = "fill";
    type Codec = Raw;

    fn max_bytes(&self, index: usize) -> u64 {
        8 * self.0.share(index)
    }
}

impl Portable for Sum {
    const NAME: &'static str = "sum";
    type Codec = Postcard;

    fn max_bytes(&self, _: usize) -> u64 {
        8
    }
}

impl Portable for Wait {
    const NAME: &'static str = "wait";
    type Codec = Postcard;

    /// A u64 in postcard's variable-length form.
    fn max_bytes(&self, _: usize) -> u64 {
        10
    }
}
