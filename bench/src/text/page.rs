//! The page of one run, and its headline.

use std::fmt::Write;
use std::path::Path;

use crate::entrants::contender::SEQUENTIAL;
use crate::numbers::porting;
use crate::numbers::standings::{Noise, Standing, Standings};
use crate::numbers::stats::{self, PAIRS_FOR_AN_INTERVAL, Ratio};
use crate::run::answer::Answer;
use crate::run::footprint::{Footprint, Peak};
use crate::run::machine::Others;
use crate::run::record::{Ended, Measured, Plan, RecordError, Row, Run, Stage, write_whole};
use crate::text::number::{self, NOTHING};
use crate::text::table::{Align, markdown};

/// Remakes `README.md` in the folder of a run from the other files in it.
pub fn write(dir: &Path) -> Result<Run, RecordError> {
    let run = Run::read(dir)?;
    write_whole(&dir.join("README.md"), render(&run).as_bytes())?;
    Ok(run)
}

/// The page.
pub fn render(run: &Run) -> String {
    let standings = Standings::of(run);
    let mut page = format!("# {}\n\n", title(&run.plan));
    page += "Made by `compare` from the other files in this folder; `compare --report` makes it again.\n\n";
    for warning in warnings(run) {
        page += &format!("> **Warning:** {warning}.\n\n");
    }
    page += &main_table(&standings);
    page += HOW_TO_READ;
    page += &porting_section(run);
    page += &use_table(run, &standings);
    page += &warm_table(&standings);
    page += &failed_table(run);
    page += &not_measured_table(run);
    page += &noise_section(standings.noise);
    page += &provenance(run);
    page
}

/// What one should know before believing the tables.
pub fn warnings(run: &Run) -> Vec<String> {
    let mut warnings = Vec::new();
    let (complete, planned) = (run.complete.len(), run.plan.rounds);
    match run.plan.ended {
        Some(Ended::Complete) => {}
        Some(Ended::Interrupted) => {
            warnings.push(format!("this run was interrupted, with {complete} of {planned} rounds complete"));
        }
        None => warnings.push(format!("this run has not ended, with {complete} of {planned} rounds complete")),
    }
    if complete > 0 && complete < PAIRS_FOR_AN_INTERVAL {
        warnings.push(format!(
            "fewer than {PAIRS_FOR_AN_INTERVAL} rounds: the intervals are narrower than 95 %, and ranks mean little"
        ));
    }
    for (row, measured) in run.plan.rows.iter().zip(&run.measured) {
        let planned = (row.rounds as usize).min(complete);
        if measured.failure.is_none() && row.not_measured.is_none() && measured.cold.len() < planned {
            let had = measured.cold.len();
            warnings
                .push(format!("of {planned} cold runs of {}, {had} were recorded: its median is of those", row.name));
        }
    }
    warnings.extend(disturbances(run));
    warnings.extend(run.machine.warnings());
    warnings
}

/// What others did on this machine during the rounds.
fn disturbances(run: &Run) -> Vec<String> {
    let looks: Vec<(u32, Others)> =
        run.complete.iter().filter_map(|(number, round)| Some((*number, round.others?))).collect();
    if looks.is_empty() && !run.complete.is_empty() {
        return vec!["what else ran on the machine during the rounds is not known".to_owned()];
    }
    let disturbed: Vec<_> = looks.into_iter().filter(|(_, others)| others.disturb()).collect();
    if disturbed.is_empty() {
        return Vec::new();
    }
    let most = |share: fn(&Others) -> f64| disturbed.iter().map(|(_, others)| share(others)).fold(0.0, f64::max);
    let most = Others { busy: most(|others| others.busy), stolen: most(|others| others.stolen) };
    let rounds: Vec<u32> = disturbed.iter().map(|(number, _)| *number).collect();
    let were = if rounds.len() == 1 { "round" } else { "rounds" };
    vec![format!("{were} {} disturbed: at the most, {}", ranges(&rounds), most.used())]
}

