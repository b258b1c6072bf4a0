//! A broker of one's own: nats-server on this host alone, for as long as it is wanted.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, thread};

use kernel::Cluster;
use rustix::process::{Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal};
use tempfile::TempDir;

use crate::connect::Trouble;

/// Bounds the time from a broker's start until it is ready, which takes some 20 ms.
const PATIENCE: Duration = Duration::from_secs(10);

/// A broker. Dropping it ends it.
pub(crate) struct Broker {
    /// How it is reached, by whom it is told.
    pub(crate) cluster: Cluster,
    child: Arc<Mutex<Child>>,
    /// Who has started it and reads what it says. The system ends it with this thread.
    thread: Option<thread::JoinHandle<()>>,
}

impl Broker {
    /// Starts nats-server on 127.0.0.1, on a port that the system chooses, with a token that nobody else knows. It keeps
    /// nothing on disk.
    pub(crate) fn start() -> Result<Self, Trouble> {
        let token = random_name().map_err(Trouble::Random)?;
        let (ready, started) = mpsc::channel();
        let of_child = token.clone();
        let thread = thread::Builder::new().name("nats-broker".into()).spawn(move || run(&of_child, &ready));
        let thread = thread.map_err(Trouble::Thread)?;
        match started.recv_timeout(PATIENCE) {
            Ok(Said::Ready(child, port)) => {
                let brokers = vec![format!("nats://127.0.0.1:{port}")];
                Ok(Broker { cluster: Cluster { brokers, token, ca: None, wanted: None }, child, thread: Some(thread) })
            }
            Ok(Said::Failed(trouble)) => Err(trouble),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(Trouble::BrokerSilent(PATIENCE)),
        }
    }

    /// Whether it has ended, which only somebody else can have seen to.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(thread::JoinHandle::is_finished)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        end(&self.child);
        if let Some(thread) = self.thread.take() {
            let _it_only_reads = thread.join();
        }
    }
}

enum Said {
    Ready(Arc<Mutex<Child>>, u16),
    Failed(Trouble),
}

/// A broker, from its start to its end.
fn run(token: &str, tell: &mpsc::Sender<Said>) {
    let (mut child, store) = match spawn(token) {
        Ok(spawned) => spawned,
        Err(trouble) => {
            let _nobody_waits = tell.send(Said::Failed(trouble));
            return;
        }
    };
    let said = child.stderr.take().map(BufReader::new);
    let child = Arc::new(Mutex::new(child));
    let (mut port, mut last) = (None, String::new());
    for line in said.into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
        if let Some((_, address)) = line.split_once("Listening for client connections on ") {
            port = address.rsplit(':').next().and_then(|port| port.trim().parse().ok());
        }
        if let (true, Some(port)) = (line.contains("Server is ready"), port)
            && tell.send(Said::Ready(Arc::clone(&child), port)).is_err()
        {
            break;
        }
        last = line;
    }
    end(&child);
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    let exit = child.wait().map_or_else(|error| error.to_string(), |exit| exit.to_string());
    drop(store);
    let _somebody_waits_or_not = tell.send(Said::Failed(Trouble::BrokerEnded { exit, last }));
}

/// Kills it. Its status is left to the thread that started it.
fn end(child: &Mutex<Child>) {
    let child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // Until it was waited for, nobody else has its id.
    let _ended_already = kill_process(Pid::from_child(&child), Signal::KILL);
}

fn spawn(token: &str) -> Result<(Child, (TempDir, File)), Trouble> {
    let store = store().map_err(Trouble::Folder)?;
    // On standard input, where no other user sees the token.
    let configuration = format!(
        "host: 127.0.0.1\nport: -1\nmax_payload: {}\nmax_pending: {}\nauthorization {{ token: {token:?} }}\n\
         jetstream {{ store_dir: {:?}, max_file_store: 0 }}\n",
        8 << 20,
        256 << 20,
        store.0.path().display().to_string(),
    );
    let mut command = Command::new("nats-server");
    // Large outputs leave it with much to collect: at Go's default of 100 a batch of them takes a quarter longer.
    command.args(["-c", "/dev/stdin"]).env("GOGC", "400").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let parent = getpid();
    let tied = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The caller may have ended before that.
        if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) }
    };
    // SAFETY: between fork and exec it makes two system calls, and takes no lock and no memory.
    #[expect(unsafe_code, reason = "only the process itself can ask to be ended with its parent")]
    unsafe {
        command.pre_exec(tied);
    }
    let mut child = command.spawn().map_err(Trouble::NoServer)?;
    let mut stdin = child.stdin.take();
    if let Some(stdin) = &mut stdin {
        // What it does not read it tells itself.
        let _told_by_its_end = stdin.write_all(configuration.as_bytes());
    }
    Ok((child, store))
}

/// A folder, since nats-server asks for one, for itself alone: it deletes what it finds empty, though streams in memory leave
/// nothing there. It is among this user's, not with temporary files, so that the next broker can remove those that killed callers
/// have left behind.
fn store() -> io::Result<(TempDir, File)> {
    #[expect(clippy::disallowed_methods, reason = "where a user's files are is told there alone")]
    let given = |name: &str| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = given("HOME").map(|home| home.join(".cache"));
    let places = [given("XDG_RUNTIME_DIR"), given("XDG_CACHE_HOME"), home, Some(env::temp_dir())];
    let mut made = Err(io::ErrorKind::NotFound.into());
    for place in places.into_iter().flatten() {
        let all = place.join("fanout-nats");
        made = DirBuilder::new().recursive(true).mode(0o700).create(&all).and_then(|()| {
            remove_abandoned(&all);
            let folder = tempfile::tempdir_in(&all)?;
            let lock = File::open(folder.path())?;
            lock.lock()?;
            Ok((folder, lock))
        });
        if made.is_ok() {
            break;
        }
    }
    made
}

/// Removes the folders that no broker has any more: nobody holds their locks.
fn remove_abandoned(all: &Path) {
    for folder in fs::read_dir(all).into_iter().flatten().flatten() {
        let is_held = File::open(folder.path()).is_ok_and(|folder| folder.try_lock().is_err());
        if !is_held {
            let _another_may_have = fs::remove_dir_all(folder.path());
        }
    }
}

/// A name that nobody can guess, of 128 bits.
pub(crate) fn random_name() -> Result<String, getrandom::Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(format!("{:032x}", u128::from_le_bytes(bits)))
}
