//! What a busy neighbour costs.

use crate::numbers::views::interference::{Interference, Row};
use crate::run::plan::SEQUENTIAL;
use crate::text::number;
use crate::text::or_nothing;
use crate::text::views::{by_strategy, cpus, row};

pub(super) const HOW_TO_READ: &str = "\
A figure is the time beside a program that keeps one CPU busy over the time without it, with a 95 % interval. Warm is a batch in a
program that has run one before, and cold a whole process. A fair scheduler gives the neighbour half of its CPU while a worker
wants it too. The least that this can cost is what it costs if work moves to where there is room; work that stays beside the
neighbour takes twice as long. The last column is the warm slow-down over that least; `sequential`, which has one worker,
loses nothing at the least if there are two CPUs.

";

pub(super) fn tables(view: &Interference) -> String {
    if view.rows.is_empty() {
        return String::new();
    }
    let titles = ["warm", "cold", "÷ the least"].map(str::to_owned);
    let cells = |own: &Row| [own.warm, own.cold, own.over_ideal()].map(|ratio| or_nothing(ratio, number::ratio));
    let rows: Vec<Vec<String>> = view.rows.iter().map(|own| row(&own.name, cells(own))).collect();
    format!(
        "How many times as long the job takes with {} workers while a busy program has one of the {}; the least is {}.\n\n{}\n{}",
        view.workers,
        cpus(view.cpus),
        number::factor(view.ideal),
        by_strategy(&titles, &rows),
        static_division(view)
    )
}

/// What dividing the keys beforehand loses, beside what balances.
fn static_division(view: &Interference) -> String {
    let warm = |own: &&Row| own.warm.is_some() && own.name != SEQUENTIAL;
    let balance: Vec<f64> = view
        .rows
        .iter()
        .filter(warm)
        .filter(|own| !own.divides_beforehand)
        .filter_map(|own| Some(own.warm?.value))
        .collect();
    let range = match (balance.iter().copied().reduce(f64::min), balance.iter().copied().reduce(f64::max)) {
        (Some(low), Some(high)) => {
            format!("; the other strategies take {} to {}", number::factor(low), number::factor(high))
        }
        _ => String::new(),
    };
    let line = |own: &Row| {
        let ratio = own.warm?;
        Some(format!(
            "`{}` divides the keys among its workers beforehand, and takes {} as long with the neighbour{range}.\n\n",
            own.name,
            number::ratio(ratio)
        ))
    };
    view.rows.iter().filter(|own| own.divides_beforehand).filter_map(line).collect()
}
