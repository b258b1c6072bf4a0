//! The files of a run.

pub mod answer;
pub mod job;
pub mod machine;
pub mod record;
