//! What unequal keys cost.

use crate::numbers::views::makespan::{Makespan, Row, Skewed};
use crate::text::number;
use crate::text::or_nothing;
use crate::text::views::{by_strategy, row};

pub(super) const HOW_TO_READ: &str = "\
The lower bound is the larger of two times: that of the longest key, and that of all keys shared out evenly among the workers that
can run at once. Both are values of the job in the time of a value that `sequential` has, warm, at the same job. A figure is the
time of a warm batch over that bound, with a 95 % interval. A strategy is below 1 if a value takes it less time than it takes
`sequential`, for example because it reuses memory, or if it divides keys.

";

pub(super) fn tables(view: &Makespan) -> String {
    if view.rows.is_empty() {
        return String::new();
    }
    let titles: Vec<String> = view.jobs.iter().map(|job| job.skew.clone()).collect();
    let cells = |own: &Row| own.factors.iter().map(|factor| or_nothing(*factor, number::ratio)).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = view.rows.iter().map(|own| row(&own.name, cells(own))).collect();
    let bound = |job: &Skewed| {
        format!(
            "{} {}, where the longest key has {} of all values",
            job.skew,
            number::short_time(job.bound),
            number::whole_percent(job.longest)
        )
    };
    let bounds: Vec<String> = view.jobs.iter().map(bound).collect();
    format!(
        "Warm: the makespan over its lower bound.\n\n{}\nThe lower bounds: {}.\n\n",
        by_strategy(&titles, &rows),
        bounds.join("; ")
    )
}
