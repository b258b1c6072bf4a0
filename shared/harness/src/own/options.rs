//! What may be asked of a program that runs a job of one's own, beside what may be asked of every strategy's.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches};
use kernel::Strategy;
use workloads::BUILT_IN;

use super::JOB;
use crate::checks::Wanted;
use crate::cli::{Options, Usage, seconds};

/// Flags for the job.
#[derive(Debug, Args)]
pub(crate) struct OwnOptions {
    /// An argument for the job; all after `--` are others
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    argument: Vec<String>,

    /// Arguments for the job
    #[arg(last = true, value_name = "ARGUMENTS")]
    rest: Vec<String>,

    /// Run keys one after the other, for so long at most, and say what each of them took: without the strategy
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with_all = ["repeat", "digest", "expect", "dump"])]
    pub(crate) alone: Option<Duration>,

    /// Run nothing, and say by the exit status whether the strategy can run the job
    #[arg(long)]
    pub(crate) can_run: bool,

    /// Write the hash of each output to FILE, a line for each key
    #[arg(long, value_name = "FILE")]
    key_digests: Option<PathBuf>,
}

/// What a job of one's own says itself.
const OF_BUILT_IN: [&str; 8] = ["keys", "count", "values", "output_bytes", "skew", "rng", "seed", "fault"];

/// What is for the job alone.
const OF_JOB: [&str; 5] = ["argument", "rest", "alone", "can_run", "key_digests"];

impl OwnOptions {
    /// Reads the command line of strategy `name` with the job `called`.
    ///
    /// # Errors
    ///
    /// What to print, and the status to exit with.
    pub(crate) fn read<S: Strategy>(name: &str, called: &str) -> Result<(Options, OwnOptions), Usage> {
        let workloads = BUILT_IN.iter().map(|facts| facts.name).chain([JOB]);
        let built_in = Options::named::<S>(name).mut_args(|arg| {
            let is_its = OF_BUILT_IN.contains(&arg.get_id().as_str());
            if is_its { arg.hide(true) } else { arg }
        });
        let command = OwnOptions::augment_args(built_in)
            .about(format!("Runs the job `{called}` by the strategy `{name}`, and tells how long it took."))
            .mut_arg("workload", |workload| {
                let help = format!("`{JOB}` is `{called}`; for the others see the strategy's own program");
                workload.value_parser(PossibleValuesParser::new(workloads)).default_value(JOB).help(help)
            })
            .after_help("Exit status: as of every strategy's program, and 3 where the strategy cannot run the job.");
        let matches = command.try_get_matches().map_err(Usage::from_clap)?;
        let options = Options::from_arg_matches(&matches).map_err(Usage::from_clap)?;
        let own = OwnOptions::from_arg_matches(&matches).map_err(Usage::from_clap)?;
        let (unfit, why) = match options.job.workload() {
            JOB => (given(&matches, &OF_BUILT_IN), format!("the job `{called}` says itself what its keys are")),
            workload => (given(&matches, &OF_JOB), format!("`{workload}` is built in, and takes none")),
        };
        if let Some(flag) = unfit {
            let flag = if flag == "rest" { "" } else { &flag.replace('_', "-") };
            return Err(Usage::wrong(&format!("--{flag}: {why}")));
        }
        options.check::<S>()?;
        Ok((options, own))
    }

    /// What the job is made from.
    pub(crate) fn arguments(&self) -> Vec<String> {
        self.argument.iter().chain(&self.rest).cloned().collect()
    }

    /// What is to be found out about the batches.
    pub(crate) fn wanted(&self, options: &Options) -> Wanted {
        Wanted { by_key: true, key_digests: self.key_digests.clone(), ..options.wanted() }
    }
}

/// The first of `flags` that is on the command line.
fn given<'a>(matches: &ArgMatches, flags: &[&'a str]) -> Option<&'a str> {
    flags.iter().copied().find(|flag| matches.value_source(flag) == Some(ValueSource::CommandLine))
}
