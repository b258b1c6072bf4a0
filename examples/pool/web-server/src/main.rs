//! A web server whose requests compute in worker processes. `/primes/100000` counts primes.
//!
//! ```sh
//! cargo run -- 127.0.0.1:3000
//! curl http://127.0.0.1:3000/primes/100000
//! ```
//!
//! A handler awaits the call, and blocks no thread. When the client closes its connection, the server drops the handler's
//! future, and the handle with it. That cancels the call: its worker is killed and replaced. So nothing is computed for
//! a client that is gone. Interrupt curl during `/primes/1000000000000`, and look at what `top` shows.

use std::error::Error;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use fanout_pool::{CallError, CallOptions, Pool};
use tokio::net::TcpListener;

/// How long a request may compute. Without a bound, a few requests would keep all workers for ever. A client waits no
/// longer than this for an answer anyway.
const DEADLINE: Duration = Duration::from_secs(30);

/// How many primes there are below a number.
fn primes(below: u64) -> u64 {
    let is_prime = |n: &u64| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (2..below).filter(is_prime).count() as u64
}
// Workers serve before `main`, so none of them starts a runtime.
fanout_pool::register!(primes);

/// One thread is enough, since the workers compute.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| String::from("127.0.0.1:3000"));
    // All workers start now. One that started with a request would make the others wait.
    let options = CallOptions::new().deadline(DEADLINE);
    let pool = Pool::builder().workers(thread::available_parallelism()?).options(options).start()?;
    let listener = TcpListener::bind(&address).await.map_err(|error| format!("{address}: {error}"))?;
    println!("http://{}/primes/100000", listener.local_addr()?);
    axum::serve(listener, app(pool)).await?;
    Ok(())
}

fn app(pool: Pool) -> Router {
    Router::new().route("/primes/{below}", get(count)).with_state(pool)
}

async fn count(State(pool): State<Pool>, Path(below): Path<u64>) -> Result<String, (StatusCode, String)> {
    match pool.submit(primes, below).await {
        Ok(count) => Ok(format!("{count}\n")),
        Err(error) => Err((status(&error), format!("{error}\n"))),
    }
}

fn status(error: &CallError) -> StatusCode {
    match error {
        CallError::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        CallError::NotStarted(_) | CallError::Closed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::sync::mpsc::{self, Receiver};

    use fanout_pool::Event;

    use super::*;

    /// More than a test takes on any machine, and less than whoever waits for it.
    const LONG: Duration = Duration::from_secs(60);

    /// Serves on a thread, by one worker that computes no longer than so long.
    fn serve(deadline: Duration) -> Result<(SocketAddr, Receiver<Event>), Box<dyn Error>> {
        let (sender, events) = mpsc::channel();
        let pool = Pool::builder()
            .workers(1)
            .options(CallOptions::new().deadline(deadline))
            .on_event(move |event| _ = sender.send(event))
            .start()?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        thread::spawn(move || {
            runtime.block_on(async { axum::serve(TcpListener::from_std(listener)?, app(pool)).await })
        });
        Ok((address, events))
    }

    fn ask(address: SocketAddr, below: u64) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LONG))?;
        write!(stream, "GET /primes/{below} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        Ok(stream)
    }

    fn answer(mut stream: TcpStream) -> io::Result<String> {
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// What `chosen` says of the first event of which it says something.
    fn wait_for<T>(events: &Receiver<Event>, chosen: impl Fn(Event) -> Option<T>) -> Result<T, Box<dyn Error>> {
        loop {
            if let Some(said) = chosen(events.recv_timeout(LONG)?) {
                return Ok(said);
            }
        }
    }

    #[test]
    fn a_closed_connection_cancels_its_call() -> Result<(), Box<dyn Error>> {
        let (address, events) = serve(LONG)?;
        let text = answer(ask(address, 100)?)?;
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("\r\n\r\n25\n"), "{text}");

        // It would take centuries.
        let slow = ask(address, u64::MAX)?;
        // The first call was the quick one.
        let calls = || {
            wait_for(&events, |event| match event {
                Event::CallStarted { call, pid, .. } => Some((call, pid)),
                _ => None,
            })
        };
        let _quick = calls()?;
        let (call, killed) = calls()?;
        drop(slow);
        let failure = wait_for(&events, |event| match event {
            Event::CallFinished { call: finished, failure, .. } if finished == call => Some(failure),
            _ => None,
        })?;
        assert_eq!(failure.as_deref(), Some("was cancelled"));

        // The next request has a worker of its own.
        let text = answer(ask(address, 10)?)?;
        assert!(text.ends_with("\r\n\r\n4\n"), "{text}");
        let (_, next) = calls()?;
        assert_ne!(next, killed);
        Ok(())
    }

    #[test]
    fn a_request_that_takes_too_long_is_told_so() -> Result<(), Box<dyn Error>> {
        let (address, _events) = serve(Duration::from_millis(100))?;
        let text = answer(ask(address, u64::MAX)?)?;
        assert!(text.starts_with("HTTP/1.1 504") && text.contains("ran past its deadline"), "{text}");
        Ok(())
    }
}
