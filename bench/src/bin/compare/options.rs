//! What can be asked for.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use bench::job::Job;
use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  scripts/compare.sh                                  the notebook's job, ten rounds of every strategy
  scripts/compare.sh --quick                          a tenth of the values and three rounds
  scripts/compare.sh --only rayon-iter,process-pool   these two and sequential
  scripts/compare.sh --workload sum --workers 4       pure compute on four workers
  scripts/compare.sh --python                         the notebook's Python programs as rows too: half an hour
  scripts/compare.sh --report results/STAMP           remake the tables of a run from its raw samples
  scripts/compare.sh --splice results/STAMP           put a run's headline into README.md

Exit status:
  0 all rows were measured; 1 some failed, or an error; 2 wrong usage; 130 interrupted, with what was measured kept";

/// Measures every strategy in impls/ and writes results/STAMP/: tables, raw samples, the machine.
///
/// Builds all of them, checks that all compute the same bits, watches the memory of each, and then times them in shuffled
/// rounds. Ctrl-C keeps what was measured.
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

    /// What one key is: fill, sum, wait.
    #[arg(long, default_value = "fill")]
    workload: String,

    /// How many independent keys.
    #[arg(long, default_value_t = 100, value_name = "KEYS", value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,

    /// Values per key; for wait, microseconds [default: 1000000; wait: 1000].
    #[arg(long)]
    count: Option<u64>,

    /// How the values are shared among the keys: uniform, zipf, one-huge, one-huge-last.
    #[arg(long, default_value = "uniform")]
    skew: String,

    /// The random generator: xoshiro, mt19937.
    #[arg(long, default_value = "xoshiro")]
    rng: String,

    /// The seed of the keys and their values.
    #[arg(long, default_value_t = 42)]
    seed: u64,

    /// Keys that a strategy may work on at a time [default: the CPUs available here].
    #[arg(long, env = "FANOUT_WORKERS", hide_env_values = true)]
    workers: Option<NonZeroUsize>,

    /// How often every strategy is timed [default: 10; with --quick: 3].
    #[arg(long)]
    rounds: Option<NonZeroU32>,

    /// The seed of the order within the rounds [default: another one each time; it is recorded].
    #[arg(long, value_name = "SEED")]
    shuffle_seed: Option<u64>,

    /// Where the run's folder is made [default: results].
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
    #[arg(long, value_name = "RUN", conflicts_with_all = ["report", "only", "python", "quick", "bin_dir", "out"])]
    pub(crate) splice: Option<PathBuf>,

    /// With --splice: change nothing, and fail if README.md is not up to date.
    #[arg(long, requires = "splice")]
    pub(crate) check: bool,
}

impl Options {
    /// The job to be timed, with nothing left open.
    pub(crate) fn job(&self) -> Job {
        let full = if self.workload == "wait" { 1_000 } else { 1_000_000 };
        let available = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Job {
            workload: self.workload.clone(),
            keys: self.keys,
            count: self.count.unwrap_or(if self.quick { full / 10 } else { full }),
            skew: self.skew.clone(),
            rng: self.rng.clone(),
            seed: self.seed,
            workers: self.workers.map_or_else(available, NonZeroUsize::get),
        }
    }

    /// Why the notebook's programs cannot do this job, if they are to do it.
    pub(crate) fn against_python(&self) -> Option<String> {
        let job =
            [("workload", &*self.workload, "fill"), ("skew", &*self.skew, "uniform"), ("rng", &*self.rng, "xoshiro")];
        let (flag, given, needed) = job.into_iter().find(|(_, given, needed)| given != needed)?;
        let why = match flag {
            "rng" => "it measures every strategy with xoshiro, and those beside a program with mt19937 too",
            _ => "the notebook has no other job",
        };
        self.python.as_ref().map(|_| format!("--python needs --{flag} {needed}, not {given}: {why}"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn job(arguments: &[&str]) -> Job {
        Options::parse_from([&["compare"], arguments].concat()).job()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn quick_is_a_tenth_unless_said_otherwise() {
        assert_eq!(job(&[]).count, 1_000_000);
        assert_eq!(job(&["--quick"]).count, 100_000);
        assert_eq!(job(&["--quick", "--workload", "wait"]).count, 100);
        assert_eq!(job(&["--quick", "--count", "7"]).count, 7);
        let rounds = |arguments: &[&str]| Options::parse_from([&["compare"], arguments].concat()).rounds();
        assert_eq!((rounds(&[]), rounds(&["--quick"]), rounds(&["--quick", "--rounds", "5"])), (10, 3, 5));
    }

    #[test]
    fn python_is_a_flag_that_may_name_an_interpreter() {
        let python = |arguments: &[&str]| Options::parse_from([&["compare"], arguments].concat()).python;
        assert_eq!(python(&[]), None);
        assert_eq!(python(&["--python", "--quick"]).as_deref(), Some("python3"));
        assert_eq!(python(&["--python=python3.14t"]).as_deref(), Some("python3.14t"));
    }

    #[test]
    fn the_notebook_has_one_job() {
        let against = |arguments: &[&str]| Options::parse_from([&["compare"], arguments].concat()).against_python();
        assert_eq!(against(&["--python"]), None);
        assert_eq!(against(&["--workload", "sum"]), None, "nobody asked for Python");
        let message = against(&["--python", "--workload", "sum"]).unwrap();
        assert_eq!(message, "--python needs --workload fill, not sum: the notebook has no other job");
        assert!(against(&["--python", "--skew", "zipf"]).unwrap().starts_with("--python needs --skew uniform"));
        assert!(against(&["--python", "--rng", "mt19937"]).unwrap().starts_with("--python needs --rng xoshiro"));
    }

    #[test]
    fn zero_of_anything_is_wrong_usage() {
        for flag in ["--keys", "--workers", "--rounds"] {
            assert!(Options::try_parse_from(["compare", flag, "0"]).is_err(), "{flag}");
        }
    }
}
