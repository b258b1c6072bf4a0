//! What a strategy's own manifest tells of it.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde::Deserialize;

use crate::entrants::contender::is_executable;
use crate::process;

/// The part of a manifest that is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Manifest {
    /// `[package]`.
    #[serde(default)]
    pub package: Package,
    /// `[dependencies]`, as they are written.
    #[serde(default)]
    pub dependencies: toml::Table,
}

/// What is read of `[package]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Package {
    /// What the strategy does; empty if nobody says so.
    #[serde(default)]
    pub description: String,
    /// What cargo leaves to others.
    #[serde(default)]
    pub metadata: Metadata,
}

/// What is read of `[package.metadata]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// Ours.
    #[serde(default)]
    pub fanout: Fanout,
}

/// `[package.metadata.fanout]`. A key that is not here is an error: it would be one that is spelt wrongly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fanout {
    /// Why its source is longer than others'.
    pub longer_because: Option<String>,
    /// Whether it is meant to be called from async code.
    #[serde(default)]
    pub inside_tokio: bool,
    /// Whether it only shows something, and is no advice.
    #[serde(default)]
    pub demonstration: bool,
    /// A program that must be on PATH for the strategy to be built and measured.
    pub needs: Option<Needs>,
}

/// A program that a strategy starts, and that no crate brings along.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "`needs = { program = \"…\", install = \"…\" }`")]
pub struct Needs {
    /// What it is called on PATH.
    pub program: String,
    /// How to have it, as one would tell somebody: `Debian: apt-get install PACKAGE`.
    pub install: String,
}

/// Where the program is not. The words are recorded: they hold nothing of this machine's alone.
impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "needs {}, which is not on PATH; {}", self.program, self.install)
    }
}

impl Needs {
    /// Whether the program is on PATH.
    pub fn are_met(&self) -> bool {
        process::folders_of_path().iter().any(|folder| is_executable(&folder.join(&self.program)))
    }
}

/// Why a manifest tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A folder or a manifest that cannot be read.
    #[error("{}: {why}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A manifest that is none.
    #[error("{}: {}", .path.display(), .why.message())]
    Toml {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: toml::de::Error,
    },
}

impl Manifest {
    /// Of the strategy `name` in the folder `impls`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is no such manifest.
    pub fn read(impls: &Path, name: &str) -> Result<Manifest, ManifestError> {
        let path = impls.join(name).join("Cargo.toml");
        let text = fs::read_to_string(&path).map_err(|why| ManifestError::Io { path: path.clone(), why })?;
        toml::from_str(&text).map_err(|why| ManifestError::Toml { path, why })
    }

    /// What the strategy needs and is not on PATH.
    pub fn lacks(&self) -> Option<&Needs> {
        self.package.metadata.fanout.needs.as_ref().filter(|needs| !needs.are_met())
    }
}

/// A strategy that is neither built nor measured, since a program that it needs is not here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{strategy} {needs}")]
pub struct Lacking {
    /// Which.
    pub strategy: String,
    /// What it needs.
    pub needs: Needs,
}

/// Those of `names` that need a program which is not on PATH. Of a strategy without a manifest in `impls`, as where programs were
/// carried to without the source, nothing is known.
///
/// # Errors
///
/// Which manifest cannot be read.
pub fn lacking(impls: &Path, names: &[String]) -> Result<Vec<Lacking>, ManifestError> {
    let mut lacking = Vec::new();
    for name in names {
        match Manifest::read(impls, name) {
            Ok(manifest) => {
                let needs = manifest.lacks().cloned();
                lacking.extend(needs.map(|needs| Lacking { strategy: name.clone(), needs }));
            }
            Err(ManifestError::Io { why, .. }) if why.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(lacking)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A folder of strategies with these manifests.
    pub(crate) fn impls(manifests: &[(&str, &str)]) -> tempfile::TempDir {
        let impls = tempfile::tempdir().unwrap();
        for (name, manifest) in manifests {
            fs::create_dir(impls.path().join(name)).unwrap();
            fs::write(impls.path().join(name).join("Cargo.toml"), manifest).unwrap();
        }
        impls
    }

    #[test]
    fn a_strategy_lacks_what_is_not_on_path() {
        let needs = |program: &str| {
            let table = format!("program = {program:?}, install = \"Debian: apt-get install {program}\"");
            format!("[package.metadata.fanout]\nneeds = {{ {table} }}\n")
        };
        let (here, not_here) = (needs("sh"), needs("no-such-program"));
        let impls = impls(&[("a", ""), ("b", &here), ("c", &not_here)]);
        let names = ["a", "b", "c", "carried"].map(String::from);
        let lacking = lacking(impls.path(), &names).unwrap();
        let told: Vec<String> = lacking.iter().map(Lacking::to_string).collect();
        let expected =
            "c needs no-such-program, which is not on PATH; Debian: apt-get install no-such-program".to_owned();
        assert_eq!(told, [expected]);
    }

    #[test]
    fn a_key_that_is_spelt_wrongly_is_named() {
        for (keys, word) in [
            ("need = \"x\"", "need"),
            ("needs = { program = \"x\" }", "install"),
            ("needs = \"x\"", "expected `needs = { program"),
        ] {
            let manifest = format!("[package.metadata.fanout]\n{keys}\n");
            let impls = impls(&[("a", &manifest)]);
            let told = Manifest::read(impls.path(), "a").unwrap_err().to_string();
            assert!(told.contains("a/Cargo.toml: ") && told.contains(word) && told.lines().count() == 1, "{told}");
        }
    }
}
