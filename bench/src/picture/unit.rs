//! Numbers on a picture, with their unit.

use crate::numbers::curves::Unit;
use crate::numbers::digits;
use crate::text::number;

/// A value beside its row.
pub(super) fn value(value: f64, unit: Unit) -> String {
    let size = value.abs();
    let text = match unit {
        Unit::Seconds => number::short_time(size),
        Unit::Bytes => number::bytes(size.round() as u64),
        Unit::Share => number::percent(size),
        Unit::Factor => number::factor(size),
        Unit::Count if size >= 1000.0 => number::grouped(size.round() as u64),
        Unit::Count => number::average(size),
    };
    signed(value, text)
}

/// The ticks of an axis. If their `distances` are `Equal`, they have one unit; otherwise each has its own.
pub(super) fn ticks(values: &[f64], unit: Unit, distances: Distances) -> Vec<String> {
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let least_step = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(f64::INFINITY, f64::min);
    let one = |value: &f64| {
        let size = if distances == Distances::Equal { largest } else { value.abs() };
        let (scale, suffix) = prefix(size, unit);
        let shown = value.abs() * scale;
        let step = if distances == Distances::Equal { least_step * scale } else { shown / 10.0 };
        // Two digits more than the step needs: one for steps of 2.5, one for ratios of 1.5.
        let decimals = if step.is_finite() && step > 0.0 { (2.0 - step.log10().floor()).clamp(0.0, 12.0) } else { 3.0 };
        let text = match unit {
            Unit::Count if largest >= 1e6 && shown >= 1000.0 => power(shown),
            // No run comes near it, but there is room for it.
            _ if shown >= 1e6 || (shown > 0.0 && shown < 1e-3) => power(shown),
            Unit::Count if shown >= 1000.0 => number::grouped(shown.round() as u64),
            _ => trimmed(&format!("{shown:.0$}", decimals as usize)),
        };
        signed(*value, format!("{text}{suffix}"))
    };
    values.iter().map(one).collect()
}

/// Whether neighbouring ticks are as far apart as others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distances {
    /// As on a linear axis.
    Equal,
    /// As on a logarithmic one, where ratios are equal.
    Growing,
}

/// What to multiply numbers of this size by, and what to write behind them.
fn prefix(size: f64, unit: Unit) -> (f64, String) {
    match unit {
        Unit::Seconds => {
            let shown = digits::time(size, None);
            (shown.scale, format!(" {}", shown.unit))
        }
        Unit::Bytes => {
            let shown = digits::bytes(size.round() as u64);
            (shown.scale, format!(" {}", shown.unit))
        }
        Unit::Share => (100.0, " %".to_owned()),
        Unit::Factor => (1.0, "×".to_owned()),
        Unit::Count => (1.0, String::new()),
    }
}

/// `10⁶`, `2×10⁶`.
fn power(value: f64) -> String {
    // Rounded first: the logarithm of 1000 may be a little less than 3.
    let text = format!("{value:.2e}");
    let (factor, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let raised: String = exponent
        .chars()
        .map(|digit| digit.to_digit(10).and_then(|digit| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit as usize)).unwrap_or('⁻'))
        .collect();
    match trimmed(factor).as_str() {
        "1" => format!("10{raised}"),
        factor => format!("{factor}×10{raised}"),
    }
}

fn signed(value: f64, text: String) -> String {
    if value < 0.0 { format!("−{text}") } else { text }
}

/// Without the zeros at the end that say nothing.
fn trimmed(text: &str) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Distances::{Equal, Growing};

    #[test]
    fn ticks_have_units() {
        assert_eq!(ticks(&[1e-7, 1e-6, 1e-3, 1.0], Unit::Seconds, Growing), ["100 ns", "1 µs", "1 ms", "1 s"]);
        assert_eq!(ticks(&[0.0, 0.5, 1.0, 1.5], Unit::Seconds, Equal), ["0 s", "0.5 s", "1 s", "1.5 s"]);
        assert_eq!(ticks(&[0.0, 2.5e-3, 5e-3], Unit::Seconds, Equal), ["0 ms", "2.5 ms", "5 ms"]);
        assert_eq!(ticks(&[8e3, 8e6, 2e9], Unit::Bytes, Growing), ["8 kB", "8 MB", "2 GB"]);
        assert_eq!(ticks(&[-0.1, 0.0, 0.1], Unit::Share, Equal), ["−10 %", "0 %", "10 %"]);
        assert_eq!(ticks(&[0.5, 1.5, 20.0], Unit::Factor, Growing), ["0.5×", "1.5×", "20×"]);
        assert_eq!(ticks(&[1.0, 64.0, 10_000.0], Unit::Count, Growing), ["1", "64", "10,000"]);
        assert_eq!(ticks(&[1e4, 1e6, 2.5e9], Unit::Count, Growing), ["10⁴", "10⁶", "2.5×10⁹"]);
        assert_eq!(ticks(&[1e-15, 3e9], Unit::Seconds, Growing), ["10⁻⁶ ns", "3×10⁹ s"]);
        assert_eq!(ticks(&[], Unit::Count, Equal), Vec::<String>::new());
    }

    #[test]
    fn values_are_shown_as_in_tables() {
        assert_eq!(value(0.4123, Unit::Seconds), "412 ms");
        assert_eq!(value(812e6, Unit::Bytes), "812 MB");
        assert_eq!(value(0.8123, Unit::Share), "81.2 %");
        assert_eq!(value(-0.8123, Unit::Factor), "−0.81×");
        assert_eq!(value(12_345.0, Unit::Count), "12,345");
    }
}
