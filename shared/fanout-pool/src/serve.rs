//! The worker's side: what makes a process that was started as a worker into one.

use std::any::Any;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process};

use crate::descriptors::about;
use crate::error::caught;
use crate::port::{Port, Reply};
use crate::protocol::{Ask, Identity, Kind, Request};
use crate::role::{ARGUMENT, Role, role};
use crate::share::{Encoded, Share};
use crate::task::{Here, IntoTask, Task, identity};
use crate::transfer::{Incoming, Outgoing, ReceiveError, Source, Transfer};

/// What this program does when it is a worker. [`serve`](Setup::serve) it in the first line of `main`:
///
/// ```
/// # fn words(text: String) -> usize { text.split_whitespace().count() }
/// fn main() {
///     fanout_pool::worker().task(words).serve();
///     // … the program itself …
/// }
/// ```
///
/// or have [`register!`](crate::register) do so without a line in `main`.
pub fn worker() -> Setup {
    Setup { tasks: Vec::new(), init: None }
}

/// See [`worker()`].
#[must_use = "without `serve` this process never becomes a worker"]
pub struct Setup {
    tasks: Vec<Entry>,
    init: Option<Init>,
}

type Init = Box<dyn FnOnce(&mut Here) -> Initialised>;

/// What an initialiser gives.
pub(crate) type Initialised = Result<(), Box<dyn Error + Send + Sync>>;

impl Setup {
    /// Adds a task that it can run.
    pub fn task<K: IntoTask<M>, M>(mut self, _: K) -> Self {
        self.tasks.push(Entry::of::<K::Task>());
        self
    }

    /// Adds tasks from a list that something else keeps.
    #[doc(hidden)]
    pub fn entries(mut self, entries: impl IntoIterator<Item = Entry>) -> Self {
        self.tasks.extend(entries);
        self
    }

    /// What each worker does before its first call, on the thread that calls [`serve`](Setup::serve): in the first line
    /// of `main` there is no other thread yet, so that what holds for a thread and those that it starts, such as a seccomp
    /// filter or a landlock ruleset, holds for all. An error or a panic ends the worker before it is one, and is told by
    /// [`Builder::start`](crate::Builder::start).
    pub fn init<E: Into<Box<dyn Error + Send + Sync>>>(
        mut self,
        init: impl FnOnce(&mut Here) -> Result<(), E> + 'static,
    ) -> Self {
        self.init = Some(Box::new(|here| init(here).map_err(Into::into)));
        self
    }

    /// Serves calls and ends the process, if it was started as a worker; returns at once, if not. Call it first in `main`:
    /// what runs before it runs in every worker too, and must not keep open what it did not mark close-on-exec.
    /// Descriptors that are not so marked came from the parent, and are closed.
    ///
    /// The channel comes as standard input. It is moved away before anything else, so that a call that reads its standard
    /// input finds an empty one. What a call prints goes to the parent's stderr.
    pub fn serve(self) {
        let Some(role) = role() else { return };
        let status = match run(self, &role) {
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
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.tasks.iter().map(|task| task.name).collect();
        f.debug_struct("Setup").field("tasks", &names).finish_non_exhaustive()
    }
}

/// A task that this program can run, as a worker.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Entry {
    name: &'static str,
    identity: Identity,
    share: fn(Encoded) -> Result<Box<dyn Any>, String>,
    answer: fn(Call<'_>) -> io::Result<()>,
}

/// A call that a worker has taken.
struct Call<'a> {
    shared: Option<&'a dyn Any>,
    port: &'a mut Port,
    here: &'a mut Here,
    call: u64,
    limit: u64,
}

impl Entry {
    /// Of this task.
    pub fn named<K: IntoTask<M>, M>(_: K) -> Self {
        Self::of::<K::Task>()
    }

    /// Of task `T`.
    pub fn of<T: Task>() -> Self {
        Entry { name: T::name(), identity: identity::<T>(), share: share::<T>, answer: answer::<T> }
    }
}

