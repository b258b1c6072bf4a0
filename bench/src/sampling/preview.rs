//! What a run would measure and for about how long, told before anything is built or timed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::entrants::contender::{self, Contender};
use crate::entrants::manifest::Lacking;
use crate::numbers::stopping;
use crate::process::interrupt::{Interrupt, Interrupted};
use crate::run::job::Job;
use crate::run::plan::{Cell, Kind, SEQUENTIAL, Stop};
use crate::sampling::ask::{ask, with};
use crate::sampling::engine::{self, FEW, GUESS_PER_VALUE, SLOW};
use crate::sampling::programs::{self, Expected, Request};
use crate::sampling::progress::about;

/// Bounds the one run of `sequential` that the guess is made from. A job that takes longer has no guess.
const PATIENCE: Duration = Duration::from_secs(60);

/// The job that is run is the largest of at most so many products, the number that the default job has: small ones would tell
/// how long a process takes to start.
const PRODUCTS: u64 = 100_000_000;

/// What would be measured.
pub struct Preview {
    rows: Vec<String>,
    lacking: Vec<Lacking>,
    jobs: Vec<Job>,
    cells: Vec<Cell>,
    stop: Stop,
    time: Result<Time, String>,
}

/// Seconds that it would take.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Time {
    /// Digests, memory, and the round that is discarded.
    before: f64,
    round: f64,
}

impl Preview {
    /// What `request` comes to. `sequential` runs once for each workload if its program is there; nothing else is run, and
    /// nothing is built or written.
    ///
    /// # Errors
    ///
    /// What is wrong with the request.
    pub fn of(request: &Request, root: &Path, interrupt: &Interrupt) -> Result<Preview> {
        let Expected { contenders, lacking } = programs::expected(request, root)?;
        let paces = paces(&contenders, &request.jobs, interrupt)?;
        let cells = engine::cells(request, &contenders);
        let time = paces.map(|paces| time(&contenders, &cells, request, &paces));
        Ok(Preview {
            rows: contenders.iter().map(|contender| contender.name.clone()).collect(),
            lacking,
            jobs: request.jobs.clone(),
            cells,
            stop: request.stop,
            time,
        })
    }

