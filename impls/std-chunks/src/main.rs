//! `std-chunks` on the command line.

use std::process::ExitCode;

use std_chunks::StdChunks;

fn main() -> ExitCode {
    harness::main::<StdChunks>(env!("CARGO_PKG_NAME"))
}
