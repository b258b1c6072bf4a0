//! `compare advise`: which strategy to pick, and how long it will take.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bench::advice;
use bench::advice::agreement::agreement;
use bench::advice::answer::{Needs, Pictures, advise};
use bench::advice::case::Case;
use bench::advice::check::{self, Asked};
use bench::advice::model::Model;
use bench::entrants::selection::{self, Selection};
use bench::numbers::digits::short_time;
use bench::process::interrupt::Interrupt;
use bench::process::tell::{self, Usage};
use bench::report;
use bench::run::Run;
use bench::run::allocator::Allocator;
use bench::run::machine::Machine;
use bench::sampling::machine;
use clap::{Args, ValueEnum};
use harness::{SKEWS, skew_name, skew_named};
use workloads::Skew;

use crate::options;

/// A case, or a check of the model.
#[derive(Clone, Debug, Args)]
pub(crate) struct Advise {
    /// How many keys
    #[arg(long, required_unless_present_any = ["check", "agree"])]
    keys: Option<u64>,

    /// Average time of one key on one thread, sleep included: 50us, 2ms, 1.5s
    #[arg(long, value_parser = grain, required_unless_present_any = ["check", "agree"])]
    grain: Option<f64>,

    /// Bytes that each key returns
    #[arg(long, value_name = "BYTES", default_value_t = 8)]
    output_bytes: u64,

    /// How the work is shared out between the keys: uniform, zipf, one-huge or one-huge-last
    #[arg(long, value_parser = skew, default_value = "uniform")]
    skew: Skew,

    /// The share of a key that is asleep: 30%
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0%")]
    blocking: f64,

    /// How many keys may run at once [default: as many as in the run]
    #[arg(long)]
    workers: Option<std::num::NonZeroUsize>,

    /// A key may end its process, and the others must come back
    #[arg(long)]
    may_crash: bool,

    /// It is called from async code
    #[arg(long)]
    inside_tokio: bool,

    /// Pick a strategy that depends on no crate outside this workspace
    #[arg(long)]
    no_dependencies: bool,

    /// How the advice is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// The run it is taken from [default: the newest with all sweeps]
    #[arg(long)]
    run: Option<PathBuf>,

    /// Measure random cases, and compare them with what this run's model predicts
    #[arg(long, value_name = "RUN", conflicts_with_all = OF_A_CASE)]
    check: Option<PathBuf>,

    /// How many cases are checked [default: 40], or compared with --agree [default: 200]
    #[arg(long)]
    cases: Option<std::num::NonZeroUsize>,

    /// The seed of the cases
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// No case is begun after this
    #[arg(long, value_parser = options::duration, default_value = "5m", requires = "check")]
    budget: f64,

    /// Check the release binaries in DIR instead of building them
    #[arg(long, value_name = "DIR", requires = "check")]
    bin_dir: Option<PathBuf>,

    /// Say in how many random cases two runs pick the same
    #[arg(long, value_names = ["RUN_A", "RUN_B"], num_args = 2, conflicts_with_all = OF_A_CASE, conflicts_with = "check")]
    agree: Vec<PathBuf>,
}

/// What describes a case.
const OF_A_CASE: [&str; 11] = [
    "keys",
    "grain",
    "output_bytes",
    "skew",
    "blocking",
    "workers",
    "may_crash",
    "inside_tokio",
    "no_dependencies",
    "format",
    "run",
];

/// How advice is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Sentences
    Text,
    /// One object
    Json,
}

/// Advises, or checks the advice.
pub(crate) fn run(asked: &Advise, root: &Path, listen: impl Fn() -> Result<Interrupt>) -> Result<u8> {
    match (&asked.check, asked.agree.as_slice()) {
        (Some(dir), _) => check_model(asked, dir, root, &listen()?)?,
        (None, [first, second]) => compare(asked, first, second)?,
        _ => answer(asked, root)?,
    }
    Ok(0)
}

/// Stores the model of the run in `dir`, if it has all sweeps that one needs.
pub(crate) fn store(dir: &Path) {
    if !advice::has_sweeps(dir) {
        return;
    }
    // A run with failed rows has a page, which says what is missing; so has one with a sweep that cannot be read.
    if let Err(error) = advice::store(dir) {
        tell::warn(format_args!("there is no advice: {error}"));
    }
}

