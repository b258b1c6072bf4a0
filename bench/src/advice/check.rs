//! Predictions against fresh measurements: random cases that no fit has seen.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use harness::skew_name;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::advice::agreement::{Limits, draw, picked};
use crate::advice::case::Case;
use crate::advice::fit::rounded;
use crate::advice::model::{Model, interpolated, percent};
use crate::entrants::contender::Contender;
use crate::numbers::curves::{Axis, Curve, Curves, Drawing, Figure, Mark, Point, Unit};
use crate::numbers::digits::short_time;
use crate::numbers::random::below;
use crate::numbers::stats::{Interval, median};
use crate::process::interrupt::{Interrupt, Interrupted};
use crate::process::tell;
use crate::run::answer::Reference;
use crate::run::folder::{FileError, write_json};
use crate::run::job::Job;
use crate::run::json_if_any;
use crate::run::plan::SEQUENTIAL;
use crate::sampling::ask::{ask, with};
use crate::sampling::condition;

/// The file of a check, in the folder of its run.
pub const CHECK: &str = "check.json";

/// Processes of each strategy at a case: the median of fewer depends on one that was disturbed.
const PROCESSES: usize = 5;

/// Strategies that are measured at each case beside the pick.
const OTHERS: usize = 3;

/// What one thread may take for a case, in seconds: forty cases then take some minutes.
const MOST_WORK: f64 = 0.5;

/// What the outputs of a case may be, in bytes: as much as those of the run itself.
const MOST_BYTES: f64 = 8e8;

/// Batches of the process that tells the grain. The first is cold.
const BATCHES: &str = "4";

/// Bounds one process, which is expected to take a second at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// The goals: half of all predictions within the first, nine of ten within the second.
const NEAR: f64 = 0.1;
const WITHIN: f64 = 0.25;

/// What was predicted and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The run whose model was checked.
    pub stamp: String,
    /// The seed of the cases.
    pub seed: u64,
    /// One for each strategy at each case.
    pub checked: Vec<Checked>,
}

/// One strategy at one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// The case. Its grain is what `sequential` took for the same keys, just then.
    pub case: Case,
    /// The strategy.
    pub strategy: String,
    /// Whether it was the pick.
    pub is_pick: bool,
    /// Seconds that were predicted.
    pub predicted: f64,
    /// The interval of the prediction.
    pub low: f64,
    /// Its other end.
    pub high: f64,
    /// What the processes took, in seconds.
    pub measured: Vec<f64>,
}

/// What is to be checked.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// How many cases.
    pub cases: usize,
    /// The seed they are drawn from.
    pub seed: u64,
    /// None is begun after this.
    pub budget: Duration,
}

impl Checked {
    /// The median of what the processes took.
    pub fn seconds(&self) -> f64 {
        median(self.measured.iter().copied()).unwrap_or(f64::NAN)
    }

    /// By which share the prediction is off; positive if it is too long.
    pub fn error(&self) -> f64 {
        self.predicted / self.seconds() - 1.0
    }
}

impl Check {
    /// The median of the errors' sizes.
    pub fn median_error(&self) -> Option<f64> {
        median(self.checked.iter().map(|checked| checked.error().abs()))
    }

    /// The share of predictions that are off by at most `error`.
    pub fn share_within(&self, error: f64) -> f64 {
        self.share(|checked| checked.error().abs() <= error)
    }

    /// The share of predictions whose interval holds what was measured.
    pub fn share_held(&self) -> f64 {
        self.share(|checked| (checked.low..=checked.high).contains(&checked.seconds()))
    }

    fn share(&self, is: impl Fn(&Checked) -> bool) -> f64 {
        self.checked.iter().filter(|checked| is(checked)).count() as f64 / self.checked.len().max(1) as f64
    }

    /// Whether half of the predictions are within a tenth, and nine of ten within a quarter.
    pub fn is_good(&self) -> bool {
        self.median_error().is_some_and(|error| error <= NEAR) && self.share_within(WITHIN) >= 0.9
    }

