//! Numbers as text: the digits that mean something, and no others.

pub use crate::numbers::digits::short_time;
use crate::numbers::digits::{self, Shown, decimals};
use crate::numbers::stats::{Interval, Ratio, Summary};

/// What an empty cell says: not measured, or not measurable here.
pub const NOTHING: &str = "n/a";

/// A time with its spread: `412 ms ± 9`, `1.23 s ± 0.04`.
pub fn time(summary: Summary) -> String {
    let Some(spread) = summary.spread else { return short_time(summary.median) };
    let Shown { value, decimals, unit, scale } = digits::time(summary.median, Some(spread));
    format!("{value:.decimals$} {unit} ± {:.decimals$}", spread * scale)
}

/// A time with the interval in which it probably is: `412 ms [398, 431]`. Without the interval if there is none.
pub fn time_within(seconds: f64, interval: Option<Interval>) -> String {
    // A difference of times may be negative, or much smaller than its interval is wide.
    let ends = interval.map_or([seconds; 2], |Interval { low, high }| [low, high]);
    let largest = ends.into_iter().map(f64::abs).fold(seconds.abs(), f64::max);
    // Ends of other sizes than the middle would leave it without digits.
    if let Some(Interval { low, high }) = interval.filter(|it| it.low > 0.0 && it.high > 10.0 * it.low) {
        return format!("{} [{} to {}]", short_time(seconds), short_time(low), short_time(high));
    }
    let Shown { decimals, unit, scale, .. } = digits::time(largest, None);
    let shown = |seconds: f64| format!("{:.decimals$}", seconds * scale);
    let interval = interval.map(|Interval { low, high }| format!(" [{}, {}]", shown(low), shown(high)));
    format!("{} {unit}{}", shown(seconds), interval.unwrap_or_default())
}

/// A ratio with its interval: `3.14× [3.08, 3.21]`. Without the interval if there is none.
pub fn ratio(ratio: Ratio) -> String {
    let decimals = ratio_decimals(ratio.value);
    let interval = ratio.interval.map(|Interval { low, high }| format!(" [{low:.decimals$}, {high:.decimals$}]"));
    format!("{}{}", factor(ratio.value), interval.unwrap_or_default())
}

/// A factor: `2.03×`, `41.2×`, `312×`.
pub fn factor(value: f64) -> String {
    format!("{value:.0$}×", ratio_decimals(value))
}

/// Two decimals below 10; three digits above, and as many below 0.05.
fn ratio_decimals(value: f64) -> usize {
    if value < 0.05 { decimals(value, 0.0).min(6) } else { decimals(value, 0.0).min(2) }
}

/// How far an interval reaches: `± 2.1 %`.
pub fn margin(margin: f64) -> String {
    format!("± {}", percent(margin))
}

/// A count that was averaged: `1.98`, `84.1`.
pub fn average(value: f64) -> String {
    format!("{value:.0$}", decimals(value, 0.0).min(2))
}

/// Bytes in decimal units, to three digits: `812 MB`.
pub fn bytes(bytes: u64) -> String {
    let Shown { value, decimals, unit, .. } = digits::bytes(bytes);
    format!("{value:.decimals$} {unit}")
}

/// Bytes that are a round number: `80 kB`, where [`bytes`] has `80.0 kB`.
pub fn round_bytes(number: u64) -> String {
    let text = bytes(number);
    match text.split_once(' ') {
        Some((value, unit)) if value.contains('.') => {
            format!("{} {unit}", value.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// A share: `0.3 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A share without decimals: `81 %`.
pub fn whole_percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
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
        assert_eq!(shown(12.0, 3.0), "12.0 s ± 3.0");
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
    fn the_ends_of_an_interval_have_the_unit_of_the_time() {
        let interval = Some(Interval { low: 0.98e-6, high: 1.4e-6 });
        assert_eq!(time_within(1.234e-6, interval), "1.23 µs [0.98, 1.40]");
        assert_eq!(time_within(-3e-9, Some(Interval { low: -10e-9, high: 4e-9 })), "-3.0 ns [-10.0, 4.0]");
        assert_eq!(time_within(0.0123, None), "12.3 ms");
    }

    #[test]
    fn ratios_have_two_decimals_below_ten() {
        let ratio_of = |value, low, high| ratio(Ratio { value, interval: Some(Interval { low, high }) });
        assert_eq!(ratio_of(3.1428, 2.9, 3.4), "3.14× [2.90, 3.40]");
        assert_eq!(ratio_of(0.97, 0.3, 4.8), "0.97× [0.30, 4.80]");
        assert_eq!(ratio_of(1.0, 1.0, 1.0), "1.00× [1.00, 1.00]");
        assert_eq!(ratio_of(0.0123, 0.0119, 0.0127), "0.0123× [0.0119, 0.0127]");
        assert_eq!(ratio_of(33.21, 32.9, 33.5), "33.2× [32.9, 33.5]");
        assert_eq!(ratio(Ratio { value: 2.0, interval: None }), "2.00×");
        assert_eq!(factor(2.031), "2.03×");
        assert_eq!(factor(0.812), "0.81×");
        assert_eq!(factor(312.3), "312×");
        assert_eq!(average(84.13), "84.1");
    }

    #[test]
    fn bytes_and_counts() {
        assert_eq!(bytes(812_345_678), "812 MB");
        assert_eq!(bytes(1_620_000_000), "1.62 GB");
        assert_eq!(bytes(999_999_999), "1.00 GB");
        assert_eq!(bytes(800), "800 B");
        assert_eq!(bytes(0), "0 B");
        let round = [800, 8_000, 80_000, 800_000, 8_000_000, 8_080_000, 1_234_567].map(round_bytes);
        assert_eq!(round, ["800 B", "8 kB", "80 kB", "800 kB", "8 MB", "8.08 MB", "1.23 MB"]);
        assert_eq!(grouped(1_000_000), "1,000,000");
        assert_eq!(grouped(100), "100");
        assert_eq!((percent(0.0123), whole_percent(0.812)), ("1.2 %".into(), "81 %".into()));
        assert_eq!(margin(0.021), "± 2.1 %");
    }
}
