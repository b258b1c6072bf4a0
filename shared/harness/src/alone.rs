//! A test in a process of its own, under a watchdog: what it leaves behind can be counted, and a hang is a failure that
//! says where it hung.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Where the test that is alone has its files. Where it is unset, no test is alone yet.
const FOLDER: &str = "FANOUT_ALONE";

/// Which part of the test this process plays; unset in the one that judges.
const PART: &str = "FANOUT_ALONE_PART";

/// Set where the test has a `/dev/shm` of its own: all else that runs on this machine comes and goes in the other.
const SHM: &str = "FANOUT_ALONE_SHM";

/// What begins a line that is shown although the test passes.
const NOT_TRIED: &str = "did not try ";

/// Bounds a test. When it passes, all its processes are killed, and it fails with what each of their threads waited
/// for. It is no measure of speed: the longest tests take fifteen seconds, ten of them waiting for a silent worker to be
/// given up, and this is an order of magnitude above that, for a machine that is loaded.
const PATIENCE: Duration = Duration::from_secs(180);

/// Bounds a test that bounds its own steps: as good as never, and within the clock's range.
const FOREVER: Duration = Duration::from_secs(1 << 30);

/// From this size on, in bytes, glibc gives what is freed back at once. Set in a test that watches its memory for long:
/// what it holds is then not what the largest batch once took.
const MMAP_THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";

/// Bounds what is shown of a failed test's output, in bytes; the end of it says why the test failed. A hundred lines are
/// read, and a soak's workers write megabytes.
const SHOWN: usize = 10_000;

/// Bounds what is promised to happen within a second, such as the end of workers after their parent's. The promise is
/// for a machine with a CPU to spare, and tests share theirs with each other; what must be told from it is what happens
/// never, or only when a patience of ten seconds ends.
pub const SOON: Duration = Duration::from_secs(5);

/// Runs the body in another process: the test binary once more, for this one test.
///
/// # Panics
///
/// If the body does, or does not end. What the process wrote is in the message.
pub fn alone(test: &str, body: impl FnOnce()) {
    supervised(test, PATIENCE, |_, _| {}, body);
}

/// [`alone`], for as long as the body likes: it must bound its own steps. What it [`tell`]s is shown at once, and an
/// interrupt is passed on to it: see [`interruption`].
///
/// # Panics
///
/// As [`alone`] does.
pub fn alone_for_long(test: &str, body: impl FnOnce()) {
    let interrupted = interruption();
    let mut shown = 0;
    let meanwhile = |process, folder: &Path| {
        if interrupted.swap(false, Ordering::Relaxed) {
            let _already_gone = kill_process(raw(process), Signal::INT);
        }
        let told = fs::read(told(folder)).unwrap_or_default();
        let _closed = io::stderr().write_all(&told[shown..]);
        shown = told.len();
    };
    supervised(test, FOREVER, meanwhile, body);
}

/// Whether this process was interrupted or told to terminate since. It no longer ends by that.
///
/// # Panics
///
/// If the system takes no signal handler.
pub fn interruption() -> Arc<AtomicBool> {
    let interrupted = Arc::default();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).expect("a signal handler");
    }
    interrupted
}

/// Shows a line at once, from a body that is [`alone_for_long`].
pub fn tell(line: &str) {
    let folder = env::var_os(FOLDER).expect("only a test that is alone tells");
    let file = File::options().create(true).append(true).open(told(Path::new(&folder)));
    // In one piece: half a line must not be shown.
    file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())).expect("a file to tell in");
}