    /// Writes it into the folder of its run.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), FileError> {
        write_json(&dir.join(CHECK), self)
    }

    /// Reads it again, if the run has one.
    ///
    /// # Errors
    ///
    /// If it is not what it should be.
    pub fn read(dir: &Path) -> Result<Option<Check>, FileError> {
        json_if_any(&dir.join(CHECK))
    }

    /// A line for each strategy at each case, and what they come to.
    pub fn text(&self) -> String {
        let headings =
            ["keys", "grain", "bytes", "skew", "asleep", "workers", "strategy", "predicted", "measured", "error"];
        let rows = self.checked.iter().map(|checked| {
            let Case { keys, grain, output_bytes, skew, blocking, workers } = &checked.case;
            vec![
                keys.to_string(),
                short_time(*grain),
                output_bytes.to_string(),
                skew_name(*skew).to_owned(),
                percent(*blocking),
                workers.to_string(),
                if checked.is_pick { format!("{} (pick)", checked.strategy) } else { checked.strategy.clone() },
                short_time(checked.predicted),
                short_time(checked.seconds()),
                format!("{:+.1} %", 100.0 * checked.error()),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let (median, within) = (self.median_error().unwrap_or(f64::NAN), self.share_within(WITHIN));
        let cases = self.checked.chunk_by(|one, other| one.case == other.case).count();
        format!(
            "{}\n{} predictions of {cases} cases: median error {}, {} within {}, {} in their interval; the goal, a median of {} and \
             nine of ten within {}, is {}\n",
            aligned(&headings, &rows),
            self.checked.len(),
            percent(median),
            percent(within),
            percent(WITHIN),
            percent(self.share_held()),
            percent(NEAR),
            percent(WITHIN),
            if self.is_good() { "met" } else { "missed" },
        )
    }

    /// The same as a page in the folder of the run, with the pictures beside it.
    pub fn page(&self) -> String {
        let pictures = self.figures().into_iter().map(|figure| {
            format!("![{}. {}]({}.svg)\n\n{}\n\n", figure.title, figure.caption, figure.name, figure.caption)
        });
        format!("{}```text\n{}```\n", pictures.collect::<String>(), self.text())
    }

    /// Predicted against measured, and how the errors are distributed.
    pub fn figures(&self) -> Vec<Figure> {
        if self.checked.is_empty() {
            return Vec::new();
        }
        let axis = |label: &str, unit, is_logarithmic| Axis { label: label.to_owned(), unit, is_logarithmic };
        let mut points: Vec<Point> = self.checked.iter().map(Checked::point).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let ends = [points.first(), points.last()].into_iter().flatten();
        let equal = ends.map(|point| Point { x: point.x, y: point.x, interval: None }).collect();
        let mut errors: Vec<f64> = self.checked.iter().map(|checked| checked.error().abs()).collect();
        errors.sort_by(f64::total_cmp);
        let share = |index: usize| (index + 1) as f64 / errors.len() as f64;
        let errors =
            errors.iter().enumerate().map(|(index, error)| Point { x: share(index), y: *error, interval: None });
        let (median, within) = (self.median_error().unwrap_or(f64::NAN), self.share_within(WITHIN));
        vec![
            Figure {
                name: "advice-predicted".to_owned(),
                title: "Predicted against measured".to_owned(),
                caption: format!(
                    "{} predictions for random cases that the fit has not seen; a good one lies on the line. Half are off by \
                     at most {}, and {} by at most {}.",
                    self.checked.len(),
                    percent(median),
                    percent(within),
                    percent(WITHIN)
                ),
                drawing: Drawing::Curves(Curves {
                    x: axis("measured", Unit::Seconds, true),
                    y: axis("predicted", Unit::Seconds, true),
                    lines: vec![
                        Curve { name: "predictions".to_owned(), points, is_joined: false },
                        Curve { name: "equal".to_owned(), points: equal, is_joined: true },
                    ],
                    marks: Vec::new(),
                }),
            },
            Figure {
                name: "advice-errors".to_owned(),
                title: "How far predictions are off".to_owned(),
                caption: "The share of predictions that are off by at most so much.".to_owned(),
                drawing: Drawing::Curves(Curves {
                    x: axis("predictions", Unit::Share, false),
                    y: axis("error", Unit::Share, false),
                    lines: vec![Curve { name: "error".to_owned(), points: errors.collect(), is_joined: true }],
                    marks: [NEAR, WITHIN].map(|value| Mark { name: percent(value), value }).into(),
                }),
            },
        ]
    }
}

impl Checked {
    fn point(&self) -> Point {
        let interval = Some(Interval { low: self.low, high: self.high });
        Point { x: self.seconds(), y: self.predicted, interval }
    }
}

/// Columns of equal width.
fn aligned(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&headings).chain(rows).collect();
    let widths: Vec<usize> = (0..headings.len())
        .map(|column| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}", width = *width));
        cells.collect::<Vec<_>>().join("  ")
    };
    all.into_iter().map(|row| line(row) + "\n").collect()
}

