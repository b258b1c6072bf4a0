//! `channel-workers` on the command line.

use std::process::ExitCode;

use channel_workers::ChannelWorkers;

fn main() -> ExitCode {
    harness::main::<ChannelWorkers>(env!("CARGO_PKG_NAME"))
}