/// What [`register!`](crate::register) has named.
static REGISTERED: Mutex<Registered> = Mutex::new(Registered { tasks: Vec::new(), init: Vec::new() });

struct Registered {
    tasks: Vec<Entry>,
    init: Vec<fn(&mut Here) -> Initialised>,
}

/// Names a task, before `main`.
#[doc(hidden)]
pub fn add_task(entry: Entry) {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).tasks.push(entry);
}

/// Names an initialiser, before `main`.
#[doc(hidden)]
pub fn add_init(init: fn(&mut Here) -> Initialised) {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).init.push(init);
}

/// Serves what was named, before `main`.
#[doc(hidden)]
pub fn serve_registered() {
    if role().is_none() {
        return;
    }
    let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    let (tasks, init) = (registered.tasks.clone(), registered.init.clone());
    drop(registered);
    let all = move |here: &mut Here| match init.as_slice() {
        [] => Ok(()),
        [init] => init(here),
        _ => Err("more than one `register!` has an initialiser: a program has one".into()),
    };
    worker().entries(tasks).init::<Box<dyn Error + Send + Sync>>(all).serve();
}

/// Has this program serve tasks before its `main`, in whichever crate of it this stands: in a test, where `main` is the
/// test harness's, and in a library, whose users then need no line in theirs. Write it once beside the tasks:
///
/// ```
/// fn words(text: String) -> usize {
///     text.split_whitespace().count()
/// }
///
/// fn letters(text: String) -> usize {
///     text.chars().filter(|c| c.is_alphabetic()).count()
/// }
///
/// fanout_pool::register!(words, letters);
/// ```
///
/// and with an initialiser, of which a program has one: `register!(words, letters; init = prepare)`, where `prepare` is a
/// function as [`Setup::init`](crate::Setup::init) takes.
///
/// # How, and where not
///
/// A function that the linker has in the list of what runs before `main` (`.init_array`, and `__mod_init_func` on macOS)
/// looks at this program's arguments, of which a worker has two more. There it serves, and `main` is never reached. Rust's
/// own start has not run then: an overflow of the stack is a plain `SIGSEGV`, without the words that std has for it, and a
/// write to a closed pipe ends the worker by `SIGPIPE`. What other code has the linker run before `main` may not have run yet.
///
/// A program may have many of these, one beside each group of tasks; on macOS it may have one. Where no code is to run
/// before `main`, [`worker()`](crate::worker())`…serve()` in `main` does the same, and for tests an entry test:
/// [`Builder::entry_test`](crate::Builder::entry_test).
#[macro_export]
macro_rules! register {
    ($($task:expr),+ $(,)?) => {
        $crate::register! { @place $($crate::registry::add_task($crate::registry::Entry::named($task));)+ }
    };
    ($($task:expr),+ ; init = $init:expr) => {
        $crate::register! { @place
            $($crate::registry::add_task($crate::registry::Entry::named($task));)+
            $crate::registry::add_init(|here| ($init)(here).map_err(::core::convert::Into::into));
        }
    };
    (@place $($add:stmt;)+) => {
        const _: () = {
            // A task may be called anything else.
            extern "C" fn fanout_pool_add() {
                $($add)+
            }

            extern "C" fn fanout_pool_serve() {
                $crate::registry::serve_registered();
            }

            // All tasks are named before any of these serves.
            #[used]
            #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array.00200"))]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
            static FANOUT_POOL_ADD: extern "C" fn() = fanout_pool_add;

            #[used]
            #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
            static FANOUT_POOL_SERVE: extern "C" fn() = fanout_pool_serve;
        };
    };
}

