//! What tests of pools share.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Waits for a condition, and says which it was if it does not come.
pub(crate) fn within<T>(what: &str, condition: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(met) = condition() {
            return met;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A field of a process's status.
pub(crate) fn status(process: &str, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.trim().to_owned()))
}

/// A field of a process's status that is so many kB; 0 where there is none.
pub(crate) fn kilobytes(process: &str, field: &str) -> u64 {
    status(process, field).and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Runs this in a process that was forked from this one. What it gave; nothing if it did not end as it should.
#[cfg(target_os = "linux")]
pub(crate) fn forked(run: impl FnOnce() -> bool) -> Option<bool> {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};

    // SAFETY: the child has one thread, and this is a test: a lock that another thread held at the fork would be a hang, which
    // shows.
    #[expect(unsafe_code, reason = "a fork is what is tested")]
    match unsafe { fork() }.expect("a fork") {
        ForkResult::Child => {
            let code = if run() { 0 } else { 1 };
            // SAFETY: it only ends the process, without what that would run at its exit.
            #[expect(unsafe_code, reason = "as above")]
            unsafe {
                nix::libc::_exit(code)
            }
        }
        ForkResult::Parent { child } => match waitpid(child, None).expect("its end") {
            WaitStatus::Exited(_, code) => Some(code == 0),
            _ => None,
        },
    }
}
