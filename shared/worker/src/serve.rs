//! The worker's side: what makes a process that was started as a worker into one.

use std::fs::File;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process};

use crate::caught::caught;
use crate::codec::Answer;
use crate::descriptors::about;
use crate::port::Port;
use crate::portable::{Portable, build_id};
use crate::protocol::{Kind, Request};
use crate::role::{ARGUMENT, parent};

/// A workload that this program can expand keys of, as a worker.
pub struct Served {
    name: &'static str,
    build_id: u128,
    keys: fn(&mut Port, Call, Message) -> io::Result<Next>,
}

/// What follows the request that brings a workload.
struct Message {
    bytes: Vec<u8>,
    /// Where the encoded workload begins.
    start: usize,
}

/// The number of a request on the channel.
type Call = u64;

/// A request that was read and is for somebody else; nothing at the end of the channel.
type Next = Option<(Call, Request)>;

/// The entry of workload `W`, for [`serve`].
pub fn job<W: Portable>() -> Served {
    Served { name: W::NAME, build_id: build_id::<W>(), keys: keys::<W> }
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

fn run(jobs: &[Served], parent: Pid) -> io::Result<()> {
    let channel = take_channel()?;
    close_inherited()?;
    end_with(&channel, parent)?;
    // It is closed by the end of the process. A key may have closed it before, and std's debug builds abort over that.
    let mut port = ManuallyDrop::new(Port::new(channel));
    port.say_hello()?;
    let mut request = port.next()?;
    while let Some((call, asked)) = request {
        let Request::Workload { length } = asked else {
            return Err(io::Error::other("a key was asked before a workload was sent"));
        };
        let bytes = port.read(length)?;
        let ((build_id, name), encoded): ((u128, String), _) =
            postcard::take_from_bytes(&bytes).map_err(io::Error::other)?;
        let start = bytes.len() - encoded.len();
        request = match find(jobs, &name, build_id) {
            Ok(job) => (job.keys)(&mut port, call, Message { bytes, start })?,
            Err(reason) => {
                drop(bytes);
                refuse(&mut port, call, &reason)?
            }
        };
    }
    Ok(())
}

/// The entry of a workload. If there is none, why.
fn find<'a>(jobs: &'a [Served], name: &str, build_id: u128) -> Result<&'a Served, String> {
    jobs.iter().find(|job| job.name == name && job.build_id == build_id).ok_or_else(|| {
        if jobs.iter().any(|job| job.name == name) {
            format!("the worker has another build of `{name}` than its parent")
        } else {
            format!("the worker's `main` does not serve `{name}`: give it to `serve`")
        }
    })
}

/// Expands keys of the workload in `message`. Gives back the first request that is for no key of it; nothing at the end.
fn keys<W: Portable>(port: &mut Port, call: Call, message: Message) -> io::Result<Next> {
    let decoded = caught(|| postcard::from_bytes::<W>(&message.bytes[message.start..]));
    // As large as the workload, and needed no more.
    drop(message);
    let workload = match decoded {
        Ok(Ok(workload)) => workload,
        Ok(Err(error)) => return refuse(port, call, &format!("the worker cannot decode `{}`: {error}", W::NAME)),
        Err(panic) => return refuse(port, call, &format!("decoding `{}` panicked: {panic}", W::NAME)),
    };
    port.reply(Kind::Loaded, call, &[])?;
    let next = answer_keys(port, |port, call, index| {
        port.reply(Kind::Taken, call, &[])?;
        answer(&workload, index as usize, port, call)
    });
    let _told = caught(|| drop(workload));
    next
}

