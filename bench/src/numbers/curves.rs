//! What a picture shows: lines over a common axis, or a value for each row.
//!
//! Numbers make these; pictures, tables and pages only show them.

use crate::numbers::stats::Interval;

/// Lines over a common axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// What varies.
    pub x: Axis,
    /// What was measured.
    pub y: Axis,
    /// One per row.
    pub lines: Vec<Curve>,
    /// Values to compare with, over the whole width: the machine's limit, half of the ideal.
    pub marks: Vec<Mark>,
}

/// One row's line.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The row.
    pub name: String,
    /// In order of `x`.
    pub points: Vec<Point>,
    /// Whether its points are joined. Those of cases that have nothing to do with each other are not.
    pub is_joined: bool,
}

/// A point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// What was measured there.
    pub y: f64,
    /// How well that is known, where there were runs enough.
    pub interval: Option<Interval>,
}

/// An axis, or the scale of bars.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it shows, without the unit: `grain`.
    pub label: String,
    /// What its numbers are.
    pub unit: Unit,
    /// Whether equal distances are equal ratios.
    pub is_logarithmic: bool,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds, shown as ns, µs, ms or s.
    Seconds,
    /// Bytes, shown as B, kB, MB or GB.
    Bytes,
    /// A share of 1, shown as a percentage.
    Share,
    /// How many times as much.
    Factor,
    /// A plain number, such as workers or values.
    Count,
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// What it is.
    pub name: String,
    /// On the axis of what was measured.
    pub value: f64,
}

/// A value for each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// What was measured.
    pub axis: Axis,
    /// In the order in which they are shown.
    pub bars: Vec<Bar>,
    /// Values to compare with.
    pub marks: Vec<Mark>,
}

/// One row's value.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// The row.
    pub name: String,
    /// What was measured.
    pub value: f64,
    /// How well that is known, where there were runs enough.
    pub interval: Option<Interval>,
}

/// Something to look at, with what it shows in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The picture's file without its ending, unique in a run: `grain-warm`.
    pub name: String,
    /// Its heading.
    pub title: String,
    /// What it shows, in one or two sentences: below it, and for whoever cannot see it.
    pub caption: String,
    /// What is drawn.
    pub drawing: Drawing,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Drawing {
    /// Lines.
    Curves(Curves),
    /// Bars.
    Bars(Bars),
}
