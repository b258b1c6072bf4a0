//! What `nats` survives.
#![cfg(target_os = "linux")]

harness::failures!(nats::Nats);
