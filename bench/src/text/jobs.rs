//! The jobs of a run, one by one.

use crate::run::Run;
use crate::run::job::{INDEX_BYTES, Job};
use crate::text::{number, workers};

/// What the numbers at the ends of cells mean.
pub fn list(run: &Run) -> String {
    let several = run.plan.jobs().any(|job| Some(&job.workload) != run.plan.job().map(|first| &first.workload));
    let job = |(number, job): (usize, &Job)| {
        let workload = if several { format!("{}, ", job.workload) } else { String::new() };
        let keys = number::grouped(job.keys);
        if job.own.is_some() {
            let neighbour = if job.neighbour { ", beside a busy neighbour" } else { "" };
            return format!("- `#{number}`: {keys} keys, {}{neighbour}\n", workers(job));
        }
        let bytes = bytes_of(job);
        let neighbour = if job.neighbour { ", beside a busy neighbour" } else { "" };
        format!(
            "- `#{number}`: {workload}{keys} keys × {}{bytes}, {}, {}{neighbour}\n",
            work(job),
            job.skew,
            workers(job)
        )
    };
    let jobs: Vec<String> = (1..).zip(run.plan.jobs()).map(job).collect();
    format!("Where a row is named at one of them, and by `compare cmp`, they are called:\n\n{}\n", jobs.concat())
}

/// What each key asks for.
fn work(job: &Job) -> String {
    let (count, values) = (number::grouped(job.count), number::grouped(job.values));
    match (job.workload.as_str(), job.count, job.values) {
        ("wait", 0, 1..) => format!("{values} values"),
        ("wait", _, 0) => format!("{count} µs"),
        ("wait", ..) => format!("{count} µs and {values} values"),
        _ => count,
    }
}

/// What each key gives, where that is not what its work says.
fn bytes_of(job: &Job) -> String {
    if job.output_bytes == INDEX_BYTES {
        String::new()
    } else {
        format!(", {} a key", number::round_bytes(job.output_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_it_is_asked_for() {
        let job = |workload: &str, count, values, output_bytes| {
            let job = Job {
                workload: workload.into(),
                keys: 2,
                count,
                skew: "uniform".into(),
                rng: "xoshiro".into(),
                seed: 42,
                workers: 2,
                values,
                output_bytes,
                neighbour: false,
                own: None,
            };
            format!("{}{}", work(&job), bytes_of(&job))
        };
        assert_eq!(job("sum", 1_000, 0, 8), "1,000");
        assert_eq!(job("wait", 1_000, 0, 8), "1,000 µs");
        assert_eq!(job("wait", 0, 0, 8), "0 µs");
        assert_eq!(job("wait", 0, 7, 800), "7 values, 800 B a key");
        assert_eq!(job("wait", 3, 129_829, 34_014_104), "3 µs and 129,829 values, 34 MB a key");
    }
}
