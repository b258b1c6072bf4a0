//! What can be asked for.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf, absolute};

use bench::entrants::contender;
use bench::numbers::stopping::{BUDGET, WITHIN};
use bench::process::tell::Usage;
use bench::run::allocator::Allocator;
use bench::run::folder;
use bench::run::job::Job;
use bench::run::plan::Stop;
use bench::run::sweep::{SWEEPS, Sweep, Timed};
use bench::sampling::own::Prepared;
use bench::sampling::{neighbour, pace, setup};
use bench::text::splice::Part;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use harness::JobOptions;

use crate::advise::Advise;

use crate::full;

const EXAMPLES: &str = "\
Examples:
  scripts/compare.sh                                  the notebook's job, until the ratios are known within 3 %
  scripts/compare.sh --quick                          a tenth of the values and three rounds
  scripts/compare.sh --only rayon-iter,process-pool   these two and sequential
  scripts/compare.sh --workload sum --workers 4       pure compute on four workers
  scripts/compare.sh --within 1% --budget 1h          narrower intervals, for as long as an hour
  scripts/compare.sh --python                         the notebook's Python programs as rows too
  scripts/compare.sh --allocator system,mimalloc      each strategy with mimalloc too
  scripts/compare.sh sweep allocators                 three allocators at blocks of 8 kB to 80 MB
  scripts/compare.sh sweep skew                       equal keys, and keys of which one holds half of all values
  scripts/compare.sh --job ../primes -- 50000         a job of your own, made from what stands after --
  scripts/compare.sh sweep scaling --job ../primes    the same with one worker, up to four on each CPU
  scripts/compare.sh --full --python                  this run and seven sweeps (all but allocators), in forty minutes
  scripts/compare.sh --quick --plan                   what that would measure, and for about how long
  scripts/compare.sh list                             the strategies, each in a line
  scripts/compare.sh --publish                        a run to be committed: results/STAMP, and in the index
  scripts/compare.sh --resume results/local/STAMP     go on with a run that was stopped
  scripts/compare.sh advise --keys 10000 --grain 50us which strategy to pick, and how long it will take
  scripts/compare.sh cmp results/A results/B          what is faster or slower in the second run
  scripts/compare.sh report results/local/STAMP       remake the tables of a run from its samples
  scripts/compare.sh open                             where the page of the newest run is
  scripts/compare.sh splice strategies results/STAMP  put a run's short table into README.md

Exit status:
  0 all rows were measured; 1 some failed, or an error; 2 wrong usage; 130 interrupted, with what was measured kept";

/// Of a subcommand that measures nothing.
const STATUS: &str = "Exit status: 0 it was done; 1 an error; 2 wrong usage";

/// Of one that does.
const STATUS_OF_A_RUN: &str = "\
Exit status:
  0 all rows were measured; 1 some failed, or an error; 2 wrong usage; 130 interrupted, with what was measured kept";

const STATUS_OF_A_CHECK: &str =
    "Exit status: 0 it was done; 1 an error, or with --check a document that is not up to date; 2 wrong usage";

/// Measures every strategy in impls/ and writes results/local/STAMP/: tables, samples, the machine.
///
/// Builds all of them, checks that all compute the same bits, watches the memory of each, and then times them in shuffled
/// rounds until the ratios are known as well as was asked for. A strategy that needs a program which is not on PATH is left out,
/// and its row says so. Ctrl-C keeps what was measured. Paths are taken from the folder that you are in.
#[derive(Clone, Debug, Parser)]
#[command(name = "compare", version, after_help = EXAMPLES, max_term_width = 120, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) measuring: Measuring,

    /// Measure the programs in bench/notebook too, each beside the strategies that do the same in Rust, which are then
    /// measured with CPython's generator as well. What they need is installed in target/python, once. Another interpreter
    /// can be given: --python=python3.14t.
    #[arg(long, value_name = "PYTHON", num_args = 0..=1, require_equals = true, default_missing_value = "python3")]
    #[arg(conflicts_with = "own")]
    python: Option<String>,

    /// Measure every sweep but allocators too, each in a folder below the run's: forty minutes on two CPUs, with --python.
    /// compare advise needs such a run. Of a job of your own: the sweeps that can be made of it, scaling and interference.
    #[arg(long)]
    pub(crate) full: bool,

    /// Go on with a run that was stopped, by its own flags. Nothing that it has is measured again. It takes --bin-dir,
    /// --python=PYTHON and --job PATH, if the run had them.
    #[arg(long, value_name = "RUN", conflicts_with_all = OF_THE_RUN)]
    pub(crate) resume: Option<PathBuf>,
}

