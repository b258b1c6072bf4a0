//! The command line of every strategy.

use std::env;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use fanout::Portable;
use kernel::Strategy;
use workloads::{Asked, BUILT_IN, Facts, Fill, Job, Parameters, Rng, Skew};

use crate::checks::Wanted;
use crate::cluster::{self, ClusterOptions};
use crate::{Fault, memory};

/// Overrides the number of workers where no flag does.
pub(crate) const WORKERS_VARIABLE: &str = "FANOUT_WORKERS";

const EXAMPLES: &str = "\
Examples:
  The notebook's job on all CPUs:
    NAME
  One cold batch and four warm ones, for a program to read:
    NAME --repeat 5 --format json
  10,000 small keys, with the digest that every strategy must give:
    NAME --workload sum --keys 10000 --count 1000 --digest
  CPython's numbers:
    NAME --rng mt19937 --keys 3 --count 5 --dump | od -t f8
  What becomes of key 3, and of the others, when it panics:
    NAME --keys 10 --fault 3:panic

Exit status: 0 all keys came back whole; 1 some did not, or the strategy could not start; 2 wrong usage.";

/// What is to be run: the flags of every strategy, and of every program that starts strategies.
#[derive(Debug, Clone, Args)]
pub struct JobOptions {
    #[arg(long, value_parser = PossibleValuesParser::new(BUILT_IN.iter().map(|facts| facts.name)))]
    #[arg(default_value = BUILT_IN[0].name, help = workloads_help())]
    pub(crate) workload: String,

    /// How many keys
    #[arg(long, default_value_t = 100, value_parser = whole::<usize>, allow_negative_numbers = true)]
    pub(crate) keys: usize,

    #[arg(long, value_parser = whole::<u64>, allow_negative_numbers = true, help = count_help())]
    pub(crate) count: Option<u64>,

    /// Products that a key of `wait` adds before it sleeps, on average [default: 0]
    #[arg(long, value_parser = whole::<u64>, allow_negative_numbers = true)]
    values: Option<u64>,

    /// The size of a key's output in `wait`: a multiple of 8 from 8 up [default: 8]
    #[arg(long, value_name = "BYTES", value_parser = words, allow_negative_numbers = true)]
    output_bytes: Option<u64>,

    /// How KEYS × COUNT, and KEYS × VALUES, is shared out between keys
    #[arg(long, value_enum, default_value_t = Named(Skew::Uniform))]
    skew: Named<Skew>,

    /// The generator of keys and values; `mt19937` gives CPython's numbers
    #[arg(long, value_enum, default_value_t = Named(Rng::Xoshiro))]
    rng: Named<Rng>,

    /// The seed of all keys
    #[arg(long, default_value_t = 42, value_parser = whole::<u64>, allow_negative_numbers = true)]
    seed: u64,

    /// How many keys run at once [default: $FANOUT_WORKERS, or the CPUs this process may use]
    #[arg(long, value_name = "N", value_parser = workers, allow_negative_numbers = true)]
    workers: Option<NonZeroUsize>,
}

/// What may be asked of a strategy.
#[derive(Debug, Parser)]
#[command(about = None, long_about = None, max_term_width = 100)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) job: JobOptions,

    /// How long one key may run; for strategies that run keys in processes
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) deadline: Option<Duration>,

    #[command(flatten)]
    pub(crate) cluster: ClusterOptions,

    /// How many batches to run after one start: the first is cold, the rest are warm
    #[arg(long, value_name = "N", default_value = "1", value_parser = workers, allow_negative_numbers = true)]
    pub(crate) repeat: NonZeroUsize,

    /// The report on standard output
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Report the XXH3-128 of all keys and outputs
    #[arg(long)]
    pub(crate) digest: bool,

    /// Fail if the digest is another one
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    pub(crate) expect: Option<String>,

    /// Write all keys and outputs to standard output, as little-endian bytes; the report goes to standard error
    #[arg(long, conflicts_with = "repeat")]
    pub(crate) dump: bool,

    /// Make something happen in a key of `fill`, such as `panic`, `abort` or `hang`: once, if a FILE to mark it is given
    #[arg(long, value_name = "KEY:KIND[@FILE]")]
    pub(crate) fault: Vec<Fault>,
}

/// What `--workload` says of each.
fn workloads_help() -> String {
    let each: Vec<String> = BUILT_IN.iter().map(|facts| format!("`{}` {}", facts.name, facts.about)).collect();
    format!("What one key is: {}", each.join(", "))
}

/// What `--count` says, with the defaults of all.
fn count_help() -> String {
    let usual = BUILT_IN[0].count;
    let others = BUILT_IN.iter().filter(|facts| facts.count != usual);
    let others: String = others.map(|facts| format!("; {}: {}", facts.name, facts.count)).collect();
    format!("Values per key, on average [default: {usual}{others}]")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// A few lines for a person
    #[default]
    Human,
    /// One JSON object
    Json,
}

