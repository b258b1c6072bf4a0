//! Several hosts on one machine, and what runs on them: brokers, agents, callers.
//!
//! A host is a network namespace and a host name, joined to the others by a switch in a namespace of its own. There is no
//! way out of it, and the machine's own network is not touched. No namespace has a name: it is gone with the last process
//! in it, and every process ends with the test that started it, killed or not. So tests run side by side, and nothing of
//! an earlier one is left.
//!
//! Only root may make namespaces. Without them all hosts are this machine, on loopback.

mod broker;
mod sockets;

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::Report;
use harness::alone::{is_alive, not_tried, raw, within};
use harness::laws::digest_of_fill;
use rustix::process::{Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

pub(crate) use self::broker::Broker;
pub(crate) use self::sockets::sockets;

/// The program that is tested: caller and agent.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_nats");

/// What the strategy promises: a message that is not acknowledged for so long is given to another agent.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(10);

/// Bounds what needs no loss to be noticed, such as the start of a program. It is no promise: a machine that runs the
/// other tests beside this one takes seconds for what takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Bounds what is shown of a program's stderr, in lines: a broker's first twenty are about itself.
const SHOWN: usize = 25;

/// Tells a host's processes from all others where it has no namespace.
const HOST_VARIABLE: &str = "FANOUT_TEST_HOST";

/// What can be set from outside, and must not be.
const VARIABLES: [&str; 5] =
    ["FANOUT_WORKERS", "FANOUT_CLUSTER", "FANOUT_TOKEN", "FANOUT_TOKEN_FILE", "FANOUT_CA_FILE"];

/// Hosts, and a folder that all of them see.
pub(crate) struct Hosts {
    hosts: Vec<Host>,
    /// What the broker asks for.
    pub(crate) token: String,
    /// How many programs were started.
    started: Cell<usize>,
    /// What keeps the namespace of the switch; nothing on loopback.
    switch: Option<Keeper>,
    folder: TempDir,
}

/// One of them.
pub(crate) struct Host {
    /// Its host name; on loopback only what the test calls it.
    pub(crate) name: &'static str,
    /// Where the others reach it.
    pub(crate) address: Ipv4Addr,
    /// What keeps its namespaces; nothing on loopback.
    keeper: Option<Keeper>,
    mark: String,
}

/// A process that does nothing but keep namespaces.
struct Keeper(Child);

/// A program that was started on a host.
pub(crate) struct Running {
    child: Child,
    name: String,
    stdout: PathBuf,
    stderr: PathBuf,
    since: Instant,
}

/// How a program ended.
pub(crate) struct Ended {
    name: String,
    /// How long it ran.
    pub(crate) took: Duration,
    output: Output,
}

impl Hosts {
    /// Hosts with these names, each reaching all others.
    pub(crate) fn new(names: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut token = [0; 16];
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut token)).expect("random bytes");
        let token = token.iter().fold(String::from("secret-"), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes everything");
            text
        });
        let mark = |name: &str| format!("{}-{token}-{name}", std::process::id()).replace("secret-", "");
        let host = |(number, &name): (usize, &&'static str)| {
            let keeper = Keeper::of(name)?;
            let address = Ipv4Addr::new(10, 77, 0, u8::try_from(number + 1).expect("few hosts"));
            Ok(Host { name, address, keeper: Some(keeper), mark: mark(name) })
        };
        let isolated = || {
            let switch = Keeper::of("switch")?;
            let hosts: Vec<Host> = names.iter().enumerate().map(host).collect::<Result<_, String>>()?;
            switch.joins(&hosts)?;
            Ok((switch, hosts))
        };
        let (switch, hosts) = match isolated() {
            Ok((switch, hosts)) => (Some(switch), hosts),
            Err::<_, String>(why) => {
                not_tried(&format!("hosts of their own, but all of them on loopback: {why}"));
                let address = Ipv4Addr::LOCALHOST;
                let host = |&name: &&'static str| Host { name, address, keeper: None, mark: mark(name) };
                (None, names.iter().map(host).collect())
            }
        };
        let hosts = Hosts { hosts, token, started: Cell::new(0), switch, folder };
        hosts.private_file("token", &hosts.token);
        hosts
    }

    /// Whether each has a network of its own. Where that is needed and is not so, says what was not tried.
    pub(crate) fn are_isolated(&self, what: &str) -> bool {
        if self.switch.is_none() {
            not_tried(&format!("{what}: it takes root, who may make network namespaces"));
        }
        self.switch.is_some()
    }

    /// The host with this name.
    pub(crate) fn host(&self, name: &str) -> &Host {
        self.hosts.iter().find(|host| host.name == name).expect("a host with this name")
    }

    /// A command where the switch is.
    pub(crate) fn at_the_switch(&self, program: &str) -> Command {
        self.switch.as_ref().expect("isolated hosts have a switch").command(program)
    }

    /// The last that each program said, which tells why.
    fn said(&self) -> String {
        let entries = fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "stderr"));
        files.sort();
        let said = |path: &PathBuf| {
            let (name, said) = (path.file_stem().unwrap_or_default().display(), read(path));
            let lines: Vec<_> = said.lines().collect();
            format!("{name} said:\n  {}\n", lines[lines.len().saturating_sub(SHOWN)..].join("\n  "))
        };
        files.iter().map(said).collect()
    }

    /// A path in the folder that all hosts see.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that only this user may read.
    pub(crate) fn private_file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        let mut file = File::create(&path).expect("a file in a temporary folder");
        file.set_permissions(Permissions::from_mode(0o600)).expect("a file's owner sets its permissions");
        file.write_all(content.as_bytes()).expect("a disk that is not full");
        path
    }

    /// Starts a program on a host. What it prints goes to files: it is never held up by a pipe that nobody reads.
    pub(crate) fn start(&self, host: &Host, name: &str, mut command: Command) -> Running {
        let number = self.started.replace(self.started.get() + 1);
        let name = format!("{number}-{name}-on-{}", host.name);
        let [stdout, stderr] = ["stdout", "stderr"].map(|stream| self.path(&format!("{name}.{stream}")));
        let file = |path| File::create(path).expect("a file in a temporary folder");
        command.stdin(Stdio::null()).stdout(file(&stdout)).stderr(file(&stderr));
        let since = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} was not started: {error}"));
        Running { child, name, stdout, stderr, since }
    }

    /// The tested program on a host, as a caller or an agent at these brokers: it has to find the token.
    pub(crate) fn program(&self, host: &Host, urls: &str) -> Command {
        let mut command = host.command(PROGRAM);
        command.args(["--cluster", urls, "--token-file"]).arg(self.path("token"));
        command
    }

    /// An agent, which waits for a caller.
    pub(crate) fn agent(&self, name: &str, slots: usize, urls: &str) -> Running {
        let host = self.host(name);
        let mut command = self.program(host, urls);
        command.args(["--agent", "--workers", &slots.to_string()]);
        let mut agent = self.start(host, "agent", command);
        agent.says("waits for a caller", PATIENCE);
        agent
    }

    /// A caller with this job, on the host that is called `caller`. It waits until there are so many slots.
    pub(crate) fn caller(&self, slots: usize, urls: &str, flags: &[String]) -> Running {
        let host = self.host("caller");
        let mut command = self.program(host, urls);
        command.args(["--workers", &slots.to_string(), "--format", "json", "--digest"]).args(flags);
        self.start(host, "caller", command)
    }

    /// A job of so many keys, each of which takes a tenth of a second and leaves a mark when it is first reached.
    pub(crate) fn marked(&self, keys: usize, count: u64) -> Marked {
        let folder = self.path("marks");
        fs::create_dir(&folder).expect("a folder in a temporary folder");
        Marked { keys, count, folder }
    }
}

