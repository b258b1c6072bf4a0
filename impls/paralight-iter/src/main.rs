//! The command line of `paralight-iter`.

use std::process::ExitCode;

use paralight_iter::ParalightIter;

fn main() -> ExitCode {
    harness::main::<ParalightIter>(env!("CARGO_PKG_NAME"))
}
