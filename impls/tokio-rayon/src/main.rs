//! The command line of `tokio-rayon`.

use std::process::ExitCode;

use tokio_rayon::TokioRayon;

fn main() -> ExitCode {
    harness::main::<TokioRayon>(env!("CARGO_PKG_NAME"))
}
