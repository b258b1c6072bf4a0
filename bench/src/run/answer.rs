//! What a program prints with `--format json`, and whether it counts.

use std::collections::BTreeMap;

use harness::Report;
use serde::{Deserialize, Serialize};

use crate::run::allocator::Allocator;

/// One object on a program's standard output: a strategy's report, and what only a program of the notebook has to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What every strategy says.
    #[serde(flatten)]
    pub report: Report,
    /// What ran it, if it is a program of the notebook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<Interpreter>,
}

/// What a program of the notebook says of the Python that ran it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// `3.14.0`.
    pub version: String,
    /// `CPython`.
    pub implementation: String,
    /// Whether one lock keeps its threads from running Python code at the same time.
    pub gil: bool,
    /// Versions of the packages that this program has imported, by name.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
}

/// The digest that an answer must have, and the row that it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The row's name.
    pub name: String,
    /// Its digest.
    pub digest: String,
}

/// Why an answer does not count.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Not the JSON that was agreed on.
    #[error("its output is not the JSON of a strategy: {0}")]
    Json(#[from] serde_json::Error),
    /// Times of any other build than the released one mean nothing.
    #[error("it is {}, and only release builds are measured", match .profile.as_str() {
        "" => "not said to be a release build".to_owned(),
        profile => format!("a {profile} build"),
    })]
    Profile {
        /// What it says of itself.
        profile: String,
    },
    /// It is not the program that its row is named after.
    #[error("it was built with the allocator {found}, and its row is for {expected}")]
    Allocator {
        /// The row's.
        expected: &'static str,
        /// What it says of itself.
        found: String,
    },
    /// Some keys did not come back.
    #[error("{count} of its keys failed, the first with: {reason}")]
    Keys {
        /// How many.
        count: usize,
        /// The first one's reason.
        reason: String,
    },
    /// It computed something else.
    #[error("its digest is {found}, and that of {} is {}", .expected.name, .expected.digest)]
    Digest {
        /// What it should have.
        expected: Reference,
        /// What it has instead.
        found: String,
    },
    /// It was asked for a digest and gave none.
    #[error("it printed no digest")]
    NoDigest,
    /// What the machine's limit writes must be what the job's outputs are.
    #[error("it wrote {found} bytes, and the outputs of the job are {expected}")]
    Size {
        /// The job's.
        expected: u64,
        /// Its own.
        found: u64,
    },
}

impl Answer {
    /// Reads what a release build printed.
    pub fn read(json: &[u8]) -> Result<Answer, Unusable> {
        let answer: Answer = serde_json::from_slice(json)?;
        if answer.report.profile != "release" {
            return Err(Unusable::Profile { profile: answer.report.profile });
        }
        match answer.report.failed.first() {
            None => Ok(answer),
            Some(first) => Err(Unusable::Keys { count: answer.report.failed.len(), reason: first.reason.clone() }),
        }
    }

    /// That it is from a program with the allocator of its row. A program that does not say has what programs have by default.
    pub fn is_given_by(&self, expected: Allocator) -> Result<(), Unusable> {
        let found = if self.report.allocator.is_empty() { Allocator::default().name() } else { &self.report.allocator };
        match found == expected.name() {
            true => Ok(()),
            false => Err(Unusable::Allocator { expected: expected.name(), found: found.to_owned() }),
        }
    }

    /// The digest, which must be `expected` if there is a reference already.
    pub fn agree(&self, expected: Option<&Reference>) -> Result<&str, Unusable> {
        let found = self.report.digest.as_deref().ok_or(Unusable::NoDigest)?;
        match expected {
            Some(expected) if expected.digest != found => {
                Err(Unusable::Digest { expected: expected.clone(), found: found.to_owned() })
            }
            _ => Ok(found),
        }
    }

