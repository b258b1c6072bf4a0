//! What can be asked for.

use std::num::NonZeroU32;
use std::path::PathBuf;

use bench::run::job::Job;
use clap::Parser;
use harness::JobOptions;

const EXAMPLES: &str = "\
Examples:
  scripts/compare.sh                                  the notebook's job, ten rounds of every strategy
  scripts/compare.sh --quick                          a tenth of the values and three rounds
  scripts/compare.sh --only rayon-iter,process-pool   these two and sequential
  scripts/compare.sh --workload sum --workers 4       pure compute on four workers
  scripts/compare.sh --python                         the notebook's Python programs as rows too
  scripts/compare.sh --publish                        a run to be committed: results/STAMP, and in the index
  scripts/compare.sh --report results/local/STAMP     remake the tables of a run from its raw samples
  scripts/compare.sh --splice results/STAMP           put a run's headline into README.md

Exit status:
  0 all rows were measured; 1 some failed, or an error; 2 wrong usage; 130 interrupted, with what was measured kept";

/// What has no effect where nothing is measured.
const NOTHING_MEASURED: [&str; 10] =
    ["report", "only", "python", "quick", "JobOptions", "rounds", "shuffle_seed", "publish", "out", "bin_dir"];

/// Measures every strategy in impls/ and writes results/local/STAMP/: tables, raw samples, the machine.
///
/// Builds all of them, checks that all compute the same bits, watches the memory of each, and then times them in shuffled
/// rounds. Ctrl-C keeps what was measured. Paths are taken from the folder that you are in.
#[derive(Clone, Debug, Parser)]
#[command(name = "compare", version, after_help = EXAMPLES, max_term_width = 120)]
pub(crate) struct Options {
    /// Measure these strategies alone, and sequential, which every ratio is taken to. With --python, programs of the
    /// notebook can be named too; if none is, all are measured.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub(crate) only: Vec<String>,

    /// Measure the programs in bench/notebook too, each beside the strategies that do the same in Rust, which are then
    /// measured with CPython's generator as well. What they need is installed in target/python, once. Another interpreter
    /// can be given: --python=python3.14t.
    #[arg(long, value_name = "PYTHON", num_args = 0..=1, require_equals = true, default_missing_value = "python3")]
    pub(crate) python: Option<String>,

    /// A tenth of the values and three rounds, unless --count and --rounds say otherwise.
    #[arg(long)]
    pub(crate) quick: bool,

    #[command(flatten)]
    job: JobOptions,

    /// How often every strategy is timed [default: 10; with --quick: 3].
    #[arg(long)]
    rounds: Option<NonZeroU32>,

    /// The seed of the order within the rounds [default: another one each time; it is recorded].
    #[arg(long, value_name = "SEED")]
    shuffle_seed: Option<u64>,

    /// Make the run's folder in results/, where runs are committed, and not in results/local/, which git ignores.
    #[arg(long, conflicts_with = "out")]
    pub(crate) publish: bool,

    /// Where the run's folder is made [default: results/local].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Measure the release binaries in DIR, each row named like its file, instead of building: for binaries that were
    /// carried to another machine.
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: Option<PathBuf>,

    /// Measure nothing; remake the page and the index from the raw samples of a run.
    #[arg(long, value_name = "RUN", exclusive = true)]
    pub(crate) report: Option<PathBuf>,

    /// Measure nothing; put the run's headline table between the markers in README.md.
    #[arg(long, value_name = "RUN", conflicts_with_all = NOTHING_MEASURED)]
    pub(crate) splice: Option<PathBuf>,

    /// With --splice: change nothing, and fail if README.md is not up to date.
    #[arg(long, requires = "splice", conflicts_with_all = NOTHING_MEASURED)]
    pub(crate) check: bool,
}

/// What was asked for cannot be done: the flag, and what it accepts.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Options {
    /// The job to be timed, with nothing left open.
    pub(crate) fn job(&self) -> Result<Job, Usage> {
        let options = self.job.clone();
        let job = Job::asked_for(&if self.quick { options.quick() } else { options }).map_err(Usage)?;
        match self.python {
            Some(_) => for_the_notebook(job),
            None => Ok(job),
        }
    }

    /// Ten rounds make a 95 % interval possible and take a few minutes; three are for a first look.
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.map_or(if self.quick { 3 } else { 10 }, NonZeroU32::get)
    }

    /// The given seed, or one that nobody chose.
    pub(crate) fn shuffle_seed(&self) -> u64 {
        let now = || jiff::Timestamp::now().subsec_nanosecond().unsigned_abs();
        self.shuffle_seed.unwrap_or_else(|| u64::from(now()))
    }
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
        options(arguments).job().unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_splice_measures_nothing_and_takes_no_flag_of_measuring() {
        assert!(Options::try_parse_from(["compare", "--splice", "x", "--check"]).is_ok());
        let command = Options::command();
        let flags = command.get_arguments().filter_map(|argument| argument.get_long());
        for flag in flags.filter(|flag| !["splice", "check", "help", "version"].contains(flag)) {
            let flag = format!("--{flag}");
            let value = (!["--quick", "--publish", "--python"].contains(&&*flag)).then_some("1");
            let arguments = ["compare", "--splice", "x", &flag].into_iter().chain(value);
            let error = Options::try_parse_from(arguments).unwrap_err();
            let known = [clap::error::ErrorKind::ArgumentConflict, clap::error::ErrorKind::InvalidValue];
            assert!(known.contains(&error.kind()), "{flag}: {error}");
        }
    }

    #[test]
    fn quick_is_a_tenth_unless_said_otherwise() {
        assert_eq!(job(&[]).count, 1_000_000);
        assert_eq!(job(&["--quick"]).count, 100_000);
        assert_eq!(job(&["--quick", "--workload", "wait"]).count, 100);
        assert_eq!(job(&["--quick", "--count", "7"]).count, 7);
        let rounds = |arguments| options(arguments).rounds();
        assert_eq!((rounds(&[]), rounds(&["--quick"]), rounds(&["--quick", "--rounds", "5"])), (10, 3, 5));
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
        let refused = |arguments| options(arguments).job().unwrap_err().to_string();
        assert!(options(&["--python"]).job().is_ok());
        assert!(options(&["--workload", "sum"]).job().is_ok(), "nobody asked for Python");
        let message = refused(&["--python", "--workload", "sum"]);
        assert_eq!(message, "--python needs --workload fill, not sum: the notebook has no other job");
        assert!(refused(&["--python", "--skew", "zipf"]).starts_with("--python needs --skew uniform"));
        assert!(refused(&["--python", "--rng", "mt19937"]).starts_with("--python needs --rng xoshiro"));
    }

    #[test]
    fn zero_of_anything_is_wrong_usage() {
        for flag in ["--workers", "--rounds"] {
            assert!(Options::try_parse_from(["compare", flag, "0"]).is_err(), "{flag}");
        }
        assert!(options(&["--keys", "0"]).job().unwrap_err().to_string().starts_with("--keys 0: "));
    }
}
