//! The one place that knows what hyperfine's JSON looks like.
//!
//! hyperfine 1.x writes one object per command with lists of times; 2.0 writes `schema_version: 2` and one object per run.

use serde::Deserialize;

/// One run of one command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Seconds from start to end.
    pub wall: f64,
    /// Seconds of processor time in the program, its waited-for children included. 1.x exports the mean over all runs.
    pub user: f64,
    /// Seconds of processor time in the kernel for it, likewise.
    pub system: f64,
    /// `None` if a signal ended it.
    pub exit_code: Option<i32>,
}

/// A command and its runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// What was given with `-n`, or else the command.
    pub name: String,
    /// In the order in which they ran.
    pub samples: Vec<Sample>,
}

/// Why an export cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Neither major's schema.
    #[error("not an export of hyperfine 1 or 2: {0}")]
    Json(#[from] serde_json::Error),
    /// A later schema than this adapter knows.
    #[error("hyperfine's export has schema version {0}, and only the versions 1 and 2 are known")]
    Version(u64),
    /// It holds no run.
    #[error("hyperfine's export holds no run")]
    Empty,
}

/// Reads an export of either major.
pub fn read(json: &[u8]) -> Result<Vec<Timed>, ExportError> {
    let version: Version = serde_json::from_slice(json)?;
    match version.schema_version {
        None | Some(1) => {
            Ok(serde_json::from_slice::<one::Export>(json)?.results.into_iter().map(Timed::from).collect())
        }
        Some(2) => Ok(serde_json::from_slice::<two::Export>(json)?.results.into_iter().map(Timed::from).collect()),
        Some(other) => Err(ExportError::Version(other)),
    }
}

/// The only run of an export of one run.
pub fn read_one(json: &[u8]) -> Result<Sample, ExportError> {
    read(json)?.first().and_then(|timed| timed.samples.first().copied()).ok_or(ExportError::Empty)
}

#[derive(Deserialize)]
struct Version {
    schema_version: Option<u64>,
}

mod one {
    use super::{Deserialize, Sample, Timed};

    #[derive(Deserialize)]
    pub(super) struct Export {
        pub(super) results: Vec<Command>,
    }

    #[derive(Deserialize)]
    pub(super) struct Command {
        command: String,
        user: f64,
        system: f64,
        times: Vec<f64>,
        #[serde(default)]
        exit_codes: Vec<Option<i32>>,
    }

    impl From<Command> for Timed {
        fn from(command: Command) -> Timed {
            let Command { command: name, user, system, times, exit_codes } = command;
            let codes = exit_codes.into_iter().chain(std::iter::repeat(None));
            let samples = times.into_iter().zip(codes);
            Timed { name, samples: samples.map(|(wall, exit_code)| Sample { wall, user, system, exit_code }).collect() }
        }
    }
}

mod two {
    use super::{Deserialize, Sample, Timed};

    #[derive(Deserialize)]
    pub(super) struct Export {
        pub(super) results: Vec<Command>,
    }

    #[derive(Deserialize)]
    pub(super) struct Command {
        command: String,
        name: Option<String>,
        measurements: Vec<Measurement>,
    }

    #[derive(Deserialize)]
    struct Measurement {
        time_wall_clock: Quantity,
        time_user: Quantity,
        time_system: Quantity,
        exit_code: Option<i32>,
    }

    #[derive(Deserialize)]
    struct Quantity {
        value: f64,
        /// Checked by being read: a time in any other unit is an error, not a wrong number.
        #[serde(rename = "unit")]
        _unit: Second,
    }

    #[derive(Deserialize)]
    enum Second {
        #[serde(rename = "second")]
        Second,
    }

    impl From<Command> for Timed {
        fn from(command: Command) -> Timed {
            let Command { command, name, measurements } = command;
            let sample = |run: Measurement| Sample {
                wall: run.time_wall_clock.value,
                user: run.time_user.value,
                system: run.time_system.value,
                exit_code: run.exit_code,
            };
            Timed { name: name.unwrap_or(command), samples: measurements.into_iter().map(sample).collect() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by hyperfine 1.20.0 itself.
    const ONE: &[u8] = include_bytes!("../../../tests/recorded/hyperfine-1.20.json");

    /// The same runs in the shape of 2.0's own test of its export. The last command has no name of its own.
    const TWO: &[u8] = include_bytes!("../../../tests/recorded/hyperfine-2.0.json");

    #[test]
    fn both_majors_are_read_alike() {
        let (one, two) = (read(ONE).unwrap(), read(TWO).unwrap());
        let names = |all: &[Timed]| all.iter().map(|timed| timed.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&one), ["nap", "failing", "killed"]);
        assert_eq!(names(&two), ["nap", "failing", "sh -c 'kill -9 $$'"]);
        for (one, two) in one.iter().zip(&two) {
            assert_eq!(one.samples, two.samples);
        }
        let codes: Vec<_> = one.iter().map(|timed| timed.samples[0].exit_code).collect();
        assert_eq!(codes, [Some(0), Some(3), Some(137)]);
        assert_eq!(read_one(ONE).unwrap().wall, 0.011_254_59);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(matches!(read(b"{}"), Err(ExportError::Json(_))));
        assert!(matches!(read(br#"{"schema_version": 3, "results": []}"#), Err(ExportError::Version(3))));
        assert!(matches!(read_one(br#"{"results": []}"#), Err(ExportError::Empty)));
        let minutes = String::from_utf8_lossy(TWO).replace("second", "minute");
        assert!(matches!(read(minutes.as_bytes()), Err(ExportError::Json(_))));
    }
}