/// Prints the advice for a case.
fn answer(asked: &Advise, root: &Path) -> Result<()> {
    // What cannot be is said before a run is looked for.
    let (keys, grain) = (asked.keys.unwrap_or(0), asked.grain.unwrap_or(0.0));
    if keys == 0 {
        return Err(Usage("--keys 0: there is nothing to run; expected a whole number from 1".to_owned()).into());
    }
    let dir = match &asked.run {
        Some(dir) => dir.clone(),
        None => advice::newest(root).ok_or_else(|| {
            Usage("there is no run with sweeps in results; `compare --full` makes one, and --run names one".to_owned())
        })?,
    };
    let model = model("--run", &dir)?;
    let workers = asked.workers.map_or(model.workers, std::num::NonZeroUsize::get);
    let case =
        Case { keys, grain, output_bytes: asked.output_bytes, skew: asked.skew, blocking: asked.blocking, workers };
    let (needed, memory) =
        (u128::from(keys) * u128::from(asked.output_bytes), model.memory_bytes.map_or(u128::MAX, u128::from));
    if needed > memory {
        let bytes = asked.output_bytes;
        return Err(Usage(format!(
            "--output-bytes {bytes}: {keys} outputs are {needed} bytes, and the machine of the run has {memory}"
        ))
        .into());
    }
    let needs =
        Needs { may_crash: asked.may_crash, inside_tokio: asked.inside_tokio, no_dependencies: asked.no_dependencies };
    let canonical = dir.canonicalize().unwrap_or_else(|_| dir.clone());
    let pictures = Pictures::of(&dir, &selection::shown(root, &canonical));
    let advice = advise(&model, &case, needs, &pictures).map_err(|error| Usage(error.to_string()))?;
    let text = match asked.format {
        Format::Text => advice.text(&case),
        Format::Json => serde_json::to_string_pretty(&advice)? + "\n",
    };
    tell::print(&text).context("standard output")
}

/// Measures fresh cases, prints what was predicted beside what was measured, and stores both with the run.
fn check_model(asked: &Advise, dir: &Path, root: &Path, interrupt: &Interrupt) -> Result<()> {
    let model = model("--check", dir)?;
    if let Some([there, here]) = other_machine(dir, root)? {
        tell::warn(format_args!("the run was measured on another machine, {there}; this one is {here}"));
    }
    let only: Vec<String> = Vec::new();
    let selection = Selection::of(&only, root, false)?;
    let contenders = match &asked.bin_dir {
        Some(bin_dir) => {
            let bin_dir = crate::folder("--bin-dir", bin_dir)?;
            let names = selection.carried(&bin_dir, root)?.told();
            selection::carried(&bin_dir, root, &names, &[Allocator::System])?
        }
        None => {
            let names = selection.in_source(root)?.told();
            let built = selection::built(root, &names, &[Allocator::System], interrupt);
            interrupt.check()?;
            built?
        }
    };
    let cases = asked.cases.map_or(40, std::num::NonZeroUsize::get);
    let asked =
        Asked { cases, seed: asked.seed, budget: Duration::try_from_secs_f64(asked.budget).unwrap_or(Duration::MAX) };
    let check = check::check(&model, &contenders.contenders, asked, interrupt)?;
    if check.checked.is_empty() {
        bail!("no case could be measured");
    }
    check.write(dir)?;
    report::write(dir)?;
    tell::print(&check.text()).context("standard output")
}

/// The machine of the run in `dir` and this one, if they are not of the same kind.
fn other_machine(dir: &Path, root: &Path) -> Result<Option<[String; 2]>> {
    let kind = |machine: &Machine| (machine.cpu.clone(), machine.cpus_available, machine.cpu_quota);
    let (there, here) = (Run::read(dir)?.machine, machine::inspect(root, root, None, String::new(), None));
    Ok((kind(&there) != kind(&here)).then(|| [there.line(), here.line()]))
}

/// Says in how many cases the models of two runs pick the same.
fn compare(asked: &Advise, first: &Path, second: &Path) -> Result<()> {
    let (first, second) = (model("--agree", first)?, model("--agree", second)?);
    let cases = asked.cases.map_or(200, std::num::NonZeroUsize::get);
    let agreement = agreement(&first, &second, cases, asked.seed);
    let mut text = format!(
        "{} cases: {} with the same pick, {} with picks that may be equally fast, {} with others\n",
        agreement.cases,
        agreement.same,
        agreement.overlapping,
        agreement.disagreements.len()
    );
    for (case, one, other) in &agreement.disagreements {
        let Case { keys, grain, output_bytes, skew, blocking, workers } = case;
        let (grain, skew, asleep) = (short_time(*grain), skew_name(*skew), 100.0 * blocking);
        text += &format!(
            "- {keys} keys of {grain}, {asleep:.0} % asleep, {skew}, {output_bytes} bytes, {workers} workers: {one}, {other}\n"
        );
    }
    tell::print(&text).context("standard output")
}

