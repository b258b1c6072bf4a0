//! A job of one's own: how it is found, and what the real `compare` makes of one that it builds.
#![cfg(unix)]

mod finding;
mod measuring;
mod refusing;
mod told;
