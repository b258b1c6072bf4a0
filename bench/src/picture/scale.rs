//! Scales: which values an axis reaches, and where it has ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::numbers::curves::{Axis, Unit};
use crate::picture::canvas::FONT;
use crate::picture::labels;
use crate::picture::unit::{self, Distances};

/// The largest number that is shown, and of which the smallest on a logarithmic axis is the inverse. It bounds what is computed
/// from them, so that nothing overflows. No time, size or ratio of a run is near it.
const LARGEST: f64 = 1e18;

/// At most so many ticks: more say no more.
const MOST_TICKS: usize = 9;

/// From values to places along an axis.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    is_logarithmic: bool,
    ticks: Vec<(f64, String)>,
}

/// Whether an axis can show a value; if not, why not.
pub(super) fn showable(value: f64, axis: &Axis) -> Result<f64, &'static str> {
    match value {
        _ if value.is_nan() => Err("not a number"),
        _ if value.abs() > LARGEST => Err("too large"),
        _ if axis.is_logarithmic && value < LARGEST.recip() => Err("not above zero, on a logarithmic axis"),
        _ => Ok(value),
    }
}

impl Scale {
    /// For what was chosen, from left to right over `length` pixels. Where there are few values, the ticks are at them.
    pub(super) fn chosen(axis: &Axis, values: &[f64], length: f64) -> Scale {
        let (least, most) = ends(values);
        let bounds = if axis.is_logarithmic { padded_ratio(least, most) } else { padded(least, most) };
        let mut scale = Scale::between(bounds, axis.is_logarithmic);
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let own = Some(values).filter(|values| axis.unit != Unit::Seconds && values.len() <= MOST_TICKS);
        scale.set_ticks(axis.unit, length, across, own);
        scale
    }

    /// For what was measured, from left to right. A linear scale starts at zero.
    pub(super) fn measured_across(axis: &Axis, values: &[f64], length: f64) -> Scale {
        let mut scale = Scale::measured(axis, values);
        scale.set_ticks(axis.unit, length, across, None);
        scale
    }

    /// For what was measured, from below. A linear scale starts at zero.
    pub(super) fn measured_upwards(axis: &Axis, values: &[f64], length: f64) -> Scale {
        let mut scale = Scale::measured(axis, values);
        scale.set_ticks(axis.unit, length, |_| 2.2 * FONT, None);
        scale
    }

    /// One place for each name, from above.
    pub(super) fn rows(names: Vec<String>) -> Scale {
        let high = names.len() as f64;
        let ticks = names.into_iter().enumerate().map(|(row, name)| (row as f64 + 0.5, name)).collect();
        Scale { low: high, high: 0.0, is_logarithmic: false, ticks }
    }

    fn measured(axis: &Axis, values: &[f64]) -> Scale {
        let (least, most) = ends(values);
        let bounds = if axis.is_logarithmic {
            padded_ratio(least, most)
        } else {
            let (low, high) = padded(least.min(0.0), most.max(0.0));
            (if least < 0.0 { low } else { 0.0 }, if most > 0.0 || least == 0.0 { high } else { 0.0 })
        };
        Scale::between(bounds, axis.is_logarithmic)
    }

    fn between((low, high): (f64, f64), is_logarithmic: bool) -> Scale {
        Scale { low, high, is_logarithmic, ticks: Vec::new() }
    }

    /// The part of the axis below a value: 0 at its start, 1 at its end.
    pub(super) fn part(&self, value: f64) -> f64 {
        let on = |value: f64| if self.is_logarithmic { value.ln() } else { value };
        (on(value) - on(self.low)) / (on(self.high) - on(self.low))
    }

    /// The nearest value that is on the axis.
    pub(super) fn within(&self, value: f64) -> f64 {
        value.max(self.low.min(self.high)).min(self.low.max(self.high))
    }

