//! A new strategy: its name, and its folder made from [`TEMPLATE`]'s.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, io};

use cargo_metadata::{MetadataCommand, TargetKind};
use proc_macro2::{TokenStream, TokenTree};
use serde::Deserialize;

use crate::entrants::contender::strategies;
use crate::entrants::notebook;
use crate::process;
use crate::process::interrupt::Interrupt;
use crate::run::plan::SEQUENTIAL;
use crate::text::splice;

/// What every new strategy is at first: the shortest there is, and right.
pub const TEMPLATE: &str = SEQUENTIAL;

/// Marks each place that only the author can fill in. No other file has it, so that grep finds them all.
pub const FILL_IN: &str = "FILL IN";

/// Bounds a name. A longer one is refused. Every table has a column of names, and must fit on a screen beside what was
/// measured; nor does rustfmt have to break a line of the template for a name like this. It is twice the longest that
/// the first strategies had.
pub const LONGEST: usize = 32;

/// Crates that every Rust program can name without depending on them.
const STD_CRATES: [&str; 5] = ["alloc", "core", "proc-macro", "std", "test"];

/// What `examples/plain.rs` is called in every strategy's tests. They could not tell a crate of this name from it.
const MODULE_OF_TESTS: &str = "plain";

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

/// What to write below a heading of the README. A heading that is not here gets the mark alone.
const HINTS: [(&str, &str); 5] = [
    ("Decisions", "a choice that a reader could have made otherwise, and why it was made so"),
    ("Pick it when", "a job that it does better than the strategies beside it"),
    ("Not when", "a job that another strategy does better, with a link to that one"),
    ("What it costs", "what it does beside the keys: in `start`, per key, in memory, at the end"),
    ("When things go wrong", "what becomes of the key, of the others, and of the process"),
];

/// Headings of the README below which the template describes what its code does.
const TRUE_OF_THE_CODE: [&str; 2] = ["What it costs", "When things go wrong"];

/// The name of a strategy that can be made: no rule of Rust's or of cargo's is against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name as it stands in `impls/`, in tables and on command lines.
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

    /// Takes a name by the rules that hold in any workspace.
    ///
    /// # Errors
    ///
    /// Which rule is against it.
    pub fn new(text: &str) -> Result<Name, NameError> {
        let shown = || text.escape_debug().to_string();
        let length = text.chars().count();
        if length > LONGEST {
            return Err(NameError::TooLong { length });
        }
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !text.split('-').all(is_word) || !text.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(NameError::NotKebabCase(shown()));
        }
        if STD_CRATES.contains(&text) {
            return Err(NameError::StdCrate(shown()));
        }
        if text == MODULE_OF_TESTS {
            return Err(NameError::ModuleOfTests(shown()));
        }
        if notebook::is_row(text) {
            return Err(NameError::Notebook(shown()));
        }
        if CARGO_FOLDERS.contains(&text) {
            return Err(NameError::CargoFolder(shown()));
        }
        let name = Name(text.to_owned());
        if let Some(form) = [name.snake(), name.camel()].into_iter().find(|form| is_keyword(form)) {
            return Err(NameError::Keyword { name: shown(), form });
        }
        if PRELUDE.contains(&&*name.camel()) {
            return Err(NameError::Type { name: shown(), form: name.camel() });
        }
        Ok(name)
    }
}

/// Whether Rust has the word for itself, now or in reserve. syn knows them but for `gen`, which edition 2024 added.
fn is_keyword(word: &str) -> bool {
    word == "gen" || syn::parse_str::<syn::Ident>(word).is_err()
}

