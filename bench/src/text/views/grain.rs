//! How small keys may be.

use crate::numbers::views::Clock;
use crate::numbers::views::grain::{Bound, Grain, Line, Row};
use crate::text::number;
use crate::text::or_nothing;
use crate::text::views::{by_strategy, row};

pub(super) const HOW_TO_READ: &str = "\
The grain of a job is the time of one key in `sequential`: its warm median divided by the keys. Efficiency is keys × grain ÷
(workers × time), so the ideal, 100 %, is all workers computing all the time. Warm is a batch in a program that has run one before.
Cold is a whole process: loading it, starting workers, one batch, freeing its outputs and stopping. METG(50 %) is the smallest
grain at which half of the ideal is left, and METG(95 %) likewise: interpolated between the last job above and the first
below, from coarse to fine, linearly over the logarithm of the grain, with a 95 % interval. A strategy wins from the grain at which the
95 % interval of its speed-up to `sequential` by the same clock begins at 1. `<` means that it held at the finest job that was
measured, and `>` that it did not hold at the coarsest: there is no job on the other side, so no figure. The overhead is what a key
costs one worker beside its grain, workers × time ÷ keys − grain, at the finest job of the row, which has the grain in the last
column.

";

pub(super) fn tables(view: &Grain) -> String {
    if view.rows.is_empty() {
        return String::new();
    }
    let titles = ["METG(50 %)", "METG(95 %)", "wins from", "overhead per key", "at"].map(str::to_owned);
    let warm: Vec<Vec<String>> =
        view.rows.iter().map(|it| row(&it.name, bounds(&it.warm).into_iter().chain(overhead(it)))).collect();
    let cold: Vec<Vec<String>> = view.rows.iter().map(|it| row(&it.name, bounds(&it.cold))).collect();
    format!(
        "Warm: the smallest grain at which half of the ideal throughput of {workers} workers is left, or 95 % of it, or at which a \
         strategy beats `sequential`.\n\n{}\nCold: the same for a whole process.\n\n{}\n{}{}",
        by_strategy(&titles, &warm),
        by_strategy(&titles[..3], &cold),
        efficiencies(view, "Warm", Clock::Warm),
        efficiencies(view, "Cold", Clock::Cold),
        workers = view.workers
    )
}

fn bounds(line: &Line) -> [String; 3] {
    [line.half, line.most, line.beats].map(bound)
}

fn bound(bound: Bound) -> String {
    match bound {
        Bound::At { grain, interval } => number::time_within(grain, interval),
        Bound::Below(finest) => format!("< {}", number::short_time(finest)),
        Bound::Above(coarsest) => format!("> {}", number::short_time(coarsest)),
        Bound::Unknown => number::NOTHING.to_owned(),
    }
}

fn overhead(row: &Row) -> [String; 2] {
    [
        or_nothing(row.overhead, |overhead| number::time_within(overhead.value, overhead.interval)),
        or_nothing(row.overhead, |overhead| number::short_time(overhead.at)),
    ]
}

/// How many grains a table has room for.
const COLUMNS: usize = 9;

/// The efficiency at each job, or at every second or third if they are many.
fn efficiencies(view: &Grain, name: &str, clock: Clock) -> String {
    let step = view.grains.len().div_ceil(COLUMNS).max(1);
    let grains: Vec<f64> = view.grains.iter().copied().step_by(step).collect();
    let cell = |own: &Row, grain: f64| {
        let at = own.by(clock).points.iter().find(|at| at.grain == grain);
        or_nothing(at, |at| number::whole_percent(at.efficiency.value))
    };
    let rows = view.rows.iter().map(|own| row(&own.name, grains.iter().map(|grain| cell(own, *grain))));
    let titles: Vec<String> = grains.iter().map(|grain| number::short_time(*grain)).collect();
    let which = match step {
        1 => String::new(),
        2 => " (every second job is shown)".to_owned(),
        step => format!(" (one job in {step} is shown)"),
    };
    format!("{name}: efficiency over grain{which}.\n\n{}\n", by_strategy(&titles, &rows.collect::<Vec<_>>()))
}
