//! The table of two runs.

use std::fmt::Write;

use crate::numbers::difference::{Difference, Differences, Verdict};
use crate::text::number;
use crate::text::table::{Align, markdown};

/// Row by row, and what else is not the same.
pub fn table(differences: &Differences, names: [&str; 2]) -> String {
    let columns = [
        ("row", Align::Left),
        (names[0], Align::Right),
        (names[1], Align::Right),
        ("second ÷ first", Align::Right),
        ("second is", Align::Left),
    ];
    let row = |row: &Difference| {
        let [first, second] = row.times.map(number::time);
        vec![row.name.clone(), first, second, number::ratio(row.ratio), row.verdict.to_string()]
    };
    let rows: Vec<Vec<String>> = differences.rows.iter().map(row).collect();
    let mut text = format!("{}\n", markdown(&columns, &rows));
    let count = |verdict| differences.rows.iter().filter(|row| row.verdict == verdict).count();
    let _ = writeln!(
        text,
        "Of {} {}, {} faster, {} slower, {} without a difference that can be told.",
        differences.rows.len(),
        if differences.rows.len() == 1 { "row" } else { "rows" },
        count(Verdict::Faster),
        count(Verdict::Slower),
        count(Verdict::NoDifference),
    );
    if count(Verdict::TooFew) > 0 {
        let _ = writeln!(text, "Too few runs to tell: {}.", count(Verdict::TooFew));
    }
    let _ = writeln!(
        text,
        "Each interval has a confidence of {:.1} %, so that all of them hold together in 95 % of comparisons.",
        100.0 * differences.confidence
    );
    if !differences.only_one.is_empty() {
        let _ = writeln!(text, "Not measured in both: {}.", differences.only_one.join(", "));
    }
    for (what, first, second) in &differences.machines {
        let _ = writeln!(text, "Another {what}: {first}, and then {second}.");
    }
    text
}
