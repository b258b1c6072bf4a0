//! A pool of worker processes: code that crashes, hangs, leaks or cannot be trusted runs in them, and takes nothing else
//! down.
//!
//! ```
//! /// What may crash.
//! fn parse(text: String) -> usize {
//!     text.split_whitespace().count()
//! }
//! fanout_pool::register!(parse);
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let pool = fanout_pool::Pool::builder().start()?;
//!     println!("{}", pool.submit(parse, "to be or not".into()).wait()?);
//!     Ok(())
//! }
//! ```
//!
//! A worker is this program, started again. [`register!`] makes it one before its `main` is reached, so there is nothing to
//! write in `main`, and a pool works in a test, a doctest and a library alike.
//!
//! - [Tasks](#tasks): which functions can run in a worker
//! - [Calls](#calls): one, many, with a deadline, cancelled, awaited
//! - [Inputs and outputs](#inputs-and-outputs): what can cross, and large values
//! - [Tests](#tests)
//! - [Failures](#failures): what becomes of a call, and of the others
//! - [Workers](#workers): how many, how long they live, what they may
//! - [Seeing what happens](#seeing-what-happens)
//! - [Limits](#limits): what is not promised, and where it runs
//!
//! # Tasks
//!
//! A task is a function, by its name, with an input and an output that have serde's derives. It is named twice: where it is
//! called and in [`register!`]. [`IntoTask`] lists the forms that it may have: with a value that all calls share, and with
//! [`Here`], in which a worker keeps what it makes once, such as a connection. A type that implements [`Task`] can say more: a
//! limit on the output, a name, how an output is sent while it is made.
//!
//! ```
//! use fanout_pool::{CallOptions, Here, Pool, Shared};
//!
//! /// The words that are in the list, which each worker gets once.
//! fn known(list: &Dictionary, text: String) -> Vec<String> {
//!     text.split_whitespace().filter(|word| list.0.contains(*word)).map(str::to_owned).collect()
//! }
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Dictionary(std::collections::BTreeSet<String>);
//!
//! /// Something that is expensive to make: each worker makes it with its first call.
//! fn pattern(text: String, here: &mut Here) -> usize {
//!     let table: &mut Vec<u8> = here.state(|| vec![b'a'; 1 << 16]);
//!     text.bytes().filter(|byte| table.contains(byte)).count()
//! }
//!
//! fanout_pool::register!(known, pattern);
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::builder().workers(2).start()?;
//! let list = Shared::new(&Dictionary(["be", "to"].map(String::from).into()))?;
//! let found = pool.submit_with(known, &list, "to be or not".into(), CallOptions::new()).wait()?;
//! assert_eq!(found, ["to", "be"]);
//! assert_eq!(pool.submit(pattern, "banana".into()).wait()?, 3);
//! # Ok(())
//! # }
//! ```
//!
//! # Calls
//!
//! [`Pool::submit`] gives a [`Handle`] at once, from whichever thread. Wait for it, with or without a limit, or `await` it: it
//! depends on no runtime and blocks none. Dropping it cancels the call, also one that runs: its worker is killed and replaced.
//! [`CallOptions`] say how long a call may take (for ever, unless asked), how often it is tried again when its worker dies
//! (never, unless asked), and which goes first.
//!
//! [`Pool::map`] runs a task on each item of an iterator, and gives an iterator of outcomes, in order or
//! [as they are done](Map::unordered). It pulls inputs as workers become free: a million inputs of 1 MB need the memory of a few.
//!
//! ```
//! # fn square(number: u64) -> u64 { number * number }
//! # fanout_pool::register!(square);
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use fanout_pool::{CallOptions, Pool};
//!
//! let options = CallOptions::new().deadline(Duration::from_secs(10)).retries(1);
//! let pool = Pool::builder().options(options).start()?;
//! let squares: Vec<u64> = pool.map(square, 1..=100).collect::<Result<_, _>>()?;
//! assert_eq!(squares.iter().sum::<u64>(), 338_350);
//! # Ok(())
//! # }
//! ```
//!
//! # Inputs and outputs
//!
//! Whatever has serde's derives crosses by postcard, value by value: 10 MB of `Vec<u8>` take 70 times as long as [`Bytes`] in a
//! program that is not optimised. [`Raw`], [`Bytes`] and `Json` are for vectors of numbers, for
//! bytes, and for what postcard refuses; [`Transfer`] has the table, and lets a type say itself how it crosses. What refers to
//! this process cannot cross: a reference, a lock, an open file, a closure. The compiler says so.
//!
//! [`Shared`] is a value that many calls use. On Linux its bytes lie once in memory, in a sealed file that workers map; numbers
//! (`Shared<[f64]>`) are used where they lie, so that 10 GB shared are 10 GB and not 10 GB a worker.
//!
//! # Tests
//!
//! With [`register!`], nothing is different in a test:
//!
//! ```
//! # fn parse(text: String) -> usize { text.split_whitespace().count() }
//! # fanout_pool::register!(parse);
//! # use fanout_pool::Pool;
//! # /*
//! #[test]
//! # */
//! fn words_are_counted() {
//!     let pool = Pool::builder().workers(1).start().unwrap();
//!     assert_eq!(pool.submit(parse, "one two".into()).wait().unwrap(), 2);
//! }
//! # words_are_counted();
//! ```
//!
//! `register!` stands beside the tasks, in the library, the program or the test: each program that has the crate is then able to
//! be a worker. Two other ways need no code before `main`: [`worker()`] in the first line of `main`, and for tests
//! [`Builder::entry_test`]. What workers print passes the test harness by; [`Builder::quiet`] keeps it back.
//!
//! # Failures
//!
//! Each call has an outcome, and no other call pays for it. [`CallError`] says which of these it was:
//!
//! | what happens | what its caller gets | what else |
//! |---|---|---|
//! | the task panics | `Panicked`, with the message | the worker lives on |
//! | the process dies: a crash, `abort`, `exit`, a stack that overflows, the out-of-memory killer | `Died`, with the signal or status and its last words; or another try, if that was asked for | the worker is replaced |
//! | it takes longer than its deadline, or is stopped | `TimedOut` | the worker is killed with all that it started, and replaced |
//! | it is cancelled, or its handle is dropped | `Cancelled` | as above, if it ran |
//! | input or output cannot be serialised, are too large, or do not decode | `NotCrossed` | the worker lives on |
//! | what comes from the worker is no answer | `Protocol` | the worker is killed and replaced |
//! | there is no worker, and none can be started | `NotStarted` with the system's reason | the pool tries again with the next call |
//! | the task was not registered, or the shared value cannot be made of its bytes | `Refused`, with what to do | no other worker is asked in vain |
//! | the pool is shut down, or its last clone dropped | `Closed` | |
//!
//! Three promises are behind it, each of which a pool with one result pipe for all its workers breaks. *A channel of its own*: a
//! socket pair per worker, no lock across processes, and no end of it open anywhere else, so a worker that dies while it sends
//! holds up no other. *Death and data are watched together*: a death is seen at once, also when a grandchild keeps the channel
//! open. *No orphans*: a worker whose parent is gone ends, also in the middle of a call, also when it is stopped.
//!
//! A worker's state is what its parent last heard from it, or sent to it:
//!
//! | state | begins when | what comes next | within | if the worker is lost here |
//! |---|---|---|---|---|
//! | spawned | the parent has started the process | `hello`: ready, or loading if a shared value was sent ahead | 10 s | no call is |
//! | ready | it has said hello | the parent sends a shared value: loading; or a call: asked | | no call is |
//! | loading | it is ready, and was sent a shared value | `loaded` or `refused` | 10 s and 1 µs a byte, if there is a deadline | no call is |
//! | asked | it was sent a call | `taken`: computing; or `refused`: idle | the larger of the deadline and 1 s; without a deadline, no limit | no call is |
//! | computing | it has taken the call | an input of over 16 KiB is sent; then the answer begins: sending | the deadline | the call is `Died`, `TimedOut` or `Protocol` |
//! | sending | its answer has begun | the answer is whole: idle | what is left of the deadline | as in computing |
//! | idle | its answer is whole | the parent sends a call or a shared value | | no call is |
//!
//! - If no call is lost, another worker is asked. A fresh worker that is lost before it takes a call is replaced twice; then its
//!   call is left to the other workers, and fails if there are none. One that exits before its hello, stays silent or says
//!   something else is not replaced: the next would do the same. What three fresh workers have died over while they made its
//!   shared value fails, and so do other calls of its task with that value.
//! - If the channel itself fails, for want of memory in the system say, the call is run again by another worker.
//! - A violation by a worker that has answered a call loses no call in any state. The bytes may come from what an earlier call left
//!   behind, such as a process that holds a copy of the channel. The call is then run again, though its worker may have run it.
//! - Time runs while the parent does. A parent that was stopped looks at what has come before it gives a worker up.
//!
//! # Workers
//!
//! [`Builder`] says how many there are (`4`, or `1..=8` of which seven start when there are calls for them), when they end (after
//! some time without calls, after so many calls, above so much memory), and what they start with: environment, folder, niceness,
//! CPUs, a limit on their address space. [`Pool::resize`] changes the number, [`Pool::shutdown`] lets calls be done first.
//! [`Setup::init`] runs before a worker's first call, on its first thread: the place for a sandbox, such as seccomp or landlock.
//!
//! # Seeing what happens
//!
//! [`Pool::status`] tells what each worker runs and since when, and how much memory it has. [`Builder::on_event`] is told of each
//! start, end, retry and failure, and has what workers print by line with its call. What workers print to stdout or stderr goes to
//! this program's stderr, unless that is [kept quiet](Builder::quiet).
//!
//! # Limits
//!
//! - Linux is where it is tried. macOS is compiled; a death is seen there by the end of the channel alone, which a process that a
//!   call has left can hold open, a stopped worker outlives its parent, and shared values are copied. It does not compile for
//!   other systems.
//! - A call can do anything to its process. A thread or a broken heap that it leaves behind may end the worker under the next call. A
//!   process that it forks and leaves behind may write into the middle of a later answer, whose bytes nothing tells from these.
//!   [`Builder::max_calls`] with 1 is for such code.
//! - What a call has started and moved to another process group or session (`setsid`) is not ended with the worker. When the parent
//!   ends without dropping the pool, by a signal or by `exit`, the system ends the workers alone, not what their calls have
//!   started.
//! - Ctrl-C and Ctrl-Z at a terminal reach the parent and not the workers, which are in process groups of their own. While the
//!   parent is stopped they finish their calls.
//! - Without a deadline, a worker that is stopped is waited for until somebody lets it go on.
//! - A stderr that nobody reads holds up what writes to it, and so the parent, who passes on what workers print.
//! - If this program ignores SIGCHLD, or waits for all children somewhere else, it is not known how a worker ended, and what its
//!   calls have started is not ended.
//! - A worker that changes its user id is not ended by the system when its parent is.
//! - A sandbox must leave a worker what its channel needs: `recvmsg`, `recvfrom`, `sendmsg`, `sendto`, `getpid`, `close`, `fstat`,
//!   `mmap`, `munmap` and `madvise`, besides what Rust's own memory, locks and exit need.
//! - The two ends must be one build of the program, or at least have the same compiler and the same types: another build is refused.

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!(
    "fanout-pool runs on Linux and macOS: it needs Unix sockets, process groups and signals, and is tried there alone"
);

