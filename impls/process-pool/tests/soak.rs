//! What `process-pool` stands for as long as `scripts/soak.sh` is told.
#![cfg(target_os = "linux")]

harness::soak!(process_pool::ProcessPool);
