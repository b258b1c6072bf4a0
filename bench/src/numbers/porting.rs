//! From Python to Rust: how much faster and smaller each program of the notebook is as a strategy.

use crate::entrants::notebook::{self, Clock, OTHER_BITS, PAIRS, SAME_BITS};
use crate::numbers::digits;
use crate::numbers::standings::{cold, warm};
use crate::numbers::stats::{Figure, Ratio, Summary};
use crate::run::footprint::Peak;
use crate::run::plan::{Cell, Kind, Row};
use crate::run::{Measured, Run};

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
    /// Against each strategy that it is compared with.
    pub gains: Vec<Gain>,
}

/// A program of the notebook over one strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Gain {
    /// The strategy.
    pub strategy: &'static str,
    /// The strategy's time, by the same clock.
    pub time: Summary,
    /// Time over time: each side draws from the generator that it likes best.
    pub faster: Ratio,
    /// The same with the program's own generator on both sides: both do the same arithmetic.
    pub same_bits: Option<Ratio>,
    /// The strategy's memory pass.
    pub peak: Option<Peak>,
    /// Peak memory of both, as cells show them: the program's over the strategy's.
    pub smaller: Option<Smaller>,
}

/// Memory over memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smaller {
    /// The ratio.
    pub value: f64,
    /// It may be more, since the program's peak is a lower bound.
    pub at_least: bool,
    /// It may be less, since the strategy's peak is one.
    pub at_most: bool,
}

/// All programs of the notebook that the run was to measure, in the order of [`PAIRS`].
pub fn of(run: &Run) -> Vec<Ported> {
    let mut ported: Vec<Ported> =
        run.plan.rows.iter().filter(|row| row.kind == Kind::Notebook).map(|row| one(run, row)).collect();
    let place = |name: &str| notebook::pair(name).and_then(|pair| PAIRS.iter().position(|other| other == pair));
    ported.sort_by_key(|row| (place(&row.name).unwrap_or(PAIRS.len()), row.name.clone()));
    ported
}

fn one(run: &Run, row: &Row) -> Ported {
    let pair = notebook::pair(&row.name);
    let clock = pair.map_or(Clock::Cold, |pair| pair.clock);
    let figure = |measured: &Measured| match clock {
        Clock::Cold => Figure::of(&cold(measured)),
        Clock::Warm => Figure::of(&warm(measured)),
    };
    let nothing = Measured::default();
    let measured = run.measured(&row.name).unwrap_or(&nothing);
    let own = figure(measured).filter(|_| measured.failure.is_none());
    let time = match (&row.not_measured, &measured.failure, &own) {
        (Some(why), ..) => Err(format!("not measured: {why}")),
        (_, Some(_), _) => Err("failed".to_owned()),
        (.., None) => Err("not timed".to_owned()),
        (.., Some(own)) => Ok(own.summary),
    };
    let whole = |name: &str| run.measured(name).filter(|measured| measured.failure.is_none());
    let gain = |&strategy: &&'static str| {
        let (own, rust) = (own.as_ref()?, whole(strategy)?);
        let rust_figure = figure(rust)?;
        // Rust does not have the other generator.
        let same =
            (row.rng.as_deref() != Some(OTHER_BITS)).then(|| whole(&format!("{strategy}.{SAME_BITS}"))).flatten();
        Some(Gain {
            strategy,
            time: rust_figure.summary,
            faster: own.over(&rust_figure),
            same_bits: same.and_then(figure).map(|same| own.over(&same)),
            peak: rust.peak(),
            smaller: measured.peak().zip(rust.peak()).and_then(smaller),
        })
    };
    let gains = pair.map_or_else(Vec::new, |pair| pair.strategies.iter().filter_map(gain).collect());
    let samples = own.as_ref().map_or(0, |own| own.samples);
    Ported { name: row.name.clone(), clock, time, samples, peak: measured.peak(), gains }
}

/// The cell of a strategy that is there to be compared with programs alone.
pub fn is_counterpart(run: &Run, cell: &Cell) -> bool {
    let row = run.plan.row(&cell.row);
    row.is_some_and(|row| row.kind == Kind::Strategy && row.rng.is_some())
}

/// Of two lower bounds there is nothing to say.
fn smaller((python, rust): (Peak, Peak)) -> Option<Smaller> {
    let (at_least, at_most) = (python.is_lower_bound(), rust.is_lower_bound());
    let value = digits::bytes(python.pss_bytes).read() / digits::bytes(rust.pss_bytes).read();
    (!(at_least && at_most)).then_some(Smaller { value, at_least, at_most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_stays_a_bound_in_the_ratio() {
        let peak = |pss_bytes, samples| Peak { pss_bytes, threads: 1, processes: 1, samples };
        let of = |python, rust| {
            smaller((peak(3_900, python), peak(1_000, rust))).map(|it| (it.value, it.at_least, it.at_most))
        };
        assert_eq!(of(500, 50), Some((3.9, false, false)));
        assert_eq!(of(500, 5), Some((3.9, false, true)));
        assert_eq!(of(5, 50), Some((3.9, true, false)));
        assert_eq!(of(5, 5), None);
    }
}
