//! The page of one run.

use std::fmt::Write;

use crate::numbers::curves::Figure;
use crate::numbers::standings::{Control, Standing, Standings};
use crate::numbers::stopping;
use crate::numbers::views::View;
use crate::numbers::{porting as ported, stats};
use crate::run::job::Job;
use crate::run::machine::{Activity, Others};
use crate::run::plan::{CONTROL, Cell, Own, Row, SEQUENTIAL};
use crate::run::sample::Stage;
use crate::run::sweep::Sweep;
use crate::run::{Measured, Run};
use crate::text::number::{self, NOTHING};
use crate::text::table::{Align, markdown};
use crate::text::{
    compared, doubts, jobs, or_nothing, own, porting, seen, strategies, survives, sweep, title, to_output, views,
};

/// What a terminal shows at the end of a run.
pub fn tables(run: &Run) -> String {
    if run.plan.has_several_jobs() {
        return sweep::part(run);
    }
    let others = if run.plan.has_allocators() { sweep::one_job(run) } else { String::new() };
    let advice = if run.plan.own.is_some() { own::advice(run, run.advised.as_ref()) } else { String::new() };
    format!("{}{others}{}{advice}", porting::table(run), strategies::table(run))
}

/// The page, without pictures.
pub fn render(run: &Run) -> String {
    with_pictures(run, &[], &[])
}

/// The page with these pictures of the run in it, and with its sweeps, each with its pictures.
pub fn with_pictures(run: &Run, pictures: &[&Figure], sweeps: &[(&Run, Vec<&Figure>)]) -> String {
    let several = run.plan.has_several_jobs();
    let standings = Standings::of(run);
    let mut page = format!("# {}\n\n", title(&run.plan));
    for doubt in doubts::of(run) {
        page += &format!("> **Warning:** {doubt}.\n\n");
    }
    page += "Made by `compare` from the other files in this folder; `compare report` makes it again.\n\n";
    if several {
        page += &pictures_section(pictures, "");
        page += &sweep_section(run);
        page += &alone_section(run);
        page += &wide_section(run);
        page += &outliers_section(&standings);
    } else {
        page += &main_table(run, &standings);
        page += &pictures_section(pictures, "");
        page += &sweeps.iter().map(|(sweep, pictures)| below_section(sweep, pictures)).collect::<String>();
        page += &wide_section(run);
        page += &own_section(run);
        page += &porting_section(run);
        page += &allocators_section(run);
        page += &warm_table(&standings);
        page += &use_table(&standings);
        page += &outliers_section(&standings);
    }
    page += &failed_table(run);
    page += &not_measured_table(run);
    page += &control_section(standings.control, several);
    page += &provenance(run);
    page
}

/// Pictures that are in `dir`, seen from the page.
fn pictures_section(pictures: &[&Figure], dir: &str) -> String {
    pictures.iter().map(|figure| format!("{}\n\n", views::picture(figure, dir))).collect()
}

