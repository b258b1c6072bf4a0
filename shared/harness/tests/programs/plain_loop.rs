//! The program of a strategy as short as can be: the tests of the command line start it.

use std::process::ExitCode;
use std::sync::Arc;

use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};

/// Key after key.
struct PlainLoop;

impl Strategy for PlainLoop {
    fn start(_: &Context) -> Result<Self, StartError> {
        Ok(PlainLoop)
    }
}

impl<W: Workload> Runs<W> for PlainLoop {
    fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
        (0..workload.keys()).map(|index| workload.attempt(index)).collect()
    }
}

fn main() -> ExitCode {
    harness::main::<PlainLoop>(env!("CARGO_BIN_NAME"))
}
