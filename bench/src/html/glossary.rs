//! What each column of a run's tables means.

use harness::skew_named;

/// The section in which it is, or how the question above the table begins (any, if empty); the head of the column; and what
/// its figures are.
const COLUMNS: [(&str, &str, &str); 75] = [
    ("", "strategy", "The program that was measured."),
    ("", "row", "The program that was to be measured."),
    ("", "rank", "1 + the number of rows that are clearly faster."),
    ("", "time", "A whole process from start to exit: the median of its runs, ± the median distance from it."),
    ("", "× sequential", "How many times faster than the plain loop, with a 95 % interval in brackets."),
    ("", "÷ fastest", "How many times as long as the fastest row, with a 95 % interval in brackets."),
    (
        "",
        "of the limit",
        "How much of what this machine can do: the time of a program that only writes the same blocks, over this.",
    ),
    ("", "memory", "The largest sum of PSS over the process tree; ≥ if the process was gone after a few looks."),
    ("", "warm", "The second and later batches of one process, by its own clock: the median."),
    ("", "start", "Starting threads, a runtime or worker processes, before the first batch."),
    ("", "first run", "The first batch of a process."),
    ("", "drop", "Freeing the outputs of a batch."),
    ("", "stop", "Stopping what was started, after the last batch."),
    ("", "runs", "Cold runs + warm batches that were timed."),
    ("", "user", "Processor time of a cold run in the program."),
    ("", "system", "Processor time of a cold run in the kernel."),
    ("", "memory ÷ output", "The most memory that was held, in sizes of the output."),
    ("", "threads", "The most threads that were seen at once."),
    ("", "processes", "The most processes that were seen at once."),
    ("", "keys in flight", "How many keys run at once, on average."),
    ("", "other keys survive", "Which failures of one key leave the others alone."),
    ("", "lines", "Lines of the source that hold code."),
    ("", "cold", "A whole process with one batch, from start to exit: the median, ± the median distance from it."),
    ("", "× system", "How many times faster a warm batch is than with the system's allocator."),
    ("", "when", "The step in which it failed."),
    ("", "what", "What failed."),
    ("", "ended with", "The exit status or signal of the process."),
    ("", "last line of stderr", "The last line that the process wrote to its standard error."),
    ("", "why", "Why it was not measured."),
    ("", "notebook", "The program of the notebook."),
    ("", "in Rust", "The strategy that does the same."),
    ("", "faster", "The program's time over the strategy's: how many times faster the strategy is."),
    ("", "same bits", "The same ratio, with CPython's random numbers in both programs."),
    ("", "smaller", "The program's peak memory over the strategy's."),
    (
        "",
        "METG(50 %)",
        "The smallest grain at which half of the ideal is left; < or > if no job was on the other side.",
    ),
    (
        "",
        "METG(95 %)",
        "The smallest grain at which 95 % of the ideal is left; < or > if no job was on the other side.",
    ),
    ("", "wins from", "The grain from which it is faster than the plain loop; < or > if no job was on the other side."),
    ("", "overhead per key", "What a key costs one worker beside its grain, at the finest job of the row."),
    ("", "at", "The grain of the finest job of the row, where its overhead was measured."),
    ("", "contention σ", "The share of the work that only one worker at a time can do, ± its standard error."),
    ("", "coherency κ", "What each pair of workers costs, ± its standard error."),
    ("", "residual", "How far the measured points are from the law."),
    ("", "most workers that help", "The number of workers at which the law is fastest."),
    ("", "clock", "Warm is a batch in a program that has run one before, cold is a whole process."),
    ("", "least per value", "The time per value where it is least."),
    ("", "linear from", "The smallest size from which a value takes nearly as long as at the best one."),
    ("", "to", "The largest size up to which a value takes nearly as long as at the best one."),
    ("", "most", "How many times as long a value takes where it takes most, and at which size."),
    ("", "more win from", "The share asleep from which more workers than CPUs are clearly faster."),
    ("", "workers", "How many workers it had."),
    ("", "÷ the least", "The warm slow-down over the least that the neighbour can cost."),
    (
        INSIDE,
        "× sequential",
        "How many times faster a warm batch is than that of the plain loop, with a 95 % interval in brackets.",
    ),
    (INSIDE, "warm", "The second and later batches of one process: the median, ± the median distance from it."),
    (ALLOCATORS, "cold", "A whole process with one batch, per value: the median, ± the median distance from it."),
    (ALLOCATORS, "warm", "The second and later batches of one process, per value."),
    (ALLOCATORS, "drop", "Freeing the outputs of a batch, per value."),
    (PORTING, "time", "The program of the notebook: the median, ± the median distance from it."),
    (PORTING, "runs", "How many times the program of the notebook was timed."),
    (PORTING, "memory", "The most memory that the program of the notebook held."),
    (
        USED,
        "memory ÷ output",
        "The most memory that a process held, in sizes of the output; ≥ if it was gone after a few looks.",
    ),
    (USED, "threads", "The most threads that were seen at once; ≥ if the process was gone after a few looks."),
    (LINEAR, "at", "The size at which a value takes least."),
    (NEIGHBOUR, "warm", "How many times as long a warm batch takes beside the neighbour, with a 95 % interval."),
    (CASES, "job", "The number at the end of the names of this job's rows."),
    (CASES, "keys", "How many keys the job has."),
    (CASES, "values", "How many random numbers a key sums up, on average."),
    (CASES, "asleep", "How long a key sleeps, on average."),
    (CASES, "output", "How much a key returns."),
    (CASES, "skew", "How the work is divided among the keys."),
    (CASES, "W", "How many workers the job has."),
    (CASES, "sequential", "What the plain loop takes: the median of its first batches."),
    (CASES, "fastest", "The strategy with the least median, besides the plain loop."),
    (CASES, "time", "From the start of that strategy to the end of its first batch: the median of a few processes."),
    (CASES, "faster", "How many times faster than the plain loop that is."),
    (NEIGHBOUR, "cold", "How many times as long a whole process takes beside the neighbour, with a 95 % interval."),
];

