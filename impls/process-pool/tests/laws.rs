//! `process-pool` keeps the laws of every strategy.

harness::laws!(process_pool::ProcessPool);
