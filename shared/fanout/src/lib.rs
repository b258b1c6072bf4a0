//! A job of your own: all that it depends on.
//!
//! A job is a library crate with a [`Workload`], which says how many keys there are and what each of them gives, and with one line
//! that makes it known, [`job!`]:
//!
//! ```
//! use fanout::{Deserialize, Serialize, Workload};
//!
//! #[derive(Serialize, Deserialize)]
//! pub struct Primes {
//!     below: Vec<u64>,
//! }
//!
//! impl Workload for Primes {
//!     type Output = u64;
//!     fn keys(&self) -> usize {
//!         self.below.len()
//!     }
//!     fn expand(&self, index: usize) -> u64 {
//!         let is_prime = |n: &u64| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
//!         (2..self.below[index]).filter(is_prime).count() as u64
//!     }
//! }
//!
//! fanout::job!(Primes, |arguments: &[String]| Ok(Primes { below: vec![arguments[0].parse()?; 100] }));
//! # fn main() {}
//! ```
//!
//! `scripts/compare.sh --job PATH -- ARGUMENTS` then runs it on every strategy, and measures them. Which outputs and inputs there
//! may be, and what to do about others, is in `docs/your-own-job.md`.
//!
//! Serde's derives are here too, so that the crate needs no `serde` of its own. One that has it may use that.

pub mod crossing;
#[doc(hidden)]
pub mod declared;
mod keys;
mod portable;
pub mod remote;

/// The page's snippets, as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/your-own-job.md")]
pub struct YourOwnJob;

pub use fanout_pool::{
    Broken, Bytes, CallError, CallOptions, Encoder, HUGE_PAGE, Incoming as Body, Outgoing as Answer, PIECE, Pool,
    ReceiveError, Relay, Relayed, Shared, Stream, TaskId, is_worker, with_huge_pages,
};
pub use kernel::{
    Cluster, Context, Exit, Join, KeyError, Outcome, Runs, Stage, StartError, Strategy, WorkerCommand, Workload,
};
pub use keys::{
    Expand, Expanded, Key, KeyPool, Served, TOKEN_VARIABLE, job, key_error, not_started, options, pool, serve,
};
pub use portable::{Codec, Portable, Postcard, Raw};

#[doc(no_inline)]
pub use fanout_derive::{Deserialize, Serialize};
// The traits alone, from where serde does not have its derives.
pub use serde::de::{Deserialize, DeserializeOwned};
pub use serde::ser::Serialize;

#[doc(hidden)]
pub use serde;

/// Declares the job of a crate, once, at the root of its library: its type, and how one is made from what stands after `--` on the
/// command line of `scripts/compare.sh --job`.
///
/// - `job!(Type, make)`: keys run in threads and in processes. The type and its outputs have serde's derives, from which
///   [`Portable`] is made: an output crosses by postcard, and may have 1 GiB.
/// - `job!(portable: Type, make)`: the same for a type that is [`Portable`] already, with a codec or limits of its own.
/// - `job!(threads: Type, make)`: what cannot cross a process. Strategies that run keys in processes are not measured.
///
/// `make` is a function or a closure from `&[String]` to the workload. Its error is anything that `?` takes, and is told as wrong
/// usage.
///
/// That all strategies give the same is told by postcard's bytes of each output. Of an output that serde does not know, or of which
/// some part differs from run to run, a third argument says what is to be compared:
///
/// ```
/// # use fanout::Workload;
/// use std::time::Instant;
///
/// /// What each key gives: when it was done, and what it found.
/// pub struct Timed(Vec<u64>);
///
/// impl Workload for Timed {
///     type Output = (Instant, u64);
///     fn keys(&self) -> usize {
///         self.0.len()
///     }
///     fn expand(&self, index: usize) -> (Instant, u64) {
///         let found = self.0[index].count_ones();
///         (Instant::now(), found.into())
///     }
/// }
///
/// fanout::job!(threads: Timed, |_| Ok(Timed((0..1_000).collect())), |output: &(Instant, u64)| output.1);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! job {
    (threads: $workload:ty, $make:expr $(, $compared:expr)? $(,)?) => {
        $crate::job! { @declare $workload, $make, ($($compared)?), ::core::option::Option::None }
    };
    (portable: $workload:ty, $make:expr $(, $compared:expr)? $(,)?) => {
        $crate::job! { @declare $workload, $make, ($($compared)?),
            ::core::option::Option::Some($crate::declared::served::<$workload>()) }
    };
    (@declare $workload:ty, $make:expr, ($($compared:expr)?), $served:expr) => {
        /// The one job of this crate, for programs that run it.
        #[doc(hidden)]
        pub struct FanoutJob;

        impl $crate::declared::Declared for FanoutJob {
            type Workload = $workload;
            const PLACE: &'static str = concat!(file!(), ":", line!());

            fn make(arguments: &[String]) -> $crate::declared::Made<$workload> {
                let make: fn(&[String]) -> $crate::declared::Made<$workload> = $make;
                make(arguments)
            }

            fn bytes(
                output: &<$workload as $crate::Workload>::Output,
            ) -> ::core::result::Result<::std::vec::Vec<u8>, ::std::string::String> {
                $crate::job! { @bytes output $(, $compared)? }
            }

            fn served() -> ::core::option::Option<$crate::declared::Served> {
                $served
            }
        }
    };
    (@bytes $output:ident) => {
        $crate::declared::bytes($output)
    };
    (@bytes $output:ident, $compared:expr) => {
        $crate::declared::bytes(&($compared)($output))
    };
    ($workload:ty, $make:expr $(, $compared:expr)? $(,)?) => {
        impl $crate::Portable for $workload {
            const NAME: &'static str = concat!(module_path!(), "::", stringify!($workload));
            type Codec = $crate::Postcard;
        }

        $crate::job! { portable: $workload, $make $(, $compared)? }
    };
}
