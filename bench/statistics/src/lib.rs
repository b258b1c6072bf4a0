//! What `bench` computes a million times. It is a crate of its own since it is optimised in every profile, and knows nothing of
//! runs, files or strategies: numbers go in, and numbers come out.
//!
//! No loop of these calls back into `bench` from the inside: what is generic would be compiled there, without optimisation.
//! [`least_squares`] does, through a `dyn`, as often as a fit has steps.

pub mod digits;
pub mod least_squares;
pub mod random;
pub mod scalability;
pub mod schedule;
pub mod stats;
