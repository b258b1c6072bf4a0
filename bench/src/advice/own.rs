//! Predictions for a job of one's own: from what its keys take alone, instead of from a case.

use workloads::Skew;

use crate::advice::answer::{Needs, order};
use crate::advice::case::{Case, Costs, Demand, Group, grouped};
use crate::advice::fit::rounded;
use crate::advice::model::{Beyond, Model, Prediction};
use crate::advice::schedule::{Cpus, Schedule, of_keys};
use crate::numbers::digits::short_time;
use crate::run::advised::{Advised, Expected};
use crate::run::alone::{Alone, Stretch, Summary};
use crate::run::plan::SEQUENTIAL;

/// Keys are equal if that changes no batch by more than this share, however they are shared out. Each was measured once, so they
/// always differ a little, and predictions are off by more.
const EQUAL: f64 = 0.05;

/// Keys that are shorter than this, in seconds, cannot be measured one by one: to read the clocks takes a part of it.
const SHORTEST: f64 = 2e-6;

/// A key that has more CPUs than this computes in threads of its own.
const ONE_CPU: f64 = 1.05;

/// What every strategy is expected to take, the fastest first.
///
/// # Errors
///
/// What of the job is outside of what was measured, each a sentence.
pub fn predict(model: &Model, alone: &Alone, workers: usize) -> Result<Vec<Prediction>, Vec<String>> {
    let summary = alone.summary();
    let outside = outside(model, &summary, workers);
    if !outside.is_empty() {
        return Err(outside);
    }
    let demand = demand(model, alone, &summary, workers);
    let uneven = |skew: &String| skew != harness::skew_name(Skew::Uniform);
    if !demand.unequal.is_empty() && !model.measured.skews.iter().any(uneven) {
        return Err(vec!["unequal keys: measured with equal ones alone".to_owned()]);
    }
    // Sleeps were measured, and so hold what they are too long.
    let predict = |name: &String| model.predict_demand(name, &demand, 0.0);
    let mut predictions: Vec<Prediction> = model.strategies.keys().filter_map(predict).collect();
    predictions.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Ok(predictions)
}

/// What is expected of the strategies that take part, and which of them is advised. To be kept in the folder of the run before
/// anything is timed.
///
/// Nothing is, if this machine has another number of `cpus` than the model's had.
pub fn advised(
    model: &Model,
    alone: &Alone,
    cpus: usize,
    workers: usize,
    takes_part: impl Fn(&str) -> bool,
) -> Advised {
    let mut advised =
        Advised { stamp: model.stamp.clone(), cpus: model.cpus, pick: None, expected: Vec::new(), outside: Vec::new() };
    if model.cpus.round() != cpus as f64 {
        return Advised { outside: vec![format!("{cpus} CPUs: measured with {:.0}", model.cpus)], ..advised };
    }
    let mut predictions = match predict(model, alone, workers) {
        Ok(predictions) => predictions,
        Err(outside) => return Advised { outside, ..advised },
    };
    predictions.retain(|prediction| takes_part(&prediction.strategy));
    let expected = |Prediction { strategy, seconds, low, high }: &Prediction| Expected {
        strategy: strategy.clone(),
        seconds: rounded(*seconds),
        low: rounded(*low),
        high: rounded(*high),
    };
    advised.expected = predictions.iter().map(expected).collect();
    let is_advised = |name: &str| model.strategies.get(name).is_some_and(|it| Needs::default().are_met_by(it));
    predictions.retain(|prediction| is_advised(&prediction.strategy));
    advised.pick = order(model, &predictions).map(|(order, _)| order[0].strategy.clone());
    advised
}

/// What of the job was not measured.
fn outside(model: &Model, summary: &Summary, workers: usize) -> Vec<String> {
    let told = model.beyond(&case(summary, workers)).into_iter().map(|Beyond { flag, asked, measured }| {
        let what = match flag {
            "keys" => format!("{asked} keys"),
            "grain" => format!("keys of {asked}"),
            "output-bytes" => format!("outputs of {asked} bytes"),
            "workers" => format!("{asked} workers"),
            "blocking" => format!("keys that are asleep for {asked} of their time"),
            _ => format!("{flag} {asked}"),
        };
        format!("{what}: {measured}")
    });
    let mut outside: Vec<String> = told.collect();
    if summary.grain < SHORTEST {
        let (grain, least) = (short_time(summary.grain), short_time(SHORTEST));
        outside.push(format!("keys of {grain}: one by one, keys are measured well from {least}"));
    }
    if summary.cpus > ONE_CPU {
        outside.push(format!("keys that have {:.1} CPUs each: measured with keys that have one", summary.cpus));
    }
    outside
}

/// The average key.
fn case(summary: &Summary, workers: usize) -> Case {
    Case {
        keys: summary.keys,
        grain: summary.grain,
        output_bytes: summary.bytes.round() as u64,
        skew: Skew::Uniform,
        blocking: summary.asleep,
        workers,
    }
}