impl Drop for Hosts {
    /// Ends what is left on every host. If the test failed, tells what each program said.
    fn drop(&mut self) {
        self.hosts.iter().for_each(Host::kill_all);
        if thread::panicking() {
            let _closed = err().write_all(self.said().as_bytes());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has no harness that prints for it")]
fn err() -> impl Write {
    std::io::stderr()
}

impl Keeper {
    /// Namespaces for a host with this name.
    fn of(name: &str) -> Result<Self, String> {
        let mut command = until_this_thread_ends("unshare");
        let script = r#"hostname "$0" && ip link set lo up && echo ready && exec sleep infinity"#;
        command.args(["--net", "--uts", "sh", "-c", script, name]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("setpriv: {error}"))?;
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        if line != "ready\n" {
            let output = child.wait_with_output().map_err(|error| error.to_string())?;
            return Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "));
        }
        Ok(Keeper(child))
    }

    /// A cable from each host to this switch.
    fn joins(&self, hosts: &[Host]) -> Result<(), String> {
        let mut script = String::from("set -e; ip link add switch type bridge; ip link set switch up\n");
        for Host { name, address, keeper, .. } in hosts {
            let keeper = keeper.as_ref().map_or(0, |keeper| keeper.0.id());
            let add = format!(
                "ip link add {name} type veth peer name eth0 netns {keeper}; ip link set {name} master switch up"
            );
            let there = format!("nsenter --target {keeper} --net sh -c");
            let set = format!("ip addr add {address}/24 dev eth0 && ip link set eth0 up");
            writeln!(script, "{add}; {there} '{set}'").expect("a string takes everything");
        }
        let output = self.command("sh").args(["-c", &script]).output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")),
        }
    }

    /// A command in these namespaces.
    fn command(&self, program: &str) -> Command {
        let mut command = until_this_thread_ends("nsenter");
        command.args(["--target", &self.0.id().to_string(), "--net", "--uts", program]);
        command
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _already_gone = self.0.wait();
    }
}

impl Host {
    /// A command on this host. It ends with the test.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = match &self.keeper {
            Some(keeper) => keeper.command(program),
            None => until_this_thread_ends(program),
        };
        command.env(HOST_VARIABLE, &self.mark);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        command
    }

