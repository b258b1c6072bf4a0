//! Lines over an axis, each with its name at the right.

use plotters::style::text_anchor::HPos;

use crate::numbers::curves::{Curve, Curves, Mark, Point};
use crate::picture::axes::{self, Frame, LINE_HEIGHT};
use crate::picture::canvas::{self, Drawn, FONT, Marker, NoPicture, Paper, REACH};
use crate::picture::ink::Ink;
use crate::picture::labels;
use crate::picture::scale::{Scale, showable};
use crate::run::plan::SEQUENTIAL;
use crate::text::number::NOTHING;

/// The least height of what is within the axes.
const LEAST_HEIGHT: f64 = 320.0;

/// Between the axes and the names: leaders run through the first part, the second has a piece of the line itself.
const LEADER: f64 = 34.0;
const SAMPLE: f64 = 34.0;

/// The thickness of lines, in pixels.
const THICK: f64 = 1.75;
const THIN: f64 = 0.75;

/// How a line is drawn.
#[derive(Clone, Copy)]
struct Pen {
    ink: Ink,
    marker: Option<Marker>,
    thickness: f64,
}

impl Pen {
    fn mark(self, paper: &Paper, (x, y): (f64, f64)) -> Result<(), NoPicture> {
        self.marker.map_or(Ok(()), |marker| canvas::mark(paper, canvas::place(x, y), marker, self.ink))
    }
}

/// What stands at the right.
struct Label {
    name: String,
    pen: Pen,
    /// Where what it names ends, if it is there at all: on the axes.
    end: Option<(f64, f64)>,
}

/// The line that others are compared with is as neutral as text, and the others differ from each other.
fn pens(lines: &[Curve]) -> Vec<Pen> {
    let mut others = 0..;
    let mut pen = |line: &Curve| match others.next().filter(|_| line.name != SEQUENTIAL) {
        Some(number) => Pen { ink: Ink::line(number), marker: Some(Marker::line(number)), thickness: THICK },
        None => Pen { ink: Ink::TEXT, marker: Some(Marker::Circle), thickness: THICK },
    };
    lines.iter().map(&mut pen).collect()
}

