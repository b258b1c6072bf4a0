//! The command line of `process-per-key`.

use std::process::ExitCode;

use process_per_key::ProcessPerKey;

fn main() -> ExitCode {
    harness::main::<ProcessPerKey>(env!("CARGO_PKG_NAME"))
}
