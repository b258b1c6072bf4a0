//! One worker process: this program again, started as a child that expands keys and sends their outputs back.
//!
//! Three promises, each of which a process pool with one result pipe for all its workers breaks:
//!
//! - **A channel of its own.** A socket pair per worker, no lock across processes, no end of it open anywhere else. A
//!   worker that dies while it sends cannot hold up another.
//! - **Death and data are watched together.** A death is seen at once, also when a grandchild keeps the channel open.
//! - **No orphans.** A worker whose parent is gone ends, also in the middle of a key, also when it is stopped.
//!
//! A [`Worker`] expands one key at a time, and says when it is lost. A [`Supervisor`] replaces it and tries the key again.
//! Which key is next is the caller's.
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
//!
//! # The states of a worker
//!
//! A worker is in the state that its parent has heard or caused last. What is heard in a state is what is due there, or
//! the worker is lost: it has died, is not heard of in time, or says something else, which is a violation.
//!
//! | state | entered when | left when, for | time | a worker lost here |
//! |---|---|---|---|---|
//! | spawned | the parent has started the process | it says `hello`: ready | 10 s | costs no key |
//! | ready | it has said hello | the parent sends a workload: loading | | costs no key |
//! | loading | the parent sends a workload | it says `loaded`: idle, or asked if a key was sent meanwhile; or `refused`: idle, and every key of the workload fails at once | 10 s and 1 µs a byte, if there is a deadline | costs no key |
//! | idle | it is loaded, or its answer is whole | the parent sends a key: asked; or another workload: loading | | costs no key |
//! | asked | the parent sends a key | it says `taken`: computing | the deadline, or 1 s if that is more | costs no key |
//! | computing | it has taken the key | its answer begins: sending | the deadline | has died, timed out, or broken the protocol with its key |
//! | sending | its answer begins | its answer is whole: idle | what is left of the deadline | as in computing |
//! | lost | see above, or it is dropped | never: its process group is killed, and its status taken | | |
//!
//! - A key that a lost worker does not cost is asked of another ([`Asked::Untouched`]), as if it had not been asked
//!   before. When three fresh workers in a row are lost so, their place gives up.
//! - A violation of a worker that has answered before does not cost its key either: an earlier key may have left behind
//!   what speaks now, such as a process with a copy of the channel.
//! - A key that died with its worker is tried again, as often as [`Supervisor::retries`] says.
//! - Times run while the parent does. A parent that was stopped looks at what has come before it gives anybody up.
//!
//! `tests/model.rs` holds this table against real processes that do all of this at random.
//!
//! # Limits
//!
//! - A process that a key has started and that left its process group (`setsid`) is not ended with the worker. When the
//!   parent is killed, only the workers are ended, not what their keys have started.
//! - A key's own code can write to any descriptor of its process. Bytes that it writes into the middle of its own answer
//!   are a part of that answer.
//! - A worker whose code changes its user id is not ended by the system when its parent is killed. Neither is, on systems
//!   other than Linux, a worker that is stopped.
//! - Without a deadline a worker that is stopped is waited for until somebody goes on with it.
//! - Where something else in this program waits for all children, what a dead worker's keys have started is not ended.

mod caught;
mod channel;
mod codec;
mod conversation;
pub mod crossing;
mod descriptors;
#[cfg(any(test, fuzzing))]
pub mod listening;
mod load;
mod port;
mod portable;
mod process;
mod protocol;
mod role;
mod serve;
mod state;
mod supervisor;
mod words;
mod worker;

pub use channel::Broken;
pub use codec::{Answer, Body, Codec, Postcard, Raw, ReceiveError};
pub use descriptors::pipe;
pub use load::Load;
pub use portable::Portable;
pub use role::{Owner, is_worker};
pub use serve::{Served, job, serve};
pub use supervisor::Supervisor;
pub use worker::{Asked, SpawnError, Worker};
