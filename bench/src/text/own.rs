//! A job of one's own: what its keys take alone, and what `advise` said of it beforehand.

use crate::numbers::advised::{self, Both};
use crate::numbers::standings::Standings;
use crate::numbers::stats::{Interval, RUNS_FOR_AN_INTERVAL};
use crate::run::Run;
use crate::run::advised::Advised;
use crate::run::alone::{Alone, Summary};
use crate::run::plan::SEQUENTIAL;
use crate::text::number::{self, short_time, time_within};
use crate::text::table::{Align, markdown};
use crate::text::{made_by, or_nothing};

/// What the keys take alone, for the terminal.
pub fn told(alone: &Alone) -> String {
    let summary = alone.summary();
    format!(
        "one key alone: {}\nits output: {}\nasleep: {}\n{}: {}\n",
        times(&summary),
        outputs(&summary),
        if summary.asleep > 0.0 {
            format!("{} of its time", number::whole_percent(summary.asleep))
        } else {
            "no, it computes all the time".to_owned()
        },
        if summary.keys == 1 {
            "its batch on one thread".to_owned()
        } else {
            format!("all {} keys on one thread", number::grouped(summary.keys))
        },
        whole(&summary)
    )
}

fn times(summary: &Summary) -> String {
    let Summary { keys, measured, grain, median, p90, least, most, longest, .. } = *summary;
    let of = short_time;
    match measured {
        1 if keys == 1 => of(grain),
        1 => format!("{}, which is what key {longest} took", of(grain)),
        2..10 => format!("{} on average, from {} to {} (key {longest})", of(grain), of(least), of(most)),
        _ => format!(
            "{} on average; half take at most {}, nine of ten {}; from {} to {} (key {longest})",
            of(grain),
            of(median),
            of(p90),
            of(least),
            of(most)
        ),
    }
}

fn outputs(summary: &Summary) -> String {
    let (average, most) = (summary.bytes.round() as u64, summary.most_bytes);
    match average == most {
        true => number::round_bytes(most),
        false => format!("{} on average, {} at most", number::round_bytes(average), number::round_bytes(most)),
    }
}

fn whole(summary: &Summary) -> String {
    let Summary { keys, measured, whole, .. } = *summary;
    let whole = short_time(whole);
    match keys - measured {
        0 => whole,
        _ if measured == 1 => format!("{whole}, if all are like the one that was measured"),
        _ => format!("{whole}, if the others are like the {} that were measured", number::grouped(measured)),
    }
}

/// What `advise` says of the job before it is measured, for the terminal.
pub fn beforehand(advised: Option<&Advised>) -> String {
    let Some(advised) = advised else { return format!("{NO_MODEL}\n") };
    if advised.expected.is_empty() {
        return silence(advised);
    }
    let wide = advised.expected.iter().map(|it| it.strategy.chars().count()).max().unwrap_or(0);
    let mut text = format!("advise, by the run {}, expects of a first batch:\n", advised.stamp);
    for it in &advised.expected {
        let mark = if advised.pick.as_ref() == Some(&it.strategy) { "  (its pick)" } else { "" };
        let time = time_within(it.seconds, Some(Interval { low: it.low, high: it.high }));
        text += &format!("  {:<wide$}  {time}{mark}\n", it.strategy);
    }
    text
}

/// What is said where there is no model.
const NO_MODEL: &str = "`advise` can say nothing beforehand: there is no run with all sweeps yet, and `scripts/compare.sh --full` makes one.";

/// A section of the page: what `advise` said, and what was measured.
pub fn advice(run: &Run, advised: Option<&Advised>) -> String {
    let Some(advised) = advised else { return format!("{NO_MODEL}\n") };
    if advised.expected.is_empty() {
        return silence(advised);
    }
    let both = advised::of(run, advised);
    let Some(fastest) = both.first() else {
        return "No strategy has both a time that was predicted and one that was measured.\n".to_owned();
    };
    let columns = [
        ("strategy", Align::Left),
        ("`advise` said", Align::Right),
        ("measured", Align::Right),
        ("off by", Align::Right),
    ];
    let rows: Vec<Vec<String>> = both.iter().map(row).collect();
    let held = both.iter().filter(|it| it.is_held()).count();
    format!(
        "{HOW_TO_READ}\n{}\n{} For {held} of {} strategies the interval that was predicted holds what was measured.{}\n",
        markdown(&columns, &rows),
        picked(advised, &both, fastest),
        both.len(),
        machines(run, advised)
    )
}

