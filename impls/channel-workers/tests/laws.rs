//! `channel-workers` keeps the laws of every strategy.

harness::laws!(channel_workers::ChannelWorkers);

harness::plain_laws!(at_once: Workers, |keys, workers, f| plain::map_keys(&plain::start(workers), keys, f));