/// What the keys ask for.
fn demand(model: &Model, alone: &Alone, summary: &Summary, workers: usize) -> Demand {
    let equal = Demand { bytes: summary.bytes, ..case(summary, workers).demand() };
    let unequal = Demand { unequal: weighed(alone, summary, workers), ..equal.clone() };
    let told = if are_equal(&unequal, model.cpus) { equal } else { unequal };
    // A key was measured with the writing of its output, which a model has among the costs of a strategy.
    let written = model.strategies.get(SEQUENTIAL).map_or(0.0, |strategy| strategy.output_seconds(summary.bytes));
    Demand { compute: (told.compute - written).max(0.0), ..told }
}

/// The keys as they are. Where none is asleep, it does not count for how long others had the CPU.
fn weighed(alone: &Alone, summary: &Summary, workers: usize) -> Vec<Group> {
    let (computes, sleeps) = (summary.cpus * summary.grain, summary.asleep * summary.grain);
    let to_average = |seconds: f64, average: f64| if average > 0.0 { seconds / average } else { 1.0 };
    let weights = alone.stretches().flat_map(|Stretch { keys, wall, cpu }| {
        let weights = [to_average(cpu, computes), to_average((wall - cpu).max(0.0), sleeps)];
        (0..keys).map(move |_| weights)
    });
    grouped(weights, alone.keys, workers)
}