/// Measures what `asked` says with the programs `contenders`, `sequential` among them.
///
/// # Errors
///
/// If the user ends it, or `sequential` does not answer. A strategy that does not is left out, with a warning.
pub fn check(model: &Model, contenders: &[Contender], asked: Asked, interrupt: &Interrupt) -> Result<Check> {
    let begin = Instant::now();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(asked.seed);
    let sequential = contenders.iter().find(|contender| contender.name == SEQUENTIAL).context("no sequential")?;
    let limits = Limits { work: MOST_WORK, bytes: MOST_BYTES.min(harness::available_memory() as f64 / 4.0) };
    let mut checked = Vec::new();
    for number in 1..=asked.cases {
        if begin.elapsed() > asked.budget {
            tell::say(format_args!("the budget is spent after {} of {} cases", number - 1, asked.cases));
            break;
        }
        let Some(case) = draw(model, limits, &mut rng) else { continue };
        let job = job(model, &case);
        let one = calibrated(sequential, &case, &job, interrupt).and_then(|case| {
            let Some(case) = case else { return Ok(Vec::new()) };
            let names = chosen(model, &case, contenders, &mut rng);
            tell::say(format_args!(
                "case {number} of {}: {} keys of {}",
                asked.cases,
                case.keys,
                short_time(case.grain)
            ));
            measured(model, &case, &job, sequential, &names, contenders, interrupt)
        });
        match one {
            Ok(one) => checked.extend(one),
            Err(error) if checked.is_empty() => return Err(error),
            // What is there already is kept.
            Err(error) if error.is::<Interrupted>() => break,
            Err(error) => tell::warn(format_args!("a case is left out: {error}")),
        }
    }
    Ok(Check { stamp: model.stamp.clone(), seed: asked.seed, checked })
}

/// The job that is such a case.
fn job(model: &Model, case: &Case) -> Job {
    let values = values(&model.sums, case.grain * (1.0 - case.blocking));
    Job {
        workload: "wait".to_owned(),
        keys: case.keys,
        count: (case.grain * case.blocking * 1e6).round() as u64,
        skew: skew_name(case.skew).to_owned(),
        rng: "xoshiro".to_owned(),
        seed: 42,
        workers: case.workers,
        values,
        output_bytes: case.output_bytes,
        neighbour: false,
        own: None,
    }
}

/// How many values are summed up in so many seconds, by bisection: the times need not grow everywhere.
fn values(sums: &[(f64, f64)], seconds: f64) -> u64 {
    let (mut least, mut most) = (0_u64, 1 << 40);
    while most - least > 1 {
        let middle = least + (most - least) / 2;
        if interpolated(sums, middle as f64) <= seconds { least = middle } else { most = middle }
    }
    least
}

/// The case with the grain that its keys have here and now: what `sequential` takes for their sums, and what they are asleep.
fn calibrated(sequential: &Contender, case: &Case, job: &Job, interrupt: &Interrupt) -> Result<Option<Case>> {
    let asleep = job.count as f64 / 1e6;
    let sums = Job { workload: "sum".to_owned(), count: job.values, values: 0, output_bytes: 8, ..job.clone() };
    let flags = with(&sums.flags(), &["--repeat", BATCHES, "--format", "json"]);
    let Ok(answer) = ask(sequential, &flags, None, Some(PATIENCE), interrupt)? else { return Ok(None) };
    let computing = median(answer.warm_seconds()).map(|time| time / case.keys as f64);
    Ok(computing.map(|computing| {
        let grain = computing + asleep;
        Case { grain: rounded(grain), blocking: rounded(asleep / grain), ..case.clone() }
    }))
}

/// The pick, and some others.
fn chosen(model: &Model, case: &Case, contenders: &[Contender], rng: &mut Xoshiro256PlusPlus) -> Vec<String> {
    let pick = picked(model, case).map(|prediction| prediction.strategy);
    let can = |name: &str| model.predict(name, case).is_some() && contenders.iter().any(|it| it.name == name);
    let mut others: Vec<&String> =
        model.strategies.keys().filter(|name| can(name) && pick.as_ref() != Some(*name)).collect();
    let mut names: Vec<String> = pick.into_iter().filter(|name| can(name)).collect();
    for _ in 0..OTHERS.min(others.len()) {
        names.push(others.swap_remove(below(rng, others.len())).clone());
    }
    names
}