/// Expands one key and sends what came of it. An error ends the worker: the parent is gone, or waits for the rest of an
/// answer that does not come.
fn answer<W: Portable>(workload: &W, index: usize, port: &mut Port, call: Call) -> io::Result<()> {
    let before = port.written();
    let sent = caught(|| {
        let limit = workload.max_bytes(index);
        workload.send(index, Answer { port: &mut *port, call, limit })
    });
    port.flush_prints();
    let (not_begun, owed) = (port.written() == before, port.owed());
    match sent {
        Ok(Ok(())) if not_begun => tell(port, call, Kind::Unsent, "its codec sent nothing"),
        Ok(Err(error)) if not_begun => tell(port, call, Kind::Unsent, &error.to_string()),
        Err(message) if not_begun => tell(port, call, Kind::Panicked, &message),
        Ok(Err(error)) if owed > 0 => Err(error),
        Ok(Ok(())) if owed > 0 => Err(io::Error::other(format!("{owed} bytes of an answer were left unsent"))),
        Err(message) if owed > 0 => Err(io::Error::other(format!("a panic left {owed} bytes unsent: {message}"))),
        // The answer is there. What goes wrong afterwards changes nothing in it; of a panic the hook has told.
        _ => Ok(()),
    }
}

fn tell(port: &mut Port, call: Call, kind: Kind, text: &str) -> io::Result<()> {
    Answer { port, call, limit: 0 }.tell(kind, text)
}

/// Replies to a workload, and to every key of it, with the reason why none can be expanded.
fn refuse(port: &mut Port, call: Call, reason: &str) -> io::Result<Next> {
    tell(port, call, Kind::Refused, reason)?;
    answer_keys(port, |port, call, _| tell(port, call, Kind::Refused, reason))
}

fn answer_keys(port: &mut Port, mut answer: impl FnMut(&mut Port, Call, u64) -> io::Result<()>) -> io::Result<Next> {
    loop {
        match port.next()? {
            Some((call, Request::Key { index })) => answer(port, call, index)?,
            other => return Ok(other),
        }
    }
}

/// Moves the channel off standard input, and puts `/dev/null` in its place.
fn take_channel() -> io::Result<UnixStream> {
    let stdin = io::stdin();
    if rustix::net::sockopt::socket_type(&stdin).is_err() {
        return Err(io::Error::other("standard input is no channel; only fanout starts a program with this argument"));
    }
    let channel = rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null").map_err(|error| about("/dev/null", error))?)?;
    Ok(channel.into())
}

/// Closes what the parent left open across `exec`: a log file, a pipe of its shell. Whatever this process has opened
/// itself is close-on-exec, as std opens everything, and stays.
#[cfg(target_os = "linux")]
fn close_inherited() -> io::Result<()> {
    use rustix::io::{FdFlags, fcntl_getfd};
    use std::os::fd::BorrowedFd;

    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .map_err(|error| about("/proc/self/fd", error))?
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

/// Ends this process when its parent is gone, whatever the key is doing, and whether or not it is stopped.
///
/// On Linux the system does it, when the thread that started this process ends: a [`Worker`](crate::Worker) stays on that
/// thread. Elsewhere a thread waits for the end of the channel, and a stopped process is not ended.
fn end_with(channel: &UnixStream, parent: Pid) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(parent) {
        return Err(io::Error::other(
            "the process that started this one is not the one that asked for a worker, or is gone",
        ));
    }
    if cfg!(target_os = "linux") { Ok(()) } else { end_with_channel(channel.try_clone()?) }
}

fn end_with_channel(channel: UnixStream) -> io::Result<()> {
    thread::Builder::new().name("parent-watch".into()).spawn(move || {
        // No event is asked for: the end of a channel is always told.
        while poll(&mut [PollFd::new(&channel, PollFlags::empty())], None).is_err() {}
        // Nothing in the process is asked for its consent: a key may loop, or hold any lock.
        let _never_fails = kill_process(getpid(), Signal::KILL);
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listening::{Blocks, Texts};

    #[test]
    fn a_workload_is_found_by_its_name_and_build_also_where_two_have_one_name() {
        let namesake = Served { name: Texts::NAME, ..job::<Blocks>() };
        let jobs = [namesake, job::<Texts>()];
        let found = find(&jobs, Texts::NAME, build_id::<Texts>()).unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!(found.build_id, build_id::<Texts>());
        assert!(find(&jobs, Texts::NAME, 7).is_err_and(|reason| reason.contains("another build of `texts`")));
        assert!(find(&jobs, Blocks::NAME, 7).is_err_and(|reason| reason.contains("does not serve `blocks`")));
    }
}