/// Whether no way to share the keys of `demand` out takes clearly more or less time than it would if they were equal.
fn are_equal(demand: &Demand, cpus: f64) -> bool {
    let equal = grouped((0..demand.keys).map(|_| [1.0; 2]), demand.keys, demand.workers);
    let equal = Demand { unequal: equal, ..demand.clone() };
    let costs = Costs { per_key: 0.0, output: &|_| 0.0, overslept: 0.0 };
    let cpus = Cpus { count: cpus, slowdown: 0.0 };
    [Schedule::Chunks, Schedule::Greedy, Schedule::PerKey].into_iter().all(|schedule| {
        let seconds = |demand: &Demand| of_keys(schedule, &demand.schedule_keys(&costs), demand.workers, cpus);
        (seconds(demand) / seconds(&equal) - 1.0).abs() <= EQUAL
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::synthetic;
    use crate::run::alone::Key;
    use proptest::prelude::*;

    /// A job of such keys: what each takes, and for how long of that it computes, in microseconds.
    fn alone(keys: impl Iterator<Item = (u64, u64)>, bytes: u64) -> Alone {
        let key = |(key, (wall, cpu))| Key { key, wall_ns: 1_000 * wall, cpu_ns: 1_000 * cpu, bytes };
        let measured: Vec<Key> = (0..).zip(keys).map(key).collect();
        let keys = measured.len() as u64;
        Alone { workload: "primes".to_owned(), arguments: Vec::new(), keys, measured, printed_bytes: 0 }
    }

    fn awake(keys: impl IntoIterator<Item = u64>) -> Alone {
        alone(keys.into_iter().map(|wall| (wall, wall)), 8)
    }

    fn of(predictions: &[Prediction], name: &str) -> f64 {
        predictions.iter().find(|it| it.strategy == name).unwrap().seconds
    }

    #[test]
    fn equal_keys_take_what_their_case_takes_without_the_output_and_what_sleeps_are_too_long() {
        let model = synthetic::truth();
        for (keys, bytes, slept) in [(100, 8, 0), (1_000, 80_000, 0), (64, 8, 300)] {
            let own = alone(std::iter::repeat_n((1_000, 1_000 - slept), keys), bytes);
            let predictions = predict(&model, &own, 2).unwrap();
            assert_eq!(predictions.len(), model.strategies.len());
            let written = model.strategies[SEQUENTIAL].output_seconds(bytes as f64);
            let awake = (1_000 - slept) as f64 / 1e6 - written;
            let asleep = if slept > 0 { slept as f64 / 1e6 - model.overslept } else { 0.0 };
            let case = Case {
                keys: keys as u64,
                grain: awake + asleep,
                output_bytes: bytes,
                skew: Skew::Uniform,
                blocking: asleep / (awake + asleep),
                workers: 2,
            };
            for one in &predictions {
                let other = model.predict(&one.strategy, &case).unwrap();
                assert!((one.seconds / other.seconds - 1.0).abs() < 1e-6, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn unequal_keys_take_what_their_skew_takes() {
        let model = synthetic::truth();
        for skew in [Skew::Zipf, Skew::OneHuge, Skew::OneHugeLast] {
            let case = Case { keys: 100, grain: 1e-3, output_bytes: 8, skew, blocking: 0.0, workers: 2 };
            let weight = |key: u64| match skew {
                Skew::Zipf => 19_277.56 / (key + 1) as f64,
                Skew::OneHuge if key == 0 => 50_000.0,
                Skew::OneHugeLast if key == 99 => 50_000.0,
                _ => 50_000.0 / 99.0,
            };
            let predictions = predict(&model, &awake((0..100).map(|key| weight(key).round() as u64)), 2).unwrap();
            for one in &predictions {
                let other = model.predict(&one.strategy, &case).unwrap();
                assert!((one.seconds / other.seconds - 1.0).abs() < 2e-3, "{skew:?} {one:?} {other:?}");
            }
        }
    }

    #[test]
    fn sleepers_among_keys_that_compute_are_asleep_alone() {
        let model = synthetic::truth();
        // Half of the time is asleep; none of it may be shared out to those that compute.
        let keys = (0..100).map(|key| if key < 10 { (9_000, 0) } else { (1_000, 1_000) });
        let predictions = predict(&model, &alone(keys, 8), 12).unwrap();
        let counter = of(&predictions, "counter");
        assert!((0.045..0.055).contains(&counter), "{counter}: two CPUs compute for 45 ms each");
        assert!(of(&predictions, "sequential") > 0.179);
    }

    #[test]
    fn keys_are_equal_where_it_changes_no_batch() {
        let is_equal = |keys: Vec<u64>, workers| {
            let own = awake(keys);
            let summary = own.summary();
            demand(&synthetic::truth(), &own, &summary, workers).unequal.is_empty()
        };
        assert!(is_equal(vec![1_000; 100], 2));
        assert!(is_equal((0..100).map(|key| 950 + key * 37 % 100).collect(), 2), "some noise");
        assert!(!is_equal((0..100).map(|key| 500 + 10 * key).collect(), 2), "a slope, which slices feel");
        assert!(is_equal((0..1_000).map(|key| if key == 7 { 20_000 } else { 1_000 }).collect(), 2), "one in many");
        assert!(!is_equal((0..10).map(|key| if key == 9 { 3_000 } else { 1_000 }).collect(), 2), "one of few");
    }

    #[test]
    fn who_had_the_cpu_meanwhile_makes_no_key_long() {
        let own = alone((0..100).map(|key| if key == 99 { (2_500, 1_000) } else { (1_000, 1_000) }), 8);
        let summary = own.summary();
        assert_eq!(summary.asleep, 0.0);
        let keys = weighed(&own, &summary, 2);
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }

    #[test]
    fn outside_of_what_was_measured_there_are_sentences() {
        let model = synthetic::truth();
        let told = |own: &Alone, workers| predict(&model, own, workers).unwrap_err();
        let far = Alone { keys: 10_000_000, ..alone(std::iter::once((200_000, 10_000)), 100_000_000) };
        assert_eq!(
            told(&far, 100),
            [
                "10000000 keys: measured from 2 to 131072 keys",
                "keys of 200 ms: measured from 61.0 ns to 50.0 ms",
                "outputs of 100000000 bytes: measured from 8 to 80000000 bytes",
                "100 workers: measured from 1 to 16 workers",
                "keys that are asleep for 95 % of their time: measured from 0 % to 90 %",
            ]
        );
        assert_eq!(told(&awake([1; 10]), 2), ["keys of 1.00 µs: one by one, keys are measured well from 2.00 µs"]);
        assert_eq!(
            told(&alone(std::iter::repeat_n((1_000, 3_000), 10), 8), 2),
            ["keys that have 3.0 CPUs each: measured with keys that have one"]
        );
        let mut even = model.clone();
        even.measured.skews.retain(|skew| skew == "uniform");
        assert!(predict(&even, &awake([1_000; 10]), 2).is_ok());
        assert_eq!(
            predict(&even, &awake([1_000, 9_000]), 2).unwrap_err(),
            ["unequal keys: measured with equal ones alone"]
        );
    }

    #[test]
    fn only_who_takes_part_is_advised_and_no_demonstration() {
        let model = synthetic::truth();
        let own = awake([1_000; 100]);
        let told = advised(&model, &own, 2, 2, |_| true);
        assert_eq!((told.pick.as_deref(), told.stamp.as_str()), (Some("counter"), "synthetic"));
        assert_eq!(told.expected.len(), model.strategies.len());
        assert!(told.expected.windows(2).all(|pair| pair[0].seconds <= pair[1].seconds));
        let told = advised(&model, &own, 2, 2, |name| ["chunks", "lock"].contains(&name));
        assert_eq!((told.pick.as_deref(), told.expected.len()), (Some("chunks"), 2));
        let told = advised(&model, &own, 2, 2, |name| name == "lock");
        assert_eq!((told.pick, told.expected.len()), (None, 1));
        let told = advised(&model, &own, 2, 99, |_| true);
        assert_eq!((told.outside.len(), told.expected.len(), told.pick), (1, 0, None));
    }

    proptest! {
        #[test]
        fn whatever_keys_take_a_prediction_is_a_time(
            keys in prop::collection::vec((2u64..20_000, 0u64..20_000), 2..60), workers in 1usize..16, more in 0u64..500,
        ) {
            let own = alone(keys.into_iter().map(|(wall, cpu)| (wall, cpu.min(wall))), 8);
            let own = Alone { keys: own.keys + more, ..own };
            if let Ok(predictions) = predict(&synthetic::truth(), &own, workers) {
                for it in predictions {
                    prop_assert!(it.seconds.is_finite() && 0.0 < it.low && it.low < it.seconds && it.seconds < it.high);
                }
            }
        }
    }
}
