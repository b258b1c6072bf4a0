//! From Python to Rust: how much faster and smaller each program of the notebook is as a strategy.

use crate::answer::Answer;
use crate::memory::Peak;
use crate::notebook::{self, Clock, OTHER_BITS, PAIRS, SAME_BITS};
use crate::number::{self, NOTHING};
use crate::page;
use crate::record::{Measured, Row, Run};
use crate::standings::cold_ratio;
use crate::stats::{self, Ratio, Summary};
use crate::table::{Align, markdown};

/// A program of the notebook and what it gains.
#[derive(Clone, Debug, PartialEq)]
pub struct Ported {
    /// The row's name.
    pub name: String,
    /// What else there is to know about it, for its name's side.
    pub note: Option<&'static str>,
    /// The clock of `time` and of all ratios.
    pub clock: Clock,
    /// What it takes, or why that is not known.
    pub time: Result<Summary, String>,
    /// Of how many samples that is the median.
    pub samples: usize,
    /// The memory pass.
    pub peak: Option<Peak>,
    /// Against strategies that draw from the same generator and so do the same arithmetic.
    pub same_bits: Vec<Gain>,
    /// Against strategies as they are: each side draws from the generator that it likes best.
    pub own_bits: Vec<Gain>,
}

/// A program of the notebook over one strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Gain {
    /// The strategy.
    pub strategy: &'static str,
    /// Time over time, paired by round.
    pub faster: Option<Ratio>,
    /// Peak memory of both.
    pub peaks: Option<(Peak, Peak)>,
}

/// Whether the run has programs of the notebook among its rows.
pub fn is_part_of(run: &Run) -> bool {
    run.plan.rows.iter().any(|row| row.notebook)
}

/// All programs of the notebook that the run was to measure, in the order of [`PAIRS`].
pub fn of(run: &Run) -> Vec<Ported> {
    let rows = run.plan.rows.iter().zip(&run.measured).filter(|(row, _)| row.notebook);
    let mut ported: Vec<Ported> = rows.map(|(row, measured)| ported(run, row, measured)).collect();
    let place = |name: &str| notebook::pair(name).and_then(|pair| PAIRS.iter().position(|other| other == pair));
    ported.sort_by_key(|row| (place(&row.name).unwrap_or(PAIRS.len()), row.name.clone()));
    ported
}

fn ported(run: &Run, row: &Row, measured: &Measured) -> Ported {
    let pair = notebook::pair(&row.name);
    let clock = pair.map_or(Clock::Cold, |pair| pair.clock);
    let against = |generator: Option<&str>| {
        let gain = |&strategy: &&'static str| {
            let name = generator.map_or_else(|| strategy.to_owned(), |rng| format!("{strategy}.{rng}"));
            let rust = run.measured(&name).filter(|rust| rust.failure.is_none())?;
            let gain = Gain { strategy, faster: ratio(measured, rust, clock), peaks: peak(measured).zip(peak(rust)) };
            (measured.failure.is_none() && row.not_measured.is_none()).then_some(gain)
        };
        pair.map_or_else(Vec::new, |pair| pair.strategies.iter().filter_map(gain).collect())
    };
    let samples: Vec<f64> = match clock {
        Clock::Cold => measured.cold.values().map(|sample| sample.wall).collect(),
        Clock::Warm => measured.warm.values().flat_map(Answer::warm_seconds).collect(),
    };
    let time = match (&row.not_measured, &measured.failure) {
        (Some(why), _) => Err(format!("not measured: {why}")),
        (_, Some(_)) => Err("failed".to_owned()),
        _ => stats::summary(&samples).ok_or_else(|| NOTHING.to_owned()),
    };
    let other_bits = row.rng.as_deref() == Some(OTHER_BITS);
    let same_bits = if other_bits { Vec::new() } else { against(Some(SAME_BITS)) };
    let own_bits = against(None);
    Ported {
        name: row.name.clone(),
        note: note(row, measured),
        clock,
        samples: if time.is_ok() { samples.len() } else { 0 },
        time,
        peak: peak(measured),
        same_bits,
        own_bits,
    }
}

/// What its name does not say of a row that is none of the strategies as they are.
pub fn note(row: &Row, measured: &Measured) -> Option<&'static str> {
    let python = measured.verified.as_ref().and_then(|answer| answer.python.as_ref());
    let free_threaded = python.is_some_and(|python| !python.gil);
    match (row.notebook, row.rng.as_deref()) {
        (true, Some(OTHER_BITS)) if free_threaded => Some("Python, free-threaded, other bits"),
        (true, Some(OTHER_BITS)) => Some("Python, other bits"),
        (true, _) if free_threaded => Some("Python, free-threaded"),
        (true, _) => Some("Python"),
        (false, Some(SAME_BITS)) => Some("Python's bits"),
        (false, _) => None,
    }
}

