//! The page of one run, and its headline.

use std::fmt::Write;
use std::path::Path;

use crate::answer::Answer;
use crate::contender::SEQUENTIAL;
use crate::memory::{Footprint, Peak};
use crate::number::{self, NOTHING};
use crate::porting;
use crate::record::{Ended, Measured, Plan, RecordError, Row, Run, Stage, write_whole};
use crate::standings::{Noise, Standing, Standings};
use crate::stats::{PAIRS_FOR_AN_INTERVAL, Ratio};
use crate::table::{Align, markdown};

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
    page += &cold_table(run, &standings);
    page += HOW_TO_READ;
    page += &porting_section(run);
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
    warnings.extend(run.machine.warnings());
    warnings
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
Cold is a whole process as hyperfine sees it, warm is the second and later batches of one process; both are medians, ± the
median distance from them. Speed-up and ÷ fastest compare runs of the same round; in brackets is the bootstrap's 95 %
interval. Rows that cannot be told apart from the row above share its rank. User and system time do not count children
that nobody waited for. Memory is the largest sum of PSS over the process tree, threads and processes are the most that
were seen at once (with ≥ if the process was gone after a few looks), keys in flight are what `wait` shows, and lines are
those of `src/` that hold code.

";

fn cold_table(run: &Run, standings: &Standings) -> String {
    if standings.rows.is_empty() {
        return "Nothing was timed.\n\n".to_owned();
    }
    let mut columns = vec![
        ("rank", Align::Right),
        ("strategy", Align::Left),
        ("cold", Align::Right),
        ("speed-up", Align::Right),
        ("÷ fastest", Align::Right),
        ("user", Align::Right),
        ("system", Align::Right),
        ("warm", Align::Right),
        ("peak memory", Align::Right),
        ("÷ output", Align::Right),
        ("threads", Align::Right),
        ("processes", Align::Right),
        ("keys in flight", Align::Right),
        ("lines", Align::Right),
    ];
    let row = |row: &Standing| {
        let peak = row.footprint.and_then(|footprint| footprint.peak);
        vec![
            row.rank.to_string(),
            row.name.clone(),
            number::time(row.cold),
            compared(row.speed_up, row.name == SEQUENTIAL, with_interval),
            compared(row.to_fastest, row.name == standings.rows[0].name, with_interval),
            number::short_time(row.user),
            number::short_time(row.system),
            or_nothing(row.warm, number::time),
            seen(peak, |peak| number::bytes(peak.pss_bytes)),
            to_output(row.footprint),
            seen(peak, |peak| peak.threads.to_string()),
            seen(peak, |peak| peak.processes.to_string()),
            or_nothing(row.footprint.and_then(|footprint| footprint.keys_in_flight), number::average),
            or_nothing(row.lines, |lines| lines.to_string()),
        ]
    };
    let mut rows: Vec<Vec<String>> = standings.rows.iter().map(row).collect();
    if porting::is_part_of(run) {
        columns.extend([("runs", Align::Right), ("note", Align::Left)]);
        for (cells, standing) in rows.iter_mut().zip(&standings.rows) {
            cells.extend(runs_and_note(run, &standing.name));
        }
    }
    format!("{}\n", markdown(&columns, &rows))
}

/// What differs between rows once there are some that are no strategies as they are.
fn runs_and_note(run: &Run, name: &str) -> [String; 2] {
    let measured = run.measured(name);
    let cold = measured.map_or(0, |measured| measured.cold.len());
    let warm: usize = measured.map_or(0, |measured| measured.warm.values().flat_map(Answer::warm_seconds).count());
    let note = run.row(name).zip(measured).and_then(|(row, measured)| porting::note(row, measured));
    [format!("{cold} + {warm}"), note.unwrap_or_default().to_owned()]
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
        format!("{HOW_TO_READ_NOTEBOOK}## From Python to Rust\n\n{table}\n{HOW_TO_READ_PORTING}")
    }
}

const HOW_TO_READ_NOTEBOOK: &str = "\
Rows marked Python are the notebook's programs, which draw from CPython's generator (`mt19937`); rows that end in
`.mt19937` are strategies that draw from it too, and have the same digest. Where numpy draws from its own, the bits are
other ones, and were compared among numpy's rows. Runs are cold runs + warm batches: a slow program has fewer, in rounds
spread over the run. Its lines are those of its file, without what the programs share.

";

const HOW_TO_READ_PORTING: &str = "\
How many times faster a strategy does the job, by the clock of the row, and how many times less memory it needs for it;
below 1 it is slower, or needs more. The same bits: both draw from CPython's generator, so that language and libraries are
all that differs. Its own generator: the strategy as it is everywhere else. Ratios compare runs of the same round; in
brackets is the bootstrap's 95 % interval, which with fewer than 6 runs is narrower than that.

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
    let load = |activity: Option<crate::machine::Activity>| optional(activity.map(|it| format!("{:.2}", it.load)));
    item("Load", &format!("{} before, {} after", load(machine.before), load(machine.after)));
    item("Stolen by the hypervisor", &optional(machine.stolen().map(number::percent)));
    item("Compiler", &optional(machine.rustc.clone()));
    item("Release profile", &optional(machine.profile.clone()));
    if let Some(flags) = &machine.rustflags {
        item("RUSTFLAGS", &format!("`{flags}`"));
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

/// The short table for the front page, with what made it below.
pub fn headline(run: &Run, link: &str) -> String {
    let columns = [
        ("strategy", Align::Left),
        ("cold", Align::Right),
        ("× sequential", Align::Right),
        ("warm", Align::Right),
        ("peak memory", Align::Right),
        ("lines", Align::Right),
    ];
    let row = |row: &Standing| {
        let peak = row.footprint.and_then(|footprint| footprint.peak);
        vec![
            row.name.clone(),
            number::time(row.cold),
            compared(row.speed_up, row.name == SEQUENTIAL, number::short_ratio),
            or_nothing(row.warm, |warm| number::short_time(warm.median)),
            seen(peak, |peak| number::bytes(peak.pss_bytes)),
            or_nothing(row.lines, |lines| lines.to_string()),
        ]
    };
    let standings = Standings::of(run);
    // The notebook's rows have a table of their own, and a strategy is here once.
    let is_strategy = |row: &&Standing| run.row(&row.name).is_none_or(|row| row.rng.is_none());
    let rows: Vec<Vec<String>> = standings.rows.iter().filter(is_strategy).map(row).collect();
    let mut headline = porting_headline(run);
    headline += &markdown(&columns, &rows);
    let _ = write!(
        headline,
        "\n{}, {} {}. Made by `{}`. Commit: {}. Machine: {}.\n[All columns, intervals and raw samples]({link})\n",
        title(&run.plan),
        run.complete.len(),
        if run.complete.len() == 1 { "round" } else { "rounds" },
        run.plan.command,
        run.machine.commit_line(),
        run.machine.line()
    );
    for warning in warnings(run) {
        let _ = write!(headline, "\n> **Warning:** {warning}.\n");
    }
    headline
}

/// What the porter wants to know first.
fn porting_headline(run: &Run) -> String {
    let table = porting::table(run, false);
    if table.is_empty() {
        return table;
    }
    let python = run.machine.python.as_ref().map(|python| format!("Run by {}.\n", python.line())).unwrap_or_default();
    format!(
        "From Python to Rust: the notebook's programs, and how many times faster and smaller the strategies are that do\n\
         the same.\n{python}\n{table}\nThe strategies among themselves:\n\n"
    )
}