/// Why no strategy can have a name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what its variant and fields are")]
pub enum NameError {
    #[error("impls/{0} exists already")]
    Exists(String),
    #[error("`{name}` differs from the strategy `{existing}` by `-` and `_` alone")]
    Similar { name: String, existing: String },
    #[error("the name has {length} characters, and {LONGEST} are the most: it is a column of every table")]
    TooLong { length: usize },
    #[error(
        "`{0}` is not kebab-case: a name is lowercase letters, digits and single hyphens between them, and starts with \
         a letter"
    )]
    NotKebabCase(String),
    #[error("`{0}` is a crate of Rust's own")]
    StdCrate(String),
    #[error("`{0}` is a module of every strategy's tests")]
    ModuleOfTests(String),
    #[error("`{0}` begins like a row of the notebook, which is Python's")]
    Notebook(String),
    #[error("`{0}` is a folder of cargo's, which it keeps beside the programs that it builds")]
    CargoFolder(String),
    #[error("`{form}` is a Rust keyword, and would be what `{name}` is called in Rust")]
    Keyword { name: String, form: String },
    #[error("the type of `{name}` would be `{form}`, which means something else in its file already")]
    Type { name: String, form: String },
    #[error("`{0}` is a crate of this workspace already")]
    Member(String),
    #[error("`{name}` is a program of the crate `{package}`")]
    Program { name: String, package: String },
    #[error("`{name}` is taken by the dependency `{dependency}` in Cargo.lock")]
    Dependency { name: String, dependency: String },
}

/// What a new strategy must get along with, and the template that it is made from.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
    strategies: Vec<String>,
    /// Packages of the workspace.
    members: BTreeSet<String>,
    /// Name of a program or library, and the package that it is of.
    programs: Vec<(String, String)>,
    /// Packages from elsewhere.
    dependencies: BTreeSet<String>,
    /// The template's files, by path below its folder, in their order.
    template: Vec<(PathBuf, String)>,
}

/// Why there is nothing that a strategy could be added to, or why adding it failed.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// cargo does not see a workspace here.
    #[error(transparent)]
    Metadata(#[from] cargo_metadata::Error),
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Cargo.lock is not what cargo writes.
    #[error("Cargo.lock: {0}")]
    Lock(#[from] toml::de::Error),
    /// The template is not what this module expects.
    #[error("impls/{TEMPLATE}/{}: {why}", .path.display())]
    Template {
        /// Below the template's folder.
        path: PathBuf,
        /// What was expected.
        why: String,
    },
    /// cargo does not take the new package.
    #[error("cargo could not add it to Cargo.lock: {0}")]
    Update(String),
    /// And what had been made is still there.
    #[error("{failure}; and impls/{name} could not be removed: {source}")]
    Left {
        /// Why it was not to stay.
        failure: Box<ScaffoldError>,
        /// The strategy.
        name: String,
        /// Why it is still there.
        source: io::Error,
    },
}

impl ScaffoldError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> ScaffoldError {
        move |source| ScaffoldError::Io { path: path.to_owned(), source }
    }

    fn template(path: &Path, why: impl ToString) -> ScaffoldError {
        ScaffoldError::Template { path: path.to_owned(), why: why.to_string() }
    }
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    /// What the workspace has itself, has none.
    source: Option<String>,
}

/// Reads the workspace that `dir` is in. Nothing is changed, and nothing downloaded.
///
/// # Errors
///
/// What is missing or cannot be read.
pub fn read(dir: &Path) -> Result<Workspace, ScaffoldError> {
    let metadata = MetadataCommand::new().current_dir(dir).no_deps().other_options(["--offline".to_owned()]).exec()?;
    let root = metadata.workspace_root.into_std_path_buf();
    let impls = root.join("impls");
    let lock = root.join("Cargo.lock");
    let lock: Lock = toml::from_str(&fs::read_to_string(&lock).map_err(ScaffoldError::io(&lock))?)?;
    let mut programs = Vec::new();
    for package in &metadata.packages {
        let kept = |kind: &TargetKind| matches!(kind, TargetKind::Bin | TargetKind::Lib | TargetKind::ProcMacro);
        let kept = package.targets.iter().filter(|target| target.kind.iter().any(kept));
        programs.extend(kept.map(|target| (target.name.clone(), package.name.to_string())));
    }
    Ok(Workspace {
        strategies: strategies(&impls).map_err(ScaffoldError::io(&impls))?,
        members: metadata.packages.iter().map(|package| package.name.to_string()).collect(),
        programs,
        dependencies: lock.package.into_iter().filter(|it| it.source.is_some()).map(|it| it.name).collect(),
        template: template(&impls.join(TEMPLATE))?,
        root,
    })
}

