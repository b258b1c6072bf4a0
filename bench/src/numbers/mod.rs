//! What the samples say: medians, intervals, ranks.

pub mod advised;
pub mod curves;
pub mod difference;
pub mod grid;
pub mod porting;
pub mod standings;
pub mod stopping;
pub mod views;

// Where it is optimised.
pub use statistics::{digits, random, scalability, stats};
