//! `nats` keeps the laws of every strategy.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use async_nats::Error;
use harness::alone::within;
use harness::plain::Script;

harness::laws!(nats::Nats);

harness::plain_laws!(processes, |keys, workers, script| on_this_host(keys, workers, script).expect("no key fails"));

/// The version to take home with a broker and all agents on this host.
fn on_this_host(keys: usize, workers: usize, script: &Script) -> Result<Vec<String>, Error> {
    let folder = tempfile::tempdir()?;
    let mut broker = Command::new("nats-server");
    broker.args(["-a", "127.0.0.1", "-p", "-1", "-js", "-sd"]).arg(folder.path());
    broker.arg("--ports_file_dir").arg(folder.path()).stderr(Stdio::null());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut broker = broker.spawn().expect("nats-server is on PATH: apt-get install nats-server");
    let ports = folder.path().join(format!("nats-server_{}.ports", broker.id()));
    let address = within(Duration::from_secs(10), || {
        let text = fs::read_to_string(&ports).ok()?;
        text.split('"').find(|word| word.starts_with("nats://")).map(str::to_owned)
    });
    let answers = runtime.block_on(async {
        let client = async_nats::connect(address.expect("a broker that is ready")).await?;
        let called = tokio::spawn(plain::map_keys(client.clone(), keys));
        for _ in 0..workers.max(1) {
            let (client, script) = (client.clone(), script.clone());
            tokio::spawn(async move {
                // The queue may not be there yet.
                while plain::serve(client.clone(), |key| script.of_key(key)).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        called.await?
    });
    broker.kill().and_then(|()| broker.wait())?;
    answers
}
