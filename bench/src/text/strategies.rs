//! The short table of the strategies: for the front page, and for the terminal at the end of a run.

use crate::numbers::standings::{Standing, Standings};
use crate::run::Run;
use crate::run::plan::SEQUENTIAL;
use crate::text::table::{Align, markdown, without};
use crate::text::{compared, made_by, not_measured, number, or_nothing, seen, survives};

/// The table, and what made it.
pub fn table(run: &Run) -> String {
    let columns = [
        ("rank", Align::Right),
        ("strategy", Align::Left),
        ("time", Align::Right),
        ("× sequential", Align::Right),
        ("of the limit", Align::Right),
        ("warm", Align::Right),
        ("memory", Align::Right),
        ("other keys survive", Align::Left),
    ];
    let row = |row: &Standing| {
        vec![
            or_nothing(row.rank, |rank| rank.to_string()),
            row.name.clone(),
            number::time(row.cold),
            compared(row.speed_up, row.name == SEQUENTIAL, |ratio| number::factor(ratio.value)),
            or_nothing(row.of_limit, number::whole_percent),
            or_nothing(row.warm, |warm| number::short_time(warm.median)),
            seen(row.peak(), |peak| number::bytes(peak.pss_bytes)),
            or_nothing(row.survival, survives),
        ]
    };
    let standings = Standings::of(run);
    let strategies = standings.rows.iter().filter(|row| row.is_among_strategies);
    let rows: Vec<Vec<String>> = strategies.map(row).collect();
    if rows.is_empty() {
        return "Nothing was timed.\n".to_owned();
    }
    let (columns, rows) = of_job(run, &columns, rows);
    let limits = limits(&standings);
    format!("{}\n{limits}{}{}\n", markdown(&columns, &rows), not_measured(run), made_by(run))
}

/// A table without shares of the limit, where the job is the reader's: nobody knows what its limit is.
pub(crate) fn of_job<'a>(
    run: &Run,
    columns: &[(&'a str, Align)],
    rows: Vec<Vec<String>>,
) -> (Vec<(&'a str, Align)>, Vec<Vec<String>>) {
    if run.plan.own.is_some() { without("of the limit", columns, rows) } else { (columns.to_vec(), rows) }
}

/// What the shares of the limit are of.
pub(crate) fn limits(standings: &Standings) -> String {
    let [limit, of_one] = standings.limits;
    let line = |(limit, of_one)| {
        format!("The limit of this machine: {}; on one thread: {}.\n\n", number::time(limit), number::time(of_one))
    };
    limit.zip(of_one).map(line).unwrap_or_default()
}

/// The rows that show what one lock does to threads.
const LOCKED: [&str; 5] = ["sequential", "global-lock", "std-counter", "python-sequential", "python-threads"];

/// Threads under one lock and without it, in Rust and in Python.
pub fn lock_table(run: &Run) -> String {
    let columns = [("row", Align::Left), ("threads", Align::Right), ("time", Align::Right), ("warm", Align::Right)];
    let standings = Standings::of(run);
    let row = |name: &&str| {
        let row = standings.row(name)?;
        Some(vec![
            row.name.clone(),
            seen(row.peak(), |peak| peak.threads.to_string()),
            number::time(row.cold),
            or_nothing(row.warm, number::time),
        ])
    };
    let rows: Vec<Vec<String>> = LOCKED.iter().filter_map(row).collect();
    format!("{}\n{}\n", markdown(&columns, &rows), made_by(run))
}
