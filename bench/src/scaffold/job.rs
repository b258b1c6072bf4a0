//! A new job: a crate anywhere, made from [`TEMPLATE`].

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{Error, MetadataCommand};

use super::template::{self, Template};
use super::workspace::Workspace;
use super::{FILL_IN, ScaffoldError, cargo, folder, rename};
use workloads::BUILT_IN;

use crate::entrants::name::{Name, NameError};

/// What every new job is at first: the shortest there is.
pub const TEMPLATE: &str = "examples/jobs/primes";

/// What `fanout::job!` adds to the root of a job's crate.
const DECLARED: &str = "FanoutJob";

/// How cargo begins to say that a workspace further up does not list a crate.
const NOT_LISTED: &str = "current package believes it's in a workspace when it's not";

/// Ends the manifest of a crate that a workspace further up does not list.
const APART: &str =
    "\n# It is in the folder of a workspace that does not list it: without this, cargo refuses it.\n[workspace]\n";

/// What was made.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name.
    pub name: Name,
    /// Its files, by path below its folder.
    pub files: Vec<PathBuf>,
    /// How it stands to the workspaces of others.
    pub standing: Standing,
}

/// How a crate stands to the workspaces of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    Alone,
    /// There is one, which does not list it, and its manifest has a `[workspace]` of its own for that.
    Apart,
    /// It is a member of the one with this root.
    Member(PathBuf),
}

/// Makes `dir/NAME`, where `dir` is seen from `here`. Everything is there afterwards, or nothing.
///
/// # Errors
///
/// What is against the name or the folder, what could not be written, or what cargo has against it.
pub fn add(workspace: &Workspace, here: &Path, dir: &Path, text: &str) -> Result<Job, ScaffoldError> {
    let template = template::read(&workspace.root, TEMPLATE)?;
    let name = take(workspace, &template, text)?;
    let parent = here.join(dir);
    fs::read_dir(&parent).map_err(|source| ScaffoldError::Dir { dir: dir.to_owned(), source })?;
    let folder = parent.join(name.kebab());
    if folder.symlink_metadata().is_ok() {
        return Err(NameError::Taken(dir.join(name.kebab())).into());
    }
    let files = template.files(|path, text| renamed(&workspace.root, &template.name, path, text, &name))?;
    let standing = folder::make(&folder, &files, || settle(workspace, &folder))?;
    Ok(Job { name, files: files.into_iter().map(|(path, _)| path).collect(), standing })
}

/// Takes a name, or says which one would do.
fn take(workspace: &Workspace, template: &Template, text: &str) -> Result<Name, NameError> {
    free(workspace, template, text).map_err(|error| {
        let others = [format!("{text}-job"), format!("my-{text}")];
        match others.iter().find_map(|other| free(workspace, template, other).ok()) {
            Some(instead) => NameError::Instead { error: Box::new(error), instead },
            None => error,
        }
    })
}

/// Takes a name by the rules that hold anywhere and by what is linked with the job in a program that runs it.
fn free(workspace: &Workspace, template: &Template, text: &str) -> Result<Name, NameError> {
    let name = Name::new(text)?;
    if workspace.strategies.iter().any(|strategy| strategy == text) {
        return Err(NameError::Strategy(name));
    }
    if BUILT_IN.iter().any(|facts| facts.name == text) {
        return Err(NameError::Workload(name));
    }
    workspace.has_no_member(&name)?;
    workspace.has_no_dependency(&name)?;
    let own = template.name.camel();
    let form = name.camel();
    if form == DECLARED || form != own && template.has_word(&form) {
        return Err(NameError::Type { name, form });
    }
    Ok(name)
}

/// A file of the template under the new name.
fn renamed(root: &Path, old: &Name, path: &Path, text: &str, name: &Name) -> Result<String, String> {
    match path.to_str() {
        Some("Cargo.toml") => manifest(root, old, text, name),
        Some("README.md") => Ok(readme(root, old, text, name)),
        Some("src/lib.rs") => {
            let opening = format!(
                "//! {FILL_IN}: what a key of `{name}` is, and what it gives. (So far it is what a key of `{old}` is.)\n"
            );
            Ok(opening + rename::source(&rename::undocumented(text), old, name).as_str())
        }
        _ if template::is_rust(path) => Ok(rename::source(text, old, name)),
        _ => Ok(text.to_owned()),
    }
}

/// The manifest, with paths that lead to the template's neighbours from anywhere.
fn manifest(root: &Path, old: &Name, text: &str, name: &Name) -> Result<String, String> {
    const PATH: &str = "path = \"../";
    let changes = [
        (format!("name = \"{old}\""), format!("name = \"{name}\"")),
        ("description = \"".to_owned(), format!("description = \"{FILL_IN}: what {name} does, in a line\"")),
    ];
    let text = rename::lines(text, &changes)?;
    let mut parts = text.split(PATH);
    let mut manifest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (relative, rest) = part.split_once('"').ok_or_else(|| format!("`{PATH}` has no end"))?;
        let path = absolute(root, relative);
        let path = path.to_str().ok_or_else(|| format!("{} is not UTF-8, as a manifest must be", path.display()))?;
        manifest += &format!("path = {}{rest}", toml::Value::from(path));
    }
    Ok(manifest)
}

