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
//! A worker's state is what its parent last heard from it, or sent to it. A worker that dies, that is not heard of in time,
//! or that says anything else than its state allows is lost.
//!
//! | state | begins when | what comes next | within | if the worker is lost here |
//! |---|---|---|---|---|
//! | spawned | the parent has started the process | `hello`: ready, or loading if a workload was sent ahead | 10 s | no key is |
//! | ready | it has said hello | the parent sends a workload: loading | | no key is |
//! | loading | it is ready, and was sent a workload | `loaded` or `refused`; the key was sent right behind the workload: asked | 10 s and 1 µs a byte, if there is a deadline | no key is |
//! | asked | it was sent a key | `taken`: computing; or `refused`: idle, and every key of the workload fails at once | the larger of the deadline and 1 s; without a deadline, no limit | no key is |
//! | computing | it has taken the key | the answer begins: sending | the deadline | the key is `Died`, `TimedOut` or `Protocol` |
//! | sending | its answer has begun | the answer is whole: idle | what is left of the deadline | as in computing |
//! | idle | its answer is whole | the parent sends a key: asked; or another workload: loading | | no key is |
//!
//! - The process group of a lost worker is killed, and its status taken. So it is when a [`Worker`] is dropped.
//! - If no key is lost, another worker is asked ([`Asked::Untouched`]). A slot gives up after three such fresh workers in a
//!   row. It gives up after one that exited, stayed silent or said something else before it was ready: the next would do
//!   the same.
//! - A violation by a worker that has answered a key loses no key in any state. The bytes may come from what an earlier key
//!   left behind, such as a process that holds a copy of the channel. The key is then run again, though its worker may have
//!   run it.
//! - A key that died with its worker is tried again, as often as [`Supervisor::retries`] says.
//! - An output may be sent while it is made ([`Portable::send`]). Its key is then computed while the worker is sending, and
//!   has the same deadline. A panic between the first byte and the last loses the worker: the parent waits for the rest.
//! - Time runs while the parent does. A parent that was stopped looks at what has come before it gives a worker up.
//!
//! `tests/model.rs` has real processes do at random what the table speaks of, and compares what becomes of the keys. It has
//! one workload and always a deadline, and leaves out waits of ten seconds.
//!
//! # Limits
//!
//! - A key's code can do anything to its process. A thread or a broken heap that it leaves behind may end the worker under
//!   the next key, which then pays a try. A process that it forks and leaves behind may write into the middle of a later
//!   answer, whose bytes nothing tells from these. `process-per-key` is for such code.
//! - What a key has started and moved to another process group or session (`setsid`) is not ended with the worker. When the
//!   parent ends without dropping its workers, by a signal or by `exit`, the system ends the workers alone, not what their
//!   keys have started.
//! - Ctrl-C and Ctrl-Z at a terminal reach the parent and not the workers, which are in process groups of their own. While
//!   the parent is stopped they finish their keys.
//! - Without a deadline, a worker that is stopped is waited for until somebody lets it go on. With one, a stopped worker
//!   that must load another workload is given ten seconds.
//! - A stderr that nobody reads holds up what writes to it, and so the parent, who passes on what workers print.
//! - If this program ignores SIGCHLD, or waits for all children somewhere else, it is not known how a worker ended, and what
//!   its keys have started is not ended.
//! - A worker that changes its user id is not ended by the system when its parent is.
//! - Without pidfds (Linux before 5.3, other systems), a death is seen by the end of the channel alone, which a process that
//!   the key has left can hold open. On systems other than Linux a stopped worker outlives its parent.

mod caught;
mod channel;
mod codec;
mod conversation;
pub mod crossing;
mod descriptors;
#[cfg(any(test, fuzzing))]
pub mod listening;
mod load;
mod parker;
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
pub use codec::{Answer, Body, Codec, PIECE, Postcard, Raw, ReceiveError};
pub use load::Load;
pub use parker::{Parker, Unparker};
pub use portable::Portable;
pub use role::{Owner, is_worker};
pub use serve::{Served, job, serve};
pub use supervisor::{Supervisor, Taken, in_key_order};
pub use worker::{Asked, SpawnError, Worker};