fn run(setup: Setup, role: &Role) -> io::Result<()> {
    let channel = take_channel()?;
    close_inherited()?;
    end_with(&channel, role.parent)?;
    let Setup { tasks, init } = setup;
    are_told_apart(&tasks).map_err(io::Error::other)?;
    role.limits.apply()?;
    let mut here = Here::new();
    if let Some(init) = init {
        let done = caught(|| init(&mut here)).unwrap_or_else(|panic| Err(panic.into()));
        done.map_err(|error| io::Error::other(format!("the initialiser failed: {error}")))?;
    }
    // They are closed by the end of the process. A call may have closed the channel before, and std's debug builds abort
    // over that; and what a call has kept is not dropped in a hurry.
    let mut port = ManuallyDrop::new(Port::new(channel));
    let mut here = ManuallyDrop::new(here);
    port.say_hello()?;
    let mut shared: HashMap<u64, Result<Box<dyn Any>, String>> = HashMap::new();
    while let Some((call, request)) = port.next()? {
        match request.ask {
            Ask::Share | Ask::ShareFile => {
                let encoded = receive_shared(&mut port, request)?;
                let made = find(&tasks, request.task).and_then(|task| {
                    caught(|| (task.share)(encoded))
                        .unwrap_or_else(|panic| Err(format!("it panicked: {panic}")))
                        .map_err(|reason| format!("the worker cannot make the shared value of what was sent: {reason}"))
                });
                match &made {
                    Ok(_) => port.reply(Kind::Loaded, call, &[])?,
                    Err(reason) => port.tell(Kind::Refused, call, reason)?,
                }
                shared.insert(request.shared, made);
            }
            Ask::Forget => {
                let forgotten = shared.remove(&request.shared);
                let _told = caught(|| drop(forgotten));
            }
            Ask::Call => {
                let known = find(&tasks, request.task).and_then(|task| match shared.get(&request.shared) {
                    Some(Ok(shared)) => Ok((task, Some(&**shared))),
                    None if request.shared == 0 => Ok((task, None)),
                    Some(Err(reason)) => Err(reason.clone()),
                    None => Err(String::from("its shared value was not sent")),
                });
                match known {
                    Ok((task, shared)) => {
                        port.take(call)?;
                        here.attempt_is(request.attempt);
                        let (port, here) = (&mut *port, &mut *here);
                        (task.answer)(Call { shared, port, here, call, limit: request.limit })?;
                    }
                    Err(reason) => {
                        port.tell(Kind::Refused, call, &reason)?;
                        port.skip_rest()?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether each task has a name of its own. One that was named twice is one.
fn are_told_apart(tasks: &[Entry]) -> Result<(), String> {
    for (index, task) in tasks.iter().enumerate() {
        let same = |other: &&Entry| other.identity.name == task.identity.name && other.identity != task.identity;
        if tasks[..index].iter().any(|other| same(&other)) {
            return Err(format!("two tasks are named `{}`: call one of them something else", task.name));
        }
    }
    Ok(())
}

/// The entry of a task. If there is none, why.
fn find(tasks: &[Entry], asked: Identity) -> Result<&Entry, String> {
    tasks.iter().find(|task| task.identity == asked).ok_or_else(|| {
        if tasks.iter().any(|task| task.identity.name == asked.name) {
            String::from(
                "the worker has another task of this name: another build of it, or a function that is not registered",
            )
        } else {
            String::from("the worker does not serve it: give it to `register!`, or in `main` to `worker().task(…)`")
        }
    })
}

/// The bytes of a shared value.
fn receive_shared(port: &mut Port, request: Request) -> io::Result<Encoded> {
    if request.ask == Ask::Share {
        return port.read_rest().map(Encoded::owned);
    }
    let file =
        port.take_file().map(File::from).ok_or_else(|| io::Error::other("a file came without its descriptor"))?;
    // Another worker may have the room for it.
    Encoded::file(&file, request.length)
        .map_err(|error| io::Error::other(format!("the shared value cannot be mapped: {error}")))
}

fn share<T: Task>(encoded: Encoded) -> Result<Box<dyn Any>, String> {
    <T::Shared as Share>::decode(encoded).map(|held| Box::new(held) as Box<dyn Any>)
}

/// Runs a task and sends what came of it. An error ends the worker: the parent is gone, or waits for the rest of an
/// answer that does not come.
fn answer<T: Task>(taken: Call<'_>) -> io::Result<()> {
    let Call { shared, port, here, call, limit } = taken;
    let input = caught(|| T::Input::receive(Incoming::new(&mut *port)));
    let left = port.left();
    if let Ok(Err(ReceiveError::Lost(_))) = input {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    port.skip_rest()?;
    let input = match input {
        Ok(Ok(_)) if left > 0 => return port.tell(Kind::Unreceived, call, &format!("{left} bytes were left of it")),
        Ok(Ok(input)) => input,
        Ok(Err(error)) => return port.tell(Kind::Unreceived, call, &error.to_string()),
        Err(message) => return port.tell(Kind::Panicked, call, &message),
    };
    let before = port.written();
    let sent = caught(|| {
        let nothing;
        let shared = match shared {
            Some(shared) => shared.downcast_ref::<<T::Shared as Share>::Held>().ok_or("it is of another type"),
            None => {
                nothing = <T::Shared as Share>::decode(Encoded::owned(Vec::new()));
                nothing.as_ref().map_err(String::as_str)
            }
        };
        let mut reply = Reply { port: &mut *port, call };
        match shared {
            Ok(shared) => T::answer(shared.borrow(), input, here, Outgoing::new(&mut reply, limit)),
            Err(reason) => Outgoing::new(&mut reply, limit).fail(&format!("its shared value cannot be used: {reason}")),
        }
    });
    port.flush_prints();
    let (not_begun, owed) = (port.written() == before, port.owed());
    match sent {
        Ok(Ok(())) if not_begun => port.tell(Kind::Unsent, call, "nothing was sent of it"),
        Ok(Err(error)) if not_begun => port.tell(Kind::Unsent, call, &error.to_string()),
        Err(message) if not_begun => port.tell(Kind::Panicked, call, &message),
        Ok(Err(error)) if owed > 0 => Err(error),
        Ok(Ok(())) if owed > 0 => Err(io::Error::other(format!("{owed} bytes of an answer were left unsent"))),
        Err(message) if owed > 0 => Err(io::Error::other(format!("a panic left {owed} bytes unsent: {message}"))),
        // The answer is there. What goes wrong afterwards changes nothing in it; of a panic the hook has told.
        _ => Ok(()),
    }
}

/// Moves the channel off standard input, and puts `/dev/null` in its place.
fn take_channel() -> io::Result<UnixStream> {
    let stdin = io::stdin();
    if rustix::net::sockopt::socket_type(&stdin).is_err() {
        return Err(io::Error::other(
            "standard input is no channel; only fanout-pool starts a program with this argument",
        ));
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

/// Ends this process when its parent is gone, whatever the call is doing, and whether or not it is stopped.
///
/// On Linux the system does it, when the thread that started this process ends: a worker's slot keeps that
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
        // Nothing in the process is asked for its consent: a call may loop, or hold any lock.
        let _never_fails = kill_process(getpid(), Signal::KILL);
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listening::{Blocks, Texts};

    #[test]
    fn a_task_is_found_by_its_name_and_build() {
        let tasks = [Entry::of::<Texts>()];
        assert!(find(&tasks, identity::<Texts>()).is_ok());
        let told = |asked| find(&tasks, asked).map(|_| ()).unwrap_err();
        assert!(told(Identity { build: 7, ..identity::<Texts>() }).contains("another build"));
        assert!(told(identity::<Blocks>()).contains("does not serve it"));
    }

    #[test]
    fn two_tasks_of_one_name_are_told() {
        let (texts, blocks) = (Entry::of::<Texts>(), Entry::of::<Blocks>());
        assert!(are_told_apart(&[texts, blocks, texts]).is_ok());
        let identity = Identity { name: texts.identity.name, ..blocks.identity };
        let error = are_told_apart(&[texts, Entry { identity, ..blocks }]).unwrap_err();
        assert!(error.contains("two tasks are named"), "{error}");
    }
}
