//! `tokio-rayon` keeps the laws of every strategy.

harness::laws!(tokio_rayon::TokioRayon);

harness::plain_laws!(at_once: Workers, |keys, workers, f| {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(workers.max(1)).build().unwrap();
    futures_lite::future::block_on(plain::map_keys(&pool, keys, f))
});
