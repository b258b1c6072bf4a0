//! The jobs that are built in: what the strategies are compared by, and the list of them.
//!
//! Each is a file of this folder, written as a job of one's own is: a [`Workload`](fanout::Workload) that is
//! [`Portable`](fanout::Portable). To be in every strategy's program it says besides what it is in flags and reports
//! ([`BuiltIn`]), and has a word in the list at the end of this file. A new one is that file and that word: everything else goes
//! through the list, as do flags and their help ([`BUILT_IN`]), workers ([`served`]), runs and laws ([`dispatch`]).

mod built_in;
pub mod generator;
mod job;
mod list;
mod skew;

pub use built_in::{Asked, BuiltIn, Facts, Own, Use, Verifiable};
pub use job::{Job, JobError, Parameters, Rng};
pub use skew::Skew;

list::workloads! { fill::Fill, sum::Sum, wait::Wait }
