//! Parses the files named on the command line with a parser that crashes on some and never ends on others. Each costs its
//! own result and no other.
//!
//! ```sh
//! cargo run -- good.txt nested.txt looping.txt
//! ```
//!
//! It prints a line for each file: the result, or why there is none. Its exit status is how many files failed, at most
//! 100; it is 101 if there is nothing to do or no pool.

mod parser;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use fanout_pool::{CallOptions, Pool};

/// How long a file may take. A file that takes longer counts as failed, and its worker is killed and replaced. The files
/// that this parser is for take milliseconds.
const DEADLINE: Duration = Duration::from_secs(1);

const MOST_FAILURES: usize = 100;
const NOTHING_DONE: u8 = 101;

/// Reads a file and counts the numbers in it. An error is a result like others: the parser has done its work.
fn parse(file: PathBuf) -> Result<usize, String> {
    let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
    parser::count_numbers(&text)
}

fn main() -> ExitCode {
    // A worker starts here too, serves calls, and never comes back. `register!` would do without this line. But then the
    // worker would not have reached Rust's own start, and would die of a full stack without words.
    fanout_pool::worker().task(parse).serve();

    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        eprintln!("usage: crashing-parser FILE...");
        return ExitCode::from(NOTHING_DONE);
    }
    // What workers say goes into the errors, and need not be printed twice.
    let pool = Pool::builder().options(CallOptions::new().deadline(DEADLINE)).quiet(true).start();
    let pool = match pool {
        Ok(pool) => pool,
        Err(error) => {
            eprintln!("crashing-parser: {error}");
            return ExitCode::from(NOTHING_DONE);
        }
    };
    let mut failures = 0;
    for (file, outcome) in files.iter().zip(pool.map(parse, files.clone())) {
        // What the parser says of a file, and what became of the parser.
        let told = match outcome {
            Ok(Ok(numbers)) => Ok(numbers),
            Ok(Err(reason)) => Err(reason),
            Err(lost) => Err(lost.to_string()),
        };
        match told {
            Ok(numbers) => println!("{}: {numbers} numbers", file.display()),
            Err(reason) => {
                failures += 1;
                println!("{}: failed: {reason}", file.display());
            }
        }
    }
    ExitCode::from(failures.min(MOST_FAILURES) as u8)
}
