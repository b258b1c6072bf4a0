//! What holds of every picture.

use super::*;
use crate::numbers::curves::{Axis, Bar, Curve, Mark, Point, Unit};
use crate::numbers::stats::Interval;
use proptest::prelude::*;
use std::collections::HashSet;

const NAMES: [&str; 17] = [
    "sequential",
    "rayon-iter",
    "rayon-nested",
    "paralight-iter",
    "orx-iter",
    "std-chunks",
    "std-counter",
    "spawn-per-key",
    "crossbeam-scoped",
    "channel-workers",
    "global-lock",
    "smol-executor",
    "tokio-blocking",
    "tokio-rayon",
    "process-pool",
    "process-per-key",
    "rayon-iter (mimalloc)",
];

fn axis(label: &str, unit: Unit, is_logarithmic: bool) -> Axis {
    Axis { label: label.into(), unit, is_logarithmic }
}

fn figure(name: &str, drawing: Drawing) -> Figure {
    let title = format!("The {name} of <17> strategies & \"sequential\"");
    Figure { name: name.into(), title, caption: "What each did, with its 95 % interval.".into(), drawing }
}

fn point(x: f64, y: f64, spread: f64) -> Point {
    Point { x, y, interval: Some(Interval { low: y * (1.0 - spread), high: y * (1.0 + spread) }) }
}

fn mark(name: &str, value: f64) -> Mark {
    Mark { name: name.into(), value }
}

/// Seventeen rows that each have an overhead, down to the grain at which it is a tenth of all.
fn grain(is_share: bool) -> Figure {
    let grains = (0..17).map(|step| 50e-9 * 2f64.powi(step));
    let line = |(row, name): (usize, &&str)| {
        let overhead = 20e-9 * 2.1f64.powi(row as i32);
        let kept = grains.clone().filter(|grain| grain / (grain + overhead) > 0.05);
        let y = |grain: f64| if is_share { grain / (grain + overhead) } else { grain + overhead };
        let points = kept
            .enumerate()
            .map(|(step, grain)| point(grain, y(grain), 0.02 + 0.1 * ((row + step) % 5 == 0) as u8 as f64));
        Curve { name: name.to_string(), points: points.collect(), is_joined: true }
    };
    let y = if is_share { axis("efficiency", Unit::Share, false) } else { axis("time per key", Unit::Seconds, true) };
    let marks = if is_share { vec![mark("50 %", 0.5)] } else { Vec::new() };
    let mut lines: Vec<Curve> = NAMES.iter().enumerate().map(line).collect();
    if !is_share {
        // Some are measured only up to some grain.
        lines.iter_mut().enumerate().for_each(|(row, line)| line.points.truncate(17 - row % 7));
    }
    let curves = Curves { x: axis("grain", Unit::Seconds, true), y, lines, marks };
    figure(if is_share { "efficiency" } else { "grain" }, Drawing::Curves(curves))
}

fn scaling() -> Figure {
    let line = |(row, name): (usize, &&str)| {
        let points = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0].map(|workers: f64| {
            point(workers, workers.min(2.0) * (0.98 - 0.04 * row as f64) - 0.02 * (workers - 2.0).max(0.0), 0.02)
        });
        Curve { name: name.to_string(), points: points.into(), is_joined: true }
    };
    let marks = vec![mark("machine's limit", 1.94)];
    let lines = NAMES[1..7].iter().enumerate().map(line).collect();
    let (x, y) = (axis("workers", Unit::Count, false), axis("speed-up", Unit::Factor, false));
    figure("scaling-sum", Drawing::Curves(Curves { x, y, lines, marks }))
}

fn same_end() -> Figure {
    let line = |(row, name): (usize, &&str)| {
        let y = |size: f64| 1e-9 * size * (1.0 + row as f64 * (1e9 / size).log10() * 0.3);
        let points = (4..=9).map(|power| 10f64.powi(power)).map(|size| Point { x: size, y: y(size), interval: None });
        Curve { name: name.to_string(), points: points.collect(), is_joined: true }
    };
    let lines = NAMES[..3].iter().enumerate().map(line).collect();
    let (x, y) = (axis("values", Unit::Count, true), axis("elapsed", Unit::Seconds, true));
    figure("size", Drawing::Curves(Curves { x, y, lines, marks: Vec::new() }))
}

fn rows(is_logarithmic: bool) -> Figure {
    let bar = |(row, name): (usize, &&str)| {
        let value = 0.42 * 1.12f64.powi(row as i32) * if is_logarithmic && row > 14 { 20.0 } else { 1.0 };
        let interval = (row != 3).then_some(Interval { low: value * 0.96, high: value * 1.07 });
        Bar { name: name.to_string(), value, interval }
    };
    let bars = NAMES.iter().enumerate().map(bar).collect();
    let marks = vec![mark("machine's limit", 0.4), mark("twice the limit", 0.8)];
    let name = if is_logarithmic { "rows-log" } else { "rows" };
    figure(name, Drawing::Bars(Bars { axis: axis("elapsed", Unit::Seconds, is_logarithmic), bars, marks }))
}

