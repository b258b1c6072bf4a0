//! How values cross from one process to the other.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::mem::MaybeUninit;

use bytemuck::Pod;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Broken, CallError, Crossing, Outcome, caught};
use crate::memory::{as_bytes, with_huge_pages};

/// What a value that is sent while it is made is best written in, in bytes. It is all that the worker holds of such a
/// value. Hard coded, since it depends on no job: in smaller pieces the two processes wake each other more often. Of a job
/// that makes 800 MB, the pool took 3.0 times the processor time of a thread pool with 4 KiB, 1.7 with 16, and 1.3 to 1.4
/// with 64, 128, 256, 512 and 1024, which cannot be told apart (medians of 12 processes each, in one run; 2 CPUs, AMD
/// EPYC). A quarter of a second-level cache of 1 MiB leaves room for what is in the channel.
pub const PIECE: usize = 256 << 10;

/// What can be sent to another process: the input and the output of a [`Task`](crate::Task).
///
/// Every type that has serde's [`Serialize`] and [`DeserializeOwned`] can, in [postcard's
/// format](https://postcard.jamesmunns.com/wire-format). Three wrappers are for what serde is slow for, or postcard refuses:
///
/// | type | for | how it crosses | refuses |
/// |---|---|---|---|
/// | any with serde's derives | small values, of whatever shape | postcard: compact, no field names | what needs field names: `#[serde(flatten)]`, `untagged`, `tag = …`; sequences of unknown length |
/// | [`Raw<T>`](Raw) | vectors of numbers | as they lie in memory | types that are not [`Pod`] |
/// | [`Bytes`] | files, images | as they are | |
/// | `Json<T>`, with the feature `json` | what postcard refuses | JSON | NaN and infinities, which come back as an error |
///
/// # A way of one's own
///
/// A type may say itself how it crosses. [`Outgoing::announce`] lets a large value be sent in pieces, without a copy of
/// the whole.
///
/// ```
/// use std::io::{self, BufRead, Write};
/// use fanout_pool::{Incoming, Outgoing, ReceiveError, Transfer};
///
/// struct Picture {
///     width: u32,
///     pixels: Vec<u8>,
/// }
///
/// impl Transfer for Picture {
///     fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
///         let mut to = to.announce(4 + self.pixels.len() as u64)?;
///         to.write_all(&self.width.to_le_bytes())?;
///         to.write_all(&self.pixels)
///     }
///
///     fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
///         let width = u32::from_le_bytes(from.read_array()?);
///         Ok(Picture { width, pixels: from.read_rest()? })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to another process",
    note = "derive serde's `Serialize` and `Deserialize` for it, or send it as `Bytes`, `Raw` or `Json`",
    note = "what refers to this process (a reference, a lock, an open file) cannot cross: send what it is made from"
)]
pub trait Transfer: Sized + Send + 'static {
    /// Sends it. A panic, an error, or no byte at all is this call's failure alone. Once a byte was sent, less than the
    /// whole loses the worker with the call: the other end waits for the rest.
    ///
    /// # Errors
    ///
    /// When the other end is gone, or the value cannot be sent.
    fn send(&self, to: Outgoing<'_>) -> io::Result<()>;

    /// Makes it of what was sent. A panic, an error, or bytes that were not read are this call's failure alone.
    ///
    /// # Errors
    ///
    /// When the other end is gone, or what came is no such value.
    fn receive(from: Incoming<'_>) -> Result<Self, ReceiveError>;
}

/// One end of a channel, for a value that is about to be sent.
pub(crate) trait Frame {
    /// Sends head and value as one.
    fn whole(&mut self, value: &[u8]) -> io::Result<()>;

    /// Sends the head of a value of so many bytes.
    fn begin(&mut self, length: u64) -> io::Result<()>;

    /// Sends a part of the value.
    fn part(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// How many bytes of what was announced were not sent yet.
    fn owed(&self) -> u64;

    /// Says why there is no value.
    fn fail(&mut self, reason: &str) -> io::Result<()>;

    /// The number of the call.
    fn call(&self) -> u64;
}

/// Where a value is about to go.
pub struct Outgoing<'a> {
    frame: &'a mut dyn Frame,
    /// The most bytes that it may have.
    limit: u64,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(frame: &'a mut dyn Frame, limit: u64) -> Self {
        Outgoing { frame, limit }
    }

    /// The number of this call on the worker's channel: for a test that forges a second answer to it.
    #[doc(hidden)]
    pub fn call(&self) -> u64 {
        self.frame.call()
    }

    /// Sends it whole. One that is longer than the task's [`limit`](crate::Task::limit) is not sent, and its call fails.
    ///
    /// # Errors
    ///
    /// When the other end is gone.
    pub fn send(self, value: &[u8]) -> io::Result<()> {
        match self.check(value.len() as u64) {
            Ok(()) => self.frame.whole(value),
            Err(reason) => self.fail(&reason),
        }
    }

    /// Says, in the place of a value that cannot be sent, why not. The call fails with this, and the worker lives on.
    ///
    /// # Errors
    ///
    /// When the other end is gone.
    pub fn fail(self, reason: &str) -> io::Result<()> {
        self.frame.fail(reason)
    }

    /// Says how long the value is; the caller then writes as many bytes. Each write is a system call: write pieces of
    /// [`PIECE`] bytes. One of more bytes than are left writes nothing and is an error.
    ///
    /// # Errors
    ///
    /// When the other end is gone, or that is more than the task's [`limit`](crate::Task::limit).
    pub fn announce(self, length: u64) -> io::Result<impl Write + 'a> {
        self.check(length).map_err(io::Error::other)?;
        self.frame.begin(length)?;
        Ok(Announced { frame: self.frame, counted: true })
    }

    /// The same where nobody counts what is written: for a test of what such a worker comes to.
    #[doc(hidden)]
    pub fn announce_uncounted(self, length: u64) -> io::Result<impl Write + 'a> {
        self.frame.begin(length)?;
        Ok(Announced { frame: self.frame, counted: false })
    }

    fn check(&self, length: u64) -> Result<(), String> {
        if length <= self.limit {
            return Ok(());
        }
        Err(format!("it has {length} bytes where its limit allows {}", self.limit))
    }
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Where the bytes of a value are written whose length was announced.
struct Announced<'a> {
    frame: &'a mut dyn Frame,
    counted: bool,
}

