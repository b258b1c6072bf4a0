//! What the programs that make crates have in common: usage, errors and exit statuses.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use super::ScaffoldError;
use crate::process::tell;

/// The folder that the user is in. The scripts leave it for the repository, so that cargo works there as always.
pub const CALLED_FROM: &str = "FANOUT_CALLED_FROM";

/// Reads the options, and makes what they ask for.
pub fn run<O: Parser>(make: impl FnOnce(&O) -> Result<(), ScaffoldError>) -> ExitCode {
    let options = match O::try_parse() {
        Ok(options) => options,
        Err(error) if env::args_os().len() == 1 || !error.use_stderr() => error.exit(),
        Err(error) => {
            // The usage below the message is what --help is for.
            tell::say(harness::one_line(&error));
            return ExitCode::from(2);
        }
    };
    match make(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell::complain(&error);
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

/// The folder that the user is in.
///
/// # Errors
///
/// There is none any more.
pub fn called_from() -> Result<PathBuf, ScaffoldError> {
    match env::var_os(CALLED_FROM) {
        Some(folder) => Ok(folder.into()),
        None => env::current_dir().map_err(ScaffoldError::Here),
    }
}