/// The model of the run in `dir`. Whatever is wrong with the folder is wrong usage.
fn model(flag: &str, dir: &Path) -> Result<Model, Usage> {
    crate::folder(flag, dir)?;
    advice::load(dir).map_err(|error| Usage(format!("{flag}: {error}")))
}

/// Seconds, above 0. Of a nanosecond, parts count too.
fn grain(text: &str) -> Result<f64, String> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let parsed = UNITS.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
        (number.is_finite() && number > 0.0).then_some(number * seconds)
    });
    parsed.ok_or_else(|| "expected a time above 0 such as 50us, 2ms or 1.5s".to_owned())
}

/// A share that may be nothing or all.
fn share(text: &str) -> Result<f64, String> {
    let share = options::share(text).filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a percentage from 0% to 100%, such as 30%".to_owned())
}

/// A skew by its name.
fn skew(name: &str) -> Result<Skew, String> {
    let known = || SKEWS.map(skew_name).join(", ");
    skew_named(name).ok_or_else(|| format!("there is no such skew; there is {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Command, Options};
    use clap::Parser;

    fn advise(arguments: &[&str]) -> Result<Advise, String> {
        let parsed = Options::try_parse_from([&["compare", "advise"], arguments].concat());
        match parsed.map_err(|error| harness::one_line(&error))?.command {
            Some(Command::Advise(advise)) => Ok(*advise),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_case_is_read_from_its_flags() {
        let asked = advise(&["--keys", "10", "--grain", "1.5ms", "--skew", "zipf", "--blocking", "30%"]).unwrap();
        assert_eq!((asked.keys, asked.grain, asked.skew), (Some(10), Some(1.5e-3), Skew::Zipf));
        assert!((asked.blocking - 0.3).abs() < 1e-9 && asked.output_bytes == 8 && asked.workers.is_none());
        for (text, seconds) in [("62ns", 62e-9), ("50us", 50e-6), ("50 µs", 50e-6), ("2s", 2.0), ("5m", 300.0)] {
            assert!((grain(text).unwrap() / seconds - 1.0).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_in_one_line() {
        let refused = |arguments: &[&str]| advise(arguments).unwrap_err();
        for wrong in ["0s", "0", "-1ms", "50", "soon", "infs", "NaNs"] {
            let error = refused(&["--keys", "10", &format!("--grain={wrong}")]);
            assert!(error.contains("--grain") && error.contains("above 0") && !error.contains('\n'), "{error}");
        }
        for wrong in ["300%", "-1%", "much"] {
            let error = refused(&["--keys", "10", "--grain", "1ms", &format!("--blocking={wrong}")]);
            assert!(error.contains("--blocking") && error.contains("from 0% to 100%"), "{error}");
        }
        assert!(refused(&["--grain", "1ms"]).contains("--keys"));
        assert!(refused(&["--keys", "1", "--grain", "1ms", "--skew", "bent"]).contains("one-huge-last"));
        assert!(refused(&["--keys", "1", "--grain", "1ms", "--workers", "0"]).contains("--workers"));
    }

    #[test]
    fn a_run_that_gives_no_advice_is_wrong_usage() {
        let refused = |dir: &Path| model("--run", dir).unwrap_err().to_string();
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/run");
        assert!(refused(&recorded).ends_with("it has no sweep grain; `compare --full` measures them all"));
        let foreign = tempfile::tempdir().unwrap();
        assert!(refused(foreign.path()).contains("run.json: No such file"));
        std::fs::write(foreign.path().join("run.json"), r#"{"format": 2, "#).unwrap();
        assert!(refused(foreign.path()).contains("run.json: EOF"));
        assert!(refused(&foreign.path().join("gone")).starts_with("--run "));
    }

    #[test]
    fn a_check_takes_no_case() {
        assert!(advise(&["--check", "x", "--cases", "3", "--budget", "1m"]).is_ok());
        assert!(advise(&["--agree", "x", "y", "--seed", "3"]).is_ok());
        for wrong in [&["--check", "x", "--keys", "1"][..], &["--agree", "x"], &["--agree", "x", "y", "--check", "z"]] {
            assert!(advise(wrong).is_err(), "{wrong:?}");
        }
    }
}