/// What is measured, and for how long.
#[derive(Clone, Debug, Args)]
pub(crate) struct Measuring {
    /// Measure these strategies alone, and sequential, which every ratio is taken to. With --python, programs of the
    /// notebook can be named too; if none is, all are measured.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub(crate) only: Vec<String>,

    /// Measure each strategy with these allocators, every one but the system's as a row of its own, such as rayon-iter.mimalloc.
    /// They are built the first time, with a C compiler and make [default: system; of a sweep, its own].
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,…")]
    allocator: Vec<Allocator>,

    /// A tenth of the values and three rounds, unless --count, --rounds, --within or --budget say otherwise. Of a job of your own:
    /// the first look that half a minute has room for, of one to three rounds.
    #[arg(long)]
    pub(crate) quick: bool,

    #[command(flatten)]
    job: JobOptions,

    /// Measure a job of your own: the library crate at PATH, which declares it with fanout::job!. What stands after -- is for the
    /// job. docs/your-own-job.md says how to write one.
    #[arg(long = "job", value_name = "PATH", conflicts_with_all = OF_BUILT_IN)]
    pub(crate) own: Option<PathBuf>,

    /// Build the job with these features of its crate.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…", requires = "own", conflicts_with = "bin_dir")]
    pub(crate) features: Vec<String>,

    /// The job gives something else each time: outputs are not compared.
    #[arg(long, requires = "own")]
    pub(crate) not_deterministic: bool,

    /// What the job is made from
    #[arg(last = true, value_name = "ARGUMENTS", requires = "own")]
    pub(crate) arguments: Vec<String>,

    /// Time every strategy until each ratio to sequential and to the fastest is known within this percentage: ten rounds at least,
    /// or as many as the sweep says [default: 3%].
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    within: Option<f64>,

    /// Begin no round after this time, once there are as many [default: 15m; of a sweep, its own].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    budget: Option<f64>,

    /// Run exactly this many rounds [with --quick: 3].
    #[arg(long, conflicts_with_all = ["within", "budget"])]
    rounds: Option<NonZeroU32>,

    /// Print what would be measured, and for about how long, and measure nothing. Nothing is built either: how long is told if
    /// sequential is there to be run once.
    #[arg(long, conflicts_with = "own")]
    pub(crate) plan: bool,

    /// Time processes without touching memory before each: to see what that changes.
    #[arg(long)]
    pub(crate) no_condition: bool,

    /// The seed of the order within the rounds [default: another one each time; it is recorded].
    #[arg(long, value_name = "SEED")]
    shuffle_seed: Option<u64>,

    /// Make the run's folder in results/, where runs are committed, and not in results/local/, which git ignores.
    #[arg(long, conflicts_with = "out")]
    publish: bool,

    /// Where the run's folder is made [default: results/local].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Measure the release binaries in DIR, each row named like its file, instead of building: for binaries that were
    /// carried to another machine, those of a job of your own in target/jobs/NAME-…/target/release too. machine-limit and hyperfine are taken from there too. With --allocator, NAME.mimalloc is
    /// NAME with that allocator.
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: Option<PathBuf>,
}

/// What says which job is measured, if it is none of the reader's; and what none of the reader's can have.
const OF_BUILT_IN: [&str; 8] = ["workload", "keys", "count", "values", "output_bytes", "skew", "rng", "seed"];

/// What a run that goes on has already.
const OF_THE_RUN: [&str; 16] = [
    "full",
    "plan",
    "only",
    "features",
    "not_deterministic",
    "arguments",
    "allocator",
    "quick",
    "JobOptions",
    "within",
    "budget",
    "rounds",
    "no_condition",
    "shuffle_seed",
    "publish",
    "out",
];

