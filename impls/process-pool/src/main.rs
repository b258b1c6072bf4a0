//! The command line of `process-pool`.

use std::process::ExitCode;

use process_pool::ProcessPool;

fn main() -> ExitCode {
    harness::main::<ProcessPool>(env!("CARGO_PKG_NAME"))
}