/// A sweep of this run: its pictures, and where its tables are.
fn below_section(sweep: &Run, pictures: &[&Figure]) -> String {
    let Some(name) = &sweep.plan.sweep else { return String::new() };
    let about = Sweep::named(name).map(|asked| asked.asks(sweep.plan.job())).unwrap_or_default();
    let dir = format!("{name}/");
    let pictures = pictures_section(pictures, &dir);
    let title = capitalised(name);
    format!("## {title}\n\nThe sweep over {about}. [Its tables and samples]({dir}README.md)\n\n{pictures}")
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

const HOW_TO_READ: &str = "\
Time is a whole process as hyperfine sees it: the median, ± the median distance from it. × sequential and ÷ fastest are ratios of
these medians, with a 95 % interval in brackets. Rank is 1 + the number of rows that are clearly faster.";

const OF_THE_LIMIT: &str = " Of the limit says how
much of what this machine can do a strategy reaches: a program that writes the same blocks on as many threads and computes
nothing is the limit; `sequential` is held against the same program on one thread.";

const MAKES_THE_JOB: &str = " Each process
makes the job from its arguments first; a warm batch, below, does not.";

const HOW_TO_READ_MEMORY: &str = " Memory is the largest sum of PSS over the
process tree, with ≥ if the process was gone after a few looks. METHODOLOGY.md says how each is measured.

";

fn main_table(run: &Run, standings: &Standings) -> String {
    if standings.rows.is_empty() {
        return "Nothing was timed.\n\n".to_owned();
    }
    let columns = [
        ("rank", Align::Right),
        ("strategy", Align::Left),
        ("time", Align::Right),
        ("× sequential", Align::Right),
        ("÷ fastest", Align::Right),
        ("of the limit", Align::Right),
        ("memory", Align::Right),
    ];
    let row = |row: &Standing| {
        vec![
            or_nothing(row.rank, |rank| rank.to_string()),
            row.name.clone(),
            number::time(row.cold),
            compared(row.speed_up, row.name == SEQUENTIAL, number::ratio),
            compared(row.to_fastest, row.name == standings.rows[0].name, number::ratio),
            or_nothing(row.of_limit, number::whole_percent),
            seen(row.peak(), |peak| number::bytes(peak.pss_bytes)),
        ]
    };
    let rows: Vec<Vec<String>> = standings.rows.iter().map(row).collect();
    let (columns, rows) = strategies::of_job(run, &columns, rows);
    let of_limit = if run.plan.own.is_some() { MAKES_THE_JOB } else { OF_THE_LIMIT };
    let limits = strategies::limits(standings);
    format!("{}\n{limits}{HOW_TO_READ}{of_limit}{HOW_TO_READ_MEMORY}", markdown(&columns, &rows))
}

const HOW_TO_READ_SWEEP: &str = "\
A column is one job. Where it is a size of a key's output, all of them hold the same number of values, shared out among fewer keys
the larger they are. A row is a strategy, and the allocator that its program was built with; one without a name after the dot has the system's.
Each figure is a median, ± the median distance from it. Cold is what hyperfine sees of a whole process; warm and drop are the
strategy's own clock around the second and later batches of one process, and around giving each batch back. Memory is the
largest sum of PSS over the process tree, digest included, with ≥ if the process was gone after a few looks. METHODOLOGY.md says
how each is measured.

";

/// Several jobs: a table for each question.
fn sweep_section(run: &Run) -> String {
    if !run.is_timed() {
        return "Nothing was timed.\n\n".to_owned();
    }
    let list = jobs::list(run);
    let of_each_job = || {
        let tables = sweep::tables(run, true);
        if tables.is_empty() { tables } else { format!("{tables}{HOW_TO_READ_SWEEP}") }
    };
    let Some(view) = View::of(run) else { return format!("{}{list}", of_each_job()) };
    let tables = views::tables(&view);
    if tables.is_empty() {
        return format!("{}\n\n{}{list}", views::nothing(&view), of_each_job());
    }
    // A view is of the system's allocator alone.
    let others = if run.plan.has_allocators() { of_each_job() } else { String::new() };
    let list = if views::describes_jobs(&view, run.plan.jobs().count()) { String::new() } else { list };
    format!("{tables}{}{others}{list}", views::how_to_read(&view))
}

const HOW_TO_READ_ALLOCATORS: &str = "\
A row with a name after the dot is a strategy whose program was built with that allocator. × system compares it, warm, with the
same strategy on the system's. In the other tables × sequential is to `sequential` on the system's
allocator, and a rank of such a row is among all rows.

";

/// The allocators of a run of one job.
fn allocators_section(run: &Run) -> String {
    let table = if run.plan.has_allocators() { sweep::one_job(run) } else { String::new() };
    if table.is_empty() { table } else { format!("## Allocators\n\n{table}{HOW_TO_READ_ALLOCATORS}") }
}

/// The rows that are not known as well as was asked for.
fn wide_section(run: &Run) -> String {
    let Some(&last) = run.rounds.keys().last().filter(|_| run.plan.has_cold_runs()) else { return String::new() };
    let wide = stopping::wide(run, last, true);
    // With too few rounds for any interval, there is a warning instead.
    if !wide.is_empty() && wide.iter().all(|row| row.margin.is_none()) {
        return String::new();
    }
    if wide.is_empty() {
        return format!("All ratios to `sequential` and to the fastest row are known within {}.\n\n", within(run));
    }
    let named: Vec<String> =
        wide.into_iter().map(|row| format!("{} ({})", row.name, or_nothing(row.margin, number::margin))).collect();
    let asked = if run.plan.stop.rounds.is_some() { "" } else { ", which was asked for" };
    format!("Not known within {}{asked}: {}.\n\n", within(run), named.join(", "))
}

fn within(run: &Run) -> String {
    number::percent(run.plan.stop.within)
}

const HOW_TO_READ_USE: &str = "\
Runs are cold runs + warm batches. User and system time are of a cold run, without children that nobody waited for. Threads
and processes are the most that were seen at once. Keys in flight are what `wait` shows. Other keys survive what was tried: a
key that panics, one that aborts, and one that never ends, where the strategy keeps a deadline. Lines are those of a strategy's
`src/lib.rs` that hold code.

";

/// What the times do not say.
fn use_table(standings: &Standings) -> String {
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
        ("other keys survive", Align::Left),
        ("lines", Align::Right),
    ];
    let row = |row: &Standing| {
        vec![
            row.name.clone(),
            format!("{} + {}", row.runs, row.warm_batches),
            number::short_time(row.user),
            number::short_time(row.system),
            to_output(row.footprint),
            seen(row.peak(), |peak| peak.threads.to_string()),
            seen(row.peak(), |peak| peak.processes.to_string()),
            or_nothing(row.footprint.and_then(|footprint| footprint.keys_in_flight), number::average),
            or_nothing(row.survival, survives),
            or_nothing(row.lines, |lines| lines.to_string()),
        ]
    };
    let rows: Vec<Vec<String>> = standings.rows.iter().map(row).collect();
    format!("## What each row used\n\n{HOW_TO_READ_USE}{}\n", markdown(&columns, &rows))
}

