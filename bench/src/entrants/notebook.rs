//! The notebook's programs as rows: which there are, and what each is to be compared with.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

/// Where they are, below the root.
pub const FOLDER: &str = "bench/notebook";

/// The generator from which every program of the notebook draws unless told otherwise: CPython's. Rust has it too, so both
/// give the same bits.
pub const SAME_BITS: &str = "mt19937";

/// The generator that numpy recommends. Rust does not have it: its bits can be compared with themselves alone.
pub const OTHER_BITS: &str = "default_rng";

/// What the name of a row begins with; other files of the folder are what the rows share, or make other points. A strategy
/// in Rust must not be called so.
const PREFIXES: [&str; 3] = ["python-", "numpy-", "joblib-"];

/// Which clock a row is compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The whole process, from outside.
    Cold,
    /// The second and later batches of one process.
    Warm,
}

/// A program of the notebook, and the strategies that do in Rust what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The program.
    pub program: &'static str,
    /// The strategies.
    pub strategies: &'static [&'static str],
    /// The clock of the comparison.
    pub clock: Clock,
}

/// Like beside like, and nothing chosen for being the fastest: what differs within a pair should be the language alone.
pub const PAIRS: [Pair; 7] = [
    // One thread, one loop.
    Pair { program: "python-sequential", strategies: &["sequential"], clock: Clock::Cold },
    // A pool of processes that is made for this job and gone after it.
    Pair { program: "python-process-pool", strategies: &["process-pool"], clock: Clock::Cold },
    // What loky adds is that its executor is kept and used again, which a cold run cannot show.
    Pair { program: "python-loky", strategies: &["process-pool"], clock: Clock::Warm },
    // With the GIL, threads take turns as they do behind one lock. Without it, and in any program that was ported without
    // a thought of the GIL, they run side by side, sharing a queue of keys.
    Pair { program: "python-threads", strategies: &["global-lock", "std-counter"], clock: Clock::Cold },
    // numpy's loop is compiled as ours is.
    Pair { program: "numpy-sequential", strategies: &["sequential"], clock: Clock::Cold },
    // numpy gives the GIL away while it computes, so its threads run side by side.
    Pair { program: "numpy-threads", strategies: &["std-counter"], clock: Clock::Cold },
    // Arrays are copied through a pipe on both sides.
    Pair { program: "numpy-process-pool", strategies: &["process-pool"], clock: Clock::Cold },
];

/// The pair of the row called `name`, whichever generator it draws from.
pub fn pair(name: &str) -> Option<&'static Pair> {
    let program = name.split('.').next().unwrap_or(name);
    PAIRS.iter().find(|pair| pair.program == program)
}

/// The strategies that any program is compared with.
pub fn counterparts() -> BTreeSet<&'static str> {
    PAIRS.iter().flat_map(|pair| pair.strategies).copied().collect()
}

/// Whether a row of this name is, or would be, a program of the notebook.
pub fn is_row(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether the program called `name` can draw from [`OTHER_BITS`] too.
pub fn has_other_bits(name: &str) -> bool {
    name.starts_with("numpy-")
}

/// Names of the programs in `folder`, sorted. The folder is the registry.
pub fn programs(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.file_name();
        if let Some(name) = file.to_str().and_then(|file| file.strip_suffix(".py"))
            && is_row(name)
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_paired_and_every_pair_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let programs = programs(&root.join(FOLDER)).unwrap();
        for pair in &PAIRS {
            assert!(programs.iter().any(|name| name == pair.program), "{} is no program", pair.program);
        }
        for name in &programs {
            assert!(pair(name).is_some(), "{name} is compared with nothing");
        }
        let strategies = crate::entrants::contender::strategies(&root.join("impls")).unwrap();
        for name in counterparts() {
            assert!(strategies.iter().any(|strategy| strategy == name), "{name} is no strategy");
        }
        assert!(!strategies.iter().any(|name| is_row(name)), "{strategies:?}");
    }

    #[test]
    fn rows_are_told_from_what_they_share() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["numpy-b.py", "python-a.py", "harness.py", "pickle_cost.py", "test_notebook.py", "python-a.txt"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        assert_eq!(programs(folder.path()).unwrap(), ["numpy-b", "python-a"]);
        assert_eq!(pair("numpy-threads.default_rng").unwrap().strategies, ["std-counter"]);
        assert_eq!(pair("rayon-iter"), None);
    }
}
