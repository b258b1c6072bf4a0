//! Jobs that can run in other processes.

use std::io;

use bytemuck::Pod;
use fanout_pool::{Incoming, Outgoing, ReceiveError, Transfer};
use kernel::Workload;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A workload that can cross into another process.
pub trait Portable: Workload + Serialize + DeserializeOwned {
    /// Its name on the channel. Of the workloads that one program serves, each has its own.
    const NAME: &'static str;

    /// How an output is written to the channel.
    type Codec: Codec<Self::Output>;

    /// The most bytes that the output of key `index` may have on the channel. It bounds what is read, and allocated,
    /// from a worker that has gone wrong. Where nothing is known of an output's size: 1 GiB, far above what is worth sending
    /// and below what a machine has. It is asked in the process that runs the batch.
    fn max_bytes(&self, index: usize) -> u64 {
        let _whichever = index;
        1 << 30
    }

    /// Expands key `index` and sends its output, in the worker. The default makes the whole output, and then gives it to
    /// the codec. A workload whose outputs are large and can be sent while they are made does that here: it announces the
    /// length, and writes [`PIECE`](crate::PIECE)s. Its worker then never holds an output, and its parent receives
    /// meanwhile. The codec must receive what [`expand`](Workload::expand) gives.
    ///
    /// ```
    /// use std::io::{self, BufWriter, Write};
    ///
    /// use fanout::{Answer, Deserialize, PIECE, Portable, Raw, Serialize, Workload};
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
    /// impl Workload for Squares {
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
    fn send(&self, index: usize, answer: Outgoing<'_>) -> io::Result<()> {
        Self::Codec::send(&self.expand(index), answer)
    }
}

/// How outputs of type `T` cross the channel.
pub trait Codec<T> {
    /// Sends an output, in the worker. A panic, an error, or no byte at all is the key's failure alone. Once a byte was
    /// sent, less than the whole loses the worker with the key: the parent waits for the rest.
    ///
    /// # Errors
    ///
    /// When the parent is gone, or the output cannot be sent.
    fn send(output: &T, answer: Outgoing<'_>) -> io::Result<()>;

    /// Receives one, in the parent. `body` has at most the workload's [`max_bytes`](crate::Portable::max_bytes). A panic, an
    /// error, or bytes that were not read are the key's failure alone.
    ///
    /// # Errors
    ///
    /// When the worker is lost, or its bytes are no `T`.
    fn receive(body: Incoming<'_>) -> Result<T, ReceiveError>;
}

/// Plain numbers, as they lie in memory: no serialiser, and on the parent's side no copy but the system's own, straight
/// into the block that is kept.
#[derive(Debug)]
pub enum Raw {}

impl<T: Pod + Send> Codec<Vec<T>> for Raw {
    fn send(output: &Vec<T>, answer: Outgoing<'_>) -> io::Result<()> {
        answer.send(bytemuck::cast_slice(output))
    }

    fn receive(body: Incoming<'_>) -> Result<Vec<T>, ReceiveError> {
        fanout_pool::Raw::receive(body).map(|fanout_pool::Raw(values)| values)
    }
}

/// Any type that serde knows, in postcard's format (<https://postcard.jamesmunns.com/wire-format>).
#[derive(Debug)]
pub enum Postcard {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Codec<T> for Postcard {
    fn send(output: &T, answer: Outgoing<'_>) -> io::Result<()> {
        Transfer::send(output, answer)
    }

    fn receive(body: Incoming<'_>) -> Result<T, ReceiveError> {
        Transfer::receive(body)
    }
}