const INSIDE: &str = "Inside one process";
const ALLOCATORS: &str = "Allocators";
const PORTING: &str = "From Python to Rust";
const USED: &str = "What each row used";
const LINEAR: &str = "Where the time per value is nearly the same";
const CASES: &str = "The fastest of";
const NEIGHBOUR: &str = "How many times as long the job takes";

/// What a figure in the column `head` of a table is. `question` is what the table asks, if each of its columns is a job.
/// Nothing if this column is not known.
pub(super) fn meaning(section: &str, question: &str, head: &str) -> Option<String> {
    let is_here = |of: &str| !of.is_empty() && (section == of || question.starts_with(of));
    let here = COLUMNS.iter().find(|(of, known, _)| is_here(of) && *known == head);
    match here.or_else(|| COLUMNS.iter().find(|(of, known, _)| of.is_empty() && *known == head)) {
        Some((_, _, means)) => Some((*means).to_owned()),
        None if is_job(head) => Some(format!("At the job {head}. {question}")),
        None => None,
    }
}

/// Whether it heads a column of one job: a number with or without a unit, or a skew.
fn is_job(head: &str) -> bool {
    head.starts_with(|first: char| first.is_ascii_digit()) || skew_named(head).is_some()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::html::document::{Block, Place, blocks};
    use crate::run::Run;
    use crate::text::page;

    #[test]
    fn every_column_of_every_recorded_run_is_explained() {
        for run in ["run", "notebook", "sweep"] {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(run);
            let readme = page::render(&Run::read(&dir).unwrap());
            let (mut section, mut heads) = (String::new(), 0);
            for block in blocks(&readme, Place { base: "", pictures: &[] }) {
                match block {
                    Block::Heading { content, .. } => section = content.text,
                    Block::Table(table) => {
                        for (head, _) in &table.columns {
                            assert!(meaning(&section, "", &head.text).is_some(), "{run}: {section}: {}", head.text);
                            heads += 1;
                        }
                    }
                    _ => {}
                }
            }
            assert!(heads > 6, "{run}: {heads}");
        }
        assert_eq!(meaning("", "", "unheard-of"), None);
        let cases =
            ["job", "keys", "values", "asleep", "output", "skew", "W", "sequential", "fastest", "time", "faster"];
        for head in cases {
            let means = meaning("", "The fastest of 15 strategies at each job.", head);
            assert!(means.is_some() && means != meaning("", "", head), "{head}");
        }
    }

    #[test]
    fn each_column_is_explained_once_in_a_section() {
        for (index, (section, head, means)) in COLUMNS.iter().enumerate() {
            assert!(means.ends_with('.'), "{means}");
            let again = COLUMNS[..index].iter().any(|other| (other.0, other.1) == (*section, *head));
            assert!(!again, "{section}: {head}");
        }
        assert_ne!(meaning(INSIDE, "", "× sequential"), meaning("", "", "× sequential"));
        assert_ne!(meaning("", "How many times as long the job takes with 2", "warm"), meaning("", "", "warm"));
        assert_eq!(meaning("", "Warm: time.", "8 kB").unwrap(), "At the job 8 kB. Warm: time.");
    }
}
