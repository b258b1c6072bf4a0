//! What each sweep says, as tables.

mod blocking;
mod cases;
mod grain;
mod interference;
mod scaling;
mod size;
mod skew;

use std::iter;

use crate::numbers::curves::Figure;
use crate::numbers::views::View;
use crate::text::table::{Align, markdown};

/// The tables of a view with what they show; nothing if it has no rows.
pub fn tables(view: &View) -> String {
    match view {
        View::Grain(view) => grain::tables(view),
        View::Scaling(view) => scaling::tables(view),
        View::Skew(view) => skew::tables(view),
        View::Size(view) => size::tables(view),
        View::Blocking(view) => blocking::tables(view),
        View::Interference(view) => interference::tables(view),
        View::Cases(view) => cases::tables(view),
    }
}

/// How to read them.
pub fn how_to_read(view: &View) -> &'static str {
    match view {
        View::Grain(_) => grain::HOW_TO_READ,
        View::Scaling(_) => scaling::HOW_TO_READ,
        View::Skew(_) => skew::HOW_TO_READ,
        View::Size(_) => size::HOW_TO_READ,
        View::Blocking(_) => blocking::HOW_TO_READ,
        View::Interference(_) => interference::HOW_TO_READ,
        View::Cases(_) => cases::HOW_TO_READ,
    }
}

/// What a page says of a view without rows.
pub fn nothing(view: &View) -> &'static str {
    match view {
        View::Grain(_) => {
            "Nothing can be said of the grain: it needs warm times of `sequential` and of a strategy at the same jobs."
        }
        View::Scaling(_) => "Nothing can be said of the scaling: it needs warm times of strategies.",
        View::Skew(_) => {
            "Nothing can be said of the makespan: it needs warm times of `sequential`, and skews that are known."
        }
        View::Size(_) => {
            "Nothing can be said of the size: it needs two jobs with the same number of keys, or with the same number of values."
        }
        View::Blocking(_) => {
            "Nothing can be said of the blocking: it needs warm times of `sequential` and of a strategy at the same jobs."
        }
        View::Interference(_) => {
            "Nothing can be said of the neighbour: it needs times of a strategy at the same job with it and without."
        }
        View::Cases(_) => {
            "Nothing can be said of the cases: it needs first batches of `sequential` and of a strategy at the same job."
        }
    }
}

/// Whether the tables say of each of so many jobs what it is, and what it is called.
pub fn describes_jobs(view: &View, jobs: usize) -> bool {
    matches!(view, View::Cases(view) if view.rows.len() == jobs)
}

/// A picture in a document from which it is in `dir`: empty, or `grain/`. What it shows stands above it.
pub fn picture(figure: &Figure, dir: &str) -> String {
    let Figure { name, title, caption, .. } = figure;
    // A bracket would end the text.
    let described = title.replace('[', "\\[").replace(']', "\\]");
    format!("**{title}.** {caption}\n\n![{described}]({dir}{name}.svg)")
}

/// A table whose first column is the strategy and whose others have these titles.
fn by_strategy(titles: &[String], rows: &[Vec<String>]) -> String {
    let others = titles.iter().map(|title| (title.as_str(), Align::Right));
    let columns: Vec<(&str, Align)> = iter::once(("strategy", Align::Left)).chain(others).collect();
    markdown(&columns, rows)
}

/// A row of such a table.
fn row(name: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    iter::once(name.to_owned()).chain(cells).collect()
}

/// CPUs in words.
fn cpus(cpus: u64) -> String {
    if cpus == 1 { "1 CPU".to_owned() } else { format!("{cpus} CPUs") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::curves::{Axis, Bars, Drawing, Unit};

    #[test]
    fn a_picture_stands_below_its_title_and_caption() {
        let axis = Axis { label: "time".into(), unit: Unit::Seconds, is_logarithmic: false };
        let drawing = Drawing::Bars(Bars { axis, bars: Vec::new(), marks: Vec::new() });
        let figure = Figure { name: "a-b".into(), title: "Title".into(), caption: "In [s].".into(), drawing };
        assert_eq!(picture(&figure, "x/"), "**Title.** In [s].\n\n![Title](x/a-b.svg)");
    }
}