const HOW_TO_READ: &str = "\
Before anything was timed, keys were run alone, one after the other. From what they took, and from the newest run with all sweeps,
`advise` said how long the first batch of each strategy would take, its start included: nine of ten times within the interval.
Measured is the median of that, with a 95 % interval.
";

fn row(both: &Both) -> Vec<String> {
    // A prediction that is a hair too short is not off by -0.0 %.
    let off = (1e3 * both.error()).round() / 10.0 + 0.0;
    vec![
        both.strategy.clone(),
        time_within(both.predicted, Some(both.within)),
        time_within(both.measured.summary.median, both.measured.interval()),
        format!("{off:+.1} %"),
    ]
}

/// What would have come of it.
fn picked(advised: &Advised, both: &[Both], fastest: &Both) -> String {
    let name = &fastest.strategy;
    let Some(pick) = &advised.pick else {
        return format!("`advise` has no pick among these strategies; {name} was the fastest.");
    };
    if pick == name {
        return format!("`advise` would have picked {pick}, which was the fastest.");
    }
    let Some(picked) = both.iter().find(|it| it.strategy == *pick) else {
        return format!("`advise` would have picked {pick}, which has no time here; {name} was the fastest.");
    };
    let longer = number::factor(picked.measured.summary.shown() / fastest.measured.summary.shown());
    let where_it_lies = match fastest.measured.interval() {
        Some(interval) if picked.measured.summary.median <= interval.high => {
            "which is within the interval of the fastest".to_owned()
        }
        Some(_) => "which is beyond the interval of the fastest".to_owned(),
        None => format!("and fewer than {RUNS_FOR_AN_INTERVAL} rounds give no interval to hold that against"),
    };
    format!(
        "`advise` would have picked {pick}; {name} was the fastest. The pick took {longer} as long, {where_it_lies}."
    )
}

/// A model of another machine says little about this one.
fn machines(run: &Run, advised: &Advised) -> String {
    let here = run.machine.cpu_quota.unwrap_or(f64::INFINITY).min(run.machine.cpus_available as f64);
    let cpus = number::average;
    if (here - advised.cpus).abs() < 0.01 {
        return String::new();
    }
    format!(" They are for {} CPUs, as the run {} had; this one had {}.", cpus(advised.cpus), advised.stamp, cpus(here))
}

/// Why `advise` says nothing.
fn silence(advised: &Advised) -> String {
    if advised.outside.is_empty() {
        return format!(
            "`advise` says nothing of this job: no strategy here was measured by the run {} with as many keys.\n",
            advised.stamp
        );
    }
    let reasons: String = advised.outside.iter().map(|reason| format!("- {reason}\n")).collect();
    format!("`advise` says nothing of this job. It is outside of what the run {} measured:\n\n{reasons}", advised.stamp)
}

/// Strategies that fare differently by what keys are like.
const TELLING: [&str; 5] = ["rayon-iter", "std-chunks", "spawn-per-key", "process-pool", "process-per-key"];

/// A run of each of some jobs: what a key is like, and what some strategies make of it. `pages` are where the runs' own pages are.
pub fn side_by_side(runs: &[Run], pages: &[String]) -> String {
    let fixed = [
        ("job", Align::Left),
        ("workers", Align::Right),
        ("a key takes", Align::Right),
        ("asleep", Align::Right),
        ("returns", Align::Right),
    ];
    let fixed = fixed.into_iter().chain([("fastest", Align::Left), ("× sequential", Align::Right)]);
    let columns: Vec<(&str, Align)> = fixed.chain(TELLING.map(|name| (name, Align::Right))).collect();
    let rows: Vec<Vec<String>> = runs.iter().zip(pages).map(|(run, page)| beside(run, page)).collect();
    let made: Vec<String> = runs.iter().map(|run| format!("{}\n", made_by(run))).collect();
    format!("{}\n{HOW_TO_READ_JOBS}{}", markdown(&columns, &rows), made.join("\n"))
}

const HOW_TO_READ_JOBS: &str = "\
How many times faster a warm batch is than that of `sequential`: of the fastest strategy, and of some that fare differently.

";

