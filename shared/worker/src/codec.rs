//! How outputs cross the channel.

use std::io::{self, Write};
use std::mem::MaybeUninit;

use bytemuck::Pod;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::channel::{Broken, Channel};
use crate::port::{Announced, Port};
use crate::protocol::{Kind, TEXT_LIMIT};

/// What an output that is sent while it is made is best written in, in bytes. It is all that the worker holds of such an
/// output. Hard coded, since it depends on no job: in smaller pieces the two processes wake each other more often. Of the
/// default job, process-pool took 3.0 times the processor time of rayon-iter with 4 KiB, 1.7 with 16, and 1.3 to 1.4 with
/// 64, 128, 256, 512 and 1024, which cannot be told apart (medians of 12 processes each, in one run; 2 CPUs, AMD EPYC). A
/// quarter of a second-level cache of 1 MiB leaves room for what is in the channel.
pub const PIECE: usize = 256 << 10;

/// How outputs of type `T` cross the channel.
pub trait Codec<T> {
    /// Sends an output, in the worker. A panic, an error, or no byte at all is the key's failure alone. Once a byte was
    /// sent, less than the whole loses the worker with the key: the parent waits for the rest.
    ///
    /// # Errors
    ///
    /// When the parent is gone, or the output cannot be sent.
    fn send(output: &T, answer: Answer<'_>) -> io::Result<()>;

    /// Receives one, in the parent. `body` has at most the workload's [`max_bytes`](crate::Portable::max_bytes). A panic, an
    /// error, or bytes that were not read are the key's failure alone.
    ///
    /// # Errors
    ///
    /// When the worker is lost, or its bytes are no `T`.
    fn receive(body: Body<'_>) -> Result<T, ReceiveError>;
}

/// The answer that a worker is about to send.
pub struct Answer<'a> {
    pub(crate) port: &'a mut Port,
    pub(crate) call: u64,
    /// The most bytes that it may have.
    pub(crate) limit: u64,
}

impl<'a> Answer<'a> {
    /// The number of this call on the worker's channel: for a test that forges a second answer to it.
    #[doc(hidden)]
    pub fn call(&self) -> u64 {
        self.call
    }

    /// Sends it whole. One that is longer than the workload's [`max_bytes`](crate::Portable::max_bytes) is not sent, and
    /// its key fails.
    ///
    /// # Errors
    ///
    /// When the parent is gone.
    pub fn send(self, body: &[u8]) -> io::Result<()> {
        match self.check(body.len() as u64) {
            Ok(()) => self.port.reply(Kind::Output, self.call, body),
            Err(reason) => self.fail(&reason),
        }
    }

    /// Sends, in the place of an output that cannot be sent, why not. The key fails with this, and the worker lives on.
    ///
    /// # Errors
    ///
    /// When the parent is gone.
    pub fn fail(self, reason: &str) -> io::Result<()> {
        self.tell(Kind::Unsent, reason)
    }

    /// Sends its head; the caller then writes as many bytes as it announced. Each write is a system call; one of more bytes
    /// than are left writes nothing and is an error.
    ///
    /// # Errors
    ///
    /// When the parent is gone, or that is more than the workload's [`max_bytes`](crate::Portable::max_bytes).
    pub fn announce(self, length: u64) -> io::Result<impl Write + 'a> {
        self.check(length).map_err(io::Error::other)?;
        self.port.announce(self.call, length)?;
        Ok(Announced(self.port))
    }

    /// The same where nobody counts what is written: for a test of what such a worker comes to.
    #[doc(hidden)]
    pub fn announce_uncounted(self, length: u64) -> io::Result<impl Write + 'a> {
        self.port.announce(self.call, length)?;
        Ok(self.port)
    }

    pub(crate) fn tell(self, kind: Kind, text: &str) -> io::Result<()> {
        // A panic's message was cut already, and its mark makes it a little longer than what it was cut to.
        let text = &text[..text.floor_char_boundary(TEXT_LIMIT as usize)];
        self.port.reply(kind, self.call, text.as_bytes())
    }

    fn check(&self, length: u64) -> Result<(), String> {
        if length <= self.limit {
            return Ok(());
        }
        Err(format!("it has {length} bytes where the workload's `max_bytes` allows {}", self.limit))
    }
}

/// The answer that a parent is about to receive.
pub struct Body<'a> {
    pub(crate) channel: &'a mut Channel,
}

