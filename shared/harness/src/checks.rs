//! What is found out about batches, outside the clocks.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::Hasher;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use kernel::{Digest, Outcome, Workload};

use crate::look::Look;
use crate::report::FailedKey;
use crate::run::{complain, unless_closed};

/// What is to be found out.
pub(crate) struct Wanted {
    /// The digest of all keys and outputs.
    pub(crate) digest: bool,
    /// What it must be.
    pub(crate) expect: Option<String>,
    /// All keys and outputs on standard output.
    pub(crate) dump: bool,
    /// Which outputs differ between batches. It takes another hash of each.
    pub(crate) by_key: bool,
    /// Where a line of 16 hexadecimal digits goes for each key: the hash of its output.
    pub(crate) key_digests: Option<PathBuf>,
}

impl Wanted {
    fn digests(&self) -> bool {
        self.digest || self.expect.is_some() || self.key_digests.is_some()
    }
}

/// What was found out.
pub(crate) struct Checks {
    wanted: Wanted,
    /// Each key that failed in some batch, with the first reason.
    failed: BTreeMap<usize, FailedKey>,
    pub(crate) output_bytes: u64,
    /// The first batch's.
    pub(crate) digest: Option<String>,
    /// The hash of each output of the first batch, if it is wanted by key; none of a key that failed.
    hashes: Vec<Option<u64>>,
    /// Batches that gave another digest than the first: its number, its digest, and the keys that differ, if that is known.
    disagreeing: Vec<(usize, String, Option<String>)>,
    batches: usize,
    /// Whether the dump, or the hashes of keys, could be written.
    pub(crate) written: io::Result<()>,
}

impl Checks {
    pub(crate) fn new(wanted: Wanted) -> Self {
        Checks {
            wanted,
            failed: BTreeMap::new(),
            output_bytes: 0,
            digest: None,
            hashes: Vec::new(),
            disagreeing: Vec::new(),
            batches: 0,
            written: Ok(()),
        }
    }

    /// Looks at one batch, and dumps it if that was asked for.
    pub(crate) fn batch<W: Workload, L: Look<W>>(
        &mut self,
        workload: &W,
        outcomes: &[Outcome<W::Output>],
        out: &mut dyn Write,
    ) {
        self.batches += 1;
        self.output_bytes = 0;
        let keys = workload.keys();
        let mut digest = self.wanted.digests().then(Digest::new);
        let mut hashes = vec![None; if self.wanted.by_key { keys } else { 0 }];
        let mut dump = self.wanted.dump.then(|| BufWriter::with_capacity(1 << 16, out));
        if outcomes.len() != keys {
            let reason = format!("the strategy gave {} outcomes for {keys} keys", outcomes.len());
            self.fail(outcomes.len().min(keys), reason);
        }
        for (index, outcome) in outcomes.iter().enumerate().take(keys) {
            let output = match outcome {
                Ok(output) => output,
                Err(error) => {
                    self.fail(index, error.to_string());
                    continue;
                }
            };
            let size = L::size(workload, index);
            if size.is_none() && digest.is_none() && dump.is_none() {
                continue;
            }
            let bytes = match L::bytes(workload, output) {
                Ok(bytes) => bytes,
                Err(why) => {
                    self.fail(index, format!("its output cannot be compared: {why}"));
                    continue;
                }
            };
            let got = bytes.len() as u64;
            if let Some(size) = size.filter(|size| *size != got) {
                self.fail(index, format!("came back with {got} of {size} bytes"));
                continue;
            }
            self.output_bytes += got;
            let key = L::key(workload, index);
            if let Some(digest) = &mut digest {
                digest.add(key, &bytes);
                if let Some(of_key) = hashes.get_mut(index) {
                    *of_key = Some(hash(&bytes));
                }
            }
            if let Some(writer) = &mut dump
                && let Err(error) = writer.write_all(&key).and_then(|()| writer.write_all(&bytes))
            {
                dump = None;
                self.written = unless_closed(Err(error));
            }
        }
        if let Some(mut writer) = dump {
            self.written = unless_closed(writer.flush());
        }
        self.compare(digest.map(|digest| digest.hex()), hashes);
    }

    /// Keeps what the first batch gave, and what others gave instead.
    fn compare(&mut self, digest: Option<String>, hashes: Vec<Option<u64>>) {
        match (&self.digest, digest) {
            (None, digest) => {
                self.digest = digest;
                self.hashes = hashes;
                self.write_hashes();
            }
            (Some(first), Some(digest)) if *first != digest => {
                self.disagreeing.push((self.batches, digest, differing(&self.hashes, &hashes)));
            }
            (Some(_), _) => {}
        }
    }

    fn write_hashes(&mut self) {
        let Some(path) = &self.wanted.key_digests else { return };
        let write = || {
            let mut file = BufWriter::new(File::create(path)?);
            for hash in &self.hashes {
                match hash {
                    Some(hash) => writeln!(file, "{hash:016x}")?,
                    None => writeln!(file, "-")?,
                }
            }
            file.flush()
        };
        if let Err(error) = write() {
            self.written = Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
        }
    }

    fn fail(&mut self, key: usize, reason: String) {
        self.failed.entry(key).or_insert(FailedKey { key, reason });
    }

    /// Whether all is as it was asked for; if not, says on stderr what is not.
    pub(crate) fn judge(&self, name: &str) -> bool {
        for FailedKey { key, reason } in self.failed.values() {
            complain(name, format_args!("key {key}: {reason}"));
        }
        let first = self.digest.as_deref().unwrap_or_default();
        for (batch, digest, keys) in &self.disagreeing {
            let keys = keys.as_ref().map(|keys| format!(": {keys}")).unwrap_or_default();
            complain(name, format_args!("batch {batch} has digest {digest}, the first has {first}{keys}"));
        }
        let expected = self.wanted.expect.as_deref().unwrap_or(first);
        if expected != first {
            complain(name, format_args!("the digest is {first}, and --expect says {expected}"));
        }
        self.failed.is_empty() && self.disagreeing.is_empty() && expected == first
    }

    /// The keys that failed.
    pub(crate) fn into_failed(self) -> Vec<FailedKey> {
        self.failed.into_values().collect()
    }
}

/// XXH3-64.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.write(bytes);
    hash.finish()
}

/// The first keys in which two runs differ, in words, if some do. Each run has something of every key.
pub fn differing<T: PartialEq>(one: &[T], other: &[T]) -> Option<String> {
    const FIRST: usize = 5;
    let keys = one.iter().zip(other).enumerate().filter(|(_, (one, other))| one != other).map(|(key, _)| key);
    let keys: Vec<String> = keys.map(|key| key.to_string()).collect();
    let more = keys.len().saturating_sub(FIRST);
    let first = keys[..keys.len() - more].join(", ");
    match (keys.len(), more) {
        (0, _) => None,
        (1, _) => Some(format!("key {first} differs")),
        (_, 0) => Some(format!("keys {first} differ")),
        _ => Some(format!("keys {first} and {more} more differ")),
    }
}
