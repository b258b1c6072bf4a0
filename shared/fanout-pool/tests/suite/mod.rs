//! What both suites use: patience, gates at which calls wait, and values that give trouble.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::Location;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fanout_pool::{Builder, Event, Handle, Incoming, Outcome, Outgoing, Pool, ReceiveError, Transfer, Workers};
use rustix::process::{Pid, Signal, getpid, kill_process, test_kill_process};

/// Longer than anything here takes on a slow machine. Whatever has not come by then hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a shutdown may wait for calls that end: they are done long before.
pub(crate) const GRACE: Duration = PATIENCE;

/// Waits until there is something, and asks again each millisecond.
#[track_caller]
pub(crate) fn within<T>(most: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < most, "it did not come within {most:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The outcome of a call, which must come.
#[track_caller]
pub(crate) fn outcome<R>(mut handle: Handle<R>) -> Outcome<R> {
    handle.wait_for(PATIENCE).unwrap_or_else(|| panic!("{handle:?} has no outcome after {PATIENCE:?}"))
}

/// Ends this program when a test hangs, and says where. It watches from when it is made until it is dropped: made
/// first, it watches also how the test's pools are dropped.
pub(crate) struct Watch {
    at: Arc<Mutex<(&'static str, &'static Location<'static>)>>,
    _over: Sender<()>,
}

impl Watch {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let at = Arc::new(Mutex::new(("it starts", Location::caller())));
        let (over, overs) = mpsc::channel::<()>();
        let (watched, test) = (Arc::clone(&at), thread::current().name().unwrap_or_default().to_owned());
        thread::spawn(move || {
            if overs.recv_timeout(2 * PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let (what, place) = *watched.lock().unwrap_or_else(PoisonError::into_inner);
                let _nobody_listens = writeln!(io::stderr(), "{test} hangs after {place}, where {what}");
                std::process::exit(101);
            }
        });
        Watch { at, _over: over }
    }

    /// What the test does next.
    #[track_caller]
    pub(crate) fn now(&self, what: &'static str) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = (what, Location::caller());
    }
}

/// A pool's settings, for a test that makes workers panic and die.
pub(crate) fn builder(workers: impl Into<Workers>) -> Builder {
    Pool::builder().workers(workers).quiet(true).env("RUST_BACKTRACE", "0")
}

pub(crate) fn pool(workers: impl Into<Workers>) -> Pool {
    builder(workers).start().unwrap()
}

/// The process ids of a pool's workers.
pub(crate) fn pids(pool: &Pool) -> Vec<u32> {
    pool.status().workers.iter().filter_map(|worker| worker.pid).collect()
}

/// All events of a pool.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<Event>>>);

impl Events {
    pub(crate) fn listener(&self) -> impl Fn(Event) + Send + Sync + 'static {
        let events = Arc::clone(&self.0);
        move |event| events.lock().unwrap_or_else(PoisonError::into_inner).push(event)
    }

    pub(crate) fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|event| which(event)).count()
    }
}

fn process(pid: u32) -> Pid {
    i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap()
}

pub(crate) fn kill(pid: u32, signal: Signal) {
    // It may have died of itself meanwhile.
    let _gone = kill_process(process(pid), signal);
}

/// Whether there is no such process, also none that waits for its status to be taken.
pub(crate) fn is_gone(pid: u32) -> bool {
    test_kill_process(process(pid)).is_err()
}

/// Where calls wait until a test lets them go on. It is a socket: that somebody died there is seen, and whoever comes
/// when the gate is gone passes.
pub(crate) struct Gate {
    folder: tempfile::TempDir,
    listener: UnixListener,
}

/// A process at a gate. Dropped, it goes on.
pub(crate) struct Arrival {
    pub(crate) said: String,
    stream: UnixStream,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("gate")).unwrap();
        listener.set_nonblocking(true).unwrap();
        Gate { folder, listener }
    }

    /// What a process passes it by.
    pub(crate) fn path(&self) -> String {
        self.folder.path().join("gate").into_os_string().into_string().unwrap()
    }

    /// The next process that has come, if there is one.
    pub(crate) fn look(&self) -> Option<Arrival> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut said = String::new();
        let mut byte = [0];
        while (&stream).read(&mut byte).unwrap_or_default() == 1 && byte != *b"\n" {
            said.push(char::from(byte[0]));
        }
        Some(Arrival { said, stream })
    }

    /// The next process that comes.
    #[track_caller]
    pub(crate) fn arrival(&self) -> Arrival {
        within(PATIENCE, || self.look())
    }

    #[track_caller]
    pub(crate) fn arrivals(&self, count: usize) -> Vec<Arrival> {
        (0..count).map(|_| self.arrival()).collect()
    }

    /// Lets pass whoever comes, or has come and was not looked at.
    pub(crate) fn open(self) {}
}

