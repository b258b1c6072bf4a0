//! `process-per-key` keeps the laws of every strategy.

harness::laws!(process_per_key::ProcessPerKey);

harness::plain_laws!(processes, |keys, workers, script| plain::map_keys(keys, workers, |key| script.of_key(key)));
