//! What [`job!`](crate::job!) makes of a crate: for the programs that run it.

use std::error::Error;

use crate::Workload;
pub use crate::keys::{Served, job as served};
use serde::Serialize;

/// A workload, or why there is none.
pub type Made<W> = Result<W, Box<dyn Error + Send + Sync>>;

/// The job of a crate.
pub trait Declared: 'static {
    /// What it runs.
    type Workload: Workload;

    /// Where it is declared: `src/lib.rs:15`.
    const PLACE: &'static str;

    /// The workload that these arguments ask for.
    ///
    /// # Errors
    ///
    /// What the crate has against them.
    fn make(arguments: &[String]) -> Made<Self::Workload>;

    /// What of an output is compared.
    ///
    /// # Errors
    ///
    /// Why there is nothing to compare.
    fn bytes(output: &<Self::Workload as Workload>::Output) -> Result<Vec<u8>, String>;

    /// Its entry in the list of what a worker process serves, if it may run in one.
    fn served() -> Option<Served>;
}

/// Postcard's bytes.
///
/// # Errors
///
/// What postcard does not know: a sequence whose length is not known, and what serde's own implementations refuse.
pub fn bytes<T: Serialize>(compared: &T) -> Result<Vec<u8>, String> {
    postcard::to_stdvec(compared).map_err(|error| format!("postcard cannot write it: {error}"))
}
