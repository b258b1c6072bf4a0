//! Whether two runs advise the same.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::advice::answer::{Needs, order};
use crate::advice::case::Case;
use crate::advice::model::{Model, Prediction};
use crate::numbers::random::below;
use crate::run::sweep::between;

/// How often a case is drawn that is outside of what was measured, or larger than allowed, before it is given up. Of the whole
/// space of a small run one in ten fits.
const TRIES: usize = 10_000;

/// The share of cases in which keys sleep.
const ASLEEP: f64 = 1.0 / 3.0;

/// How large a drawn case may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Seconds that one thread would take for all keys.
    pub work: f64,
    /// Bytes of all outputs.
    pub bytes: f64,
}

/// What two models say of the same cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// How many cases both can predict.
    pub cases: usize,
    /// In how many they pick the same.
    pub same: usize,
    /// In how many they do not, but each pick may be as fast as the other by one of the models at least.
    pub overlapping: usize,
    /// The others: the case, and the two picks.
    pub disagreements: Vec<(Case, String, String)>,
}

/// Compares the picks of two models for `cases` random cases, drawn from what both have measured.
pub fn agreement(a: &Model, b: &Model, cases: usize, seed: u64) -> Agreement {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let limits = Limits { work: f64::INFINITY, bytes: f64::INFINITY };
    let drawn = (0..20 * cases).filter_map(|_| draw(a, limits, &mut rng)).filter(|case| b.outside(case).is_empty());
    let mut agreement = Agreement { cases: 0, same: 0, overlapping: 0, disagreements: Vec::new() };
    for case in drawn {
        if agreement.cases == cases {
            break;
        }
        let Some((first, second)) = picked(a, &case).zip(picked(b, &case)) else { continue };
        agreement.cases += 1;
        let overlap = |model: &Model| {
            let of = |name: &str| model.predict(name, &case);
            of(&first.strategy).zip(of(&second.strategy)).is_some_and(|(one, other)| one.overlaps(&other))
        };
        match first.strategy == second.strategy {
            true => agreement.same += 1,
            false if overlap(a) || overlap(b) => agreement.overlapping += 1,
            false => agreement.disagreements.push((case.clone(), first.strategy, second.strategy)),
        }
    }
    agreement
}

pub(crate) fn picked(model: &Model, case: &Case) -> Option<Prediction> {
    let fit = model.strategies.iter().filter(|(_, strategy)| Needs::default().are_met_by(strategy));
    let mut predictions: Vec<Prediction> = fit.filter_map(|(name, _)| model.predict(name, case)).collect();
    predictions.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    order(model, &predictions).map(|(order, _)| order[0].clone())
}

/// A random case of the whole space that was measured and that `limits` allow: sizes are as likely to be between 1 and 2 as between
/// 1,000 and 2,000.
pub(crate) fn draw(model: &Model, limits: Limits, rng: &mut Xoshiro256PlusPlus) -> Option<Case> {
    let measured = &model.measured;
    let skews: Vec<_> =
        harness::SKEWS.into_iter().filter(|skew| measured.skews.contains(harness::skew_name(*skew))).collect();
    let between = |rng: &mut _, (least, most): (f64, f64)| between(share(rng), least, most);
    // Before anything else, since most grains are too short to be asleep for as long as was measured.
    let is_asleep = measured.asleep.is_some() && share(rng) < ASLEEP;
    (0..TRIES).find_map(|_| {
        let keys = between(rng, (measured.keys.0 as f64, measured.keys.1 as f64)).round();
        let grain = between(rng, measured.grain);
        let (least, most) = measured.output_bytes;
        // The outputs of a job that can be measured are whole words.
        let output_bytes = (between(rng, (least as f64, most as f64)) / 8.0).round() as u64 * 8;
        let skew = skews[below(rng, skews.len())];
        let blocking = if is_asleep { share(rng) * measured.blocking } else { 0.0 };
        let workers = between(rng, (measured.workers.0 as f64, measured.workers.1 as f64)).round() as usize;
        let case = Case { keys: keys as u64, grain, output_bytes: output_bytes.max(8), skew, blocking, workers };
        let is_small = keys * grain <= limits.work && keys * case.output_bytes as f64 <= limits.bytes;
        (is_small && model.outside(&case).is_empty()).then_some(case)
    })
}

/// A number from 0 to 1.
fn share(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::synthetic;

    #[test]
    fn a_model_agrees_with_itself_and_not_with_one_that_turns_it_over() {
        let model = synthetic::truth();
        let same = agreement(&model, &model, 200, 1);
        assert!(same.cases > 150, "{}", same.cases);
        assert_eq!((same.same, same.overlapping), (same.cases, 0));
        let mut other = model.clone();
        let swapped = ["counter", "pool", "chunks"].map(|name| {
            let mut strategy = other.strategies.remove(name).unwrap();
            strategy.start += 10.0;
            (name.to_owned(), strategy)
        });
        other.strategies.extend(swapped);
        let turned = agreement(&model, &other, 200, 1);
        assert!(turned.disagreements.len() > turned.cases / 4, "{turned:?}");
        assert_eq!(turned.same + turned.overlapping + turned.disagreements.len(), turned.cases);
    }

    #[test]
    fn what_is_drawn_was_measured_and_is_within_the_limits() {
        let model = synthetic::truth();
        let limits = Limits { work: 0.1, bytes: 1e8 };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let cases: Vec<Case> = (0..300).filter_map(|_| draw(&model, limits, &mut rng)).collect();
        assert_eq!(cases.len(), 300);
        for case in &cases {
            assert!(model.outside(case).is_empty() && case.keys as f64 * case.grain <= 0.1, "{case:?}");
            assert!(case.output_bytes % 8 == 0 && (case.keys * case.output_bytes) as f64 <= 1e8, "{case:?}");
        }
        for skew in harness::SKEWS {
            assert!(cases.iter().filter(|case| case.skew == skew).count() > 30);
        }
        assert!(cases.iter().filter(|case| case.blocking > 0.0).count() > 60);
        assert!(cases.iter().any(|case| case.workers > 4));
    }
}