/// What can be done without measuring.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure strategies at several jobs, for one question
    ///
    /// The flags are those of any run. The defaults are the sweep's own.
    #[command(after_help = STATUS_OF_A_RUN)]
    Sweep(Box<Swept>),
    /// List the strategies, each with what it does
    List,
    /// Print what a shell needs to complete this command
    ///
    /// For bash: source <(scripts/compare.sh completions bash)
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Remake the pages and the index from the samples of a run
    Report {
        /// The run's folder
        run: PathBuf,
    },
    /// Say what is faster or slower in the second of two runs
    Cmp {
        /// The first run's folder
        first: PathBuf,
        /// The second run's folder
        second: PathBuf,
    },
    /// Print where the page of a run is, for a browser
    Open {
        /// The run's folder [default: the newest in results/local or results]
        run: Option<PathBuf>,
    },
    /// Say which strategy to pick for a case, and how long it will take
    ///
    /// From a cost model that is fitted to a run with its sweeps.
    Advise(Box<Advise>),
    /// Put a part that is made from runs, or from code, into a document
    #[command(after_help = STATUS_OF_A_CHECK)]
    Splice(Splice),
    /// Keep one CPU busy until standard input ends: the neighbour of a sweep
    #[command(name = neighbour::SUBCOMMAND, hide = true)]
    Neighbour,
    /// Write once to so much memory: what is done before each timed process
    #[command(name = bench::sampling::condition::SUBCOMMAND, hide = true)]
    TouchMemory {
        /// How much
        bytes: u64,
    },
}

/// A run of several jobs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Swept {
    /// Which.
    #[arg(value_name = "SWEEP", value_parser = sweep, help = sweeps())]
    pub(crate) sweep: &'static Sweep,

    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// A part of a document that is made from runs, or from code.
#[derive(Clone, Debug, Args)]
pub(crate) struct Splice {
    /// Which part
    #[arg(value_enum)]
    pub(crate) part: Part,

    /// The run's folder; two for cmp, none for plain
    pub(crate) runs: Vec<PathBuf>,

    /// The document, which has the part's markers [default: README.md]
    #[arg(long, value_name = "FILE")]
    pub(crate) into: Option<PathBuf>,

    /// Change nothing, and fail if the document is not up to date
    #[arg(long)]
    pub(crate) check: bool,

    /// Show a run that should not be: one that was disturbed, or in which equal rows did not come out equal
    #[arg(long)]
    pub(crate) force: bool,
}

