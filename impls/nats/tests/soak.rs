//! What `nats` stands for as long as `scripts/soak.sh` is told.
#![cfg(target_os = "linux")]

harness::soak!(nats::Nats);
