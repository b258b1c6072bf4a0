//! `channel-workers` keeps the laws of every strategy.

harness::laws!(channel_workers::ChannelWorkers);
