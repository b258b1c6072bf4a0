//! What each loss costs: a process, a host, a cable, the broker. Every scenario ends with the right outputs of all keys
//! that can still come back, and what it took is told when all are done:
//!
//! ```sh
//! cargo test --package nats --test losses
//! ```
//!
//! The scenarios wait most of their time, for a silence to be long enough to mean a loss. So more of them run at once than
//! there are CPUs, which is not Rust's own way to run tests: hence a `main`.

#[path = "hosts/cable.rs"]
mod cable;
mod hosts;

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use harness::alone::{not_tried, within};
use libtest_mimic::{Arguments, Trial};
use rustix::process::Signal;

use crate::hosts::{ACK_WAIT, Ended, Host, Hosts, PATIENCE, PROGRAM, Running, is_right, is_whole, now_and_then};

/// How many scenarios run at once, unless `--test-threads` says. With more, two CPUs are so busy starting programs that the
/// times are theirs; with fewer, the scenarios wait for each other.
const TOGETHER: usize = 12;

/// What a loss may cost beyond the silence that shows it: another agent computes the key again, beside all other
/// scenarios.
const MARGIN: Duration = Duration::from_secs(8);

/// What the caller promises when nobody is left to serve it.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// What each scenario took.
static FIGURES: Mutex<Vec<String>> = Mutex::new(Vec::new());

macro_rules! trials {
    ($($scenario:ident,)*) => {
        vec![$(Trial::test(stringify!($scenario), || {
            $scenario();
            Ok(())
        })),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TOGETHER);
    // The longest first.
    let trials = trials![
        three_long_outputs,
        no_agent_ever,
        a_key_that_kills_every_agent,
        an_agent_leaves_then_another_is_killed,
        the_broker_restarted_while_it_is_given_keys,
        an_agent_that_is_stopped,
        a_local_run_that_is_stopped,
        an_agent_that_can_run_no_key,
        outputs_that_wait_when_the_broker_is_killed,
        a_caller_that_is_stopped_for_long,
        a_very_slow_link,
        an_address_that_does_not_answer,
        an_agent_that_stays,
        the_broker_killed,
        a_cable_pulled_and_put_back,
        the_callers_cable_pulled_and_put_back,
        a_host_lost_while_it_sends,
        a_stream_of_a_killed_caller,
        a_caller_without_threads,
        a_host_lost,
        a_cable_pulled_for_good,
        the_caller_killed,
        the_broker_restarted,
        an_agent_killed,
        a_slow_link,
        a_caller_that_is_stopped,
        the_streams_broker_of_three_killed,
        the_callers_broker_of_three_killed,
        clocks_an_hour_apart,
        nothing_lost,
        an_agent_leaves,
        a_late_agent,
        another_build,
        a_wrong_token,
        a_token_in_an_address,
        no_address,
        a_broker_without_jetstream,
    ];
    // Elsewhere there is no `/proc`, by which processes are found.
    let conclusion = libtest_mimic::run(&arguments, if cfg!(target_os = "linux") { trials } else { Vec::new() });
    let mut figures = FIGURES.lock().expect("nobody panics with the figures").clone();
    figures.sort();
    let _closed = write!(out(), "{}", figures.concat());
    conclusion.exit_code()
}

#[expect(clippy::disallowed_methods, reason = "a test has no harness that prints for it")]
fn out() -> impl Write {
    std::io::stdout()
}

/// Notes what a scenario took, for the table.
fn figure(scenario: &str, took: Duration) {
    let line = format!("{:6.1} s  {scenario}\n", took.as_secs_f64());
    FIGURES.lock().expect("nobody panics with the figures").push(line);
}

/// Notes how long the caller ran.
fn ran(scenario: &str, ended: &Ended) {
    figure(scenario, ended.took);
}

/// Notes how long the caller ran after this, and when that was.
fn ran_on(scenario: &str, ended: &Ended, lost: Duration) -> Duration {
    let after = ended.took.saturating_sub(lost);
    figure(&format!("after {:.1} s: {scenario}", lost.as_secs_f64()), after);
    after
}

/// Longer than an agent goes on for a caller that is silent.
const LONGER_THAN_AGENTS_WAIT: Duration = Duration::from_secs(22);

/// Flags by which each try of a key is told by its agent.
fn prints(keys: usize) -> Vec<String> {
    (0..keys).flat_map(|key| ["--fault".into(), format!("{key}:print")]).collect()
}

/// How many tries an agent has told of.
fn printed(agent: &Running) -> usize {
    agent.stderr().matches("printed in key").count()
}

/// A caller and agents with two slots each, at one broker.
const USUAL: [&str; 4] = ["broker", "caller", "node1", "node2"];

/// A job on two hosts of two slots each, some keys of which are done.
struct HalfWay<'a> {
    broker: hosts::Broker<'a>,
    agents: [Running; 2],
    job: hosts::Marked,
    caller: Running,
    /// How long the caller has run: from now on something may be lost.
    lost: Duration,
}

fn half_way(hosts: &Hosts, keys: usize, count: u64) -> HalfWay<'_> {
    let broker = hosts.broker("broker");
    let agents = ["node1", "node2"].map(|name| hosts.agent(name, 2, &broker.url));
    let job = hosts.marked(keys, count);
    let caller = hosts.caller(4, &broker.url, &job.flags());
    job.reached(20);
    let lost = caller.has_run();
    HalfWay { broker, agents, job, caller, lost }
}