const HOW_TO_READ_WARM: &str = "\
Medians on the strategy's own clock. Warm is the second and later batches of one process; × sequential is the ratio of warm
times, with a 95 % interval.

";

fn warm_table(standings: &Standings) -> String {
    let columns = [
        ("strategy", Align::Left),
        ("warm", Align::Right),
        ("× sequential", Align::Right),
        ("start", Align::Right),
        ("first run", Align::Right),
        ("drop", Align::Right),
        ("stop", Align::Right),
    ];
    let row = |row: &Standing| {
        let phases = row.phases?;
        let [start, first_run, drop, stop] =
            [phases.start, phases.first_run, phases.drop, phases.stop].map(number::short_time);
        let speed_up = compared(row.warm_speed_up, row.name == SEQUENTIAL, number::ratio);
        Some(vec![row.name.clone(), or_nothing(row.warm, number::time), speed_up, start, first_run, drop, stop])
    };
    let rows: Vec<Vec<String>> = standings.rows.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("## Inside one process\n\n{HOW_TO_READ_WARM}{}\n", markdown(&columns, &rows))
}

/// Runs far beyond the spread. They count in the medians as all others do.
fn outliers_section(standings: &Standings) -> String {
    let shown = |(round, time): &(u32, f64)| format!("{} in round {round}", number::short_time(*time));
    let outliers = standings.rows.iter().filter(|row| !row.outliers.is_empty());
    let lines: Vec<String> = outliers
        .map(|row| format!("- {}: {}\n", row.name, row.outliers.iter().map(shown).collect::<Vec<_>>().join(", ")))
        .collect();
    let slow =
        standings.rows.iter().filter_map(|row| Some(format!("{} ({})", row.name, number::short_time(row.slow_start?))));
    let slow: Vec<String> = slow.collect();
    let mut section = String::new();
    if !lines.is_empty() {
        section += &format!("Far slower than the row's other runs, and counted with them:\n\n{}\n", lines.concat());
    }
    if !slow.is_empty() {
        section += &format!("So slow in the discarded first round, too: {}.\n\n", slow.join(", "));
    }
    if section.is_empty() { section } else { format!("## Outliers\n\n{section}") }
}

