//! How many digits of a number mean something. What a cell shows is what a ratio of cells is made from.

/// A number as it is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// In the unit, unrounded.
    pub value: f64,
    /// How many decimals are shown.
    pub decimals: usize,
    /// The unit.
    pub unit: &'static str,
    /// How many units make one second, or one byte.
    pub scale: f64,
}

impl Shown {
    /// What a reader sees, as a number of seconds or bytes.
    pub fn read(self) -> f64 {
        // Written and read back, since a value halfway between two is rounded by its binary digits: 1.715 is shown as 1.71.
        let text = format!("{:.1$}", self.value, self.decimals);
        text.parse().unwrap_or(self.value) / self.scale
    }
}

/// A time in seconds, known to within `spread`.
pub fn time(seconds: f64, spread: Option<f64>) -> Shown {
    let (unit, scale) = match seconds {
        // 0.9995 would be shown as 1000 ms.
        _ if seconds >= 0.9995 => ("s", 1.0),
        _ if seconds >= 0.999_5e-3 => ("ms", 1e3),
        0.0 => ("ms", 1e3),
        _ if seconds >= 0.999_5e-6 => ("µs", 1e6),
        _ => ("ns", 1e9),
    };
    let value = seconds * scale;
    Shown { value, decimals: decimals(value, spread.unwrap_or(0.0) * scale), unit, scale }
}

/// A time in seconds to three digits, with its unit: `412 ms`.
pub fn short_time(seconds: f64) -> String {
    let Shown { value, decimals, unit, .. } = time(seconds, None);
    format!("{value:.decimals$} {unit}")
}

/// Bytes, in decimal units.
pub fn bytes(bytes: u64) -> Shown {
    let bytes = bytes as f64;
    let (unit, size) = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)]
        .into_iter()
        .find(|(_, size)| bytes >= 0.9995 * size)
        .unwrap_or(("B", 1.0));
    let value = bytes / size;
    Shown { value, decimals: if size > 1.0 { decimals(value, 0.0) } else { 0 }, unit, scale: size.recip() }
}

/// Decimals for a value that is known to within `spread`: as many as show the spread's first digit, or its first two if the
/// first is a 1. At least three digits of the value, so that a ratio of two cells has three too; at most four.
pub fn decimals(value: f64, spread: f64) -> usize {
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
    for_spread.clamp(digits(3), digits(4)).max(0) as usize
}

/// The power of ten of the first digit of a value other than 0.
fn exponent(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(seconds in 1e-9..1e4f64, spread in proptest::option::of(1e-6..0.5f64)) {
            let shown = time(seconds, spread.map(|share| share * seconds));
            let text = format!("{:.1$}", shown.value, shown.decimals);
            let read: f64 = text.parse().unwrap();
            prop_assert!((read / shown.scale - shown.read()).abs() <= 1e-9 * seconds, "{shown:?} {text}");
            prop_assert!((shown.read() / seconds - 1.0).abs() < 0.0051, "three digits at least: {shown:?}");
        }
    }

    #[test]
    fn halves_are_read_as_they_are_shown() {
        for thousandths in 1_005..9_995 {
            let shown = time(f64::from(thousandths) / 1e6, None);
            let text = format!("{:.1$}", shown.value, shown.decimals);
            let read = shown.read() * shown.scale;
            assert!((text.parse::<f64>().unwrap() / read - 1.0).abs() < 1e-12, "{shown:?} {text}");
        }
    }

    #[test]
    fn bytes_are_read_back() {
        assert_eq!(bytes(812_345_678).read().round(), 812e6);
        assert_eq!(bytes(999).read(), 999.0);
    }
}
