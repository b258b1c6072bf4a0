//! Where there is no job, one line says why.

use std::fs;
use std::path::Path;

use bench::entrants::own::OwnJob;

use crate::told::root;

/// Writes files, each with its path below `dir`.
fn write(dir: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn package(name: &str, dependencies: &str) -> String {
    format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}")
}

/// The line that a job has for it.
fn fanout() -> String {
    format!("fanout = {{ path = {:?} }}\n", root().join("shared/fanout"))
}

#[test]
fn a_job_is_found_by_its_folder_and_by_its_manifest() {
    let dir = tempfile::Builder::new().prefix("jöb of mine ").tempdir().unwrap();
    write(dir.path(), &[("a b/Cargo.toml", &package("my-job", &fanout())), ("a b/src/lib.rs", "")]);
    let job = OwnJob::find(&dir.path().join("a b"), root()).unwrap();
    assert_eq!((&*job.name, &*job.lib), ("my-job", "my_job"));
    assert_eq!(job.shown, dir.path().join("a b/src/lib.rs").display().to_string());
    assert_eq!(fs::canonicalize(&job.fanout).unwrap(), fs::canonicalize(root()).unwrap());
    assert_eq!(OwnJob::find(&dir.path().join("a b/Cargo.toml"), root()).unwrap(), job);
    // Nothing is written beside the job.
    assert_eq!(fs::read_dir(dir.path().join("a b")).unwrap().count(), 2);
}

#[test]
fn what_is_no_job_is_told_in_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let library = ("src/lib.rs", "");
    type Files<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, Files<'_>, &str); 8] = [
        ("empty", &[("x", "")], "no Cargo.toml in this folder"),
        ("broken", &[("Cargo.toml", "[package]\nname = \"x\n")], "invalid basic string"),
        (
            "virtual",
            &[("Cargo.toml", "[workspace]\nmembers = [\"m\"]\n")],
            "failed to load manifest for workspace member",
        ),
        ("program", &[("Cargo.toml", &package("x", &fanout())), ("src/main.rs", "")], "`x` has no library target"),
        ("apart", &[("Cargo.toml", &package("x", "")), library], "`x` does not depend on `fanout`; write `fanout = {"),
        (
            "registry",
            &[("Cargo.toml", &package("x", "fanout = \"1\"")), library],
            "`x` depends on another `fanout` (registry+",
        ),
        (
            "elsewhere",
            &[("Cargo.toml", &package("x", "fanout = { path = \"../fanout\" }")), library],
            "`x` depends on another `fanout` (/",
        ),
        ("taken", &[("Cargo.toml", &package("sequential", &fanout())), library], "`sequential` is the name of a crate"),
    ];
    for (name, files, expected) in cases {
        let path = dir.path().join(name);
        write(&path, files);
        let told = OwnJob::find(&path, root()).unwrap_err().to_string();
        assert!(told.starts_with(&path.display().to_string()) && told.contains(expected), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let missing = dir.path().join("missing");
    let told = OwnJob::find(&missing, root()).unwrap_err().to_string();
    assert_eq!(told, format!("{}: no such file or folder", missing.display()));
}

#[test]
fn a_workspace_names_its_crates() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("Cargo.toml", "[workspace]\nmembers = [\"b\", \"a\"]\nresolver = \"3\"\n"),
            ("a/Cargo.toml", &package("a", &fanout())),
            ("a/src/lib.rs", ""),
            ("b/Cargo.toml", &package("b", "")),
            ("b/src/lib.rs", ""),
        ],
    );
    let told = OwnJob::find(dir.path(), root()).unwrap_err().to_string();
    assert!(
        told.ends_with("a workspace without a package of its own; give the path of one of its crates: a, b"),
        "{told}"
    );
    let job = OwnJob::find(&dir.path().join("a"), root()).unwrap();
    assert_eq!(fs::canonicalize(job.workspace).unwrap(), fs::canonicalize(dir.path()).unwrap());
}
