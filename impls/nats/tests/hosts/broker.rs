//! Brokers, alone and as a cluster.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::Command;

use harness::alone::within;

use super::{Host, Hosts, PATIENCE, Running};

/// Where brokers listen, on a host of their own.
const PORT: u16 = 4222;

/// Where they listen for each other.
const ROUTES_PORT: u16 = 6222;

/// A broker that can be killed and started again.
pub(crate) struct Broker<'a> {
    /// What callers and agents are told.
    pub(crate) url: String,
    /// Where it listens.
    pub(crate) address: SocketAddrV4,
    hosts: &'a Hosts,
    host: &'a Host,
    config: PathBuf,
    running: Option<Running>,
}

impl Hosts {
    /// A broker on a host, ready to be used.
    pub(crate) fn broker(&self, name: &str) -> Broker<'_> {
        self.broker_with(name, &self.memory_storage(name))
    }

    /// The same with this in its configuration, and without JetStream unless it is in there.
    pub(crate) fn broker_with(&self, name: &str, more: &str) -> Broker<'_> {
        let mut broker = self.stopped_broker(name, more);
        broker.start();
        broker.is_ready();
        broker
    }

    /// Brokers that are one cluster, ready for streams with replicas.
    pub(crate) fn brokers(&self, names: &[&str]) -> Vec<Broker<'_>> {
        let places: Vec<_> = names.iter().map(|name| self.host(name).listen(ROUTES_PORT)).collect();
        let routes: Vec<_> = places.iter().map(|place| format!("\"nats://{place}\"")).collect();
        let cluster = |(name, place): (&&str, &SocketAddrV4)| {
            let routes = routes.join(", ");
            let cluster = format!("cluster {{ name: fanout, listen: \"{place}\", routes: [{routes}] }}\n");
            let mut broker = self.stopped_broker(name, &(self.memory_storage(name) + &cluster));
            broker.start();
            broker
        };
        let mut brokers: Vec<_> = names.iter().zip(&places).map(cluster).collect();
        brokers.iter_mut().for_each(Broker::is_ready);
        let is_led = || brokers.iter().any(|broker| broker.said().contains("new metadata leader")).then_some(());
        within(PATIENCE, is_led).expect("brokers that agree on a leader");
        brokers
    }

    /// JetStream that keeps everything in memory. Its folder is for what it writes all the same.
    pub(crate) fn memory_storage(&self, name: &str) -> String {
        format!("jetstream {{ store_dir: {:?}, max_memory_store: 1GB }}\n", self.path(&format!("store-{name}")))
    }

    fn stopped_broker(&self, name: &str, more: &str) -> Broker<'_> {
        let host = self.host(name);
        let address = host.listen(PORT);
        let config = format!(
            "server_name: {name}\nlisten: \"{address}\"\nauthorization {{ token: \"{}\" }}\n\
             max_payload: 8MB\nmax_pending: 256MB\n{more}",
            self.token
        );
        let config = self.private_file(&format!("{name}.conf"), &config);
        let scheme = if more.contains("tls {") { "tls" } else { "nats" };
        Broker { url: format!("{scheme}://{address}"), address, hosts: self, host, config, running: None }
    }
}

impl Broker<'_> {
    /// Starts it, for the first time or again. It may not be ready yet.
    pub(crate) fn start(&mut self) {
        let there = Command::new("nats-server").arg("--version").output();
        assert!(there.is_ok(), "nats-server is missing: apt-get install nats-server");
        let mut command = self.host.command("nats-server");
        command.arg("--config").arg(&self.config);
        self.running = Some(self.hosts.start(self.host, "broker", command));
    }

    /// Waits until it answers.
    pub(crate) fn is_ready(&mut self) {
        self.running.as_mut().expect("it was started").says("Server is ready", PATIENCE);
        drop(self.host.connect(self.address.into()));
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        drop(self.running.take());
    }

    /// The streams that it has, as it tells of them.
    pub(crate) fn streams(&self) -> Vec<serde_json::Value> {
        let asks = "SUB answer 1\r\nPUB $JS.API.STREAM.LIST answer 0\r\n\r\n";
        let mut socket = self.host.connect(self.address.into());
        write!(socket, "CONNECT {{\"auth_token\":\"{}\",\"verbose\":false}}\r\n{asks}", self.hosts.token)
            .expect("a broker that listens");
        let mut said = BufReader::new(socket);
        let mut line = String::new();
        while !line.starts_with("MSG answer ") {
            line.clear();
            assert_ne!(said.read_line(&mut line).expect("what a broker says"), 0, "the broker hung up");
        }
        let length = line.trim_end().rsplit(' ').next().and_then(|length| length.parse().ok());
        let mut answer = vec![0; length.expect("the length of a message")];
        said.read_exact(&mut answer).expect("a message");
        let mut answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
        serde_json::from_value(answer["streams"].take()).expect("streams")
    }

    /// What it has said since it was started.
    pub(crate) fn said(&self) -> String {
        self.running.as_ref().map(Running::stderr).unwrap_or_default()
    }
}
