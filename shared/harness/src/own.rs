//! The program that runs a job of one's own by a strategy.
//!
//! It has every flag of the strategy's program, and all of its workloads beside the job, so that whatever measures the one can
//! measure the other.

mod alone;
mod options;
mod stdout;

use std::io::{self, Write};
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use fanout::declared::Declared;
use kernel::{KeyError, Runs, Workload};
use workloads::RunsAll;

use self::options::OwnOptions;
use self::stdout::Stdout;
use crate::cli::{Options, Usage};
use crate::report::Report;
use crate::run::{ends, of_built_in, run, serve};
use crate::{Faulty, look};

/// What the job is called in `--workload`, whatever its name.
const JOB: &str = "job";

/// The exit status of a strategy that cannot run the job.
const CANNOT: u8 = 3;

/// The whole of `main` of a program that runs a job by a strategy: the strategy's type and name, and those of what
/// [`fanout::job!`] has declared.
///
/// ```ignore
/// fn main() -> std::process::ExitCode {
///     harness::job_main!(rayon_iter::RayonIter, "rayon-iter", primes::FanoutJob, "primes")
/// }
/// ```
///
/// Where the strategy cannot run the job, as one that runs keys in processes cannot run what is declared with `threads:`, the
/// program says so and ends with status 3. It runs what is built in all the same.
#[macro_export]
macro_rules! job_main {
    ($strategy:ty, $name:expr, $job:ty, $called:expr) => {{
        // Of two methods of one name, the compiler takes the one whose bounds are met with fewer borrows: the first, if the
        // strategy runs the job, else the second.
        #[allow(unused_imports)]
        use $crate::own::{Cannot as _, Runnable as _};
        (&&$crate::own::Pair::<$strategy, $job>::new($name, $called)).main()
    }};
}

/// A strategy and a job.
pub struct Pair<S, J> {
    name: &'static str,
    called: &'static str,
    of: PhantomData<(S, J)>,
}

impl<S, J> Pair<S, J> {
    /// By their names.
    pub fn new(name: &'static str, called: &'static str) -> Self {
        Pair { name, called, of: PhantomData }
    }
}

/// Where the strategy runs the job.
pub trait Runnable {
    /// The program.
    fn main(&self) -> ExitCode;
}

impl<S: RunsAll + Runs<Faulty> + Runs<J::Workload>, J: Declared> Runnable for &Pair<S, J> {
    fn main(&self) -> ExitCode {
        program::<S, J>(
            self,
            || Ok(()),
            |options, own, workload, out| {
                let workers = options.job.workers_for(workload.keys()).map_err(|message| Usage::wrong(&message))?;
                let report = report::<J>(self.name, self.called, own, &workload, workers);
                let context = options.context::<S>(workers)?;
                Ok(run::<S, _, look::Own<J>>(options, &context, workload, report, own.wanted(options), out))
            },
        )
    }
}

/// Where it does not.
pub trait Cannot {
    /// The program.
    fn main(&self) -> ExitCode;
}

impl<S: RunsAll + Runs<Faulty>, J: Declared> Cannot for Pair<S, J> {
    fn main(&self) -> ExitCode {
        let cannot = || {
            let why = format!("cannot cross a process: {} declares it with `threads:`", J::PLACE);
            Usage::told(&why, CANNOT)
        };
        program::<S, J>(self, || Err(cannot()), |_, _, _, _| Err(cannot()))
    }
}

/// The program, but for running the job by the strategy.
fn program<S: RunsAll + Runs<Faulty>, J: Declared>(
    pair: &Pair<S, J>,
    can_run: impl FnOnce() -> Result<(), Usage>,
    by_strategy: impl FnOnce(&Options, &OwnOptions, J::Workload, &mut dyn Write) -> Result<ExitCode, Usage>,
) -> ExitCode {
    serve(J::served());
    let name = pair.name;
    let with = || {
        let (options, own) = OwnOptions::read::<S>(name, pair.called)?;
        if let Some(served) = options.agent::<S>(name) {
            return served;
        }
        if options.job.workload() != JOB {
            return of_built_in::<S>(name, &options, &mut io::stdout());
        }
        if own.can_run {
            return can_run().map(|()| ExitCode::SUCCESS);
        }
        let mut out = Stdout::taken().map_err(|error| Usage::failed(&format!("standard output: {error}")))?;
        let workload = made::<J>(&own)?;
        match own.alone {
            Some(limit) => alone::keys::<J>(pair.called, &own, workload, limit, &mut out),
            None => by_strategy(&options, &own, workload, &mut out),
        }
    };
    ends(name, with())
}

/// The workload that the arguments ask for.
fn made<J: Declared>(own: &OwnOptions) -> Result<J::Workload, Usage> {
    let arguments = own.arguments();
    // How many keys it has is a part of it.
    let make = || J::make(&arguments).inspect(|workload| _ = workload.keys());
    match panic::catch_unwind(AssertUnwindSafe(make)) {
        Ok(Ok(workload)) => Ok(workload),
        Ok(Err(error)) => Err(Usage::told(&format!("{}: {error}", J::PLACE), 2)),
        Err(payload) => {
            let message = KeyError::from_panic(payload);
            Err(Usage::failed(&format!("{}: making the job from its arguments {message}", J::PLACE)))
        }
    }
}

fn report<J: Declared>(
    name: &str,
    called: &str,
    own: &OwnOptions,
    workload: &J::Workload,
    workers: NonZeroUsize,
) -> Report {
    Report {
        workload: called.to_owned(),
        arguments: own.arguments(),
        keys: workload.keys(),
        ..Report::of(name, workers)
    }
}
