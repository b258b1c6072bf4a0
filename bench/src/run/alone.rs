//! What the keys of a job of one's own take, one after the other in one thread: `alone.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::run::answer::seconds;
use crate::run::folder::{FileError, write_json};
use crate::run::json_if_any;

/// The file, in the folder of its run.
pub const ALONE: &str = "alone.json";

/// The share of its time for which a key may have no CPU and still count as computing: others have the CPU for so long, even on a
/// machine that does little else, and no prediction is as exact as this.
const AWAKE: f64 = 0.05;

/// The same in seconds for a key: to read the clocks takes a part of it, and no sleep is as short.
const CLOCKS: f64 = 1e-5;

/// What `sequential`'s program prints with `--alone SECONDS --format json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alone {
    /// The job's name.
    pub workload: String,
    /// What it was given.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// How many keys it has.
    pub keys: u64,
    /// Those that were run, in their order.
    pub measured: Vec<Key>,
    /// What they wrote to standard output, in bytes.
    #[serde(default)]
    pub printed_bytes: u64,
}

/// A key that was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its index.
    pub key: u64,
    /// What it took.
    pub wall_ns: u64,
    /// For how long of that it had a CPU.
    pub cpu_ns: u64,
    /// Bytes of its output.
    pub bytes: u64,
}

/// Why keys that were run alone say nothing.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// Not the JSON that was agreed on.
    #[error("what it printed with --alone is not the expected JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It was stopped before its first key ended, or has none.
    #[error("with --alone it ran none of its {keys} keys")]
    None {
        /// How many it has.
        keys: u64,
    },
    /// A key that is not there, or is there twice.
    #[error("with --alone it printed key {key} out of order, of {keys} keys")]
    Order {
        /// Which.
        key: u64,
        /// How many there are.
        keys: u64,
    },
}

/// Neighbouring keys that are taken to be equal: one that was measured, or those between two that were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// How many keys.
    pub keys: u64,
    /// Seconds that each takes.
    pub wall: f64,
    /// For how many of them it has a CPU.
    pub cpu: f64,
}

/// What the keys have in common. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many keys there are.
    pub keys: u64,
    /// How many of them were measured.
    pub measured: u64,
    /// What a key takes, on average over all keys.
    pub grain: f64,
    /// Half of those that were measured take at most this.
    pub median: f64,
    /// Nine of ten take at most this.
    pub p90: f64,
    /// The shortest.
    pub least: f64,
    /// The longest.
    pub most: f64,
    /// Which one that is.
    pub longest: u64,
    /// The share of its time for which a key has no CPU; 0 where that may be chance.
    pub asleep: f64,
    /// How many CPUs a key has while it runs, on average.
    pub cpus: f64,
    /// Bytes of an output, on average of those that were measured.
    pub bytes: f64,
    /// The most bytes of one.
    pub most_bytes: u64,
    /// What one thread takes for all keys. Those that were not measured are taken to be like their neighbours.
    pub whole: f64,
}

impl Alone {
    /// Reads what the program printed.
    ///
    /// # Errors
    ///
    /// If it is not the JSON that was agreed on, or has no key, or keys that cannot be.
    pub fn read(json: &[u8]) -> Result<Alone, AloneError> {
        let alone: Alone = serde_json::from_slice(json)?;
        let keys = alone.keys;
        if alone.measured.is_empty() {
            return Err(AloneError::None { keys });
        }
        let mut least = 0;
        for &Key { key, .. } in &alone.measured {
            if key < least || key >= keys {
                return Err(AloneError::Order { key, keys });
            }
            least = key + 1;
        }
        Ok(alone)
    }