    /// The processes on it that have not ended.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let keeper = self.keeper.as_ref().map(|keeper| keeper.0.id());
        let network = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let here = keeper.and_then(network);
        let marked = format!("{HOST_VARIABLE}={}", self.mark);
        let is_here = |&pid: &u32| match &here {
            Some(here) => Some(pid) != keeper && network(pid).as_ref() == Some(here),
            None => {
                let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                variables.split(|&byte| byte == 0).any(|variable| variable == marked.as_bytes())
            }
        };
        let entries = fs::read_dir("/proc").into_iter().flatten();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(is_here).filter(|&pid| is_alive(pid)).collect()
    }

    /// Whether one of its processes was started with these words.
    pub(crate) fn runs(&self, words: &str) -> bool {
        self.processes().into_iter().any(|pid| command_line(pid) == words)
    }

    /// Kills all processes on it, those that they start meanwhile included.
    pub(crate) fn kill_all(&self) {
        let none_left = || {
            let left = self.processes();
            left.iter().for_each(|&pid| signal(pid, Signal::KILL));
            left.is_empty().then_some(())
        };
        let _a_process_that_cannot_be_killed = now_and_then(PATIENCE, none_left);
    }

    /// Waits until no process is left on it; how long that took.
    pub(crate) fn is_deserted_within(&self, patience: Duration) -> Duration {
        let since = Instant::now();
        let left = || self.processes().into_iter().map(command_line).collect::<Vec<_>>();
        let deserted = now_and_then(patience, || left().is_empty().then_some(()));
        assert!(deserted.is_some(), "after {patience:?} there are on {}: {:?}", self.name, left());
        since.elapsed()
    }

    /// A connection from this host.
    pub(crate) fn connect(&self, to: SocketAddr) -> TcpStream {
        let keeper = self.keeper.as_ref().map(|keeper| keeper.0.id());
        // A thread of its own, since it does not come back from there.
        let connect = move || {
            if let Some(keeper) = keeper {
                let network = File::open(format!("/proc/{keeper}/ns/net")).expect("a keeper's namespace");
                let moved = move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network));
                moved.expect("root may move between namespaces");
            }
            TcpStream::connect(to).unwrap_or_else(|error| panic!("{to}: {error}"))
        };
        let thread = thread::Builder::new().spawn(connect).expect("a thread");
        thread.join().expect("a connection")
    }

    /// Where a broker listens: at a known port, or at a free one where others listen too.
    fn listen(&self, port: u16) -> SocketAddrV4 {
        let free = || TcpListener::bind((self.address, 0)).and_then(|listener| listener.local_addr());
        let port = match self.keeper {
            Some(_) => port,
            None => free().expect("a free port").port(),
        };
        SocketAddrV4::new(self.address, port)
    }
}

/// Asks until there is an answer, as [`within`] does, but less often: what is asked looks at every process of the machine.
pub(crate) fn now_and_then<T>(patience: Duration, mut answer: impl FnMut() -> Option<T>) -> Option<T> {
    let rarely = || {
        let answer = answer();
        if answer.is_none() {
            thread::sleep(Duration::from_millis(30));
        }
        answer
    };
    within(patience, rarely)
}

/// The words that a process was started with.
pub(crate) fn command_line(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).trim_end_matches('\0').replace('\0', " ")
}