fn nothing_lost() {
    let hosts = Hosts::new(&USUAL);
    let broker = hosts.broker("broker");
    let _agents = ["node1", "node2"].map(|name| hosts.agent(name, 2, &broker.url));
    let job = hosts.marked(60, 10_000);
    let ended = hosts.caller(4, &broker.url, &job.flags()).ends(PATIENCE);
    job.is_whole(&ended);
    ran("nothing lost: 60 keys of 0.1 s on 4 slots", &ended);
}

fn an_agent_killed() {
    let hosts = Hosts::new(&USUAL);
    let HalfWay { broker: _broker, agents: [agent, _other], job, caller, lost } = half_way(&hosts, 60, 10_000);
    agent.kill();
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    let after = ran_on("an agent killed half-way", &ended, lost);
    assert!(after < ACK_WAIT + MARGIN, "{after:?}");
    // Its workers noticed.
    hosts.host("node1").is_deserted_within(MARGIN);
}

fn a_host_lost() {
    let hosts = Hosts::new(&USUAL);
    let HalfWay { broker: _broker, agents: _agents, job, caller, lost } = half_way(&hosts, 60, 10_000);
    if hosts.are_isolated("the cable of a host that is lost") {
        cable::pull(&hosts, hosts.host("node2"));
    }
    hosts.host("node2").kill_all();
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    let after = ran_on("a host lost half-way", &ended, lost);
    assert!(after < ACK_WAIT + MARGIN, "{after:?}");
}

/// The caller goes on without the host, and the host's processes end by themselves.
fn a_cable_pulled_for_good() {
    let hosts = Hosts::new(&USUAL);
    if !hosts.are_isolated("a cable that is pulled for good") {
        return;
    }
    let HalfWay { broker: _broker, agents: _agents, job, caller, lost } = half_way(&hosts, 60, 10_000);
    cable::pull(&hosts, hosts.host("node2"));
    let pulled = Instant::now();
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    let after = ran_on("a cable pulled half-way, for good", &ended, lost);
    assert!(after < ACK_WAIT + MARGIN, "{after:?}");
    hosts.host("node2").is_deserted_within(GIVEN_UP);
    figure("until no process is left on the host whose cable was pulled", pulled.elapsed());
}

fn a_cable_pulled_and_put_back() {
    let hosts = Hosts::new(&USUAL);
    if !hosts.are_isolated("a cable that is pulled and put back") {
        return;
    }
    let HalfWay { broker: _broker, agents: _agents, job, caller, lost } = half_way(&hosts, 60, 10_000);
    cable::pull(&hosts, hosts.host("node2"));
    // Long enough that connections go silent, and shorter than what means a loss.
    thread::sleep(Duration::from_secs(8));
    cable::put_back(&hosts, hosts.host("node2"));
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    ran_on("a cable pulled half-way, and put back after 8 s", &ended, lost);
}

/// It goes on when others have had its keys: their outcomes come twice, and it takes other keys as before. That it has heard
/// nothing of its caller either is no reason to leave.
fn an_agent_that_is_stopped() {
    const KEYS: usize = 600;
    let hosts = Hosts::new(&USUAL);
    let broker = hosts.broker("broker");
    let [agent, other] = ["node1", "node2"].map(|name| hosts.agent(name, 2, &broker.url));
    let job = hosts.marked(KEYS, 100);
    let mut caller = hosts.caller(4, &broker.url, &[job.flags(), prints(KEYS)].concat());
    job.reached(20);
    let created = || broker.streams().into_iter().map(|stream| stream["created"].clone()).collect::<Vec<_>>();
    let stream = created();
    let lost = caller.has_run();
    agent.signal(Signal::STOP);
    let gone = if hosts.are_isolated("the name of a host that is stopped") { "host node1 is gone" } else { "is gone" };
    caller.says(gone, ACK_WAIT + MARGIN);
    thread::sleep((lost + LONGER_THAN_AGENTS_WAIT).saturating_sub(caller.has_run()));
    let before = printed(&agent);
    agent.signal(Signal::CONT);
    // What it prints first may be of the keys that it had.
    let takes_more = || (printed(&agent) > before + 2).then_some(());
    within(MARGIN, takes_more).unwrap_or_else(|| panic!("it takes no more keys: {}", agent.stderr()));
    assert_eq!(created(), stream);
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    ran_on("an agent stopped for 22 s, beside 600 keys of 0.1 s", &ended, lost);
    let tries = printed(&agent) + printed(&other);
    assert!(tries <= KEYS + 2, "{tries} tries: {}", ended.stderr());
    assert_eq!(agent.ends(MARGIN).code(), Some(0));
}

fn the_callers_cable_pulled_and_put_back() {
    let hosts = Hosts::new(&USUAL);
    if !hosts.are_isolated("the cable of the caller") {
        return;
    }
    let HalfWay { broker: _broker, agents: _agents, job, caller, lost } = half_way(&hosts, 40, 100_000);
    cable::pull(&hosts, hosts.host("caller"));
    thread::sleep(Duration::from_secs(8));
    cable::put_back(&hosts, hosts.host("caller"));
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    ran_on("the caller's cable pulled half-way, and put back after 8 s", &ended, lost);
}

