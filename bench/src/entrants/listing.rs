//! What strategies there are, by their own manifests.

use std::path::Path;

use crate::entrants::contender;
use crate::entrants::manifest::{Manifest, ManifestError, Needs};

/// A strategy, as its manifest tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its folder, package and program.
    pub name: String,
    /// Its package's description; empty if it has none.
    pub description: String,
    /// What it needs and is not on PATH.
    pub lacks: Option<Needs>,
}

/// The strategies in the folder `impls`, by name.
///
/// # Errors
///
/// Which folder or manifest cannot be read.
pub fn strategies(impls: &Path) -> Result<Vec<Listed>, ManifestError> {
    let names = contender::strategies(impls).map_err(|why| ManifestError::Io { path: impls.to_owned(), why })?;
    let listed = |name: String| {
        let manifest = Manifest::read(impls, &name)?;
        let lacks = manifest.lacks().cloned();
        Ok(Listed { name, description: manifest.package.description, lacks })
    };
    names.into_iter().map(listed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entrants::manifest::tests::impls;

    #[test]
    fn every_strategy_is_described_by_its_manifest() {
        let impls = impls(&[
            ("b", "[package]\nname = \"b\"\ndescription = \"The second\"\nversion.workspace = true"),
            ("a", "[package]\nname = \"a\""),
        ]);
        let listed = strategies(impls.path()).unwrap().into_iter().map(|listed| (listed.name, listed.description));
        assert_eq!(listed.collect::<Vec<_>>(), [("a".into(), String::new()), ("b".into(), "The second".into())]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let impls = impls(&[("a", "[package\n")]);
        let told = strategies(impls.path()).unwrap_err().to_string();
        assert!(told.contains("a/Cargo.toml: ") && told.lines().count() == 1, "{told}");
        let told = strategies(&impls.path().join("nowhere")).unwrap_err().to_string();
        assert!(told.contains("nowhere: "), "{told}");
    }
}
