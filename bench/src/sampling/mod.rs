//! Taking samples: who runs when, the timer, and what is watched from outside.

pub mod hyperfine;
pub mod machine;
pub mod memory;
pub mod schedule;
