//! A value that many calls use: encoded once, sent once to each worker.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use bytemuck::Pod;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::descriptors::StandardHeld;
use crate::error::{CallError, Crossing, caught};
use crate::mapped::Mapped;
use crate::protocol::Identity;
use crate::wake::Waker;

/// What may be shared with all workers: the type of [`Task::Shared`](crate::Task::Shared).
///
/// - Every type with serde's derives: each worker makes its own from the encoded bytes, once.
/// - A slice of plain numbers, `[T]` with `T: Pod`: on Linux all workers read the same memory.
/// - With the feature `json`, `Json<T>` for what postcard refuses.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared with other processes",
    note = "derive serde's `Serialize` and `Deserialize` for it, or share a slice of plain numbers"
)]
pub trait Share: Send + Sync + 'static {
    /// What a worker holds of it.
    type Held: Borrow<Self> + 'static;

    /// Encodes it.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    fn encode(&self, to: &mut dyn Write) -> Result<(), String>;

    /// Makes it of what was encoded.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    fn decode(encoded: Encoded) -> Result<Self::Held, String>;
}

/// The bytes of a shared value, in a worker.
#[derive(Debug)]
pub struct Encoded(Source);

#[derive(Debug)]
enum Source {
    Owned(Vec<u8>),
    Mapped(Mapped),
}

impl Encoded {
    pub(crate) fn owned(bytes: Vec<u8>) -> Self {
        Encoded(Source::Owned(bytes))
    }

    /// A file of so many bytes, which nobody changes any more.
    pub(crate) fn file(file: &File, length: u64) -> io::Result<Self> {
        Mapped::of(file, length as usize).map(|mapped| Encoded(Source::Mapped(mapped)))
    }
}