/// What has come of an output is thrown away, and the key is computed again.
fn a_host_lost_while_it_sends() {
    const COUNT: u64 = 2_000_000;
    let hosts = Hosts::new(&USUAL);
    if !hosts.are_isolated("a host that is lost while it sends") {
        return;
    }
    let broker = hosts.broker("broker");
    let _agents = ["node1", "node2"].map(|name| hosts.agent(name, 2, &broker.url));
    // Each of its keys takes more than a second to send.
    cable::slow_sending(hosts.host("node2"), 100);
    let job = hosts.marked(12, COUNT);
    let caller = hosts.caller(4, &broker.url, &job.flags());
    let is_sending = || (cable::sent(&hosts, hosts.host("node2")) > 8 * COUNT / 4).then_some(());
    now_and_then(PATIENCE, is_sending).expect("a host that sends outputs");
    let lost = caller.has_run();
    hosts.host("node2").kill_all();
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    ran_on("a host lost while it sends 2 of 12 keys of 16 MB", &ended, lost);
}

fn an_agent_that_stays() {
    let hosts = Hosts::new(&["broker", "caller", "node1"]);
    let broker = hosts.broker("broker");
    let agent = agent_that_stays(&hosts, 2, &broker.url);
    let job = hosts.marked(10, 1_000);
    for round in ["first", "second"] {
        let ended = hosts.caller(2, &broker.url, &job.flags()).ends(PATIENCE);
        job.is_whole(&ended);
        ran(&format!("an agent that stays: its {round} caller"), &ended);
    }
    // The third is killed, and the fourth is served all the same.
    let mark = hosts.path("reached");
    let asleep = ["--keys", "2", "--count", "10", "--fault", &format!("0:sleep@{}", mark.display())].map(String::from);
    let caller = hosts.caller(2, &broker.url, &asleep);
    assert!(within(PATIENCE, || mark.exists().then_some(())).is_some(), "no key was reached");
    caller.kill();
    let ended = hosts.caller(2, &broker.url, &job.flags()).ends(PATIENCE);
    job.is_whole(&ended);
    ran("an agent that stays: the caller after one that was killed", &ended);
    agent.signal(Signal::TERM);
    assert_eq!(agent.ends(MARGIN).code(), Some(0));
    hosts.host("node1").is_deserted_within(MARGIN);
}

/// An agent on the host that is called `node1`, for one caller after the other.
fn agent_that_stays(hosts: &Hosts, slots: usize, url: &str) -> Running {
    let host = hosts.host("node1");
    let mut command = hosts.program(host, url);
    command.args(["--agent", "--stay", "--workers", &slots.to_string()]);
    hosts.start(host, "agent", command)
}

fn a_late_agent() {
    let hosts = Hosts::new(&USUAL);
    let broker = hosts.broker("broker");
    let first = hosts.agent("node1", 1, &broker.url);
    let job = hosts.marked(40, 1_000);
    let mut caller = hosts.caller(1, &broker.url, &[job.flags(), prints(40)].concat());
    job.reached(5);
    let late = hosts.agent("node2", 1, &broker.url);
    caller.says(", 2 slots", PATIENCE);
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    let [before, after] = [&first, &late].map(printed);
    assert_eq!(before + after, 40, "{before} keys of the first agent, {after} of the late one");
    assert!(after >= 5, "the late agent had {after} of 40 keys");
    ran(&format!("an agent joins late: it took {after} of 40 keys"), &ended);
}

/// Where the key is that has started a program, once it is on one of these hosts.
fn has_the_key<'a>(hosts: &'a Hosts, names: &[&str]) -> &'a Host {
    let has_it = || names.iter().map(|name| hosts.host(name)).find(|host| host.runs("sleep 1000"));
    now_and_then(PATIENCE, has_it).unwrap_or_else(|| panic!("none of {names:?} has the key"))
}

fn a_key_that_kills_every_agent() {
    let hosts = Hosts::new(&["broker", "caller", "node1", "node2", "node3"]);
    let broker = hosts.broker("broker");
    let mut left = vec!["node1", "node2", "node3"];
    let _agents: Vec<_> = left.iter().map(|name| hosts.agent(name, 1, &broker.url)).collect();
    let flags = ["--keys", "12", "--count", "1000", "--fault", "5:leave-child"].map(String::from);
    let caller = hosts.caller(3, &broker.url, &flags);
    let mut lost = Vec::new();
    let mut first = None;
    for _ in 0..2 {
        let host = has_the_key(&hosts, &left);
        // Agents tell of a key once it has run for a tenth of a second.
        thread::sleep(Duration::from_millis(300));
        first.get_or_insert(caller.has_run());
        host.kill_all();
        left.retain(|&name| name != host.name);
        lost.push(host.name);
    }
    let ended = caller.ends(PATIENCE);
    let report = is_right(&ended, 12, 1_000);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr());
    let failed: Vec<_> = report.failed.iter().map(|failed| failed.key).collect();
    assert_eq!(failed, [5], "{}", ended.stderr());
    let reason = &report.failed[0].reason;
    if hosts.are_isolated("the names of two hosts in the reason of a key") {
        // The key waited for the second one after that.
        assert!(ended.stderr().contains(&format!("host {} is gone", lost[0])), "{}", ended.stderr());
        assert!(lost.iter().all(|name| reason.contains(name)), "it was on {lost:?}: {reason}");
    }
    assert!(reason.contains('2') || reason.contains("twice"), "it was tried twice: {reason}");
    let after = ran_on("a key that kills its host, twice: it is given up", &ended, first.unwrap_or_default());
    assert!(after < 2 * ACK_WAIT + MARGIN, "{after:?}");
}