impl Write for Announced<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (left, more) = (self.frame.owed(), bytes.len());
        if self.counted && more as u64 > left {
            let reason = format!("{more} bytes were written to a value of which {left} were left");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        self.frame.part(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One end of a channel, for a value that is about to be received.
pub(crate) trait Source {
    /// How many bytes of the value have not been received.
    fn left(&self) -> u64;

    /// Fills `buffer`, which is at most as large as what is left. When it returns without error, all of it is initialised.
    fn fill(&mut self, buffer: &mut [MaybeUninit<u8>]) -> Result<(), Broken>;
}

/// A value that is about to be received.
pub struct Incoming<'a> {
    source: &'a mut dyn Source,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(source: &'a mut dyn Source) -> Self {
        Incoming { source }
    }
}

impl Incoming<'_> {
    /// How many bytes have not been read yet.
    pub fn left(&self) -> u64 {
        self.source.left()
    }

    /// Fills `buffer` with the next bytes. When it returns without error, all of `buffer` is initialised.
    ///
    /// # Errors
    ///
    /// When the other end is gone, or `buffer` is larger than what is left.
    pub fn read(&mut self, buffer: &mut [MaybeUninit<u8>]) -> Result<(), ReceiveError> {
        let wanted = buffer.len() as u64;
        if wanted > self.left() {
            return Err(ReceiveError::Invalid(format!("{wanted} bytes were expected and {} came", self.left())));
        }
        self.source.fill(buffer).map_err(ReceiveError::Lost)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    ///
    /// When the other end is gone, or fewer are left.
    pub fn read_array<const N: usize>(&mut self) -> Result<[u8; N], ReceiveError> {
        let mut bytes = [0; N];
        let mut buffer = [MaybeUninit::uninit(); N];
        self.read(&mut buffer)?;
        for (byte, read) in bytes.iter_mut().zip(buffer) {
            // SAFETY: `read` initialised them.
            #[expect(unsafe_code, reason = "the bytes were read into uninitialised memory")]
            unsafe {
                *byte = read.assume_init();
            }
        }
        Ok(bytes)
    }

    /// The rest, as bytes.
    ///
    /// # Errors
    ///
    /// When the other end is gone, or there is no memory.
    pub fn read_rest(&mut self) -> Result<Vec<u8>, ReceiveError> {
        self.read_values()
    }

    /// The rest, as values that are any bytes of their size.
    fn read_values<T: Pod>(&mut self) -> Result<Vec<T>, ReceiveError> {
        const { assert!(size_of::<T>() > 0, "how many values of no size there are is not told by their bytes") };
        let length = self.left() as usize;
        if length % size_of::<T>() != 0 {
            return Err(ReceiveError::Invalid(format!("{length} bytes are no {}s", std::any::type_name::<T>())));
        }
        let values = length / size_of::<T>();
        let mut block = with_huge_pages(values).map_err(|_| ReceiveError::NoMemory { bytes: length })?;
        self.read(as_bytes(&mut block.spare_capacity_mut()[..values]))?;
        // SAFETY: `read` initialised them, and every pattern of bits is a value of a `Pod`.
        #[expect(unsafe_code, reason = "the values were read into spare capacity, not zeroed first")]
        unsafe {
            block.set_len(values);
        }
        Ok(block)
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("left", &self.left()).finish_non_exhaustive()
    }
}

/// A value that comes over something else than a worker's channel, such as a [`Relay`](crate::Relay)'s: so many bytes of a
/// reader, as what their type is received from.
///
/// ```
/// use fanout_pool::{Stream, Transfer};
///
/// let crossed = b"\x03one, and more";
/// let text = String::receive(Stream::new(&crossed[..], 4).incoming())?;
/// assert_eq!(text, "one");
/// # Ok::<(), fanout_pool::ReceiveError>(())
/// ```
#[derive(Debug)]
pub struct Stream<R> {
    reader: R,
    left: u64,
}

