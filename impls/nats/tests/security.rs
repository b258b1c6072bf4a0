//! Who can reach a cluster, and who cannot: brokers ask for a token and listen where they are told; the token is nowhere
//! where others see it.
#![cfg(target_os = "linux")]

#[path = "hosts/certificates.rs"]
mod certificates;
#[expect(dead_code, reason = "the losses need more of it")]
mod hosts;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use harness::alone::{descendants, within};

use crate::hosts::{Broker, Hosts, PATIENCE, PROGRAM, command_line, sockets};

/// Bounds how long a broker lets somebody stay who has no token: it gives two seconds by default.
const CUT_OFF: Duration = Duration::from_secs(20);

/// Bounds what is said without waiting for anything, on a machine that is busy. What is tried again is tried for ten seconds.
const AT_ONCE: Duration = Duration::from_secs(8);

#[test]
fn a_cluster_of_this_machine_listens_on_loopback_alone_and_ends_with_its_caller() {
    let hosts = Hosts::new(&["caller"]);
    let mark = hosts.path("reached");
    let host = hosts.host("caller");
    let mut command = host.command(PROGRAM);
    command.args(["--keys", "20", "--count", "1000", "--workers", "2", "--fault"]);
    command.arg(format!("0:sleep@{}", mark.display()));
    let caller = hosts.start(host, "caller", command);
    assert!(within(PATIENCE, || mark.exists().then_some(())).is_some(), "no key was reached: {}", caller.stderr());
    let processes: Vec<_> = [caller.id()].into_iter().chain(descendants(caller.id())).collect();
    let listen = |&pid: &u32| sockets(pid).into_iter().filter(|(_, peer)| peer.port() == 0).map(|(own, _)| own);
    let listening: Vec<_> = processes.iter().flat_map(listen).collect();
    let words: Vec<_> = processes.iter().map(|&pid| command_line(pid)).collect();
    assert!(words.iter().any(|words| words.contains("nats-server")), "{words:?}");
    assert!(!listening.is_empty(), "nothing listens of {words:?}");
    for own in listening {
        assert!(own.ip().is_loopback(), "{own}");
        // Who is on this machine needs the token too.
        is_cut_off(host.connect(own), "CONNECT {}\r\n");
    }
    caller.kill();
    host.is_deserted_within(PATIENCE);
}

#[test]
fn who_has_no_token_gets_nothing_and_gives_nothing() {
    let hosts = Hosts::new(&["broker", "caller", "node1", "stranger"]);
    let broker = hosts.broker("broker");
    let _agent = hosts.agent("node1", 2, &broker.url);
    let job = hosts.marked(40, 1_000);
    let caller = hosts.caller(2, &broker.url, &job.flags());
    job.reached(5);
    let connect = || hosts.host("stranger").connect(SocketAddr::V4(broker.address));
    for greeting in ["", "CONNECT {}\r\n", "CONNECT {\"auth_token\":\"secret-of-somebody-else\"}\r\n"] {
        is_cut_off(connect(), greeting);
    }
    job.is_whole(&caller.ends(PATIENCE));
}

/// Says this, asks for everything that is sent, and sends something itself: none of it is done.
fn is_cut_off(mut stream: TcpStream, greeting: &str) {
    let rest = "SUB fanout.> 1\r\nSUB > 2\r\nPUB fanout.outcome 2\r\nhi\r\nPING\r\n";
    stream.set_read_timeout(Some(CUT_OFF)).expect("a time above zero");
    // It may have been cut off before it has said all of it.
    let _cut_off = stream.write_all(format!("{greeting}{rest}").as_bytes());
    let mut got = Vec::new();
    let end = stream.read_to_end(&mut got);
    let got = String::from_utf8_lossy(&got).into_owned();
    let is_open = end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!is_open, "after {greeting:?} it was still connected, and got {got:?}");
    // All that came is what a broker says of itself, and that it refuses.
    let refused = |line: &str| line.starts_with("INFO ") || line.starts_with("-ERR 'Auth");
    assert!(got.starts_with("INFO ") && got.lines().all(refused), "after {greeting:?} came {got:?}");
}

