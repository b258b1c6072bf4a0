//! The command line of `nats`.

use std::process::ExitCode;

use nats::Nats;

fn main() -> ExitCode {
    harness::main::<Nats>(env!("CARGO_PKG_NAME"))
}