fn the_broker_killed() {
    let hosts = Hosts::new(&USUAL);
    let HalfWay { mut broker, agents: _agents, job, caller, lost: _ } = half_way(&hosts, 100, 10_000);
    broker.kill();
    let killed = Instant::now();
    let ended = caller.ends(GIVEN_UP + MARGIN);
    assert!(killed.elapsed() < GIVEN_UP, "{:?}", killed.elapsed());
    let report = job.is_right(&ended);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr());
    let back = 100 - report.failed.len();
    assert!((10..100).contains(&back), "{back} keys came back: {}", ended.stderr());
    for failed in &report.failed {
        assert!(failed.reason.starts_with("could not be started"), "key {}: {}", failed.key, failed.reason);
    }
    assert!(ended.stderr().contains("broker"), "{}", ended.stderr());
    figure(&format!("the broker killed: the caller returns with {back} of 100 keys"), killed.elapsed());
    for name in ["node1", "node2"] {
        hosts.host(name).is_deserted_within(GIVEN_UP);
    }
    figure("the broker killed: no process is left on any other host", killed.elapsed());
}

/// It has forgotten the keys, which nobody had told it twice.
fn the_broker_restarted() {
    let hosts = Hosts::new(&USUAL);
    let HalfWay { mut broker, agents: _agents, job, caller, lost } = half_way(&hosts, 60, 10_000);
    broker.kill();
    broker.start();
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    ran_on("the broker restarted half-way, without its memory", &ended, lost);
}

/// Those that it was given already are lost with its memory, and those that are on their way with the connection.
fn the_broker_restarted_while_it_is_given_keys() {
    const KEYS: usize = 4_000;
    let hosts = Hosts::new(&USUAL);
    let mut broker = hosts.broker("broker");
    let _agents = ["node1", "node2"].map(|name| hosts.agent(name, 2, &broker.url));
    let flags = ["--keys", &KEYS.to_string(), "--count", "1"].map(String::from);
    let caller = hosts.caller(4, &broker.url, &flags);
    let given = || broker.streams().first().and_then(|stream| stream["state"]["last_seq"].as_u64());
    let given = within(PATIENCE, || given().filter(|given| *given > 0)).expect("a stream with keys");
    assert!(given < KEYS as u64, "all keys were given to it");
    let lost = caller.has_run();
    broker.kill();
    // Long enough that the client tries to connect in vain.
    thread::sleep(Duration::from_secs(1));
    broker.start();
    let ended = caller.ends(PATIENCE);
    is_whole(&ended, KEYS, 1);
    ran_on(&format!("the broker killed when it had {given} of {KEYS} keys, and started again"), &ended, lost);
}

/// More than the caller receives at once.
fn outputs_that_wait_when_the_broker_is_killed() {
    const COUNT: u64 = 1_000_000;
    let hosts = Hosts::new(&USUAL);
    if !hosts.are_isolated("outputs that wait when the broker is killed") {
        return;
    }
    // The last word counts. It is the size that a broker has by default.
    let mut broker = hosts.broker_with("broker", &(hosts.memory_storage("broker") + "max_payload: 1MB\n"));
    let _agents = ["node1", "node2"].map(|name| hosts.agent(name, 12, &broker.url));
    cable::slow_sending(hosts.host("broker"), 50);
    let job = hosts.marked(24, COUNT);
    let caller = hosts.caller(24, &broker.url, &job.flags());
    job.reached(24);
    let receives = || (cable::received(&hosts, hosts.host("caller")) > 8 * COUNT).then_some(());
    now_and_then(PATIENCE, receives).expect("a caller that receives outputs");
    broker.kill();
    let killed = Instant::now();
    let ended = caller.ends(GIVEN_UP + MARGIN);
    let after = killed.elapsed();
    let report = job.is_right(&ended);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr());
    figure(&format!("the broker killed with {} of 24 outputs of 8 MB waiting", report.failed.len()), after);
    assert!(report.failed.len() > 8, "{} outputs were waiting", report.failed.len());
    assert!(after < GIVEN_UP, "{after:?}");
}

fn the_caller_killed() {
    let hosts = Hosts::new(&USUAL);
    let broker = hosts.broker("broker");
    let _agents = ["node1", "node2"].map(|name| hosts.agent(name, 2, &broker.url));
    let marks: Vec<_> = (0..4).map(|key| hosts.path(&format!("reached-{key}"))).collect();
    let asleep = |(key, mark): (usize, &PathBuf)| ["--fault".into(), format!("{key}:sleep@{}", mark.display())];
    let flags = ["--keys", "100", "--count", "1000"].map(String::from).into_iter();
    let caller =
        hosts.caller(4, &broker.url, &flags.chain(marks.iter().enumerate().flat_map(asleep)).collect::<Vec<_>>());
    assert!(within(PATIENCE, || marks.iter().all(|mark| mark.exists()).then_some(())).is_some(), "no key was reached");
    caller.kill();
    let killed = Instant::now();
    for name in ["node1", "node2", "caller"] {
        hosts.host(name).is_deserted_within(GIVEN_UP);
    }
    figure("the caller killed: no process is left on any other host", killed.elapsed());
}

