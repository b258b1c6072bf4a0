//! `global-lock` on the command line.

use std::process::ExitCode;

use global_lock::GlobalLock;

fn main() -> ExitCode {
    harness::main::<GlobalLock>(env!("CARGO_PKG_NAME"))
}
