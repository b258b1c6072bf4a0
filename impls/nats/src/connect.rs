//! A connection to the brokers of a cluster, and what can be wrong with it.

use std::future::Future;
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::{Client, ConnectErrorKind, ConnectOptions};
use kernel::{Cluster, StartError};

/// Bounds the time in which a broker must answer: when a caller or an agent starts, since whoever starts both with it need not
/// put them in order, and later, before it is given up.
pub(crate) const BROKER_PATIENCE: Duration = Duration::from_secs(10);

/// How often the client asks whether the broker is there. Three times without an answer, and it connects again.
const PING: Duration = Duration::from_millis(2_500);

/// How long it waits between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(250);

/// The first server that takes a consumer's name in the request for it, as this client makes it.
const OLDEST: (i64, i64, i64) = (2, 9, 0);

/// Why a cluster cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(
        "nats-server cannot be started: {0}; it is the broker of this strategy, and must be on PATH (Debian, Ubuntu: apt-get \
         install nats-server)"
    )]
    NoServer(io::Error),
    #[error("nats-server ended ({exit}) before it was ready: {last}")]
    BrokerEnded { exit: String, last: String },
    #[error("nats-server was not ready within {0:?}")]
    BrokerSilent(Duration),
    #[error("no folder for nats-server: {0}")]
    Folder(io::Error),
    #[error("no thread, or no runtime: {0}")]
    Thread(io::Error),
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    #[error("`{address}` is no address of a broker: expected nats://HOST:PORT or tls://HOST:PORT")]
    Address { address: String },
    #[error("an address of a broker has no user and no token in it: give the token by --token-file or FANOUT_TOKEN")]
    Credentials,
    #[error(
        "{address} does not answer: {error}; is nats-server running there, does it listen on that address, and is its port open to this host?"
    )]
    Silent { address: String, error: String },
    #[error(
        "{address} refuses the token: --token-file or FANOUT_TOKEN must hold the one that nats-server was started with"
    )]
    Token { address: String },
    #[error("{address} speaks no TLS: for a broker without it, the address begins with nats://")]
    NoTls { address: String },
    #[error("{address} wants TLS: its address begins with tls://, and --ca-file names its CA, if that is one's own")]
    WantsTls { address: String },
    #[error(
        "{address}: no connection by TLS: {error}; --ca-file holds the certificate of the CA that has signed the broker's, \
         which must be for the name in the address"
    )]
    Tls { address: String, error: String },
    #[error("{address} is nats-server {version}, and this needs 2.9 or later")]
    Old { address: String, version: String },
    #[error(
        "{address} has no JetStream: start nats-server with -js, or with `jetstream {{}}` in its configuration ({error})"
    )]
    NoJetStream { address: String, error: String },
    #[error("the connection to the broker is lost: {0}")]
    Lost(String),
    #[error("{address} keeps no stream for the keys: {error}")]
    NoStream { address: String, error: String },
    #[error(
        "no agent has come within {0:?}: start one on each host, with `--agent` and the same --cluster (one that serves \
         another caller does not come)"
    )]
    NoAgents(Duration),
    #[error(
        "no agent has come within {0:?} but those that were refused: copy this program to their hosts, and start them again"
    )]
    OnlyRefused(Duration),
    #[error("{0}")]
    OtherBuild(String),
    #[error("this program's file cannot be read, which tells it from other builds: {0}")]
    Program(io::Error),
    #[error("{0}")]
    Workers(StartError),
}

impl From<Trouble> for StartError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Workers(error) => error,
            trouble => StartError::new(trouble),
        }
    }
}

/// The addresses as one name.
pub(crate) fn shown(cluster: &Cluster) -> String {
    cluster.brokers.join(",")
}

/// Connects, and looks whether what is there will do. A broker that is not there yet is waited for.
pub(crate) async fn connect(cluster: &Cluster, name: &str) -> Result<Client, Trouble> {
    let address = shown(cluster);
    let until = Instant::now() + BROKER_PATIENCE;
    let client = loop {
        match once(cluster, name).await {
            Ok(client) => break client,
            Err(Trouble::Silent { .. }) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Err(trouble) => return Err(trouble),
        }
    };
    if !client.is_server_compatible(OLDEST.0, OLDEST.1, OLDEST.2) {
        return Err(Trouble::Old { address, version: client.server_info().version });
    }
    let context = jetstream::new(client.clone());
    // Not `query_account`, which wants what servers before 2.10 do not tell.
    let account = within(BROKER_PATIENCE, context.request::<_, _, serde_json::Value>("INFO", &())).await;
    match account.map(|account| account.get("error").map(ToString::to_string)) {
        Ok(None) => Ok(client),
        Ok(Some(error)) | Err(error) => Err(Trouble::NoJetStream { address, error }),
    }
}

