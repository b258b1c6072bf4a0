//! `tokio-blocking` keeps the laws of every strategy.

harness::laws!(tokio_blocking::TokioBlocking);
