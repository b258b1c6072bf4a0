//! Worker processes that may compute and do nothing else: for code that you do not trust, or that reads input that you do
//! not trust. A library that somebody takes over with a crafted file can open no file, reach no network and start no
//! program.
//!
//! ```sh
//! cargo run
//! ```
//!
//! The initialiser of the workers locks each of them up before its first call. This program itself goes on as before. It
//! prints what its workers could do, and fails if that is too much.

mod filter;

use std::error::Error;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;

use fanout_pool::{CallOptions, Pool, Shared};

/// Needs memory and a processor. The numbers are in memory that all workers share.
fn sum_of_squares(numbers: &[f64], first: usize) -> f64 {
    numbers.iter().take(first).map(|number| number * number).sum()
}

/// Needs a file. An error of the system cannot cross, but its words can.
fn read(file: String) -> Result<usize, String> {
    std::fs::read(file).map(|bytes| bytes.len()).map_err(|error| error.to_string())
}

/// Needs the network.
fn connect(address: SocketAddr) -> Result<(), String> {
    TcpStream::connect(address).map(drop).map_err(|error| error.to_string())
}

/// Needs another process.
fn run(program: String) -> Result<(), String> {
    std::process::Command::new(program).status().map(drop).map_err(|error| error.to_string())
}

/// Needs nothing. A crash is told as it is without a sandbox.
fn crash(_input: ()) {
    std::process::abort()
}
// A worker serves before `main`, on its only thread. So the filter holds for all that it ever does.
fanout_pool::register!(sum_of_squares, read, connect, run, crash; init = filter::enter);

fn main() -> ExitCode {
    match try_everything() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("sandbox: the workers can do more than they should");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the workers can compute and do nothing else.
fn try_everything() -> Result<bool, Box<dyn Error>> {
    let pool = Pool::builder().start()?;
    let numbers: Vec<f64> = (0..100_000).map(f64::from).collect();
    let numbers = Shared::<[f64]>::new(&numbers)?;
    let sum = pool.submit_with(sum_of_squares, &numbers, 4, CallOptions::new()).wait()?;
    println!("sum of squares: {sum}");

    // These are there, so it is not for want of them that a worker gets none.
    let file = "/etc/passwd";
    println!("{file}: {} bytes for this process", std::fs::read(file)?.len());
    let server = TcpListener::bind("127.0.0.1:0")?;
    let address = server.local_addr()?;
    let program = "/bin/true";

    let mut is_locked_up = told(file, &pool.submit(read, file.into()).wait()?);
    is_locked_up &= told("network", &pool.submit(connect, address).wait()?);
    is_locked_up &= told(program, &pool.submit(run, program.into()).wait()?);

    if let Err(error) = pool.submit(crash, ()).wait() {
        println!("crash: {error}");
    }
    Ok(is_locked_up)
}

/// Tells what came of an attempt of a worker, and whether it was refused.
fn told<T>(what: &str, attempt: &Result<T, String>) -> bool {
    match attempt {
        Ok(_) => println!("{what}: a worker has got it"),
        Err(reason) => println!("{what}: refused to a worker: {reason}"),
    }
    attempt.is_err()
}
