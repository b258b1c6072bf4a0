//! A name that no rule of Rust's or of cargo's is against.

use std::fmt;
use std::path::PathBuf;

/// Bounds a name. A longer one is refused. Tables have a column of names, and must fit on a screen beside what was
/// measured; nor does rustfmt have to break a line of a template for a name like this. It is twice the longest that
/// the first strategies had.
pub const LONGEST: usize = 32;

/// Crates that every Rust program can name without depending on them.
const STD_CRATES: [&str; 5] = ["alloc", "core", "proc-macro", "std", "test"];

/// cargo refuses a program of this name, since it keeps folders of its own beside the programs.
const CARGO_FOLDERS: [&str; 4] = ["build", "deps", "examples", "incremental"];

/// Types, traits and variants that every Rust file has in scope: the prelude of edition 2024. A strategy's type of such
/// a name would hide it in the strategy's own file.
const PRELUDE: [&str; 43] = [
    "AsMut",
    "AsRef",
    "AsyncFn",
    "AsyncFnMut",
    "AsyncFnOnce",
    "Box",
    "Clone",
    "Copy",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Future",
    "Into",
    "IntoFuture",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Send",
    "Sized",
    "Some",
    "String",
    "Sync",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
    "Vec",
];

/// The name of a package that can be made: no rule of Rust's or of cargo's is against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Takes a name by the rules that hold in any workspace.
    ///
    /// # Errors
    ///
    /// Which rule is against it.
    pub fn new(text: &str) -> Result<Name, NameError> {
        let length = text.chars().count();
        if length > LONGEST {
            return Err(NameError::TooLong { length });
        }
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !text.split('-').all(is_word) || !text.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(NameError::NotKebabCase(text.escape_debug().to_string()));
        }
        let name = Name(text.to_owned());
        if STD_CRATES.contains(&text) {
            return Err(NameError::StdCrate(name));
        }
        if CARGO_FOLDERS.contains(&text) {
            return Err(NameError::CargoFolder(name));
        }
        if let Some(form) = [name.snake(), name.camel()].into_iter().find(|form| is_keyword(form)) {
            return Err(NameError::Keyword { name, form });
        }
        if PRELUDE.contains(&&*name.camel()) {
            return Err(NameError::Type { form: name.camel(), name });
        }
        Ok(name)
    }

    /// The name of a template, which is known to be one.
    pub(crate) fn of_template(text: &str) -> Name {
        Name(text.to_owned())
    }

    /// The name as it stands in manifests, in tables and on command lines.
    pub fn kebab(&self) -> &str {
        &self.0
    }

    /// The name of its crate in Rust.
    pub fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// The name of its type.
    pub fn camel(&self) -> String {
        let capitalised = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        self.0.split('-').map(capitalised).collect()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether Rust has the word for itself, now or in reserve. syn knows them but for `gen`, which edition 2024 added.
fn is_keyword(word: &str) -> bool {
    word == "gen" || syn::parse_str::<syn::Ident>(word).is_err()
}

/// Why nothing can be made under a name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what its variant and fields are")]
pub enum NameError {
    #[error("the name has {length} characters, and {LONGEST} are the most, so that tables fit on a screen")]
    TooLong { length: usize },
    #[error(
        "`{0}` is not kebab-case: a name is lowercase letters, digits and single hyphens between them, and starts with \
         a letter"
    )]
    NotKebabCase(String),
    #[error("`{0}` is a crate of Rust's own")]
    StdCrate(Name),
    #[error("`{0}` is a folder of cargo's, which it keeps beside the programs that it builds")]
    CargoFolder(Name),
    #[error("`{form}` is a Rust keyword, and would be what `{name}` is called in Rust")]
    Keyword { name: Name, form: String },
    #[error("the type of `{name}` would be `{form}`, which means something else in its file already")]
    Type { name: Name, form: String },
    #[error("{0} exists already")]
    Exists(String),
    #[error("{} exists already: take another name, or another DIR", .0.display())]
    Taken(PathBuf),
    #[error("`{name}` differs from the strategy `{existing}` by `-` and `_` alone")]
    Similar { name: String, existing: String },
    #[error("`{0}` is a module of every strategy's tests")]
    ModuleOfTests(Name),
    #[error("`{0}` begins like a row of the notebook, which is Python's")]
    Notebook(Name),
    #[error("`{0}` is a crate of fanout's own")]
    Member(Name),
    #[error("`{name}` is a program of the crate `{package}`")]
    Program { name: Name, package: String },
    #[error("`{name}` is taken by the crate `{dependency}`, which fanout depends on")]
    Dependency { name: Name, dependency: String },
    #[error("`{0}` is a strategy, and a program that runs a job on it needs both")]
    Strategy(Name),
    #[error("`{0}` is a workload of fanout's own, and results could not tell the two apart")]
    Workload(Name),
    #[error("{error}; `{instead}` would do")]
    Instead { error: Box<NameError>, instead: Name },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_three_forms() {
        for (kebab, snake, camel) in
            [("a", "a", "A"), ("rayon-iter", "rayon_iter", "RayonIter"), ("x86-64-v3", "x86_64_v3", "X8664V3")]
        {
            let name = Name::new(kebab).unwrap();
            assert_eq!((name.kebab(), &*name.snake(), &*name.camel()), (kebab, snake, camel));
        }
    }
}
