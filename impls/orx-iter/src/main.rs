//! The command line of `orx-iter`.

use std::process::ExitCode;

use orx_iter::OrxIter;

fn main() -> ExitCode {
    harness::main::<OrxIter>(env!("CARGO_PKG_NAME"))
}
