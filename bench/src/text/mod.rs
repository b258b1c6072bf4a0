//! What people read.

pub mod index;
pub mod number;
pub mod page;
pub mod splice;
pub mod table;
