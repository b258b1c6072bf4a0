//! Whether the time of a value stays the same.

use crate::numbers::stats::Figure;
use crate::numbers::views::Clock;
use crate::numbers::views::size::{Busy, Linear, Row, Series, Size};
use crate::text::number;
use crate::text::or_nothing;
use crate::text::views::{by_strategy, row};

pub(super) const HOW_TO_READ: &str = "\
A figure is the median time divided by the job's values. Warm is a batch in a program that has run one before, and cold a whole
process. The cost is linear around the size at which a value takes least, as far as no size takes clearly more than 1.25 times as
long: the 95 % interval of the ratio is above that. The last column has the size at which a value takes most, where one is so clearly
above.

Why it is not linear shows in the processor time, which counts a second on each of two CPUs as two. In the program, a value costs
about the same at every size, once the job is long enough to pay off the start of a process. In the kernel it does not: fresh memory
is mapped and cleared page by page, and blocks of 2 MB and more are on huge pages where the system grants them, which are far fewer.

";

pub(super) fn tables(view: &Size) -> String {
    let by_total = view.by_total.as_ref().map(|series| {
        let question = format!("over the number of values, with {} keys", number::grouped(series.constant));
        tables_of(series, &question, count)
    });
    let by_block = view.by_block.as_ref().map(|series| {
        let question = format!("over the size of a block, with {} values in all", number::grouped(series.constant));
        tables_of(series, &question, number::round_bytes)
    });
    [by_total, by_block].into_iter().flatten().collect()
}

/// A number of values: `10⁶` is read faster than seven digits, but only powers of ten have such a name.
fn count(values: u64) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    match values.checked_ilog10() {
        Some(power) if (4..10).contains(&power) && values == 10u64.pow(power) => {
            format!("10{}", DIGITS[power as usize])
        }
        _ => number::grouped(values),
    }
}

fn tables_of(series: &Series, question: &str, head: fn(u64) -> String) -> String {
    if series.rows.is_empty() {
        return String::new();
    }
    let titles: Vec<String> = series.xs.iter().map(|x| head(*x)).collect();
    let time = |figure: &Figure| number::short_time(figure.summary.median);
    let table = |name: &str, clock: Clock| {
        let cells = |own: &Row| own.by(clock).iter().map(|it| or_nothing(it.as_ref(), time)).collect::<Vec<_>>();
        let rows: Vec<Vec<String>> = series.rows.iter().map(|own| row(&own.name, cells(own))).collect();
        format!("{name}: the time per value {question}.\n\n{}\n", by_strategy(&titles, &rows))
    };
    let (warm, cold) = (table("Warm", Clock::Warm), table("Cold", Clock::Cold));
    format!("{warm}{cold}{}{}", busy(series, question, &titles), linear(series, question, &titles))
}

/// Where the processor time goes.
fn busy(series: &Series, question: &str, titles: &[String]) -> String {
    let time = |busy: &Busy| {
        let [user, system] = [busy.user, busy.system].map(|time| format!("{:.2}", time * 1e9));
        format!("{user} + {system} ns")
    };
    let rows = series.rows.iter().map(|own| row(&own.name, own.busy.iter().map(|it| or_nothing(it.as_ref(), time))));
    let rows: Vec<Vec<String>> = rows.collect();
    let table = by_strategy(titles, &rows);
    format!("Cold: the processor time per value, in the program + in the kernel, {question}.\n\n{table}\n")
}

/// Where the cost is linear.
fn linear(series: &Series, question: &str, heads: &[String]) -> String {
    let titles = ["clock", "least per value", "at", "linear from", "to", "most"].map(str::to_owned);
    let clocks = [("warm", Clock::Warm), ("cold", Clock::Cold)];
    let cells = |own: &Row, clock: Clock, it: &Linear| {
        let least = own.by(clock)[it.best].as_ref();
        let worst = it.beyond.iter().max_by(|a, b| a.1.value.total_cmp(&b.1.value));
        [
            or_nothing(least, |least| number::time(least.summary)),
            heads[it.best].clone(),
            heads[it.from].clone(),
            heads[it.to].clone(),
            or_nothing(worst, |(place, ratio)| format!("{} at {}", number::factor(ratio.value), heads[*place])),
        ]
    };
    let lines = series.rows.iter().flat_map(|own| {
        clocks.into_iter().filter_map(move |(name, clock)| {
            let linear = own.linear(clock)?;
            Some(row(&own.name, [name.to_owned()].into_iter().chain(cells(own, clock, &linear))))
        })
    });
    let rows: Vec<Vec<String>> = lines.collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("Where the time per value is nearly the same, {question}.\n\n{}\n", by_strategy(&titles, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten_are_short() {
        assert_eq!([10_000, 1_000_000_000, 1_000, 123_456, 0].map(count), ["10⁴", "10⁹", "1,000", "123,456", "0"]);
    }
}