/// A value of the kernel's under its name on the command line: the kernel knows no terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named<T>(pub(crate) T);

impl ValueEnum for Named<Skew> {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[Named(SKEWS[0]), Named(SKEWS[1]), Named(SKEWS[2]), Named(SKEWS[3])] }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(skew_name(self.0)))
    }
}

impl ValueEnum for Named<Rng> {
    fn value_variants<'a>() -> &'a [Self] {
        &[Named(Rng::Xoshiro), Named(Rng::Mt19937)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(rng_name(self.0)))
    }
}

/// Every skew, as `--skew` lists them.
pub const SKEWS: [Skew; 4] = [Skew::Uniform, Skew::Zipf, Skew::OneHuge, Skew::OneHugeLast];

/// The skew of this name in flags and reports.
pub fn skew_named(name: &str) -> Option<Skew> {
    SKEWS.into_iter().find(|skew| skew_name(*skew) == name)
}

/// The name of a skew in flags and reports.
pub fn skew_name(skew: Skew) -> &'static str {
    match skew {
        Skew::Uniform => "uniform",
        Skew::Zipf => "zipf",
        Skew::OneHuge => "one-huge",
        Skew::OneHugeLast => "one-huge-last",
    }
}

/// The name of a generator in flags and reports.
pub fn rng_name(rng: Rng) -> &'static str {
    match rng {
        Rng::Xoshiro => "xoshiro",
        Rng::Mt19937 => "mt19937",
    }
}

impl Options {
    /// Reads the command line. Help goes to stdout; an error is one line.
    ///
    /// # Errors
    ///
    /// What to print, and the status to exit with.
    pub(crate) fn read<S: Strategy>(name: &str) -> Result<Self, Usage> {
        let matches = Options::named::<S>(name).try_get_matches().map_err(Usage::from_clap)?;
        let options = Options::from_arg_matches(&matches).map_err(Usage::from_clap)?;
        options.check::<S>()?;
        Ok(options)
    }

    /// The command line of the strategy `name`.
    pub(crate) fn named<S: Strategy>(name: &str) -> Command {
        Options::command()
            .mut_args(|arg| {
                let hide = !S::CLUSTER && cluster::FLAGS.contains(&arg.get_id().as_str());
                if hide { arg.hide(true) } else { arg }
            })
            .name(name.to_owned())
            .about(format!("Runs a keyed job by the strategy `{name}`, and tells how long it took."))
            .after_help(EXAMPLES.replace("NAME", name))
    }

    /// What is to be found out about the batches.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted { digest: self.digest, expect: self.expect.clone(), dump: self.dump, by_key: false, key_digests: None }
    }

    pub(crate) fn check<S: Strategy>(&self) -> Result<(), Usage> {
        self.cluster.check(S::CLUSTER)?;
        if self.deadline.is_some() && !S::PROCESSES {
            return Err(Usage::wrong(
                "--deadline cannot be kept by this strategy: a thread cannot be stopped from outside. Pick one that \
                 runs keys in processes",
            ));
        }
        if self.dump && self.format == Format::Json {
            return Err(Usage::wrong("--dump and --format json both want standard output: give one of them"));
        }
        if !self.fault.is_empty() && self.job.workload != Fill::NAME {
            return Err(Usage::wrong("--fault needs --workload fill"));
        }
        if let Some(fault) = self.fault.iter().find(|fault| fault.key >= self.job.keys) {
            return Err(Usage::wrong(&format!(
                "--fault {}: there is no such key in --keys {}",
                fault.key, self.job.keys
            )));
        }
        Ok(())
    }
}

impl JobOptions {
    /// The job that is asked for.
    ///
    /// # Errors
    ///
    /// Which flags are out of range, in one line.
    pub fn job(&self) -> Result<Job, String> {
        let asked = self.asked()?;
        self.memory(&asked)?;
        Ok(asked.job)
    }

    /// What the flags ask of a workload.
    pub(crate) fn asked(&self) -> Result<Asked, String> {
        let (Named(skew), Named(rng)) = (self.skew, self.rng);
        let count = self.count.unwrap_or(self.facts().count);
        let parameters = Parameters { keys: self.keys, count, skew, rng, seed: self.seed };
        let job = Job::new(parameters).map_err(|error| format!("--keys and --count are out of range: {error}"))?;
        Ok(Asked { job, values: self.values, output_bytes: self.output_bytes })
    }

