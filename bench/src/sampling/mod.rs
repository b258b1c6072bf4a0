//! Taking samples: what is verified, what is watched from outside, and who runs when.

pub mod ask;
pub mod condition;
pub mod engine;
pub mod hyperfine;
pub mod machine;
pub mod memory;
pub mod neighbour;
pub mod own;
pub mod pace;
pub mod preview;
pub mod programs;
pub mod progress;
pub mod schedule;
pub mod setup;
pub mod survival;
