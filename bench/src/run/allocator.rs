//! What gives memory to a program.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The allocators that the harness has a feature for, and the one that it has without any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Allocator {
    /// What Rust takes by itself: on Linux, the malloc of the C library
    #[default]
    System,
    /// Microsoft's mimalloc
    Mimalloc,
    /// jemalloc
    Jemalloc,
}

impl Allocator {
    /// As the harness calls it: its feature, and what it reports.
    pub fn name(self) -> &'static str {
        match self {
            Allocator::System => "system",
            Allocator::Mimalloc => "mimalloc",
            Allocator::Jemalloc => "jemalloc",
        }
    }

    /// Whether it is the one that every program has unless told otherwise.
    pub fn is_system(&self) -> bool {
        *self == Allocator::System
    }

    /// The name of a strategy's row with this allocator. The dot keeps it clear of every package's.
    pub fn row_of(self, strategy: &str) -> String {
        if self.is_system() { strategy.to_owned() } else { format!("{strategy}.{}", self.name()) }
    }

    /// The strategy and the allocator of a row of this name.
    pub fn of_row(name: &str) -> (&str, Allocator) {
        let others = Allocator::value_variants().iter().filter(|allocator| !allocator.is_system());
        let mut found = others.filter_map(|allocator| {
            let strategy = name.strip_suffix(allocator.name())?.strip_suffix('.')?;
            Some((strategy, *allocator))
        });
        found.next().unwrap_or((name, Allocator::System))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_called_by_its_strategy_and_its_allocator() {
        for allocator in Allocator::value_variants() {
            assert_eq!(Allocator::of_row(&allocator.row_of("std-counter")), ("std-counter", *allocator));
            assert_eq!(allocator.to_possible_value().unwrap().get_name(), allocator.name());
            assert_eq!(serde_json::to_value(allocator).unwrap(), allocator.name());
        }
        assert_eq!(Allocator::System.row_of("std-counter"), "std-counter");
        assert_eq!(Allocator::Mimalloc.row_of("std-counter"), "std-counter.mimalloc");
        for name in ["mimalloc", "std-mimalloc", "sequential.mt19937", "a.mimalloc.b"] {
            assert_eq!(Allocator::of_row(name), (name, Allocator::System));
        }
    }

    /// Without features, as this package is built.
    #[test]
    fn the_harness_calls_it_the_same() {
        assert_eq!(harness::ALLOCATOR, Allocator::default().name());
    }
}
