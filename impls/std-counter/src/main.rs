//! `std-counter` on the command line.

use std::process::ExitCode;

use std_counter::StdCounter;

fn main() -> ExitCode {
    harness::main::<StdCounter>(env!("CARGO_PKG_NAME"))
}