    /// Seconds of start, first batch and stop: about what a cold run takes.
    pub fn cold_seconds(&self) -> f64 {
        let first = |batches: &[u64]| batches.first().copied().unwrap_or(0);
        let Report { start_ns, run_ns, drop_ns, stop_ns, .. } = &self.report;
        seconds(start_ns + first(run_ns) + first(drop_ns) + stop_ns)
    }

    /// Seconds from the start to the end of the first batch, if there was one.
    pub fn first_batch_seconds(&self) -> Option<f64> {
        let Report { start_ns, run_ns, .. } = &self.report;
        run_ns.first().map(|first| seconds(start_ns + first))
    }

    /// Seconds of the second and later batches.
    pub fn warm_seconds(&self) -> impl Iterator<Item = f64> + '_ {
        self.report.run_ns.iter().skip(1).copied().map(seconds)
    }
}

/// Nanoseconds in seconds.
pub fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"strategy":"rayon-iter","profile":"release","workload":"fill","keys":1,"count":2,
        "skew":"uniform","rng":"xoshiro","seed":42,"workers":1,"start_ns":1,"run_ns":[5,3,4],"drop_ns":[1,1,1],
        "stop_ns":1,"output_bytes":16,"failed":[],"digest":"ab"}"#;

    #[test]
    fn a_release_build_with_all_its_keys_counts() {
        let answer = Answer::read(GOOD.as_bytes()).unwrap();
        assert_eq!(answer.warm_seconds().collect::<Vec<_>>(), [3e-9, 4e-9]);
        assert_eq!(answer.cold_seconds(), 8e-9);
        assert_eq!(answer.first_batch_seconds(), Some(6e-9));
        assert_eq!(answer.agree(None).unwrap(), "ab");
        let reference = |digest: &str| Reference { name: "sequential".into(), digest: digest.into() };
        assert_eq!(answer.agree(Some(&reference("ab"))).unwrap(), "ab");
        let disagreement = answer.agree(Some(&reference("cd"))).unwrap_err();
        assert_eq!(disagreement.to_string(), "its digest is ab, and that of sequential is cd");
        let kept = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&kept).unwrap(), answer);
    }

    #[test]
    fn anything_but_a_release_build_is_refused() {
        let debug = Answer::read(GOOD.replace("release", "debug").as_bytes()).unwrap_err();
        assert_eq!(debug.to_string(), "it is a debug build, and only release builds are measured");
        let silent = Answer::read(GOOD.replace(r#""profile":"release","#, "").as_bytes()).unwrap_err();
        assert_eq!(silent.to_string(), "it is not said to be a release build, and only release builds are measured");
    }

    #[test]
    fn a_program_with_another_allocator_than_its_row_is_refused() {
        let silent = Answer::read(GOOD.as_bytes()).unwrap();
        assert!(silent.is_given_by(Allocator::System).is_ok());
        let error = silent.is_given_by(Allocator::Mimalloc).unwrap_err();
        assert_eq!(error.to_string(), "it was built with the allocator system, and its row is for mimalloc");
        let answer = GOOD.replace(r#""workload""#, r#""allocator":"jemalloc","workload""#);
        let answer = Answer::read(answer.as_bytes()).unwrap();
        assert!(answer.is_given_by(Allocator::Jemalloc).is_ok());
        assert!(answer.is_given_by(Allocator::System).is_err() && answer.is_given_by(Allocator::Mimalloc).is_err());
    }

    #[test]
    fn a_failed_key_is_a_failed_answer() {
        let failed = GOOD.replace("[],", r#"[{"key":0,"reason":"panicked: boom"}],"#);
        let error = Answer::read(failed.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "1 of its keys failed, the first with: panicked: boom");
    }

    #[test]
    fn a_missing_digest_is_no_agreement() {
        let answer = Answer::read(GOOD.replace(r#""ab""#, "null").as_bytes()).unwrap();
        assert!(matches!(answer.agree(None), Err(Unusable::NoDigest)));
    }
}
