//! Who takes part: strategies as they were built, the machine's limit, and the programs of the notebook.

pub mod building;
pub mod contender;
pub mod environment;
pub mod lines;
pub mod listing;
pub mod manifest;
pub mod name;
pub mod notebook;
pub mod own;
pub mod selection;
pub mod toolchain;