impl<R: BufRead> Stream<R> {
    /// The next `length` bytes of the reader.
    pub fn new(reader: R, length: u64) -> Self {
        Stream { reader, left: length }
    }

    /// Receives an output, as a call of it would: if nothing can be made of its bytes, that is the outcome.
    ///
    /// # Errors
    ///
    /// When the reader fails, or ends before the length: there is no outcome then.
    pub fn receive<T>(
        &mut self,
        receive: impl FnOnce(Incoming<'_>) -> Result<T, ReceiveError>,
    ) -> Result<Outcome<T>, ReceiveError> {
        match caught(|| receive(self.incoming())) {
            Ok(Err(lost @ ReceiveError::Lost(_))) => Err(lost),
            received => Ok(received_output(received, self.left)),
        }
    }

    /// What is received from it. An error of the reader, or its end, is [`Lost`](ReceiveError::Lost).
    pub fn incoming(&mut self) -> Incoming<'_> {
        Incoming::new(self)
    }
}

impl<R: BufRead> Source for Stream<R> {
    fn left(&self) -> u64 {
        self.left
    }

    fn fill(&mut self, mut buffer: &mut [MaybeUninit<u8>]) -> Result<(), Broken> {
        while !buffer.is_empty() {
            let ready = self.reader.fill_buf().map_err(Broken::System)?;
            if ready.is_empty() {
                return Err(Broken::Closed);
            }
            let count = ready.len().min(buffer.len());
            let (filled, rest) = buffer.split_at_mut(count);
            for (place, byte) in filled.iter_mut().zip(ready) {
                place.write(*byte);
            }
            self.reader.consume(count);
            self.left -= count as u64;
            buffer = rest;
        }
        Ok(())
    }
}

/// What comes of an output that was received, not received or panicked over, with so many bytes left.
pub(crate) fn received_output<T>(received: Result<Result<T, ReceiveError>, String>, left: u64) -> Outcome<T> {
    let not_crossed = |reason| Err(CallError::NotCrossed { value: Crossing::Output, reason });
    match received {
        Ok(Ok(output)) if left > 0 => {
            let _told = caught(|| drop(output));
            not_crossed(format!("{left} bytes were left of it"))
        }
        Ok(Ok(output)) => Ok(output),
        Ok(Err(ReceiveError::NoMemory { bytes })) => Err(CallError::NoMemory { bytes }),
        Ok(Err(error)) => not_crossed(error.to_string()),
        Err(message) => Err(CallError::Panicked { message: format!("in the parent: {message}") }),
    }
}

/// Why a value could not be received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The other process died, closed its end of the channel, or had no more time.
    #[error("the other process is lost: {0}")]
    Lost(Broken),
    /// The bytes are no such value.
    #[error("{0}")]
    Invalid(String),
    /// There is no memory here for the value. The other process has done nothing wrong.
    #[error("no memory for {bytes} bytes")]
    NoMemory {
        /// The size of the value.
        bytes: usize,
    },
}

impl From<Broken> for ReceiveError {
    fn from(broken: Broken) -> Self {
        ReceiveError::Lost(broken)
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Transfer for T {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        match postcard::to_stdvec(self) {
            Ok(bytes) => to.send(&bytes),
            Err(error) => to.fail(&format!("it cannot be serialised: {error}")),
        }
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        let bytes = from.read_rest()?;
        match postcard::take_from_bytes(&bytes) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(ReceiveError::Invalid(format!("{} bytes after its end", rest.len()))),
            Err(error) => Err(ReceiveError::Invalid(format!("it does not decode: {error}"))),
        }
    }
}

/// Plain values as they lie in memory: no serialiser, and on the other side no copy but the system's own, straight into
/// the vector that is kept. On huge pages, where the system grants them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raw<T>(pub Vec<T>);

impl<T: Pod + Send> Transfer for Raw<T> {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        to.send(bytemuck::cast_slice(&self.0))
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        from.read_values().map(Raw)
    }
}

/// Bytes as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

impl Transfer for Bytes {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        to.send(&self.0)
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        from.read_rest().map(Bytes)
    }
}

/// Any type that serde knows, as JSON: for attributes that need a format with names, such as `#[serde(flatten)]` and
/// `untagged`.
#[cfg(feature = "json")]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

#[cfg(feature = "json")]
impl<T: Serialize + DeserializeOwned + Send + 'static> Transfer for Json<T> {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => to.send(&bytes),
            Err(error) => to.fail(&format!("it cannot be written as JSON: {error}")),
        }
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        let bytes = from.read_rest()?;
        let value = serde_json::from_slice(&bytes);
        value.map(Json).map_err(|error| ReceiveError::Invalid(format!("it is not the JSON of this type: {error}")))
    }
}