#[test]
fn tls_with_an_authority_of_ones_own_takes_its_file() {
    let hosts = Hosts::new(&["broker", "caller", "node1"]);
    let address = hosts.host("broker").address.to_string();
    let tls = certificates::tls(&hosts, "broker", &address);
    let broker = hosts.broker_with("broker", &(hosts.memory_storage("broker") + &tls));
    let _somebody_elses = certificates::tls(&hosts, "other", &address);
    let run = |name: &str, authority: Option<&str>, flags: &[String]| {
        let host = hosts.host(name);
        let mut command = hosts.program(host, &broker.url);
        if let Some(authority) = authority {
            command.arg("--ca-file").arg(hosts.path(authority));
        }
        command.args(flags);
        hosts.start(host, "program", command)
    };
    let mut agent = run("node1", Some("broker-ca.pem"), &["--agent", "--workers", "2"].map(String::from));
    agent.says("waits for a caller", PATIENCE);
    let job = hosts.marked(6, 1_000);
    let flags: Vec<_> = ["--format", "json", "--digest"].map(String::from).into_iter().chain(job.flags()).collect();
    for authority in [None, Some("other-ca.pem"), Some("token"), Some("missing.pem")] {
        let refused = run("caller", authority, &flags).ends(PATIENCE);
        let line = refused.one_line();
        let names_it = line.contains("--ca-file") || authority.is_some_and(|name| line.contains(name));
        assert!(names_it && !line.contains(&hosts.token), "with {authority:?}: {line}");
        // Nothing that is waited for makes it better.
        assert!(refused.took < AT_ONCE, "with {authority:?} after {:?}", refused.took);
    }
    job.is_whole(&run("caller", Some("broker-ca.pem"), &flags).ends(PATIENCE));
}

#[test]
fn the_token_is_in_no_argument_list_and_no_line() {
    let hosts = Hosts::new(&["broker", "caller", "node1"]);
    let broker = hosts.broker("broker");
    let in_variable = |name: &str, flags: &[String]| {
        let host = hosts.host(name);
        let mut command = host.command(PROGRAM);
        command.args(["--cluster", &broker.url]).env("FANOUT_TOKEN", &hosts.token).args(flags);
        hosts.start(host, "program", command)
    };
    let mut agent = in_variable("node1", &["--agent", "--workers", "2"].map(String::from));
    agent.says("waits for a caller", PATIENCE);
    let job = hosts.marked(30, 1_000);
    let flags: Vec<_> = ["--format", "json", "--digest"].map(String::from).into_iter().chain(job.flags()).collect();
    let caller = in_variable("caller", &flags);
    job.reached(5);
    let everybody: Vec<u32> =
        ["broker", "caller", "node1"].iter().flat_map(|name| hosts.host(name).processes()).collect();
    // The broker, the caller, the agent and its workers.
    assert!(everybody.len() >= 4, "{:?}", everybody.iter().map(|&pid| command_line(pid)).collect::<Vec<_>>());
    for pid in everybody {
        assert!(!command_line(pid).contains(&hosts.token), "{}", command_line(pid));
    }
    let ended = caller.ends(PATIENCE);
    job.is_whole(&ended);
    for said in [ended.stderr(), agent.stderr(), broker.said()] {
        assert!(!said.contains(&hosts.token), "{said}");
    }
}

/// The files with a token in them that the program makes are for its user alone, and gone with it.
#[test]
fn no_file_with_a_token_is_left_or_can_be_read_by_others() {
    let hosts = Hosts::new(&["caller"]);
    let host = hosts.host("caller");
    let [folder, mark] = ["tmp", "reached"].map(|name| hosts.path(name));
    fs::create_dir(&folder).expect("a folder in a temporary folder");
    let mut command = host.command(PROGRAM);
    command.env("TMPDIR", &folder).args(["--keys", "20", "--count", "1000", "--workers", "2", "--fault"]);
    command.arg(format!("0:slow@{}", mark.display()));
    let caller = hosts.start(host, "caller", command);
    assert!(within(PATIENCE, || mark.exists().then_some(())).is_some(), "no key was reached: {}", caller.stderr());
    let entries = || fs::read_dir(&folder).into_iter().flatten().flatten();
    for entry in entries() {
        // It may be gone by now.
        let Ok(about) = entry.metadata() else { continue };
        assert_eq!(about.permissions().mode() & 0o077, 0, "{}", entry.path().display());
    }
    let ended = caller.ends(PATIENCE);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert_eq!(entries().count(), 0, "{:?}", entries().collect::<Vec<_>>());
}

/// Strangers are refused before anything is known about them: also by each broker of a cluster.
#[test]
fn every_broker_of_a_cluster_asks_for_the_token() {
    let names = ["broker1", "broker2", "broker3", "stranger"];
    let hosts = Hosts::new(&names);
    let brokers: Vec<Broker> = hosts.brokers(&names[..3]);
    for broker in &brokers {
        is_cut_off(hosts.host("stranger").connect(SocketAddr::V4(broker.address)), "CONNECT {}\r\n");
    }
}
