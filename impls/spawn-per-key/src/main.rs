//! `spawn-per-key` on the command line.

use std::process::ExitCode;

use spawn_per_key::SpawnPerKey;

fn main() -> ExitCode {
    harness::main::<SpawnPerKey>(env!("CARGO_PKG_NAME"))
}
