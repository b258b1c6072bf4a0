//! What more workers bring.

use crate::numbers::scalability::{Coefficient, Law, NoFit};
use crate::numbers::stats::Ratio;
use crate::numbers::views::scaling::{At, Part, Row, Scaling};
use crate::text::number;
use crate::text::or_nothing;
use crate::text::views::{by_strategy, cpus, row};

pub(super) const HOW_TO_READ: &str = "\
A column is a number of workers; all times are those of a batch in a program that has run one before. Efficiency is the speed-up
to one worker divided by the workers that can run at once, which are at most the CPUs. The pictures show the intervals.

";

pub(super) fn tables(view: &Scaling) -> String {
    view.parts.iter().map(|part| tables_of(part, view.cpus)).collect()
}

/// What a table shows of a strategy with a number of workers.
type Cell<'a> = &'a dyn Fn(&At) -> String;

fn tables_of(part: &Part, of_machine: u64) -> String {
    let factor = |ratio: Ratio| number::factor(ratio.value);
    let share = |ratio: Ratio| number::whole_percent(ratio.value);
    let workload = &part.workload;
    let questions: [(String, Cell<'_>); 3] = [
        (format!("`{workload}`: how many times faster than the same strategy with one worker."), &|at| {
            or_nothing(at.speed_up, factor)
        }),
        (format!("`{workload}`: how many times faster than `sequential`."), &|at| or_nothing(at.to_sequential, factor)),
        (format!("`{workload}`: efficiency on {}.", cpus(of_machine)), &|at| or_nothing(at.efficiency, share)),
    ];
    let titles: Vec<String> = part.workers.iter().map(usize::to_string).collect();
    let table = |(question, cell): &(String, Cell<'_>)| {
        let at = |own: &Row, workers: usize| or_nothing(own.points.iter().find(|at| at.workers == workers), cell);
        let rows = part.rows.iter().map(|own| row(&own.name, part.workers.iter().map(|workers| at(own, *workers))));
        format!("{question}\n\n{}\n", by_strategy(&titles, &rows.collect::<Vec<_>>()))
    };
    let tables: String = questions.iter().map(table).collect();
    format!("{tables}{}", laws(part, of_machine))
}

/// The scalability law of each row, or why there is none.
fn laws(part: &Part, of_machine: u64) -> String {
    let fitted: Vec<(&Row, Law)> = part.rows.iter().filter_map(|row| Some((row, row.law.ok()?))).collect();
    let refusals = part.rows.iter().filter_map(|row| row.law.err());
    let most = refusals.max_by_key(|why| if let NoFit::TooFew(counts) = why { *counts } else { 0 });
    if fitted.is_empty() {
        let why = most.unwrap_or(NoFit::NotFound);
        return format!(
            "`{}`: the Universal Scalability Law is not fitted. {}: {why}.\n\n",
            part.workload,
            cpus(of_machine)
        );
    }
    let titles = ["contention σ", "coherency κ", "residual", "most workers that help"].map(str::to_owned);
    let cells = |law: Law| {
        let peak = or_nothing(law.peak(), number::average);
        [coefficient(law.contention), coefficient(law.coherency), number::percent(law.residual), peak]
    };
    let rows: Vec<Vec<String>> = fitted.into_iter().map(|(own, law)| row(&own.name, cells(law))).collect();
    format!(
        "`{}`: the Universal Scalability Law, fitted to worker counts up to {}: σ is the share of the work that only one worker at a \
         time can do, κ what each pair of workers costs, each ± its standard error, and the residual is how far the measured \
         points are from the law. A coefficient without an error is at 0, its least.\n\n{}\n",
        part.workload,
        cpus(of_machine),
        by_strategy(&titles, &rows)
    )
}

fn coefficient(coefficient: Coefficient) -> String {
    coefficient.error.map_or_else(|| "0".to_owned(), |error| format!("{:.4} ± {error:.4}", coefficient.value))
}