    /// Seconds that all of it would take, from the fewest rounds to the last that may begin; nothing if it is not known.
    pub fn seconds(&self) -> Option<RangeInclusive<f64>> {
        let Time { before, round } = *self.time.as_ref().ok()?;
        let least = f64::from(stopping::least_rounds(self.stop)) * round;
        let most = if self.stop.rounds.is_some() { least } else { least.max(self.stop.budget + round) };
        Some(before + least..=before + most)
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", counted(self.rows.len(), "row"), self.rows.join(", "))?;
        for lacking in &self.lacking {
            writeln!(f, "not measured: {lacking}")?;
        }
        writeln!(f, "{}:", counted(self.jobs.len(), "job"))?;
        for job in &self.jobs {
            let neighbour = if job.neighbour { "  (beside a busy program)" } else { "" };
            writeln!(f, "  {}{neighbour}", job.flags().join(" "))?;
        }
        let count = |timed: fn(&Cell, u32) -> bool| self.cells.iter().filter(|cell| timed(cell, 1)).count();
        let (cold, warm) = (count(Cell::is_cold_in), count(Cell::is_warm_in));
        let batches = match self.cells.first().map_or(1, |cell| cell.batches) {
            1 => "one batch".to_owned(),
            batches => format!("{batches} batches"),
        };
        let processes = match cold {
            0 => format!("{warm} processes of {batches}"),
            cold => format!("{cold} cold processes of one batch and {warm} warm ones of {batches}"),
        };
        write!(f, "each round: {processes}, in shuffled order; ")?;
        writeln!(f, "the first command is")?;
        writeln!(f, "  {}", self.cells.first().map_or("", |cell| &cell.command))?;
        let Stop { rounds, within, budget, .. } = self.stop;
        let least = counted(stopping::least_rounds(self.stop) as usize, "round");
        match rounds {
            Some(_) => writeln!(f, "{least}")?,
            None => {
                let budget = about(Duration::from_secs_f64(budget));
                // As it was asked for, without what binary fractions add.
                let within = (within * 1e8).round() / 1e6;
                writeln!(
                    f,
                    "{least} at least, until every ratio is known within {within} %; none begins after {budget}"
                )?;
            }
        }
        match (&self.time, self.seconds()) {
            (Ok(time), Some(all)) => {
                let round = told(time.round);
                let (least, most) = (told(*all.start()), told(*all.end()));
                let all = if least == most { least } else { format!("{least} to {most}") };
                writeln!(f, "time: {all}, {round} a round, if every row takes what {SEQUENTIAL} does")
            }
            (Err(why), _) => writeln!(f, "time: unknown{why}"),
            (Ok(_), None) => Ok(()),
        }
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn told(seconds: f64) -> String {
    if seconds < 5.0 {
        return format!("about {seconds:.1} s");
    }
    about(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Seconds of one product in `sequential`, with all that comes with it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    /// As it is timed.
    plain: f64,
    /// With the digest, in a process that has to start.
    digested: f64,
}

/// The pace of each workload; if there is none, why not.
fn paces(
    contenders: &[Contender],
    jobs: &[Job],
    interrupt: &Interrupt,
) -> Result<Result<BTreeMap<String, Pace>, String>, Interrupted> {
    let mut paces = BTreeMap::new();
    let sequential = contenders.iter().find(|contender| contender.name == SEQUENTIAL);
    for job in tried(jobs) {
        if products(job) == 0 {
            paces.insert(job.workload.clone(), Pace { plain: 0.0, digested: 0.0 });
            continue;
        }
        let is_there = |contender: &&Contender| contender::is_executable(&contender.dir.join(&contender.argv[0]));
        let Some(sequential) = sequential.filter(is_there) else {
            return Ok(Err(" until the programs are built".to_owned()));
        };
        let began = Instant::now();
        let flags = with(&job.flags(), &["--format", "json", "--digest"]);
        match ask(sequential, &flags, None, Some(PATIENCE), interrupt)? {
            Ok(answer) => {
                let pace = |seconds: f64| (seconds - asleep(job)).max(0.0) / products(job) as f64;
                let (plain, digested) = (pace(answer.cold_seconds()), pace(began.elapsed().as_secs_f64()));
                paces.insert(job.workload.clone(), Pace { plain, digested });
            }
            Err(trouble) => return Ok(Err(format!(": {SEQUENTIAL} was to tell: {}", trouble.message))),
        }
    }
    Ok(Ok(paces))
}

/// One job of each workload: the largest that is not too large, else the smallest.
fn tried(jobs: &[Job]) -> impl Iterator<Item = &Job> {
    let mut tried = BTreeMap::<&str, &Job>::new();
    let rank = |job: &Job| {
        let is_small = products(job) <= PRODUCTS;
        (is_small, if is_small { products(job) } else { u64::MAX - products(job) })
    };
    for job in jobs {
        let best = tried.entry(&job.workload).or_insert(job);
        if rank(job) > rank(best) {
            *best = job;
        }
    }
    tried.into_values()
}

/// The products of all keys.
fn products(job: &Job) -> u64 {
    job.keys.saturating_mul(if job.workload == "wait" { job.values } else { job.count })
}

/// Seconds that all keys sleep together.
fn asleep(job: &Job) -> f64 {
    if job.workload == "wait" { job.keys as f64 * job.count as f64 / 1e6 } else { 0.0 }
}

/// What all passes take, if every row takes what `sequential` does, but sleeps with all its workers, and a program of the
/// notebook what it is thought to. It is what the run itself thinks until rows have shown what they take.
fn time(contenders: &[Contender], cells: &[Cell], request: &Request, paces: &BTreeMap<String, Pace>) -> Time {
    let is_sweep = request.sweep.is_some();
    let mut time = Time { before: 0.0, round: 0.0 };
    for cell in cells {
        let job = &cell.job;
        let Some(contender) = contenders.iter().find(|contender| contender.name == cell.row) else { continue };
        let Pace { plain, digested } = paces.get(&job.workload).copied().unwrap_or(Pace { plain: 0.0, digested: 0.0 });
        let asleep = asleep(job) / job.workers.max(1) as f64;
        let of = |seconds: f64| asleep + seconds * products(job) as f64;
        let (plain, digested) = (of(plain), of(digested));
        // What is touched before a process takes about as long as a batch of `sequential`.
        let touch = if request.condition { plain } else { 0.0 };
        let guess = of(GUESS_PER_VALUE);
        if contender.kind == Kind::Notebook && guess > SLOW.as_secs_f64() {
            let warm = 2.0 * f64::from(FEW) / f64::from(stopping::least_rounds(request.stop).max(FEW));
            time.round += guess + touch + warm * (guess + touch);
            time.before += guess;
            continue;
        }
        let (plain, digested) = if contender.kind == Kind::Notebook { (guess, guess) } else { (plain, digested) };
        time.round += if cell.is_cold_in(1) { plain + touch } else { 0.0 };
        time.round += if cell.is_warm_in(1) { digested * f64::from(cell.batches) + touch } else { 0.0 };
        // Verified and looked at, in one run where there are many or it may take long.
        time.before += match contender.kind {
            Kind::Control => 0.0,
            Kind::Notebook => digested,
            _ if is_sweep => digested,
            _ => 2.0 * digested,
        };
        if !is_sweep {
            time.before += plain + touch;
        }
        if contender.kind == Kind::Strategy && !is_sweep {
            let blocking = job.blocking();
            time.before += blocking.keys as f64 * blocking.count as f64 / 1e6 / blocking.workers.max(1) as f64;
        }
    }
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(workload: &str, keys: u64, count: u64) -> Job {
        let (skew, rng) = ("uniform".to_owned(), "xoshiro".to_owned());
        let workload = workload.to_owned();
        Job {
            workload,
            keys,
            count,
            skew,
            rng,
            seed: 42,
            workers: 2,
            values: 0,
            output_bytes: 8,
            neighbour: false,
            own: None,
        }
    }

    fn stop(rounds: Option<u32>) -> Stop {
        Stop { rounds, least: None, within: 0.07, budget: 900.0 }
    }

    fn request(jobs: Vec<Job>) -> Request {
        Request {
            only: Vec::new(),
            allocators: Vec::new(),
            sweep: None,
            full: false,
            name: None,
            python: None,
            jobs,
            own: None,
            left_out: Vec::new(),
            is_brief: false,
            stop: stop(None),
            shuffle_seed: 1,
            condition: false,
            bin_dir: None,
            results: "results".into(),
            command: String::new(),
        }
    }

    fn preview(stop: Stop, time: Result<Time, String>) -> Preview {
        let jobs = vec![job("fill", 10, 100)];
        let contender = Contender::program(Path::new("/w/target/release/sequential"), "target/release/sequential");
        let cells = vec![contender.at(0, &jobs, 3), contender.control().at(0, &jobs, 3)];
        let rows = vec!["sequential".into(), "sequential.control".into()];
        Preview { rows, lacking: Vec::new(), jobs, cells, stop, time }
    }

    #[test]
    fn it_takes_the_fewest_rounds_and_at_most_one_beyond_its_budget() {
        let time = || Ok(Time { before: 50.0, round: 20.0 });
        assert_eq!(preview(stop(None), time()).seconds(), Some(250.0..=970.0));
        assert_eq!(preview(stop(Some(3)), time()).seconds(), Some(110.0..=110.0));
        let long = Ok(Time { before: 0.0, round: 100.0 });
        assert_eq!(preview(stop(None), long).seconds(), Some(1000.0..=1000.0));
        assert_eq!(preview(stop(None), Err(String::new())).seconds(), None);
    }

    #[test]
    fn it_reads_as_a_plan() {
        let told = preview(stop(None), Ok(Time { before: 50.0, round: 20.0 })).to_string();
        let expected = "\
2 rows: sequential, sequential.control
1 job:
  --workload fill --keys 10 --count 100 --skew uniform --rng xoshiro --seed 42 --workers 2
each round: 2 cold processes of one batch and 2 warm ones of 3 batches, in shuffled order; the first command is
  target/release/sequential --workload fill --keys 10 --count 100 --skew uniform --rng xoshiro --seed 42 --workers 2
10 rounds at least, until every ratio is known within 7 %; none begins after about 15 min
time: about 4 min to about 16 min, about 20 s a round, if every row takes what sequential does
";
        assert_eq!(told, expected);
        let told = preview(stop(Some(1)), Err(" until the programs are built".to_owned())).to_string();
        assert!(told.ends_with("\n1 round\ntime: unknown until the programs are built\n"), "{told}");
    }

    #[test]
    fn the_largest_job_that_is_not_too_large_is_tried() {
        let jobs = [("fill", 1), ("fill", 1_000_000), ("fill", 10_000_000), ("sum", 30_000_000), ("sum", 20_000_000)]
            .map(|(workload, count)| job(workload, 100, count));
        let tried: Vec<u64> = tried(&jobs).map(|job| job.count).collect();
        assert_eq!(tried, [1_000_000, 20_000_000]);
    }

    #[test]
    fn keys_that_sleep_take_the_time_they_sleep() {
        let sequential = Contender::program(Path::new("/w/sequential"), "sequential");
        let wait = Job { values: 1_000, ..job("wait", 100, 20_000) };
        assert_eq!((products(&wait), asleep(&wait)), (100_000, 2.0));
        let paces = BTreeMap::from([("wait".to_owned(), Pace { plain: 1e-5, digested: 2e-5 })]);
        // A second asleep on each of two workers, and one or two awake: cold 2 s, warm 3 × 3 s.
        let request = request(vec![wait]);
        let contenders = [sequential];
        let time = time(&contenders, &engine::cells(&request, &contenders), &request, &paces);
        assert_eq!(time.round, 11.0);
        // Its digest, its memory and keys in flight, and the round that is discarded.
        assert_eq!(time.before, 3.0 + 3.0 + 1.0 + 2.0);
    }

    #[test]
    fn a_slow_program_of_the_notebook_is_warm_in_few_rounds() {
        let program = Contender::notebook(Path::new("/w"), "python", "bench/notebook/python-sequential.py");
        let paces = BTreeMap::from([("fill".to_owned(), Pace { plain: 0.0, digested: 0.0 })]);
        let programs = [program];
        let round = |count| {
            let request = request(vec![job("fill", 100, count)]);
            time(&programs, &engine::cells(&request, &programs), &request, &paces).round
        };
        // 10 s cold in each of ten rounds, and 20 s warm in three of them; 1 s is not slow.
        assert!((round(1_000_000) - 16.0).abs() < 1e-6 && (round(100_000) - 4.0).abs() < 1e-6);
    }
}
