//! The cable between a host and the switch.

use crate::hosts::{Host, Hosts};

/// Pulls it: nothing comes through, and no connection is told.
pub(crate) fn pull(hosts: &Hosts, host: &Host) {
    set(hosts, &["link", "set", host.name, "down"]);
}

/// Puts it back.
pub(crate) fn put_back(hosts: &Hosts, host: &Host) {
    set(hosts, &["link", "set", host.name, "up"]);
}

fn set(hosts: &Hosts, arguments: &[&str]) {
    let output = hosts.at_the_switch("ip").args(arguments).output().expect("the program `ip`");
    assert!(output.status.success(), "ip {arguments:?}: {output:?}");
}

/// Makes what the host sends take its time; in megabits a second.
pub(crate) fn slow_sending(host: &Host, rate: u32) {
    throttle(host.command("tc"), "eth0", rate);
}

/// Makes what the host receives take its time; in megabits a second.
pub(crate) fn slow_receiving(hosts: &Hosts, host: &Host, rate: u32) {
    throttle(hosts.at_the_switch("tc"), host.name, rate);
}

fn throttle(mut tc: std::process::Command, device: &str, rate: u32) {
    let rate = format!("{rate}mbit");
    let tbf = ["qdisc", "add", "dev", device, "root", "tbf", "rate", &rate, "burst", "256k", "latency", "200ms"];
    let output = tc.args(tbf).output().expect("the program `tc`");
    assert!(output.status.success(), "tc {tbf:?}: {output:?}");
}

/// How many bytes a host has sent.
pub(crate) fn sent(hosts: &Hosts, host: &Host) -> u64 {
    counter(hosts, host, 0)
}

/// How many bytes a host has received.
pub(crate) fn received(hosts: &Hosts, host: &Host) -> u64 {
    counter(hosts, host, 8)
}

/// What the switch counts at a host's cable.
fn counter(hosts: &Hosts, host: &Host, column: usize) -> u64 {
    let counters = hosts.at_the_switch("cat").arg("/proc/net/dev").output().expect("the program `cat`").stdout;
    let counters = String::from_utf8_lossy(&counters).into_owned();
    let line = counters.lines().find_map(|line| line.trim().strip_prefix(host.name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().nth(column)?.parse().ok()).unwrap_or_default()
}