impl Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::Owned(bytes) => bytes,
            Source::Mapped(mapped) => mapped,
        }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Share for T {
    type Held = T;

    fn encode(&self, to: &mut dyn Write) -> Result<(), String> {
        postcard::to_io(self, to).map(drop).map_err(|error| error.to_string())
    }

    fn decode(encoded: Encoded) -> Result<T, String> {
        match postcard::take_from_bytes(&encoded) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(format!("{} bytes after its end", rest.len())),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Plain numbers in a worker: where they were mapped, if they were.
#[derive(Debug)]
pub struct Numbers<T> {
    held: Held<T>,
}

#[derive(Debug)]
enum Held<T> {
    Mapped(Encoded),
    Copied(Vec<T>),
}

impl<T: Pod + Send + Sync> Share for [T] {
    type Held = Numbers<T>;

    fn encode(&self, to: &mut dyn Write) -> Result<(), String> {
        to.write_all(bytemuck::cast_slice(self)).map_err(|error| error.to_string())
    }

    fn decode(encoded: Encoded) -> Result<Numbers<T>, String> {
        let whole = || format!("{} bytes are no {}s", encoded.len(), std::any::type_name::<T>());
        if matches!(encoded.0, Source::Mapped(_)) && bytemuck::try_cast_slice::<u8, T>(&encoded).is_ok() {
            return Ok(Numbers { held: Held::Mapped(encoded) });
        }
        if size_of::<T>() == 0 || encoded.len() % size_of::<T>() != 0 {
            return Err(whole());
        }
        let mut values = vec![T::zeroed(); encoded.len() / size_of::<T>()];
        bytemuck::cast_slice_mut(&mut values).copy_from_slice(&encoded);
        Ok(Numbers { held: Held::Copied(values) })
    }
}

impl<T: Pod> Borrow<[T]> for Numbers<T> {
    fn borrow(&self) -> &[T] {
        match &self.held {
            Held::Mapped(encoded) => bytemuck::cast_slice(encoded),
            Held::Copied(values) => values,
        }
    }
}

#[cfg(feature = "json")]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Share for crate::Json<T> {
    type Held = Self;

    fn encode(&self, to: &mut dyn Write) -> Result<(), String> {
        serde_json::to_writer(to, &self.0).map_err(|error| error.to_string())
    }

    fn decode(encoded: Encoded) -> Result<Self, String> {
        serde_json::from_slice(&encoded).map(crate::Json).map_err(|error| error.to_string())
    }
}

/// A value that many calls use. It is encoded once, when it is made; on Linux into a sealed file in memory, which all
/// workers map. Each worker decodes it when its first call needs it, and keeps it until the last clone of this is dropped.
///
/// It belongs to no pool: several may use it.
///
/// ```
/// # use fanout_pool::Shared;
/// let table: Shared<Vec<String>> = Shared::new(&vec![String::from("one"), String::from("two")])?;
/// let numbers: Shared<[f64]> = Shared::new(&[0.5; 1_000][..])?;
/// # Ok::<(), fanout_pool::CallError>(())
/// ```
pub struct Shared<S: ?Sized> {
    pub(crate) bytes: Arc<SharedBytes>,
    of: PhantomData<fn(&S)>,
}

/// The bytes of a shared value, in the process that shares it.
pub(crate) struct SharedBytes {
    /// Its number in this process; 0 is the one of no bytes, which is never sent.
    pub(crate) id: u64,
    pub(crate) kept: Kept,
    /// The workers that have it, and must forget it with this.
    holders: Mutex<Vec<Weak<Waker>>>,
    /// A task that no worker can run with it, and why.
    refusal: OnceLock<(Identity, String)>,
}

pub(crate) enum Kept {
    Here(Vec<u8>),
    /// Sealed: nobody can change or cut it, while whoever has it reads.
    File {
        file: File,
        length: u64,
    },
}

/// The largest value that is sent over the channel, in bytes: mapping a file costs as much as copying this many.
const SMALL: usize = 64 << 10;

impl<S: Share + ?Sized> Shared<S> {
    /// Encodes the value.
    ///
    /// # Errors
    ///
    /// [`CallError::NotCrossed`] when it cannot be serialised, and [`CallError::NoMemory`].
    pub fn new(value: &S) -> Result<Self, CallError> {
        let mut spill = Spill::default();
        let encoded = caught(|| value.encode(&mut spill)).unwrap_or_else(|panic| Err(format!("it panicked: {panic}")));
        let kept = match (spill.failure.take(), encoded) {
            (Some(_), _) if spill.written > 0 => return Err(CallError::NoMemory { bytes: spill.written }),
            (_, Err(reason)) => return Err(not_shared(&reason)),
            _ => spill.finish().map_err(|error| not_shared(&error.to_string()))?,
        };
        Ok(Self::of(kept))
    }

    fn of(kept: Kept) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let id = if kept.length() == 0 { 0 } else { IDS.fetch_add(1, Ordering::Relaxed) };
        Shared {
            bytes: Arc::new(SharedBytes { id, kept, holders: Mutex::default(), refusal: OnceLock::new() }),
            of: PhantomData,
        }
    }
}

/// The encoded bytes of a shared value that comes in pieces, from another host say. What is written to it is held once, as
/// [`Shared::new`] would.
#[derive(Default)]
pub struct Encoder(Spill);

impl Encoder {
    /// The value, whole, for a [`Relay`](crate::Relay).
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub fn finish(self) -> io::Result<Shared<[u8]>> {
        self.0.finish().map(Shared::of)
    }
}

impl Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("written", &self.0.written).finish_non_exhaustive()
    }
}

impl Shared<()> {
    /// What tasks that share nothing have.
    pub fn nothing() -> Self {
        Self::of(Kept::Here(Vec::new()))
    }
}

fn not_shared(reason: &str) -> CallError {
    CallError::NotCrossed { value: Crossing::Shared, reason: format!("it cannot be serialised: {reason}") }
}

