//! What `process-pool` survives.
#![cfg(target_os = "linux")]

harness::failures!(process_pool::ProcessPool);
