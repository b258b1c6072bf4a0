//! A crate that others are made from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

use super::ScaffoldError;
use crate::entrants::name::Name;

/// The crate.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) name: Name,
    /// Where it is, below the root of the workspace.
    pub(super) place: String,
    /// Its files, by path below its folder, in their order.
    pub(super) files: Vec<(PathBuf, String)>,
}

/// Reads the template at `place`. Hidden files are some editor's. Its own lock file and what was built of it stay behind.
pub(super) fn read(root: &Path, place: &str) -> Result<Template, ScaffoldError> {
    let folder = root.join(place);
    let mut files = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner).map_err(ScaffoldError::io(&inner))? {
            let path = entry.map_err(ScaffoldError::io(&inner))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') || name == "Cargo.lock" || path.join("CACHEDIR.TAG").exists() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).map_err(ScaffoldError::io(&path))?;
                files.push((path.strip_prefix(&folder).unwrap_or(&path).to_owned(), text));
            }
        }
    }
    files.sort();
    let name = place.rsplit('/').next().unwrap_or(place);
    Ok(Template { name: Name::of_template(name), place: place.to_owned(), files })
}

impl Template {
    /// The files, each as `change` has it.
    ///
    /// # Errors
    ///
    /// What `change` had expected of a file.
    pub(super) fn files(
        &self,
        change: impl Fn(&Path, &str) -> Result<String, String>,
    ) -> Result<Vec<(PathBuf, String)>, ScaffoldError> {
        let changed = |(path, text): &(PathBuf, String)| {
            let error = |why| ScaffoldError::Template { path: Path::new(&self.place).join(path), why };
            Ok((path.clone(), change(path, text).map_err(error)?))
        };
        self.files.iter().map(changed).collect()
    }

    /// Whether its code has the identifier.
    pub(super) fn has_word(&self, word: &str) -> bool {
        let sources = self.files.iter().filter(|(path, _)| is_rust(path));
        let mut words = BTreeSet::new();
        for tokens in sources.filter_map(|(_, source)| source.parse().ok()) {
            collect_words(tokens, &mut words);
        }
        words.contains(word)
    }
}

pub(super) fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// Adds every identifier of the code.
fn collect_words(tokens: TokenStream, words: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => _ = words.insert(word.to_string()),
            TokenTree::Group(group) => collect_words(group.stream(), words),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}
