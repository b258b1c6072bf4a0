//! A case to advise on, and what its keys ask of the machine.

use harness::{skew_name, skew_named};
use serde::{Deserialize, Serialize};
use workloads::Skew;

use crate::advice::schedule::Key;

/// Of many unequal keys, neighbours are taken together, where that cannot change the end of the batch by more than this share of what
/// a worker has to do: less than any prediction is off.
const COARSE: f64 = 0.01;

/// Fewer keys than this are not taken together.
const FEW: u64 = 250;

/// What somebody wants to run, as the flags of `advise` have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// How many keys.
    pub keys: u64,
    /// Seconds that one key takes in one thread, on average, asleep or not.
    pub grain: f64,
    /// Bytes that each key gives.
    pub output_bytes: u64,
    /// How the work is shared out between the keys.
    #[serde(with = "by_name")]
    pub skew: Skew,
    /// The share of the grain that is asleep.
    pub blocking: f64,
    /// How many keys may run at once.
    pub workers: usize,
}

/// What the keys of a job ask for, whether it was measured or is to be predicted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Demand {
    /// How many keys.
    pub(crate) keys: u64,
    /// Seconds that a key computes, on average.
    pub(crate) compute: f64,
    /// Seconds that a key means to be asleep, on average.
    pub(crate) asleep: f64,
    /// Bytes that a key gives, on average.
    pub(crate) bytes: f64,
    /// Whether the outputs are what is computed, and so as unequal as the keys.
    pub(crate) is_written_meanwhile: bool,
    /// How unequal the keys are.
    pub(crate) skew: Skew,
    /// The keys in their order; none where they are equal.
    pub(crate) unequal: Vec<Group>,
    /// How many keys may run at once.
    pub(crate) workers: usize,
    /// Whether a key can be cut into parts.
    pub(crate) is_divisible: bool,
}

/// Neighbouring keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Group {
    /// How many.
    of: u64,
    /// Their work, in average keys.
    weight: f64,
}

impl Case {
    /// What its keys ask for. Nothing is said about cutting a key into parts, so it is taken for granted that none can be.
    pub(crate) fn demand(&self) -> Demand {
        Demand {
            keys: self.keys,
            compute: self.grain * (1.0 - self.blocking),
            asleep: self.grain * self.blocking,
            bytes: self.output_bytes as f64,
            is_written_meanwhile: false,
            skew: self.skew,
            unequal: unequal(self.skew, self.keys, self.workers),
            workers: self.workers,
            is_divisible: false,
        }
    }
}

/// What is added to the work of a key by a strategy and by the machine.
#[derive(Clone, Copy)]
pub(crate) struct Costs<'a> {
    /// Seconds for every key.
    pub(crate) per_key: f64,
    /// Seconds for an output of so many bytes.
    pub(crate) output: &'a dyn Fn(f64) -> f64,
    /// Seconds that a sleep is too long.
    pub(crate) overslept: f64,
}

impl Demand {
    /// Whether how long the keys take depends on how they are shared out.
    pub(crate) fn tells_schedule(&self) -> bool {
        !self.unequal.is_empty() || self.asleep > 0.0
    }

    /// The average key, which is every key where they are equal.
    pub(crate) fn average(&self, costs: &Costs<'_>) -> Key {
        self.key(Group { of: 1, weight: 1.0 }, (costs.output)(self.bytes), costs)
    }

    /// The keys in their order, where they are not equal.
    pub(crate) fn schedule_keys(&self, costs: &Costs<'_>) -> Vec<Key> {
        let average = (costs.output)(self.bytes);
        let keys = self.unequal.iter().map(|group| {
            let weight = group.weight / group.of as f64;
            let output = if self.is_written_meanwhile { (costs.output)(self.bytes * weight) } else { average };
            self.key(*group, output, costs)
        });
        keys.collect()
    }

    /// These keys, where an output costs so much.
    fn key(&self, Group { of, weight }: Group, output: f64, costs: &Costs<'_>) -> Key {
        let keys = of as f64;
        // A sleep is for whole microseconds, and none is no sleep.
        let asleep = (self.asleep * weight / keys * 1e6 + 1e-6).floor() / 1e6;
        Key {
            cpu: (costs.per_key + output) * keys + self.compute * weight,
            asleep: if asleep > 0.0 { (asleep + costs.overslept) * keys } else { 0.0 },
            of,
        }
    }
}