fn samples() -> Vec<Figure> {
    vec![grain(false), grain(true), scaling(), same_end(), rows(false), rows(true)]
}

/// Numbers of any size, and such as no axis can show.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-12.0..12.0f64).prop_map(|exponent| 10f64.powf(exponent)),
        2 => 1.0..2.0f64,
        1 => -1e3..1e3f64,
        1 => prop::sample::select(vec![0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324]),
    ]
}

fn interval() -> impl Strategy<Value = Option<Interval>> {
    prop::option::of((number(), number()).prop_map(|(low, high)| Interval { low, high }))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z]{1,12}(-[a-z]{1,8})?", 1 => "\\PC{1,20}", 1 => Just("sequential".into()), 1 => ".{0,6}"]
}

fn any_axis() -> impl Strategy<Value = Axis> {
    let unit = prop::sample::select(vec![Unit::Seconds, Unit::Bytes, Unit::Share, Unit::Factor, Unit::Count]);
    (name(), unit, any::<bool>()).prop_map(|(label, unit, is_logarithmic)| Axis { label, unit, is_logarithmic })
}

fn any_marks() -> impl Strategy<Value = Vec<Mark>> {
    prop::collection::vec((name(), number()).prop_map(|(name, value)| Mark { name, value }), 0..3)
}

fn any_drawing() -> impl Strategy<Value = Drawing> {
    let point = (number(), number(), interval()).prop_map(|(x, y, interval)| Point { x, y, interval });
    let line =
        (name(), prop::collection::vec(point, 0..6)).prop_map(|(name, points)| Curve { name, points, is_joined: true });
    let curves = (any_axis(), any_axis(), prop::collection::vec(line, 0..18), any_marks());
    let curves = curves.prop_map(|(x, y, lines, marks)| Drawing::Curves(Curves { x, y, lines, marks }));
    let bar = (name(), number(), interval()).prop_map(|(name, value, interval)| Bar { name, value, interval });
    let bars = (any_axis(), prop::collection::vec(bar, 0..18), any_marks());
    prop_oneof![curves, bars.prop_map(|(axis, bars, marks)| Drawing::Bars(Bars { axis, bars, marks }))]
}

/// What a text covers, in pixels, if its letters are as wide as expected: from left to right and from above.
fn cover(text: roxmltree::Node) -> [f64; 4] {
    let pixels = |name| text.attribute(name).unwrap().parse::<f64>().unwrap() / f64::from(UNIT);
    let width = labels::width(text.text().unwrap_or_default(), FONT);
    let left = pixels("x")
        - width
            * match text.attribute("text-anchor").unwrap() {
                "start" => 0.0,
                "middle" => 0.5,
                _ => 1.0,
            };
    // Half of a small letter's height above the middle of the text, or three quarters of the size below its top.
    let middle = pixels("y") + if text.attribute("dy") == Some("0.76em") { FONT / 2.0 } else { 0.0 };
    [left, left + width, middle - FONT / 2.0, middle + FONT / 2.0]
}

