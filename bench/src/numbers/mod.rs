//! What the samples say: medians, intervals, ranks.

pub mod porting;
pub mod standings;
pub mod stats;