/// The files of the template. Hidden ones are some editor's.
fn template(folder: &Path) -> Result<Vec<(PathBuf, String)>, ScaffoldError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner).map_err(ScaffoldError::io(&inner))? {
            let path = entry.map_err(ScaffoldError::io(&inner))?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).map_err(ScaffoldError::io(&path))?;
                files.push((path.strip_prefix(folder).unwrap_or(&path).to_owned(), text));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Takes a name by the rules that hold in any workspace and by what this one has already.
///
/// # Errors
///
/// What is against it.
pub fn name(workspace: &Workspace, text: &str) -> Result<Name, NameError> {
    let shown = || text.escape_debug().to_string();
    let bare = |name: &str| name.replace(['-', '_'], "");
    let same = |name: &String| name.replace('_', "-") == text;
    let similar = |existing: &&String| *existing != text && bare(existing) == bare(text);
    if let Some(existing) = workspace.strategies.iter().find(similar) {
        return Err(NameError::Similar { name: shown(), existing: existing.clone() });
    }
    let name = Name::new(text)?;
    if workspace.root.join("impls").join(name.kebab()).symlink_metadata().is_ok() {
        return Err(NameError::Exists(shown()));
    }
    if workspace.members.iter().any(same) {
        return Err(NameError::Member(shown()));
    }
    if let Some((_, package)) = workspace.programs.iter().find(|(program, _)| same(program)) {
        return Err(NameError::Program { name: shown(), package: package.clone() });
    }
    if let Some(dependency) = workspace.dependencies.iter().find(|dependency| same(dependency)) {
        return Err(NameError::Dependency { name: shown(), dependency: dependency.clone() });
    }
    let sources = workspace.template.iter().filter(|(path, _)| is_rust(path));
    let mut words = BTreeSet::new();
    for tokens in sources.filter_map(|(_, source)| source.parse().ok()) {
        collect_words(tokens, &mut words);
    }
    if words.contains(&name.camel()) {
        return Err(NameError::Type { name: shown(), form: name.camel() });
    }
    Ok(name)
}

fn is_rust(path: &Path) -> bool {
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

/// Makes `impls/NAME` and enters it in Cargo.lock. Everything is there afterwards, or nothing.
///
/// # Errors
///
/// What could not be written, or what cargo has against it.
pub fn make(workspace: &Workspace, name: &Name) -> Result<(), ScaffoldError> {
    let rename = |(path, text): &(PathBuf, String)| Ok((path.clone(), renamed(path, text, name)?));
    let files = workspace.template.iter().map(rename).collect::<Result<Vec<_>, ScaffoldError>>()?;
    let folder = workspace.root.join("impls").join(name.kebab());
    // Outside of what is undone: a folder that somebody else has made in the meantime is theirs.
    fs::create_dir(&folder).map_err(ScaffoldError::io(&folder))?;
    // Cargo.lock comes last, and cargo writes it whole or not at all: only the folder is ever to be undone.
    write(&folder, &files).and_then(|()| lock(&workspace.root)).map_err(|failure| match fs::remove_dir_all(&folder) {
        Ok(()) => failure,
        Err(source) => ScaffoldError::Left { failure: Box::new(failure), name: name.kebab().to_owned(), source },
    })
}

fn write(folder: &Path, files: &[(PathBuf, String)]) -> Result<(), ScaffoldError> {
    for (path, text) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(ScaffoldError::io(parent))?;
        fs::write(&path, text).map_err(ScaffoldError::io(&path))?;
    }
    Ok(())
}