/// Checks what holds of every picture.
fn check(figure: &Figure) -> Result<(), TestCaseError> {
    let picture = svg(figure);
    prop_assert_eq!(&picture, &svg(figure), "the same figure has the same picture");
    let document =
        roxmltree::Document::parse(&picture).map_err(|error| TestCaseError::fail(format!("{error}\n{picture}")))?;
    let root = document.root_element();
    let own = prefix(&figure.name);
    let labelled = format!("{own}-title {own}-desc");
    prop_assert_eq!(
        (root.attribute("role"), root.attribute("aria-labelledby")),
        (Some("img"), Some(labelled.as_str()))
    );
    let size: Vec<f64> = root.attribute("viewBox").unwrap().split(' ').map(|side| side.parse().unwrap()).collect();

    let shapes = || root.descendants().filter(|node| node.is_element() && node.attribute("class").is_some());
    prop_assert!(shapes().count() > 0, "{picture}");
    for node in root.descendants().filter(|node| *node != root) {
        for attribute in node.attributes() {
            let value = attribute.value();
            match attribute.name() {
                "class" | "id" => prop_assert!(value.starts_with(&own), "{value}"),
                "stroke" | "fill" => prop_assert!(value == "none" || node.attribute("class").is_some(), "{node:?}"),
                "points" => {
                    let places = value
                        .split([' ', ','])
                        .filter(|part| !part.is_empty())
                        .map(|part| part.parse::<f64>().unwrap());
                    let is_inside = |(index, place)| (0.0..=size[2 + index % 2]).contains(&place);
                    prop_assert!(places.enumerate().all(is_inside), "{value} is outside of {size:?}");
                }
                "x" | "y" | "cx" | "cy" | "x1" | "x2" | "y1" | "y2" | "r" => {
                    prop_assert!(value.parse::<i32>().is_ok(), "{value}");
                }
                _ => {}
            }
        }
    }

    let texts: Vec<roxmltree::Node> = root.descendants().filter(|node| node.has_tag_name("text")).collect();
    prop_assert!(!texts.is_empty());
    let printable = printable(figure);
    let names: Vec<&String> = match &printable.drawing {
        Drawing::Curves(curves) => curves.lines.iter().map(|line| &line.name).collect(),
        Drawing::Bars(bars) => bars.bars.iter().map(|bar| &bar.name).collect(),
    };
    let says_why_not = texts.iter().any(|text| text.text().unwrap_or_default().starts_with("Nothing to show: "));
    for name in names.into_iter().filter(|_| !says_why_not) {
        let is_there = texts.iter().any(|text| text.text().unwrap_or_default().starts_with(name.as_str()));
        prop_assert!(is_there || name.is_empty(), "{name:?} is not in {picture}");
    }
    let covers: Vec<[f64; 4]> = texts.iter().map(|text| cover(*text)).filter(|cover| cover[0] < cover[1]).collect();
    for (index, a) in covers.iter().enumerate() {
        let unit = f64::from(UNIT);
        prop_assert!(
            a[0] >= -0.5 && a[1] * unit <= size[2] + 2.0 && a[3] * unit <= size[3],
            "{a:?} is outside of {size:?}"
        );
        for b in &covers[..index] {
            let is_apart = a[1] <= b[0] || b[1] <= a[0] || a[3] <= b[2] + 0.5 || b[3] <= a[2] + 0.5;
            prop_assert!(is_apart, "{a:?} {b:?} in {picture}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_figure_has_a_picture(drawing in any_drawing(), name in name(), title in name(), caption in ".{0,20}") {
        check(&Figure { name, title, caption, drawing })?;
    }
}

#[test]
fn the_pictures_of_a_run_are_as_every_picture() {
    samples().iter().for_each(|figure| check(figure).unwrap());
}

#[test]
fn a_picture_is_dark_in_a_dark_page() {
    let picture = svg(&scaling());
    let (style, elements) = picture.split_once("</style>").unwrap();
    assert!(style.contains("@media screen and (prefers-color-scheme: dark)"));
    // Each class of an element has a rule.
    let classes: HashSet<&str> =
        elements.split("class=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    assert!(classes.len() > 8 && classes.iter().all(|class| style.contains(&format!(".{class}{{"))), "{classes:?}");
}

#[test]
fn lines_differ_without_colour_and_sequential_is_as_text() {
    let picture = svg(&grain(false));
    let text = "class=\"figure-grain-s0\" stroke=\"#1f2328\" stroke-width=\"7\" points";
    assert!(picture.contains(text), "{picture}");
    let dashes = picture.split("stroke-dasharray=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0);
    assert_eq!(dashes.collect::<HashSet<_>>().len(), 3);
}

#[test]
fn pictures_of_two_figures_have_no_class_in_common() {
    assert_eq!(prefix("grain-warm"), "figure-grain-warm");
    let names = ["grain", "grain-s1", "g é", "g_e9_", "g_e9", "G"];
    assert_eq!(names.map(prefix).into_iter().collect::<HashSet<_>>().len(), names.len());
}

#[test]
fn a_figure_without_anything_says_so() {
    let (x, y) = (axis("grain", Unit::Seconds, true), axis("speed-up", Unit::Factor, false));
    let line =
        Curve { name: "a".into(), points: vec![point(0.0, 1.0, 0.1), point(-1.0, f64::NAN, 0.1)], is_joined: true };
    let text = |figure: &Figure| {
        let picture = svg(figure);
        let document = roxmltree::Document::parse(&picture).unwrap();
        let texts = document.descendants().filter(|node| node.has_tag_name("text"));
        texts.map(|text| text.text().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let curves = |lines| Drawing::Curves(Curves { x: x.clone(), y: y.clone(), lines, marks: Vec::new() });
    assert_eq!(text(&figure("a", curves(vec![]))), "Nothing to show: nothing was measured.");
    let zero = "Nothing to show: 2 points are not above zero, on a logarithmic axis.";
    assert_eq!(text(&figure("a", curves(vec![line.clone()]))), zero);
    let other = Curve { name: "b".into(), points: vec![point(1.0, 1.0, 0.1)], is_joined: true };
    let some = text(&figure("a", curves(vec![line, other])));
    assert!(
        some.contains("a n/a") && some.ends_with("Not shown: 2 points are not above zero, on a logarithmic axis."),
        "{some}"
    );
}

/// Leaves the samples in a folder, for whoever wants to look at them: `PICTURES=/tmp/pictures cargo test -p bench picture`.
#[test]
fn the_samples_can_be_looked_at() {
    let empty = tempfile::tempdir().unwrap();
    let dir = std::env::var("PICTURES").map_or_else(|_| empty.path().to_owned(), std::path::PathBuf::from);
    let samples = samples();
    samples.iter().for_each(|figure| write(&dir, figure, &svg(figure)).unwrap());
    assert_eq!(samples.len(), 6);
}

#[test]
fn pictures_are_written_to_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("new");
    let figure = scaling();
    write(&dir, &figure, &svg(&figure)).unwrap();
    assert_eq!(fs::read_to_string(dir.join("scaling-sum.svg")).unwrap(), svg(&figure));
    let nowhere = write(Path::new("/proc/nowhere"), &figure, "").unwrap_err();
    assert!(nowhere.to_string().starts_with("/proc/nowhere: "), "{nowhere}");
}
