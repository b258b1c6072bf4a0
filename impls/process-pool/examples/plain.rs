//! `process-pool` to take home.
#![expect(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a program of its own, and no strategy")]

use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::{env, iter, thread};

/// Starts `workers` processes by the command, each of which answers a key per line with a line, and returns the answers
/// to `0..keys` in key order. One that fails fails the call, and one that hangs is waited for.
pub fn map_keys(keys: usize, workers: usize, command: impl Fn() -> Command + Sync) -> Vec<String> {
    let left = Mutex::new(0..keys);
    let work = || {
        let mut worker = command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process starts");
        let asked = worker.stdin.as_mut().expect("it is piped");
        let mut answers = BufReader::new(worker.stdout.as_mut().expect("it is piped")).lines();
        let ask = |key| {
            writeln!(asked, "{key}").expect("the worker lives");
            (key, answers.next().expect("the worker lives").expect("it prints text"))
        };
        let outputs: Vec<_> = iter::from_fn(|| left.lock().expect("no panic under it").next()).map(ask).collect();
        // This ends its input first, and so the worker.
        assert!(worker.wait().expect("the worker's end").success(), "a worker failed");
        outputs
    };
    let mut outputs: Vec<(usize, String)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.max(1).min(keys)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no worker dies")).collect()
    });
    outputs.sort_unstable_by_key(|&(key, _)| key);
    outputs.into_iter().map(|(_, output)| output).collect()
}

fn main() {
    // This program again, with this argument, is a worker.
    if env::args().nth(1).as_deref() == Some("--worker") {
        let keys = stdin().lines().map(|line| line.expect("text").parse::<usize>().expect("a key"));
        return keys.for_each(|key| println!("{}", key * key));
    }
    let program = env::current_exe().expect("this program has a path");
    let command = || {
        let mut command = Command::new(&program);
        command.arg("--worker");
        command
    };
    assert_eq!(map_keys(5, 2, command), ["0", "1", "4", "9", "16"]);
}