/// Each of `names` at the case, the pick first. They take turns, so that drift of the machine falls on all alike.
fn measured(
    model: &Model,
    case: &Case,
    job: &Job,
    sequential: &Contender,
    names: &[String],
    contenders: &[Contender],
    interrupt: &Interrupt,
) -> Result<Vec<Checked>> {
    let flags = with(&job.flags(), &["--format", "json"]);
    let digested = with(&flags, &["--digest"]);
    let reference = ask(sequential, &digested, None, Some(PATIENCE), interrupt)?;
    let reference = reference.ok().and_then(|answer| answer.report.digest).context("sequential gave no digest")?;
    let reference = Reference { name: SEQUENTIAL.to_owned(), digest: reference };
    let mut entries = Vec::new();
    let pick = picked(model, case).map(|pick| pick.strategy);
    for name in names {
        let contender = contenders.iter().find(|contender| contender.name == *name);
        let Some((contender, prediction)) = contender.zip(model.predict(name, case)) else { continue };
        match ask(contender, &digested, Some(&reference), Some(PATIENCE), interrupt)? {
            Ok(_) => entries.push((pick.as_ref() == Some(name), contender, prediction, Vec::new())),
            Err(trouble) => tell::warn(format_args!("{name} is left out of a case: {}", trouble.message)),
        }
    }
    for _ in 0..PROCESSES {
        for (_, contender, _, times) in &mut entries {
            condition::touch((1.5 * (job.keys * job.output_bytes) as f64) as u64 + (8 << 20), interrupt)?;
            if let Ok(answer) = ask(contender, &flags, None, Some(PATIENCE), interrupt)? {
                times.extend(answer.first_batch_seconds());
            }
        }
    }
    let entries = entries.into_iter().filter(|(_, _, _, times)| !times.is_empty());
    Ok(entries
        .map(|(is_pick, _, prediction, measured)| Checked {
            case: case.clone(),
            strategy: prediction.strategy,
            is_pick,
            predicted: rounded(prediction.seconds),
            low: rounded(prediction.low),
            high: rounded(prediction.high),
            measured,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::synthetic;
    use workloads::Skew;

    fn check(off: &[f64]) -> Check {
        let case = Case { keys: 100, grain: 1e-3, output_bytes: 8, skew: Skew::Zipf, blocking: 0.3, workers: 2 };
        let checked = off.iter().map(|off| Checked {
            case: case.clone(),
            strategy: "counter".to_owned(),
            is_pick: true,
            predicted: rounded(0.1 * (1.0 + off)),
            low: rounded(0.1 * (0.85 + off)),
            high: rounded(0.1 * (1.15 + off)),
            measured: vec![0.2, 0.1, 0.05],
        });
        Check { stamp: "x".to_owned(), seed: 1, checked: checked.collect() }
    }

    #[test]
    fn half_within_a_tenth_and_nine_of_ten_within_a_quarter_are_good() {
        let good = check(&[0.0, 0.05, -0.08, 0.2, -0.24, 0.01, 0.02, 0.03, -0.04, 0.5]);
        assert!(good.is_good());
        assert!((good.share_within(0.25) - 0.9).abs() < 1e-9 && (good.share_held() - 0.7).abs() < 1e-9);
        assert!(!check(&[0.0, 0.05, 0.3]).is_good());
        assert!(!check(&[0.2, 0.2, 0.2]).is_good());
        assert!(!check(&[]).is_good());
        let text = good.text();
        assert!(
            text.ends_with(
                "10 predictions of 1 cases: median error 4.5 %, 90 % within 25 %, 70 % in their interval; the goal, a median of 10 % \
                 and nine of ten within 25 %, is met\n"
            ),
            "{text}"
        );
        assert!(text.contains("counter (pick)     110 ms    100 ms  +10.0 %") || text.contains("+50.0 %"), "{text}");
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Check::read(dir.path()).unwrap(), None);
        let check = check(&[0.25, -0.5]);
        check.write(dir.path()).unwrap();
        assert_eq!(Check::read(dir.path()).unwrap(), Some(check));
        std::fs::write(dir.path().join(CHECK), "{").unwrap();
        assert!(Check::read(dir.path()).is_err());
    }

    #[test]
    fn figures_have_every_prediction_in_order() {
        let figures = check(&[0.0, 0.3, -0.2]).figures();
        let Drawing::Curves(errors) = &figures[1].drawing else { panic!("bars") };
        let of: Vec<(f64, f64)> = errors.lines[0].points.iter().map(|point| (point.x, point.y)).collect();
        assert!((of[0].1, of[2].1) == (0.0, of[2].1) && (of[2].1 - 0.3).abs() < 1e-9 && of[2].0 == 1.0, "{of:?}");
        let Drawing::Curves(predicted) = &figures[0].drawing else { panic!("bars") };
        assert_eq!(predicted.lines[0].points.len(), 3);
        assert!(check(&[]).figures().is_empty());
    }

    #[test]
    fn a_case_becomes_the_job_that_takes_so_long() {
        let model = synthetic::truth();
        let case = Case { keys: 7, grain: 2e-3, output_bytes: 80, skew: Skew::OneHuge, blocking: 0.5, workers: 3 };
        let job = job(&model, &case);
        assert_eq!((job.keys, job.count, job.output_bytes, job.workers), (7, 1_000, 80, 3));
        let seconds = interpolated(&model.sums, job.values as f64);
        assert!((seconds / 1e-3 - 1.0).abs() < 1e-3, "{seconds}");
    }
}
