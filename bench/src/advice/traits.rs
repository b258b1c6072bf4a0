//! What a strategy is, beside how fast: what it needs, and where it may be called from. Its own manifest says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::entrants::manifest::Manifest;

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
    /// The program that it needs on PATH, if it needs one: `needs`, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
}

impl Traits {
    /// Whether neither a crate nor a program comes with it.
    pub(crate) fn is_by_itself(&self) -> bool {
        self.needs.is_none() && self.dependencies.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// Of the strategy `name`, as far as the manifest in `root` tells. A crate of this workspace is one that the root's manifest has
    /// a path for: what is in it, a user of the strategy writes or copies anyway.
    pub(crate) fn read(root: Option<&Path>, name: &str) -> Traits {
        let read = |path: &Path| toml::from_str::<toml::Table>(&fs::read_to_string(path).ok()?).ok();
        let Some(root) = root else { return Traits::default() };
        let own = Manifest::read(&root.join("impls"), name).ok();
        let Some((workspace, manifest)) = read(&root.join("Cargo.toml")).zip(own) else { return Traits::default() };
        let is_ours = |name: &str, dependency: &toml::Value| {
            let entry = workspace.get("workspace").and_then(|it| it.get("dependencies")).and_then(|it| it.get(name));
            dependency.get("path").is_some() || entry.is_some_and(|entry| entry.get("path").is_some())
        };
        let others = manifest.dependencies.iter().filter(|(name, dependency)| !is_ours(name, dependency));
        let fanout = &manifest.package.metadata.fanout;
        Traits {
            dependencies: Some(others.map(|(name, _)| name.clone()).collect()),
            is_inside_tokio: fanout.inside_tokio,
            is_demonstration: fanout.demonstration,
            needs: fanout.needs.as_ref().map(|needs| needs.program.clone()),
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
        assert_eq!(of("sequential").needs, None);
    }

    #[test]
    fn nothing_is_known_without_a_manifest() {
        assert_eq!(Traits::read(None, "sequential"), Traits::default());
        assert_eq!(Traits::read(Some(root()), "no-such-strategy"), Traits::default());
    }
}
