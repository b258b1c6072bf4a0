//! `nats` to take home.

use std::process::Command;
use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull};
use async_nats::{Client, Error};
use futures_util::{StreamExt, TryStreamExt};

/// On each host, once for each key that it is to run at a time: takes keys from the broker, and answers with what their
/// command prints. `map_keys` must have begun.
pub async fn serve(client: Client, command: impl Fn(usize) -> Command) -> Result<(), Error> {
    let queue = jetstream::new(client.clone()).get_stream("KEYS").await?.get_consumer::<pull::Config>("hosts").await?;
    loop {
        let one = queue.batch().max_messages(1).expires(Duration::from_secs(30));
        let Some(message) = one.messages().await?.try_next().await? else { continue };
        let key = str::from_utf8(&message.payload)?.parse()?;
        let output = tokio::process::Command::from(command(key)).output().await?;
        client.publish(format!("outputs.{key}.{}", output.status.success()), output.stdout.into()).await?;
        message.ack().await?;
    }
}

/// Gives `0..keys` to the hosts, and returns their answers, in key order. A command that fails fails the call. A key of which
/// nothing came for 30 s goes to another host: no command may take so long.
pub async fn map_keys(client: Client, keys: usize) -> Result<Vec<String>, Error> {
    let (context, mut outputs) = (jetstream::new(client.clone()), client.subscribe("outputs.*.*").await?);
    let hosts = pull::Config { durable_name: Some("hosts".into()), ..Default::default() };
    context.create_stream("KEYS").await?.create_consumer(hosts).await?;
    for key in 0..keys {
        context.publish("KEYS", key.to_string().into()).await?.await?;
    }
    let mut answers = vec![None; keys];
    while answers.contains(&None) {
        let answer = outputs.next().await.ok_or("the broker is gone")?;
        let ["outputs", key, "true"] = *answer.subject.split('.').collect::<Vec<_>>() else {
            return Err("a key failed")?;
        };
        answers[key.parse::<usize>()?] = Some(String::from_utf8(answer.payload.into())?);
    }
    Ok(answers.into_iter().flatten().collect())
}

/// A broker on this host and two agents in this process: a first try, without a cluster.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let mut broker = Command::new("nats-server");
    broker
        .args(["-a", "127.0.0.1", "-p", "-1", "-js", "-sd"])
        .arg(folder.path())
        .arg("--ports_file_dir")
        .arg(folder.path());
    let mut broker = broker.stderr(std::process::Stdio::null()).spawn()?;
    let ports = folder.path().join(format!("nats-server_{}.ports", broker.id()));
    let address = loop {
        let text = std::fs::read_to_string(&ports).unwrap_or_default();
        if let Some(address) = text.split('"').find(|word| word.starts_with("nats://")) {
            break address.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let client = async_nats::connect(address).await?;
    let square = |key: usize| {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $(($0 * $0))", &key.to_string()]);
        command
    };
    let answers = tokio::spawn(map_keys(client.clone(), 5));
    while jetstream::new(client.clone()).get_consumer_from_stream::<pull::Config, _, _>("hosts", "KEYS").await.is_err()
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let hosts = [tokio::spawn(serve(client.clone(), square)), tokio::spawn(serve(client, square))];
    assert_eq!(answers.await??, ["0\n", "1\n", "4\n", "9\n", "16\n"]);
    hosts.iter().for_each(tokio::task::JoinHandle::abort);
    broker.kill()?;
    broker.wait()?;
    Ok(())
}
