//! What more workers than CPUs bring where keys sleep.

use crate::numbers::views::blocking::{At, Blocking, Row};
use crate::text::number;
use crate::text::or_nothing;
use crate::text::views::{by_strategy, cpus, row};

pub(super) const HOW_TO_READ: &str = "\
A column is a share of a key that sleeps, of its time in `sequential`; all times are those of a batch in a program that has run one
before. The best number of workers is the fewest that are not clearly slower than the fastest. *More win from* is the smallest share
from which on some number of workers above the CPUs is clearly faster than one worker per CPU.

";

pub(super) fn tables(view: &Blocking) -> String {
    if view.rows.is_empty() {
        return String::new();
    }
    let shares: Vec<String> = view.shares.iter().map(|share| number::whole_percent(*share)).collect();
    let best = |at: &At| {
        let place = at.best.and_then(|best| view.workers.iter().position(|workers| *workers == best));
        let ratio = place.and_then(|place| at.speed_ups[place]);
        match (at.best, ratio) {
            (Some(best), Some(ratio)) => format!("{best}: {}", number::factor(ratio.value)),
            _ => number::NOTHING.to_owned(),
        }
    };
    let wins = |own: &Row| match own.more_wins_from {
        Some(share) => number::whole_percent(share),
        None if own.shares.iter().any(|at| at.more_wins.is_some()) => "never".to_owned(),
        None => number::NOTHING.to_owned(),
    };
    let titles: Vec<String> = shares.iter().cloned().chain(["more win from".to_owned()]).collect();
    let winners: Vec<Vec<String>> =
        view.rows.iter().map(|own| row(&own.name, own.shares.iter().map(best).chain([wins(own)]))).collect();
    let titles_of_all: Vec<String> = ["workers".to_owned()].into_iter().chain(shares).collect();
    let all = view.rows.iter().flat_map(|own| {
        view.workers.iter().enumerate().map(move |(place, workers)| {
            let cell = |at: &At| or_nothing(at.speed_ups[place], |ratio| number::factor(ratio.value));
            row(&own.name, [workers.to_string()].into_iter().chain(own.shares.iter().map(cell)))
        })
    });
    format!(
        "The best number of workers on {}, and how many times faster than `sequential` it is, over the share of a key that \
         sleeps.\n\n{}\nHow many times faster than `sequential` each number of workers is.\n\n{}\n",
        cpus(view.cpus),
        by_strategy(&titles, &winners),
        by_strategy(&titles_of_all, &all.collect::<Vec<_>>())
    )
}