fn another_build() {
    let hosts = Hosts::new(&USUAL);
    let broker = hosts.broker("broker");
    let _agent = hosts.agent("node1", 2, &broker.url);
    let other = hosts.path("other-build");
    fs::copy(PROGRAM, &other).expect("a copy of the program");
    File::options().append(true).open(&other).and_then(|mut file| file.write_all(b"\n")).expect("a longer copy");
    let host = hosts.host("node2");
    let mut command = host.command(other.to_str().expect("a path in UTF-8"));
    command.args(["--cluster", &broker.url, "--token-file"]).arg(hosts.path("token")).args([
        "--agent",
        "--workers",
        "2",
    ]);
    let mut stranger = hosts.start(host, "agent", command);
    stranger.says("waits for a caller", PATIENCE);
    let job = hosts.marked(20, 1_000);
    let ended = hosts.caller(2, &broker.url, &job.flags()).ends(PATIENCE);
    job.is_whole(&ended);
    let told = |said: &str, of: &str| said.lines().any(|line| line.contains("build") && line.contains(of));
    let isolated = hosts.are_isolated("the name of the host that has another build");
    let [there, here] = if isolated { ["node2", "caller"] } else { [""; 2] };
    assert!(told(&ended.stderr(), there), "the caller said: {}", ended.stderr());
    stranger.says("build", MARGIN);
    assert!(told(&stranger.stderr(), here), "the agent said: {}", stranger.stderr());
    ran("an agent of another build is refused", &ended);
}

fn a_wrong_token() {
    let hosts = Hosts::new(&["broker", "caller"]);
    let broker = hosts.broker("broker");
    let host = hosts.host("caller");
    let wrong = hosts.private_file("wrong", "secret-of-somebody-else");
    for (role, flags) in [("caller", ["--keys", "3"].as_slice()), ("agent", &["--agent"])] {
        let start = |role: &str, files: &[&str]| {
            let mut command = host.command(PROGRAM);
            command.args(["--cluster", &broker.url]).args(files).args(flags);
            hosts.start(host, role, command)
        };
        let refused = start(role, &["--token-file", wrong.to_str().expect("a path in UTF-8")]).ends(PATIENCE);
        let line = refused.one_line();
        assert!(line.contains("token") && !line.contains("secret"), "{line}");
        ran(&format!("a wrong token, {role}"), &refused);
        let line = start(role, &[]).ends(PATIENCE).one_line();
        assert!(line.contains("--token-file"), "{line}");
        let line = start(role, &["--token-file", "/no/such/file"]).ends(PATIENCE).one_line();
        assert!(line.contains("/no/such/file"), "{line}");
    }
}

fn a_token_in_an_address() {
    let hosts = Hosts::new(&["caller"]);
    let start = |flags: &[&str]| {
        let mut command = hosts.program(hosts.host("caller"), "nats://SECRET@127.0.0.1:1");
        command.args(flags);
        hosts.start(hosts.host("caller"), "program", command)
    };
    for flags in [["--keys", "3"].as_slice(), &["--agent"]] {
        let line = start(flags).ends(PATIENCE).one_line();
        assert!(line.contains("--token-file") && !line.contains("SECRET"), "{line}");
    }
}

/// As in a script that sets the variable from another one.
fn no_address() {
    let hosts = Hosts::new(&["caller"]);
    let mut command = hosts.host("caller").command(PROGRAM);
    command.args(["--keys", "3", "--count", "10", "--workers", "1", "--format", "json", "--digest"]);
    command.env("FANOUT_CLUSTER", "");
    is_whole(&hosts.start(hosts.host("caller"), "caller", command).ends(PATIENCE), 3, 10);
}

/// The next callers delete it, and not each other's.
fn a_stream_of_a_killed_caller() {
    let hosts = Hosts::new(&["broker", "caller", "node1"]);
    let broker = hosts.broker("broker");
    let streams = || -> Vec<_> {
        let streams = broker.streams().into_iter();
        streams.map(|stream| (stream["config"]["name"].to_string(), stream["created"].to_string())).collect()
    };
    let wait_for = |count: usize, without: &[_]| {
        let is_so = |streams: &Vec<_>| streams.len() == count && without.iter().all(|one| !streams.contains(one));
        let found = now_and_then(PATIENCE, || Some(streams()).filter(is_so));
        found.unwrap_or_else(|| panic!("there are {:?}, and not {count} without {without:?}", streams()))
    };
    let start = || hosts.caller(1, &broker.url, &["--keys", "10", "--count", "10"].map(String::from));
    let killed = start();
    let abandoned = wait_for(1, &[]);
    killed.kill();
    let callers = [start(), start()];
    let left = wait_for(2, &abandoned);
    figure("until the stream of a killed caller is deleted", callers[0].has_run());
    // By then each knows of all streams whether somebody has them.
    thread::sleep(Duration::from_secs(6));
    assert_eq!(streams(), left);
    let _agent = agent_that_stays(&hosts, 1, &broker.url);
    for caller in callers {
        is_whole(&caller.ends(PATIENCE), 10, 10);
    }
    wait_for(0, &[]);
}

