//! The command line of `sequential`.

use std::process::ExitCode;

use sequential::Sequential;

fn main() -> ExitCode {
    harness::main::<Sequential>(env!("CARGO_PKG_NAME"))
}