    /// Writes it into the folder of its run.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), FileError> {
        write_json(&dir.join(ALONE), self)
    }

    /// Reads it again, if the run has one.
    ///
    /// # Errors
    ///
    /// If it is not what it should be.
    pub fn of(dir: &Path) -> Result<Option<Alone>, FileError> {
        json_if_any(&dir.join(ALONE))
    }

    /// All keys in their order. Those that were not measured take the mean of the two next to them that were; at an end, there is
    /// one.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch> + '_ {
        let one = |key: &Key| Stretch { keys: 1, wall: seconds(key.wall_ns), cpu: seconds(key.cpu_ns) };
        let gap = move |keys: u64, before: Option<&Key>, after: Option<&Key>| {
            let (before, after) = (one(before.or(after)?), one(after.or(before)?));
            let (wall, cpu) = (f64::midpoint(before.wall, after.wall), f64::midpoint(before.cpu, after.cpu));
            (keys > 0).then_some(Stretch { keys, wall, cpu })
        };
        let mut last: Option<&Key> = None;
        let measured = self.measured.iter().flat_map(move |key| {
            let before = key.key - last.map_or(0, |last| last.key + 1);
            let unknown = gap(before, last, Some(key));
            last = Some(key);
            [unknown, Some(one(key))].into_iter().flatten()
        });
        let end = self.measured.last();
        measured.chain(end.and_then(|last| gap(self.keys - 1 - last.key, Some(last), None)))
    }

    /// What the keys have in common.
    pub fn summary(&self) -> Summary {
        let mut walls: Vec<f64> = self.measured.iter().map(|key| seconds(key.wall_ns)).collect();
        walls.sort_by(f64::total_cmp);
        let count = self.measured.len();
        // The nearest rank: a time that a key took.
        let quantile = |share: f64| {
            let rank = (share * count as f64).ceil() as usize;
            walls.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        let all = |of: fn(&Stretch) -> f64| self.stretches().map(|it| it.keys as f64 * of(&it)).sum::<f64>();
        let (whole, computing) = (all(|it| it.wall), all(|it| it.cpu));
        let slept = all(|it| (it.wall - it.cpu).max(0.0));
        let share = slept / whole.max(f64::MIN_POSITIVE);
        let is_asleep = share > AWAKE && slept > CLOCKS * self.keys as f64;
        Summary {
            keys: self.keys,
            measured: count as u64,
            grain: whole / self.keys.max(1) as f64,
            median: quantile(0.5),
            p90: quantile(0.9),
            least: walls.first().copied().unwrap_or(0.0),
            most: walls.last().copied().unwrap_or(0.0),
            longest: self.measured.iter().max_by_key(|key| key.wall_ns).map_or(0, |key| key.key),
            asleep: if is_asleep { share } else { 0.0 },
            cpus: computing / whole.max(f64::MIN_POSITIVE),
            bytes: self.measured.iter().map(|key| key.bytes as f64).sum::<f64>() / count.max(1) as f64,
            most_bytes: self.measured.iter().map(|key| key.bytes).max().unwrap_or(0),
            whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn alone(keys: u64, measured: &[(u64, u64, u64, u64)]) -> Alone {
        let key = |&(key, wall_ns, cpu_ns, bytes): &(u64, u64, u64, u64)| Key { key, wall_ns, cpu_ns, bytes };
        Alone {
            workload: "primes".to_owned(),
            arguments: vec!["1000".to_owned()],
            keys,
            measured: measured.iter().map(key).collect(),
            printed_bytes: 0,
        }
    }

    #[test]
    fn a_summary_of_all_keys_by_hand() {
        let times = [4 * MS, MS, 2 * MS, 3 * MS, 10 * MS];
        let keys: Vec<_> = (0..).zip(times).map(|(key, time)| (key, time, time, 8 * key)).collect();
        let summary = alone(5, &keys).summary();
        assert_eq!(
            (summary.median, summary.p90, summary.least, summary.most, summary.longest),
            (3e-3, 10e-3, 1e-3, 10e-3, 4)
        );
        assert!((summary.grain - 4e-3).abs() < 1e-12 && (summary.whole - 20e-3).abs() < 1e-12, "{summary:?}");
        assert_eq!((summary.bytes, summary.most_bytes, summary.asleep, summary.cpus), (16.0, 32, 0.0, 1.0));
        assert_eq!((summary.keys, summary.measured), (5, 5));
    }

    #[test]
    fn keys_that_were_not_measured_are_like_their_neighbours() {
        let alone = alone(9, &[(1, 2 * MS, 2 * MS, 8), (5, 4 * MS, 3 * MS, 8)]);
        let told: Vec<(u64, f64, f64)> =
            alone.stretches().map(|it| (it.keys, (it.wall * 1e4).round(), (it.cpu * 1e4).round())).collect();
        assert_eq!(told, [(1, 20.0, 20.0), (1, 20.0, 20.0), (3, 30.0, 25.0), (1, 40.0, 30.0), (3, 40.0, 30.0)]);
        let summary = alone.summary();
        assert!((summary.whole - 29e-3).abs() < 1e-12, "{summary:?}");
        assert!((summary.grain - 29e-3 / 9.0).abs() < 1e-12, "{summary:?}");
    }

    #[test]
    fn short_of_a_twentieth_or_of_the_clocks_a_key_is_not_asleep() {
        let asleep = |wall, cpu| alone(1, &[(0, wall, cpu, 8)]).summary().asleep;
        assert_eq!(asleep(10 * MS, 6 * MS), 0.4);
        assert_eq!(asleep(10 * MS, 10 * MS - 400_000), 0.0);
        assert_eq!(asleep(20_000, 12_000), 0.0);
        assert_eq!(asleep(10 * MS, 20 * MS), 0.0);
        assert_eq!(alone(1, &[(0, 10 * MS, 20 * MS, 8)]).summary().cpus, 2.0);
    }

    #[test]
    fn what_a_program_printed_is_read_and_kept() {
        let json = br#"{"workload":"primes","arguments":["1000"],"keys":100,
            "measured":[{"key":0,"wall_ns":123,"cpu_ns":120,"bytes":2}],"printed_bytes":0}"#;
        let read = Alone::read(json).unwrap();
        assert_eq!(read, alone(100, &[(0, 123, 120, 2)]));
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Alone::of(dir.path()).unwrap(), None);
        read.write(dir.path()).unwrap();
        assert_eq!(Alone::of(dir.path()).unwrap(), Some(read));
        std::fs::write(dir.path().join(ALONE), "{").unwrap();
        assert!(Alone::of(dir.path()).unwrap_err().to_string().contains("alone.json: "));
    }

    #[test]
    fn keys_that_cannot_be_are_refused() {
        let error = |alone: Alone| Alone::read(&serde_json::to_vec(&alone).unwrap()).unwrap_err().to_string();
        assert_eq!(error(alone(7, &[])), "with --alone it ran none of its 7 keys");
        assert_eq!(error(alone(7, &[(7, 1, 1, 1)])), "with --alone it printed key 7 out of order, of 7 keys");
        assert_eq!(
            error(alone(7, &[(2, 1, 1, 1), (2, 1, 1, 1)])),
            "with --alone it printed key 2 out of order, of 7 keys"
        );
        assert!(matches!(Alone::read(b"no"), Err(AloneError::Json(_))));
    }
}
