//! The tables of the notebook's programs beside their strategies.

use crate::entrants::notebook::Clock;
use crate::numbers::porting::{self, Gain, Ported, Smaller};
use crate::run::Run;
use crate::text::number::{self, NOTHING};
use crate::text::table::{Align, markdown};
use crate::text::{made_by, or_nothing, seen};

/// The programs that are the notebook's own cells, each with the strategy that does the same.
const CELLS: [(&str, &str); 3] =
    [("python-sequential", "sequential"), ("python-process-pool", "process-pool"), ("python-loky", "process-pool")];

/// The notebook's own cells alone: for the front page.
pub fn short_table(run: &Run) -> String {
    let columns = [
        ("notebook", Align::Left),
        ("time", Align::Right),
        ("memory", Align::Right),
        ("in Rust", Align::Left),
        ("time", Align::Right),
        ("memory", Align::Right),
        ("faster", Align::Right),
        ("smaller", Align::Right),
    ];
    let all = porting::of(run);
    let cells: Vec<(&Ported, &str)> = CELLS
        .into_iter()
        .filter_map(|(program, strategy)| Some((all.iter().find(|row| row.name == program)?, strategy)))
        .collect();
    let line = |&(row, strategy): &(&Ported, &str)| {
        let gain = row.gains.iter().find(|gain| gain.strategy == strategy);
        let [name, time, memory] = own_cells(row);
        vec![
            name,
            time,
            memory,
            strategy.to_owned(),
            or_nothing(gain, |gain| number::time(gain.time)),
            seen(gain.and_then(|gain| gain.peak), |peak| number::bytes(peak.pss_bytes)),
            or_nothing(gain, |gain| number::factor(gain.faster.value)),
            or_nothing(gain.and_then(|gain| gain.smaller), smaller),
        ]
    };
    let rows: Vec<Vec<String>> = cells.iter().map(line).collect();
    let clocks = clocks(cells.iter().map(|(row, _)| *row));
    format!("{}\n{clocks}\n{}{}\n", markdown(&columns, &rows), python_line(run), made_by(run))
}

/// All programs, a line for each strategy that one is compared with. Empty if the run has none.
pub fn table(run: &Run) -> String {
    let ported = porting::of(run);
    if ported.is_empty() {
        return String::new();
    }
    let columns = [
        ("notebook", Align::Left),
        ("time", Align::Right),
        ("runs", Align::Right),
        ("memory", Align::Right),
        ("in Rust", Align::Left),
        ("faster", Align::Right),
        ("same bits", Align::Right),
        ("smaller", Align::Right),
    ];
    let rows: Vec<Vec<String>> = ported.iter().flat_map(lines).collect();
    format!("{}\n{}{}", markdown(&columns, &rows), python_line(run), how_to_read(&ported))
}

/// A program's lines: one of its own if there is nothing to compare it with.
fn lines(row: &Ported) -> Vec<Vec<String>> {
    let line = |[strategy, faster, same_bits, smaller]: [String; 4]| {
        let [name, time, memory] = own_cells(row);
        vec![name, time, row.samples.to_string(), memory, strategy, faster, same_bits, smaller]
    };
    let compared = |gain: &Gain| {
        line([
            gain.strategy.to_owned(),
            number::ratio(gain.faster),
            or_nothing(gain.same_bits, number::ratio),
            or_nothing(gain.smaller, smaller),
        ])
    };
    if row.gains.is_empty() {
        return vec![line([(); 4].map(|()| NOTHING.to_owned()))];
    }
    row.gains.iter().map(compared).collect()
}

/// Name, time and memory of a program.
fn own_cells(row: &Ported) -> [String; 3] {
    let time = row.time.clone().map_or_else(|why| why, number::time);
    [row.name.clone(), time, seen(row.peak, |peak| number::bytes(peak.pss_bytes))]
}

fn smaller(Smaller { value, at_least, at_most }: Smaller) -> String {
    let bound = match (at_least, at_most) {
        (true, _) => "≥ ",
        (_, true) => "≤ ",
        _ => "",
    };
    format!("{bound}{}", number::factor(value))
}

fn python_line(run: &Run) -> String {
    run.machine.python.as_ref().map(|python| format!("Run by {}. ", python.line())).unwrap_or_default()
}

/// Which clock each time is of.
fn clocks<'a>(rows: impl Iterator<Item = &'a Ported>) -> String {
    let warm: Vec<String> = rows.filter(|row| row.clock == Clock::Warm).map(|row| format!("`{}`", row.name)).collect();
    match warm.is_empty() {
        true => "Each time is that of a whole process.".to_owned(),
        false => {
            let warm = warm.join(" and ");
            format!("Each time is that of a whole process; in the line of {warm}, both are those of a warm batch.")
        }
    }
}

fn how_to_read(ported: &[Ported]) -> String {
    let clock = clocks(ported.iter());
    format!(
        "{clock}\n*Faster* is the program's time over the strategy's.\n\
         *Same bits* is that ratio with CPython's generator in both programs: only language and libraries differ.\n\
         Rust does not have numpy's `default_rng`.\n\
         *Smaller* is the program's peak memory over the strategy's.\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::stats::{Interval, Ratio, Summary};

    #[test]
    fn a_program_has_a_line_for_each_strategy() {
        let ratio = |value| Ratio { value, interval: Some(Interval { low: value - 2.0, high: value + 2.0 }) };
        let time = Summary { median: 1.0, spread: None };
        let gain = |strategy, value, same: Option<f64>| Gain {
            strategy,
            time,
            faster: ratio(value),
            same_bits: same.map(ratio),
            peak: None,
            smaller: None,
        };
        let row = Ported {
            name: "python-x".into(),
            clock: Clock::Cold,
            time: Err("failed".into()),
            samples: 0,
            peak: None,
            gains: vec![gain("a", 50.0, None), gain("b", 40.0, Some(20.0))],
        };
        let cells = |row: &Ported| lines(row).iter().map(|line| line[4..].join(" ")).collect::<Vec<_>>();
        assert_eq!(cells(&row), ["a 50.0× [48.0, 52.0] n/a n/a", "b 40.0× [38.0, 42.0] 20.0× [18.0, 22.0] n/a"]);
        assert_eq!(cells(&Ported { gains: Vec::new(), ..row }), ["n/a n/a n/a n/a"]);
        assert_eq!(smaller(Smaller { value: 3.9, at_least: true, at_most: false }), "≥ 3.90×");
        assert_eq!(smaller(Smaller { value: 3.9, at_least: false, at_most: true }), "≤ 3.90×");
    }
}