impl<S: ?Sized> Shared<S> {
    /// Its encoded bytes from there on, as many as there are up to `most`: to give it to another host in pieces, where an
    /// [`Encoder`] takes them.
    ///
    /// # Errors
    ///
    /// When the file in memory that holds them cannot be read.
    pub fn encoded_piece(&self, from: u64, most: usize) -> io::Result<Vec<u8>> {
        let left = self.encoded_len().saturating_sub(from);
        let length = most.min(usize::try_from(left).unwrap_or(usize::MAX));
        match &self.bytes.kept {
            _ if length == 0 => Ok(Vec::new()),
            Kept::Here(bytes) => Ok(bytes[from as usize..][..length].to_vec()),
            Kept::File { file, .. } => {
                let mut piece = vec![0; length];
                std::os::unix::fs::FileExt::read_exact_at(file, &mut piece, from)?;
                Ok(piece)
            }
        }
    }

    /// How many bytes it has, encoded.
    pub fn encoded_len(&self) -> u64 {
        self.bytes.kept.length()
    }
}

impl<S: ?Sized> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Shared { bytes: Arc::clone(&self.bytes), of: PhantomData }
    }
}

impl<S: ?Sized> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("encoded_len", &self.encoded_len()).finish_non_exhaustive()
    }
}

/// Whether they were encoded to the same bytes.
impl<S: ?Sized> PartialEq for Shared<S> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes) || self.bytes.kept.is_same(&other.bytes.kept)
    }
}

impl SharedBytes {
    /// Has the worker that is woken by this forget the value when it is dropped here.
    pub(crate) fn held_by(&self, holder: &Arc<Waker>) {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.retain(|other| other.strong_count() > 0);
        if !holders.iter().any(|other| std::ptr::eq(other.as_ptr(), Arc::as_ptr(holder))) {
            holders.push(Arc::downgrade(holder));
        }
    }

    /// When one worker has found that it cannot run the task with this, no other is asked.
    pub(crate) fn refuse(&self, task: Identity, reason: &str) {
        self.refusal.get_or_init(|| (task, reason.to_owned()));
    }

    pub(crate) fn refusal(&self, task: impl FnOnce() -> Identity) -> Option<String> {
        let (refused, reason) = self.refusal.get()?;
        (*refused == task()).then(|| reason.clone())
    }
}

impl Drop for SharedBytes {
    fn drop(&mut self) {
        let holders = std::mem::take(self.holders.get_mut().unwrap_or_else(PoisonError::into_inner));
        holders.iter().filter_map(Weak::upgrade).for_each(|holder| holder.wake());
    }
}

impl Kept {
    pub(crate) fn length(&self) -> u64 {
        match self {
            Kept::Here(bytes) => bytes.len() as u64,
            Kept::File { length, .. } => *length,
        }
    }

    fn is_same(&self, other: &Kept) -> bool {
        match (self, other) {
            (Kept::Here(ours), Kept::Here(theirs)) => ours == theirs,
            (Kept::File { file: ours, length }, Kept::File { file: theirs, length: other }) => {
                let map = |file| Mapped::of(file, *length as usize);
                length == other && matches!((map(ours), map(theirs)), (Ok(ours), Ok(theirs)) if *ours == *theirs)
            }
            _ => false,
        }
    }
}

/// Writes to memory, and from [`SMALL`] bytes on to a file in memory, where there is such a thing.
#[derive(Default)]
struct Spill {
    buffer: Vec<u8>,
    file: Option<File>,
    written: usize,
    failure: Option<io::Error>,
}

impl Spill {
    /// How much of it is written to the file at once.
    const PIECE: usize = 1 << 20;

    /// Writes what is in the buffer to the file, and then these bytes; to the buffer, where there are no such files.
    fn spill(&mut self, more: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => match memory_file() {
                Some(file) => self.file.insert(file?),
                None => {
                    self.buffer.extend_from_slice(more);
                    return Ok(());
                }
            },
        };
        let written = file.write_all(&self.buffer).and_then(|()| file.write_all(more));
        self.buffer.clear();
        written.inspect_err(|error| self.failure = Some(io::Error::from(error.kind())))
    }

    fn finish(mut self) -> io::Result<Kept> {
        if self.file.is_none() {
            return Ok(Kept::Here(self.buffer));
        }
        self.spill(&[])?;
        let length = self.written as u64;
        let file = self.file.take().map_or_else(|| Err(io::ErrorKind::NotFound.into()), seal)?;
        Ok(Kept::File { file, length })
    }
}