    /// What stands at the ticks.
    pub(super) fn tick_texts(&self) -> impl Iterator<Item = &str> {
        self.ticks.iter().map(|(_, text)| text.as_str())
    }

    /// Takes the first ticks that there is room for: `own`, or the closest together of the round values.
    fn set_ticks(&mut self, unit: Unit, length: f64, room: fn(&str) -> f64, own: Option<Vec<f64>>) {
        let distances = if self.is_logarithmic { Distances::Growing } else { Distances::Equal };
        let mut rounds = if self.is_logarithmic { self.ratios() } else { Vec::new() };
        // Within a small range a logarithmic axis has few round ratios, and is nearly linear.
        if rounds.iter().all(|values| values.len() < 3) {
            rounds.extend(self.steps());
        }
        rounds.sort_by_key(|values| std::cmp::Reverse(values.len()));
        // The last resort is a single tick.
        let one = rounds.iter().rev().find_map(|values| values.first().copied());
        for values in own.into_iter().chain(rounds).chain([one.into_iter().collect()]) {
            let texts = unit::ticks(&values, unit, distances);
            let places: Vec<f64> = values.iter().map(|value| self.part(*value) * length).collect();
            let is_free = |pair: usize| {
                places[pair + 1] - places[pair] >= (room(&texts[pair]) + room(&texts[pair + 1])) / 2.0
                    && texts[pair] != texts[pair + 1]
            };
            if values.len() <= MOST_TICKS && (1..values.len()).all(|index| is_free(index - 1)) {
                self.ticks = values.into_iter().zip(texts).collect();
                return;
            }
        }
    }

    /// Powers of ten, or of a power of ten, and such with 2 and 5 between them.
    fn ratios(&self) -> Vec<Vec<f64>> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let kinds: [(i32, &[f64]); 8] = [
            (9, &[1.0]),
            (6, &[1.0]),
            (3, &[1.0]),
            (2, &[1.0]),
            (1, &[1.0]),
            (1, &[1.0, 3.0]),
            (1, &[1.0, 2.0, 5.0]),
            (1, &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]),
        ];
        let of = |(stride, factors): (i32, &[f64])| {
            let powers = (first..=last).filter(|power| power.rem_euclid(stride) == 0);
            // Parsed, so that 1e-7 is the nearest number to it.
            let values = powers
                .flat_map(|power| factors.iter().filter_map(move |factor| format!("{factor}e{power}").parse().ok()));
            values.filter(|value| (self.low..=self.high).contains(value)).collect()
        };
        kinds.into_iter().map(of).collect()
    }

    /// Multiples of 1, 2, 2.5 and 5 times a power of ten.
    fn steps(&self) -> Vec<Vec<f64>> {
        let power = (self.high - self.low).log10().floor() as i32;
        let steps = [power - 1, power]
            .into_iter()
            .flat_map(|power| [1.0, 2.0, 2.5, 5.0].map(|factor| factor * 10f64.powi(power)));
        let of = |step: f64| {
            let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
            let count = (last - first).max(-1.0) as usize + 1;
            // Where the steps are too small for the numbers' precision there is none.
            (0..count.min(MOST_TICKS + 1)).map(|index| (first + index as f64) * step).collect()
        };
        steps.map(of).collect()
    }
}

/// The room that a tick's text needs from left to right.
fn across(text: &str) -> f64 {
    labels::width(text, FONT) + 0.8 * FONT
}

/// The least and the greatest value; 0 and 1 if there is none.
fn ends(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
    (least, values.iter().copied().reduce(f64::max).unwrap_or(1.0))
}

/// A little more to both sides, and something at all if both are the same.
fn padded(least: f64, most: f64) -> (f64, f64) {
    let range = most - least;
    let size = least.abs().max(most.abs());
    let pad = if range > 1e-9 * size { 0.04 * range } else { (0.1 * size).max(1e-9 * LARGEST.recip()) };
    if size == 0.0 { (0.0, 1.0) } else { (least - pad, most + pad) }
}

