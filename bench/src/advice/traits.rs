//! What a strategy is, beside how fast: what it needs, and where it may be called from. Its own manifest says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What counts beside time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Traits {
    /// The crates that it depends on, but for those of this workspace; `None` where its manifest was not at hand.
    pub dependencies: Option<BTreeSet<String>>,
    /// Its lines of code, where they were counted.
    pub lines: Option<usize>,
    /// Whether the other keys come back when one ends its process; `None` where that was not tried.
    pub survives_abort: Option<bool>,
    /// Whether it is meant to be called from async code: `inside-tokio` in `[package.metadata.fanout]`.
    pub is_inside_tokio: bool,
    /// Whether it only shows something, and is no advice: `demonstration`, likewise.
    pub is_demonstration: bool,
}

/// The part of a manifest that is read.
#[derive(Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    dependencies: toml::Table,
    #[serde(default)]
    package: Package,
}

#[derive(Default, Deserialize)]
struct Package {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    fanout: Fanout,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Fanout {
    #[serde(default)]
    inside_tokio: bool,
    #[serde(default)]
    demonstration: bool,
}

impl Traits {
    /// Of the strategy `name`, as far as the manifest in `root` tells. A crate of this workspace is one that the root's manifest has
    /// a path for: what is in it, a user of the strategy writes or copies anyway.
    pub(crate) fn read(root: Option<&Path>, name: &str) -> Traits {
        let read = |path: &Path| toml::from_str::<toml::Table>(&fs::read_to_string(path).ok()?).ok();
        let Some(root) = root else { return Traits::default() };
        let own = root.join("impls").join(name).join("Cargo.toml");
        let Some((workspace, own)) = read(&root.join("Cargo.toml")).zip(read(&own)) else { return Traits::default() };
        let Ok(manifest) = own.try_into::<Manifest>() else { return Traits::default() };
        let is_ours = |name: &str, dependency: &toml::Value| {
            let entry = workspace.get("workspace").and_then(|it| it.get("dependencies")).and_then(|it| it.get(name));
            dependency.get("path").is_some() || entry.is_some_and(|entry| entry.get("path").is_some())
        };
        let others = manifest.dependencies.iter().filter(|(name, dependency)| !is_ours(name, dependency));
        Traits {
            dependencies: Some(others.map(|(name, _)| name.clone()).collect()),
            is_inside_tokio: manifest.package.metadata.fanout.inside_tokio,
            is_demonstration: manifest.package.metadata.fanout.demonstration,
            ..Traits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entrants::contender;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn every_strategy_has_a_manifest_that_says_what_it_needs() {
        let names = contender::strategies(&root().join("impls")).unwrap();
        let of = |name: &str| Traits::read(Some(root()), name);
        assert!(names.iter().all(|name| of(name).dependencies.is_some()));
        assert_eq!(of("sequential").dependencies, Some(BTreeSet::new()));
        assert_eq!(of("rayon-iter").dependencies, Some(BTreeSet::from(["rayon".to_owned()])));
        let is_inside = |name: &&String| of(name).is_inside_tokio;
        assert_eq!(names.iter().filter(is_inside).collect::<Vec<_>>(), ["tokio-blocking", "tokio-rayon"]);
        let shows = |name: &&String| of(name).is_demonstration;
        assert_eq!(names.iter().filter(shows).collect::<Vec<_>>(), ["global-lock"]);
    }

    #[test]
    fn nothing_is_known_without_a_manifest() {
        assert_eq!(Traits::read(None, "sequential"), Traits::default());
        assert_eq!(Traits::read(Some(root()), "no-such-strategy"), Traits::default());
    }
}
