//! The real `compare` on strategies that compute nothing, in a folder of its own. Times come from a fake hyperfine, so no
//! test depends on how fast this machine is.
#![cfg(unix)]

mod allocating;
mod asking;
mod full;
mod measuring;
mod needing;
mod opening;
mod publishing;
mod resuming;
mod stopping;
mod tree;