impl Write for Spill {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += bytes.len();
        let most = if self.file.is_some() { Self::PIECE } else { SMALL };
        if self.buffer.len() + bytes.len() > most {
            self.spill(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is nowhere but in memory; nothing where the system has none.
#[cfg(target_os = "linux")]
fn memory_file() -> Option<io::Result<File>> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let _held = match StandardHeld::new() {
        Ok(held) => held,
        Err(error) => return Some(Err(error)),
    };
    let made = memfd_create("fanout-shared", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
    Some(made.map(File::from).map_err(io::Error::from))
}

#[cfg(not(target_os = "linux"))]
fn memory_file() -> Option<io::Result<File>> {
    None
}

/// From now on nobody can write to it or cut it, in whichever process.
#[cfg(target_os = "linux")]
fn seal(file: File) -> io::Result<File> {
    use rustix::fs::{SealFlags, fcntl_add_seals};
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn seal(file: File) -> io::Result<File> {
    Ok(file)
}

/// Which shared values a worker has, in the process that shares them.
#[derive(Default)]
pub(crate) struct Loaded(HashMap<u64, Weak<SharedBytes>>);

impl Loaded {
    pub(crate) fn has(&self, shared: &SharedBytes) -> bool {
        shared.id == 0 || self.0.contains_key(&shared.id)
    }

    pub(crate) fn add(&mut self, shared: &Arc<SharedBytes>) {
        self.0.insert(shared.id, Arc::downgrade(shared));
    }

    /// Those that nobody here has any more: the worker must forget them.
    pub(crate) fn dropped(&mut self) -> Vec<u64> {
        let dropped = |(id, shared): (&u64, &Weak<SharedBytes>)| (shared.strong_count() == 0).then_some(*id);
        let ids: Vec<u64> = self.0.iter().filter_map(dropped).collect();
        ids.iter().for_each(|id| _ = self.0.remove(id));
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_same_whichever_way_it_is_kept() {
        for values in [0, 1, SMALL / 8, SMALL / 8 + 1, 300_000] {
            let numbers: Vec<f64> = (0..values).map(|i| i as f64).collect();
            let shared = Shared::<[f64]>::new(&numbers).unwrap();
            assert_eq!(shared.encoded_len(), 8 * values as u64);
            let encoded = match &shared.bytes.kept {
                Kept::Here(bytes) => Encoded::owned(bytes.clone()),
                Kept::File { file, length } => Encoded::file(file, *length).unwrap(),
            };
            let held = <[f64]>::decode(encoded).unwrap();
            assert_eq!(Borrow::<[f64]>::borrow(&held), numbers);
            assert_eq!(shared, Shared::new(&numbers[..]).unwrap());
            assert!(values == 0 || shared != Shared::new(&numbers[1..]).unwrap());
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_shared_cannot_be_changed() {
        let shared = Shared::<[u8]>::new(&[7; 100_000]).unwrap();
        let Kept::File { file, .. } = &shared.bytes.kept else { panic!("it is small") };
        let error = rustix::io::pwrite(file, b"8", 0).unwrap_err();
        assert_eq!(error, rustix::io::Errno::PERM);
        assert_eq!(file.set_len(1).unwrap_err().raw_os_error(), Some(1));
    }

    #[test]
    fn what_serde_refuses_is_told() {
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("not this"))
            }
        }
        impl<'de> serde::Deserialize<'de> for Refuses {
            fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                Ok(Refuses)
            }
        }
        let error = Shared::new(&Refuses).unwrap_err();
        assert!(matches!(error, CallError::NotCrossed { value: Crossing::Shared, .. }), "{error}");
    }
}
