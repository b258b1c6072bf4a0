//! Colours and dashes, each in a light and a dark version.
//!
//! plotters writes a colour into each element, so it cannot be told what a colour is for. It is given placeholders instead,
//! and [`dress`] replaces each by a class and the colour of the light version. The style sheet of [`style`] has the dark one.

use plotters::style::RGBColor;

/// What a colour is in the light and in the dark version.
struct Hue {
    light: &'static str,
    dark: &'static str,
}

/// Text, text that matters less, and the grid; then the colours of lines. Those are Paul Tol's: in light, of his "muted" scheme
/// the six that have a contrast of 3:1 to white; in dark, from his "light" scheme, the ones of a similar hue
/// (<https://personal.sron.nl/~pault/>).
const HUES: [Hue; 9] = [
    Hue { light: "#1f2328", dark: "#e6edf3" },
    Hue { light: "#59636e", dark: "#9da7b1" },
    Hue { light: "#dde2e7", dark: "#30363d" },
    Hue { light: "#332288", dark: "#77aadd" },
    Hue { light: "#cc6677", dark: "#ee8866" },
    Hue { light: "#117733", dark: "#44bb99" },
    Hue { light: "#aa4499", dark: "#ffaabb" },
    Hue { light: "#999933", dark: "#bbcc33" },
    Hue { light: "#882255", dark: "#eedd88" },
];

/// How many of them are not for lines.
const NEUTRAL: usize = 3;

/// Dashes and gaps, in pixels; the first is a whole line.
const DASHES: [&[u32]; 4] = [&[], &[7, 4], &[2, 3], &[10, 3, 2, 3]];

/// What begins a placeholder; the hue and the dash follow.
const PLACEHOLDER: u8 = 0xFA;

/// What something is drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ink {
    hue: u8,
    dash: u8,
}

impl Ink {
    /// Text, and what is as neutral.
    pub(super) const TEXT: Ink = Ink { hue: 0, dash: 0 };
    /// Text that matters less.
    pub(super) const MUTED: Ink = Ink { hue: 1, dash: 0 };
    /// Values to compare with.
    pub(super) const MARK: Ink = Ink { hue: 1, dash: 1 };
    /// The grid.
    pub(super) const GRID: Ink = Ink { hue: 2, dash: 0 };

    /// The line with this number. Dash and marker together (see [`super::canvas::Marker`]) are the same again after 20 lines:
    /// there are 4 of the one and 5 of the other.
    pub(super) fn line(number: usize) -> Ink {
        let hue = NEUTRAL + number % (HUES.len() - NEUTRAL);
        Ink { hue: hue as u8, dash: (number % DASHES.len()) as u8 }
    }

    /// The same without gaps.
    pub(super) fn whole(self) -> Ink {
        Ink { dash: 0, ..self }
    }

    /// What plotters is given.
    pub(super) fn placeholder(self) -> RGBColor {
        RGBColor(PLACEHOLDER, self.hue, self.dash)
    }
}

/// Replaces the placeholders in what plotters has written. `prefix` begins each class, `unit` is how long a pixel is.
///
/// plotters escapes the quotation marks in texts, so what looks like an attribute is one.
pub(super) fn dress(body: &str, prefix: &str, unit: u32) -> String {
    let mut dressed = body.to_owned();
    for (hue, Hue { light, .. }) in HUES.iter().enumerate() {
        for (dash, lengths) in DASHES.iter().enumerate() {
            let placeholder = format!("#{PLACEHOLDER:02X}{hue:02X}{dash:02X}");
            let lengths: Vec<String> = lengths.iter().map(|length| (length * unit).to_string()).collect();
            let dashes = match lengths.is_empty() {
                true => String::new(),
                false => format!(r#" stroke-dasharray="{}""#, lengths.join(" ")),
            };
            let stroke = format!(r#"class="{prefix}-s{hue}" stroke="{light}"{dashes}"#);
            dressed = dressed.replace(&format!(r#"stroke="{placeholder}""#), &stroke);
            let fill = format!(r#"class="{prefix}-f{hue}" fill="{light}""#);
            dressed = dressed.replace(&format!(r#"fill="{placeholder}""#), &fill);
        }
    }
    dressed
}

/// The style sheet: what the colours are in dark. The light ones stand in the elements, for programs that have no style sheets.
pub(super) fn style(prefix: &str) -> String {
    let rules: String = (HUES.iter().enumerate())
        .map(|(hue, Hue { dark, .. })| format!(".{prefix}-s{hue}{{stroke:{dark}}}.{prefix}-f{hue}{{fill:{dark}}}"))
        .collect();
    // On paper it is light.
    format!("@media screen and (prefers-color-scheme: dark){{{rules}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn twenty_lines_differ_without_their_colour() {
        let marked = |number| (Ink::line(number).dash, super::super::canvas::Marker::line(number));
        let different: HashSet<_> = (0..20).map(marked).collect();
        assert_eq!(different.len(), 20);
    }

    #[test]
    fn texts_are_left_as_they_are() {
        let text = "stroke=&quot;#FA0300&quot;";
        let dressed = dress(&format!("<line stroke=\"#FA0302\"/><text fill=\"#FA0100\">{text}</text>"), "p", 4);
        let line = "<line class=\"p-s3\" stroke=\"#332288\" stroke-dasharray=\"8 12\"/>";
        assert_eq!(dressed, format!("{line}<text class=\"p-f1\" fill=\"#59636e\">{text}</text>"));
    }

    #[test]
    fn colours_stand_out_from_the_page() {
        // As WCAG 2.2 defines the contrast of two colours.
        let part = |hex: &str, at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        let linear = |part: f64| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
        let luminance = |hex: &str| {
            [(1, 0.2126), (3, 0.7152), (5, 0.0722)]
                .map(|(at, weight)| weight * linear(part(hex, at)))
                .iter()
                .sum::<f64>()
        };
        let contrast = |a: &str, b: &str| {
            let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
            (a / b).max(b / a)
        };
        for (index, Hue { light, dark }) in
            HUES.iter().enumerate().filter(|(index, _)| *index != Ink::GRID.hue as usize)
        {
            let least = if index < NEUTRAL { 4.5 } else { 2.9 };
            assert!(contrast(light, "#ffffff") > least, "{light}: {}", contrast(light, "#ffffff"));
            assert!(contrast(dark, "#1e2228") > least, "{dark}: {}", contrast(dark, "#1e2228"));
        }
    }
}