fn peak(measured: &Measured) -> Option<Peak> {
    measured.footprint.and_then(|footprint| footprint.peak)
}

fn ratio(over: &Measured, under: &Measured, clock: Clock) -> Option<Ratio> {
    if clock == Clock::Cold {
        return cold_ratio(over, under);
    }
    let warm = |answer: &Answer| stats::median(answer.warm_seconds());
    let pairs = over.warm.iter().filter_map(|(round, over)| Some((warm(over)?, warm(under.warm.get(round)?)?)));
    stats::paired_ratio(&pairs.collect::<Vec<_>>())
}

/// The table, with intervals or without. Empty if the run has no program of the notebook.
pub fn table(run: &Run, with_intervals: bool) -> String {
    if !is_part_of(run) {
        return String::new();
    }
    let columns = [
        ("notebook", Align::Left),
        ("", Align::Left),
        ("clock", Align::Left),
        ("time", Align::Right),
        ("runs", Align::Right),
        ("peak memory", Align::Right),
        ("in Rust, the same bits", Align::Left),
        ("in Rust, its own generator", Align::Left),
    ];
    let row = |row: &Ported| {
        let clock = match row.clock {
            Clock::Cold => "cold",
            Clock::Warm => "warm",
        };
        vec![
            row.name.clone(),
            row.note.and_then(|note| note.strip_prefix("Python, ")).unwrap_or_default().to_owned(),
            clock.to_owned(),
            row.time.clone().map_or_else(|why| why, number::time),
            row.samples.to_string(),
            page::seen(row.peak, |peak| number::bytes(peak.pss_bytes)),
            gains(&row.same_bits, with_intervals),
            gains(&row.own_bits, with_intervals),
        ]
    };
    let rows: Vec<Vec<String>> = of(run).iter().map(row).collect();
    markdown(&columns, &rows)
}

fn gains(gains: &[Gain], with_intervals: bool) -> String {
    let gain = |gain: &Gain| {
        let faster = gain.faster.map(|ratio| match with_intervals && ratio.pairs > 1 {
            true => number::ratio(ratio),
            false => number::short_ratio(ratio),
        });
        let faster = faster.map_or_else(|| NOTHING.to_owned(), |faster| format!("{faster} faster"));
        let smaller = gain.peaks.and_then(smaller).map(|smaller| format!(", {smaller} smaller")).unwrap_or_default();
        format!("{}: {faster}{smaller}", gain.strategy)
    };
    if gains.is_empty() { NOTHING.to_owned() } else { gains.iter().map(gain).collect::<Vec<_>>().join("; ") }
}

/// Memory over memory; of two lower bounds there is nothing to say.
fn smaller((python, rust): (Peak, Peak)) -> Option<String> {
    let bound = match (python.is_lower_bound(), rust.is_lower_bound()) {
        (false, false) => "",
        (true, false) => "≥ ",
        (false, true) => "≤ ",
        (true, true) => return None,
    };
    Some(format!("{bound}{}", number::factor(python.pss_bytes as f64 / rust.pss_bytes as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_stays_a_bound_in_the_ratio() {
        let peak = |pss_bytes, samples| Peak { pss_bytes, threads: 1, processes: 1, samples };
        assert_eq!(smaller((peak(3_900, 500), peak(1_000, 50))).as_deref(), Some("3.90×"));
        assert_eq!(smaller((peak(3_900, 500), peak(1_000, 5))).as_deref(), Some("≤ 3.90×"));
        assert_eq!(smaller((peak(3_900, 5), peak(1_000, 50))).as_deref(), Some("≥ 3.90×"));
        assert_eq!(smaller((peak(3_900, 5), peak(1_000, 5))), None);
    }

    #[test]
    fn a_gain_names_its_strategy() {
        let faster = Some(Ratio { median: 50.0, low: 48.0, high: 52.0, pairs: 3 });
        let gain = |strategy| Gain { strategy, faster, peaks: None };
        assert_eq!(gains(&[gain("a"), gain("b")], false), "a: 50× faster; b: 50× faster");
        assert_eq!(gains(&[gain("a")], true), "a: 50× [48, 52] faster");
        assert_eq!(gains(&[Gain { faster: None, ..gain("a") }], true), "a: n/a");
        assert_eq!(gains(&[], true), "n/a");
    }
}
