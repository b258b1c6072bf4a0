//! Taking samples: who runs when, the timer, and what is watched from outside.

pub mod hyperfine;
pub mod memory;
pub mod schedule;
