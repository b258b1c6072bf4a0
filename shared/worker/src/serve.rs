//! The worker's side: what makes a process that was started as a worker into one.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use kernel::KeyError;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process};

use crate::codec::{Answer, Codec};
use crate::portable::{Portable, build_id};
use crate::protocol::{Kind, REQUEST, Request, hello};

/// The last argument but one of a worker process; the last is its parent's process id.
pub(crate) const ARGUMENT: &str = "--fanout-worker";

/// A workload that this program can expand keys of, as a worker.
pub struct Served {
    name: &'static str,
    build_id: u128,
    keys: fn(&mut UnixStream, &[u8]) -> io::Result<Option<Request>>,
}

/// The entry of workload `W`, for [`serve`].
pub fn job<W: Portable>() -> Served {
    Served { name: W::NAME, build_id: build_id::<W>(), keys: keys::<W> }
}

/// Whether this process was started as a worker.
pub fn is_worker() -> bool {
    parent().is_some()
}

/// Serves keys and ends the process, if it was started as a worker; returns at once, if not. Call it first in `main`:
/// what runs before it runs in every worker too, and must not keep open what it did not mark close-on-exec. Descriptors
/// that are not so marked came from the parent, and are closed.
///
/// The channel comes as standard input. It is moved away before anything else, so that a key that reads its standard
/// input finds an empty one. What a key prints goes to the parent's stderr.
pub fn serve(jobs: &[Served]) {
    let Some(parent) = parent() else { return };
    let status = match run(jobs, parent) {
        Ok(()) => 0,
        // The parent is gone, and nobody is left to tell.
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => 0,
        Err(error) => {
            let _nobody_listens = writeln!(io::stderr(), "{ARGUMENT}: {error}");
            1
        }
    };
    std::process::exit(status);
}

/// The process that started this one as a worker, if one did.
fn parent() -> Option<Pid> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match arguments.as_slice() {
        [_, .., argument, parent] if argument == ARGUMENT => Pid::from_raw(parent.to_str()?.parse().ok()?),
        _ => None,
    }
}

fn run(jobs: &[Served], parent: Pid) -> io::Result<()> {
    let mut channel = take_channel()?;
    close_inherited()?;
    end_with(&channel, parent)?;
    channel.write_all(&hello())?;
    let mut request = next(&mut channel)?;
    while let Some(asked) = request {
        let Request::Workload { length } = asked else {
            return Err(io::Error::other("a key was asked before a workload was sent"));
        };
        let mut message = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        channel.read_exact(&mut message)?;
        let ((build_id, name), workload): ((u128, &str), _) =
            postcard::take_from_bytes(&message).map_err(io::Error::other)?;
        request = match jobs.iter().find(|job| job.name == name) {
            Some(job) if job.build_id == build_id => (job.keys)(&mut channel, workload)?,
            Some(_) => refuse(&mut channel, &format!("the worker has another build of `{name}` than its parent"))?,
            None => refuse(&mut channel, &format!("the worker's `main` does not serve `{name}`: give it to `serve`"))?,
        };
    }
    Ok(())
}

/// Expands keys of the encoded workload. Gives back the first request that is for no key of it; nothing at the end.
fn keys<W: Portable>(channel: &mut UnixStream, encoded: &[u8]) -> io::Result<Option<Request>> {
    let workload: W = match postcard::from_bytes(encoded) {
        Ok(workload) => workload,
        Err(error) => return refuse(channel, &format!("the worker cannot decode `{}`: {error}", W::NAME)),
    };
    answer(channel, |channel, index| {
        IN_A_KEY.store(true, Ordering::SeqCst);
        let outcome = workload.attempt(index as usize);
        // What a key prints must not wait for the next one's.
        let _nobody_listens = io::stdout().flush();
        let answer = Answer { channel, index, kind: Kind::Output };
        let sent = match outcome {
            Ok(output) => W::Codec::send(&output, answer),
            Err(KeyError::Panicked { message }) => answer.fail(&message),
            Err(error) => answer.fail(&error.to_string()),
        };
        IN_A_KEY.store(false, Ordering::SeqCst);
        sent
    })
}

