//! What `process-per-key` stands for as long as `scripts/soak.sh` is told.
#![cfg(target_os = "linux")]

harness::soak!(process_per_key::ProcessPerKey);