/// Runs the body in another process, and does something `meanwhile`, given its id and its folder.
fn supervised(test: &str, patience: Duration, mut meanwhile: impl FnMut(u32, &Path), body: impl FnOnce()) {
    if env::var_os(FOLDER).is_some() {
        adopt_orphans();
        body();
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for place in [temporary(folder.path()), marks(folder.path())] {
        fs::create_dir(place).expect("a folder in it");
    }
    // A file and not a pipe: nobody is held up by it, and its end is not waited for when an orphan holds it open.
    let said = folder.path().join("said");
    let file = File::options().create(true).append(true).open(&said).expect("a file in it");
    let mut command = in_private(once_more(test));
    command.env(FOLDER, folder.path()).env("TMPDIR", temporary(folder.path())).env_remove("FANOUT_WORKERS");
    if patience == FOREVER {
        command.env(MMAP_THRESHOLD, "65536");
    }
    command.stdin(Stdio::null()).stdout(file.try_clone().expect("a descriptor")).stderr(file);
    let mut child = command.process_group(0).spawn().expect("the test binary once more");
    let pid = child.id();
    let status = within(patience, || {
        let status = child.try_wait().expect("the status of a child");
        // After the status was taken, so that nothing is missed of what it told before it ended.
        meanwhile(pid, folder.path());
        status
    });
    let hung = if status.is_none() { whereabouts(pid) } else { String::new() };
    for process in descendants(pid) {
        end(process);
    }
    let _already_gone = kill_process_group(raw(pid), Signal::KILL);
    if status.is_none() {
        let _already_gone = child.wait();
    }
    let said = String::from_utf8_lossy(&fs::read(said).unwrap_or_default()).into_owned();
    let shown = &said[said.ceil_char_boundary(said.len().saturating_sub(SHOWN))..];
    match status {
        None => panic!("`{test}` was not done after {patience:?}. Where it hung:\n{hung}\nWhat it said:\n{shown}"),
        Some(status) if !status.success() => panic!("`{test}`, alone, {status}:\n{shown}"),
        Some(_) => assert!(said.contains("1 passed"), "`{test}` did not run:\n{shown}"),
    }
    for (_, what) in said.lines().filter_map(|line| line.split_once(NOT_TRIED)) {
        // Not by a macro, whose output a test that passes does not show.
        let _closed = writeln!(io::stderr(), "{test} {NOT_TRIED}{what}");
    }
    let left = names(temporary(folder.path()));
    assert!(left.is_empty(), "`{test}` left {left:?} in the temporary folder");
}

/// Says that a part of the test was left out, and why. It is shown although the test passes.
pub fn not_tried(what: &str) {
    eprintln!("{NOT_TRIED}{what}");
}

/// The part of the test that this process plays; nothing in the one that judges.
pub fn part() -> Option<String> {
    env::var(PART).ok()
}

/// The command that plays a part of a test that is [`alone`] already.
pub fn play(test: &str, part: &str) -> Command {
    let mut command = once_more(test);
    command.env(PART, part).stdin(Stdio::null());
    command
}

/// The arguments that make the test binary run one test.
pub fn only(test: &str) -> [&str; 4] {
    [test, "--exact", "--test-threads=1", "--nocapture"]
}

fn once_more(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("the test binary's path"));
    command.args(only(test));
    command
}

/// The same with a `/dev/shm` of its own, where this user may make one.
fn in_private(command: Command) -> Command {
    const PRIVATE: [&str; 3] = ["--mount", "sh", "-c"];
    let mount = "mount -t tmpfs tmpfs /dev/shm";
    let tried = Command::new("unshare").args(PRIVATE).arg(mount).stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        return command;
    }
    let mut wrapped = Command::new("unshare");
    wrapped.args(PRIVATE).arg(format!(r#"{mount} && {SHM}=private exec "$@""#)).arg("sh");
    wrapped.arg(command.get_program()).args(command.get_args());
    wrapped
}

/// A file that tells something to another process of the test that is [`alone`].
pub fn mark(name: &str) -> PathBuf {
    marks(Path::new(&env::var_os(FOLDER).expect("only a test that is alone has marks"))).join(name)
}

fn marks(folder: &Path) -> PathBuf {
    folder.join("marks")
}

fn told(folder: &Path) -> PathBuf {
    folder.join("told")
}

fn temporary(folder: &Path) -> PathBuf {
    folder.join("tmp")
}

/// Asks until there is an answer, for as long as `patience`.
pub fn within<T>(patience: Duration, mut answer: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        let answer = answer();
        if answer.is_some() || Instant::now() > deadline {
            return answer;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until all the files are there: a mark that a process leaves is how another knows where it is.
///
/// # Panics
///
/// If that takes longer than half a minute, which is not a promise but a machine's worst.
pub fn all_there(files: &[PathBuf]) {
    let there = within(Duration::from_secs(30), || files.iter().all(|file| file.exists()).then_some(()));
    assert!(there.is_some(), "some of {files:?} never came");
}

/// Asks until the answer is `wanted`, for as long as [`SOON`]; the last answer.
pub fn settled<T: PartialEq>(wanted: &T, now: impl Fn() -> T) -> T {
    within(SOON, || Some(now()).filter(|answer| answer == wanted)).unwrap_or_else(now)
}

/// What a process holds that a strategy could have left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    threads: usize,
    /// Those that have ended and were not waited for included.
    children: BTreeSet<u32>,
    /// Each with what it leads to.
    descriptors: BTreeSet<(String, PathBuf)>,
    /// What is in the temporary folder, and in `/dev/shm` where that is this test's own.
    files: BTreeSet<String>,
}

impl Holdings {
    /// Of this process, now. Empty where there is no `/proc`.
    pub fn now() -> Self {
        let shared_memory = env::var_os(SHM).map(|_| names("/dev/shm")).into_iter().flatten();
        Holdings {
            threads: names("/proc/self/task").len(),
            children: children(std::process::id()).into_iter().collect(),
            descriptors: descriptors(std::process::id())
                .into_iter()
                .filter(|(_, to)| !to.starts_with("/proc"))
                .collect(),
            files: names(env::temp_dir()).into_iter().chain(shared_memory).collect(),
        }
    }

    /// Of this process after the first use of anything. What that opens for good is not the strategy's; but no thread and
    /// no child stays of it, and one that is still ending must not be counted.
    ///
    /// # Panics
    ///
    /// If one does stay.
    pub fn after(first_use: impl FnOnce()) -> Self {
        let running = |holdings: &Holdings| (holdings.threads, holdings.children());
        let before = running(&Holdings::now());
        first_use();
        assert_eq!(settled(&before, || running(&Holdings::now())), before, "threads and children of the first use");
        Holdings::now()
    }

    /// The children among them.
    pub fn children(&self) -> BTreeSet<u32> {
        self.children.clone()
    }

    /// How many threads, children and descriptors there are.
    pub fn counts(&self) -> [usize; 3] {
        [self.threads, self.children.len(), self.descriptors.len()]
    }

    /// The files among them.
    pub fn files(&self) -> &BTreeSet<String> {
        &self.files
    }
}

fn names(folder: impl AsRef<Path>) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// The open descriptors of a process, and what each leads to.
pub fn descriptors(process: u32) -> BTreeSet<(String, PathBuf)> {
    let folder = PathBuf::from(format!("/proc/{process}/fd"));
    names(&folder).into_iter().filter_map(|fd| Some((fd.clone(), fs::read_link(folder.join(fd)).ok()?))).collect()
}

/// The children of a process, ended ones that it has not waited for included.
pub fn children(process: u32) -> Vec<u32> {
    processes().into_iter().filter(|&(_, parent, _)| parent == process).map(|(pid, ..)| pid).collect()
}

/// The children of a process that have not ended. One whose main thread has ended has not, as long as others of its
/// threads are ending: it cannot be waited for yet.
pub fn live_children(process: u32) -> Vec<u32> {
    let has_threads = |pid| names(format!("/proc/{pid}/task")).len() > 1;
    let is_live = |&(pid, parent, state): &_| parent == process && (state != 'Z' || has_threads(pid));
    processes().into_iter().filter(is_live).map(|(pid, ..)| pid).collect()
}

/// Those of them that are workers. A strategy may have other children as well: a broker.
pub fn live_workers(process: u32) -> Vec<u32> {
    let is_other = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // One whose first thread has ended has no arguments any more.
        !line.is_empty() && !line.split(|&byte| byte == 0).any(|argument| argument == b"--fanout-worker")
    };
    let mut children = live_children(process);
    children.retain(|child| !is_other(child));
    children
}

/// The children of a process that have ended, and that it has not waited for.
pub fn zombies(process: u32) -> Vec<u32> {
    let ended = processes().into_iter().filter(|&(_, parent, state)| parent == process && state == 'Z');
    ended.map(|(pid, ..)| pid).collect()
}

/// Whether a process is there and has not ended.
pub fn is_alive(process: u32) -> bool {
    processes().into_iter().any(|(pid, _, state)| pid == process && state != 'Z')
}

/// The children of a process, theirs, and so on.
pub fn descendants(process: u32) -> Vec<u32> {
    let all = processes();
    let mut found = vec![process];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(all.iter().filter(|process| process.1 == parent).map(|process| process.0));
        next += 1;
    }
    found.split_off(1)
}

