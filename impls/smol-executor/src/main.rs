//! The command line of `smol-executor`.

use std::process::ExitCode;

use smol_executor::SmolExecutor;

fn main() -> ExitCode {
    harness::main::<SmolExecutor>(env!("CARGO_PKG_NAME"))
}