/// The same in ratios.
fn padded_ratio(least: f64, most: f64) -> (f64, f64) {
    let pad = if most / least > 1.01 { (most / least).powf(0.04) } else { 1.5 };
    (least / pad, most * pad)
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (self.part(*value) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        self.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|(tick, _)| tick == value).map(|(_, text)| text.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn axis(unit: Unit, is_logarithmic: bool) -> Axis {
        Axis { label: String::new(), unit, is_logarithmic }
    }

    fn texts(scale: &Scale) -> Vec<&str> {
        scale.tick_texts().collect()
    }

    proptest! {
        #[test]
        fn every_value_is_on_its_axis_and_ticks_do_not_touch(
            exponents in proptest::collection::vec(-17.0..17.0f64, 1..20), logarithmic: bool, negative: bool,
        ) {
            let sign = if negative && !logarithmic { -1.0 } else { 1.0 };
            let values: Vec<f64> = exponents.iter().map(|exponent| sign * 10f64.powf(*exponent)).collect();
            let axis = axis(Unit::Seconds, logarithmic);
            for scale in [Scale::chosen(&axis, &values, 450.0), Scale::measured_across(&axis, &values, 450.0)] {
                prop_assert!(values.iter().all(|value| (0.0..=1.0).contains(&scale.part(*value))), "{scale:?}");
                prop_assert!(!scale.ticks.is_empty() && scale.ticks.len() <= MOST_TICKS, "{scale:?}");
                for pair in scale.ticks.windows(2) {
                    let distance = (scale.part(pair[1].0) - scale.part(pair[0].0)) * 450.0;
                    let touching = (labels::width(&pair[0].1, FONT) + labels::width(&pair[1].1, FONT)) / 2.0;
                    prop_assert!(distance > touching, "{scale:?}");
                }
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        let grain = Scale::chosen(&axis(Unit::Seconds, true), &[50e-9, 5e-3], 450.0);
        assert_eq!(texts(&grain), ["100 ns", "1 µs", "10 µs", "100 µs", "1 ms"]);
        let share = Scale::measured_upwards(&axis(Unit::Share, false), &[0.02, 0.97], 300.0);
        assert_eq!(texts(&share), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        let time = Scale::measured_across(&axis(Unit::Seconds, true), &[0.412, 0.733], 450.0);
        assert_eq!(texts(&time), ["500 ms", "600 ms", "700 ms"]);
    }

    #[test]
    fn ticks_are_at_the_few_values_that_were_chosen() {
        let workers = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0];
        assert_eq!(texts(&Scale::chosen(&axis(Unit::Count, false), &workers, 450.0)), ["1", "2", "3", "4", "6", "8"]);
        let bytes = [8e3, 80e3, 800e3, 8e6];
        assert_eq!(texts(&Scale::chosen(&axis(Unit::Bytes, true), &bytes, 450.0)), ["8 kB", "80 kB", "800 kB", "8 MB"]);
    }

    #[test]
    fn a_linear_scale_of_what_was_measured_starts_at_zero() {
        let scale = Scale::measured_across(&axis(Unit::Factor, false), &[1.8, 1.9], 450.0);
        assert_eq!((scale.part(0.0), texts(&scale)[0]), (0.0, "0×"));
    }

    #[test]
    fn what_cannot_be_shown_is_told() {
        let (linear, logarithmic) = (axis(Unit::Factor, false), axis(Unit::Factor, true));
        assert_eq!((showable(0.0, &linear), showable(-1.0, &linear)), (Ok(0.0), Ok(-1.0)));
        assert!(showable(0.0, &logarithmic).is_err() && showable(-1.0, &logarithmic).is_err());
        assert_eq!(showable(f64::NAN, &linear), Err("not a number"));
        assert_eq!(showable(f64::INFINITY, &linear), Err("too large"));
    }
}