/// The command line. Every subcommand tells its exit statuses.
pub(crate) fn command() -> clap::Command {
    Options::command().mut_subcommands(|subcommand| match subcommand.get_after_help() {
        None => subcommand.after_help(STATUS),
        Some(_) => subcommand,
    })
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// What to print, which is no error if help was asked for.
    pub(crate) fn read() -> Result<Options, clap::Error> {
        let mut command = command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Options::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// The job to be timed, with nothing left open.
    pub(crate) fn job(&self, own: Option<&Prepared>) -> Result<Job, Usage> {
        let job = self.measuring.job(own)?;
        match self.python {
            Some(_) if !self.measuring.allocators(&[]).contains(&Allocator::System) => Err(Usage(
                "--python needs system among the names of --allocator: the notebook is compared with those rows"
                    .to_owned(),
            )),
            Some(_) => for_the_notebook(job),
            None => Ok(job),
        }
    }

    /// When there are rounds enough.
    pub(crate) fn stop(&self) -> Stop {
        let asked = self.measuring.stop();
        if !self.full || asked.rounds.is_some() {
            return asked;
        }
        Stop { least: Some(full::LEAST_ROUNDS), budget: self.measuring.budget.unwrap_or(full::BUDGET), ..asked }
    }

    /// The Python that runs the programs of the notebook, if they are asked for.
    pub(crate) fn interpreter(&self) -> anyhow::Result<Option<String>> {
        self.python.as_deref().map(setup::interpreter).transpose()
    }
}

impl Swept {
    /// The jobs to be timed, likewise.
    pub(crate) fn jobs(&self, own: Option<&Prepared>) -> Result<Vec<Job>, Usage> {
        self.sweep.jobs(&self.measuring.job(own)?, pace::seconds_per_value).map_err(Usage)
    }

    /// The strategies that are measured.
    pub(crate) fn only(&self) -> Vec<String> {
        match self.measuring.only.as_slice() {
            [] => self.sweep.only.iter().map(|name| (*name).to_owned()).collect(),
            only => only.to_vec(),
        }
    }

    /// When there are rounds enough.
    pub(crate) fn stop(&self) -> Stop {
        self.sweep.stop(self.measuring.stop(), self.measuring.budget)
    }
}

impl Measuring {
    /// How many keys may run at once, however many there are.
    pub(crate) fn workers(&self) -> Result<usize, Usage> {
        self.job.workers_for(usize::MAX).map(NonZeroUsize::get).map_err(Usage)
    }

    /// The job that is described, with nothing left open.
    fn job(&self, own: Option<&Prepared>) -> Result<Job, Usage> {
        if let Some(own) = own {
            return Ok(own.job(self.workers()?));
        }
        let options = self.job.clone();
        Job::asked_for(&if self.quick { options.quick() } else { options }).map_err(Usage)
    }

    /// The allocators, in their order, each once.
    pub(crate) fn allocators(&self, unless_named: &[Allocator]) -> Vec<Allocator> {
        let named = if self.allocator.is_empty() { unless_named } else { &self.allocator };
        let named: BTreeSet<Allocator> = named.iter().copied().collect();
        if named.is_empty() { vec![Allocator::System] } else { named.into_iter().collect() }
    }

    /// Whether nothing says how many rounds there are.
    pub(crate) fn is_open(&self) -> bool {
        self.rounds.is_none() && self.within.is_none() && self.budget.is_none()
    }

    /// When there are rounds enough. Three are for a first look.
    pub(crate) fn stop(&self) -> Stop {
        let asked = self.rounds.map(NonZeroU32::get);
        let open = self.within.is_some() || self.budget.is_some();
        let rounds = asked.or((self.quick && !open).then_some(3));
        Stop { rounds, least: None, within: self.within.unwrap_or(WITHIN), budget: self.budget.unwrap_or(BUDGET) }
    }

    /// The given seed, or one that nobody chose.
    pub(crate) fn shuffle_seed(&self) -> u64 {
        let now = || jiff::Timestamp::now().subsec_nanosecond().unsigned_abs();
        self.shuffle_seed.unwrap_or_else(|| u64::from(now()))
    }

    /// Where the folders of runs are made: in `results`, where runs are committed, only if that was asked for.
    pub(crate) fn results(&self, root: &Path) -> anyhow::Result<PathBuf> {
        let (flag, dir) = match &self.out {
            Some(dir) => ("--out: ", absolute(dir)?),
            None if self.publish => ("", root.join("results")),
            None => ("", root.join("results/local")),
        };
        folder::check_writable(&dir).map_err(|error| Usage(format!("{flag}no file can be made in {error}")))?;
        Ok(dir)
    }
}

/// All sweeps, each with what it does unless flags say otherwise.
fn sweeps() -> String {
    let line = |sweep: &Sweep| {
        let Sweep { name, about, only, timed, .. } = sweep;
        let only = if only.is_empty() { "all strategies".to_owned() } else { only.join(", ") };
        let rounds = match timed {
            Timed::Both { least_rounds, budget } => {
                format!("{least_rounds} rounds at least, and none begun after {} minutes", budget / 60.0)
            }
            Timed::FirstBatch { rounds } => format!("{rounds} rounds of first batches"),
        };
        format!("{name}: {about}; {only}; {rounds}")
    };
    SWEEPS.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A sweep by its name.
fn sweep(name: &str) -> Result<&'static Sweep, String> {
    let known: Vec<String> = SWEEPS.iter().map(|sweep| sweep.name.to_owned()).collect();
    Sweep::named(name).ok_or_else(|| match contender::nearest(name, &known) {
        Some(nearest) => format!("there is no such sweep; did you mean `{nearest}`?"),
        None => format!("there is no such sweep; there is {}", known.join(", ")),
    })
}

/// A share, given as a percentage.
pub(crate) fn share(text: &str) -> Option<f64> {
    let number = text.trim().trim_end_matches('%').trim();
    number.parse().ok().map(|percent: f64| percent / 100.0)
}

/// A share above 0 and below all.
fn percent(text: &str) -> Result<f64, String> {
    let share = share(text).filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "expected a percentage above 0 and below 100, such as 3%".to_owned())
}

