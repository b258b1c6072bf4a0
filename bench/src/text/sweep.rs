//! A sweep: a table for each question, with a column for each job. And one table for the allocators of a run of one job.

use std::iter;

use crate::numbers::grid::{Grid, Line, Place};
use crate::numbers::stats::Figure;
use crate::numbers::views::View;
use crate::run::Run;
use crate::run::job::Job;
use crate::text::table::{Align, markdown};
use crate::text::{compared, made_by, not_measured, number, or_nothing, to_output, views};

/// The tables of a run of several jobs, each with its question above it; the ratios with their intervals if those are wanted.
pub fn tables(run: &Run, intervals: bool) -> String {
    let grid = Grid::of(run);
    let systems = grid.rows.iter().any(|row| row.allocator.is_system());
    let others = grid.rows.iter().any(|row| !row.allocator.is_system());
    let mut text =
        table(&grid, "Warm: the time per value of a batch in a program that has run one before.", warm, |_| true);
    if systems && others {
        let interval = if intervals { ", with a 95 % interval" } else { "" };
        let question = format!(
            "How many times faster a warm batch is than that of the same strategy with the system's allocator{interval}."
        );
        text += &table(&grid, &question, if intervals { gain } else { short_gain }, |row| !row.allocator.is_system());
    }
    text += &table(&grid, "Cold: the time per value of a whole process with one batch.", cold, |_| true);
    text += &table(&grid, "The most memory that such a process held, in sizes of its output.", memory, |_| true);
    text += &table(
        &grid,
        "Drop: the time per value of freeing a batch's outputs. Of the other figures, cold alone includes it.",
        drop,
        |_| true,
    );
    text
}

/// The same as a part of a document.
pub fn part(run: &Run) -> String {
    let viewed = View::of(run).map(|view| views::tables(&view)).unwrap_or_default();
    let tables = match run.plan.has_several_jobs() {
        // A view is of the system's allocator alone.
        _ if !viewed.is_empty() && !run.plan.has_allocators() => viewed,
        true => format!("{viewed}{}", tables(run, false)),
        false => format!("{viewed}{}", one_job(run)),
    };
    format!("{tables}{}{}\n", not_measured(run), made_by(run))
}

/// The allocators of a run of one job.
pub fn one_job(run: &Run) -> String {
    let grid = Grid::of(run);
    let columns = [
        ("strategy", Align::Left),
        ("cold", Align::Right),
        ("warm", Align::Right),
        ("× system", Align::Right),
        ("memory ÷ output", Align::Right),
        ("drop", Align::Right),
    ];
    let row = |row: &Line| {
        let place = row.places.first()?.as_ref()?;
        Some(vec![row.name.clone(), cold(place), warm(place), gain_of(row, place), memory(place), drop(place)])
    };
    let rows: Vec<Vec<String>> = grid.rows.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let each = if run.plan.own.is_some() { "key" } else { "value" };
    format!("All times are per {each}, and × system compares warm ones.\n\n{}\n", markdown(&columns, &rows))
}

/// One question: a column for each job.
fn table(grid: &Grid, question: &str, cell: fn(&Place) -> String, wanted: fn(&Line) -> bool) -> String {
    let heads = heads(&grid.jobs);
    let columns: Vec<(&str, Align)> =
        iter::once(("strategy", Align::Left)).chain(heads.iter().map(|head| (head.as_str(), Align::Right))).collect();
    let row = |row: &Line| {
        let cells = row.places.iter().map(|place| or_nothing(place.as_ref(), cell));
        iter::once(row.name.clone()).chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = grid.rows.iter().filter(|row| wanted(row)).map(row).collect();
    let says = |row: &Vec<String>| row.iter().skip(1).any(|cell| *cell != number::NOTHING);
    if rows.iter().any(says) { format!("{question}\n\n{}\n", markdown(&columns, &rows)) } else { String::new() }
}

/// What each job is called among these: by the first that they differ in.
pub fn heads(jobs: &[Job]) -> Vec<String> {
    let differ = |is: fn(&Job) -> u64| jobs.iter().any(|job| is(job) != is(&jobs[0]));
    let head = |job: &Job| match job {
        _ if differ(|job| job.count) => size(job),
        _ if differ(|job| job.keys) => format!("{} keys", number::grouped(job.keys)),
        _ => job.skew.clone(),
    };
    jobs.iter().map(head).collect()
}

/// What one key comes to: `80 kB`.
pub fn size(job: &Job) -> String {
    match job.workload.as_str() {
        "fill" => number::round_bytes(job.count * 8),
        _ => number::grouped(job.count),
    }
}

fn time(figure: &Figure) -> String {
    number::time(figure.summary)
}

fn warm(place: &Place) -> String {
    or_nothing(place.warm.as_ref(), time)
}

fn cold(place: &Place) -> String {
    time(&place.cold)
}

fn drop(place: &Place) -> String {
    // Where it is next to nothing, its digits are of no use.
    or_nothing(place.drop.as_ref(), |drop| format!("{:.2} ns", drop.summary.median * 1e9))
}

fn gain(place: &Place) -> String {
    or_nothing(place.gain, number::ratio)
}

fn short_gain(place: &Place) -> String {
    or_nothing(place.gain, |gain| number::factor(gain.value))
}

fn gain_of(row: &Line, place: &Place) -> String {
    compared(place.gain, row.allocator.is_system(), number::ratio)
}

fn memory(place: &Place) -> String {
    to_output(place.footprint)
}
