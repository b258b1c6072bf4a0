//! `crossbeam-scoped` on the command line.

use std::process::ExitCode;

use crossbeam_scoped::CrossbeamScoped;

fn main() -> ExitCode {
    harness::main::<CrossbeamScoped>(env!("CARGO_PKG_NAME"))
}
