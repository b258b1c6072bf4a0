//! What a job of one's own was predicted to take before it was measured: `advised.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::run::folder::{FileError, write_json};
use crate::run::json_if_any;

/// The file, in the folder of its run.
pub const ADVISED: &str = "advised.json";

/// What a model said beforehand. It is kept, since a later model says something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advised {
    /// The run that the model is of.
    pub stamp: String,
    /// The CPUs that strategies had in it.
    pub cpus: f64,
    /// The strategy that was advised.
    pub pick: Option<String>,
    /// What each strategy was expected to take, the fastest first.
    pub expected: Vec<Expected>,
    /// Why nothing was said; empty if something was.
    pub outside: Vec<String>,
}

/// What a strategy was expected to take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The strategy.
    pub strategy: String,
    /// Seconds from `start` to the end of the first batch.
    pub seconds: f64,
    /// Nine of ten times it is at least this.
    pub low: f64,
    /// And at most this.
    pub high: f64,
}

impl Advised {
    /// Writes it into the folder of its run.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), FileError> {
        write_json(&dir.join(ADVISED), self)
    }

    /// Reads it again, if the run has one.
    ///
    /// # Errors
    ///
    /// If it is not what it should be.
    pub fn of(dir: &Path) -> Result<Option<Advised>, FileError> {
        json_if_any(&dir.join(ADVISED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Advised::of(dir.path()).unwrap(), None);
        let expected = Expected { strategy: "std-counter".to_owned(), seconds: 0.1, low: 0.08, high: 0.125 };
        let advised = Advised {
            stamp: "x".to_owned(),
            cpus: 2.0,
            pick: Some("std-counter".to_owned()),
            expected: vec![expected],
            outside: Vec::new(),
        };
        advised.write(dir.path()).unwrap();
        assert_eq!(Advised::of(dir.path()).unwrap(), Some(advised));
    }
}