mod call;
mod channel;
mod conversation;
mod descriptors;
mod error;
mod event;
mod handle;
mod limits;
#[cfg(any(test, fuzzing))]
pub mod listening;
mod map;
mod mapped;
mod memory;
mod options;
mod pool;
mod port;
mod process;
mod protocol;
mod relay;
mod role;
mod scheduler;
mod serve;
mod share;
mod slot;
mod state;
mod task;
mod ticket;
mod transfer;
mod wake;
mod words;
mod worker;

pub use error::{Broken, CallError, Crossing, Exit, Outcome, Stage, StartError};
pub use event::{CallId, Event, Running, Status, WorkerStatus};
pub use handle::Handle;
pub use map::{Map, Unordered};
pub use memory::{HUGE_PAGE, with_huge_pages};
pub use options::CallOptions;
pub use pool::{Builder, Input, Output, Pool, Workers};
pub use relay::{Relay, Relayed, TaskId};
pub use role::is_worker;
pub use serve::{Setup, worker};
pub use share::{Encoded, Encoder, Numbers, Share, Shared};
#[doc(hidden)]
pub use task::{Function, Itself};
pub use task::{Here, IntoTask, Task};
#[cfg(feature = "json")]
pub use transfer::Json;
pub use transfer::{Bytes, Incoming, Outgoing, PIECE, Raw, ReceiveError, Stream, Transfer};

/// The README's programs, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// For [`register!`], and for programs that keep a list of tasks.
#[doc(hidden)]
pub mod registry {
    pub use crate::serve::{Entry, add_init, add_task, serve_registered};
}