impl Body<'_> {
    /// How many bytes have not been read yet.
    pub fn left(&self) -> u64 {
        self.channel.left
    }

    /// Fills `buffer` with the next bytes. When it returns without error, all of `buffer` is initialised.
    ///
    /// # Errors
    ///
    /// When the worker is lost, or `buffer` is larger than what is left.
    pub fn read(&mut self, buffer: &mut [MaybeUninit<u8>]) -> Result<(), ReceiveError> {
        let wanted = buffer.len() as u64;
        if wanted > self.left() {
            return Err(ReceiveError::Invalid(format!("{wanted} bytes were expected and {} came", self.left())));
        }
        self.channel.receive(buffer).map_err(ReceiveError::Lost)
    }

    /// The rest, as bytes.
    ///
    /// # Errors
    ///
    /// When the worker is lost, or there is no memory.
    pub fn read_rest(&mut self) -> Result<Vec<u8>, ReceiveError> {
        let length = self.left() as usize;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| ReceiveError::NoMemory { bytes: length })?;
        self.read(&mut bytes.spare_capacity_mut()[..length])?;
        // SAFETY: `read` initialised them.
        #[expect(unsafe_code, reason = "the bytes were read into spare capacity, not zeroed first")]
        unsafe {
            bytes.set_len(length);
        }
        Ok(bytes)
    }
}

/// Why an output could not be received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The worker died, closed its end of the channel, or ran past the key's deadline.
    #[error("the worker is lost: {0}")]
    Lost(Broken),
    /// The bytes are no output.
    #[error("{0}")]
    Invalid(String),
    /// There is no memory here for the output. The worker has done nothing wrong, and is kept.
    #[error("no memory for the output of {bytes} bytes")]
    NoMemory {
        /// The size of the output.
        bytes: usize,
    },
}

/// Plain numbers, as they lie in memory: no serialiser, and on the parent's side no copy but the system's own, straight
/// into the block that is kept.
pub enum Raw {}

impl<T: Pod> Codec<Vec<T>> for Raw {
    fn send(output: &Vec<T>, answer: Answer<'_>) -> io::Result<()> {
        answer.send(bytemuck::cast_slice(output))
    }

    fn receive(mut body: Body<'_>) -> Result<Vec<T>, ReceiveError> {
        const { assert!(size_of::<T>() > 0, "how many values of no size there are is not told by their bytes") };
        let length = body.left() as usize;
        if !length.is_multiple_of(size_of::<T>()) {
            return Err(ReceiveError::Invalid(format!("{length} bytes are no {}s", std::any::type_name::<T>())));
        }
        let values = length / size_of::<T>();
        let mut block = kernel::with_huge_pages(values).map_err(|_| ReceiveError::NoMemory { bytes: length })?;
        body.read(as_bytes(&mut block.spare_capacity_mut()[..values]))?;
        // SAFETY: `read` initialised them, and every pattern of bits is a value of a `Pod`.
        #[expect(unsafe_code, reason = "the values were read into spare capacity, not zeroed first")]
        unsafe {
            block.set_len(values);
        }
        Ok(block)
    }
}

/// Memory for values as memory for their bytes.
fn as_bytes<T>(values: &mut [MaybeUninit<T>]) -> &mut [MaybeUninit<u8>] {
    let (start, length) = (values.as_mut_ptr(), size_of_val(values));
    // SAFETY: the same memory for the same lifetime; bytes have no alignment, and uninitialised ones are allowed.
    #[expect(unsafe_code, reason = "no safe cast keeps memory uninitialised")]
    unsafe {
        std::slice::from_raw_parts_mut(start.cast(), length)
    }
}

/// Any type that serde knows, in postcard's format (<https://postcard.jamesmunns.com/wire-format>).
pub enum Postcard {}

impl<T: Serialize + DeserializeOwned> Codec<T> for Postcard {
    fn send(output: &T, answer: Answer<'_>) -> io::Result<()> {
        match postcard::to_stdvec(output) {
            Ok(bytes) => answer.send(&bytes),
            Err(error) => answer.fail(&format!("it cannot be serialised: {error}")),
        }
    }

    fn receive(mut body: Body<'_>) -> Result<T, ReceiveError> {
        let bytes = body.read_rest()?;
        match postcard::take_from_bytes(&bytes) {
            Ok((output, [])) => Ok(output),
            Ok((_, rest)) => Err(ReceiveError::Invalid(format!("{} bytes after the output", rest.len()))),
            Err(error) => Err(ReceiveError::Invalid(format!("the output does not decode: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `Raw` does with a block, without a channel: for Miri, which knows none.
    #[test]
    fn a_block_that_is_filled_as_bytes_has_these_values() {
        let values = [f64::NAN, -0.0, 1.5, f64::INFINITY];
        let mut block: Vec<f64> = Vec::with_capacity(values.len() + 1);
        let bytes = as_bytes(&mut block.spare_capacity_mut()[..values.len()]);
        for (to, from) in bytes.iter_mut().zip(bytemuck::cast_slice::<f64, u8>(&values)) {
            to.write(*from);
        }
        // SAFETY: all bytes of them were written.
        #[expect(unsafe_code, reason = "as in `Raw`")]
        unsafe {
            block.set_len(values.len());
        }
        assert_eq!(block.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), values.map(f64::to_bits));
    }
}