/// Seconds.
pub(crate) fn duration(text: &str) -> Result<f64, String> {
    let seconds =
        text.parse::<jiff::SignedDuration>().ok().map(|time| time.as_secs_f64()).filter(|seconds| *seconds > 0.0);
    seconds.ok_or_else(|| "expected a time such as 90s, 15m or 1h30m".to_owned())
}

/// The job, if the notebook's programs can do it.
fn for_the_notebook(job: Job) -> Result<Job, Usage> {
    let needs = [("workload", &job.workload, "fill"), ("skew", &job.skew, "uniform"), ("rng", &job.rng, "xoshiro")];
    let Some((flag, given, needed)) = needs.into_iter().find(|(_, given, needed)| given != needed) else {
        return Ok(job);
    };
    let why = match flag {
        "rng" => "it measures every strategy with xoshiro, and those beside a program with mt19937 too",
        _ => "the notebook has no other job",
    };
    Err(Usage(format!("--python needs --{flag} {needed}, not {given}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn options(arguments: &[&str]) -> Options {
        Options::parse_from([&["compare"], arguments].concat())
    }

    fn job(arguments: &[&str]) -> Job {
        options(arguments).job(None).unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_subcommand_measures_nothing_and_takes_no_flag_of_measuring() {
        assert!(Options::try_parse_from(["compare", "splice", "strategies", "x", "--check"]).is_ok());
        for flags in [&["--quick"][..], &["--rounds", "3"], &["--publish"], &["--only", "x"]] {
            let before = [&["compare"], flags, &["report", "x"]].concat();
            assert!(Options::try_parse_from(before).is_err(), "{flags:?}");
            let after = [&["compare", "report", "x"], flags].concat();
            assert!(Options::try_parse_from(after).is_err(), "{flags:?}");
        }
    }

    #[test]
    fn a_run_that_goes_on_has_its_own_flags() {
        assert!(Options::try_parse_from(["compare", "--resume", "x", "--bin-dir", "y", "--python=z"]).is_ok());
        for flags in [&["--quick"][..], &["--rounds", "3"], &["--publish"], &["--keys", "3"], &["--within", "1%"]] {
            assert!(Options::try_parse_from([&["compare", "--resume", "x"], flags].concat()).is_err(), "{flags:?}");
        }
    }

    #[test]
    fn quick_is_a_tenth_unless_said_otherwise() {
        assert_eq!(job(&[]).count, 1_000_000);
        assert_eq!(job(&["--quick"]).count, 100_000);
        assert_eq!(job(&["--quick", "--workload", "wait"]).count, 100);
        assert_eq!(job(&["--quick", "--count", "7"]).count, 7);
    }

    #[test]
    fn rounds_are_fixed_or_go_on_until_it_is_enough() {
        let stop = |arguments| options(arguments).measuring.stop();
        let open = Stop { rounds: None, least: None, within: 0.03, budget: 900.0 };
        assert_eq!(stop(&[]), open);
        assert_eq!(stop(&["--quick"]), Stop { rounds: Some(3), ..open });
        assert_eq!(stop(&["--quick", "--rounds", "5"]), Stop { rounds: Some(5), ..open });
        assert_eq!(stop(&["--quick", "--within", "5%"]), Stop { within: 0.05, ..open });
        assert_eq!(stop(&["--within", "1.5", "--budget", "1h30m"]), Stop { within: 0.015, budget: 5400.0, ..open });
        assert_eq!(stop(&["--budget", "90s"]), Stop { budget: 90.0, ..open });
        for wrong in [&["--within", "0%"][..], &["--within", "many"], &["--budget", "-1s"], &["--budget", "soon"]] {
            assert!(Options::try_parse_from([&["compare"], wrong].concat()).is_err(), "{wrong:?}");
        }
        assert!(Options::try_parse_from(["compare", "--rounds", "3", "--within", "1%"]).is_err());
    }

    #[test]
    fn python_is_a_flag_that_may_name_an_interpreter() {
        let python = |arguments| options(arguments).python;
        assert_eq!(python(&[]), None);
        assert_eq!(python(&["--python", "--quick"]).as_deref(), Some("python3"));
        assert_eq!(python(&["--python=python3.14t"]).as_deref(), Some("python3.14t"));
    }

    #[test]
    fn the_notebook_has_one_job() {
        let refused = |arguments| options(arguments).job(None).unwrap_err().to_string();
        assert!(options(&["--python"]).job(None).is_ok());
        assert!(options(&["--workload", "sum"]).job(None).is_ok(), "nobody asked for Python");
        let message = refused(&["--python", "--workload", "sum"]);
        assert_eq!(message, "--python needs --workload fill, not sum: the notebook has no other job");
        assert!(refused(&["--python", "--skew", "zipf"]).starts_with("--python needs --skew uniform"));
        assert!(refused(&["--python", "--rng", "mt19937"]).starts_with("--python needs --rng xoshiro"));
    }

    #[test]
    fn allocators_are_named_once_and_the_systems_comes_first() {
        use Allocator::{Jemalloc, Mimalloc, System};
        let allocators = |arguments: &[&str]| options(arguments).measuring.allocators(&[]);
        assert_eq!(allocators(&[]), [System]);
        assert_eq!(allocators(&["--allocator", "jemalloc,system,jemalloc"]), [System, Jemalloc]);
        assert_eq!(allocators(&["--allocator", "mimalloc", "--allocator", "jemalloc"]), [Mimalloc, Jemalloc]);
        assert_eq!(
            options(&[]).measuring.allocators(Sweep::named("allocators").unwrap().allocators),
            [System, Mimalloc, Jemalloc]
        );
        let python = options(&["--python", "--allocator", "mimalloc"]).job(None).unwrap_err().to_string();
        assert!(python.starts_with("--python needs system among the names of --allocator"), "{python}");
        assert!(options(&["--python", "--allocator", "system,mimalloc"]).job(None).is_ok());
    }

    #[test]
    fn a_sweep_has_the_flags_of_a_run_and_other_defaults() {
        let swept = |arguments: &[&str]| match options(&[&["sweep", "allocators"], arguments].concat()).command {
            Some(Command::Sweep(swept)) => swept,
            other => panic!("{other:?}"),
        };
        let stop = |arguments: &[&str]| swept(arguments).stop();
        let open = Stop { rounds: None, least: Some(6), within: 0.03, budget: 720.0 };
        assert_eq!(stop(&[]), open);
        assert_eq!(stop(&["--budget", "1h"]), Stop { budget: 3600.0, ..open });
        assert_eq!(stop(&["--quick"]).rounds, Some(3));
        assert_eq!(stop(&["--rounds", "10"]).rounds, Some(10));
        assert_eq!(swept(&[]).only(), ["sequential", "std-counter", "rayon-iter", "process-pool"]);
        assert_eq!(swept(&["--only", "std-chunks"]).only(), ["std-chunks"]);
        let jobs = |arguments: &[&str]| swept(arguments).jobs(None).map(|jobs| jobs.len());
        assert_eq!((jobs(&[]).unwrap(), jobs(&["--quick"]).unwrap()), (5, 4));
        assert!(
            jobs(&["--workload", "sum"]).unwrap_err().to_string().starts_with("sweep allocators needs --workload fill")
        );
        for wrong in [&["sweep"][..], &["sweep", "allocator"], &["sweep", "x"], &["--quick", "sweep", "allocators"]] {
            assert!(Options::try_parse_from([&["compare"], wrong].concat()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_plan_is_of_a_new_run() {
        assert!(options(&["--plan", "--quick"]).measuring.plan);
        assert!(Options::try_parse_from(["compare", "--resume", "x", "--plan"]).is_err());
    }

    #[test]
    fn zero_of_anything_is_wrong_usage() {
        for flag in ["--workers", "--rounds"] {
            assert!(Options::try_parse_from(["compare", flag, "0"]).is_err(), "{flag}");
        }
        assert!(options(&["--keys", "0"]).job(None).unwrap_err().to_string().starts_with("--keys 0: "));
    }
}
