//! The paper and what is put on it: texts, markers, whiskers.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::numbers::stats::Interval;
use crate::picture::ink::Ink;

/// A pixel's length. The backend has whole numbers only, and a curve drawn in whole pixels is not smooth.
pub(super) const UNIT: u32 = 4;

/// The size of all texts, in pixels. On a page of 360 pixels a picture of 720 is half as large.
pub(super) const FONT: f64 = 16.0;

/// The fonts that are asked for: whatever the reader's system has.
pub(super) const FAMILY: &str = "system-ui, sans-serif";

/// What is drawn on.
pub(super) type Paper<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The inside of a picture, with placeholders for colours.
pub(super) struct Drawn {
    pub(super) elements: String,
    /// In pixels.
    pub(super) width: f64,
    /// In pixels.
    pub(super) height: f64,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPicture {
    /// Nothing can be drawn of what there is.
    #[error("Nothing to show: {0}.")]
    Nothing(String),
    /// By plotters' word.
    #[error("This picture could not be drawn: {0}.")]
    Failed(String),
}

impl<E: Error + Send + Sync> From<DrawingAreaErrorKind<E>> for NoPicture {
    fn from(error: DrawingAreaErrorKind<E>) -> NoPicture {
        NoPicture::Failed(error.to_string())
    }
}

/// Draws on a paper of this size, in pixels.
pub(super) fn on_paper(
    width: f64,
    height: f64,
    draw: impl FnOnce(&Paper) -> Result<(), NoPicture>,
) -> Result<Drawn, NoPicture> {
    let mut document = String::new();
    let paper = SVGBackend::with_string(&mut document, (length(width), length(height))).into_drawing_area();
    draw(&paper)?;
    paper.present()?;
    drop(paper);
    let inside = document.split_once(">\n").and_then(|(_, inside)| inside.rsplit_once("</svg>"));
    let (inside, _) = inside.ok_or_else(|| NoPicture::Failed("it is no SVG document".to_owned()))?;
    // The whole document says these once.
    let font = format!(" font-family=\"{FAMILY}\" font-size=\"{}\"", FONT * f64::from(UNIT));
    let elements = inside.replace(&font, "").replace(" opacity=\"1\"", "");
    // A text stands on a line of its own, between its tags.
    let elements = elements.replace("\">\n", "\">").replace("\n</text>", "</text>");
    Ok(Drawn { elements, width, height })
}

/// So many pixels, as plotters takes a length.
pub(super) fn length(pixels: f64) -> u32 {
    (pixels * f64::from(UNIT)).round() as u32
}

/// So many pixels, as plotters takes a place.
pub(super) fn place(x: f64, y: f64) -> (i32, i32) {
    ((x * f64::from(UNIT)).round() as i32, (y * f64::from(UNIT)).round() as i32)
}

/// Where a text stands: to the right of its place, to the left, or below, always with its middle at that height.
pub(super) fn text_style(ink: Ink, side: HPos) -> TextStyle<'static> {
    // The backend divides by this, to make of a font's height its size.
    let size = 1.24 * FONT * f64::from(UNIT);
    (FAMILY, size).into_font().color(&ink.placeholder()).pos(Pos::new(side, VPos::Center))
}

/// Writes a text at a place in pixels.
pub(super) fn write(paper: &Paper, text: &str, (x, y): (f64, f64), side: HPos, ink: Ink) -> Result<(), NoPicture> {
    Ok(paper.draw(&Text::new(text.to_owned(), place(x, y), text_style(ink, side)))?)
}

/// Draws a line through places in pixels.
pub(super) fn line(paper: &Paper, places: &[(f64, f64)], ink: Ink, pixels: f64) -> Result<(), NoPicture> {
    let places: Vec<(i32, i32)> = places.iter().map(|&(x, y)| place(x, y)).collect();
    Ok(paper.draw(&PathElement::new(places, ink.placeholder().stroke_width(length(pixels))))?)
}

/// The shape at the points of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    Wedge,
}

impl Marker {
    /// That of the line with this number.
    pub(super) fn line(number: usize) -> Marker {
        [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Wedge][number % 5]
    }
}

/// How far a marker reaches from its middle, in pixels.
pub(super) const REACH: f64 = 4.0;

/// Draws a marker around a place in plotters' units.
pub(super) fn mark(paper: &Paper, (x, y): (i32, i32), marker: Marker, ink: Ink) -> Result<(), NoPicture> {
    let style = ink.whole().placeholder().filled();
    let far = |part: f64| (part * REACH * f64::from(UNIT)).round() as i32;
    let corners: &[(f64, f64)] = match marker {
        Marker::Circle => return Ok(paper.draw(&Circle::new((x, y), far(0.9), style))?),
        Marker::Square => &[(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
        Marker::Triangle => &[(-1.0, 0.8), (0.0, -1.0), (1.0, 0.8)],
        Marker::Diamond => &[(-1.0, 0.0), (0.0, -1.2), (1.0, 0.0), (0.0, 1.2)],
        Marker::Wedge => &[(-1.0, -0.8), (1.0, -0.8), (0.0, 1.0)],
    };
    let corners: Vec<(i32, i32)> = corners.iter().map(|&(right, down)| (x + far(right), y + far(down))).collect();
    Ok(paper.draw(&Polygon::new(corners, style))?)
}

/// Draws an interval, if it has two ends, by where a value is in pixels. A shorter one than its marker is below it.
pub(super) fn whisker(
    paper: &Paper,
    interval: Option<Interval>,
    ink: Ink,
    at: impl Fn(f64) -> (f64, f64),
) -> Result<(), NoPicture> {
    let Some(Interval { low, high }) = interval.filter(|interval| interval.low <= interval.high) else { return Ok(()) };
    let (low, high) = (at(low), at(high));
    let length = (high.0 - low.0).hypot(high.1 - low.1);
    if length <= REACH {
        return Ok(());
    }
    // In one go: across one end, along, and across the other.
    let (right, down) = (3.0 * (high.1 - low.1) / length, 3.0 * (high.0 - low.0) / length);
    let across = |(x, y): (f64, f64)| [(x - right, y - down), (x + right, y + down), (x, y)];
    let ([a, b, c], [d, e, f]) = (across(low), across(high));
    line(paper, &[a, b, c, f, d, e], ink.whole(), 1.25)
}
