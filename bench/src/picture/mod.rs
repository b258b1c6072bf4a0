//! What people look at: figures as SVG, drawn by plotters.
//!
//! A picture needs nothing but itself: no font, no script, no other file. It follows the reader's light or dark scheme, as a
//! file of its own as well as within a page, where several may stand: their classes and ids begin with their figures' names.

mod axes;
mod bars;
mod canvas;
mod curves;
mod ink;
mod labels;
mod scale;
mod unit;

use std::fs;
use std::path::Path;

use crate::numbers::curves::{Bars, Curves, Drawing, Figure};
use crate::picture::canvas::{Drawn, FAMILY, FONT, NoPicture, UNIT};
use crate::picture::ink::Ink;
use crate::run::folder::{FileError, write_whole};

/// One self-contained SVG document, the same for the same figure. Where there is nothing to draw, it says so, and why.
pub fn svg(figure: &Figure) -> String {
    let figure = printable(figure);
    let drawn = match &figure.drawing {
        Drawing::Curves(curves) => curves::draw(curves),
        Drawing::Bars(bars) => bars::draw(bars),
    };
    let Drawn { elements, width, height } = drawn.unwrap_or_else(|why| words(&why));
    let prefix = prefix(&figure.name);
    let (length, across) = (canvas::length(width), canvas::length(height));
    format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {length} {across}""#,
            r#" role="img" aria-labelledby="{prefix}-title {prefix}-desc" font-family="{family}" font-size="{font}">"#,
            "\n<title id=\"{prefix}-title\">{title}</title>\n<desc id=\"{prefix}-desc\">{caption}</desc>\n",
            "<style>{style}</style>\n{elements}</svg>\n",
        ),
        width = width.round(),
        height = height.round(),
        length = length,
        across = across,
        prefix = prefix,
        family = FAMILY,
        font = FONT * f64::from(UNIT),
        title = escaped(&figure.title),
        caption = escaped(&figure.caption),
        style = ink::style(&prefix),
        elements = ink::dress(&elements, &prefix, UNIT),
    )
}

/// Writes the picture of a figure to `dir`, which is made if it is not there.
///
/// # Errors
///
/// If it cannot be written.
pub fn write(dir: &Path, figure: &Figure, svg: &str) -> Result<(), FileError> {
    fs::create_dir_all(dir).map_err(FileError::io(dir))?;
    write_whole(&dir.join(file_name(figure)), svg.as_bytes())
}

/// The picture's file.
fn file_name(figure: &Figure) -> String {
    format!("{}.svg", figure.name)
}

/// What is said instead of a picture.
fn words(why: &NoPicture) -> Drawn {
    let width = 720.0;
    let lines = labels::wrapped(&why.to_string(), width - 2.0 * FONT, FONT);
    let line = |(row, line): (usize, &String)| {
        let (x, y) = canvas::place(width / 2.0, (2.0 + 1.3 * row as f64) * FONT);
        let style = Ink::TEXT.placeholder();
        let fill = format!("#{:02X}{:02X}{:02X}", style.0, style.1, style.2);
        format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"{fill}\">{}</text>\n", escaped(line))
    };
    let height = (2.7 + 1.3 * lines.len() as f64) * FONT;
    Drawn { elements: lines.iter().enumerate().map(line).collect(), width, height }
}

/// What begins the classes and ids of this figure's picture. Different names have different ones.
fn prefix(name: &str) -> String {
    let safe = |char: char| match char {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => char.to_string(),
        other => format!("_{:x}_", u32::from(other)),
    };
    format!("figure-{}", name.chars().map(safe).collect::<String>())
}

/// With every text such that XML may have it. plotters escapes what it writes, but lets control characters through.
fn printable(figure: &Figure) -> Figure {
    let mut figure = figure.clone();
    let clean = |text: &mut String| {
        if text.contains(is_unprintable) {
            *text = text.replace(is_unprintable, " ");
        }
    };
    clean(&mut figure.title);
    clean(&mut figure.caption);
    match &mut figure.drawing {
        Drawing::Curves(Curves { x, y, lines, marks }) => {
            [&mut x.label, &mut y.label].into_iter().for_each(clean);
            lines.iter_mut().for_each(|line| clean(&mut line.name));
            marks.iter_mut().for_each(|mark| clean(&mut mark.name));
        }
        Drawing::Bars(Bars { axis, bars, marks }) => {
            clean(&mut axis.label);
            bars.iter_mut().for_each(|bar| clean(&mut bar.name));
            marks.iter_mut().for_each(|mark| clean(&mut mark.name));
        }
    }
    figure
}

/// What XML 1.0 has no place for, and line ends.
fn is_unprintable(char: char) -> bool {
    char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}')
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