/// A command that is killed when the thread ends that starts it: with the test, whatever becomes of that.
fn until_this_thread_ends(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

/// Sends a signal; nothing if the process is gone.
pub(crate) fn signal(process: u32, signal: Signal) {
    let _already_gone = kill_process(raw(process), signal);
}

impl Running {
    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// For how long it has run.
    pub(crate) fn has_run(&self) -> Duration {
        self.since.elapsed()
    }

    /// What it has said on stderr.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Waits until it says a line that contains this on stderr; the line.
    pub(crate) fn says(&mut self, what: &str, patience: Duration) -> String {
        let Running { child, stderr, name, .. } = self;
        let line = || read(stderr).lines().find(|line| line.contains(what)).map(str::to_owned);
        let said = within(patience, || match line() {
            Some(line) => Some(Ok(line)),
            // It may have said it just before it ended.
            None => child.try_wait().expect("the status of a child").map(|status| line().ok_or(status)),
        });
        match said {
            Some(Ok(line)) => line,
            Some(Err(status)) => panic!("{name}: {status}, and it never said {what:?}"),
            None => panic!("{name} did not say {what:?} within {patience:?}"),
        }
    }

    /// Waits for its end.
    pub(crate) fn ends(mut self, patience: Duration) -> Ended {
        let status = within(patience, || self.child.try_wait().expect("the status of a child"));
        let took = self.since.elapsed();
        let status = status.unwrap_or_else(|| panic!("{} had not ended after {patience:?}", self.name));
        Ended::of(&self, status, took)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, which: Signal) {
        signal(self.id(), which);
    }

    /// Kills it, and nothing else.
    pub(crate) fn kill(mut self) {
        self.killed();
    }

    fn killed(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

/// What is in a file; also where some of it is no text.
fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

impl Drop for Running {
    fn drop(&mut self) {
        self.killed();
    }
}

impl Ended {
    fn of(running: &Running, status: ExitStatus, took: Duration) -> Self {
        let [stdout, stderr] =
            [&running.stdout, &running.stderr].map(|path| fs::read(path).expect("what a program printed"));
        Ended { name: running.name.clone(), took, output: Output { status, stdout, stderr } }
    }

    /// Its status, if it ended by itself.
    pub(crate) fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// What it said on stderr.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Its report.
    pub(crate) fn report(&self) -> Report {
        assert!(!self.output.stdout.is_empty(), "{} gave no report: {}", self.name, self.stderr());
        serde_json::from_slice(&self.output.stdout).unwrap_or_else(|error| panic!("{error} in {:?}", self.output))
    }

    /// The one line that it said, where it refused to do anything.
    pub(crate) fn one_line(&self) -> String {
        assert!(matches!(self.code(), Some(1 | 2)), "{}: {:?}", self.name, self.output.status);
        assert!(self.output.stdout.is_empty(), "{} gave a report", self.name);
        let said = self.stderr();
        assert_eq!(said.lines().count(), 1, "{} said: {said}", self.name);
        said.trim_end().to_owned()
    }
}

/// A job whose keys leave marks.
pub(crate) struct Marked {
    keys: usize,
    count: u64,
    folder: PathBuf,
}

impl Marked {
    /// The flags that ask for it.
    pub(crate) fn flags(&self) -> Vec<String> {
        let fault =
            |key: usize| ["--fault".to_owned(), format!("{key}:slow@{}", self.folder.join(key.to_string()).display())];
        let faults = (0..self.keys).flat_map(fault);
        ["--keys", &self.keys.to_string(), "--count", &self.count.to_string()]
            .map(String::from)
            .into_iter()
            .chain(faults)
            .collect()
    }

    /// Waits until so many keys were reached.
    pub(crate) fn reached(&self, keys: usize) {
        let marks = || fs::read_dir(&self.folder).map_or(0, Iterator::count);
        let reached = within(PATIENCE, || (marks() >= keys).then_some(()));
        assert!(reached.is_some(), "{} keys were reached, and not {keys}", marks());
    }

    /// Fails unless all its keys came back, and nothing was wrong.
    pub(crate) fn is_whole(&self, ended: &Ended) -> Report {
        is_whole(ended, self.keys, self.count)
    }

    /// Fails unless what came back is right.
    pub(crate) fn is_right(&self, ended: &Ended) -> Report {
        is_right(ended, self.keys, self.count)
    }
}

/// Fails unless all keys of a job came back, and nothing was wrong.
pub(crate) fn is_whole(ended: &Ended, keys: usize, count: u64) -> Report {
    let report = is_right(ended, keys, count);
    let failed: Vec<_> = report.failed.iter().map(|failed| format!("key {}: {}", failed.key, failed.reason)).collect();
    assert!(
        failed.is_empty(),
        "{} of {keys} keys did not come back: {}",
        failed.len(),
        failed[..failed.len().min(3)].join("; ")
    );
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    report
}

/// Fails unless what came back of a job is right.
pub(crate) fn is_right(ended: &Ended, keys: usize, count: u64) -> Report {
    let report = ended.report();
    let came_back = |key| report.failed.iter().all(|failed| failed.key != key);
    assert_eq!(report.digest, Some(digest_of_fill(keys, count, came_back)), "{}", ended.stderr());
    report
}
