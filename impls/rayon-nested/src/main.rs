//! The command line of `rayon-nested`.

use std::process::ExitCode;

use rayon_nested::RayonNested;

fn main() -> ExitCode {
    harness::main::<RayonNested>(env!("CARGO_PKG_NAME"))
}
