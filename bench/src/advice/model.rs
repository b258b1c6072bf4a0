//! The cost model of a run: what each strategy costs beside the keys' own work, and where that is known.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::advice::case::{Case, Costs, Demand};
use crate::advice::schedule::{self, Cpus, Schedule};
use crate::advice::traits::Traits;
use crate::numbers::digits::short_time;

/// The format of the file. One of another format is made anew.
pub const FORMAT: u32 = 2;

/// What was learnt from a run with its sweeps: `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// [`FORMAT`].
    pub format: u32,
    /// The run.
    pub stamp: String,
    /// The CPUs that the strategies had.
    pub cpus: f64,
    /// The workers of the run, for cases that name none.
    pub workers: usize,
    /// The machine's memory, where it is known.
    pub memory_bytes: Option<u64>,
    /// Seconds for a key in one thread that sums up so many values.
    pub sums: Vec<(f64, f64)>,
    /// Seconds that a sleep is too long.
    pub overslept: f64,
    /// What was measured.
    pub measured: Ranges,
    /// By name.
    pub strategies: BTreeMap<String, Strategy>,
}

/// What was measured, from the least to the most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranges {
    /// Keys of a batch.
    pub keys: (u64, u64),
    /// Seconds of a key.
    pub grain: (f64, f64),
    /// Bytes of an output.
    pub output_bytes: (u64, u64),
    /// How many keys may run at once.
    pub workers: (usize, usize),
    /// The largest share of a key that was asleep.
    pub blocking: f64,
    /// The shortest time that keys were asleep, in seconds; none where none slept.
    pub asleep: Option<f64>,
    /// The skews.
    pub skews: BTreeSet<String>,
}

/// One strategy's costs. Times are seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Strategy {
    /// How it shares keys out, as its times tell.
    pub schedule: Schedule,
    /// Before the first key.
    pub start: f64,
    /// Of that, for each worker.
    pub start_per_worker: f64,
    /// For each key, by the worker that has it.
    pub per_key: f64,
    /// For each key, by whoever hands keys out, one after the other. Whichever takes longer counts: this, or the workers.
    pub per_key_in_turn: f64,
    /// By how much a second busy CPU slows the first one down, where keys compute.
    pub slowdown_computing: f64,
    /// The same where outputs are written or moved.
    pub slowdown_output: f64,
    /// By how much everything is slower for each doubling of the workers beyond the CPUs.
    pub slowdown_crowded: f64,
    /// What an output costs by its size in bytes; in between, equal ratios of the size are equal ratios of the cost.
    pub output: Vec<(f64, f64)>,
    /// The share of that which is left where an output is written while it is computed.
    pub output_meanwhile: f64,
    /// The most keys that it was given.
    pub most_keys: u64,
    /// How far a prediction may be off, for batches that are at most so long.
    pub errors: Vec<Band>,
    /// What else counts when strategies are equally fast.
    pub traits: Traits,
}

/// How far predictions were off that the fit had not seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// For predictions up to so many seconds; the last band has no end.
    pub upto: Option<f64>,
    /// Nine of ten were off by less than this, as a logarithm.
    pub error: f64,
    /// How many there were.
    pub cells: usize,
}

/// What a strategy is expected to take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The strategy.
    pub strategy: String,
    /// Seconds from `start` to the end of the first batch.
    pub seconds: f64,
    /// Nine of ten times it is at least this.
    pub low: f64,
    /// And at most this.
    pub high: f64,
}

/// What is asked for and was not measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Beyond {
    /// The flag that asks for it, without its dashes.
    pub(crate) flag: &'static str,
    /// What it says.
    pub(crate) asked: String,
    /// What was measured instead.
    pub(crate) measured: String,
}

/// Where the time of a case goes. The parts do not overlap, and are the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parts {
    /// Before the first key.
    pub start: f64,
    /// The keys' own work, divided evenly among the CPUs that are used at most.
    pub work: f64,
    /// What is added for each key.
    pub overhead: f64,
    /// Outputs.
    pub output: f64,
    /// CPUs that wait: for the longest key, for sleepers, for whoever hands keys out.
    pub waiting: f64,
}

impl Prediction {
    /// Whether it may as well be as fast as the fastest: errors of predictions are wide, but much of them is the same for all
    /// strategies at a case, so one that is a tenth slower is expected to be slower.
    pub(crate) fn is_as_fast_as(&self, fastest: &Prediction) -> bool {
        const ALIKE: f64 = 1.1;
        self.overlaps(fastest) && self.seconds <= ALIKE * fastest.seconds
    }

