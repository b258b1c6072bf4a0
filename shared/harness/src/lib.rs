//! How a strategy runs from the command line, and the laws that every strategy keeps.
//!
//! A strategy's `src/main.rs` is one line, [`main`], and its `tests/laws.rs` is two lines, [`laws!`] and [`plain_laws!`].
//! One that runs keys in processes has two more, of one line each: [`failures!`] and [`soak!`]. Flags, reports, checks and
//! tests are here, once.
//!
//! A program that runs a job of one's own by a strategy is one line as well, [`job_main!`].

mod allocator;
pub mod alone;
mod checks;
mod cli;
mod cluster;
#[cfg(target_os = "linux")]
pub mod failures;
mod fault;
pub mod laws;
mod look;
mod memory;
#[doc(hidden)]
pub mod own;
pub mod plain;
mod report;
mod run;
#[cfg(target_os = "linux")]
pub mod soak;

pub use allocator::ALLOCATOR;
pub use checks::differing;
pub use cli::{JobOptions, SKEWS, one_line, rng_name, skew_name, skew_named};
pub use fault::{Fault, FaultKind, Faulty};
pub use memory::available as available_memory;
pub use report::{FailedKey, Report};
pub use run::{main, unless_closed};
