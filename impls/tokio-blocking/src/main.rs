//! `tokio-blocking` on the command line.

use std::process::ExitCode;

use tokio_blocking::TokioBlocking;

fn main() -> ExitCode {
    harness::main::<TokioBlocking>(env!("CARGO_PKG_NAME"))
}