/// Draws lines.
pub(super) fn draw(curves: &Curves) -> Result<Drawn, NoPicture> {
    let Curves { x, y, lines, marks } = curves;
    let points = || lines.iter().flat_map(|line| &line.points);
    let reasons = points().filter_map(|point| showable(point.x, x).err().or(showable(point.y, y).err()));
    let left_out = axes::left_out(reasons, ["point", "points"], marks, y);
    let shown: Vec<&Point> = points().filter(|point| is_shown(point, curves)).collect();
    if shown.is_empty() {
        return Err(NoPicture::Nothing(left_out.unwrap_or_else(|| "nothing was measured".to_owned())));
    }
    let marks: Vec<&Mark> = marks.iter().filter(|mark| showable(mark.value, y).is_ok()).collect();
    let xs: Vec<f64> = shown.iter().map(|point| point.x).collect();
    let ends = shown.iter().filter_map(|point| point.interval).flat_map(|interval| [interval.low, interval.high]);
    let ys = shown.iter().map(|point| point.y).chain(marks.iter().map(|mark| mark.value)).chain(ends);
    let ys: Vec<f64> = ys.filter(|value| showable(*value, y).is_ok()).collect();

    let height = LEAST_HEIGHT.max((lines.len() + marks.len()) as f64 * LINE_HEIGHT);
    let up = Scale::measured_upwards(y, &ys, height);
    let left = axes::LEAST_SIDE.max(labels::widest(up.tick_texts(), FONT) + FONT);
    let names: Vec<String> = lines.iter().map(|line| name(line, curves)).collect();
    let all_names = names.iter().map(String::as_str).chain(marks.iter().map(|mark| mark.name.as_str()));
    let right = LEADER + SAMPLE + labels::widest(all_names, FONT) + FONT / 2.0;
    let width = axes::width(left + right, &[x, y]);
    let across = Scale::chosen(x, &xs, width);
    let frame = Frame { left, top: 2.4 * FONT, width, height };
    let at = |x: f64, y: f64| (left + across.part(x) * width, frame.bottom() - up.part(up.within(y)) * height);

    let pens = pens(lines);
    let line_labels = names.into_iter().zip(lines).zip(&pens).map(|((name, line), pen)| {
        let last = line.points.iter().rfind(|point| is_shown(point, curves));
        Label { name, pen: *pen, end: last.map(|point| at(point.x, point.y)) }
    });
    let mark_labels = marks.iter().map(|mark| {
        let pen = Pen { ink: Ink::MARK, marker: None, thickness: 1.0 };
        Label { name: mark.name.clone(), pen, end: Some((frame.right(), at(xs[0], mark.value).1)) }
    });
    let labels: Vec<Label> = line_labels.chain(mark_labels).collect();

    let whole = frame.right() + right;
    let notes = axes::notes(left_out.as_deref(), whole);
    canvas::on_paper(whole, frame.end(&notes), |paper| {
        axes::draw(paper, frame, (&across, &up), x, Ink::MUTED)?;
        canvas::write(paper, &axes::titled(y), (FONT / 2.0, FONT), HPos::Left, Ink::TEXT)?;
        for label in labels.iter().filter(|label| label.pen.marker.is_none()) {
            let (right, y) = label.end.unwrap_or_default();
            canvas::line(paper, &[(left, y), (right, y)], label.pen.ink, label.pen.thickness)?;
        }
        put_labels(paper, &labels, frame)?;
        for (line, pen) in lines.iter().zip(&pens) {
            for points in line.points.split(|point| !is_shown(point, curves)).filter(|points| !points.is_empty()) {
                let places: Vec<(f64, f64)> = points.iter().map(|point| at(point.x, point.y)).collect();
                if line.is_joined {
                    canvas::line(paper, &places, pen.ink, pen.thickness)?;
                }
                for (point, (right, down)) in points.iter().zip(places) {
                    canvas::whisker(paper, point.interval, pen.ink, |value| at(point.x, value))?;
                    pen.mark(paper, (right, down))?;
                }
            }
        }
        axes::put_notes(paper, frame, &notes)
    })
}

/// Writes the names to the right of the axes, each with a piece of its line and a leader from where that ends.
fn put_labels(paper: &Paper, all: &[Label], frame: Frame) -> Result<(), NoPicture> {
    let wanted: Vec<f64> = all.iter().map(|label| label.end.map_or(frame.bottom(), |(_, y)| y)).collect();
    let places = labels::apart(&wanted, LINE_HEIGHT, frame.top, frame.bottom());
    let right = frame.right();
    for (Label { name, pen, end }, at) in all.iter().zip(places) {
        let (sample, text) = (right + LEADER, right + LEADER + SAMPLE);
        if let Some((x, y)) = *end {
            canvas::line(
                paper,
                &[(x, y), (right + REACH, y), (sample - REACH, at), (sample, at)],
                pen.ink.whole(),
                THIN,
            )?;
            canvas::line(paper, &[(sample, at), (text - REACH, at)], pen.ink, pen.thickness)?;
            pen.mark(paper, ((sample + text - REACH) / 2.0, at))?;
        }
        let ink = if pen.marker.is_some() && end.is_some() { Ink::TEXT } else { Ink::MUTED };
        canvas::write(paper, name, (text + REACH / 2.0, at), HPos::Left, ink)?;
    }
    Ok(())
}

fn is_shown(point: &Point, Curves { x, y, .. }: &Curves) -> bool {
    showable(point.x, x).is_ok() && showable(point.y, y).is_ok()
}

/// What stands at a line's end.
fn name(line: &Curve, curves: &Curves) -> String {
    let has_points = line.points.iter().any(|point| is_shown(point, curves));
    if has_points { line.name.clone() } else { format!("{} {NOTHING}", line.name) }
}
