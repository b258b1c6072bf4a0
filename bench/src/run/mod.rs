//! The files of a run.

pub mod answer;
pub mod footprint;
pub mod job;
pub mod machine;
pub mod record;
