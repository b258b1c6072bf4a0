//! The crate at a path.

use std::path::{Path, PathBuf};
use std::{fs, path};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, TargetKind};
use workloads::BUILT_IN;

use crate::entrants::building;
use crate::entrants::own::programs::PROGRAM;
use crate::entrants::own::{OwnJob, OwnJobError};

impl OwnJob {
    /// The job at `path`, a crate's folder or its `Cargo.toml`, for the strategies of the workspace at `root`. Nothing is written.
    ///
    /// # Errors
    ///
    /// Why there is none, in a line.
    pub fn find(path: &Path, root: &Path) -> Result<OwnJob, OwnJobError> {
        let typed = manifest(path)?;
        let shown = typed.display().to_string();
        let absolute = path::absolute(&typed).map_err(OwnJobError::io(&typed))?;
        let metadata = metadata(&absolute).map_err(|error| no_manifest(&shown, error))?;
        let package = package(&metadata, &absolute, &shown)?;
        let name = package.name.to_string();
        let is_built_in = BUILT_IN.iter().any(|facts| facts.name == name);
        let is_there = |folder: &str| root.join(folder).join(&name).join("Cargo.toml").is_file();
        if is_built_in || name.starts_with(PROGRAM) || is_there("impls") || is_there("shared") {
            return Err(OwnJobError::Taken { manifest: shown, name });
        }
        let fanout = fanout(package, root, &shown)?;
        let is_library = |kind: &TargetKind| matches!(kind, TargetKind::Lib | TargetKind::RLib);
        let library = package.targets.iter().find(|target| target.kind.iter().any(is_library));
        let Some(library) = library else { return Err(OwnJobError::NoLibrary { manifest: shown, name }) };
        let dir = package.manifest_path.parent().unwrap_or(&package.manifest_path).as_std_path();
        let source = library.src_path.as_std_path();
        // A library elsewhere, at the end of `..`, is shown by its absolute path.
        let as_typed = |below: &Path| typed.parent().unwrap_or(Path::new("")).join(below);
        let shown_source = source.strip_prefix(dir).map_or_else(|_| source.to_owned(), as_typed);
        Ok(OwnJob {
            name,
            lib: library.name.replace('-', "_"),
            dir: dir.to_owned(),
            source: source.to_owned(),
            shown: shown_source.display().to_string(),
            manifest: shown,
            features: package.features.keys().cloned().collect(),
            workspace: metadata.workspace_root.clone().into_std_path_buf(),
            fanout,
        })
    }
}

/// The manifest that `path` means, as the user would type it.
fn manifest(path: &Path) -> Result<PathBuf, OwnJobError> {
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => OwnJobError::Missing(path.to_owned()),
        _ => OwnJobError::io(path)(error),
    })?;
    if !found.is_dir() {
        let is_manifest = path.file_name().is_some_and(|name| name == "Cargo.toml");
        return if is_manifest { Ok(path.to_owned()) } else { Err(OwnJobError::NotAManifest(path.to_owned())) };
    }
    let manifest = if path == Path::new(".") { PathBuf::new() } else { path.to_owned() }.join("Cargo.toml");
    if manifest.is_file() { Ok(manifest) } else { Err(OwnJobError::NoManifest(path.to_owned())) }
}

/// What cargo knows of the manifest in its own folder, where its config is. Without dependencies no lockfile is made.
fn metadata(manifest: &Path) -> Result<Metadata, cargo_metadata::Error> {
    let mut command = MetadataCommand::new();
    command.cargo_path(building::cargo()).manifest_path(manifest).no_deps();
    command.current_dir(manifest.parent().unwrap_or(manifest)).exec()
}

/// cargo's words in a line, without its drawing of the place.
fn no_manifest(manifest: &str, error: cargo_metadata::Error) -> OwnJobError {
    let cargo_metadata::Error::CargoMetadata { stderr } = error else { return error.into() };
    OwnJobError::Manifest { manifest: manifest.to_owned(), why: one_line(&stderr) }
}

fn one_line(stderr: &str) -> String {
    let is_drawing = |line: &&str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    let lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "Caused by:");
    let mut said = String::new();
    for line in lines.filter(|line| !is_drawing(line)) {
        let line = line.strip_prefix("error: ").unwrap_or(line);
        match line.strip_prefix("--> ") {
            Some(place) => said += &format!(" ({place})"),
            None if said.is_empty() => said += line,
            None => said = format!("{}: {line}", said.trim_end_matches(':')),
        }
    }
    said
}

/// The package of the manifest itself.
fn package<'m>(metadata: &'m Metadata, manifest: &Path, shown: &str) -> Result<&'m Package, OwnJobError> {
    let canonical = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let manifest = canonical(manifest);
    let found = metadata.packages.iter().find(|package| canonical(package.manifest_path.as_std_path()) == manifest);
    found.ok_or_else(|| {
        let mut members: Vec<_> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
        members.sort();
        OwnJobError::Several { manifest: shown.to_owned(), members }
    })
}

/// Where the job's manifest says that the workspace at `root` is, which must be there.
fn fanout(package: &Package, root: &Path, shown: &str) -> Result<PathBuf, OwnJobError> {
    let (manifest, name) = (shown.to_owned(), package.name.to_string());
    let wanted = root.join("shared/fanout");
    let line = format!("fanout = {{ path = {} }}", toml::Value::from(wanted.display().to_string()));
    let is_fanout = |name: &str, kind: DependencyKind| name == "fanout" && kind == DependencyKind::Normal;
    let Some(found) = package.dependencies.iter().find(|needed| is_fanout(&needed.name, needed.kind)) else {
        return Err(OwnJobError::NoFanout { manifest, name, line });
    };
    let Some(path) = &found.path else {
        let found = found.source.as_ref().map_or_else(|| found.req.to_string(), ToString::to_string);
        return Err(OwnJobError::AnotherFanout { manifest, name, found, line });
    };
    let is_ours = fs::canonicalize(path).is_ok_and(|path| fs::canonicalize(&wanted).is_ok_and(|wanted| path == wanted));
    match path.ancestors().nth(2) {
        Some(workspace) if is_ours => Ok(workspace.as_std_path().to_owned()),
        _ => Err(OwnJobError::AnotherFanout { manifest, name, found: path.to_string(), line }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_says_of_a_manifest_is_a_line() {
        let drawn =
            "error: invalid basic string, expected `\"`\n --> Cargo.toml:2:10\n  |\n2 | name = \"x\n  |          ^\n";
        assert_eq!(one_line(drawn), "invalid basic string, expected `\"` (Cargo.toml:2:10)");
        let caused = "error: failed to parse manifest at `/w/Cargo.toml`\n\nCaused by:\n  no targets specified\n";
        assert_eq!(one_line(caused), "failed to parse manifest at `/w/Cargo.toml`: no targets specified");
    }
}