fn failed_table(run: &Run) -> String {
    let columns = [
        ("strategy", Align::Left),
        ("when", Align::Left),
        ("what", Align::Left),
        ("ended with", Align::Left),
        ("last line of stderr", Align::Left),
    ];
    let row = |(cell, measured): (&Cell, &Measured)| {
        let failure = measured.failure.as_ref()?;
        let stage = match failure.stage {
            Stage::Build => "build",
            Stage::Verify => "before timing",
            Stage::Memory => "memory pass",
            Stage::Cold => "cold run",
            Stage::Warm => "warm runs",
        };
        let when = match failure.round {
            None => stage.to_owned(),
            Some(0) => format!("{stage} of the discarded round"),
            Some(round) => format!("{stage} of round {round}"),
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| NOTHING.to_owned());
        Some(vec![cell.name.clone(), when, failure.message.clone(), text(&failure.exit), text(&failure.stderr)])
    };
    let rows: Vec<Vec<String>> = run.plan.cells.iter().zip(&run.measured).filter_map(row).collect();
    if rows.is_empty() { String::new() } else { format!("## Failed\n\n{}\n", markdown(&columns, &rows)) }
}

/// What keys of the reader's job take alone, and what was said of it beforehand.
fn own_section(run: &Run) -> String {
    let alone = alone_section(run);
    if alone.is_empty() {
        return alone;
    }
    format!("{alone}## What `advise` said\n\n{}\n", own::advice(run, run.advised.as_ref()))
}

/// What keys of the reader's job take alone.
fn alone_section(run: &Run) -> String {
    let Some(alone) = &run.alone else { return String::new() };
    let told: String = own::told(alone).lines().map(|line| format!("- {line}\n")).collect();
    format!("## One key alone\n\n{told}\n")
}

/// The notebook's programs beside their strategies.
fn porting_section(run: &Run) -> String {
    let table = porting::table(run);
    if table.is_empty() { table } else { format!("## From Python to Rust\n\n{table}{HOW_TO_READ_NOTEBOOK}") }
}

const HOW_TO_READ_NOTEBOOK: &str = "\
Rows that begin with `python-` or `numpy-` are the notebook's programs, which draw from CPython's generator (`mt19937`). Rows
that end in `.mt19937` are strategies that draw from it too, and have the same digest. Rows that end in `.default_rng` draw
from numpy's own generator, and were compared with each other. A slow program is timed in the first ten rounds alone. Its lines
are those of its file, without what the programs share.

";

/// Rows that could not even be tried here, which says nothing about them.
fn not_measured_table(run: &Run) -> String {
    let columns = [("row", Align::Left), ("why", Align::Left)];
    let row = |row: &Row| Some(vec![row.name.clone(), row.not_measured.clone()?]);
    let rows: Vec<Vec<String>> = run.plan.rows.iter().filter_map(row).collect();
    if rows.is_empty() { String::new() } else { format!("## Not measured\n\n{}\n", markdown(&columns, &rows)) }
}