/// Numbers in order, the neighbours among them as one: `1–3, 7`.
fn ranges(numbers: &[u32]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let shown = runs.map(|run| match run {
        [first, .., last] => format!("{first}–{last}"),
        _ => run.iter().map(u32::to_string).collect(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Whether any row failed.
pub fn any_failed(run: &Run) -> bool {
    run.measured.iter().any(|measured| measured.failure.is_some())
}

/// The job in words.
pub fn title(plan: &Plan) -> String {
    let job = &plan.job;
    let mut title = format!("{}: {} keys × {}", job.workload, number::grouped(job.keys), number::grouped(job.count));
    if job.workload == "wait" {
        title += " µs";
    }
    if job.skew != "uniform" {
        let _ = write!(title, ", {}", job.skew);
    }
    if job.rng != "xoshiro" {
        let _ = write!(title, ", {}", job.rng);
    }
    let _ = write!(title, ", {} {}", job.workers, if job.workers == 1 { "worker" } else { "workers" });
    title
}

const HOW_TO_READ: &str = "\
Cold is a whole process as hyperfine sees it. Warm is the second and later batches of one process. Both are medians, ± the
median distance from them. Speed-up and ÷ fastest compare cold runs of the same round; in brackets is the bootstrap's 95 %
interval. Rows that cannot be told apart from the row above share its rank. Peak memory is the largest sum of PSS over the
process tree, with ≥ if the process was gone after a few looks.

";

fn main_table(standings: &Standings) -> String {
    if standings.rows.is_empty() {
        return "Nothing was timed.\n\n".to_owned();
    }
    let columns = [
        ("rank", Align::Right),
        ("strategy", Align::Left),
        ("cold", Align::Right),
        ("speed-up", Align::Right),
        ("÷ fastest", Align::Right),
        ("warm", Align::Right),
        ("peak memory", Align::Right),
    ];
    let row = |row: &Standing| {
        vec![
            row.rank.to_string(),
            row.name.clone(),
            number::time(row.cold),
            compared(row.speed_up, row.name == SEQUENTIAL, with_interval),
            compared(row.to_fastest, row.name == standings.rows[0].name, with_interval),
            or_nothing(row.warm, number::time),
            seen(peak(row), |peak| number::bytes(peak.pss_bytes)),
        ]
    };
    let rows: Vec<Vec<String>> = standings.rows.iter().map(row).collect();
    format!("{}\n", markdown(&columns, &rows))
}

const HOW_TO_READ_USE: &str = "\
Runs are cold runs + warm batches. User and system time are of a cold run, without children that nobody waited for. Threads
and processes are the most that were seen at once. Keys in flight are what `wait` shows. Lines are those of `src/` that hold
code.

";

/// What the times do not say.
fn use_table(run: &Run, standings: &Standings) -> String {
    if standings.rows.is_empty() {
        return String::new();
    }
    let columns = [
        ("strategy", Align::Left),
        ("runs", Align::Right),
        ("user", Align::Right),
        ("system", Align::Right),
        ("memory ÷ output", Align::Right),
        ("threads", Align::Right),
        ("processes", Align::Right),
        ("keys in flight", Align::Right),
        ("lines", Align::Right),
    ];
    let row = |row: &Standing| {
        vec![
            row.name.clone(),
            runs(run, &row.name),
            number::short_time(row.user),
            number::short_time(row.system),
            to_output(row.footprint),
            seen(peak(row), |peak| peak.threads.to_string()),
            seen(peak(row), |peak| peak.processes.to_string()),
            or_nothing(row.footprint.and_then(|footprint| footprint.keys_in_flight), number::average),
            or_nothing(row.lines, |lines| lines.to_string()),
        ]
    };
    let rows: Vec<Vec<String>> = standings.rows.iter().map(row).collect();
    format!("## What each row used\n\n{HOW_TO_READ_USE}{}\n", markdown(&columns, &rows))
}

/// Cold runs and warm batches.
fn runs(run: &Run, name: &str) -> String {
    let measured = run.measured(name);
    let cold = measured.map_or(0, |measured| measured.cold.len());
    let warm: usize = measured.map_or(0, |measured| measured.warm.values().flat_map(Answer::warm_seconds).count());
    format!("{cold} + {warm}")
}

fn peak(row: &Standing) -> Option<Peak> {
    row.footprint.and_then(|footprint| footprint.peak)
}

/// Something about the peak, marked if it may well have been higher.
pub(crate) fn seen(peak: Option<Peak>, show: impl Fn(Peak) -> String) -> String {
    or_nothing(peak, |peak| {
        let bound = if peak.is_lower_bound() { "≥ " } else { "" };
        format!("{bound}{}", show(peak))
    })
}

/// Peak memory in sizes of the output. Beside little output, the program itself is all that is seen.
fn to_output(footprint: Option<Footprint>) -> String {
    let output = footprint.map(|footprint| footprint.output_bytes).filter(|output| *output >= 1_000_000);
    let peak = footprint.and_then(|footprint| footprint.peak);
    or_nothing(output, |output| seen(peak, |peak| number::factor(peak.pss_bytes as f64 / output as f64)))
}

/// A ratio; of a row to itself, 1 without any digits, since nothing was measured.
fn compared(ratio: Option<Ratio>, to_itself: bool, show: impl Fn(Ratio) -> String) -> String {
    if to_itself { "1×".to_owned() } else { or_nothing(ratio, show) }
}

/// One pair makes no interval.
fn with_interval(ratio: Ratio) -> String {
    if ratio.pairs > 1 { number::ratio(ratio) } else { number::short_ratio(ratio) }
}

fn or_nothing<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| NOTHING.to_owned(), show)
}

fn warm_table(standings: &Standings) -> String {
    let columns = [
        ("strategy", Align::Left),
        ("start", Align::Right),
        ("first run", Align::Right),
        ("warm run", Align::Right),
        ("drop", Align::Right),
        ("stop", Align::Right),
    ];
    let row = |row: &Standing| {
        let phases = row.phases?;
        let warm = or_nothing(row.warm, |warm| number::short_time(warm.median));
        let [start, first_run, drop, stop] =
            [phases.start, phases.first_run, phases.drop, phases.stop].map(number::short_time);
        Some(vec![row.name.clone(), start, first_run, warm, drop, stop])
    };
    let rows: Vec<Vec<String>> = standings.rows.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("## Inside one process\n\nMedians on the strategy's own clock.\n\n{}\n", markdown(&columns, &rows))
}

fn failed_table(run: &Run) -> String {
    let columns = [
        ("strategy", Align::Left),
        ("when", Align::Left),
        ("what", Align::Left),
        ("ended with", Align::Left),
        ("last line of stderr", Align::Left),
    ];
    let row = |(name, measured): (&String, &Measured)| {
        let failure = measured.failure.as_ref()?;
        let stage = match failure.stage {
            Stage::Build => "build",
            Stage::Verify => "before timing",
            Stage::Memory => "memory pass",
            Stage::Cold => "cold run",
            Stage::Warm => "warm runs",
            Stage::Check => "check",
        };
        let when = failure.round.map_or_else(|| stage.to_owned(), |round| format!("{stage} of round {round}"));
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| NOTHING.to_owned());
        Some(vec![name.clone(), when, failure.message.clone(), text(&failure.exit), text(&failure.stderr)])
    };
    let names = run.plan.rows.iter().map(|row| &row.name);
    let rows: Vec<Vec<String>> = names.zip(&run.measured).filter_map(row).collect();
    if rows.is_empty() { String::new() } else { format!("## Failed\n\n{}\n", markdown(&columns, &rows)) }
}

/// The notebook's programs beside their strategies.
fn porting_section(run: &Run) -> String {
    let table = porting::table(run, true);
    if table.is_empty() {
        table
    } else {
        format!("{HOW_TO_READ_NOTEBOOK}## From Python to Rust\n\n{table}\n{}", porting::how_to_read(run))
    }
}

const HOW_TO_READ_NOTEBOOK: &str = "\
Rows that begin with `python-` or `numpy-` are the notebook's programs, which draw from CPython's generator (`mt19937`). Rows
that end in `.mt19937` are strategies that draw from it too, and have the same digest. Rows that end in `.default_rng` draw
from numpy's own generator, and were compared with each other. A slow program has fewer runs, in rounds that are spread over
the whole. Its lines are those of its file, without what the programs share.

";

/// Rows that could not even be tried here, which says nothing about them.
fn not_measured_table(run: &Run) -> String {
    let columns = [("row", Align::Left), ("why", Align::Left)];
    let row = |row: &Row| Some(vec![row.name.clone(), row.not_measured.clone()?]);
    let rows: Vec<Vec<String>> = run.plan.rows.iter().filter_map(row).collect();
    if rows.is_empty() { String::new() } else { format!("## Not measured\n\n{}\n", markdown(&columns, &rows)) }
}

fn noise_section(noise: Option<Noise>) -> String {
    let Some(noise) = noise else { return String::new() };
    format!(
        "## Noise floor\n\n`sequential` was entered twice: the second takes {} the time of the first. Differences below {} \
         are not\nreported as such.\n\n",
        with_interval(noise.ratio),
        number::percent(noise.floor)
    )
}

fn provenance(run: &Run) -> String {
    let (plan, machine) = (&run.plan, &run.machine);
    let mut section = String::from("## How it was made\n\n");
    let mut item = |name: &str, value: &str| {
        let _ = writeln!(section, "- {name}: {value}");
    };
    item("Command", &format!("`{}`", plan.command));
    item("Commit", &machine.commit_line());
    item("Started", &plan.stamp);
    item("Rounds", &format!("{} of {}, shuffled with seed {}", run.complete.len(), plan.rounds, plan.shuffle_seed));
    item("Batches per warm process", &plan.repeat.to_string());
    for (name, digest) in digests(run) {
        item(&name, &format!("`{digest}`"));
    }
    item("Machine", &machine.line());
    let optional = |value: Option<String>| value.unwrap_or_else(|| NOTHING.to_owned());
    item("CPU quota", &machine.cpu_quota.map_or_else(|| "none".to_owned(), |quota| format!("{quota} CPUs")));
    item("Memory", &optional(machine.memory_bytes.map(number::bytes)));
    item(
        "Frequency governor",
        &if machine.governors.is_empty() { NOTHING.to_owned() } else { machine.governors.join(", ") },
    );
    let load = |activity: Option<crate::run::machine::Activity>| optional(activity.map(|it| format!("{:.2}", it.load)));
    item(
        "Load",
        &format!("{} before (the build of `compare` counts), {} after", load(machine.before), load(machine.after)),
    );
    item("During the rounds, by the median", &others_used(run));
    item("Stolen by the hypervisor, from the first to the last step", &optional(machine.stolen().map(number::percent)));
    item("Compiler", &optional(machine.rustc.clone()));
    for (name, value) in [("Compiler's wrapper", &machine.rustc_wrapper), ("Target", &machine.target)] {
        if let Some(value) = value {
            item(name, value);
        }
    }
    item("Release profile", &optional(machine.profile.clone()));
    if let Some(flags) = &machine.rustflags {
        item("Flags for the compiler", &format!("`{flags}`"));
    }
    item("Cargo.lock (XXH3-128)", &optional(machine.lockfile_xxh3.clone()));
    item("Timer", &machine.hyperfine);
    if let Some(python) = &machine.python {
        item("Python", &python.line());
        item("requirements.txt (XXH3-128)", &python.requirements_xxh3);
    }
    section += "\nThe timed commands:\n\n```text\n";
    for row in plan.rows.iter().filter(|row| row.not_measured.is_none()) {
        let _ = writeln!(section, "{}", row.command);
    }
    section + "```\n"
}

/// What others used in the middle one of the rounds.
fn others_used(run: &Run) -> String {
    let median = |share: fn(&Others) -> f64| {
        stats::median(run.complete.values().filter_map(|round| round.others.as_ref().map(share)))
    };
    let others = median(|others| others.busy).zip(median(|others| others.stolen));
    or_nothing(others, |(busy, stolen)| Others { busy, stolen }.used())
}

/// The digest that all rows of a generator have.
fn digests(run: &Run) -> Vec<(String, String)> {
    let mut digests: Vec<(String, String)> = Vec::new();
    let whole = run.plan.rows.iter().zip(&run.measured).filter(|(_, measured)| measured.failure.is_none());
    let job = run.plan.job.rng.as_str();
    for (row, measured) in whole {
        let of = match row.rng.as_deref() {
            _ if !porting::is_part_of(run) => "Digest of all rows".to_owned(),
            rng => format!("Digest of all rows with `--rng {}`", rng.unwrap_or(job)),
        };
        if let Some(digest) = measured.verified.as_ref().and_then(|answer| answer.digest.clone())
            && !digests.iter().any(|(known, _)| *known == of)
        {
            digests.push((of, digest));
        }
    }
    digests
}

/// The short tables for the front page, with what made them below.
pub fn headline(run: &Run, link: &str) -> String {
    let mut headline = tables(run);
    let _ = writeln!(headline, "[All columns, intervals and raw samples]({link})");
    for warning in warnings(run) {
        let _ = write!(headline, "\n> **Warning:** {warning}.\n");
    }
    headline
}

/// The short tables, and what they are of: what a terminal shows at the end of a run.
pub fn tables(run: &Run) -> String {
    let columns = [
        ("strategy", Align::Left),
        ("cold", Align::Right),
        ("× sequential", Align::Right),
        ("warm", Align::Right),
        ("peak memory", Align::Right),
        ("lines", Align::Right),
    ];
    let row = |row: &Standing| {
        vec![
            row.name.clone(),
            number::time(row.cold),
            compared(row.speed_up, row.name == SEQUENTIAL, number::short_ratio),
            or_nothing(row.warm, |warm| number::short_time(warm.median)),
            seen(peak(row), |peak| number::bytes(peak.pss_bytes)),
            or_nothing(row.lines, |lines| lines.to_string()),
        ]
    };
    let standings = Standings::of(run);
    // The notebook's rows have a table of their own, and a strategy is here once.
    let is_strategy = |row: &&Standing| run.row(&row.name).is_none_or(|row| row.rng.is_none());
    let rows: Vec<Vec<String>> = standings.rows.iter().filter(is_strategy).map(row).collect();
    format!(
        "{}{}\n{}, {} {}. Made by `{}`. Commit: {}. Machine: {}.\n",
        porting_headline(run),
        markdown(&columns, &rows),
        title(&run.plan),
        run.complete.len(),
        if run.complete.len() == 1 { "round" } else { "rounds" },
        run.plan.command,
        run.machine.commit_line(),
        run.machine.line()
    )
}

/// What the porter wants to know first.
fn porting_headline(run: &Run) -> String {
    let table = porting::table(run, false);
    if table.is_empty() {
        return table;
    }
    let python = run.machine.python.as_ref().map(|python| format!("Run by {}.\n", python.line())).unwrap_or_default();
    format!(
        "Each Python program of the notebook, and how much faster and smaller the matching Rust strategy is.\n{python}\n\
         {table}\n{}The strategies among themselves:\n\n",
        porting::how_to_read(run)
    )
}
