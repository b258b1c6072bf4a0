//! What a run says of itself.

use std::fmt;

use serde::Serialize;

use crate::memory::Size;

/// One run: the JSON object of `--format json`, field by field.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) strategy: String,
    pub(crate) workload: &'static str,
    pub(crate) keys: usize,
    pub(crate) count: u64,
    pub(crate) skew: &'static str,
    pub(crate) rng: &'static str,
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    /// "release", or "debug" for a build whose times mean nothing.
    pub(crate) profile: &'static str,
    pub(crate) start_ns: u64,
    pub(crate) run_ns: Vec<u64>,
    pub(crate) drop_ns: Vec<u64>,
    pub(crate) stop_ns: u64,
    /// The bytes of one batch's outputs.
    pub(crate) output_bytes: u64,
    pub(crate) failed: Vec<Failure>,
    pub(crate) digest: Option<String>,
}

/// A key that did not come back whole.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Failure {
    pub(crate) key: usize,
    pub(crate) reason: String,
}

pub(crate) const PROFILE: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

/// The few lines for a person.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { strategy, workload, keys, count, skew, rng, seed, workers, .. } = self;
        writeln!(f, "{strategy}: {workload}, {keys} keys × {count}, {skew}, {rng}, seed {seed}, {workers} workers")?;
        writeln!(f, "  start   {}", Millis(self.start_ns))?;
        for (batch, (run, drop)) in self.run_ns.iter().zip(&self.drop_ns).enumerate() {
            let warmth = if batch == 0 { "cold" } else { "warm" };
            writeln!(f, "  run     {}   {warmth}", Millis(*run))?;
            writeln!(f, "  drop    {}", Millis(*drop))?;
        }
        writeln!(f, "  stop    {}", Millis(self.stop_ns))?;
        let whole = self.keys.saturating_sub(self.failed.len());
        writeln!(f, "  output  {} in {whole} keys, {} failed", Size(self.output_bytes.into()), self.failed.len())?;
        if let Some(digest) = &self.digest {
            writeln!(f, "  digest  {digest}")?;
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
