//! What every picture has around its values: axes, their titles, and notes about what is not shown.

use plotters::chart::ChartBuilder;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, TRANSPARENT};

use crate::numbers::curves::{Axis, Mark};
use crate::picture::canvas::{self, FONT, NoPicture, Paper};
use crate::picture::ink::Ink;
use crate::picture::labels;
use crate::picture::scale::{Scale, showable};

/// A picture's width, unless the names need more.
const WIDTH: f64 = 720.0;

/// The least width within the axes: below it, nobody can tell one point from the next.
const LEAST_WIDTH: f64 = 400.0;

/// What is left free to both sides of the axes at least: the text of a tick at the end of an axis reaches out so far.
pub(super) const LEAST_SIDE: f64 = 3.5 * FONT;

/// From one line of text to the next.
pub(super) const LINE_HEIGHT: f64 = 1.3 * FONT;

/// What is within the axes, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frame {
    pub(super) fn right(self) -> f64 {
        self.left + self.width
    }

    pub(super) fn bottom(self) -> f64 {
        self.top + self.height
    }

    /// How far a picture reaches down that has these notes below its frame.
    pub(super) fn end(self, notes: &[String]) -> f64 {
        self.bottom() + (3.5 + 0.3 * f64::from(u8::from(!notes.is_empty()))) * FONT + notes.len() as f64 * LINE_HEIGHT
    }
}

/// Draws the grid, the ticks with their texts and the title below; the texts at the left in their own ink.
pub(super) fn draw(
    paper: &Paper,
    frame: Frame,
    (across, up): (&Scale, &Scale),
    title: &Axis,
    names: Ink,
) -> Result<(), NoPicture> {
    let (width, height) = paper.dim_in_pixel();
    let ticks = canvas::length(2.0 * FONT);
    let mut chart = ChartBuilder::on(paper)
        .margin_top(canvas::length(frame.top))
        .margin_right(width.saturating_sub(canvas::length(frame.right())))
        .margin_bottom(height.saturating_sub(canvas::length(frame.bottom()) + ticks))
        .x_label_area_size(ticks)
        .y_label_area_size(canvas::length(frame.left))
        .build_cartesian_2d(across.clone(), up.clone())?;
    let line = |ink: Ink| ink.placeholder().stroke_width(canvas::length(1.0));
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(line(Ink::GRID))
        .axis_style(line(Ink::MUTED))
        .x_label_style(canvas::text_style(Ink::MUTED, HPos::Center))
        .y_label_style(canvas::text_style(names, HPos::Right))
        .x_label_formatter(&|value| across.format_ext(value))
        .y_label_formatter(&|value| up.format_ext(value))
        .set_all_tick_mark_size(canvas::length(4.0))
        .draw()?;
    let middle = (frame.left + frame.width / 2.0, frame.bottom() + 2.6 * FONT);
    canvas::write(paper, &titled(title), middle, HPos::Center, Ink::TEXT)
}

/// How wide the inside is, if the whole is to be [`WIDTH`], or what the titles need.
pub(super) fn width(sides: f64, titles: &[&Axis]) -> f64 {
    let titles = titles.iter().map(|axis| labels::width(&titled(axis), FONT) + FONT);
    titles.fold(LEAST_WIDTH.max(WIDTH - sides), f64::max)
}

/// An axis's title. Its unit stands at the ticks.
pub(super) fn titled(axis: &Axis) -> String {
    if axis.is_logarithmic { format!("{} (logarithmic)", axis.label) } else { axis.label.clone() }
}

/// Writes notes below everything else.
pub(super) fn put_notes(paper: &Paper, frame: Frame, notes: &[String]) -> Result<(), NoPicture> {
    let mut lines = notes.iter().enumerate();
    lines.try_for_each(|(row, note)| {
        let at = frame.bottom() + 3.9 * FONT + row as f64 * LINE_HEIGHT;
        canvas::write(paper, note, (FONT / 2.0, at), HPos::Left, Ink::MUTED)
    })
}

/// What is not shown, and why: of values, each `noun` with its reason, and of marks. No text if all is shown.
pub(super) fn left_out(
    reasons: impl Iterator<Item = &'static str>,
    nouns: [&str; 2],
    marks: &[Mark],
    axis: &Axis,
) -> Option<String> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for reason in reasons {
        match counted.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, count)) => *count += 1,
            None => counted.push((reason, 1)),
        }
    }
    let [one, several] = nouns;
    let values = counted.into_iter().map(|(reason, count)| match count {
        1 => format!("1 {one} is {reason}"),
        _ => format!("{count} {several} are {reason}"),
    });
    let marks = marks.iter().filter_map(|mark| Some(format!("{} is {}", mark.name, showable(mark.value, axis).err()?)));
    let all: Vec<String> = values.chain(marks).collect();
    Some(all.join("; ")).filter(|text| !text.is_empty())
}

/// The same as lines below a picture of this width.
pub(super) fn notes(left_out: Option<&str>, width: f64) -> Vec<String> {
    left_out.map(|text| labels::wrapped(&format!("Not shown: {text}."), width - FONT, FONT)).unwrap_or_default()
}
