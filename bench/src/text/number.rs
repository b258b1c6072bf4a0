//! Numbers with the digits that mean something, and no others.

use crate::numbers::stats::{Ratio, Summary};

/// What an empty cell says: not measured, or not measurable here.
pub const NOTHING: &str = "n/a";

/// A time with its spread: `412 ms ± 9`, `1.23 s ± 0.04`.
pub fn time(summary: Summary) -> String {
    let Some(spread) = summary.spread else { return short_time(summary.median) };
    let (unit, scale) = time_unit(summary.median);
    let (median, spread) = (summary.median * scale, spread * scale);
    let decimals = decimals(median, spread);
    format!("{median:.decimals$} {unit} ± {spread:.decimals$}")
}

/// A time alone, to three digits: `412 ms`.
pub fn short_time(seconds: f64) -> String {
    let (unit, scale) = time_unit(seconds);
    let value = seconds * scale;
    format!("{value:.0$} {unit}", decimals(value, 0.0))
}

fn time_unit(seconds: f64) -> (&'static str, f64) {
    match seconds {
        // 0.9995 would be shown as 1000 ms.
        _ if seconds >= 0.9995 => ("s", 1.0),
        _ if seconds >= 0.999_5e-3 => ("ms", 1e3),
        0.0 => ("ms", 1e3),
        _ if seconds >= 0.999_5e-6 => ("µs", 1e6),
        _ => ("ns", 1e9),
    }
}

/// A ratio with its interval, to the digits that the interval leaves: `3.14× [3.08, 3.21]`.
pub fn ratio(ratio: Ratio) -> String {
    let decimals = ratio_decimals(ratio);
    format!("{:.decimals$}× [{:.decimals$}, {:.decimals$}]", ratio.median, ratio.low, ratio.high)
}

/// The same without the interval: `3.14×`.
pub fn short_ratio(ratio: Ratio) -> String {
    format!("{:.1$}×", ratio.median, ratio_decimals(ratio))
}

/// At least one decimal below 10, or an end of a wide interval would be shown as 0. Two are the most, but for ratios that
/// would hardly have a digit then.
fn ratio_decimals(ratio: Ratio) -> usize {
    let least = usize::from(ratio.median < 10.0);
    let most = if ratio.median < 0.05 { 4 } else { 2 };
    decimals(ratio.median, (ratio.high - ratio.low) / 2.0).clamp(least, most)
}

/// A factor to three digits at most: `2.03×`.
pub fn factor(value: f64) -> String {
    format!("{value:.0$}×", decimals(value, 0.0).min(2))
}

/// A count that was averaged: `1.98`, `84.1`.
pub fn average(value: f64) -> String {
    format!("{value:.0$}", decimals(value, 0.0).min(2))
}

/// Bytes in decimal units, to three digits: `812 MB`.
pub fn bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    let (unit, scale) = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)]
        .into_iter()
        .find(|(_, scale)| bytes >= 0.9995 * scale)
        .unwrap_or(("B", 1.0));
    let value = bytes / scale;
    let decimals = if scale > 1.0 { decimals(value, 0.0) } else { 0 };
    format!("{value:.decimals$} {unit}")
}

/// A share: `0.3 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A whole number with its thousands apart: `1,000,000`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Decimals for a value that is known to within `spread`: as many as show the spread's first digit, or its first two if the
/// first is a 1, and never more than make four digits of the value, or three if nothing is known of the spread.
fn decimals(value: f64, spread: f64) -> usize {
    if value == 0.0 {
        return 0;
    }
    // What rounding makes of the value counts: 9.996 to three digits is 10.0.
    let digits = |wanted: i32| wanted - 1 - exponent(value.abs() + 0.5 * 10f64.powi(exponent(value) + 1 - wanted));
    if spread <= 0.0 {
        return digits(3).max(0) as usize;
    }
    let leading = spread / 10f64.powi(exponent(spread));
    // 1.95 is rounded to 2, which has one digit.
    let for_spread = if leading < 1.95 { 1 } else { 0 } - exponent(spread);
    for_spread.min(digits(4)).max(0) as usize
}

/// The power of ten of the first digit of a value other than 0.
fn exponent(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(median: f64, spread: f64) -> String {
        time(Summary { median, spread: Some(spread) })
    }

    #[test]
    fn times_show_what_their_spread_leaves() {
        assert_eq!(shown(0.412_34, 0.0087), "412 ms ± 9");
        assert_eq!(shown(0.412_34, 0.0013), "412.3 ms ± 1.3");
        assert_eq!(shown(1.2345, 0.037), "1.23 s ± 0.04");
        assert_eq!(shown(1.2345, 0.012), "1.234 s ± 0.012");
        assert_eq!(shown(0.000_412, 0.000_011), "412 µs ± 11");
        assert_eq!(shown(12.0, 3.0), "12 s ± 3");
        assert_eq!(shown(0.412, 0.0), "412 ms ± 0");
        assert_eq!(shown(0.041_234_5, 0.000_000_2), "41.23 ms ± 0.00");
        assert_eq!(shown(0.9999, 0.02), "1.00 s ± 0.02");
        assert_eq!(time(Summary { median: 0.412_34, spread: None }), "412 ms");
        assert_eq!(short_time(0.0123), "12.3 ms");
        assert_eq!(short_time(0.0), "0 ms");
        assert_eq!(short_time(123.4), "123 s");
        assert_eq!(short_time(43e-9), "43.0 ns");
    }

    #[test]
    fn ratios_show_what_their_interval_leaves() {
        let ratio_of = |median, low, high| ratio(Ratio { median, low, high, pairs: 10 });
        assert_eq!(ratio_of(3.1428, 2.9, 3.4), "3.1× [2.9, 3.4]");
        assert_eq!(ratio_of(3.1428, 3.10, 3.19), "3.14× [3.10, 3.19]");
        assert_eq!(ratio_of(0.97, 0.3, 4.8), "1.0× [0.3, 4.8]");
        assert_eq!(ratio_of(1.0, 1.0, 1.0), "1.00× [1.00, 1.00]");
        assert_eq!(ratio_of(0.0123, 0.0119, 0.0127), "0.0123× [0.0119, 0.0127]");
        assert_eq!(ratio_of(0.0123, 0.008, 0.017), "0.012× [0.008, 0.017]");
        assert_eq!(ratio_of(33.2, 32.9, 33.5), "33.2× [32.9, 33.5]");
        assert_eq!(factor(2.031), "2.03×");
        assert_eq!(factor(0.0312), "0.03×");
        assert_eq!(average(84.13), "84.1");
    }

    #[test]
    fn bytes_and_counts() {
        assert_eq!(bytes(812_345_678), "812 MB");
        assert_eq!(bytes(1_620_000_000), "1.62 GB");
        assert_eq!(bytes(999_999_999), "1.00 GB");
        assert_eq!(bytes(800), "800 B");
        assert_eq!(bytes(0), "0 B");
        assert_eq!(grouped(1_000_000), "1,000,000");
        assert_eq!(grouped(100), "100");
        assert_eq!(percent(0.0123), "1.2 %");
    }
}
