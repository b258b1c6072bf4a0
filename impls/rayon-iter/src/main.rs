//! `rayon-iter` on the command line.

use std::process::ExitCode;

use rayon_iter::RayonIter;

fn main() -> ExitCode {
    harness::main::<RayonIter>(env!("CARGO_PKG_NAME"))
}
