//! What fanout runs: the contract between a keyed job and the strategies that run it, and the digest that proves that every
//! strategy gave the same bits.
//!
//! A [`Workload`] says what each key expands to. A [`Strategy`] is one way to use the cores of a machine, and [`Runs`]
//! ties the two: a strategy that runs workload `W` gives one [`Outcome`] per key, in key order.
//!
//! Nothing here starts a process, reads a flag or touches a terminal.
//!
//! ```
//! use std::sync::Arc;
//! use kernel::{Context, Outcome, Runs, StartError, Strategy, Workload};
//!
//! /// Key `i` expands to `i` squared.
//! struct Squares;
//!
//! impl Workload for Squares {
//!     type Output = usize;
//!     fn keys(&self) -> usize {
//!         5
//!     }
//!     fn expand(&self, index: usize) -> usize {
//!         index * index
//!     }
//! }
//!
//! /// The plain loop.
//! struct Sequential;
//!
//! impl Strategy for Sequential {
//!     fn start(_: &Context) -> Result<Self, StartError> {
//!         Ok(Sequential)
//!     }
//! }
//!
//! impl<W: Workload> Runs<W> for Sequential {
//!     fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
//!         (0..workload.keys()).map(|index| workload.attempt(index)).collect()
//!     }
//! }
//!
//! let squares = Sequential.run(&Arc::new(Squares)).into_iter().collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(squares, [0, 1, 4, 9, 16]);
//! # Ok::<(), kernel::KeyError>(())
//! ```

mod contract;
mod digest;
mod ordered;
mod outcome;

pub use contract::{Cluster, Context, Join, Runs, StartError, Strategy, WorkerCommand, Workload};
pub use digest::Digest;
pub use ordered::{from_workers, in_key_order};
pub use outcome::{Exit, KeyError, Outcome, Stage};

#[cfg(target_endian = "big")]
compile_error!("outputs are compared as their bytes in memory, which fanout defines as little endian");