    /// Whether the two may as well be equal.
    pub fn overlaps(&self, other: &Prediction) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

impl Strategy {
    /// Seconds for an output of so many bytes.
    pub fn output_seconds(&self, bytes: f64) -> f64 {
        interpolated(&self.output, bytes)
    }

    /// What it takes for the keys of `demand`.
    pub(crate) fn seconds(&self, demand: &Demand, cpus: f64, overslept: f64) -> f64 {
        let output = |bytes: f64| self.output_share(demand) * self.output_seconds(bytes);
        let costs = Costs { per_key: self.per_key, output: &output, overslept };
        let schedule = match self.schedule {
            Schedule::Divided if !demand.is_divisible => Schedule::Greedy,
            schedule => schedule,
        };
        let average = demand.average(&costs);
        let cpus = self.cpus(demand, cpus);
        let batch = if demand.unequal.is_empty() {
            schedule::of_equal(schedule, demand.keys, average, demand.workers, cpus)
        } else {
            schedule::of_keys(schedule, &demand.schedule_keys(&costs), demand.workers, cpus)
        };
        let in_turn = demand.keys as f64 * self.per_key_in_turn;
        let crowd = (demand.workers as u64).min(demand.keys) as f64 / cpus.count;
        let crowded = if schedule == Schedule::One { 0.0 } else { self.slowdown_crowded * crowd.log2().max(0.0) };
        self.start_seconds(demand) + larger(batch, in_turn) * (1.0 + crowded)
    }

    /// Before the first key: no more workers are started than there are keys.
    fn start_seconds(&self, demand: &Demand) -> f64 {
        self.start + self.start_per_worker * (demand.workers as u64).min(demand.keys) as f64
    }

    /// What is left of an output's cost.
    fn output_share(&self, demand: &Demand) -> f64 {
        if demand.is_written_meanwhile { self.output_meanwhile } else { 1.0 }
    }

    /// The CPUs for keys of this mixture of computing and writing.
    fn cpus(&self, demand: &Demand, count: f64) -> Cpus {
        let output = self.output_share(demand) * self.output_seconds(demand.bytes);
        let computing = self.per_key + demand.compute;
        let slowdown = computing * self.slowdown_computing + output * self.slowdown_output;
        Cpus { count, slowdown: slowdown / (computing + output).max(f64::MIN_POSITIVE) }
    }

    /// Nine of ten predictions of so many seconds are off by less than this factor's logarithm.
    fn error(&self, seconds: f64) -> f64 {
        let band = self.errors.iter().find(|band| band.upto.is_none_or(|upto| seconds <= upto)).or(self.errors.last());
        band.map_or(f64::INFINITY, |band| band.error)
    }
}

impl Model {
    /// What `name` is expected to take, if it was measured with so many keys.
    pub fn predict(&self, name: &str, case: &Case) -> Option<Prediction> {
        self.predict_demand(name, &case.demand(), self.overslept)
    }

    /// The same for keys that no case describes, whose sleeps are `overslept` seconds too long.
    pub(crate) fn predict_demand(&self, name: &str, demand: &Demand, overslept: f64) -> Option<Prediction> {
        let strategy = self.strategies.get(name).filter(|strategy| demand.keys <= strategy.most_keys)?;
        let seconds = strategy.seconds(demand, self.cpus, overslept);
        let off = strategy.error(seconds).exp();
        Some(Prediction { strategy: name.to_owned(), seconds, low: seconds / off, high: seconds * off })
    }

    /// Where the time goes.
    pub fn parts(&self, name: &str, case: &Case) -> Option<Parts> {
        let strategy = self.strategies.get(name)?;
        let demand = case.demand();
        let whole = strategy.seconds(&demand, self.cpus, self.overslept);
        let cpus = strategy.cpus(&demand, self.cpus);
        let used = if strategy.schedule == Schedule::One { 1.0 } else { (case.workers as f64).min(self.cpus) };
        let each = case.keys as f64 / (used * cpus.speed(used));
        let start = strategy.start_seconds(&demand).min(whole);
        let (work, overhead) = (each * demand.compute, each * strategy.per_key);
        let output = each * strategy.output_seconds(demand.bytes);
        Some(Parts { start, work, overhead, output, waiting: (whole - start - work - overhead - output).max(0.0) })
    }

    /// Which flags of `case` are outside of what was measured, each with what was.
    pub fn outside(&self, case: &Case) -> Vec<String> {
        let told = |Beyond { flag, asked, measured }: Beyond| format!("--{flag} {asked}: {measured}");
        self.beyond(case).into_iter().map(told).collect()
    }