/// Whether the main thread is at work on a key, and so would not notice that the parent is gone.
static IN_A_KEY: AtomicBool = AtomicBool::new(false);

/// Bounds the time that an idle worker has to exit by itself when the parent is gone, before it is ended. It has nothing
/// left to do but what runs at exit, such as the writing of a coverage profile. Half of the second in which no worker
/// may be left.
const EXIT_PATIENCE: Duration = Duration::from_millis(500);

/// Answers every key with the reason why none can be expanded.
fn refuse(channel: &mut UnixStream, reason: &str) -> io::Result<Option<Request>> {
    answer(channel, |channel, index| Answer { channel, index, kind: Kind::Refused }.send(reason.as_bytes()))
}

fn answer(
    channel: &mut UnixStream,
    mut answer: impl FnMut(&mut UnixStream, u64) -> io::Result<()>,
) -> io::Result<Option<Request>> {
    loop {
        match next(channel)? {
            Some(Request::Key { index }) => answer(channel, index)?,
            other => return Ok(other),
        }
    }
}

/// The next request; nothing at the end of the channel.
fn next(channel: &mut UnixStream) -> io::Result<Option<Request>> {
    let mut bytes = [0; REQUEST];
    match channel.read_exact(&mut bytes) {
        Ok(()) => Request::decode(bytes).map(Some).ok_or_else(|| io::Error::other("an unknown request")),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Moves the channel off standard input, and puts `/dev/null` in its place.
fn take_channel() -> io::Result<UnixStream> {
    let stdin = io::stdin();
    if rustix::net::sockopt::socket_type(&stdin).is_err() {
        return Err(io::Error::other("standard input is no channel; only fanout starts a program with this argument"));
    }
    let channel = rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(channel.into())
}

/// Closes what the parent left open across `exec`: a log file, a pipe of its shell. Whatever this process has opened
/// itself is close-on-exec, as std opens everything, and stays.
#[cfg(target_os = "linux")]
fn close_inherited() -> io::Result<()> {
    use rustix::io::{FdFlags, fcntl_getfd};
    use std::os::fd::BorrowedFd;

    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&fd| fd > 2)
        .collect();
    for fd in open {
        // SAFETY: the borrow ends with this line. It is open, or was until the listing ended, which is an error here.
        #[expect(unsafe_code, reason = "a listing gives descriptors as numbers")]
        let flags = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(fd) });
        if flags.is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC)) {
            // SAFETY: it survived `exec`, so nothing in this process owns it.
            #[expect(unsafe_code, reason = "a listing gives descriptors as numbers")]
            unsafe {
                rustix::io::close(fd);
            }
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn close_inherited() -> io::Result<()> {
    Ok(())
}

/// Ends this process when its parent is gone, whatever the key is doing. The end of the channel says so, and on Linux
/// the parent's death too, in case something else holds the channel open. `PR_SET_PDEATHSIG` would not do: it fires
/// when the thread that started this process ends.
fn end_with(channel: &UnixStream, parent: Pid) -> io::Result<()> {
    let channel = channel.try_clone()?;
    let parent_death = watch(parent);
    if getppid() != Some(parent) {
        return Err(io::Error::other(
            "the process that started this one is not the one that asked for a worker, or is gone",
        ));
    }
    thread::Builder::new().name("parent-watch".into()).spawn(move || {
        // No event is asked for: the end of a channel is always told.
        let mut watched = vec![PollFd::new(&channel, PollFlags::empty())];
        watched.extend(parent_death.as_ref().map(|death| PollFd::from_borrowed_fd(death.as_fd(), PollFlags::IN)));
        while poll(&mut watched, None).is_err() {}
        if !IN_A_KEY.load(Ordering::SeqCst) {
            thread::sleep(EXIT_PATIENCE);
        }
        // Nothing in the process is asked for its consent: a key may loop, or hold any lock.
        let _never_fails = kill_process(getpid(), Signal::KILL);
    })?;
    Ok(())
}

#[cfg(target_os = "linux")]
fn watch(process: Pid) -> Option<std::os::fd::OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    // Without one, the end of the channel must do.
    pidfd_open(process, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn watch(_: Pid) -> Option<std::os::fd::OwnedFd> {
    None
}
