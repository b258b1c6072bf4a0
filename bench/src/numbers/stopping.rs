//! When there are rounds enough.

use crate::numbers::standings;
use crate::numbers::stats::{Figure, Ratio};
use crate::run::Run;
use crate::run::plan::{Cell, SEQUENTIAL, Stop};

/// How narrow an interval is to be unless told otherwise: it reaches at most 3 % from its ratio. Rows 5 % apart are then told
/// apart in nine runs of ten (`tests/statistics.rs`), and the default job gets there within the default budget.
pub const WITHIN: f64 = 0.03;

/// Seconds that rounds may take unless told otherwise.
pub const BUDGET: f64 = 15.0 * 60.0;

/// Rounds that every run has unless their number is fixed or the plan has another least. With fewer, an interval is often
/// narrow by chance.
pub const LEAST_ROUNDS: u32 = 10;

/// Whether the interval of a ratio is as narrow as was asked for. It looks at the width alone, never at who is ahead, so it
/// favours no row.
pub fn is_narrow(ratio: Ratio, within: f64) -> bool {
    ratio.margin().is_some_and(|margin| margin <= within)
}

/// The fewest rounds that a run has.
pub fn least_rounds(stop: Stop) -> u32 {
    stop.rounds.or(stop.least).unwrap_or(LEAST_ROUNDS)
}

/// Whether the run has rounds enough. All intervals must be narrow after two rounds in a row: after one they may be so by
/// chance.
pub fn is_enough(run: &Run) -> bool {
    let stop = run.plan.stop;
    let rounds = run.rounds.len() as u32;
    if let Some(wanted) = stop.rounds {
        return rounds >= wanted;
    }
    let spent: f64 = run.rounds.values().map(|round| round.seconds).sum();
    let narrow = || (rounds - 1..=rounds).all(|round| wide(run, round, false).is_empty());
    rounds >= least_rounds(stop) && (spent >= stop.budget || narrow())
}

/// A row whose intervals are wider than was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wide {
    /// The cell's name.
    pub name: String,
    /// How far the wider of its two intervals reaches from its ratio; `None` if there is none yet.
    pub margin: Option<f64>,
}

/// The rows whose ratio to `sequential` or to the fastest row at the same job is not yet known as well as the plan asks for,
/// the widest first. Only samples of rounds up to `round` count. A slow row that has all its runs is not waited for, but is
/// named as well if `all` are asked for.
pub fn wide(run: &Run, round: u32, all: bool) -> Vec<Wide> {
    let figures: Vec<(&Cell, Figure)> = run
        .whole()
        .filter_map(|(cell, measured)| {
            let so_far = standings::cold(measured).into_iter().filter(|(number, _)| *number <= round).collect();
            Some((cell, Figure::of(&so_far)?))
        })
        .collect();
    let ranked = |cell: &Cell| run.plan.row(&cell.row).is_some_and(|row| row.kind.is_ranked());
    // Of each job.
    let references: Vec<[Option<&Figure>; 2]> = (0..run.plan.jobs().count())
        .map(|at| {
            let here = || figures.iter().filter(move |(cell, _)| cell.at == at);
            let sequential = here().find(|(cell, _)| cell.row == SEQUENTIAL);
            let fastest = here()
                .filter(|(cell, _)| ranked(cell))
                .min_by(|(_, a), (_, b)| a.summary.median.total_cmp(&b.summary.median));
            [sequential, fastest].map(|it| it.map(|(_, figure)| figure))
        })
        .collect();
    let mut wide: Vec<Wide> = figures
        .iter()
        .filter(|(cell, _)| all || cell.rounds.is_none_or(|rounds| rounds > round))
        .filter_map(|(cell, figure)| {
            let references = references.get(cell.at)?;
            let ratios = || references.iter().flatten().map(|other| figure.over(other));
            let is_wide = !ratios().all(|ratio| is_narrow(ratio, run.plan.stop.within));
            let margin = ratios().map(|ratio| ratio.margin()).reduce(|a, b| Some(a?.max(b?)))?;
            is_wide.then(|| Wide { name: cell.name.clone(), margin })
        })
        .collect();
    let key = |wide: &Wide| wide.margin.unwrap_or(f64::INFINITY);
    wide.sort_by(|a, b| key(b).total_cmp(&key(a)));
    wide
}
