//! What `process-per-key` survives.
#![cfg(target_os = "linux")]

harness::failures!(process_per_key::ProcessPerKey);