async fn once(cluster: &Cluster, name: &str) -> Result<Client, Trouble> {
    let address = shown(cluster);
    let mut addresses = Vec::new();
    for broker in &cluster.brokers {
        // It would be printed with the address.
        if broker.contains('@') {
            return Err(Trouble::Credentials);
        }
        let host = ["nats://", "tls://"].iter().find_map(|scheme| broker.strip_prefix(scheme));
        let is_host = host.is_some_and(|host| !host.is_empty() && !host.starts_with(':') && !host.contains('/'));
        let parsed = broker.parse::<async_nats::ServerAddr>().ok().filter(|_| is_host);
        addresses.push(parsed.ok_or_else(|| Trouble::Address { address: broker.clone() })?);
    }
    let is_tls = cluster.ca.is_some() || cluster.brokers.iter().any(|broker| broker.starts_with("tls://"));
    let mut options = ConnectOptions::with_token(cluster.token.clone())
        .name(name)
        .require_tls(is_tls)
        .ping_interval(PING)
        .connection_timeout(Duration::from_secs(3))
        .read_buffer_capacity(u16::MAX)
        .reconnect_delay_callback(|attempts| if attempts <= 1 { Duration::ZERO } else { PAUSE });
    if let Some(ca) = &cluster.ca {
        options = options.add_root_certificates(ca.clone());
    }
    options.connect(addresses).await.map_err(|error| {
        let source = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        // What rustls finds wrong is an error of the connection.
        let is_io = |error: &(dyn std::error::Error + 'static)| error.downcast_ref::<io::Error>().map(io::Error::kind);
        let is_invalid = std::error::Error::source(&error).and_then(is_io) == Some(io::ErrorKind::InvalidData);
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => Trouble::Token { address },
            _ if is_tls && source.contains("InvalidContentType") => Trouble::NoTls { address },
            _ if is_invalid && !is_tls => Trouble::WantsTls { address },
            _ if is_invalid => Trouble::Tls { address, error: source },
            ConnectErrorKind::Tls => Trouble::Tls { address, error: source },
            _ => Trouble::Silent { address, error: source },
        }
    })
}

/// How often a client has connected: what was on its way when that changes may be lost.
pub(crate) fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}

/// The answer to a request, if it comes in time.
pub(crate) async fn within<T, E: std::fmt::Display>(
    most: Duration,
    request: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(most, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {most:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server of this version, as far as one that connects hears of it. Its address.
    fn server(version: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let info = format!(
                r#"{{"server_id":"A","server_name":"a","host":"127.0.0.1","port":1,"version":"{version}","proto":1,"max_payload":1024}}"#
            );
            write!(stream, "INFO {info}\r\n").unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            for line in lines.map_while(Result::ok).filter(|line| line == "PING") {
                write!(stream, "{}\r\n", line.replace('I', "O")).unwrap();
            }
        };
        thread::Builder::new().spawn(answer).unwrap();
        format!("nats://{address}")
    }

    fn told(address: &str) -> String {
        let cluster = Cluster { brokers: vec![address.to_owned()], token: "t".into(), ..Cluster::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(connect(&cluster, "test")).unwrap_err().to_string()
    }

    #[test]
    fn a_server_that_is_too_old_is_told_with_its_version() {
        let told = told(&server("2.8.4"));
        assert!(told.ends_with("is nats-server 2.8.4, and this needs 2.9 or later"), "{told}");
    }

    #[test]
    fn what_is_no_address_is_refused_and_never_shown_with_a_token() {
        for address in ["x", "http://x", "nats://", "nats://:4222", "nats://x:99999", "nats://x/y"] {
            assert!(told(address).contains("is no address of a broker"), "{address}: {}", told(address));
        }
        assert!(!told("nats://SECRET@127.0.0.1:1").contains("SECRET"));
    }
}
