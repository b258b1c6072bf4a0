//! What may cross, as functions that accept just that. They do nothing: the bounds are the lesson, and the compiler
//! tells it.
#![doc = ""]
#![doc = include_str!("../../../docs/what-may-cross.md")]

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Accepts what a thread that outlives its caller may be given: the bound of [`std::thread::spawn`].
pub fn to_thread<T: Send + 'static>(_: T) {}

/// Accepts what a scoped thread may be given, which ends before its caller: the bound of [`std::thread::scope`].
pub fn to_scope<T: Send>(_: T) {}

/// Accepts what another process may be sent: the bound of [`Portable`](crate::Portable).
pub fn to_process<T: Serialize + DeserializeOwned>(_: T) {}
