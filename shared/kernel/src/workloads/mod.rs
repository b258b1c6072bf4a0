//! The three jobs that are compared.

mod fill;
mod sum;
mod wait;

pub use fill::Fill;
pub use sum::Sum;
pub use wait::Wait;
