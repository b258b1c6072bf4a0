//! The jobs that are built in: what the strategies are compared by, and the list of them.
//!
//! Each is a file of this folder, written as a job of one's own is: a [`Workload`](fanout::Workload) that is
//! [`Portable`](fanout::Portable). To be in every strategy's program it says besides what it is in flags and reports
//! ([`BuiltIn`]), and has a word in [`BUILT_IN`]'s list at the end of this file. What goes through all of them goes through that
//! list: flags and their help ([`BUILT_IN`]), workers ([`served`]), runs and laws ([`dispatch`]).

mod built_in;
mod fill;
pub mod generator;
mod job;
mod list;
mod skew;
mod sum;
mod wait;

pub use built_in::{Asked, BuiltIn, Facts, Own, Use, Verifiable};
pub use fill::Fill;
pub use job::{Job, JobError, Parameters, Rng};
pub use skew::Skew;
pub use sum::Sum;
pub use wait::Wait;

list::workloads! { Fill, Sum, Wait }