fn control_section(control: Option<Control>, several: bool) -> String {
    let at = if several { " at each job, for a cold run, and each of the two summed up in each round" } else { "" };
    let Some(control) = control else { return String::new() };
    let verdict = match (control.objection(), control.ratio.interval) {
        (Some(why), _) => format!("{why}: see the warning above"),
        (None, Some(_)) => "equal rows came out equal".to_owned(),
        (None, None) => "too few rounds to tell more".to_owned(),
    };
    format!(
        "## Control\n\n`sequential` was entered twice{at}. The second takes {} the time of the first: {verdict}.\n\n",
        number::ratio(control.ratio)
    )
}

fn provenance(run: &Run) -> String {
    let (plan, machine) = (&run.plan, &run.machine);
    let mut section = String::from("## How it was made\n\n");
    let mut item = |name: &str, value: &str| {
        let _ = writeln!(section, "- {name}: {value}");
    };
    item("Command", &format!("`{}`", plan.command));
    if let (Some(own), Some(job)) = (&plan.own, plan.job()) {
        item("Job", &own_job(own, job));
    }
    item("Commit", &machine.commit_line());
    item("Started", &plan.stamp);
    let rounds = match plan.stop.rounds {
        Some(rounds) => format!("{} of {rounds}", run.rounds.len()),
        None => format!("{}, until within {} or for {} s", run.rounds.len(), within(run), plan.stop.budget),
    };
    let is_discarded = run.measured.iter().any(|measured| measured.discarded.is_some());
    let discarded = if is_discarded { ", after one that was discarded" } else { "" };
    item("Rounds", &format!("{rounds}, shuffled with seed {}{discarded}", plan.shuffle_seed));
    item("Memory touched before each timed process", if plan.condition { "yes" } else { "no" });
    let process = if plan.has_cold_runs() { "warm process" } else { "process" };
    item(&format!("Batches per {process}"), &plan.repeat.to_string());
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
    let load = |activity: Option<Activity>| optional(activity.map(|it| format!("{:.2}", it.load)));
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
    for cell in plan.cells.iter().filter(|cell| cell.row != CONTROL) {
        let _ = writeln!(section, "{}", cell.command);
    }
    section + "```\n"
}

/// Where a job of the reader's is, what it was made from, and whether all gave the same.
fn own_job(own: &Own, job: &Job) -> String {
    let arguments = job.own.as_ref().map(|own| own.arguments.as_slice()).unwrap_or_default();
    let made_from =
        if arguments.is_empty() { String::new() } else { format!(", made from `{}`", shell_words::join(arguments)) };
    let features = if own.features.is_empty() { String::new() } else { format!(", with {}", own.features.join(", ")) };
    let compared =
        if own.is_compared { "" } else { ". It gives something else each time, so outputs were not compared" };
    format!("`{}` in {}{made_from}{features}{compared}", job.workload, own.place)
}

/// What others used in the middle one of the rounds.
fn others_used(run: &Run) -> String {
    let median = |share: fn(&Others) -> f64| {
        stats::median(run.rounds.values().filter_map(|round| round.others.as_ref().map(share)))
    };
    let others = median(|others| others.busy).zip(median(|others| others.stolen));
    or_nothing(others, |(busy, stolen)| Others { busy, stolen }.used())
}

/// The digest that all rows of a generator have.
fn digests(run: &Run) -> Vec<(String, String)> {
    if !run.plan.is_compared() {
        return Vec::new();
    }
    let mut digests: Vec<(String, String)> = Vec::new();
    let several = run.whole().any(|(cell, _)| ported::is_counterpart(run, cell));
    for (cell, measured) in run.whole() {
        let of = match several {
            _ if run.plan.has_several_jobs() => format!("Digest of all rows at `#{}`", cell.at + 1),
            false => "Digest of all rows".to_owned(),
            true => format!("Digest of all rows with `--rng {}`", cell.job.rng),
        };
        if let Some(digest) = measured.verified.as_ref().and_then(|answer| answer.report.digest.clone())
            && !digests.iter().any(|(known, _)| *known == of)
        {
            digests.push((of, digest));
        }
    }
    digests
}
