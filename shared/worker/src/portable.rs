use std::io;

use kernel::Workload;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::Xxh3;

use crate::codec::{Answer, Codec};

/// A workload that can cross into another process.
pub trait Portable: Workload + Serialize + DeserializeOwned {
    /// Its name on the channel. Of the workloads that one program serves, each has its own.
    const NAME: &'static str;

    /// How an output is written to the channel.
    type Codec: Codec<Self::Output>;

    /// The most bytes that the output of key `index` may have on the channel. It bounds what is read, and allocated,
    /// from a worker that has gone wrong. Where nothing is known of an output's size: 1 GiB, far above what is worth sending
    /// and below what a machine has.
    fn max_bytes(&self, index: usize) -> u64 {
        let _whichever = index;
        1 << 30
    }

    /// Expands key `index` and sends its output, in the worker. The default makes the whole output, and then gives it to
    /// the codec. A workload whose outputs are large and can be sent while they are made does that here: it announces the
    /// length, and writes [`PIECE`](crate::PIECE)s. Its worker then never holds an output, and its parent receives meanwhile. The codec
    /// must receive what [`expand`](Workload::expand) gives.
    ///
    /// ```
    /// use std::io::{self, BufWriter, Write};
    ///
    /// use serde::{Deserialize, Serialize};
    /// use worker::{Answer, PIECE, Portable, Raw};
    ///
    /// /// The squares of each key's numbers.
    /// #[derive(Serialize, Deserialize)]
    /// struct Squares(Vec<std::ops::Range<u32>>);
    ///
    /// impl Squares {
    ///     fn of(&self, index: usize) -> impl Iterator<Item = f64> {
    ///         self.0[index].clone().map(|number| f64::from(number).powi(2))
    ///     }
    /// }
    ///
    /// impl kernel::Workload for Squares {
    ///     type Output = Vec<f64>;
    ///     fn keys(&self) -> usize {
    ///         self.0.len()
    ///     }
    ///     fn expand(&self, index: usize) -> Vec<f64> {
    ///         self.of(index).collect()
    ///     }
    /// }
    ///
    /// impl Portable for Squares {
    ///     const NAME: &'static str = "squares";
    ///     type Codec = Raw;
    ///     fn max_bytes(&self, index: usize) -> u64 {
    ///         8 * self.0[index].len() as u64
    ///     }
    ///     fn send(&self, index: usize, answer: Answer<'_>) -> io::Result<()> {
    ///         let mut pieces = BufWriter::with_capacity(PIECE, answer.announce(self.max_bytes(index))?);
    ///         for square in self.of(index) {
    ///             pieces.write_all(&square.to_ne_bytes())?;
    ///         }
    ///         pieces.flush()
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the parent is gone, or the output cannot be made or sent. After the first byte and before the last, an error or a
    /// panic loses the worker: its key is then [`Died`](kernel::KeyError::Died), once it was tried again as often as is said.
    ///
    /// # Panics
    ///
    /// As [`expand`](Workload::expand) does.
    fn send(&self, index: usize, answer: Answer<'_>) -> io::Result<()> {
        Self::Codec::send(&self.expand(index), answer)
    }
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
