//! What a workload says of itself to be in every strategy's program.

use std::borrow::Cow;
use std::fmt::Debug;

use fanout::{Outcome, Portable, Runs, Workload};

use crate::{BUILT_IN, Job};

/// A workload whose outcomes can be checked byte by byte: what the command line needs, and a library user does not.
///
/// All bytes are little endian.
pub trait Verifiable: Workload {
    /// The key itself.
    fn key_bytes(&self, index: usize) -> [u8; 8];

    /// An output's bytes.
    fn output_bytes<'a>(&self, output: &'a Self::Output) -> Cow<'a, [u8]>;

    /// How many bytes the whole output of key `index` has.
    fn output_size(&self, index: usize) -> u64;

    /// The bytes of all outputs together. Wider than memory, so that it can be compared with what there is.
    fn total_size(&self) -> u128;
}

/// A workload that every strategy's program offers, as `--workload` with its [`NAME`](Portable::NAME).
pub trait BuiltIn: Portable + Verifiable + Debug {
    /// What it does with a key, to follow its name in the help.
    const ABOUT: &'static str;

    /// `--count`, where none is given.
    const COUNT: u64 = 1_000_000;

    /// Flags that it takes besides those that all take.
    const TAKES: &'static [Own] = &[];

    /// The flags that the size of all outputs follows from.
    const SIZED_BY: &'static str = "--keys";

    /// The workload that is asked for. Flags that it does not take are none of its business.
    ///
    /// # Errors
    ///
    /// Which flags are out of range, in one line.
    fn asked(asked: &Asked) -> Result<Self, String>;

    /// The value of such a flag, for reports.
    fn own(&self, flag: Own) -> Option<u64> {
        let _takes_none = flag;
        None
    }
}

/// A flag that only some workloads take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// `--values`: products that a key adds before it sleeps, on average.
    Values,
    /// `--output-bytes`: the size of a key's output.
    OutputBytes,
}

impl Own {
    /// The flag.
    pub const fn flag(self) -> &'static str {
        match self {
            Own::Values => "--values",
            Own::OutputBytes => "--output-bytes",
        }
    }
}

/// What flags ask of a workload.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What all have.
    pub job: Job,
    /// `--values`.
    pub values: Option<u64>,
    /// `--output-bytes`.
    pub output_bytes: Option<u64>,
}

impl Asked {
    /// That no flag is given that the workload does not take.
    ///
    /// # Errors
    ///
    /// Which is, and what it needs, in one line.
    pub fn check(&self, of: &Facts) -> Result<(), String> {
        let given = [(Own::Values, self.values), (Own::OutputBytes, self.output_bytes)];
        let given = given.into_iter().filter(|(_, value)| value.is_some()).map(|(flag, _)| flag);
        match given.into_iter().find(|flag| !of.takes.contains(flag)) {
            None => Ok(()),
            Some(flag) => {
                let takers = BUILT_IN.iter().filter(|facts| facts.takes.contains(&flag)).map(|facts| facts.name);
                Err(format!("{} needs --workload {}", flag.flag(), takers.collect::<Vec<_>>().join(" or ")))
            }
        }
    }
}

/// What there is to know of a workload without one.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// [`Portable::NAME`].
    pub name: &'static str,
    /// [`BuiltIn::ABOUT`].
    pub about: &'static str,
    /// [`BuiltIn::COUNT`].
    pub count: u64,
    /// [`BuiltIn::TAKES`].
    pub takes: &'static [Own],
    /// [`BuiltIn::SIZED_BY`].
    pub sized_by: &'static str,
    /// The bytes of all outputs that are asked for, and of the slots that they come back in; which flags are out of range, if some are.
    pub memory: fn(&Asked) -> Result<u128, String>,
}

impl Facts {
    /// Of `W`.
    pub const fn of<W: BuiltIn>() -> Facts {
        Facts {
            name: W::NAME,
            about: W::ABOUT,
            count: W::COUNT,
            takes: W::TAKES,
            sized_by: W::SIZED_BY,
            memory: |asked| {
                let slot = size_of::<Outcome<W::Output>>() as u128;
                W::asked(asked).map(|workload| workload.total_size() + slot * workload.keys() as u128)
            },
        }
    }
}

/// Something that is done with a workload, whichever it is, by a strategy that runs it.
pub trait Use<S> {
    /// What comes of it.
    type Result;

    /// Does it.
    fn with<W: BuiltIn>(self, workload: W) -> Self::Result
    where
        S: Runs<W>;
}