/// The keys in their order, neighbours of many taken together; none if they are equal.
pub(crate) fn unequal(skew: Skew, keys: u64, workers: usize) -> Vec<Group> {
    if skew == Skew::Uniform {
        return Vec::new();
    }
    let weights = weights(skew, keys);
    let average = weights.iter().sum::<f64>() / keys as f64;
    let most = if keys < FEW { 0.0 } else { COARSE * keys as f64 / workers as f64 };
    let mut groups: Vec<Group> = Vec::new();
    for weight in weights.into_iter().map(|weight| weight / average) {
        match groups.last_mut() {
            // By their number and by their work: which of them counts, depends on what a key costs.
            Some(last) if (last.of + 1) as f64 <= most && last.weight + weight <= most => {
                *last = Group { of: last.of + 1, weight: last.weight + weight };
            }
            _ => groups.push(Group { of: 1, weight }),
        }
    }
    groups
}

/// How much of the work each key has, as the kernel shares it out but for the rounding.
fn weights(skew: Skew, keys: u64) -> Vec<f64> {
    let others = keys.saturating_sub(1) as f64;
    let mut weights = vec![1.0; keys as usize];
    match skew {
        _ if keys < 2 => {}
        Skew::Uniform => {}
        Skew::Zipf => weights
            .iter_mut()
            .enumerate()
            .for_each(|(index, weight)| *weight = ((1u64 << 32) / (index as u64 + 1)) as f64),
        Skew::OneHuge => weights[0] = others,
        Skew::OneHugeLast => weights[keys as usize - 1] = others,
    }
    weights
}

/// A skew as the flags call it.
mod by_name {
    use super::*;
    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(skew: &Skew, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(skew_name(*skew))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Skew, D::Error> {
        let name = String::deserialize(deserializer)?;
        skew_named(&name).ok_or_else(|| D::Error::custom(format!("{name} is no skew")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(keys: u64, skew: Skew) -> Case {
        Case { keys, grain: 1e-3, output_bytes: 8, skew, blocking: 0.5, workers: 2 }
    }

    #[test]
    fn keys_taken_together_ask_for_the_same() {
        let costs = Costs { per_key: 1e-8, output: &|bytes| bytes * 1e-10, overslept: 0.0 };
        for skew in [Skew::Zipf, Skew::OneHuge, Skew::OneHugeLast] {
            let demand = Demand { asleep: 0.0, ..case(100_000, skew).demand() };
            let keys = demand.schedule_keys(&costs);
            assert!((100..1_000).contains(&keys.len()), "{skew:?}: {}", keys.len());
            assert_eq!(keys.iter().map(|key| key.of).sum::<u64>(), 100_000);
            let cpu: f64 = keys.iter().map(|key| key.cpu).sum();
            let expected = 1e5 * (0.5e-3 + 1e-8 + 8e-10);
            assert!((cpu / expected - 1.0).abs() < 1e-9, "{skew:?}: {cpu}");
        }
    }

    #[test]
    fn a_sleep_is_for_whole_microseconds_and_takes_too_long() {
        let costs = Costs { per_key: 0.0, output: &|_| 0.0, overslept: 6e-5 };
        let demand = case(3, Skew::OneHuge).demand();
        let asleep: Vec<f64> = demand.schedule_keys(&costs).iter().map(|key| (key.asleep * 1e6).round()).collect();
        assert_eq!(asleep, [810.0, 435.0, 435.0]);
        let short = Demand { asleep: 0.9e-6, ..case(1, Skew::Uniform).demand() };
        assert_eq!(short.average(&costs).asleep, 0.0);
    }

    #[test]
    fn a_skew_is_written_by_its_name() {
        let case = case(3, Skew::OneHugeLast);
        let json = serde_json::to_string(&case).unwrap();
        assert!(json.contains(r#""skew":"one-huge-last""#), "{json}");
        assert_eq!(serde_json::from_str::<Case>(&json).unwrap(), case);
        assert!(serde_json::from_str::<Case>(&json.replace("one-huge-last", "bent")).is_err());
    }
}