/// What it has not taken waits where it is limited: the broker cuts nobody off.
fn a_caller_that_is_stopped() {
    let hosts = Hosts::new(&USUAL);
    let broker = hosts.broker("broker");
    let _agents = ["node1", "node2"].map(|name| hosts.agent(name, 2, &broker.url));
    let job = hosts.marked(16, 1_000_000);
    let caller = hosts.caller(4, &broker.url, &job.flags());
    for reached in [4, 8, 12] {
        job.reached(reached);
        caller.signal(Signal::STOP);
        // Three seconds are less than what means a loss.
        thread::sleep(Duration::from_secs(3));
        caller.signal(Signal::CONT);
    }
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    ran("the caller stopped three times for 3 s, 16 keys of 8 MB", &ended);
}

/// So long that the broker has given its keys to others.
fn a_caller_that_is_stopped_for_long() {
    let hosts = Hosts::new(&USUAL);
    let broker = hosts.broker("broker");
    let _agents = ["node1", "node2"].map(|name| hosts.agent(name, 2, &broker.url));
    let job = hosts.marked(60, 10_000);
    let caller = hosts.caller(4, &broker.url, &job.flags());
    stopped_and_continued("the caller stopped for 17 s", &job, caller, Duration::from_secs(17));
}

/// What stops with the caller here is its agent. The broker and the workers go on.
fn a_local_run_that_is_stopped() {
    let hosts = Hosts::new(&["caller"]);
    let host = hosts.host("caller");
    let job = hosts.marked(60, 10_000);
    let mut command = host.command(PROGRAM);
    command.args(["--workers", "2", "--format", "json", "--digest"]).args(job.flags());
    let caller = hosts.start(host, "caller", command);
    stopped_and_continued("a run on this machine alone stopped for 22 s", &job, caller, LONGER_THAN_AGENTS_WAIT);
}

fn stopped_and_continued(scenario: &str, job: &hosts::Marked, caller: Running, pause: Duration) {
    job.reached(20);
    let lost = caller.has_run();
    caller.signal(Signal::STOP);
    thread::sleep(pause);
    caller.signal(Signal::CONT);
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    ran_on(scenario, &ended, lost);
}

/// What an agent says waits behind the outputs.
fn a_very_slow_link() {
    let hosts = Hosts::new(&USUAL);
    if !hosts.are_isolated("a very slow link to the caller") {
        return;
    }
    let broker = hosts.broker("broker");
    let _agents = ["node1", "node2"].map(|name| hosts.agent(name, 4, &broker.url));
    cable::slow_receiving(&hosts, hosts.host("caller"), 10);
    let job = hosts.marked(8, 250_000);
    let ended = hosts.caller(8, &broker.url, &job.flags()).ends(PATIENCE);
    job.is_whole(&ended);
    assert!(!ended.stderr().contains("broker"), "{}", ended.stderr());
    ran("a link of 10 Mbit/s to the caller, 8 keys of 2 MB", &ended);
}

/// Its keys go to the other agent. Without that nobody can run them, and all of them have the reason.
fn an_agent_that_can_run_no_key() {
    let hosts = Hosts::new(&USUAL);
    let broker = hosts.broker("broker");
    let host = hosts.host("node1");
    // No file may become longer, also in memory: there is no room for the job.
    let script = r#"trap "" XFSZ; exec prlimit --fsize=4096 "$0" "$@""#;
    let mut command = host.command("sh");
    command.args(["-c", script, PROGRAM, "--cluster", &broker.url, "--token-file"]).arg(hosts.path("token"));
    command.args(["--agent", "--workers", "2"]);
    let mut unable = hosts.start(host, "agent", command);
    unable.says("waits for a caller", PATIENCE);
    let able = hosts.agent("node2", 2, &broker.url);
    let job = hosts.marked(100, 10_000);
    // Nothing can have such a name, and so nothing happens, but the job is as long.
    let long = ["--fault".into(), format!("0:mark@{}", "x".repeat(100_000))];
    let caller = hosts.caller(4, &broker.url, &[job.flags(), long.to_vec()].concat());
    job.reached(20);
    let lost = caller.has_run();
    able.kill();
    let ended = caller.ends(GIVEN_UP + MARGIN);
    let report = job.is_right(&ended);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr());
    assert!((1..100).contains(&report.failed.len()), "{} keys failed", report.failed.len());
    for failed in &report.failed {
        assert!(failed.reason.contains("no room"), "key {}: {}", failed.key, failed.reason);
    }
    let after = ran_on("the only agent killed that can run keys, beside one that cannot", &ended, lost);
    assert!(after < GIVEN_UP, "{after:?}");
}

