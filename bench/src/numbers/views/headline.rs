//! The job of a run that is no sweep: how long each strategy takes.

use crate::numbers::curves::{self, Bar, Bars, Drawing, Mark, Unit};
use crate::numbers::standings;
use crate::numbers::stats;
use crate::numbers::views::{Clock, Strategy, axis, strategies};
use crate::run::Run;
use crate::run::plan::{LIMIT, LIMIT_OF_ONE, SEQUENTIAL};

/// Rows of bars that differ by more than this need a logarithmic axis: the shortest is else a hundredth of the picture.
const LOGARITHMIC_FROM: f64 = 30.0;

/// The bars of a run of one job; nothing of a sweep, or where nothing was timed.
pub fn figures(run: &Run) -> Vec<curves::Figure> {
    if run.plan.has_several_jobs() || run.plan.sweep.is_some() {
        return Vec::new();
    }
    let rows = strategies(run);
    let cold = bars(&rows, Clock::Cold);
    let warm = bars(&rows, Clock::Warm);
    let limit = |name: &str, says: &str| {
        let measured = run.measured(name).filter(|measured| measured.failure.is_none())?;
        let value = stats::median(standings::cold(measured).into_values())?;
        Some(Mark { name: says.to_owned(), value })
    };
    let limits = [limit(LIMIT, "the machine's limit"), limit(LIMIT_OF_ONE, "its limit on one thread")];
    let cold_caption = "The time of a whole process, from its start to its end, as the median of its runs with a 95 % \
                        interval; shorter is better.";
    let warm_caption = "The time of a batch in a program that has run one before, as the median with a 95 % interval; shorter is \
                        better.";
    let limit_caption = " The machine's limit is a program that writes the same blocks and computes nothing.";
    let marks: Vec<Mark> = limits.into_iter().flatten().collect();
    let caption = |text: &str, says: &str| format!("{text}{says}{}", stands_out(&cold));
    [
        (
            "headline",
            "Time of each strategy",
            caption(cold_caption, if marks.is_empty() { "" } else { limit_caption }),
            &cold,
            marks,
        ),
        (
            "headline-warm",
            "Time of each strategy, warm",
            format!("{warm_caption}{}", stands_out(&warm)),
            &warm,
            Vec::new(),
        ),
    ]
    .into_iter()
    .filter(|(_, _, _, bars, _)| !bars.is_empty())
    .map(|(name, title, caption, bars, marks)| {
        let values = || bars.iter().map(|bar| bar.value).chain(marks.iter().map(|mark| mark.value));
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        let axis = axis("time", Unit::Seconds, high > LOGARITHMIC_FROM * low);
        let drawing = Drawing::Bars(Bars { axis, bars: bars.clone(), marks });
        curves::Figure { name: name.to_owned(), title: title.to_owned(), caption, drawing }
    })
    .collect()
}

/// The fastest first.
fn bars(rows: &[Strategy], clock: Clock) -> Vec<Bar> {
    let timed = rows.iter().filter_map(|row| Some((row, row.at.values().next()?.by(clock)?)));
    let bar = |(row, time): (&Strategy, &stats::Figure)| Bar {
        name: row.name.clone(),
        value: time.summary.median,
        interval: time.interval(),
    };
    let mut bars: Vec<Bar> = timed.map(bar).collect();
    bars.sort_by(|a, b| a.value.total_cmp(&b.value));
    bars
}

/// Which is the fastest, and how far it is from the plain loop.
fn stands_out(bars: &[Bar]) -> String {
    let sequential = bars.iter().find(|bar| bar.name == SEQUENTIAL);
    match (bars.first(), sequential) {
        (Some(first), Some(sequential)) if first.name != SEQUENTIAL => {
            let factor = sequential.value / first.value;
            format!(" The shortest is that of {}: sequential takes {factor:.1} times as long.", first.name)
        }
        _ => String::new(),
    }
}