fn beside(run: &Run, page: &str) -> Vec<String> {
    let standings = Standings::of(run);
    let speed_up = |name: &str| standings.row(name).and_then(|row| row.warm_speed_up).map(|ratio| ratio.value);
    let strategies = standings.rows.iter().filter(|row| row.is_among_strategies && row.name != SEQUENTIAL);
    let with_speed = strategies.filter_map(|row| Some((row.name.as_str(), speed_up(&row.name)?)));
    let fastest = with_speed.max_by(|(_, one), (_, other)| one.total_cmp(other));
    let summary = run.alone.as_ref().map(Alone::summary);
    let of_key = |shown: fn(&Summary) -> String| or_nothing(summary.as_ref(), shown);
    let name = run.plan.job().map(|job| job.workload.clone()).unwrap_or_default();
    let known = [
        format!("[{name}]({page})"),
        or_nothing(run.plan.job(), |job| job.workers.to_string()),
        of_key(|it| format!("{} to {}", short_time(it.least), short_time(it.most))),
        of_key(|it| number::whole_percent(it.asleep)),
        of_key(|it| number::round_bytes(it.bytes.round() as u64)),
        or_nothing(fastest, |(name, _)| name.to_owned()),
        or_nothing(fastest, |(_, value)| number::factor(value)),
    ];
    let telling = TELLING.map(|name| or_nothing(speed_up(name), number::factor));
    known.into_iter().chain(telling).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::advised::fixture;
    use crate::run::alone::Key;
    use crate::run::plan::Kind;

    fn alone(keys: u64, times: &[(u64, u64)]) -> Alone {
        let key = |(key, (wall, cpu)): (u64, &(u64, u64))| Key {
            key,
            wall_ns: wall * 1_000,
            cpu_ns: cpu * 1_000,
            bytes: if key == 0 { 16 } else { 8 },
        };
        let measured = (0..).zip(times).map(key).collect();
        Alone { workload: "primes".to_owned(), arguments: Vec::new(), keys, measured, printed_bytes: 0 }
    }

    #[test]
    fn what_keys_take_alone() {
        let times: Vec<(u64, u64)> = (1..=20).map(|ms| (1_000 * ms, 1_000 * ms)).collect();
        insta::assert_snapshot!(told(&alone(20, &times)), @r"
        one key alone: 10.5 ms on average; half take at most 10.0 ms, nine of ten 18.0 ms; from 1.00 ms to 20.0 ms (key 19)
        its output: 8 B on average, 16 B at most
        asleep: no, it computes all the time
        all 20 keys on one thread: 210 ms
        ");
        insta::assert_snapshot!(told(&alone(1_000, &times[..3])), @r"
        one key alone: 3.00 ms on average, from 1.00 ms to 3.00 ms (key 2)
        its output: 11 B on average, 16 B at most
        asleep: no, it computes all the time
        all 1,000 keys on one thread: 3.00 s, if the others are like the 3 that were measured
        ");
        insta::assert_snapshot!(told(&alone(40, &[(1_000, 400)])), @r"
        one key alone: 1.00 ms, which is what key 0 took
        its output: 16 B
        asleep: 60 % of its time
        all 40 keys on one thread: 40.0 ms, if all are like the one that was measured
        ");
        insta::assert_snapshot!(told(&alone(1, &[(1_000, 1_000)])), @r"
        one key alone: 1.00 ms
        its output: 16 B
        asleep: no, it computes all the time
        its batch on one thread: 1.00 ms
        ");
    }

    #[test]
    fn what_was_said_beside_what_was_measured() {
        let run = fixture::run(&[
            ("sequential", Kind::Strategy, &[100, 101, 102, 99, 98, 100]),
            ("std-counter", Kind::Strategy, &[50, 51, 52, 49, 53, 51]),
            ("rayon-iter", Kind::Strategy, &[50, 50, 52, 49, 50, 51]),
            ("process-pool", Kind::Strategy, &[80, 90, 81, 84, 82, 83]),
        ]);
        let expected = [("std-counter", 51.0), ("rayon-iter", 55.0), ("process-pool", 62.0), ("sequential", 102.3)];
        insta::assert_snapshot!(beforehand(Some(&fixture::advised(Some("std-counter"), &expected))), @r"
        advise, by the run 2026-11-26T00-00-00Z, expects of a first batch:
          std-counter   51.0 ms [42.5, 61.2]  (its pick)
          rayon-iter    55.0 ms [45.8, 66.0]
          process-pool  62.0 ms [51.7, 74.4]
          sequential    102 ms [85, 123]
        ");
        insta::assert_snapshot!(advice(&run, Some(&fixture::advised(Some("std-counter"), &expected))), @r"
        Before anything was timed, keys were run alone, one after the other. From what they took, and from the newest run with all sweeps,
        `advise` said how long the first batch of each strategy would take, its start included: nine of ten times within the interval.
        Measured is the median of that, with a 95 % interval.

        | strategy     |        `advise` said |             measured |  off by |
        | ------------ | -------------------: | -------------------: | ------: |
        | rayon-iter   | 55.0 ms [45.8, 66.0] | 50.0 ms [49.5, 51.5] | +10.0 % |
        | std-counter  | 51.0 ms [42.5, 61.2] | 51.0 ms [49.5, 52.5] |  +0.0 % |
        | process-pool | 62.0 ms [51.7, 74.4] | 82.5 ms [80.5, 87.0] | -24.8 % |
        | sequential   |     102 ms [85, 123] |     100 ms [98, 102] |  +2.3 % |

        `advise` would have picked std-counter; rayon-iter was the fastest. The pick took 1.02× as long, which is within the interval of the fastest. For 3 of 4 strategies the interval that was predicted holds what was measured.
        ");
    }

    #[test]
    fn the_pick_is_held_against_the_fastest() {
        let line = |pick, rows: &[(&str, Kind, &[u64])]| {
            let run = fixture::run(rows);
            let text = advice(&run, Some(&fixture::advised(pick, &[("a", 50.0), ("b", 50.0), ("c", 50.0)])));
            text.lines().find(|line| line.contains("the fastest.")).unwrap_or_default().to_owned()
        };
        let rows: [(&str, Kind, &[u64]); 2] = [("a", Kind::Strategy, &[50; 6]), ("b", Kind::Strategy, &[75; 6])];
        let few: [(&str, Kind, &[u64]); 2] = [("a", Kind::Strategy, &[50]), ("b", Kind::Strategy, &[75])];
        let said = [
            line(Some("a"), &rows),
            line(Some("b"), &rows),
            line(Some("b"), &few),
            line(Some("c"), &rows),
            line(None, &rows),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        `advise` would have picked a, which was the fastest. For 1 of 2 strategies the interval that was predicted holds what was measured.
        `advise` would have picked b; a was the fastest. The pick took 1.50× as long, which is beyond the interval of the fastest. For 1 of 2 strategies the interval that was predicted holds what was measured.
        `advise` would have picked b; a was the fastest. The pick took 1.50× as long, and fewer than 6 rounds give no interval to hold that against. For 1 of 2 strategies the interval that was predicted holds what was measured.
        `advise` would have picked c, which has no time here; a was the fastest. For 1 of 2 strategies the interval that was predicted holds what was measured.
        `advise` has no pick among these strategies; a was the fastest. For 1 of 2 strategies the interval that was predicted holds what was measured.
        ");
    }

    #[test]
    fn where_nothing_is_known_a_line_says_so() {
        let run = fixture::run(&[("sequential", Kind::Strategy, &[100])]);
        let mut far = fixture::advised(None, &[]);
        far.outside = vec!["keys of 200 ms: measured from 61.0 ns to 50.0 ms".to_owned()];
        insta::assert_snapshot!(advice(&run, None), @"`advise` can say nothing beforehand: there is no run with all sweeps yet, and `scripts/compare.sh --full` makes one.");
        insta::assert_snapshot!(advice(&run, Some(&far)), @r"
        `advise` says nothing of this job. It is outside of what the run 2026-11-26T00-00-00Z measured:

        - keys of 200 ms: measured from 61.0 ns to 50.0 ms
        ");
        assert_eq!(beforehand(Some(&far)), advice(&run, Some(&far)));
        insta::assert_snapshot!(advice(&run, Some(&fixture::advised(None, &[]))), @"`advise` says nothing of this job: no strategy here was measured by the run 2026-11-26T00-00-00Z with as many keys.");
        insta::assert_snapshot!(advice(&run, Some(&fixture::advised(None, &[("a", 1.0)]))), @"No strategy has both a time that was predicted and one that was measured.");
    }
}