/// The README, true of the code until that is written. Its commands are for whoever is in the folder of the job.
fn readme(root: &Path, old: &Name, text: &str, name: &Name) -> String {
    let script = root.join("scripts/compare.sh");
    let text = rename::markdown(text, old, name);
    let text = text.replace(TEMPLATE, ".").replace(&TEMPLATE.replace(old.kebab(), name.kebab()), ".");
    let text = text.replace("scripts/compare.sh", &shell_words::quote(&script.to_string_lossy()));
    let mut parts = text.split("](../");
    let mut readme = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (relative, rest) = part.split_once(')').unwrap_or((part, ""));
        readme += &format!("](<{}>){rest}", absolute(root, relative).display());
    }
    let (heading, rest) = readme.split_once('\n').unwrap_or((&readme, ""));
    format!("{heading}\n\n{FILL_IN}: what the job is, and what its arguments are. So far it is `{old}`:\n{rest}")
}

/// What the template calls `../RELATIVE`.
fn absolute(root: &Path, relative: &str) -> PathBuf {
    let mut path = root.join(TEMPLATE);
    path.pop();
    for component in Path::new(relative).components() {
        match component {
            Component::ParentDir => _ = path.pop(),
            component => path.push(component),
        }
    }
    path
}

/// Lets cargo take the folder for a package, whatever workspace it is in.
fn settle(workspace: &Workspace, folder: &Path) -> Result<Standing, ScaffoldError> {
    let mut standing = Standing::Alone;
    let mut found = found_root(folder)?;
    if found.is_none() {
        let manifest = folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).map_err(ScaffoldError::io(&manifest))?;
        fs::write(&manifest, text + APART).map_err(ScaffoldError::io(&manifest))?;
        standing = Standing::Apart;
        found = found_root(folder)?;
    }
    let found = found.unwrap_or_default();
    if is_same(&found, folder) {
        // The versions that fanout is built with: they are there already, and a program that runs the job has them too.
        let lock = workspace.root.join("Cargo.lock");
        fs::copy(&lock, folder.join("Cargo.lock")).map_err(ScaffoldError::io(&lock))?;
        folder::lock(folder)?;
    } else if is_same(&found, &workspace.root) {
        return Err(ScaffoldError::Own(folder.to_owned()));
    } else {
        // Its versions are in a lock file that is not ours to touch.
        standing = Standing::Member(found);
    }
    // The template is as wide as this repository is. Without a rustfmt the crate is as good.
    let mut format = Command::new(cargo());
    let _unformatted = format.arg("fmt").current_dir(folder).stdin(Stdio::null()).output();
    Ok(standing)
}

/// The root of the workspace that the package in `folder` belongs to. None if there is one further up that does not list it.
fn found_root(folder: &Path) -> Result<Option<PathBuf>, ScaffoldError> {
    let mut command = MetadataCommand::new();
    match command.current_dir(folder).no_deps().other_options(["--offline".to_owned()]).exec() {
        Ok(metadata) => Ok(Some(metadata.workspace_root.into_std_path_buf())),
        Err(Error::CargoMetadata { stderr }) if stderr.contains(NOT_LISTED) => Ok(None),
        Err(Error::CargoMetadata { stderr }) => {
            let lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
            Err(ScaffoldError::Refused(lines.collect::<Vec<_>>().join(" ")))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primes() -> Name {
        Name::new("primes").unwrap()
    }

    fn name() -> Name {
        Name::new("a-b").unwrap()
    }

    #[test]
    fn paths_of_a_manifest_lead_to_the_clone_from_anywhere() {
        let old = "[package]\nname = \"primes\"\ndescription = \"Old\"\n[lib]\npath = \"src/lib.rs\"\n[dependencies]\n\
                   fanout = { path = \"../../../shared/fanout\", version = \"1\" }\nother = { path = \"../other\" }\n";
        let new = "[package]\nname = \"a-b\"\ndescription = \"FILL IN: what a-b does, in a line\"\n[lib]\n\
                   path = \"src/lib.rs\"\n[dependencies]\nfanout = { path = \"/c d/shared/fanout\", version = \"1\" }\n\
                   other = { path = \"/c d/examples/jobs/other\" }\n";
        assert_eq!(manifest(Path::new("/c d"), &primes(), old, &name()).unwrap(), new);
        let quoted = manifest(Path::new("/a\"b"), &primes(), old, &name()).unwrap();
        let table: toml::Table = quoted.parse().unwrap();
        assert_eq!(table["dependencies"]["fanout"]["path"].as_str(), Some("/a\"b/shared/fanout"));
    }

    #[test]
    fn a_readme_has_commands_that_work_beside_it() {
        let old = "# primes\n\nCounts primes.\n\n```sh\nscripts/compare.sh --job examples/jobs/primes -- 5\n```\n\n\
                   See [a page](../../../docs/page.md#part).\n";
        let new = "# a-b\n\nFILL IN: what the job is, and what its arguments are. So far it is `primes`:\n\n\
                   Counts primes.\n\n```sh\n'/c d/scripts/compare.sh' --job . -- 5\n```\n\n\
                   See [a page](</c d/docs/page.md#part>).\n";
        assert_eq!(readme(Path::new("/c d"), &primes(), old, &name()), new);
    }
}