/// Enters new members of the workspace in Cargo.lock, and leaves every version as it is. The template brings no
/// dependency that is not there already, so nothing has to be downloaded.
fn lock(root: &Path) -> Result<(), ScaffoldError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["update", "--workspace", "--offline", "--quiet"]).current_dir(root).stdin(Stdio::null());
    let output = command.output().map_err(|error| ScaffoldError::Update(error.to_string()))?;
    if !output.status.success() {
        return Err(ScaffoldError::Update(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(())
}

/// Bounds the question to crates.io. When it passes, the question is dropped. It is fixed, since nothing depends on the
/// answer but a note. An answer takes well under a second, and nobody should wait long for a network that gives none.
const LOOKUP: Duration = Duration::from_secs(5);

/// Whether crates.io has a crate of this name. No answer, be it for want of a network, counts as no.
pub fn is_on_crates_io(name: &Name) -> bool {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["info", "--quiet", "--registry", "crates-io", name.kebab()]);
    // In no workspace: cargo would answer for one of its members.
    command.current_dir("/").env("CARGO_NET_RETRY", "0");
    // Ctrl-C ends this whole program, so nothing is to be listened for.
    let (_held, interrupt) = Interrupt::channel();
    process::run(command, Some(LOOKUP), &interrupt).is_ok_and(|output| output.status.success())
}

/// A file of the template under the new name.
fn renamed(path: &Path, text: &str, name: &Name) -> Result<String, ScaffoldError> {
    match path.to_str() {
        Some("Cargo.toml") => manifest(text, name).map_err(|why| ScaffoldError::template(path, why)),
        Some("README.md") => Ok(readme(text, name)),
        Some("src/lib.rs") => Ok(format!("{}{}", opening(name), source(&undocumented(text), name))),
        Some(splice::PLAIN) => {
            let name_it =
                format!("//! {FILL_IN}: `{0}` to take home. (So far it is what `{TEMPLATE}` is.)\n", name.kebab());
            Ok(format!("{name_it}{}", source(&undocumented(text), name)))
        }
        _ if is_rust(path) => Ok(source(text, name)),
        _ => Ok(text.to_owned()),
    }
}

/// A source without the documentation that it opens with.
fn undocumented(text: &str) -> String {
    text.lines().skip_while(|line| line.starts_with("//!")).flat_map(|line| [line, "\n"]).collect()
}

/// What a strategy's `src/lib.rs` opens with.
fn opening(name: &Name) -> String {
    let name = name.kebab();
    format!(
        "//! {FILL_IN}: what `{name}` does, in a line. (So far it does what `{TEMPLATE}` does.)\n//!\n\
         //! Decisions: {FILL_IN} what a reader could have done otherwise, and why it was done so.\n"
    )
}

fn manifest(text: &str, name: &Name) -> Result<String, String> {
    let name = name.kebab();
    let changes = [
        (format!("name = \"{TEMPLATE}\""), format!("name = \"{name}\"")),
        (format!("name = \"plain-{TEMPLATE}\""), format!("name = \"plain-{name}\"")),
        ("description = \"".to_owned(), format!("description = \"{FILL_IN}: what {name} does, in a line\"")),
    ];
    let mut lines: Vec<&str> = text.lines().collect();
    for (old, new) in &changes {
        let found: Vec<&mut &str> = lines.iter_mut().filter(|line| line.starts_with(old)).collect();
        if found.is_empty() {
            return Err(format!("no line begins with `{old}`"));
        }
        found.into_iter().for_each(|line| *line = new);
    }
    Ok(lines.into_iter().flat_map(|line| [line, "\n"]).collect())
}

/// Rust source under the new name: identifiers in code, and what is quoted in comments. In prose the word is a word.
fn source(text: &str, name: &Name) -> String {
    let template = Name(TEMPLATE.to_owned());
    let quoted = |word: &str| format!("`{word}`");
    let line = |line: &str| {
        if line.trim_start().starts_with("//") {
            let line = line.replace(&quoted(template.kebab()), &quoted(name.kebab()));
            return line.replace(&quoted(&template.camel()), &quoted(&name.camel()));
        }
        let line = replace_word(line, &template.snake(), &name.snake());
        replace_word(&line, &template.camel(), &name.camel())
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Replaces `word` where it is a whole word.
fn replace_word(text: &str, word: &str, new: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut replaced = String::new();
    let mut done = 0;
    for (start, _) in text.match_indices(word) {
        let end = start + word.len();
        if !text[..start].ends_with(is_word) && !text[end..].starts_with(is_word) {
            replaced += &text[done..start];
            replaced += new;
            done = end;
        }
    }
    replaced + &text[done..]
}

/// The headings of the template's README. What it says of its code is true of the copy, until that is written, and so is
/// the code that it shows; the rest is the author's to say.
fn readme(text: &str, name: &Name) -> String {
    let mut sections = text.split("\n## ");
    let opening = sections.next().unwrap_or_default();
    let mut readme =
        format!("# {}\n\n{FILL_IN}: the idea, and what it shows that no other strategy does.\n", name.kebab());
    if let Some(shown) = opening.find("<!-- fanout:begin") {
        readme += &format!("\n{}\n", source(opening[shown..].trim_end(), name));
    }
    for section in sections {
        let (heading, body) = section.split_once('\n').unwrap_or((section, ""));
        let hint = HINTS.iter().find(|hint| hint.0 == heading).map_or(String::new(), |hint| format!(": {}", hint.1));
        let body = body.trim();
        readme += &format!("\n## {heading}\n\n");
        readme += &match TRUE_OF_THE_CODE.contains(&heading) {
            true => format!("{FILL_IN}{hint}. This holds for `{TEMPLATE}`:\n\n{body}\n"),
            false if body.starts_with("- ") => format!("- {FILL_IN}{hint}.\n"),
            false => format!("{FILL_IN}{hint}.\n"),
        };
    }
    readme
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn a_name_has_three_forms() {
        for (kebab, snake, camel) in
            [("a", "a", "A"), ("rayon-iter", "rayon_iter", "RayonIter"), ("x86-64-v3", "x86_64_v3", "X8664V3")]
        {
            let name = name(kebab);
            assert_eq!((name.kebab(), &*name.snake(), &*name.camel()), (kebab, snake, camel));
        }
    }

    #[test]
    fn rows_of_the_notebook_keep_their_names() {
        for text in ["python-loky", "numpy-anything", "joblib-loky"] {
            assert_eq!(Name::new(text), Err(NameError::Notebook(text.to_owned())));
        }
        assert!(Name::new("pythonic").is_ok());
    }

    #[test]
    fn code_and_quotes_are_renamed_and_prose_is_not() {
        let old = "//! `sequential` and [`Sequential`], in sequential order.\nuse sequential::Sequential; // sequential_a\n\
                   sequentially(Sequential, MySequential)";
        let new = "//! `a-b` and [`AB`], in sequential order.\nuse a_b::AB; // sequential_a\n\
                   sequentially(AB, MySequential)";
        assert_eq!(source(old, &name("a-b")), new);
    }

    #[test]
    fn a_readme_keeps_its_headings_and_what_is_true_of_the_code() {
        let old = "# sequential\n\nAn\nidea.\n\n<!-- fanout:begin plain -->\nfn sequential()\n<!-- fanout:end plain -->\n\n\
                   ## Decisions\n\n- One\n  two.\n- Six.\n\n## New\n\nText.\n\n\
                   ## When things go wrong\n\n- **It rains.** Wet,\n  very.\n- **Else.** Dry.\n";
        let new = "# a-b\n\nFILL IN: the idea, and what it shows that no other strategy does.\n\n\
                   <!-- fanout:begin plain -->\nfn a_b()\n<!-- fanout:end plain -->\n\n## Decisions\n\n\
                   - FILL IN: a choice that a reader could have made otherwise, and why it was made so.\n\n## New\n\n\
                   FILL IN.\n\n## When things go wrong\n\nFILL IN: what becomes of the key, of the others, and of the \
                   process. This holds for `sequential`:\n\n- **It rains.** Wet,\n  very.\n- **Else.** Dry.\n";
        assert_eq!(readme(old, &name("a-b")), new);
    }

    #[test]
    fn a_manifest_that_is_no_template_is_an_error() {
        let old = "[package]\nname = \"sequential\"\ndescription = \"Old\"\n[[example]]\nname = \"plain-sequential\"\n";
        let new = "[package]\nname = \"a-b\"\ndescription = \"FILL IN: what a-b does, in a line\"\n[[example]]\n\
                   name = \"plain-a-b\"\n";
        assert_eq!(manifest(old, &name("a-b")).unwrap(), new);
        let error = manifest("[package]\nname = \"other\"\n", &name("a-b")).unwrap_err();
        assert_eq!(error, "no line begins with `name = \"sequential\"`");
    }
}