    /// The workload that is named.
    fn facts(&self) -> &'static Facts {
        BUILT_IN.iter().find(|facts| facts.name == self.workload).unwrap_or(&BUILT_IN[0])
    }

    fn memory(&self, asked: &Asked) -> Result<u128, String> {
        asked.check(self.facts())?;
        (self.facts().memory)(asked)
    }

    /// Products that a key of `wait` adds before it sleeps, on average.
    pub fn values(&self) -> u64 {
        self.values.unwrap_or(0)
    }

    /// The size of a key's output in `wait`.
    pub fn bytes_per_key(&self) -> u64 {
        self.output_bytes.unwrap_or(size_of::<u64>() as u64)
    }

    /// The flags that the size of all outputs follows from.
    pub(crate) fn sized_by(&self) -> &'static str {
        self.facts().sized_by
    }

    /// Refuses outputs that are more than the memory there is now, before anything starts. What a strategy's workers hold
    /// beside them is for the strategy's program to count.
    ///
    /// # Errors
    ///
    /// What they need and what there is, in one line; or what [`job`](JobOptions::job) says.
    pub fn fits(&self) -> Result<(), String> {
        let needed = self.memory(&self.asked()?)?;
        memory::check_needed(needed, self.sized_by()).map_err(|error| error.to_string())
    }

    /// How many keys run at once: the flag, else the variable, else the CPUs that affinity and quota leave to this
    /// process; never more than there are keys.
    ///
    /// # Errors
    ///
    /// What is wrong with the variable, in one line.
    pub fn workers(&self) -> Result<NonZeroUsize, String> {
        self.workers_for(self.keys)
    }

    /// The same for so many keys.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn workers_for(&self, keys: usize) -> Result<NonZeroUsize, String> {
        let cpus = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let asked = self.workers_asked()?.unwrap_or_else(cpus);
        Ok(NonZeroUsize::new(keys).map_or(asked, |keys| asked.min(keys)))
    }

    /// What the flag says, or else the variable.
    fn workers_asked(&self) -> Result<Option<NonZeroUsize>, String> {
        match (self.workers, env::var_os(WORKERS_VARIABLE)) {
            (Some(workers), _) => Ok(Some(workers)),
            (None, Some(text)) => workers(&text.to_string_lossy())
                .map(Some)
                .map_err(|expected| format!("the environment variable {WORKERS_VARIABLE} is {text:?}: {expected}")),
            (None, None) => Ok(None),
        }
    }

    /// The same as an answer to the user.
    pub(crate) fn wanted(&self) -> Result<Option<NonZeroUsize>, Usage> {
        self.workers_asked().map_err(|message| Usage::wrong(&message))
    }

    /// The same with a tenth of the values, unless a number of them was asked for.
    pub fn quick(self) -> Self {
        let count = self.count.unwrap_or(self.facts().count / 10);
        JobOptions { count: Some(count), ..self }
    }

    /// The name of the workload, as in the flag.
    pub fn workload(&self) -> &str {
        &self.workload
    }
}

/// What to print instead of running, and with which status to exit.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) text: String,
    pub(crate) status: u8,
}

impl Usage {
    pub(crate) fn wrong(message: &str) -> Self {
        Usage { text: format!("error: {message}\n"), status: 2 }
    }

    /// What somebody else has to say, in one line.
    pub(crate) fn told(message: &str, status: u8) -> Self {
        Usage { text: format!("{}\n", message.trim_end().replace('\n', "; ")), status }
    }

    /// It could not be done, however it was asked for.
    pub(crate) fn failed(message: &str) -> Self {
        Usage::told(message, 1)
    }

    pub(crate) fn from_clap(error: clap::Error) -> Self {
        match error.use_stderr() {
            false => Usage { text: error.to_string(), status: 0 },
            true => Usage { text: format!("{}\n", one_line(&error)), status: 2 },
        }
    }
}

/// What is wrong with a command line: the message, the values that are allowed and the tip, without the advice to read
/// the help.
pub fn one_line(error: &clap::Error) -> String {
    let rendered = error.to_string();
    let lines = rendered.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    // A line that ends in a colon announces the next.
    told.collect::<Vec<_>>().join("; ").replace(":; ", ": ")
}

/// A whole number of type `T`.
fn whole<T: std::str::FromStr + Limits>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", T::LARGEST))
}

trait Limits {
    const LARGEST: u64;
}

impl Limits for u64 {
    const LARGEST: u64 = u64::MAX;
}

impl Limits for usize {
    const LARGEST: u64 = usize::MAX as u64;
}

/// A size in bytes of whole words.
fn words(text: &str) -> Result<u64, String> {
    let is_whole = |bytes: &u64| *bytes > 0 && bytes.is_multiple_of(size_of::<u64>() as u64);
    text.parse().ok().filter(is_whole).ok_or_else(|| "expected a multiple of 8 from 8 up".into())
}

fn workers(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("expected a whole number from 1 to {}", usize::MAX))
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "expected a number of seconds above 0 and below 2^64".into())
}

fn digest(text: &str) -> Result<String, String> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected a digest of 32 hexadecimal digits".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }
}