/// It could not receive outputs.
fn a_caller_without_threads() {
    let hosts = Hosts::new(&["broker", "caller", "node1"]);
    if !hosts.are_isolated("a caller that may start no thread: root starts it as another user, whom that limit is for")
    {
        return;
    }
    let broker = hosts.broker("broker");
    let host = hosts.host("caller");
    let as_another_user = |script: &str, arguments: &[&str]| {
        let mut command = host.command("sh");
        let script = script.replace("USER", "setpriv --reuid=54321 --regid=54321 --clear-groups");
        command.args(["-c", &script]).args(arguments).env("FANOUT_TOKEN", &hosts.token);
        command
    };
    // The other user need not reach the program's folder.
    let mut command = as_another_user(r#"exec 9<"$0"; exec USER /proc/self/fd/9 "$@""#, &[PROGRAM]);
    command.args(["--cluster", &broker.url, "--workers", "2", "--format", "json", "--digest"]);
    command.args(["--keys", "20", "--count", "1000"]);
    let caller = hosts.start(host, "caller", command);
    // Its runtime has its thread, and it waits for an agent.
    now_and_then(PATIENCE, || (!broker.streams().is_empty()).then_some(())).expect("a caller with a stream");
    let limit = as_another_user(r#"exec USER prlimit --nproc=1 --pid "$0""#, &[&caller.id().to_string()]);
    assert_eq!(hosts.start(host, "prlimit", limit).ends(PATIENCE).code(), Some(0), "the program `prlimit`");
    let _agent = hosts.agent("node1", 2, &broker.url);
    let ended = caller.ends(GIVEN_UP);
    let report = is_right(&ended, 20, 1_000);
    assert_eq!(report.failed.len(), 20, "{}", ended.stderr());
    for failed in &report.failed {
        assert!(failed.reason.contains("thread"), "key {}: {}", failed.key, failed.reason);
    }
    ran("a caller that may start no thread: it says so", &ended);
}

fn a_slow_link() {
    let hosts = Hosts::new(&USUAL);
    if !hosts.are_isolated("a slow link to the caller") {
        return;
    }
    let broker = hosts.broker("broker");
    let _agents = ["node1", "node2"].map(|name| hosts.agent(name, 2, &broker.url));
    cable::slow_receiving(&hosts, hosts.host("caller"), 200);
    let job = hosts.marked(16, 1_000_000);
    let ended = hosts.caller(4, &broker.url, &job.flags()).ends(PATIENCE);
    job.is_whole(&ended);
    ran("a link of 200 Mbit/s to the caller, 16 keys of 8 MB", &ended);
}

/// Each takes longer to send than an agent may be silent.
fn three_long_outputs() {
    const COUNT: u64 = 20_000_000;
    // The outputs in the caller and on their way, and one more to compare with.
    if harness::available_memory() < 4_000_000_000 {
        not_tried("outputs of 160 MB each: they take 4 GB of memory");
        return;
    }
    let hosts = Hosts::new(&["broker", "caller", "node1", "node2", "node3"]);
    let broker = hosts.broker("broker");
    let agents = ["node1", "node2", "node3"].map(|name| hosts.agent(name, 1, &broker.url));
    let is_slow = hosts.are_isolated("outputs that take longer to send than an agent may be silent");
    if is_slow {
        for name in ["node1", "node2", "node3"] {
            cable::slow_sending(hosts.host(name), 100);
        }
    }
    let flags = ["--keys".into(), "3".into(), "--count".into(), COUNT.to_string()];
    let ended = hosts.caller(3, &broker.url, &[flags.to_vec(), prints(3)].concat()).ends(2 * PATIENCE);
    is_whole(&ended, 3, COUNT);
    let tries: usize = agents.iter().map(printed).sum();
    assert_eq!(tries, 3, "some key was tried again: {}", ended.stderr());
    let links = if is_slow { ", each over a link of 100 Mbit/s" } else { "" };
    ran(&format!("3 keys of 160 MB{links}: none is tried twice"), &ended);
}

/// Three brokers, and the usual others.
const THREE: [&str; 6] = ["broker1", "broker2", "broker3", "caller", "node1", "node2"];

/// Kills one of three brokers in the middle of a batch: the one that is picked when its logs and the caller are there.
fn one_of_three_killed(scenario: &str, pick: impl Fn(&[hosts::Broker], &Running) -> Option<usize>) {
    let hosts = Hosts::new(&THREE);
    let mut brokers = hosts.brokers(&THREE[..3]);
    let urls = brokers.iter().map(|broker| &*broker.url).collect::<Vec<_>>().join(",");
    let _agents = ["node1", "node2"].map(|name| hosts.agent(name, 2, &urls));
    let job = hosts.marked(60, 10_000);
    let caller = hosts.caller(4, &urls, &job.flags());
    job.reached(20);
    let picked = pick(&brokers, &caller).expect("a broker to be killed");
    let lost = caller.has_run();
    brokers[picked].kill();
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    ran_on(scenario, &ended, lost);
}

fn the_streams_broker_of_three_killed() {
    one_of_three_killed("the broker killed that leads the stream, of three", |brokers, _| {
        brokers.iter().position(|broker| broker.said().contains("new stream leader"))
    });
}

fn the_callers_broker_of_three_killed() {
    one_of_three_killed("the broker killed that the caller is connected to, of three", |brokers, caller| {
        let peers: Vec<_> = hosts::sockets(caller.id()).into_iter().map(|(_, peer)| peer).collect();
        brokers.iter().position(|broker| peers.contains(&broker.address.into()))
    });
}

fn an_agent_leaves() {
    let hosts = Hosts::new(&USUAL);
    let HalfWay { broker: _broker, agents: [agent, _other], job, caller, lost } = half_way(&hosts, 60, 10_000);
    agent.signal(Signal::TERM);
    let left = agent.ends(MARGIN);
    assert_eq!(left.code(), Some(0), "{}", left.stderr());
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    hosts.host("node1").is_deserted_within(MARGIN);
    let after = ran_on("an agent told to leave half-way", &ended, lost);
    assert!(after < ACK_WAIT - Duration::from_secs(2), "its keys waited: {after:?}");
}

/// To leave costs a key nothing: it may still lose a host after that.
fn an_agent_leaves_then_another_is_killed() {
    let hosts = Hosts::new(&["broker", "caller", "node1", "node2", "node3"]);
    let broker = hosts.broker("broker");
    let mut left = vec!["node1", "node2", "node3"];
    let agents: Vec<_> = left.iter().map(|name| hosts.agent(name, 1, &broker.url)).collect();
    let twice = ["first", "second"].map(|mark| format!("5:leave-child@{}", hosts.path(mark).display()));
    let flags = ["--keys", "12", "--count", "1000", "--fault", &twice[0], "--fault", &twice[1]].map(String::from);
    let caller = hosts.caller(3, &broker.url, &flags);
    let host = has_the_key(&hosts, &left);
    let told = Instant::now();
    let index = left.iter().position(|&name| name == host.name).expect("one of them");
    agents[index].signal(Signal::TERM);
    left.remove(index);
    let next = has_the_key(&hosts, &left);
    let moved = told.elapsed();
    assert!(moved < ACK_WAIT / 2, "the key waited for {moved:?}");
    next.kill_all();
    let ended = caller.ends(PATIENCE);
    is_whole(&ended, 12, 1_000);
    figure("until the key of an agent that leaves is at another", moved);
}

fn no_agent_ever() {
    let hosts = Hosts::new(&["broker", "caller"]);
    let broker = hosts.broker("broker");
    let ended = hosts.caller(1, &broker.url, &[]).ends(PATIENCE);
    let told = ended.stderr();
    assert!(told.lines().last().is_some_and(|line| line.contains("start one on each host")), "{told}");
    assert!((25..38).contains(&ended.took.as_secs()), "{:?}", ended.took);
    ran("no agent ever: the caller says so", &ended);
}

fn an_address_that_does_not_answer() {
    let hosts = Hosts::new(&["silent", "caller"]);
    let nobody = format!("nats://{}:4", hosts.host("silent").address);
    let refused = hosts.caller(1, &nobody, &[]).ends(PATIENCE);
    assert!(refused.one_line().contains(&nobody), "{}", refused.stderr());
    ran("an address where nobody listens: the caller says so", &refused);
    if hosts.are_isolated("an address that does not answer") {
        cable::pull(&hosts, hosts.host("silent"));
        let silent = hosts.caller(1, &nobody, &[]).ends(PATIENCE);
        assert!(silent.one_line().contains(&nobody), "{}", silent.stderr());
        ran("an address that does not answer: the caller says so", &silent);
    }
}

fn a_broker_without_jetstream() {
    let hosts = Hosts::new(&["broker", "caller"]);
    let broker = hosts.broker_with("broker", "");
    let ended = hosts.caller(1, &broker.url, &[]).ends(PATIENCE);
    let line = ended.one_line();
    assert!(line.contains("JetStream"), "{line}");
    ran("a broker without JetStream: the caller says so", &ended);
}

/// One agent is an hour ahead, and the caller an hour behind; the time since a moment is the same for all.
fn clocks_an_hour_apart() {
    let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let libraries = libraries.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let Some(library) = libraries.into_iter().find(|library| library.exists()) else {
        not_tried("clocks an hour apart: apt-get install faketime");
        return;
    };
    let hosts = Hosts::new(&USUAL);
    let broker = hosts.broker("broker");
    let start = |name: &str, role: &str, clock: &str, flags: &[String]| {
        let host = hosts.host(name);
        let mut command = hosts.program(host, &broker.url);
        command.env("LD_PRELOAD", &library).env("FAKETIME", clock).env("DONT_FAKE_MONOTONIC", "1").args(flags);
        hosts.start(host, role, command)
    };
    let agent = ["--agent", "--workers", "2"].map(String::from);
    let mut ahead = start("node1", "agent", "+1h", &agent);
    let mut right = start("node2", "agent", "+0", &agent);
    for agent in [&mut ahead, &mut right] {
        agent.says("waits for a caller", PATIENCE);
    }
    let job = hosts.marked(60, 10_000);
    let usual = ["--workers", "4", "--format", "json", "--digest"].map(String::from).into_iter();
    let caller = start("caller", "caller", "-1h", &usual.chain(job.flags()).collect::<Vec<_>>());
    job.reached(20);
    let lost = caller.has_run();
    hosts.host("node2").kill_all();
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    let after = ran_on("clocks an hour apart, and a host lost half-way", &ended, lost);
    assert!(after < ACK_WAIT + MARGIN, "{after:?}");
}