/// Every process there is, with its parent and its state's letter in `/proc/PID/stat`.
fn processes() -> Vec<(u32, u32, char)> {
    let process = |pid: String| {
        let pid: u32 = pid.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses before these, and may have any character in it.
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        Some((pid, fields.nth(1)?.parse().ok()?, rest.chars().next()?))
    };
    names("/proc").into_iter().filter_map(process).collect()
}

/// A figure of a process's memory, in kB, by its name in `/proc/PID/status`.
///
/// # Panics
///
/// If there is no such figure: of a process that is gone, or where there is no `/proc`.
pub fn memory(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("a figure");
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse().ok()).expect("a number")
}

/// What each thread of a process and of its descendants is doing.
pub fn whereabouts(process: u32) -> String {
    let mut told = String::new();
    for pid in [process].into_iter().chain(descendants(process)) {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        told += &format!("process {pid}: {}\n", read("cmdline").replace('\0', " "));
        for thread in names(format!("/proc/{pid}/task")) {
            let read = |file: &str| read(&format!("task/{thread}/{file}")).trim().replace('\n', " < ");
            let state = read("status").split(" < ").find(|line| line.starts_with("State:")).map(str::to_owned);
            let (comm, state) = (read("comm"), state.unwrap_or_default());
            told +=
                &format!("  {comm} {state}, in {}, syscall {}, {}\n", read("wchan"), read("syscall"), read("stack"));
        }
    }
    told
}

/// Kills a process; nothing if it is gone.
pub fn end(process: u32) {
    let _already_gone = kill_process(raw(process), Signal::KILL);
}

/// A process id as the system calls want it.
///
/// # Panics
///
/// If it is zero, which no process has.
pub fn raw(process: u32) -> Pid {
    i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process id")
}

/// Makes whoever loses its parent in this test a child of this process, so that none is overlooked; and ends this
/// process with the one that watches it.
#[cfg(target_os = "linux")]
fn adopt_orphans() {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("Linux has subreapers");
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).expect("Linux has death signals");
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() {}

/// Waits for children of this process that have ended, orphans that it adopted included, until there are none left.
/// Those that live on after a promised second.
pub fn left_alive() -> Vec<u32> {
    use rustix::process::{WaitOptions, wait};
    let none_left = within(SOON, || {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        children(std::process::id()).is_empty().then(Vec::new)
    });
    none_left.unwrap_or_else(|| children(std::process::id()))
}