    /// The same, for sentences without flags.
    pub(crate) fn beyond(&self, case: &Case) -> Vec<Beyond> {
        let Ranges { keys, grain, output_bytes, workers, blocking, asleep, skews } = &self.measured;
        let mut beyond = Vec::new();
        let mut check = |is_inside: bool, flag: &'static str, asked: String, measured: String| {
            if !is_inside {
                beyond.push(Beyond { flag, asked, measured });
            }
        };
        check(
            (keys.0..=keys.1).contains(&case.keys),
            "keys",
            case.keys.to_string(),
            format!("measured from {} to {} keys", keys.0, keys.1),
        );
        // What was measured is a median, and says its own limits no more exactly than this.
        let slack = 1.01;
        check(
            case.grain * slack >= grain.0 && case.grain <= grain.1 * slack,
            "grain",
            short_time(case.grain),
            format!("measured from {} to {}", short_time(grain.0), short_time(grain.1)),
        );
        check(
            case.output_bytes <= output_bytes.1,
            "output-bytes",
            case.output_bytes.to_string(),
            format!("measured from {} to {} bytes", output_bytes.0, output_bytes.1),
        );
        check(
            (workers.0..=workers.1).contains(&case.workers),
            "workers",
            case.workers.to_string(),
            format!("measured from {} to {} workers", workers.0, workers.1),
        );
        let name = harness::skew_name(case.skew);
        let known = skews.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        check(skews.contains(name), "skew", name.to_owned(), format!("measured with {known}"));
        if case.blocking > 0.0 {
            let shares = format!("measured from 0 % to {:.0} %", 100.0 * blocking);
            check(case.blocking <= blocking + 0.005, "blocking", percent(case.blocking), shares);
            let (slept, least) = (case.grain * case.blocking, asleep.unwrap_or(f64::INFINITY));
            check(
                slept * slack >= least || case.blocking > *blocking,
                "blocking",
                percent(case.blocking),
                format!("a key is asleep for {}, measured from {}", short_time(slept), short_time(least)),
            );
        }
        beyond
    }
}

/// The larger of the two, with a smooth way over from one to the other, as a fit needs it.
fn larger(a: f64, b: f64) -> f64 {
    a.hypot(b)
}

/// Between the points, a straight line on logarithmic axes. Beyond the last one, in proportion to `x`: a slope that two points have
/// by chance would soon be far off. Before the first one, as there.
pub(crate) fn interpolated(points: &[(f64, f64)], x: f64) -> f64 {
    let upper = points.iter().position(|point| x < point.0).unwrap_or(points.len());
    let before = upper.checked_sub(1).and_then(|lower| points.get(lower));
    match (before, points.get(upper)) {
        (Some(low), Some(high)) => {
            let along = (x / low.0).ln() / (high.0 / low.0).ln();
            (low.1.ln() + along * (high.1 / low.1).ln()).exp()
        }
        (Some(last), None) => last.1 * x / last.0,
        (None, Some(first)) => first.1,
        (None, None) => 0.0,
    }
}

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    let percent = format!("{:.1}", share * 100.0);
    format!("{} %", percent.strip_suffix(".0").unwrap_or(&percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_points_a_line_and_beyond_them_in_proportion() {
        let points = [(8.0, 1e-8), (80.0, 1e-7), (800.0, 1e-5)];
        let of = |x| interpolated(&points, x);
        assert!((of(80.0) / 1e-7 - 1.0).abs() < 1e-9);
        assert!((of(800.0) / 1e-5 - 1.0).abs() < 1e-9);
        assert!((of(8_000.0) / 1e-4 - 1.0).abs() < 1e-9);
        assert!((of(25.3) / 3.16e-8 - 1.0).abs() < 1e-2);
        assert!((of(0.0) / 1e-8 - 1.0).abs() < 1e-9);
        assert_eq!(interpolated(&[(8.0, 3.0)], 16.0), 6.0);
        assert_eq!(interpolated(&[], 100.0), 0.0);
    }

    #[test]
    fn times_have_three_digits() {
        let told: Vec<String> = [31.4e-9, 5e-5, 0.1234, 0.099_96, 12.3, 250.0].map(short_time).into();
        assert_eq!(told, ["31.4 ns", "50.0 µs", "123 ms", "100 ms", "12.3 s", "250 s"]);
        assert_eq!((percent(0.3), percent(0.125)), ("30 %".to_owned(), "12.5 %".to_owned()));
    }
}
