//! What the fastest strategy brings at jobs of all kinds.

use crate::numbers::digits::decimals;
use crate::numbers::views::cases::{Case, Cases};
use crate::text::number;
use crate::text::table::{Align, markdown};

pub(super) const HOW_TO_READ: &str = "\
A row is one job; where a strategy is named at one of them, the name ends in its number. A key computes so many values, sleeps,
and gives so many bytes. Values and sleep are averages; the skew says how they are divided among the keys. W is the number of
workers; `spawn-per-key` has a thread for each key all the same. Times are medians over a few processes, on the strategy's own
clock, from its start to the end of its first batch. Fastest is the strategy with the least median besides `sequential`, and faster is
how many times faster than `sequential` it is. Of several that are about as fast, which one comes first is chance.

";

pub(super) fn tables(view: &Cases) -> String {
    if view.rows.is_empty() {
        return String::new();
    }
    let columns = [
        ("job", Align::Left),
        ("keys", Align::Right),
        ("values", Align::Right),
        ("asleep", Align::Right),
        ("output", Align::Right),
        ("skew", Align::Left),
        ("W", Align::Right),
        ("sequential", Align::Right),
        ("fastest", Align::Left),
        ("time", Align::Right),
        ("faster", Align::Right),
    ];
    let row = |row: &Case| {
        let job = &row.job;
        vec![
            format!("#{}", row.number),
            number::grouped(job.keys),
            short_count(job.values),
            asleep(job.count),
            number::round_bytes(job.output_bytes),
            job.skew.clone(),
            job.workers.to_string(),
            number::short_time(row.sequential.summary.median),
            row.fastest.clone(),
            number::short_time(row.time.summary.median),
            number::factor(row.speed_up.value),
        ]
    };
    let rows: Vec<Vec<String>> = view.rows.iter().map(row).collect();
    format!("The fastest of {} at each job, besides `sequential`.\n\n{}\n", others(view), markdown(&columns, &rows))
}

/// How many strategies there were to choose from.
fn others(view: &Cases) -> String {
    let others = || view.rows.iter().map(|row| row.others);
    let (least, most) = (others().min().unwrap_or(0), others().max().unwrap_or(0));
    if least < most { format!("{least} to {most} strategies") } else { format!("{most} strategies") }
}

/// Whole microseconds.
fn asleep(count: u64) -> String {
    match count {
        0 => "0".to_owned(),
        1..1_000 => format!("{count} µs"),
        _ => number::short_time(count as f64 / 1e6),
    }
}

/// A count to three digits: `23.6 M`. It is only there to be compared with others, and the command has all of it.
fn short_count(count: u64) -> String {
    let (size, unit) = match count {
        999_500.. => (1e6, "M"),
        1_000.. => (1e3, "k"),
        _ => return count.to_string(),
    };
    format!("{} {unit}", three_digits(count as f64 / size))
}

fn three_digits(value: f64) -> String {
    let decimals = decimals(value, 0.0);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_three_digits() {
        let counts = [0, 999, 1_000, 12_345, 999_499, 999_500, 23_608_242, 1_234_567_890].map(short_count);
        assert_eq!(counts, ["0", "999", "1.00 k", "12.3 k", "999 k", "1.00 M", "23.6 M", "1235 M"]);
    }
}
