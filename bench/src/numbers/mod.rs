//! What the samples say: medians, intervals, ranks.

pub mod advised;
pub mod curves;
pub mod difference;
pub mod digits;
pub mod grid;
pub mod porting;
pub mod random;
pub mod scalability;
pub mod standings;
pub mod stats;
pub mod stopping;
pub mod views;
