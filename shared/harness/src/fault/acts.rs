//! What faults do to their process, and what they leave beside it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::time::Duration;
use std::{hint, panic, thread};

use nix::unistd::ForkResult;
use rustix::process::{Signal, getpid, kill_process};

/// Sends itself the signal until it is gone: the first SIGSEGV only ends std's handler for stack overflows.
pub(super) fn end_by(signal: Signal) -> ! {
    loop {
        signal_itself(signal);
        thread::yield_now();
    }
}

pub(super) fn signal_itself(signal: Signal) {
    let _never_fails = kill_process(getpid(), signal);
}

pub(super) fn stop() {
    signal_itself(Signal::STOP);
}

pub(super) fn sleep() -> ! {
    loop {
        thread::park();
    }
}

#[expect(unconditional_recursion, reason = "it is the fault")]
pub(super) fn recurse(depth: u64) -> u64 {
    let frame = hint::black_box([depth; 64]);
    recurse(depth + 1) + frame[0]
}

/// What a panic is in a program that is built to abort at one.
pub(super) fn abort_with_panic() -> ! {
    let _payload = panic::catch_unwind(|| panic!("a fault that ends the process"));
    process::abort()
}

/// Goes on in two processes.
pub(super) fn fork() {
    if let ForkResult::Child = forked() {
        // Nothing is different here: that is the fault.
    }
}

fn forked() -> ForkResult {
    // SAFETY: the child goes on with one thread. No other thread of a worker holds a lock that the child needs: they
    // wait in system calls, and glibc makes its allocator usable in a child.
    #[expect(unsafe_code, reason = "a fault that a test needs: keys' libraries fork without exec")]
    let forked = unsafe { nix::unistd::fork() };
    forked.expect("a forked process")
}

/// Leaves a forked child that writes into the channel a moment later. By then the worker has another key, or is idle.
pub(super) fn leave_writer() {
    if let ForkResult::Parent { .. } = forked() {
        return;
    }
    thread::sleep(Duration::from_millis(20));
    // An answer of ten values by its form, to nothing that was ever asked.
    let forged = [&b"fan:\x01\0\0\0"[..], &[0; 8], &80_u64.to_le_bytes(), &[7; 80]].concat();
    for channel in channels() {
        let _nobody_reads = rustix::io::write(&channel, &[&forged[..], &[7; 100]].concat());
    }
    end_by(Signal::KILL)
}

/// Starts a process that holds the channel open, however that is marked, for half a minute.
#[expect(clippy::zombie_processes, reason = "it outlives the process that should wait for it")]
pub(super) fn leave_holder() {
    let mut child = Command::new("sleep");
    child.arg("30").stdout(Stdio::null()).stderr(Stdio::null());
    for channel in channels() {
        child.stdin(channel);
    }
    child.spawn().expect("a child");
}

/// Starts a shell that starts a program and waits for it.
#[expect(clippy::zombie_processes, reason = "the process that should wait for it sleeps")]
pub(super) fn leave_tools() {
    Command::new("sh").args(["-c", "sleep 1000 & wait"]).spawn().expect("a shell");
}

/// Leaves a thread that writes a megabyte of lines, and then creates the file.
pub(super) fn log_later(file: Option<PathBuf>) {
    thread::spawn(move || {
        let line = "l".repeat(99);
        for _ in 0..10_000 {
            let _nobody_listens = writeln!(io::stderr(), "{line}");
        }
        file.map(File::create)
    });
}

pub(super) fn close_all() {
    for fd in open_descriptors() {
        // SAFETY: there is none for what owns it. What it does then is what a test is about.
        #[expect(unsafe_code, reason = "a fault that a test needs: daemons close what they do not know")]
        unsafe {
            rustix::io::close(fd);
        }
    }
}

/// Copies of the sockets that this process has but for its standard streams: in a worker, of its channel.
fn channels() -> Vec<OwnedFd> {
    let copy = |fd: i32| {
        // SAFETY: borrowed for this turn; nothing closes descriptors meanwhile.
        #[expect(unsafe_code, reason = "a fault that a test needs: no safe way leads to another's descriptors")]
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        rustix::net::sockopt::socket_type(fd).ok()?;
        fd.try_clone_to_owned().ok()
    };
    open_descriptors().into_iter().filter(|&fd| fd > 2).filter_map(copy).collect()
}

fn open_descriptors() -> Vec<i32> {
    let open = fs::read_dir("/proc/self/fd").expect("a listing of descriptors");
    let mut open: Vec<i32> = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The listing had one of its own.
    open.retain(|fd| fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok());
    open
}
