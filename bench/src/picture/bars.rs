//! A row for each value: a dot with its interval, and the value in words.

use plotters::style::text_anchor::HPos;

use crate::numbers::curves::{Bar, Bars, Mark};
use crate::picture::axes::{self, Frame, LINE_HEIGHT};
use crate::picture::canvas::{self, Drawn, FONT, Marker, NoPicture};
use crate::picture::ink::Ink;
use crate::picture::labels;
use crate::picture::scale::{Scale, showable};
use crate::picture::unit;
use crate::run::plan::SEQUENTIAL;
use crate::text::number::NOTHING;

/// From one row to the next.
const ROW: f64 = 1.6 * FONT;

/// Draws rows.
pub(super) fn draw(bars: &Bars) -> Result<Drawn, NoPicture> {
    let Bars { axis, bars, marks } = bars;
    let reasons = bars.iter().filter_map(|bar| showable(bar.value, axis).err());
    let left_out = axes::left_out(reasons, ["value", "values"], marks, axis);
    let shown: Vec<&Bar> = bars.iter().filter(|bar| showable(bar.value, axis).is_ok()).collect();
    if shown.is_empty() {
        return Err(NoPicture::Nothing(left_out.unwrap_or_else(|| "nothing was measured".to_owned())));
    }
    let marks: Vec<&Mark> = marks.iter().filter(|mark| showable(mark.value, axis).is_ok()).collect();
    let ends = shown.iter().filter_map(|bar| bar.interval).flat_map(|interval| [interval.low, interval.high]);
    let values = shown.iter().map(|bar| bar.value).chain(marks.iter().map(|mark| mark.value)).chain(ends);
    let values: Vec<f64> = values.filter(|value| showable(*value, axis).is_ok()).collect();

    let texts: Vec<String> = bars
        .iter()
        .map(|bar| match showable(bar.value, axis) {
            Ok(value) => unit::value(value, axis.unit),
            Err(_) => NOTHING.to_owned(),
        })
        .collect();
    let left = axes::LEAST_SIDE.max(labels::widest(bars.iter().map(|bar| bar.name.as_str()), FONT) + FONT);
    let right = axes::LEAST_SIDE.max(labels::widest(texts.iter().map(String::as_str), FONT) + 1.5 * FONT);
    let mark_width = labels::widest(marks.iter().map(|mark| mark.name.as_str()), FONT) + FONT;
    let width = axes::width(left + right, &[axis]).max(2.0 * mark_width);
    let across = Scale::measured_across(axis, &values, width);
    let at = |value: f64| left + across.part(across.within(value)) * width;
    let frame = Frame { left, top: FONT + marks.len() as f64 * LINE_HEIGHT, width, height: bars.len() as f64 * ROW };
    let whole = frame.right() + right;
    let notes = axes::notes(left_out.as_deref(), whole);
    let down = Scale::rows(bars.iter().map(|bar| bar.name.clone()).collect());
    canvas::on_paper(whole, frame.end(&notes), |paper| {
        axes::draw(paper, frame, (&across, &down), axis, Ink::TEXT)?;
        // Each mark's name has a line of its own, so that no two of them meet.
        for (line, mark) in marks.iter().enumerate() {
            let (x, y) = (at(mark.value), (line as f64 + 0.7) * LINE_HEIGHT);
            canvas::line(paper, &[(x, y - FONT / 2.0), (x, frame.bottom())], Ink::MARK, 1.0)?;
            let (side, x) = if x < left + width / 2.0 { (HPos::Left, x + 5.0) } else { (HPos::Right, x - 5.0) };
            canvas::write(paper, &mark.name, (x, y), side, Ink::MUTED)?;
        }
        for (index, (bar, text)) in bars.iter().zip(&texts).enumerate() {
            let y = frame.top + (index as f64 + 0.5) * ROW;
            let is_shown = showable(bar.value, axis).is_ok();
            if is_shown {
                let ink = if bar.name == SEQUENTIAL { Ink::TEXT } else { Ink::line(0) };
                canvas::whisker(paper, bar.interval, ink, |value| (at(value), y))?;
                canvas::mark(paper, canvas::place(at(bar.value), y), Marker::Circle, ink)?;
            }
            let ink = if is_shown { Ink::TEXT } else { Ink::MUTED };
            canvas::write(paper, text, (whole - FONT / 2.0, y), HPos::Right, ink)?;
        }
        axes::put_notes(paper, frame, &notes)
    })
}
