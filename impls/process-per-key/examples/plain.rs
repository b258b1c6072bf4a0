//! `process-per-key` to take home.
#![expect(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a program of its own, and no strategy")]

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::{env, iter, thread};

/// Runs the command of each of `0..keys`, `workers` of them at once, and returns what they print, in key order. One that
/// fails fails the call, and one that hangs is waited for.
pub fn map_keys(keys: usize, workers: usize, command: impl Fn(usize) -> Command + Sync) -> Vec<String> {
    let left = Mutex::new(0..keys);
    let next = || left.lock().expect("nothing under it panics").next();
    let run = |key| {
        let output = command(key).stderr(Stdio::inherit()).output().expect("the OS starts a process");
        assert!(output.status.success(), "the process of key {key}: {}", output.status);
        (key, String::from_utf8(output.stdout).expect("it prints text"))
    };
    let work = || iter::from_fn(next).map(run).collect::<Vec<_>>();
    let mut outputs: Vec<(usize, String)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.max(1).min(keys)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("each process succeeds")).collect()
    });
    outputs.sort_unstable_by_key(|&(key, _)| key);
    outputs.into_iter().map(|(_, output)| output).collect()
}

fn main() {
    // This program again, with a key, is the process of that key.
    if let Some(key) = env::args().nth(1).and_then(|argument| argument.strip_prefix("--key=")?.parse::<usize>().ok()) {
        return print!("{}", key * key);
    }
    let program = env::current_exe().expect("this program has a path");
    let command = |key| {
        let mut command = Command::new(&program);
        command.arg(format!("--key={key}"));
        command
    };
    assert_eq!(map_keys(5, 2, command), ["0", "1", "4", "9", "16"]);
}
