//! What the tests have in common that make crates, or change a copy of this repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Where this repository is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every file below `folder` that is source, by its path below it: no builds, no results, and nothing of git's or of an
/// environment's.
pub(crate) fn sources(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(folder).unwrap();
            if !path.is_dir() {
                files.insert(relative.to_owned(), fs::read(&path).unwrap());
                continue;
            }
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            // cargo tags its target folder, whatever it is called, unless that was there before.
            let is_built = path.join("CACHEDIR.TAG").exists() || relative == Path::new("target");
            let left_out = hidden || is_built || relative == Path::new("results");
            if !left_out {
                folders.push(path);
            }
        }
    }
    files
}

/// Where what a test builds is kept, beside what the outer cargo builds.
pub(crate) fn built_in(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join(folder)
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub(crate) fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}\n{}", stdout(output), stderr(output));
}
