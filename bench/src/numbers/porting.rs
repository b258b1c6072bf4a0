//! From Python to Rust: how much faster and smaller each program of the notebook is as a strategy.

use crate::entrants::notebook::{self, Clock, OTHER_BITS, PAIRS, SAME_BITS};
use crate::numbers::standings::cold_ratio;
use crate::numbers::stats::{self, Ratio, Summary};
use crate::run::answer::Answer;
use crate::run::footprint::Peak;
use crate::run::record::{Measured, Row, Run};
use crate::text::number::{self, NOTHING};
use crate::text::page;
use crate::text::table::{Align, markdown};

/// A program of the notebook and what it gains.
#[derive(Clone, Debug, PartialEq)]
pub struct Ported {
    /// The row's name.
    pub name: String,
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
        clock,
        samples: if time.is_ok() { samples.len() } else { 0 },
        time,
        peak: peak(measured),
        same_bits,
        own_bits,
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

/// The table, with intervals or without: a line for each strategy that a program is compared with. Empty if the run has no
/// program of the notebook.
pub fn table(run: &Run, with_intervals: bool) -> String {
    if !is_part_of(run) {
        return String::new();
    }
    let columns = [
        ("notebook", Align::Left),
        ("time", Align::Right),
        ("memory", Align::Right),
        ("in Rust", Align::Left),
        ("faster", Align::Right),
        ("same bits", Align::Right),
        ("smaller", Align::Right),
    ];
    let rows: Vec<Vec<String>> = of(run).iter().flat_map(|row| lines(row, with_intervals)).collect();
    markdown(&columns, &rows)
}

/// A program's lines: one of its own if there is nothing to compare it with.
fn lines(row: &Ported, with_intervals: bool) -> Vec<Vec<String>> {
    let nothing = || NOTHING.to_owned();
    let line = |[strategy, faster, same_bits, smaller]: [String; 4]| {
        let memory = page::seen(row.peak, |peak| number::bytes(peak.pss_bytes));
        let time = row.time.clone().map_or_else(|why| why, number::time);
        vec![row.name.clone(), time, memory, strategy, faster, same_bits, smaller]
    };
    let faster = |gain: Option<&Gain>| {
        let shown = gain.and_then(|gain| gain.faster).map(|ratio| match with_intervals && ratio.pairs > 1 {
            true => number::ratio(ratio),
            false => number::short_ratio(ratio),
        });
        shown.unwrap_or_else(nothing)
    };
    if row.own_bits.is_empty() {
        return vec![line([nothing(), nothing(), nothing(), nothing()])];
    }
    let compared = |own: &Gain| {
        let same = row.same_bits.iter().find(|same| same.strategy == own.strategy);
        let smaller = own.peaks.and_then(smaller).unwrap_or_else(nothing);
        line([own.strategy.to_owned(), faster(Some(own)), faster(same), smaller])
    };
    row.own_bits.iter().map(compared).collect()
}

/// How to read the table of this run.
pub fn how_to_read(run: &Run) -> String {
    let warm: Vec<String> =
        of(run).iter().filter(|row| row.clock == Clock::Warm).map(|row| format!("`{}`", row.name)).collect();
    let clock = match warm.is_empty() {
        true => "Each time is that of a whole process.".to_owned(),
        false => {
            format!("Each time is that of a whole process, except for {}: a warm batch.", warm.join(" and "))
        }
    };
    let rounds = run.complete.len();
    let few: Vec<String> = of(run)
        .iter()
        .filter(|row| row.clock == Clock::Cold && row.time.is_ok() && row.samples < rounds)
        .map(|row| format!("`{}` ({})", row.name, row.samples))
        .collect();
    let few =
        if few.is_empty() { String::new() } else { format!("Fewer runs than {rounds} have {}.\n", few.join(", ")) };
    format!(
        "{clock}\n{few}*Faster* is the program's time over the strategy's.\n\
         *Same bits* is that ratio with CPython's generator in both programs: only language and libraries differ.\n\
         Rust does not have numpy's `default_rng`.\n\
         *Smaller* is the program's peak memory over the strategy's.\n\n"
    )
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
    fn a_program_has_a_line_for_each_strategy() {
        let faster = |median| Some(Ratio { median, low: median - 2.0, high: median + 2.0, pairs: 3 });
        let gain = |strategy, median| Gain { strategy, faster: faster(median), peaks: None };
        let row = Ported {
            name: "python-x".into(),
            clock: Clock::Cold,
            time: Err("failed".into()),
            samples: 0,
            peak: None,
            same_bits: vec![gain("b", 20.0)],
            own_bits: vec![gain("a", 50.0), gain("b", 40.0)],
        };
        let cells = |row: &Ported, with_intervals| {
            lines(row, with_intervals).iter().map(|line| line[3..].join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(cells(&row, false), ["a 50× n/a n/a", "b 40× 20× n/a"]);
        assert_eq!(cells(&row, true)[1], "b 40× [38, 42] 20× [18, 22] n/a");
        let alone = Ported { own_bits: Vec::new(), ..row };
        assert_eq!(cells(&alone, false), ["n/a n/a n/a n/a"]);
    }
}