impl Arrival {
    /// The process that came said its id.
    pub(crate) fn pid(&self) -> u32 {
        self.said.parse().unwrap()
    }

    /// Waits until the process is gone.
    #[track_caller]
    pub(crate) fn wait_gone(&self) {
        let read = (&self.stream).read(&mut [0]);
        assert!(!matches!(&read, Err(error) if error.kind() == io::ErrorKind::WouldBlock), "{} lives", self.said);
    }

    /// Lets it go on.
    pub(crate) fn go(self) {}
}

/// Says something at a gate, and waits there until it may go on.
pub(crate) fn pass(gate: &str, saying: &str) {
    if let Ok(mut stream) = UnixStream::connect(gate) {
        let _is_open = writeln!(stream, "{saying}");
        let _is_open = stream.read(&mut [0]);
    }
}

/// Where it begins to give trouble, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Place {
    InputSent,
    InputReceived,
    Computed,
    OutputSent,
    OutputReceived,
}

/// Which trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum How {
    Error,
    Panic,
    Exit,
    Crash,
}

/// A value that gives trouble on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trouble(pub(crate) Place, pub(crate) How);

/// What the trouble says.
pub(crate) const SAID: &str = "the error message";

impl Trouble {
    pub(crate) fn strike(self, place: Place) -> Result<(), String> {
        match self.1 {
            _ if self.0 != place => Ok(()),
            How::Error => Err(String::from(SAID)),
            How::Panic => panic!("{SAID}"),
            How::Exit => std::process::exit(1),
            How::Crash => {
                crash_now();
                Ok(())
            }
        }
    }
}

impl Transfer for Trouble {
    fn send(&self, to: Outgoing<'_>) -> io::Result<()> {
        let place = if fanout_pool::is_worker() { Place::OutputSent } else { Place::InputSent };
        self.strike(place).map_err(io::Error::other)?;
        to.send(&[self.0 as u8, self.1 as u8])
    }

    fn receive(mut from: Incoming<'_>) -> Result<Self, ReceiveError> {
        let [place, how] = from.read_array()?;
        let places =
            [Place::InputSent, Place::InputReceived, Place::Computed, Place::OutputSent, Place::OutputReceived];
        let hows = [How::Error, How::Panic, How::Exit, How::Crash];
        let trouble = Trouble(places[usize::from(place)], hows[usize::from(how)]);
        let place = if fanout_pool::is_worker() { Place::InputReceived } else { Place::OutputReceived };
        trouble.strike(place).map_err(ReceiveError::Invalid)?;
        Ok(trouble)
    }
}

/// Dies of a segmentation fault, as far as anybody can tell.
pub(crate) fn crash_now() {
    let _never_fails = kill_process(getpid(), Signal::SEGV);
    thread::sleep(PATIENCE);
}

pub(crate) fn double(number: u64) -> u64 {
    2 * number
}

/// Says its process id at a gate, and gives it when it may go on.
pub(crate) fn wait_at(gate: String) -> u32 {
    pass(&gate, &std::process::id().to_string());
    std::process::id()
}

pub(crate) fn own_pid(_input: ()) -> u32 {
    std::process::id()
}

pub(crate) fn crash(_input: ()) {
    crash_now();
}

pub(crate) fn exit(status: i32) {
    std::process::exit(status);
}

pub(crate) fn panics(message: String) {
    panic!("{message}");
}

pub(crate) fn echo(trouble: Trouble) -> Trouble {
    trouble.strike(Place::Computed).unwrap();
    trouble
}

/// Writes its process id into a file.
pub(crate) fn write(file: String) {
    File::create(file).and_then(|mut file| writeln!(file, "{}", std::process::id())).unwrap();
}

/// Tells a test that it runs as a program of its own, and what it is given.
const PROGRAM: &str = "SUITE_PROGRAM";

/// Runs a test of this file as a program of its own.
pub(crate) fn program(test: &str, given: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(PROGRAM, given).env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What this test was given, if it runs as a program of its own.
pub(crate) fn given() -> Option<String> {
    env::var(PROGRAM).ok()
}

/// How a program ended, and what it wrote to its stderr.
#[track_caller]
pub(crate) fn ended(mut program: Child) -> (ExitStatus, String) {
    let mut stderr = program.stderr.take().unwrap();
    let said = thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).map(|_| said).unwrap()
    });
    let status = within(PATIENCE, || program.try_wait().unwrap());
    (status, said.join().unwrap())
}
