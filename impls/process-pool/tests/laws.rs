//! `process-pool` keeps the laws of every strategy.

harness::laws!(process_pool::ProcessPool);

harness::plain_laws!(processes, |keys, workers, script| plain::map_keys(keys, workers, || script.of_each_line()));
