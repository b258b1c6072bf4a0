//! What the job's workspace has a say in: the release profile, and which crates stand in for others.

use std::path::Path;

use toml::{Table, Value};

/// The tables of the manifest of the job's workspace, in the folder `dir`, that hold for a whole build.
pub(super) fn inherited(manifest: &Table, dir: &Path) -> Table {
    let mut kept = Table::new();
    if let Some(release) = manifest.get("profile").and_then(|profiles| profiles.get("release")) {
        kept.insert("profile".to_owned(), Table::from_iter([("release".to_owned(), release.clone())]).into());
    }
    for name in ["patch", "replace"] {
        if let Some(mut replaced) = manifest.get(name).cloned() {
            make_absolute(&mut replaced, dir);
            kept.insert(name.to_owned(), replaced);
        }
    }
    kept
}

/// Every `path` in there, which cargo takes from the manifest's folder.
fn make_absolute(value: &mut Value, dir: &Path) {
    for (key, value) in value.as_table_mut().into_iter().flatten() {
        match value {
            Value::String(path) if key == "path" => *path = dir.join(&*path).display().to_string(),
            value => make_absolute(value, dir),
        }
    }
}

/// Whether a key that panics ends the program.
pub(super) fn panics_abort(manifest: &Table) -> bool {
    let set = manifest.get("profile").and_then(|profiles| profiles.get("release")?.get("panic")?.as_str());
    let over = std::env::var("CARGO_PROFILE_RELEASE_PANIC").ok();
    over.as_deref().or(set) == Some("abort")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_and_patches_are_taken_with_absolute_paths() {
        let manifest: Table =
            "[package]\nname = 'x'\n[profile.dev]\nopt-level = 1\n[profile.release]\npanic = 'abort'\n\
                               [profile.release.package.a]\nopt-level = 2\n[patch.crates-io]\na = { path = '../a' }\n\
                               b = { git = 'https://b' }\nc = { path = '/c' }\n"
                .parse()
                .unwrap();
        let kept: Table = "[profile.release]\npanic = 'abort'\n[profile.release.package.a]\nopt-level = 2\n\
                           [patch.crates-io]\na = { path = '/w x/../a' }\nb = { git = 'https://b' }\nc = { path = '/c' }\n"
            .parse()
            .unwrap();
        assert_eq!(inherited(&manifest, Path::new("/w x")), kept);
        assert!(panics_abort(&manifest));
        assert_eq!(inherited(&Table::new(), Path::new("/w")), Table::new());
        assert!(!panics_abort(&Table::new()));
    }
}
