//! What a process has to do with the network, as `/proc` tells it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use harness::alone::descriptors;

/// The TCP sockets of a process: each with its own address and its peer's. The peer of one that listens has port 0.
pub(crate) fn sockets(process: u32) -> Vec<(SocketAddr, SocketAddr)> {
    let own: Vec<_> = descriptors(process).into_iter().map(|(_, to)| to.display().to_string()).collect();
    let table = |name| fs::read_to_string(format!("/proc/{process}/net/{name}")).unwrap_or_default();
    let lines = ["tcp", "tcp6"].map(table).concat();
    let socket = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let inode = format!("socket:[{}]", fields.get(9)?);
        own.contains(&inode).then_some((address(fields[1])?, address(fields[2])?))
    };
    lines.lines().filter_map(socket).collect()
}

/// An address of those tables: words in the machine's own order, as hexadecimal digits, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let words: Vec<_> = (0..ip.len()).step_by(8).map(word).collect::<Option<_>>()?;
    let ip = match words.concat().as_slice() {
        bytes if bytes.len() == 4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        bytes => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    Some(SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}
