//! `process-per-key` keeps the laws of every strategy.

harness::laws!(process_per_key::ProcessPerKey);
