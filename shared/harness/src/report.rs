//! What a run says of itself.

use std::fmt;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::allocator::ALLOCATOR;
use crate::memory::Size;

/// One run: the JSON object of `--format json`, field by field. Times are nanoseconds on the strategy's own clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The strategy's own name for itself.
    pub strategy: String,
    /// What one key was.
    pub workload: String,
    /// What a job of one's own was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// How many keys.
    pub keys: usize,
    /// Values per key, on average; of `wait`, microseconds. A job of one's own has none: this and the seed are 0, and the next two
    /// are empty.
    pub count: u64,
    /// Products that a key of `wait` added before it slept, on average. Nothing for other workloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<u64>,
    /// The bytes that a key of `wait` gave. Nothing for other workloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_key: Option<u64>,
    /// How KEYS × COUNT was shared out between keys.
    pub skew: String,
    /// The generator.
    pub rng: String,
    /// The seed of all keys.
    pub seed: u64,
    /// How many keys ran at once.
    pub workers: usize,
    /// "release", or "debug" for a build whose times mean nothing. Empty in what a program wrote that does not say.
    #[serde(default)]
    pub profile: String,
    /// What gave it memory: "system", or one of the features "mimalloc" and "jemalloc". Empty likewise.
    #[serde(default)]
    pub allocator: String,
    /// Starting what outlives a batch: threads, a runtime, worker processes.
    pub start_ns: u64,
    /// One per batch: the first is cold, the rest are warm.
    pub run_ns: Vec<u64>,
    /// One per batch: giving its outputs back.
    pub drop_ns: Vec<u64>,
    /// Stopping what `start_ns` started.
    pub stop_ns: u64,
    /// The bytes of one batch's outputs.
    pub output_bytes: u64,
    /// The keys that did not come back whole.
    pub failed: Vec<FailedKey>,
    /// XXH3-128 of all keys and outputs, if it was asked for.
    pub digest: Option<String>,
}

/// A key that did not come back whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedKey {
    /// Its index.
    pub key: usize,
    /// What the strategy says about it.
    pub reason: String,
}

pub(crate) const PROFILE: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

impl Report {
    /// Of a run of this strategy of which nothing else is known.
    pub(crate) fn of(strategy: &str, workers: NonZeroUsize) -> Self {
        Report {
            strategy: strategy.to_owned(),
            workload: String::new(),
            arguments: Vec::new(),
            keys: 0,
            count: 0,
            values: None,
            bytes_per_key: None,
            skew: String::new(),
            rng: String::new(),
            seed: 0,
            workers: workers.get(),
            profile: PROFILE.to_owned(),
            allocator: ALLOCATOR.to_owned(),
            start_ns: 0,
            run_ns: Vec::new(),
            drop_ns: Vec::new(),
            stop_ns: 0,
            output_bytes: 0,
            failed: Vec::new(),
            digest: None,
        }
    }

    /// Whether it is of a job of one's own.
    fn is_own(&self) -> bool {
        self.rng.is_empty()
    }
}

/// The few lines for a person.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { strategy, workload, keys, count, skew, rng, seed, workers, .. } = self;
        if self.is_own() {
            writeln!(f, "{strategy}: {workload}, {keys} keys, {workers} workers")?;
            return self.measured(f);
        }
        write!(f, "{strategy}: {workload}, {keys} keys × {count}, ")?;
        if let Some(values) = self.values.filter(|values| *values > 0) {
            write!(f, "{values} values, ")?;
        }
        writeln!(f, "{skew}, {rng}, seed {seed}, {workers} workers")?;
        self.measured(f)
    }
}

impl Report {
    /// What was measured.
    fn measured(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  start   {}", Millis(self.start_ns))?;
        for (batch, (run, drop)) in self.run_ns.iter().zip(&self.drop_ns).enumerate() {
            let warmth = if batch == 0 { "cold" } else { "warm" };
            writeln!(f, "  run     {}   {warmth}", Millis(*run))?;
            writeln!(f, "  drop    {}", Millis(*drop))?;
        }
        writeln!(f, "  stop    {}", Millis(self.stop_ns))?;
        let whole = self.keys.saturating_sub(self.failed.len());
        let failed = self.failed.len();
        match &self.digest {
            None if self.is_own() => writeln!(f, "  output  of {whole} keys, {failed} failed")?,
            _ => writeln!(f, "  output  {} in {whole} keys, {failed} failed", Size(self.output_bytes.into()))?,
        }
        if let Some(digest) = &self.digest {
            writeln!(f, "  digest  {digest}")?;
        }
        if !["", "system"].contains(&&*self.allocator) {
            writeln!(f, "  memory from {}", self.allocator)?;
        }
        if self.profile == "debug" {
            writeln!(f, "  This is a debug build: its times mean nothing.")?;
        }
        Ok(())
    }
}

struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10.3} ms", self.0 as f64 / 1e6)
    }
}
