//! A new strategy: its folder in `impls/`, made from [`TEMPLATE`]'s.

use std::path::Path;

use super::template::{self, Template};
use super::workspace::Workspace;
use super::{FILL_IN, ScaffoldError, folder, rename};
use crate::entrants::name::{Name, NameError};
use crate::entrants::notebook;
use crate::run::plan::SEQUENTIAL;
use crate::text::splice;

/// What every new strategy is at first: the shortest there is, and right.
pub const TEMPLATE: &str = SEQUENTIAL;

/// What `examples/plain.rs` is called in every strategy's tests. They could not tell a crate of this name from it.
const MODULE_OF_TESTS: &str = "plain";

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

/// Makes `impls/NAME` and enters it in Cargo.lock. Everything is there afterwards, or nothing.
///
/// # Errors
///
/// What is against the name, what could not be written, or what cargo has against it.
pub fn add(workspace: &Workspace, text: &str) -> Result<Name, ScaffoldError> {
    let template = template::read(&workspace.root, &format!("impls/{TEMPLATE}"))?;
    let name = take(workspace, &template, text)?;
    let files = template.files(|path, text| renamed(path, text, &name))?;
    // Cargo.lock comes last: only the folder is ever to be undone.
    folder::make(&workspace.root.join("impls").join(name.kebab()), &files, || folder::lock(&workspace.root))?;
    Ok(name)
}

/// Takes a name by the rules that hold in any workspace and by what this one has already.
fn take(workspace: &Workspace, template: &Template, text: &str) -> Result<Name, NameError> {
    let bare = |name: &str| name.replace(['-', '_'], "");
    let similar = |existing: &&String| *existing != text && bare(existing) == bare(text);
    if let Some(existing) = workspace.strategies.iter().find(similar) {
        return Err(NameError::Similar { name: text.escape_debug().to_string(), existing: existing.clone() });
    }
    let name = Name::new(text)?;
    if name.kebab() == MODULE_OF_TESTS {
        return Err(NameError::ModuleOfTests(name));
    }
    if notebook::is_row(name.kebab()) {
        return Err(NameError::Notebook(name));
    }
    if workspace.root.join("impls").join(name.kebab()).symlink_metadata().is_ok() {
        return Err(NameError::Exists(format!("impls/{name}")));
    }
    workspace.has_no_member(&name)?;
    workspace.has_no_program(&name)?;
    workspace.has_no_dependency(&name)?;
    if template.has_word(&name.camel()) {
        return Err(NameError::Type { form: name.camel(), name });
    }
    Ok(name)
}

/// A file of the template under the new name.
fn renamed(path: &Path, text: &str, name: &Name) -> Result<String, String> {
    let source = |text: &str| rename::source(text, &template(), name);
    match path.to_str() {
        Some("Cargo.toml") => manifest(text, name),
        Some("README.md") => Ok(readme(text, name)),
        Some("src/lib.rs") => Ok(format!("{}{}", opening(name), source(&rename::undocumented(text)))),
        Some(splice::PLAIN) => {
            let name_it = format!("//! {FILL_IN}: `{name}` to take home. (So far it is what `{TEMPLATE}` is.)\n");
            Ok(format!("{name_it}{}", source(&rename::undocumented(text))))
        }
        _ if template::is_rust(path) => Ok(source(text)),
        _ => Ok(text.to_owned()),
    }
}

fn template() -> Name {
    Name::of_template(TEMPLATE)
}

/// What a strategy's `src/lib.rs` opens with.
fn opening(name: &Name) -> String {
    format!(
        "//! {FILL_IN}: what `{name}` does, in a line. (So far it does what `{TEMPLATE}` does.)\n//!\n\
         //! Decisions: {FILL_IN} what a reader could have done otherwise, and why it was done so.\n"
    )
}

fn manifest(text: &str, name: &Name) -> Result<String, String> {
    let changes = [
        (format!("name = \"{TEMPLATE}\""), format!("name = \"{name}\"")),
        (format!("name = \"plain-{TEMPLATE}\""), format!("name = \"plain-{name}\"")),
        ("description = \"".to_owned(), format!("description = \"{FILL_IN}: what {name} does, in a line\"")),
    ];
    rename::lines(text, &changes)
}

/// The headings of the template's README. What it says of its code is true of the copy, until that is written, and so is
/// the code that it shows; the rest is the author's to say.
fn readme(text: &str, name: &Name) -> String {
    let mut sections = text.split("\n## ");
    let opening = sections.next().unwrap_or_default();
    let mut readme =
        format!("# {}\n\n{FILL_IN}: the idea, and what it shows that no other strategy does.\n", name.kebab());
    if let Some(shown) = opening.find("<!-- fanout:begin") {
        readme += &format!("\n{}\n", rename::source(opening[shown..].trim_end(), &template(), name));
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
