//! One worker process: this program again, started as a child that expands keys and sends their outputs back.
//!
//! Three promises, each of which a process pool with one result pipe for all its workers breaks:
//!
//! - **A channel of its own.** A socket pair per worker, no lock across processes, no end of it open anywhere else. A
//!   worker that dies while it sends cannot hold up another.
//! - **Death and data are watched together.** A death is seen at once, also when a grandchild keeps the channel open.
//! - **No orphans.** A worker whose parent is gone ends, also in the middle of a key.
//!
//! Scheduling and retries are the caller's: a [`Worker`] expands one key at a time, and says when it is lost.
//!
//! A program that starts workers lets itself be one, in the first line of `main`:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use worker::{Portable, Postcard};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Lengths(Vec<String>);
//!
//! impl kernel::Workload for Lengths {
//!     type Output = (String, usize);
//!     fn keys(&self) -> usize {
//!         self.0.len()
//!     }
//!     fn expand(&self, index: usize) -> (String, usize) {
//!         (self.0[index].clone(), self.0[index].len())
//!     }
//! }
//!
//! impl Portable for Lengths {
//!     const NAME: &'static str = "lengths";
//!     type Codec = Postcard;
//!     fn max_bytes(&self, index: usize) -> u64 {
//!         self.0[index].len() as u64 + 20
//!     }
//! }
//!
//! fn main() {
//!     worker::serve(&[worker::job::<Lengths>()]);
//!     // … the program itself …
//! }
//! ```
//!
//! What may cross into another process, and what may not, is in [`crossing`].

mod codec;
pub mod crossing;
mod parent;
mod portable;
mod protocol;
mod serve;

pub use codec::{Answer, Body, Codec, Postcard, Raw, ReceiveError};
pub use parent::{Load, SpawnError, Worker};
pub use portable::Portable;
pub use serve::{Served, is_worker, job, serve};
