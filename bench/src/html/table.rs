//! A table that can be sorted, filtered and asked what its figures are.

use maud::{Markup, html};

use super::document::{Content, Table};
use super::glossary;

/// What a table is about.
#[derive(Debug)]
pub(super) struct About<'a> {
    /// Unique on the page.
    pub(super) id: &'a str,
    /// The heading above it.
    pub(super) section: &'a str,
    /// What it shows.
    pub(super) caption: &'a Content,
    /// Whether the caption repeats the heading, so that only those need it who do not see that.
    pub(super) is_heading: bool,
}

/// The table, in a region that scrolls by itself where the page is narrow.
pub(super) fn render(table: &Table, about: &About) -> Markup {
    let name = table.columns.iter().position(|(_, is_number)| !is_number).unwrap_or(0);
    let means = |head: &Content| glossary::meaning(about.section, &about.caption.text, &head.text);
    html! {
        div.scroll tabindex="0" role="group" aria-labelledby=(about.id) {
            table {
                caption id=(about.id) class=[about.is_heading.then_some("unseen")] { span { (about.caption.html) } }
                thead {
                    tr {
                        @for (head, is_number) in &table.columns {
                            th scope="col" class=[is_number.then_some("number")] title=[means(head)] { (head.html) }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (index, (cell, (_, is_number))) in row.iter().zip(&table.columns).enumerate() {
                                @if index == name {
                                    th scope="row" { (cell.html) }
                                } @else if *is_number {
                                    td.number data-value=[value(&cell.text)] { (cell.html) }
                                } @else {
                                    td { (cell.html) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What a unit makes of a number, so that all times, and all sizes, are in the same one.
const UNITS: [(&str, f64); 15] = [
    ("ns", 1e-9),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("k", 1e3),
    ("M", 1e6),
    ("%", 0.01),
    ("×", 1.0),
];

/// Digits of a power, in their order.
const POWERS: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/// The number that a cell begins with, by which it is sorted: `412 ms ± 9` is 0.412. In `8: 3.10×`, it is what 8 led to.
/// Nothing if it does not begin with one.
fn value(cell: &str) -> Option<f64> {
    let bare = cell.split_once(": ").map_or(cell, |(_, value)| value);
    let bare = bare.trim_start_matches(['≥', '≤', '<', '>', '±', '~', '≈', ' ']);
    let end = bare.find(|next: char| !next.is_ascii_digit() && !matches!(next, '.' | ',' | '-')).unwrap_or(bare.len());
    let (number, rest) = bare.split_at(end);
    let number: f64 = number.replace(',', "").parse().ok()?;
    if let Some(power) = rest.chars().next().and_then(|next| POWERS.chars().position(|digit| digit == next)) {
        return i32::try_from(power).ok().map(|power| number.powi(power));
    }
    let unit = rest.split_whitespace().next().unwrap_or_default();
    let factor = UNITS.iter().find(|(known, _)| *known == unit).map_or(1.0, |(_, factor)| *factor);
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_sorted_by_its_leading_number_and_unit() {
        let close = |cell: &str, expected: f64| {
            let value = value(cell).unwrap_or_else(|| panic!("{cell}"));
            assert!((value / expected - 1.0).abs() < 1e-12, "{cell}: {value}");
        };
        for (cell, expected) in [
            ("412 ms ± 9", 0.412),
            ("1.603 ms ± 0.016", 0.001_603),
            ("43.0 ns", 43e-9),
            ("147.4 µs ± 1.0", 147.4e-6),
            ("1.72×", 1.72),
            ("0.77× [0.61, 0.93]", 0.77),
            ("802 MB", 802e6),
            ("≥ 1.52 MB", 1.52e6),
            ("≤ 21.0×", 21.0),
            ("96 %", 0.96),
            ("± 2.1 %", 0.021),
            ("≥ 3", 3.0),
            ("6 + 12", 6.0),
            ("1,000,000", 1e6),
            ("-3 %", -0.03),
            ("7", 7.0),
            ("8: 3.10×", 3.1),
            ("10⁴", 1e4),
            ("23.6 M", 23.6e6),
            ("1.00 k", 1e3),
            ("999", 999.0),
            ("< 300 ns", 300e-9),
            ("1.30× at 10⁴", 1.3),
        ] {
            close(cell, expected);
        }
        for cell in ["n/a", "failed", "", "-", "× 3"] {
            assert_eq!(value(cell), None, "{cell}");
        }
    }
}
