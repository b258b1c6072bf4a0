//! `tokio-blocking` keeps the laws of every strategy.

harness::laws!(tokio_blocking::TokioBlocking);

harness::plain_laws!(at_once: Workers, |keys, workers, f| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(plain::map_keys(keys, workers, f))
});
